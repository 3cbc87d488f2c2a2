"""Going through the commands of a runbook, and copying them: none is run, none is copied unseen."""

import pytest

from opsconsole.screens.runbook import RunbookScreen
from opsconsole.widgets.evidence import TextPane
from support.console import LONG_COMMAND, Morning, bad
from support.driving import Driver, driving
from tui.conftest import MakeMorning

STATUS = "systemctl status qbr-collector.service"
QUERY = (
    'psql -h db.example -d inventory \\\n  -c "select collector, status from runs order by started_at desc limit 2"'
)


def _book(morning: Morning, text: str) -> None:
    (morning.directory / "checklists" / "runbooks" / "collection-failure.md").write_text(text, "utf-8")


async def _opened(driver: Driver) -> None:
    await driver.open_run()
    await driver.press("b")
    await driver.sees("Runbook collection-failure")
    await driver.until(lambda: isinstance(driver.app.screen, RunbookScreen), "the runbook")


def _marked(driver: Driver) -> list[str]:
    """Return the first line of the command under the cursor, as the screen shows it."""
    return [line[4:] for line in driver.lines if line.startswith("> │ ")]


async def test_commands_are_gone_through_and_copied(make_morning: MakeMorning) -> None:
    """Tab goes on, Shift+Tab back; y copies exactly the command; the step and its time stand on top."""
    async with driving(make_morning(bad())) as driver:
        await _opened(driver)
        await driver.sees("· 1. Look at the service", "5 min · command 1 of 3")
        assert _marked(driver) == [STATUS]
        await driver.press("y")
        await driver.reads("command 1: sent to the terminal's clipboard; one that does not allow it shows nothing")
        assert driver.app.clipboard == STATUS
        await driver.press("tab", "n")
        await driver.sees("2. Collect by hand", "10 to 20 min · command 3 of 3")
        await driver.press("y")
        await driver.reads("command 3 (2 lines): sent to the terminal's clipboard")
        assert driver.app.clipboard == QUERY
        await driver.press("tab")
        await driver.sees("there is no command further down")
        await driver.press("shift+tab", "y")
        await driver.until(lambda: driver.app.clipboard == LONG_COMMAND, "the long command")
        await driver.press("escape")
        await driver.sees("[!] FAIL")
        assert driver.stored() == ["Opened"]


async def test_only_what_is_in_view_can_be_copied(make_morning: MakeMorning) -> None:
    """The cursor follows the text that is scrolled; where no command is in view there is nothing to copy."""
    morning = make_morning(bad())
    filling = "word\n" * 40
    _book(morning, f"# Title\n\n    first\n\n{filling}\n    second\n\n{filling}\n## Last (5 min)\n\n{filling}")
    async with driving(morning) as driver:
        await _opened(driver)
        await driver.sees("command 1 of 2")
        await driver.press("end")
        await driver.sees("Last", "5 min · 2 commands")
        assert _marked(driver) == []
        await driver.press("y")
        await driver.sees("no command is in view: Shift+Tab goes to one")
        assert driver.app.clipboard == ""
        await driver.press("enter")
        await driver.sees("no command is in view")
        await driver.press("p")
        await driver.until(lambda: _marked(driver) == ["second"], "the command above")
        await driver.press("home")
        await driver.until(lambda: _marked(driver) == ["first"], "the one in view")
        await driver.press("tab")
        await driver.until(lambda: _marked(driver) == ["second"], "the next, brought into view")


async def test_a_command_taller_than_the_screen_is_reached(make_morning: MakeMorning) -> None:
    """Its beginning is brought into view, and scrolling through it ends."""
    morning = make_morning(bad())
    _book(
        morning, "# T\n\ntext\n\n    first\n\n" + "x\n" * 30 + "\n    long\n" + "      more\n" * 60 + "    last\n"
    )
    async with driving(morning) as driver:
        await _opened(driver)
        await driver.press("tab")
        await driver.until(lambda: _marked(driver) == ["long"], "the tall one")
        await driver.press("tab")
        await driver.until(lambda: _marked(driver) == ["last"], "the one behind it")
        await driver.press("y")
        await driver.until(lambda: driver.app.clipboard == "last", "copied")


@pytest.mark.parametrize(("hidden", "spelled"), [("\x1b[201~", "\\x1b"), ("\u202e", "\\u202e"), ("\t", "\\x09")])
async def test_what_could_steer_a_terminal_is_not_copied(
    make_morning: MakeMorning, hidden: str, spelled: str
) -> None:
    """A command with a control character is shown spelled out, and refused: a paste would obey it."""
    morning = make_morning(bad())
    _book(morning, f"# T\n\n    echo a{hidden}b\n")
    async with driving(morning) as driver:
        await _opened(driver)
        await driver.press("y")
        await driver.reads(f"command 1: not copied, it holds {spelled}, which could steer a terminal")
        assert driver.app.clipboard == ""


async def test_runbook_without_commands_is_only_read(make_morning: MakeMorning) -> None:
    """Its keys are not offered, and say why they do nothing."""
    morning = make_morning(bad())
    _book(morning, "# Call somebody\n")
    async with driving(morning) as driver:
        await _opened(driver)
        await driver.sees("no commands", "Esc back  ? help  q quit")
        assert "y copy" not in driver.text
        for key in ("tab", "y"):
            await driver.press(key)
            await driver.sees("this runbook has no commands")


async def test_item_gives_its_command(make_morning: MakeMorning) -> None:
    """y copies the command that shows by hand what was measured; an item without one says why."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.press("y")
        await driver.reads(
            "the command: sent to the terminal's clipboard", "Y shows it alone, to select with the mouse"
        )
        assert driver.app.clipboard == "psql -c 'select …'"
        await driver.press("enter", "pagedown")
        await driver.sees("By hand  y copies it")
        await driver.press("escape")
        await driver.go("journal")
        await driver.press("y")
        await driver.sees("nothing could be read")
        await driver.go("dashboard")
        await driver.press("y")
        await driver.sees("this is not measured")


async def test_alone_needs_a_terminal(make_morning: MakeMorning) -> None:
    """Where the terminal cannot be lent, that is said, and nothing ends."""
    async with driving(make_morning(bad())) as driver:
        await _opened(driver)
        await driver.press("enter")
        await driver.sees("it cannot be shown alone here")
        assert driver.app.screen.query_one(TextPane).has_focus
