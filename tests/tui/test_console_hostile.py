"""What sources bring back, and what is pasted, is shown as text: it steers nothing."""

import msgspec
import pytest
from textual import events

from opsconsole.contracts.probe import ProbeError
from opsconsole.model.checklists import Checklist
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import number
from opsconsole.screens.form import harmless
from support.console import HOST, HOSTILE, Morning, item
from support.driving import driving

from .conftest import MakeMorning

TOLD = Reading(
    measures={"used": HOSTILE, "count": number(1)},
    columns=("name", HOSTILE),
    rows=((HOSTILE, "[b]x"),),
    evidence=(Evidence(f"journal {HOSTILE}", f"line one\n{HOSTILE}\n[/]\ttabbed"),),
    command=f"echo {HOSTILE}",
)


def _checklist() -> Checklist:
    first = item("space", f"Title {HOSTILE}", f"every name != '{'x'}'", help=HOSTILE)
    section = msgspec.structs.replace(HOST.sections[0], title=f"Section {HOSTILE}", items=(first,))
    return msgspec.structs.replace(HOST, title=f"Host {HOSTILE}", help=HOSTILE, sections=(section,))


def assert_harmless(text: str) -> None:
    """Check that nothing on the screen is anything but text."""
    assert all(line.isprintable() for line in text.split("\n")), ascii(text)


@pytest.mark.parametrize("answer", [TOLD, ProbeError("source-down", f"cause {HOSTILE}", f"hint {HOSTILE}")])
async def test_hostile_texts_on_every_screen(make_morning: MakeMorning, answer: Reading | ProbeError) -> None:
    """Escape sequences, markup, overrides and NULs in titles, readings, causes and notes are spelled out."""
    morning = make_morning(
        {"space": answer}, checklists=(_checklist(),), notices=(HOSTILE,), problems=(f"bad {HOSTILE}",)
    )
    async with driving(morning, size=(120, 50)) as driver:
        await driver.sees("\\x1b[2J", "[/]", "\\u202e")
        assert_harmless(driver.text)
        await driver.press("enter")
        await driver.sees("Section")
        await driver.until(lambda: not driver.live.unmeasured() and not driver.live.is_measuring)
        await driver.live.session.note("space", f"noted {HOSTILE}\nsecond")
        await driver.sees("Notes")
        assert_harmless(driver.text)
        await driver.press("enter")
        await driver.sees("Measured")
        assert_harmless(driver.text)
        await driver.press("escape", "n")
        await driver.sees("Note")
        assert_harmless(driver.text)
        await driver.press("escape", "g")
        await driver.sees("Sign-off")
        assert_harmless(driver.text)
        await driver.press("escape", "h")
        await driver.sees("History")
        assert_harmless(driver.text)
        await driver.press("escape", "slash")
        await driver.sees("Go to")
        assert_harmless(driver.text)


async def test_hostile_draft_and_paste(morning: Morning) -> None:
    """A paste with control sequences arrives in a form as harmless text of the same lines."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("n")
        await driver.type("pasted: ")
        driver.app.post_message(events.Paste(f"one\r\n{HOSTILE}"))
        await driver.sees("pasted: one", "\\x1b[2J")
        assert_harmless(driver.text)
        await driver.press("enter")
        await driver.until(lambda: bool(driver.state.items["collectors"].notes))
        assert driver.state.items["collectors"].notes[0].text.startswith("pasted: one\n\\x1b[2J")


def test_harmless_keeps_lines_and_letters() -> None:
    """Letters of any script and line ends stay; everything that steers is spelled out."""
    assert harmless("Größe\r\n時間\rend\t.") == "Größe\n時間\nend     ."
    assert harmless("a\x1bb\u202ec") == "a\\x1bb\\u202ec"
