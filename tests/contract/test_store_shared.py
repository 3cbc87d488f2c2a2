"""What every store does for several consoles on one run: who is there, what is new; evidence and backups."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.contracts.store import Store, StoreError, StoreUnavailable, Watch
from opsconsole.model.events import Measured, Pruned
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement, Reading
from opsconsole.model.values import seconds
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, event, kept, measurement, note, opening, sign_off
from support.runs import MORNING
from support.stores import DEADLINE, Stores, helper, lines_of, writers

SOON = 10.0
"""Seconds within which a change has to be noticed, generously."""
OTHER = "host-daily@2026-11-21"
TEXT = "success \x1b[31m\n" * 2


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"


@pytest.fixture
def watch(stores: Stores) -> Iterator[Watch]:
    """Look at a record that has a run, and has been looked at."""
    stores.open().append([opening()])
    with closing(stores.open().watch()) as found:
        assert found.wait(SOON)
        while found.wait(0.0):
            pass
        yield found


def test_a_watch_tells_of_what_another_process_stores(stores: Stores, watch: Watch) -> None:
    """A tick of the colleague on another terminal or host shows within a moment, without a key being pressed."""
    with writers(stores, [("note", RUN, "1")]) as processes:
        assert watch.wait(SOON)
        assert len(lines_of(processes[0])) == 2
    while watch.wait(0.0):
        pass
    assert not watch.wait(0.1)


def test_a_watch_tells_of_what_this_process_stores(stores: Stores, watch: Watch) -> None:
    """Whatever stores it, the front end needs only one place to learn of news from."""
    stores.open().append([note("own")])
    assert watch.wait(SOON)


def test_a_watch_misses_nothing_between_two_waits(stores: Stores, watch: Watch) -> None:
    """What is stored while the console draws is told by the next wait, at once."""
    store = stores.open()
    for number in range(20):
        store.append([note(f"{number}")])
        assert watch.wait(SOON)


def test_closing_a_watch_ends_a_wait(watch: Watch) -> None:
    """Leaving a run does not wait for the next event: the thread that watches ends at once."""
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(watch.wait(DEADLINE)))
    waiting.start()
    began = time.monotonic()
    watch.close()
    waiting.join(DEADLINE)
    assert answers == [False]
    assert time.monotonic() - began < SOON
    assert watch.wait(DEADLINE) is False


# --- who is there ------------------------------------------------------------------------------------


def test_those_who_are_in_a_run_see_each_other(stores: Stores) -> None:
    """Two people in one run see each other's names, those in other runs not, and who has left is gone."""
    one, other = stores.open(), stores.open()
    with closing(one.enter(RUN, "Day Operator (day)")) as mine:
        assert mine.others() == ()
        with (
            closing(other.enter(RUN, "blake@ops02")) as theirs,
            closing(other.enter(OTHER, "Casey (casey)")) as elsewhere,
        ):
            assert mine.others() == ("blake@ops02",)
            assert theirs.others() == ("Day Operator (day)",)
            assert elsewhere.others() == ()
        _until(lambda: mine.others() == ())


@pytest.mark.parametrize(
    "who",
    ["Zoë Ångström (zoe)", "100 % sure (x)", "\x1b[31mred\x07 (x)", "名 (mei)", "a\nb@c", "  two  spaces (s)"],
)
def test_any_name_is_shown_as_it_is(stores: Stores, who: str) -> None:
    """Names of all scripts arrive whole; what is hostile in one is escaped where it is shown, not here."""
    store = stores.open()
    with closing(store.enter(RUN, who)), closing(store.enter(RUN, "b")) as seeing:
        assert seeing.others() == (who,)


def test_a_colleague_whose_process_was_killed_is_gone(stores: Stores) -> None:
    """A console that died does not stand in the list for ever."""
    store = stores.open()
    with (
        closing(store.enter(RUN, "a")) as presence,
        helper("store_visitor", stores.kind, stores.where, RUN, "Blake (blake)") as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        assert presence.others() == ("Blake (blake)",)
        process.kill()
        process.wait(DEADLINE)
        _until(lambda: presence.others() == ())


# --- evidence ----------------------------------------------------------------------------------------


def _pruned(store: Store, through: int) -> None:
    store.append([event(Pruned(through_seq=through, texts=1, older_than=MORNING), RUN)])


def _texts(store: Store) -> list[list[str]]:
    bodies = [each.event.body for each in store.events(RUN)]
    readings = [body.reading for body in bodies if isinstance(body, Measured) and body.reading]
    return [[each.text for each in reading.evidence] for reading in readings]


def test_evidence_is_removed_after_an_event_that_tells_it_and_not_before(store: Store) -> None:
    """Old evidence goes only where the record says so, up to where it says so, and the chain still holds."""
    store.append([opening(), measurement(), measurement()])
    with pytest.raises(StoreError, match="only after an event that tells it"):
        store.remove_evidence(RUN, 2)
    _pruned(store, 2)
    with pytest.raises(StoreError, match="only after an event that tells it"):
        store.remove_evidence(RUN, 3)
    assert _texts(store) == [[TEXT], [TEXT]]
    assert store.remove_evidence(RUN, 2) == 1
    assert store.remove_evidence(RUN, 2) == 0
    assert _texts(store) == [[""], [TEXT]]
    assert store.verify().broken is None
    assert [each.evidence for each in store.links(RUN, evidence=True)] == [(), (None,), (TEXT,), ()]
    assert {each.evidence for each in store.links(RUN)} == {()}


def test_the_evidence_of_a_signed_run_stays(store: Store) -> None:
    """Nothing that a signature covers is ever removed, whatever was written after it."""
    stored = store.append([opening(), measurement()])
    store.append([sign_off(store, stored[-1])])
    _pruned(store, 2)
    with pytest.raises(StoreError, match="of a signed run is never removed"):
        store.remove_evidence(RUN, 2)
    assert _texts(store) == [[TEXT]]
    assert store.verify().broken is None


def test_hostile_evidence_is_kept_as_it_is(store: Store) -> None:
    """NULs, escapes and foreign scripts in evidence come back exactly, from whichever store."""
    texts = ("\x00\x1b]8;;x\x07\ufeff", "'; DROP TABLE evidence; --", "\u202e\u2028 \U0001f600 é\\x00", "", "\r\n")
    body = Measured(
        item="collectors",
        judgement=Judgement(Outcome.PASS, "fine"),
        started_at=MORNING,
        elapsed=seconds(0.25),
        reading=Reading(evidence=tuple(kept(f"{place}", text) for place, text in enumerate(texts))),
    )
    store.append([opening(), event(body)])
    assert _texts(store) == [list(texts)]
    assert store.verify().broken is None


# --- backup ------------------------------------------------------------------------------------------


def test_a_backup_is_a_record_of_its_own(stores: Stores, tmp_path: Path) -> None:
    """A backup made while the record is in use opens as a SQLite record with the same id, events and head."""
    store = stores.open()
    store.append([opening(), measurement(), note("before")])
    _pruned(store, 2)
    store.remove_evidence(RUN, 2)
    target = tmp_path / "backup.db"
    head = store.backup_to(target)
    assert head == store.head()
    assert target.stat().st_mode & 0o777 == 0o600
    with SqliteStore(target, create=False) as copy:
        assert copy.verify() == store.verify()
        assert copy.store_id == store.store_id
        assert copy.birth() == store.birth()
        assert list(copy.links(evidence=True)) == list(store.links(evidence=True))
        copy.append([note("it goes on")])
    with pytest.raises(StoreError, match="exists already"):
        store.backup_to(target)
    assert [each.name for each in tmp_path.glob("*.partial*")] == []


def test_a_backup_that_cannot_be_written_is_said_to_be(stores: Stores, tmp_path: Path) -> None:
    """A backup to a place that cannot be is an error with words."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        stores.open().backup_to(tmp_path / "file" / "backup.db")
