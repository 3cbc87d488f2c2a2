"""Takes a log apart into entries, and finds those that are asked for, a block at a time.

An entry is a line with a time and the lines without one that follow it, such as a traceback. Part of the worker of
the probe `logfile`: the standard library only.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from opsconsole.checks._logsearch import Literal
from opsconsole.checks._logtimes import Format

LONGEST = 1 << 20
"""Bytes of an entry that are looked at (1 MiB); the rest of a longer one is passed over, and counted."""
LINE = 8192
"""Bytes in which the beginning of an entry shows."""
_ACROSS = re.compile(
    rb"\\[AZ]|\(\?[=!<>]|[*+?}]\+|\[\^|\\s\\S|\\S\\s|\\d\\D|\\D\\d|\\w\\W|\\W\\w|\(\?[a-zA-Z]*s|\\n"
)
"""What a pattern may hold that means another thing, or takes far longer, where more than one entry is searched."""

_OF_LETTERS = re.compile(r"\\[A-Za-z]|\.|\[\^|\(\?")
"""What means another thing where a letter has several bytes."""
_OTHER_LETTERS = re.compile(rb"[\x80-\xff]")
_PLAIN = re.compile(r"[\w :;,=/<>\"'%@&~`#!-]+", re.ASCII)

Span = tuple[int, int, frozenset[str]]
"""Where an entry begins and ends in a chunk, and the names of the patterns that are found in it."""


class Chunks:
    """The entries of a stretch of a file in chunks of whole ones."""

    def __init__(self, blocks: Iterable[bytes], form: Format) -> None:
        self._blocks = blocks
        self._head = form.head
        self.cut = 0
        """Entries that were longer than is looked at."""
        self.place = 0
        """How far into the stretch the last chunk began."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield chunks; each begins with the beginning of an entry, but for the first lines of a file."""
        carry, skipping = b"", False
        after = 0
        for block in self._blocks:
            after += len(block)
            data = carry + block if carry else block
            if skipping:
                begins = self._next(data)
                if begins < 0:
                    carry = data[max(data.rfind(b"\n"), len(data) - LINE) :] if b"\n" in data[-LINE:] else b""
                    continue
                data, skipping = data[begins:], False
            last = last_start(data, self._head)
            if last:
                self.place = after - len(data)
                yield data[:last]
            carry = data[last:]
            if len(carry) > LONGEST:
                self.place = after - len(carry)
                yield carry[:LONGEST]
                self.cut += 1
                begins = self._next(carry[LONGEST:])
                carry, skipping = (carry[LONGEST + begins :], False) if begins >= 0 else (b"", True)
        if carry and not skipping:
            self.place = after - len(carry)
            yield carry

    def _next(self, data: bytes) -> int:
        """Return where the first entry begins after a line feed, -1 for nowhere."""
        line = data.find(b"\n") + 1
        found = self._head.search(data, line) if 0 < line < len(data) else None
        return found.start() if found is not None and found.start() < len(data) else -1


def last_start(data: bytes, head: re.Pattern[bytes]) -> int:
    """Return where the last entry begins, 0 where no line begins one."""
    end = len(data)
    while (line := data.rfind(b"\n", 0, max(0, end - 1)) + 1) > 0:
        if head.match(data, line):
            return line
        end = line
    return 0


class Pattern:
    """A regular expression, for entries of bytes below 128 and for others, which are text in UTF-8 or Latin-1."""

    def __init__(self, source: str) -> None:
        self.of_text = re.compile(source, re.MULTILINE)
        self.of_bytes: re.Pattern[bytes] | None
        try:
            self.of_bytes = re.compile(source.encode("ascii"), re.MULTILINE)
        except (UnicodeEncodeError, re.error):
            self.of_bytes = None
        self.swift = self.of_bytes is not None and not _ACROSS.search(self.of_bytes.pattern)
        """Whether whole chunks may be searched."""
        self.alike = self.swift and not _OF_LETTERS.search(source)
        """Whether it finds the same in bytes as in the text that they spell, whatever the letters."""
        lead = _lead(source)
        self.lead = Literal(lead) if lead else None

    def is_in(self, entry: bytes) -> bool:
        """Return whether it is found in an entry."""
        whole = entry.removesuffix(b"\n")
        if self.of_bytes is not None and whole.isascii():
            return self.of_bytes.search(whole) is not None
        return self.of_text.search(_text(whole)) is not None


def _text(entry: bytes) -> str:
    try:
        return entry.decode()
    except UnicodeDecodeError:
        return entry.decode("latin-1")


class Selection:
    """What is looked for in entries: texts and patterns by name, and none of them means every entry."""

    def __init__(self, patterns: dict[str, str], hints: Sequence[bytes] = ()) -> None:
        """Prepare them; entries that hold none of the `hints` (in capitals) need not be looked at.

        There is one in each entry that counts where there are no patterns, but for those that begin with a
        priority; without hints all entries are looked at.
        """
        self._literals: list[tuple[str, Literal]] = []
        self._swift: list[tuple[str, Pattern]] = []
        self._slow: list[tuple[str, Pattern]] = []
        for name, text in patterns.items():
            self._add(name, text)
        self._hints = () if patterns else tuple(map(Literal, hints))
        self._everything = not patterns and not hints

    def _add(self, name: str, text: str) -> None:
        if len(text) < 3 or text[0] != "/" or text[-1] != "/":  # noqa: PLR2004 - a pattern stands between slashes
            older = text.encode("latin-1", "ignore")
            spellings = {text.encode(), older} if older.decode("latin-1") == text else {text.encode()}
            self._literals += ((name, Literal(each)) for each in spellings)
            return
        pattern = Pattern(text[1:-1])
        (self._swift if pattern.swift else self._slow).append((name, pattern))

    def spans(self, data: bytes, head: re.Pattern[bytes]) -> Iterator[Span]:
        """Yield the entries of a chunk that are asked for, in their order."""
        if self._everything or (self._hints and _has_priorities(data)):
            yield from ((start, end, frozenset()) for start, end in entries(data, head))
            return
        found: dict[int, tuple[int, set[str]]] = {}
        for name, literal in self._literals:
            for start, end in _with_literal(data, literal, head):
                found.setdefault(start, (end, set()))[1].add(name)
        capitals = data.upper() if self._hints else b""
        for hint in self._hints:
            for start, end in _with_literal(data, hint, head, capitals):
                found.setdefault(start, (end, set()))
        for name, pattern in self._swift:
            for start, end in _with_pattern(data, pattern, head):
                found.setdefault(start, (end, set()))[1].add(name)
        if self._slow:
            for start, end in entries(data, head):
                names = {name for name, pattern in self._slow if pattern.is_in(data[start:end])}
                if names:
                    found.setdefault(start, (end, set()))[1].update(names)
        for start in sorted(found):
            end, names = found[start]
            yield start, end, frozenset(names)


def _has_priorities(data: bytes) -> bool:
    """Return whether an entry may begin with a priority, `<3>`."""
    return b"<" in data and (data.startswith(b"<") or b"\n<" in data or b"\0<" in data)


def entries(data: bytes, head: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where each entry of a chunk begins and ends."""
    start = 0
    for match in head.finditer(data, 1):
        begins = match.start()
        if begins >= len(data):
            break
        yield start, begins
        start = begins
    if start < len(data):
        yield start, len(data)


def _with_literal(
    data: bytes, literal: Literal, head: re.Pattern[bytes], searched: bytes = b""
) -> Iterator[tuple[int, int]]:
    """Yield the entries in which a text is found, in `searched` where that is another form of the data."""
    searched = searched or data
    at = literal.find(searched, 0)
    while at >= 0:
        start, end = _around(data, at, head)
        whole = at + len(literal.text) <= end
        if whole:
            yield start, end
        at = literal.find(searched, end if whole else at + 1)


def _with_pattern(data: bytes, pattern: Pattern, head: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the entries in which a pattern is found, by bytes where they are of letters below 128 only."""
    plain = pattern.alike or data.isascii()
    for start, end in _with_bytes(data, pattern, head):
        if plain or data[start:end].isascii():
            yield start, end
    at = len(data) if plain else 0
    while (other := _OTHER_LETTERS.search(data, at)) is not None:
        start, at = _around(data, other.start(), head)
        if pattern.is_in(data[start:at]):
            yield start, at


def _with_bytes(data: bytes, pattern: Pattern, head: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    expression, lead = pattern.of_bytes, pattern.lead
    at = 0
    while expression is not None and at < len(data):
        match = expression.search(data, at) if lead is None else _led(data, expression, lead, at)
        if match is None or match.start() >= len(data):
            return
        start, end = _around(data, match.start(), head)
        last = end - data.endswith(b"\n", start, end)  # the line feed at its end is none of its text
        if match.end() <= last or expression.search(data, start, last):
            yield start, end
        at = end


def _led(data: bytes, pattern: re.Pattern[bytes], lead: Literal, start: int) -> re.Match[bytes] | None:
    """Return where a pattern is found first from `start` on; whatever it finds begins with `lead`."""
    place = lead.find(data, start)
    while place >= 0:
        match = pattern.match(data, place)
        if match is not None:
            return match
        place = lead.find(data, place + 1)
    return None


def _lead(source: str) -> bytes:
    """Return the text that whatever a pattern finds begins with, empty where that is not plain to see."""
    plain = _PLAIN.match(source)
    if plain is None or "|" in source:
        return b""
    after = source[plain.end() : plain.end() + 1]
    return plain[0][: -1 if after in {"*", "?", "{"} else None].encode()


def _around(data: bytes, at: int, head: re.Pattern[bytes]) -> tuple[int, int]:
    """Return where the entry begins and ends that holds the byte at `at`."""
    start = data.rfind(b"\n", 0, at) + 1
    while start > 0 and not head.match(data, start):
        start = data.rfind(b"\n", 0, start - 1) + 1
    line = data.find(b"\n", at) + 1
    if not line or line >= len(data):
        return start, len(data)
    after = head.match(data, line) or head.search(data, line)
    return start, after.start() if after is not None else len(data)
