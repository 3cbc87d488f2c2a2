"""The QBR morning on a real PostgreSQL: good mornings are green, bad ones say what is wrong, on every date."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from opsconsole.config.checklists import load_checklist
from opsconsole.contracts.probe import Environment, Source
from opsconsole.demo.qbr.faults import Fault
from opsconsole.demo.qbr.running import running_demo
from opsconsole.demo.qbr.shown import SKIPS
from opsconsole.engine.engine import Engine, opened
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.runs import RunState
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.definitions import shipped_checklists
from opsconsole.wiring.kinds import probe_kinds
from support.postgres import open_directory

HOST = {"timer", "service-journal", "disk", "memory"}
"""Items about the host that runs the tests, which is not what is tested here."""
MORNING = dt.datetime(2026, 11, 21, 14, 5, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """One directory for the demo's cluster: each test fills it anew."""
    with open_directory() as place:
        yield place


@pytest.fixture(scope="module")
def checklist() -> Checklist:
    """The shipped checklist."""
    loaded = load_checklist(shipped_checklists() / "qbr-daily.toml", probe_kinds(), check_trust=False)
    assert loaded.checklist is not None
    return loaded.checklist


def database_part(checklist: Checklist) -> Checklist:
    """Return the checklist without its items about the host."""
    sections = tuple(
        msgspec.structs.replace(part, items=tuple(item for item in part.items if item.id not in HOST))
        for part in checklist.sections
    )
    return msgspec.structs.replace(checklist, sections=tuple(part for part in sections if part.items))


def measured(
    directory: Path, state: Path, checklist: Checklist, fault: Fault | None, now: dt.datetime = MORNING
) -> RunState:
    """Return the run of that morning."""
    with running_demo(directory, now=now, fault=fault) as demo, SqliteStore(state / "records.db") as store:
        engine = Engine(
            store,
            probe_kinds(),
            Environment(sources={"inventory": Source(kind="postgresql", dsn=demo.dsn)}),
            Actor("cron", "", "ops01", Via.HEADLESS),
            state,
            options=MeasuringOptions(skip=SKIPS),
            clock=lambda: now,
        )

        async def run() -> RunState:
            async with opened(engine, checklist) as session:
                await engine.measure(session)
                return session.state

        return asyncio.run(run())


def not_green(state: RunState) -> dict[str, str]:
    """Return the items that are neither green nor waiting for a person."""
    return {
        name: f"{item.outcome} {item.summary}"
        for name, item in state.items.items()
        if item.outcome not in {Outcome.PASS, Outcome.PENDING}
    }


NEEDS_COLLECTORS = {
    "duration-ninjaone": "BLOCKED needs 'Both collectors ran and succeeded', which is FAIL",
    "duration-connectwise": "BLOCKED needs 'Both collectors ran and succeeded', which is FAIL",
}
STALE_CONNECTWISE = "FAIL tickets_closed: behind is 23 h 59 min; tickets_created: behind is 23 h 59 min; "

MORNINGS: dict[Fault | None, dict[str, str]] = {
    None: {},
    Fault.LATE_COLLECTOR: {"duration-connectwise": "FAIL ConnectWise took 41.2 s, limit 30 s"},
    Fault.SLOW_COLLECTOR: {"duration-connectwise": "WARN ConnectWise took "},
    Fault.FAILED_COLLECTOR: {
        "collectors": "FAIL ConnectWise: status is 'failed', required 'success'",
        "collection-errors": "FAIL ConnectWise: course is 'failed, not repeated', required",
        "metrics-fresh": STALE_CONNECTWISE,
        **NEEDS_COLLECTORS,
    },
    Fault.REPEATED_COLLECTOR: {
        "collection-errors": "WARN ConnectWise: course is 'failed, repeated successfully at 02:20', wanted"
    },
    Fault.UNFINISHED_COLLECTOR: {
        "collectors": "FAIL ConnectWise: status is 'running', required 'success'",
        "collection-errors": "FAIL ConnectWise: course is 'running, not repeated', required",
        "metrics-fresh": STALE_CONNECTWISE,
        **NEEDS_COLLECTORS,
    },
    Fault.MISSING_METRIC: {
        "metrics-connectwise": "FAIL tickets_closed: state is 'missing', required 'present'",
        "metrics-count": "FAIL 4, limit at least 5",
    },
    Fault.STALE_METRICS: {"metrics-fresh": "FAIL endpoints_managed: behind is 23 h 59 min; "},
    Fault.NO_RUN: {
        "collectors": "FAIL no rows",
        "collection-errors": "FAIL no collector: course is 'none ran', required",
        "metrics-fresh": "FAIL endpoints_managed: behind is 23 h 59 min; ",
        **NEEDS_COLLECTORS,
    },
    Fault.TOO_MANY_CONNECTIONS: {"connections": "FAIL 5"},
}


@pytest.mark.parametrize(("fault", "expected"), MORNINGS.items(), ids=lambda value: str(value) if value else "good")
def test_mornings(
    directory: Path, tmp_path: Path, checklist: Checklist, fault: Fault | None, expected: dict[str, str]
) -> None:
    """Each morning shows exactly what is wrong with it, in words, and everything else green."""
    found = not_green(measured(directory, tmp_path, database_part(checklist), fault))
    assert set(found) == set(expected)
    for name, text in expected.items():
        assert found[name].startswith(text)


@pytest.mark.parametrize(
    ("fault", "cause", "hint"),
    [
        (Fault.DATABASE_DOWN, "there is no socket", "see whether PostgreSQL runs"),
        (Fault.NO_GRANTS, "opsconsole may not read table qbr_metrics_monthly", "grant select on"),
    ],
)
def test_what_was_not_seen_is_not_green(
    directory: Path, tmp_path: Path, checklist: Checklist, fault: Fault, cause: str, hint: str
) -> None:
    """Without the database or a grant one item is an error with cause and hint; all that need it are blocked."""
    state = measured(directory, tmp_path, database_part(checklist), fault)
    assert {item.outcome for name, item in state.items.items() if name != "database"} == {Outcome.BLOCKED}
    database = state.items["database"]
    assert database.outcome is Outcome.ERROR
    problem = database.attempts[-1].body.problem
    assert problem is not None
    assert cause in problem.cause
    assert hint in problem.hint
    assert [attempt.body.final for attempt in database.attempts] == [False, True]


@pytest.mark.parametrize(
    "now",
    [
        "2026-12-01T14:00:00+00:00",  # the first: the collection completed November
        "2027-01-01T14:00:00+00:00",
        "2028-02-29T14:00:00+00:00",
        "2028-03-01T14:00:00+00:00",
        "2026-03-08T13:00:00+00:00",  # the clocks went forward at 02:00
        "2026-03-09T13:00:00+00:00",
        "2026-11-01T14:00:00+00:00",  # and back
        "2026-11-02T14:00:00+00:00",
        "2026-11-22T04:30:00+00:00",  # late in the evening there, the next day in UTC
        "2026-11-21T07:00:00+00:00",  # before the collection: still the one of the night before
    ],
)
def test_a_good_morning_is_green_on_every_date(
    directory: Path, tmp_path: Path, checklist: Checklist, now: str
) -> None:
    """Month ends, leap days and both changes of the clocks: what went well is green."""
    state = measured(directory, tmp_path, database_part(checklist), None, dt.datetime.fromisoformat(now))
    assert not_green(state) == {}
    assert state.counts[Outcome.PENDING] == 2
