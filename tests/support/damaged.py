"""Damage to files: what an editor, a merge or a bad disk does, and what has to hold of every message about it."""

import random
from collections.abc import Callable

from opsconsole.config.diagnostics import Diagnostic
from opsconsole.model.text import visible

VALUES = (
    "1", "-1", "1.5", "nan", "inf", "true", '""', '"x"', '"\\u001b[31m"', "'''x'''", "[]", "[[]]", '["x", 1]', "{}",
    "{ a = 1 }", "2026-11-21", "08:00:00", "2026-11-21T08:00:00Z", "99999999999999999999", "1e400", '"{target}"',
    '"[/]"', '"\u202e"', "[{}]", '{ "" = "" }',
)  # fmt: skip


def _replaced_value(text: str, pick: random.Random) -> str:
    lines = text.split("\n")
    with_value = [index for index, line in enumerate(lines) if " = " in line]
    index = pick.choice(with_value or [0])
    lines[index] = lines[index].split(" = ", 1)[0] + " = " + pick.choice(VALUES)
    return "\n".join(lines)


def _dropped_line(text: str, pick: random.Random) -> str:
    lines = text.split("\n")
    del lines[pick.randrange(len(lines))]
    return "\n".join(lines) or text


def _doubled_line(text: str, pick: random.Random) -> str:
    lines = text.split("\n")
    index = pick.randrange(len(lines))
    lines.insert(pick.randrange(len(lines)), lines[index])
    return "\n".join(lines)


def _changed_character(text: str, pick: random.Random) -> str:
    index = pick.randrange(len(text))
    return text[:index] + pick.choice("\0\x1b\n\"'[]{}=.#, é\u202e9") + text[index + 1 :]


def _cut(text: str, pick: random.Random) -> str:
    return text[: pick.randrange(len(text))] or text


def _swapped_letters(text: str, pick: random.Random) -> str:
    index = pick.randrange(len(text))
    return text[:index] + text[index : index + 2][::-1] + text[index + 2 :]


MUTATIONS: tuple[Callable[[str, random.Random], str], ...] = (
    _replaced_value,
    _dropped_line,
    _doubled_line,
    _changed_character,
    _cut,
    _swapped_letters,
)


def check(told: tuple[Diagnostic, ...], text: str) -> None:
    """Every message is one harmless line, and names a line of the file."""
    for each in told:
        assert visible(str(each)) == str(each)
        assert 0 <= each.line <= text.count("\n") + 1
