"""Takes a log apart into entries, and finds those that are asked for, a block at a time.

An entry is a line with a time and the lines without one that follow it, such as a traceback. Part of the worker of
the probe `logfile`: the standard library only.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from opsconsole.checks._logtimes import Format

LONGEST = 1 << 20
"""Bytes of an entry that are looked at (1 MiB); the rest of a longer one is passed over, and counted."""
_RARE = 1000
_MOST_MISSES = 100_000
"""A byte that was rare where it was chosen is given up when it was found so often in vain."""
LINE = 8192
"""Bytes in which the beginning of an entry shows."""
_ACROSS = re.compile(
    rb"\\[AZ]|\(\?[=!<>]|[*+?}]\+|\[\^|\\s\\S|\\S\\s|\\d\\D|\\D\\d|\\w\\W|\\W\\w|\(\?[a-zA-Z]*s|\\n"
)
"""What a pattern may hold that means another thing, or takes far longer, where more than one entry is searched."""

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

    def __iter__(self) -> Iterator[bytes]:
        """Yield chunks; each begins with the beginning of an entry, but for the first lines of a file."""
        carry, skipping = b"", False
        for block in self._blocks:
            data = carry + block if carry else block
            if skipping:
                begins = self._next(data)
                if begins < 0:
                    carry = data[max(data.rfind(b"\n"), len(data) - LINE) :] if b"\n" in data[-LINE:] else b""
                    continue
                data, skipping = data[begins:], False
            last = last_start(data, self._head)
            if last:
                yield data[:last]
            carry = data[last:]
            if len(carry) > LONGEST:
                yield carry[:LONGEST]
                self.cut += 1
                begins = self._next(carry[LONGEST:])
                carry, skipping = (carry[LONGEST + begins :], False) if begins >= 0 else (b"", True)
        if carry and not skipping:
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


class Literal:
    """A text that is searched for by its rarest byte, as that is what memchr(3) finds ten times as fast."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._at = -1
        self._asked = False
        self._misses = 0

    def _choose(self, data: bytes) -> None:
        """Choose the byte that `data` has least of; none of them where it has more than one in a thousand."""
        self._asked = True
        count, at = min((data.count(self.text[at : at + 1]), at) for at in range(len(self.text)))
        if count * _RARE <= len(data):
            self._at, self._byte = at, self.text[at : at + 1]

    def find(self, data: bytes, start: int) -> int:
        """Return where the text is found first from `start` on, -1 for nowhere."""
        if not self._asked:
            self._choose(data)
        while self._at >= 0:
            place = data.find(self._byte, start + self._at) - self._at
            if place < start or data.startswith(self.text, place):
                return place if place >= start else -1
            start = place + 1
            self._misses += 1
            if self._misses > _MOST_MISSES:
                self._at = -1
        return data.find(self.text, start)


class Selection:
    """What is looked for in entries: texts and patterns by name, and none of them means every entry."""

    def __init__(self, patterns: dict[str, str], hints: Sequence[bytes] = ()) -> None:
        """Prepare them; entries that hold none of the `hints` (in capitals) need not be looked at.

        There is one in each entry that counts where there are no patterns; without hints all entries are looked at.
        """
        self._literals: list[tuple[str, Literal]] = []
        self._swift: list[tuple[str, re.Pattern[bytes], Literal | None]] = []
        self._slow: list[tuple[str, re.Pattern[bytes] | re.Pattern[str]]] = []
        for name, text in patterns.items():
            self._add(name, text)
        self._hints = () if patterns else tuple(map(Literal, hints))
        self.everything = not patterns and not hints

    def _add(self, name: str, text: str) -> None:
        if len(text) < 3 or text[0] != "/" or text[-1] != "/":  # noqa: PLR2004 - a pattern stands between slashes
            self._literals.append((name, Literal(text.encode())))
            return
        source = text[1:-1]
        try:
            pattern = re.compile(source.encode("ascii"), re.MULTILINE)
        except (UnicodeEncodeError, re.error):
            self._slow.append((name, re.compile(source, re.MULTILINE)))
            return
        if _ACROSS.search(pattern.pattern):
            self._slow.append((name, pattern))
        else:
            lead = _lead(source)
            self._swift.append((name, pattern, Literal(lead) if lead else None))

    def spans(self, data: bytes, head: re.Pattern[bytes]) -> Iterator[Span]:
        """Yield the entries of a chunk that are asked for, in their order."""
        if self.everything:
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
        for name, pattern, lead in self._swift:
            for start, end in _with_pattern(data, pattern, lead, head):
                found.setdefault(start, (end, set()))[1].add(name)
        if self._slow:
            for start, end in entries(data, head):
                names = {name for name, pattern in self._slow if _found(pattern, data[start:end])}
                if names:
                    found.setdefault(start, (end, set()))[1].update(names)
        for start in sorted(found):
            end, names = found[start]
            yield start, end, frozenset(names)


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


def _found(pattern: re.Pattern[bytes] | re.Pattern[str], entry: bytes) -> bool:
    whole = entry.removesuffix(b"\n")
    if isinstance(pattern.pattern, bytes):
        return pattern.search(whole) is not None
    return pattern.search(whole.decode("utf-8", "replace")) is not None


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


def _with_pattern(
    data: bytes, pattern: re.Pattern[bytes], lead: Literal | None, head: re.Pattern[bytes]
) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(data):
        match = pattern.search(data, at) if lead is None else _led(data, pattern, lead, at)
        if match is None or match.start() >= len(data):
            return
        start, end = _around(data, match.start(), head)
        if match.end() <= end or pattern.search(data, start, end):
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
