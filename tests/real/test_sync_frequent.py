"""QuestDB and PocketBase beside one another: what is the same is green, what differs or cannot be seen is not."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsconsole.model.outcomes import Outcome
from opsconsole.model.runs import RunState
from opsconsole.model.values import shown
from support.httpd import Fault, Says
from support.postgres import Postgres
from support.sync import HOST, HOST_KINDS, SHORT, TOKEN, YOUNG, Site, recorded, running_site
from support.webapp import HOUR, MINUTE, NOW, Record, planned_kinds, said, unbreakable

pytestmark = pytest.mark.xdist_group("sync")
LIST = "sync-15min"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Site]:
    """Both stores; a test puts them in order first."""
    with running_site(tmp_path_factory.mktemp("sync"), postgres) as site:
        yield site


@pytest.fixture
def record(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """An empty record, of a site in good order."""
    with recorded(site, tmp_path, monkeypatch) as record:
        yield record


async def looked(record: Record) -> RunState:
    """Measure the list on a host that has room."""
    return await record.measured(LIST, kinds=planned_kinds(HOST, HOST_KINDS))


async def test_a_good_quarter(site: Site, record: Record) -> None:
    """All is green, and each condition can go red on what was read."""
    state = await looked(record)
    assert said(state) == {}
    assert state.counts[Outcome.PASS] == len(state.items)
    assert unbreakable(record, site.lists[LIST]) == []


async def test_what_is_younger_than_the_cut_off_is_left_out_on_both_sides(site: Site, record: Record) -> None:
    """Records that only one store has yet are no difference, for neither counts them."""
    for _ in range(3):
        site.record("measurements", YOUNG)  # still on its way to PocketBase
    site.copy("alarms", YOUNG)  # and one that QuestDB does not show yet
    state = await looked(record)
    assert said(state) == {}
    body = state.items["counts-agree"].attempts[-1].body
    assert body.reading is not None
    counted = [tuple(map(shown, row[:3])) for row in body.reading.rows]
    assert body.reading.columns[:3] == ("key", "left", "right")
    assert sorted(counted) == [("alarms", "3", "3"), ("devices", "3", "3"), ("measurements", "3", "3")]
    assert "both as of 2026-12-07 09:00:00Z" in body.reading.evidence[0].text


async def test_the_same_record_counts_as_soon_as_it_is_old_enough(site: Site, record: Record) -> None:
    """What is a difference at all is one five minutes later, when the copy is still not there."""
    site.record("measurements", NOW - 6 * MINUTE)
    found = said(await looked(record))
    assert set(found) == {"counts-agree"}
    assert found["counts-agree"].startswith("FAIL measurements: share is 33.3")


async def test_times_of_the_cut_off_s_own_day_are_compared_as_times(site: Site, record: Record) -> None:
    """PocketBase compares texts: without care, each of today's records would be older than the cut-off."""
    site.copy("alarms", NOW - MINUTE)
    site.copy("alarms", NOW + 5 * HOUR)
    assert said(await looked(record)) == {}


# --- what is not there -------------------------------------------------------------------------------


async def test_a_collection_that_pocketbase_lacks_is_red(site: Site, record: Record) -> None:
    """It is named, and the comparison is no pass, while the other collections are still compared."""
    site.pocketbase.drop("alarms")
    state = await looked(record)
    found = said(state)
    assert set(found) == {"pocketbase-counts", "counts-agree"}
    assert found["pocketbase-counts"].startswith("FAIL alarms: status is 404, required 200")
    assert state.items["counts-agree"].outcome in {Outcome.FAIL, Outcome.ERROR}
    body = state.items["counts-agree"].attempts[-1].body
    assert body.reading is not None
    assert "3 keys, 2 of them the same" in body.reading.evidence[0].text


async def test_a_table_that_questdb_lacks_is_red(site: Site, record: Record) -> None:
    """The query fails, nothing is taken for 0, and no comparison passes; the daily list names the table."""
    site.run("DROP TABLE alarms")
    found = said(await looked(record))
    assert set(found) == {"questdb-counts", "counts-agree"}
    assert found["questdb-counts"].startswith("ERROR")
    assert "table does not exist" in found["questdb-counts"]
    assert found["counts-agree"].startswith(("ERROR", "BLOCKED"))
    daily = said(await record.measured("sync-daily", only=["tables"]))
    assert daily["tables"].startswith("FAIL alarms: tables is 0, required 1")


@pytest.mark.parametrize(
    ("shipped", "own", "side"),
    [
        (
            'for_each = ["devices", "measurements", "alarms"]',
            'for_each = ["devices", "measurements"]',
            "missing_right",
        ),
        ("select 'alarms' as", "select 'events' as", "missing_left"),
    ],
)
async def test_a_key_that_one_side_does_not_have_is_red(
    site: Site, record: Record, tmp_path: Path, shipped: str, own: str, side: str
) -> None:
    """A collection that is asked for on one side only is a failure, and never left out of the comparison."""
    other = Record(tmp_path / "other", {**site.lists, LIST: site.edited(LIST, shipped, own)}, site.sources)
    found = said(await other.measured(LIST, kinds=planned_kinds(HOST, HOST_KINDS)))
    other.store.close()
    assert f"{side} is 1, required 0" in found["counts-agree"]
    assert found["counts-agree"].startswith("FAIL")


# --- what is wrong -----------------------------------------------------------------------------------


async def test_a_bad_quarter(site: Site, record: Record) -> None:
    """Each thing that is wrong is seen by the item that is about it, and said in words."""
    site.health.on("/", Says(b"", 503))
    site.run("TRUNCATE alarms; DELETE FROM sync_log WHERE collection = 'measurements'")
    site.pocketbase.remove_one("devices")
    found = said(await record.measured(LIST, kinds=planned_kinds(SHORT, HOST_KINDS)))
    expected = {
        "questdb-health": "FAIL status is 503, required 200",
        "questdb-counts": "FAIL alarms: records is 0",
        "counts-agree": "FAIL ",
        "last-runs": "FAIL measurements: ",
        "cpu": "FAIL used is 99 %",
        "memory": "FAIL used_percent is 97 %",
        "disk": "FAIL used is 93 %",
        "disk-io": "FAIL wait is 900 ms, limit 200 ms",
        "network": "FAIL error_rate is 12",
    }
    assert found == {name: found.get(name) for name in expected}
    for name, text in expected.items():
        assert found[name].startswith(text), found[name]


def _forged(token: str) -> str:
    head, claims, _ = token.split(".")
    return f"{head}.{claims}.{base64.urlsafe_b64encode(bytes(32)).decode().rstrip('=')}"


@pytest.mark.parametrize("token", [_forged, lambda _: "no-token-at-all"])
async def test_a_token_that_is_not_taken_is_red(
    site: Site, record: Record, monkeypatch: pytest.MonkeyPatch, token: Callable[[str], str]
) -> None:
    """PocketBase answers it with 200 and no records; nothing that is counted so is taken for the truth."""
    monkeypatch.setenv(TOKEN, token(site.token))
    found = said(await looked(record))
    assert set(found) == {"signed-in", "pocketbase-counts", "counts-agree"}
    assert found["signed-in"].startswith("FAIL accounts is 0, required 1")
    assert found["pocketbase-counts"].startswith("BLOCKED")


async def test_without_a_token_nothing_is_asked(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is not set is an error that names it."""
    monkeypatch.delenv(TOKEN)
    found = said(await looked(record))
    assert found["signed-in"].startswith("ERROR")
    assert TOKEN in found["signed-in"]


async def test_the_token_is_in_no_record(site: Site, record: Record) -> None:
    """Neither readings nor evidence nor the commands to repeat them hold the token or the password."""
    await looked(record)
    kept = b"".join(path.read_bytes() for path in record.state.rglob("*") if path.is_file())
    assert b"counts-agree" in kept
    for secret in (site.token, site.token.rpartition(".")[2], "quest-not-real"):
        assert secret.encode() not in kept


@pytest.mark.parametrize("dead", ["questdb", "questdb-health", "pocketbase"])
async def test_one_source_that_is_down_hides_nothing_of_the_others(
    site: Site, tmp_path: Path, record: Record, dead: str
) -> None:
    """Its own item fails, what needs it is blocked or an error, and all else is measured."""
    sources = {**site.sources, dead: site.nowhere[dead]}
    other = Record(tmp_path / "other", site.lists, sources)
    found = said(await other.measured(LIST, kinds=planned_kinds(HOST, HOST_KINDS)))
    other.store.close()
    needs = {
        "questdb": {"questdb-counts", "counts-agree", "last-runs"},
        "questdb-health": set[str](),
        "pocketbase": {"signed-in", "pocketbase-counts", "counts-agree"},
    }
    assert set(found) == {dead, *needs[dead]}
    assert found[dead].startswith("FAIL")
    assert all(found[name].startswith(("BLOCKED", "ERROR")) for name in needs[dead])


async def test_a_service_that_does_not_answer_fails(site: Site, record: Record) -> None:
    """A server that hangs up is no healthy one."""
    site.health.on("/", Says(fault=Fault.CLOSE_BEFORE))
    found = said(await record.measured(LIST, only=["questdb-health"], kinds=planned_kinds(HOST, HOST_KINDS)))
    assert found["questdb-health"].startswith(("FAIL", "ERROR"))
