"""Every key is declared once: what is bound, offered, explained and found is the same list."""

import pytest

from opsconsole.app import ConsoleApp
from opsconsole.screens.actions import ActionsScreen
from opsconsole.screens.commands import COMMANDS, Command, Where, commands_of, footer
from opsconsole.screens.form import FormScreen
from opsconsole.screens.heatmap import CalendarScreen
from opsconsole.screens.history import HistoryScreen
from opsconsole.screens.password import PasswordScreen
from opsconsole.screens.qualification import QualificationScreen
from opsconsole.screens.qualification_decision import DecisionScreen
from opsconsole.screens.reader import ReaderScreen
from opsconsole.screens.run import RunScreen
from opsconsole.screens.runbook import RunbookScreen
from opsconsole.screens.signoff import SignOffScreen
from opsconsole.screens.today import TodayScreen
from opsconsole.widgets.pieces import width_of
from support.console import Morning
from support.driving import driving

SCREENS: dict[Where, type] = {
    Where.ANYWHERE: ConsoleApp,
    Where.TODAY: TodayScreen,
    Where.RUN: RunScreen,
    Where.SIGN_OFF: SignOffScreen,
    Where.HISTORY: HistoryScreen,
    Where.ACTIONS: ActionsScreen,
    Where.QUALIFICATION: QualificationScreen,
    Where.DECISION: DecisionScreen,
    Where.CALENDAR: CalendarScreen,
    Where.RUNBOOK: RunbookScreen,
    Where.READER: ReaderScreen,
    Where.FORM: FormScreen,
    Where.PASSWORD: PasswordScreen,
}
MODAL = {Where.FORM, Where.PASSWORD}


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.keys], ids=lambda each: each.id)
def test_every_key_does_something(command: Command) -> None:
    """No key is offered that its screen does not know."""
    assert callable(getattr(SCREENS[command.where], f"action_{command.name}", None))
    assert command.help.endswith(tuple("abcdefghijklmnopqrstuvwxyz$RT"))


@pytest.mark.parametrize("where", list(Where))
def test_no_key_means_two_things(where: Where) -> None:
    """On one screen a key has one meaning, and ids are unique, so that keys can be remapped."""
    commands = commands_of(where, anywhere=where not in MODAL)
    keys = [key for each in commands for key in each.keys.split(",") if key]
    assert len(keys) == len(set(keys))
    ids = [each.id for each in COMMANDS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("where", list(Where))
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_footer_fits_and_always_says_how_to_get_out(where: Where, width: int) -> None:
    """The line of keys fits into any width, and help and quit are always in it."""
    pieces = footer(commands_of(where), width)
    text = "".join(each.text for each in pieces)
    assert width_of(pieces) <= width
    assert text.endswith("? help  q quit  ")


async def test_help_names_every_key_of_the_screen(morning: Morning) -> None:
    """? explains every key and every mark; Esc goes back."""
    async with driving(morning, size=(120, 60)) as driver:
        await driver.open_run()
        await driver.press("question_mark")
        await driver.sees("Keys on a run", "Keys everywhere", "Marks")
        for command in commands_of(Where.RUN):
            assert command.help in driver.text
        await driver.sees("[w] WAIVED", "could not be measured: nobody knows")
        await driver.press("question_mark", "escape")
        await driver.sees("Collection")


async def test_palette_finds_and_runs_a_command(morning: Morning) -> None:
    """The palette narrows down while typing and runs what was chosen, also a command of every screen."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("ctrl+p")
        await driver.sees("Commands", "Write a note on the run as a whole")
        await driver.type("only not GREEN")
        await driver.sees_no("Write a note on the run")
        await driver.press("enter")
        await driver.sees("not green only")
        await driver.press("colon")
        await driver.type("marks mean")
        await driver.press("enter")
        await driver.sees("Keys on a run")
        await driver.press("escape", "ctrl+p", "escape")
        await driver.sees("not green only")


async def test_palette_offers_no_change_of_a_read_only_run(morning: Morning) -> None:
    """What cannot be done is not offered."""
    async with driving(morning) as driver:
        await driver.press("down", "enter")
        await driver.sees("1 pass")
        await driver.press("g", "S")
        await driver.sees("Signed.")
        await driver.press("escape", "ctrl+p")
        await driver.sees("Commands")
        await driver.type("note")
        await driver.sees_no("Write a note")


async def test_letters_type_in_a_form(morning: Morning) -> None:
    """Keys that are commands elsewhere are letters where text is typed."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("n")
        await driver.type("quit? no: !/")
        await driver.press("enter")
        await driver.until(
            lambda: [each.text for each in driver.state.items["collectors"].notes] == ["quit? no: !/"]
        )


async def test_detail_is_read_in_full_and_paged(morning: Morning) -> None:
    """Enter gives the detail the whole screen; brackets page it from the list; Tab moves the keys to it."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("enter")
        await driver.sees("Measured\n")
        await driver.press("end")
        await driver.sees("By hand", "psql -c")
        await driver.press("escape")
        await driver.sees("More than 1 GB")
        await driver.press("right_square_bracket")
        await driver.sees("2 rows")
        await driver.press("left_square_bracket")
        await driver.sees_no("2 rows")
        await driver.press("tab", "end")
        await driver.sees("psql -c")
        await driver.press("tab", "down")
        await driver.sees("> [x] PASS    No errors")


async def test_quit_from_anywhere(morning: Morning) -> None:
    """q leaves at once where nothing is lost by it, also while measuring."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("question_mark", "q")
        await driver.until(lambda: not driver.app.is_running)
        assert driver.app.return_code == 0
