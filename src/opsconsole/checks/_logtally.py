"""Counts the entries of a log that are asked for, in bounded memory.

Part of the worker of the probe `logfile`: the standard library only.
"""

from __future__ import annotations

from array import array
from collections import deque

from opsconsole.checks._logmessages import message_of, message_of_object, normalised
from opsconsole.checks._logtimes import Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:  # loading it would cost the worker a fifth of its start
    from typing import Any

MOST_MESSAGES = 20_000
"""So many different messages are told apart; of more, none is known to be new, or the most frequent."""
MOST_MINUTES = 200_000
"""Minutes with entries that the busiest hour is looked for in: 138 days of one each minute, in 60 MB."""
SHOWN_BYTES = 2000
"""Of an entry; as many characters."""
_PER_PATTERN = 20
_HOUR = 60
_EMPTY = bytes(4 * 60)


class Kept:
    """An entry as it is shown."""

    __slots__ = ("at", "level", "number", "patterns", "text")

    def __init__(self, number: int, at: float | None, level: str, text: str, patterns: frozenset[str]) -> None:
        self.number, self.at, self.level, self.text, self.patterns = number, at, level, text, patterns

    def row(self) -> list[Any]:
        """Return it as it is handed to the console."""
        return [self.at, self.level, self.text, sorted(self.patterns)]


class Tally:
    """What was counted."""

    def __init__(self, patterns: list[str], rows: int, *, messages: bool) -> None:
        self.count = 0
        self.by_pattern = dict.fromkeys(patterns, 0)
        self._newest: deque[Kept] = deque(maxlen=rows)
        self._of_pattern: dict[str, deque[Kept]] = {
            name: deque(maxlen=min(rows, _PER_PATTERN)) for name in patterns
        }
        self._minutes: dict[int, array[int]] = {}
        """How many entries there are in each second of a minute that has any."""
        self._many_minutes = False
        self._messages: dict[str, list[Any]] | None = {} if messages else None
        self._before: set[int] = set()
        self.many_messages = False

    def add(
        self,
        stamp: Stamp | None,
        level: str,
        entry: bytes,
        head: int,
        patterns: frozenset[str],
        *,
        keyed: bool = False,
    ) -> None:
        """Count an entry; `head` is how many bytes of it are its time, `keyed` whether that is one of its keys."""
        self.count += 1
        for name in patterns:
            self.by_pattern[name] += 1
        at = None if stamp is None else stamp[0]
        if at is not None:
            minute, second = divmod(int(at // 1), 60)
            seconds = self._minutes.get(minute)
            if seconds is not None:
                seconds[second] += 1
            elif len(self._minutes) < MOST_MINUTES:
                self._minutes[minute] = array("I", _EMPTY)
                self._minutes[minute][second] = 1
            else:
                self._many_minutes = True
        self._keep(Kept(self.count, at, level, _text(entry), patterns))
        if self._messages is not None:
            self._add_message(self._messages, at, message(entry, head, keyed=keyed))

    def _keep(self, kept: Kept) -> None:
        self._newest.append(kept)
        for name in kept.patterns:
            self._of_pattern[name].append(kept)

    def _add_message(self, messages: dict[str, list[Any]], at: float | None, message: str) -> None:
        found = messages.get(message)
        if found is not None:
            found[0] += 1
            found[2] = at
        elif len(messages) < MOST_MESSAGES:
            messages[message] = [1, at, at]
        else:
            self.many_messages = True

    def add_before(self, entry: bytes, head: int, *, keyed: bool = False) -> None:
        """Remember the message of an entry of the stretch before."""
        if len(self._before) < 10 * MOST_MESSAGES:
            self._before.add(hash(message(entry, head, keyed=keyed)))
        else:
            self.many_messages = True

    def burst(self) -> int | None:
        """Return the most in any sixty minutes one after another; None where there are too many to say.

        They begin at any second: what is in the second half of a minute and in the first half of the one an hour
        later counts together.
        """
        if self._many_minutes:
            return None
        counts = {minute: sum(seconds) for minute, seconds in self._minutes.items()}
        most = running = 0
        window: deque[int] = deque()
        for minute in sorted(counts):
            while window and window[0] < minute - _HOUR:
                running -= counts[window.popleft()]
            if window and window[0] == minute - _HOUR:
                running -= counts[window[0]]
                if running + counts[window[0]] + counts[minute] > most:
                    most = max(most, running + self._across(window[0], minute))
                window.popleft()
            window.append(minute)
            running += counts[minute]
            most = max(most, running)
        return most

    def _across(self, first: int, last: int) -> int:
        """Return the most that lie in the end of one minute and the beginning of the one an hour later."""
        here = sum(self._minutes[first])
        most = here
        for leaving, coming in zip(self._minutes[first], self._minutes[last], strict=True):
            here += coming - leaving
            most = max(most, here)
        return most

    def hours(self) -> list[list[float]]:
        """Return how many there were in each hour of the clock (UTC) that had any."""
        found: dict[int, int] = {}
        for minute, seconds in self._minutes.items():
            found[minute // _HOUR] = found.get(minute // _HOUR, 0) + sum(seconds)
        return [[hour * 3600.0, found[hour]] for hour in sorted(found)]

    def messages(self) -> list[list[Any]]:
        """Return the different messages, the most frequent first: text, count, first, last, whether it is new."""
        ranked = sorted((self._messages or {}).items(), key=lambda each: (-each[1][0], each[0]))
        return [[text, *counted, hash(text) not in self._before] for text, counted in ranked]

    def kept(self) -> list[list[Any]]:
        """Return the entries to show, the newest of all and of each pattern, in the order they were read."""
        chosen = {each.number: each for entries in (self._newest, *self._of_pattern.values()) for each in entries}
        return [chosen[number].row() for number in sorted(chosen)]


def _text(entry: bytes) -> str:
    cut = entry[:SHOWN_BYTES]
    text = cut.lstrip(b"\0").decode("utf-8", "backslashreplace").rstrip("\n")
    return text if len(entry) <= SHOWN_BYTES and len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]}..."


def message(entry: bytes, head: int, *, keyed: bool) -> str:
    """Return what an entry says, without what changes from one time to the next."""
    if keyed or entry[head : head + 100].lstrip(b" \t:|]-").startswith(b"{"):
        line = entry[0 if keyed else head : head + (1 << 16)].partition(b"\n")[0]
        return normalised(message_of_object(line.decode("utf-8", "replace")))
    first = entry[:head].lstrip(b"\0").decode("utf-8", "replace")
    return normalised(message_of(first, entry[head : head + (1 << 16)].decode("utf-8", "replace")))
