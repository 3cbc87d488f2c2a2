"""What the fault tests count: how many faults were made, after how many everything was still there, and how long.

A plug-in of pytest for the whole suite. A test belongs to a row of the table below by `@pytest.mark.faults(ROW)`,
or by its name where it stands among the tests of its subject. Each row is one line at the end of a run, with or
without xdist, and one entry of the file that `--faults-summary` names.

`OPSCONSOLE_FAULTS=full` asks for the full counts (`make faults`); without it every row is tried, with fewer.
"""

import contextlib
import datetime as dt
import fnmatch
import os
import platform
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from support.needs import missing

FULL = os.environ.get("OPSCONSOLE_FAULTS") == "full"
FULL_SECONDS = 1800
"""How long one test may take with full counts."""
_ROW, _COUNTED = "faults-row", "faults-counted"
"""Properties of a test, which travel with its reports."""


@dataclass(frozen=True)
class Row:
    """One kind of fault."""

    key: str
    title: str
    passes_when: str
    elsewhere: tuple[str, ...] = ()
    """Patterns of node ids of the tests that have no marker."""


ROWS = (
    Row(
        "kill-random",
        "kill -9 of 1 and 3 writers at random moments",
        "nothing acknowledged lost, nothing doubled, chain intact",
    ),
    Row(
        "kill-step",
        "kill -9 before and after each statement and each write of an append",
        "as before or as after, and what is sent again is stored once",
    ),
    Row(
        "kill-console",
        "kill -9 of the real console on a terminal",
        "every tick and note that was on screen is on disk",
    ),
    Row(
        "kill-server",
        "kill -9 of the database server while 3 write",
        "nothing acknowledged lost, nothing doubled, goes on when it is back",
    ),
    Row(
        "power-states",
        "power loss: what a disk may hold of the writes that were not synced",
        "nothing acknowledged lost, chain intact, goes on",
    ),
    Row(
        "power-ext4",
        "power loss: the blocks of a real ext4 at each write",
        "nothing acknowledged lost, chain intact, goes on",
    ),
    Row(
        "disk-full",
        "a file system that is really full or read-only, a real limit of file sizes",
        "told, kept, and gone on with when there is space",
    ),
    Row(
        "disk-errors",
        "EIO, ENOSPC, EROFS, EDQUOT, EFBIG at each write, once and for good",
        "told, nothing lost, stored once when it is tried again",
    ),
    Row("together", "8 processes that write at once", "exactly their events, in one chain"),
    Row("twice", "the same events sent by several processes at once", "each stored once"),
    Row(
        "signed-once", "two people who sign off a run at the same moment", "exactly one sign-off, the other is told"
    ),
    Row("flips-store", "one bit of the database turned", "noticed, or the record is the same"),
    Row("flips-export", "one bit of an exported record turned", "all noticed by ssh-keygen and sha256sum"),
    Row(
        "tampering",
        "attacks on the stored chain, an old copy put back",
        "each found, each with its reason",
        ("tests/real/test_store_*_tampering.py::*", "tests/real/test_verify*.py::*"),
    ),
    Row(
        "signatures",
        "signatures with one fault each",
        "each refused for its own reason",
        ("tests/real/test_signing_negatives.py::*",),
    ),
    Row(
        "clock",
        "clocks that jump, both DST changes, leap day, a run across midnight",
        "order by sequence, the right business date, backward steps flagged",
    ),
    Row(
        "terminal",
        "SIGHUP, SIGTERM, a closed line, tmux detached",
        "resumes at the same item, nothing lost",
        (
            "tests/tui/test_console_terminal.py::test_signal_leaves_a_run_that_can_be_resumed*",
            "tests/tui/test_console_terminal.py::test_hung_up_line_is_left*",
            "tests/tui/test_terminal_leaving.py::test_signal*",
            "tests/tui/test_terminal_leaving.py::test_line_that_closes*",
            "tests/tui/test_terminal_leaving.py::test_stopped*",
            "tests/tui/test_terminal_leaving.py::test_termination*",
            "tests/tui/test_terminal_editor.py::test_*leaving*",
            "tests/real/test_cli.py::test_interrupting_leaves_a_resumable_run*",
            "tests/real/test_console_tmux.py::*",
        ),
    ),
    Row(
        "agents",
        "SSH agents that are stale, hung, gone, or no agents",
        "told why, blocks nothing, and the next way on is named",
        ("tests/real/test_signing_agents.py::*",),
    ),
    Row(
        "migration",
        "a migration, or a pruning, killed or out of space at each step",
        "as before or as after, never between; what is gone is told",
        ("tests/real/test_cli_prune.py::test_killed_at_every_step*",),
    ),
    Row(
        "hostile-text",
        "hostile text through the sanitiser to the terminal",
        "nothing reaches the terminal as a control",
    ),
)
"""Every kind of fault that has to be tried, in the order of docs/faults.md."""


def times(few: int, full: int) -> int:
    """Return how often to try: few times, or as often as `make faults` does."""
    return full if FULL else few


def not_made(why: str) -> NoReturn:
    """Give up a test whose fault cannot be made on this machine, loudly; fail it in CI."""
    missing(f"FAULT NOT MADE: {why}. Nobody knows what it would have done.")


@dataclass
class Tally:
    """What one test tried of one row."""

    row: str
    tried: int = 0
    survived: int = 0
    besides: Counter[str] = field(default_factory=Counter)
    """What else there is to tell, by its name."""

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Count a fault; it was survived where the block, which looks for what was lost, does not raise."""
        self.tried += 1
        yield
        self.survived += 1

    def survived_all(self, count: int) -> None:
        """Count faults that another process made and looked at."""
        self.tried += count
        self.survived += count

    def saw(self, what: str, count: int = 1) -> None:
        """Count something that tells what the faults met."""
        self.besides[what] += count


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Count the faults of this test for the row that its marker names."""
    marker = request.node.get_closest_marker("faults")
    assert marker is not None, "a test that tallies names its row: @pytest.mark.faults(ROW)"
    counted = Tally(marker.args[0])
    request.node.stash[_TALLY] = counted
    return counted


_TALLY = pytest.StashKey[Tally]()


# --- collecting --------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--faults-summary`."""
    parser.addoption(
        "--faults-summary",
        metavar="FILE",
        help="write what the fault tests counted; fails where a row was not tried",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "faults(row): makes faults, which are counted for a row of support/faults.py"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that belong to a row by their name, before `-m` chooses."""
    keys = {row.key for row in ROWS}
    for item in items:
        marker = item.get_closest_marker("faults")
        if marker is None:
            row = next(
                (row for row in ROWS if any(fnmatch.fnmatchcase(item.nodeid, each) for each in row.elsewhere)), None
            )
            if row is None:
                continue
            marker = pytest.mark.faults(row.key).mark
            item.add_marker(pytest.mark.faults(row.key))
        if marker.args[0] not in keys:
            raise pytest.UsageError(f"{item.nodeid}: there is no row '{marker.args[0]}' of faults")
        item.user_properties.append((_ROW, marker.args[0]))
        if FULL:
            item.add_marker(pytest.mark.timeout(FULL_SECONDS), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Hand on what a test counted; a test that does not count made one fault."""
    marker = item.get_closest_marker("faults")
    if marker is None:
        return (yield)
    passed = False
    try:
        result = yield
        passed = True
    finally:
        counted = item.stash.get(_TALLY, None) or Tally(marker.args[0], 1, int(passed))
        told = {"tried": counted.tried, "survived": counted.survived, "besides": dict(counted.besides)}
        item.user_properties.append((_COUNTED, told))
    return result


# --- telling -----------------------------------------------------------------------------------------


class Found(msgspec.Struct, kw_only=True):
    """What all tests of a row came to."""

    tests: int = 0
    tried: int = 0
    survived: int = 0
    lost: int = 0
    besides: dict[str, int] = {}
    seconds: float = 0.0
    not_made: list[str] = []
    """Why tests made no fault."""


class Summary(msgspec.Struct, kw_only=True):
    """The file that `--faults-summary` writes."""

    counts: str
    """`few` or `full`."""
    where: str = ""
    """The day, the machine and the versions."""
    rows: dict[str, Found]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print a line for each row that was tried, or should have been."""
    rows = _found(terminalreporter.stats)
    if not any(each.tests or each.not_made for each in rows.values()):
        return
    counts = "full" if FULL else "few"
    terminalreporter.section(f"faults, {counts} counts: tried, survived, lost")
    for row in ROWS:
        found = rows[row.key]
        if found.tests or found.not_made or _all_wanted(config):
            bad = found.lost or found.not_made or not found.tried
            terminalreporter.line(line_of(row, found), red=bool(bad), green=not bad)
    path = config.getoption("--faults-summary")
    if path:
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        summary = msgspec.json.encode(Summary(counts=counts, where=_where(), rows=rows))
        place.write_bytes(msgspec.json.format(summary, indent=2) + b"\n")


def _where() -> str:
    cores, system = len(os.sched_getaffinity(0)), platform.release().partition("-")[0]
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {cores} cores, Linux {system}, {versions}"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that was to try everything and did not."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput") or not _all_wanted(session.config):
        return
    untried = [key for key, found in _found(reporter.stats).items() if not found.tried]
    if untried and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _all_wanted(config: pytest.Config) -> bool:
    """Return whether every row has to be tried: where a summary is asked for, and where CI runs the whole suite."""
    if config.option.keyword or config.option.markexpr not in {"", "faults"}:
        return False
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and os.environ.get("CI") == "true"
    return whole or bool(config.getoption("--faults-summary"))


def _found(stats: dict[str, list[Any]]) -> dict[str, Found]:
    rows = {row.key: Found(besides={}, not_made=[]) for row in ROWS}
    for reports in stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                _count(report, rows)
    return rows


def _count(report: pytest.TestReport, rows: dict[str, Found]) -> None:
    told: dict[str, Any] = dict(report.user_properties)
    if _ROW not in told:
        return
    found = rows[told[_ROW]]
    if report.skipped or (report.when == "setup" and report.failed):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "it could not be set up"
        if reason not in found.not_made:
            found.not_made.append(reason)
    elif report.when == "call":
        counted = told[_COUNTED]
        found.tests += 1
        found.tried += counted["tried"]
        found.survived += counted["survived"]
        found.lost += max(counted["tried"] - counted["survived"], int(report.failed))
        found.seconds += report.duration
        for what, count in counted["besides"].items():
            found.besides[what] = found.besides.get(what, 0) + count


def line_of(row: Row, found: Found) -> str:
    """Return what a row came to, in one line."""
    if not found.tried:
        why = "; ".join(found.not_made) or "no test of it was run"
        return f"{row.title}: NOT TRIED: {why}"
    told = f"{row.title}: {found.tried:,} tried, {found.survived:,} survived, {found.lost:,} lost"
    besides = "".join(f"; {what} {count:,}" for what, count in found.besides.items())
    missing = "".join(f"; NOT MADE: {each}" for each in found.not_made)
    return f"{told}{besides} ({found.seconds:.0f} s){missing}"
