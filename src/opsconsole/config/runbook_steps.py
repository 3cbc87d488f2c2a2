"""What a runbook consists of: steps with their time boxes, and the commands in its blocks of code.

A runbook is CommonMark (https://spec.commonmark.org/0.31.2/); a command is a line of an indented or fenced block of
code, with the lines that belong to it; a fence that says `text`, `output` or `log` holds none. None is run here.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_UNIT = r"(?:s|sec|seconds?|min|minutes?|h|hours?|days?)\b"
_SPAN = rf"\d+(?:\s*(?:to|-|\u2013)\s*\d+)?\s*{_UNIT}"
_AT_END = re.compile(rf"\s*\(([^()]*\d+\s*{_UNIT}[^()]*)\)\s*$")
"""`Repair (10 to 20 min)`."""
_AT_START = re.compile(rf"^({_SPAN}|after \d+\s*{_UNIT})\s*:\s*", re.IGNORECASE)
"""`10 to 20 minutes: repair`."""
_HERE_DOCUMENT = re.compile(r"(?<!<)<<-?\s*(?P<quote>['\"]?)(?P<word>\w+)(?P=quote)")
_CLOSING = re.compile(r"(?:done|fi|esac|else|elif|then|do|[})])(?:\W|$)")
"""Begins a line that ends or goes on with what an earlier one began, in a shell or elsewhere."""
_NO_COMMANDS = frozenset({"text", "output", "log"})
"""What a fence says of a block that nobody is to type."""
_LINE_END = re.compile(r"\r\n?|\n")
_LONGEST = 100
"""Lines within which a quotation or a here-document has to end to be taken for one."""


@dataclass(frozen=True, slots=True)
class Step:
    """A heading with what follows it, up to the next heading."""

    line: int
    """Its place among the lines of the runbook, from 0."""
    title: str
    """Without the time box."""
    time_box: str = ""
    """The time that it may take, or within which it is done, as it is written; empty where none is."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed at once, as it is written but for the indentation of its block."""

    begin: int
    """The first of its lines in the runbook, from 0."""
    text: str
    """One or more lines, without a line end after the last: pasting it does not yet run it."""

    @property
    def lines(self) -> range:
        """Its lines in the runbook."""
        return range(self.begin, self.begin + self.text.count("\n") + 1)


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook taken apart; `lines` is all of it as it is written."""

    lines: tuple[str, ...]
    steps: tuple[Step, ...]
    code: dict[int, str]
    """The lines that stand in blocks of code, without the indentation of the block."""
    fences: frozenset[int]
    """The lines that only begin or end a block of code."""
    commands: tuple[Command, ...]

    def step_at(self, line: int) -> Step | None:
        """Return the step that a line belongs to; None ahead of the first heading."""
        return next((each for each in reversed(self.steps) if each.line <= line), None)


def parse_runbook(text: str) -> Runbook:
    """Take the text of a runbook apart."""
    from markdown_it import MarkdownIt  # only who reads a runbook waits for it

    lines = tuple(_LINE_END.split(text.removesuffix("\n")))
    steps: list[Step] = []
    code: dict[int, str] = {}
    fences: set[int] = set()
    commands: list[Command] = []
    tokens = MarkdownIt("commonmark").parse("\n".join(lines))
    for token, following in zip(tokens, [*tokens, None][1:], strict=True):
        if token.map is None:
            continue
        begin, end = token.map
        if token.type == "heading_open" and following is not None:
            steps.append(_step(begin, following.content))
        elif token.type in {"code_block", "fence"} and _language(token.info) not in _NO_COMMANDS:
            is_fenced = token.type == "fence"
            block = textwrap.dedent(token.content).removesuffix("\n").split("\n") if token.content else []
            first = begin + is_fenced
            code |= dict(enumerate(block, first))
            fences.update(set(range(begin, end)) - set(code) if is_fenced else ())
            commands += _commands(first, block)
    return Runbook(lines, tuple(steps), code, frozenset(fences), tuple(commands))


def _language(info: str) -> str:
    """Return the first word behind a fence, which says what the block is (CommonMark, 4.5)."""
    return info.strip().partition(" ")[0].lower()


def _step(line: int, heading: str) -> Step:
    heading = " ".join(heading.split())
    if found := _AT_END.search(heading):
        return Step(line, heading[: found.start()], found[1])
    if found := _AT_START.search(heading):
        rest = heading[found.end() :]
        return Step(line, rest[:1].upper() + rest[1:], found[1])
    return Step(line, heading)


def _commands(first: int, block: Sequence[str]) -> Iterator[Command]:
    at = 0
    while at < len(block):
        if not block[at].strip():
            at += 1
            continue
        end = _end_of(block, at)
        yield Command(first + at, "\n".join(block[at:end]).rstrip())
        at = end


def _end_of(block: Sequence[str], at: int) -> int:
    """Return the index after the last line of the command that begins at `at`."""
    end = _closed(block, at)
    while end < len(block) and _goes_on(block[end - 1], block[end]):
        end = _closed(block, end)
    while not block[end - 1].strip():
        end -= 1
    return end


def _closed(block: Sequence[str], at: int) -> int:
    """Return the index after the line in which a quotation or here-document that begins in line `at` ends."""
    until = min(len(block), at + _LONGEST)
    if found := _HERE_DOCUMENT.search(block[at]):
        return next((i + 1 for i in range(at + 1, until) if block[i].strip() == found["word"]), at + 1)
    quote = ""
    for index in range(at, until):
        quote = _quotation(block[index], quote)
        if not quote:
            return index + 1
    return at + 1  # an apostrophe


def _quotation(line: str, quote: str) -> str:
    """Return the quotation mark that is open after `line`, where `quote` is before it; empty where none is."""
    escaped = False
    for char in line:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
    return quote


def _goes_on(line: str, following: str) -> bool:
    """Return whether `following` belongs to the command that `line` is of."""
    escaped = len(line) - len(line.rstrip("\\"))
    return escaped % 2 == 1 or following[:1].isspace() or _CLOSING.match(following) is not None
