"""Runbooks taken apart: steps, their time boxes, and the commands as they are to be typed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.config.runbook_steps import parse_runbook
from opsconsole.widgets.clipboard import refusal
from opsconsole.wiring.definitions import shipped_checklists

SHIPPED = sorted((shipped_checklists() / "runbooks").glob("*.md"))


@pytest.mark.parametrize(
    ("heading", "title", "time_box"),
    [
        ("2. Repair (10 to 20 min)", "2. Repair", "10 to 20 min"),
        ("4. Resolve (4 h)", "4. Resolve", "4 h"),
        ("5. Look back (within 5 days, 60 min)", "5. Look back", "within 5 days, 60 min"),
        ("0 to 5 minutes: which part?", "Which part?", "0 to 5 minutes"),
        ("0\u20135 min: which part?", "Which part?", "0\u20135 min"),
        ("5 minutes", "5 minutes", ""),
        ("Known causes (rare)", "Known causes (rare)", ""),
        ("Minutes: 5", "Minutes: 5", ""),
    ],
)
def test_time_box_of_a_step(heading: str, title: str, time_box: str) -> None:
    """The time that a step may take is found in front of its heading or behind it."""
    (step,) = parse_runbook(f"text\n\n## {heading}\n").steps
    assert (step.line, step.title, step.time_box) == (2, title, time_box)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("    ls\n    df -h\n", ["ls", "df -h"]),
        ("```sh\nls\n\ndf\n```\n", ["ls", "df"]),
        ("~~~\nls\n", ["ls"]),
        ("```text\nsome output\n```\n", []),
        ("```output of df\nsome output\n```\n", []),
        ("```\n```\n", []),
        ("- first\n\n      ls\n\n  ```\n  df\n  ```\n", ["ls", "df"]),
        ("- a list\n\n        ls\n        df\n", ["ls", "df"]),
        ("    curl \\\n      -s http://a\n    ls\n", ["curl \\\n  -s http://a", "ls"]),
        ("    curl \\\n    -s http://a\n", ["curl \\\n-s http://a"]),
        ('    psql -c "select 1,\n    2"\n    ls\n', ['psql -c "select 1,\n2"', "ls"]),
        ("    psql -c 'select 1\n\n    , 2'\n", ["psql -c 'select 1\n\n, 2'"]),
        ("    echo it's\n    ls\n", ["echo it's", "ls"]),
        ("    echo \\' it\n    ls\n", ["echo \\' it", "ls"]),
        ("    cat > a <<'END'\n    it's\n\n    END\n    ls\n", ["cat > a <<'END'\nit's\n\nEND", "ls"]),
        ("    cat <<< word\n    ls\n", ["cat <<< word", "ls"]),
        (
            "    for i in a b\n    do\n      echo $i\n    done\n    ls\n",
            ["for i in a b\ndo\n  echo $i\ndone", "ls"],
        ),
        ("    ls   \n", ["ls"]),
        ("    a\x0bb\n", ["a\x0bb"]),
        ("`inline` and *text*\n", []),
    ],
)
def test_commands_of_a_runbook(text: str, commands: list[str]) -> None:
    """A command is what is typed at once: a line, with those that belong to it, without the line end."""
    assert [each.text for each in parse_runbook(text).commands] == commands


def test_a_mark_that_never_ends_costs_no_time() -> None:
    """A quotation or here-document that is never closed takes nothing with it, in a book of any length."""
    book = parse_runbook("    it's <<EOF\n" * 5_000)
    assert len(book.commands) == 5_000


@given(st.text(st.sampled_from("ab `~\n\r\t-#'\"\\<(5min)\x0b\x1b\u2028"), max_size=60))
def test_every_command_stands_where_it_is_shown(text: str) -> None:
    """Whatever a runbook holds, each command is made of the lines that are marked as its own."""
    book = parse_runbook(text)
    for each in book.commands:
        assert each.text == each.text.rstrip() != ""
        shown = [book.code[line] for line in each.lines]
        assert "\n".join(shown).rstrip() == each.text
        assert set(each.lines).isdisjoint(book.fences)
    assert all(0 <= line < len(book.lines) for line in (*book.code, *book.fences))
    taken = [line for each in book.commands for line in each.lines]
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_runbooks_have_steps_and_commands_to_copy(path: Path) -> None:
    """Each shipped runbook is taken apart into steps, and every command of it may be pasted."""
    book = parse_runbook(path.read_text("utf-8"))
    assert len(book.steps) > 3
    assert book.commands
    assert [(each.text, why) for each in book.commands if (why := refusal(each.text))] == []
