"""Finds a text in blocks of a log, as fast as can be.

Part of the worker of the probe `logfile`: the standard library only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # loading it would cost the worker a fifth of its start
    from collections.abc import Callable

    Find = Callable[[bytes, bytes, int], int]

_RARE = 1000
_MOST_MISSES = 100_000
"""A byte that was rare where it was chosen is given up when it was found so often in vain."""
_MUCH = 16 << 20
"""Bytes after which it pays to load what searches them three times as fast."""


class Literal:
    """A text that is searched for by its rarest byte, as that is what memchr(3) finds ten times as fast.

    Where it has none that is rare, and there is much to search, the C library's memmem(3) looks for the whole.
    """

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._at = -1
        self._asked = False
        self._misses = 0
        self._searched = 0
        self._find: Find = bytes.find

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
        place = self._find(data, self.text, start)
        if self._searched <= _MUCH:
            self._searched += (len(data) if place < 0 else place) - start
            if self._searched > _MUCH:
                self._find = _fastest()
        return place


def _fastest() -> Find:
    """Return a search by memmem(3), Python's own where the C library has none."""
    import ctypes

    try:
        memmem = ctypes.PyDLL(None).memmem
    except (AttributeError, OSError):
        return bytes.find
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    cast, chars, address = ctypes.cast, ctypes.c_char_p, ctypes.c_void_p

    def find(data: bytes, text: bytes, start: int) -> int:
        begin: int = cast(chars(data), address).value or 0
        found: int | None = memmem(begin + start, max(0, len(data) - start), text, len(text))
        return -1 if found is None or start > len(data) else found - begin

    return find
