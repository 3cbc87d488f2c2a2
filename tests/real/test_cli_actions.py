"""`opsconsole actions`: what is to be done, listed, raised and said to be done by scripts and operators."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from support.command import MANUAL, Installation, installed

TODAY = dt.datetime.now(dt.UTC).date()
YESTERDAY = TODAY - dt.timedelta(days=1)


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with a run of yesterday."""
    made = installed(tmp_path, morning=MANUAL)
    made.then("morning", YESTERDAY)
    return made


@pytest.fixture
def run() -> str:
    """The name of the run of yesterday."""
    return f"morning@{YESTERDAY}"


def listed(place: Installation, *words: str) -> list[dict[str, Any]]:
    """Return what is listed as JSON."""
    done = place.run("actions", *words, "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["schema"] == "opsconsole.actions.v1"
    found: list[dict[str, Any]] = document["actions"]
    return found


def test_from_raised_to_done(place: Installation, run: str) -> None:
    """What is raised is named on stdout; it is listed until it is done, and with --all for ever."""
    week = str(TODAY + dt.timedelta(days=7))
    added = place.run("actions", "add", run, "Order a disk", "--owner", "jane", "--due", "+7", "--item", "load")
    assert (added.code, added.out) == (0, f"{run}#1\n")
    table = place.run("actions").out.splitlines()
    assert table[0].split() == ["ID", "STANDS", "DUE", "OWNER", "WHAT"]
    assert table[1].split() == [f"{run}#1", "open", week, "jane", "Order", "a", "disk"]
    done = place.run("actions", "done", f"{run}#1", "it is there")
    assert (done.code, done.out, done.err) == (0, "", f"{run}#1 is done\n")
    nothing = place.run("actions", "list")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "nothing is to be done\n")
    assert "Order a disk (it is there)" in place.run("actions", "--all").out
    (each,) = listed(place, "list", "--all")
    assert (each["state"], each["item"], each["due"], each["steps"][0]["text"]) == (
        "done",
        "load",
        week,
        "it is there",
    )


def test_changed_dropped_and_opened_again(place: Installation, run: str) -> None:
    """Owner and date change, a drop needs its reason, and what is closed opens again."""
    name = place.run("actions", "add", run, "Order a disk").out.strip()
    changed = place.run("actions", "change", name, "--owner", "lou", "--due", "2099-12-01", "--reason", "holidays")
    assert (changed.code, changed.err) == (0, f"{name} is open: lou, due 2099-12-01\n")
    assert place.run("actions", "drop", name).code == 2
    assert place.run("actions", "drop", name, "--reason", " ").code == 2
    assert place.run("actions", "drop", name, "--reason", "we have one").err == f"{name} is dropped\n"
    assert place.run("actions", "drop", name, "--reason", "again").code == 2
    again = place.run("actions", "change", name, "--reason", "it broke")
    assert (again.code, again.err) == (0, f"{name} is open: lou, due 2099-12-01\n")
    (each,) = listed(place)
    assert [step["state"] for step in each["steps"]] == ["open", "dropped", "open"]


def test_late_ones_are_marked_and_told_by_a_headless_run(place: Installation, run: str) -> None:
    """A list says what is late; so does a headless run, on stderr only, and --quiet keeps it still."""
    place.run("actions", "add", run, "Order a disk", "--due", "today")
    assert "late" not in place.run("run", "morning", "--headless").err
    (each,) = listed(place)
    assert each["late"] is False
    late = _overdue(place, run)
    assert place.run("actions").out.splitlines()[1].split()[:2] == [late, "late"]
    headless = place.run("run", "morning", "--headless", "--format", "json")
    assert f"1 action item is late, {late} since {YESTERDAY}" in headless.err
    json.loads(headless.out)
    assert "late" not in place.run("run", "morning", "--headless", "--quiet").err


def _overdue(place: Installation, run: str) -> str:
    """Raise what was due yesterday, as somebody did the day before; return its name."""
    import asyncio

    from opsconsole.model.events import Via
    from opsconsole.wiring.services import services

    async def raised() -> str:
        session = await parts.engine.resume(run)
        number = await session.raise_action("Clean up", "jane", YESTERDAY)
        await session.aclose()
        return f"{run}#{number}"

    with services(place.config, place.state, Via.COMMAND) as parts:
        return asyncio.run(raised())


def test_of_one_checklist_only(place: Installation, run: str) -> None:
    """A checklist narrows the list; a name that nobody knows is said instead of taken for a quiet one."""
    place.write("evening", MANUAL.replace("Morning", "Evening"))
    place.then("evening", YESTERDAY)
    place.run("actions", "add", run, "one")
    place.run("actions", "add", f"evening@{YESTERDAY}", "two")
    assert [each["text"] for each in listed(place, "list", "--checklist", "evening")] == ["two"]
    assert len(listed(place)) == 2
    unknown = place.run("actions", "--checklist", "nosuch")
    assert (unknown.code, unknown.out) == (2, "")
    assert "nosuch" in unknown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "morning@2020-01-01", "x"), "there is no record of morning@2020-01-01"),
        (("add", "morning", "x"), "there is no record of"),
        (("add", "RUN", " "), "some words are needed here"),
        (("add", "RUN", "x", "--item", "window"), "has no item 'window'"),
        (("add", "RUN", "x", "--due", "soon"), "'soon' is no date"),
        (("add", "RUN", "x", "--due", "2020-01-01"), "2020-01-01 is over already"),
        (("done", "RUN#7"), "there is no action item"),
        (("done", "nonsense"), "there is no action item 'nonsense'"),
        (("change", "RUN#1"), "nothing would change"),
        (("--all", "done", "RUN#1"), "write these options behind it"),
    ],
)
def test_wrong_usage_changes_nothing(place: Installation, run: str, words: tuple[str, ...], said: str) -> None:
    """What makes no sense ends with 2 and the reason, and leaves the record as it was."""
    place.run("actions", "add", run, "Order a disk")
    before = listed(place, "list", "--all")
    done = place.run("actions", *(each.replace("RUN", run) for each in words))
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert listed(place, "list", "--all") == before


def test_signed_run_takes_them_and_still_verifies(place: Installation, run: str) -> None:
    """What is raised and done after the sign-off stands in the run's record, which verifies all the same."""
    place.run("actions", "add", run, "before")
    _tick(place, run)
    assert place.run("sign", run, "--attributed", "--yes").code == 0
    assert place.run("actions", "add", run, "after").out == f"{run}#2\n"
    assert place.run("actions", "done", f"{run}#1").code == 0
    verified = place.run("verify", run)
    assert verified.code == 0, verified.out + verified.err


def _tick(place: Installation, run: str) -> None:
    import asyncio

    from opsconsole.model.events import Via
    from opsconsole.wiring.services import services

    async def ticked() -> None:
        session = await parts.engine.resume(run)
        await session.tick("look")
        await session.aclose()

    with services(place.config, place.state, Via.COMMAND) as parts:
        asyncio.run(ticked())


def test_hostile_text_and_secrets(place: Installation, run: str) -> None:
    """Escape sequences are spelled out in the table and in JSON; a password is masked before it is stored."""
    place.run("actions", "add", run, "\x1b[2J\x07 use postgresql://ops:hunter2@db/x", "--owner", "\x1b]0;x\x07")
    for words in (("actions",), ("actions", "--json")):
        out = place.run(*words).out
        assert not set("\x1b\x07") & set(out)
        assert "hunter2" not in out
