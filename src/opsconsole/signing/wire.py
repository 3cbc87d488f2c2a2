"""Values as SSH writes them (RFC 4251, section 5): numbers big-endian, strings after their length."""

import struct

_LENGTH = 4


class WireError(ValueError):
    """The bytes end too early, go on too long, or are no such value."""


class Reader:
    """Takes values from the front of some bytes."""

    def __init__(self, content: bytes) -> None:
        self._left = memoryview(content)

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count > len(self._left):
            raise WireError(f"{count} bytes were to follow, and there are {len(self._left)}")
        taken, self._left = self._left[:count], self._left[count:]
        return bytes(taken)

    def byte(self) -> int:
        """Return the next byte as a number."""
        return self.take(1)[0]

    def number(self) -> int:
        """Return the next uint32."""
        return int(struct.unpack(">I", self.take(_LENGTH))[0])

    def string(self) -> bytes:
        """Return the next string."""
        return self.take(self.number())

    def name(self) -> str:
        """Return the next string as a name of printable ASCII."""
        found = self.string()
        text = found.decode("ascii", "replace")
        if not text.isascii() or not text.isprintable():
            raise WireError(f"{found[:40]!r} is no name")
        return text

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._left)

    def end(self) -> None:
        """Raise WireError unless everything was taken."""
        if self._left:
            raise WireError(f"{len(self._left)} bytes too many")


def packed(content: bytes) -> bytes:
    """Return a string as it is written."""
    return struct.pack(">I", len(content)) + content
