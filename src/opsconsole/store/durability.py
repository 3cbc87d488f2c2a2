"""How SQLite is told to write: what makes an acknowledged event survive a power cut without risking the file."""

import msgspec

_WAL_FIXED = (3, 51, 3)
_WAL_BACK_PORTS = {(3, 44): 6, (3, 50): 7}
"""Release lines that got the fix of the WAL-reset bug later, with the first patch level that has it."""


class Durability(msgspec.Struct, frozen=True):
    """The two settings that belong together."""

    journal_mode: str
    synchronous: str


ROLLBACK_JOURNAL = Durability("delete", "EXTRA")
"""With FULL, the removal of the journal is left to the file system, and a power cut then undoes the event."""

WRITE_AHEAD_LOG = Durability("wal", "FULL")


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Return whether this version of SQLite can reset its write-ahead log without corrupting the file.

    Before the fix, a checkpoint beside two writers could.
    """
    first_fixed = _WAL_BACK_PORTS.get(version[:2])
    return version >= _WAL_FIXED or (first_fixed is not None and version[2] >= first_fixed)


def durability(version: tuple[int, int, int], *, wal: bool = False) -> Durability:
    """Return the settings for a version of SQLite: the write-ahead log only where it is wanted and safe."""
    return WRITE_AHEAD_LOG if wal and wal_is_safe(version) else ROLLBACK_JOURNAL
