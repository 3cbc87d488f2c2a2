"""A whole morning in the real terminal: `opsconsole demo` in tmux, from Today to the exported day log."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.runs import RunState, fold
from opsconsole.store.sqlite import SqliteStore
from support.command import OPSCONSOLE
from support.postgres import open_directory
from support.tmux import Tmux, tmux_server

_VALUE = re.compile(r"^(?:value|metric_value)\s+([\d,.]+)|^metric_value\n([\d,.]+)", re.MULTILINE)


def _cursor(screen: str) -> str:
    """Return the row that the cursor stands on."""
    return next((line for line in screen.splitlines() if line.startswith("> ")), "")


def _open_checklist(tmux: Tmux, title: str) -> None:
    """Open a checklist from Today, wherever its row stands: what is most urgent comes first."""
    tmux.until(lambda screen: bool(_cursor(screen)) and "not opened" in screen, "Today")
    tmux.press("Home")
    for _ in range(30):
        screen = tmux.until(lambda screen: bool(_cursor(screen)), "a cursor")
        if title in _cursor(screen) and "not opened" in _cursor(screen):
            break
        before = _cursor(screen)
        tmux.press("Down")
        tmux.until(lambda screen, before=before: _cursor(screen) != before, f"below {before}")  # type: ignore[misc]
    tmux.press("Enter")


def _go_to(tmux: Tmux, title: str) -> None:
    tmux.press("/")
    tmux.sees("Go to")
    tmux.type(title)
    tmux.press("Enter")
    tmux.until(lambda screen: "Go to" not in screen and title in _cursor(screen), f"the cursor on {title}")


def _enter_what_was_measured(tmux: Tmux, title: str) -> None:
    """Read the number in the item's own reading, as the demo says, and type it in."""
    _go_to(tmux, title)
    tmux.press("Enter")
    tmux.sees("needs database")
    tmux.press("End")
    screen = tmux.until(lambda screen: _VALUE.search(screen) is not None, "the measured value")
    found = _VALUE.search(screen)
    assert found is not None
    tmux.press("Escape")
    tmux.until(lambda screen: title in _cursor(screen), "the list")
    tmux.press("e")
    tmux.sees("Enter save")
    tmux.type((found[1] or found[2]).replace(",", ""))
    tmux.press("Enter")
    tmux.until(lambda screen: "[x] PASS" in _cursor(screen), f"{title} to pass")


def _answer_hurdles(tmux: Tmux) -> int:
    """Do what the sign-off still asks for, one thing after another; return how many there were."""
    for count in range(20):
        screen = tmux.until(lambda screen: "Before it can" in screen or "ready: S signs" in screen, "the sign-off")
        if "ready: S signs" in screen:
            return count
        tmux.press("Enter")
        screen = tmux.until(lambda screen: bool(_cursor(screen)) and "Sign-off" not in screen, "the item")
        tmux.press("e" if "TO FILL" in _cursor(screen) else "n")
        tmux.sees("Enter save")
        tmux.type("seen, and handed over to L2")
        tmux.press("Enter")
        tmux.until(lambda screen: "noted" in screen or "saved" in screen, "the note to be saved")
        tmux.press("g")
    raise AssertionError("the sign-off asks for ever more")


def _record(state: Path) -> RunState:
    (path,) = (state / "demo" / "qbr" / "records").glob("*.db")
    with closing(SqliteStore(path)) as store:
        assert store.verify().broken is None
        key = store.runs("qbr-daily")[0]
        run = fold(store.events(key.id))
    assert run is not None
    return run


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["", "late-collector"])
def test_a_whole_morning_in_tmux(fault: str) -> None:
    """Open, measure, enter, note, fill in, sign, export, leave: at 80x24, by keys alone, and all of it on disk."""
    with open_directory() as state, tmux_server() as tmux:
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent", "TERM": "xterm-256color"}
        options = ("--fault", fault) if fault else ()
        tmux.start([*OPSCONSOLE, "--state", str(state), "demo", *options], environment)
        tmux.sees("opsconsole · Today", "QBR daily monitoring", "not opened", "q quit")

        _open_checklist(tmux, "QBR daily monitoring")
        tmux.until(
            lambda screen: " pending" in screen and "measuring" not in screen and "READING" not in screen,
            "everything to be measured",
        )
        tmux.press("Space")
        tmux.sees("is measured, not ticked")

        _enter_what_was_measured(tmux, "Tickets agree")
        _enter_what_was_measured(tmux, "Endpoints agree")

        _go_to(tmux, "Time entries")
        tmux.press("n")
        tmux.sees("Enter save")
        tmux.type("Looks like every week")
        tmux.press("Enter")
        tmux.sees("noted")

        for text in ("none found", "nothing to do", "a quiet night"):
            tmux.press("f")
            tmux.sees("Enter save")
            tmux.type(text)
            tmux.press("Enter")
            tmux.sees(": saved")

        tmux.press("g")
        answered = _answer_hurdles(tmux)
        assert answered or not fault
        tmux.sees("With S you sign", "attributed to the login", "not cryptographically signed")
        tmux.press("S")
        tmux.sees("Signed.")
        tmux.press("x")
        tmux.sees("day log written:")
        tmux.press("Escape")
        tmux.sees("signed ")
        tmux.press("n")
        tmux.sees("read only")
        tmux.press("Escape")
        tmux.sees("opsconsole · Today", "signed ")
        tmux.press("q")
        tmux.sees("left with 0")

        run = _record(state)
        assert run.signed is not None
        assert run.result is Result.FAIL or not fault
        assert Outcome.PENDING not in run.counts
        assert [each.text for each in run.items["time-entries"].notes] == ["Looks like every week"]
        assert {each.text for each in run.fields.values()} == {"none found", "nothing to do", "a quiet night"}
        (log,) = (state / "demo" / "qbr" / "day-logs").iterdir()
        text = log.read_text("utf-8")
        assert log.stat().st_mode & 0o777 == 0o600
        for expected in ("Looks like every week", "none found", run.signed.body.statement.login, str(run.result)):
            assert expected in text
