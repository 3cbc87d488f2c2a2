"""What every store gives of many runs at once: the events of some kinds, for whoever needs no readings."""

import datetime as dt

import pytest

from opsconsole.contracts.store import Store
from support.events import RUN, TODAY, measurement, note, opening, sign_off
from support.stores import Stores

KINDS = ("opened", "signed")


def _years(store: Store, count: int = 3) -> list[str]:
    """Store some days of two checklists, in turns; return the runs of the first."""
    runs = []
    for step in range(count):
        date = TODAY + dt.timedelta(days=step)
        for checklist in ("qbr-daily", "host-daily"):
            first = opening(date, checklist)
            stored = store.append([first, measurement(first.run), note("seen", first.run)])
            store.append([sign_off(store, stored[-1])])
        runs.append(opening(date).run)
    return runs


def test_extracts_are_the_events_of_those_kinds_in_order(store: Store) -> None:
    """Openings and signatures of one checklist, with the exact bytes; readings and other lists are left out."""
    runs = _years(store)
    found = list(store.extracts("qbr-daily", KINDS))
    assert [(each.run, each.kind) for each in found] == [(run, kind) for run in runs for kind in KINDS]
    links = {each.seq: each for each in store.links()}
    assert [(each.document, each.hash) for each in found] == [
        (links[each.seq].document, links[each.seq].hash) for each in found
    ]
    assert [each.seq for each in found] == sorted(each.seq for each in found)
    assert all(each.sound for each in found)


def test_extracts_go_on_where_they_ended(store: Store) -> None:
    """Whoever has read them once reads only what was added since."""
    _years(store, 1)
    last = list(store.extracts("qbr-daily", KINDS))[-1].seq
    assert list(store.extracts("qbr-daily", KINDS, after=last)) == []
    run = opening(TODAY + dt.timedelta(days=9)).run
    store.append([opening(TODAY + dt.timedelta(days=9)), note("x", run)])
    assert [each.run for each in store.extracts("qbr-daily", KINDS, after=last)] == [run]
    assert [each.kind for each in store.extracts("qbr-daily", ("noted",), after=last)] == ["noted"]


def test_extracts_of_nothing_are_none(store: Store) -> None:
    """A checklist without runs has no events, and no kinds are no events."""
    _years(store, 1)
    assert list(store.extracts("weekly", KINDS)) == []
    assert list(store.extracts("qbr-daily", ())) == []
    assert list(store.extracts("qbr-daily", ("none'; --",))) == []


@pytest.mark.parametrize("count", [2, 3])
def test_extracts_come_whole_over_pages(stores: Stores, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Years do not fit into one answer of the database: pages of them leave nothing out and double nothing."""
    store = stores.open()
    _years(store)
    whole = list(store.extracts("qbr-daily", KINDS))
    for module in ("opsconsole.store.rows", "opsconsole.store.postgres_rows"):
        monkeypatch.setattr(f"{module}.PAGE", count)
    if stores.kind == "postgresql":
        from opsconsole.store import postgres_rows

        query = postgres_rows._EXTRACTS.replace("LIMIT 1000", f"LIMIT {count}")
        monkeypatch.setattr(postgres_rows, "_EXTRACTS", query)
    assert list(store.extracts("qbr-daily", KINDS)) == whole
    assert RUN in {each.run for each in whole}
