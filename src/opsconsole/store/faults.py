"""What goes wrong inside SQLite, said so that an operator knows the cause and what to do.

Also what the guards of a schema refuse, which are the same in every kind of store.
"""

import sqlite3
from pathlib import Path

from opsconsole.contracts.store import AlreadyOpen, AlreadySigned, Conflict, StoreError, StoreUnavailable

_PRIMARY = 0xFF
"""The low byte of an extended result code is the primary one (sqlite.org/rescode.html)."""

_DAMAGE_CODES = frozenset(
    {0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}
)

BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

_DAMAGED = (
    "{file} is damaged",
    "End every opsconsole that uses it, keep the file for later study, and put a backup in its place",
)

_FOR_NOW: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("there is no space left for {file}", "Free some space in {directory}"),
    sqlite3.SQLITE_IOERR: (
        "the disk refused to read or write {file}",
        "Look at the kernel's log (journalctl -k), and whether {directory} is full or over its quota",
    ),
    sqlite3.SQLITE_READONLY: (
        "{file} cannot be written to",
        "Look at the permissions of the file and of {directory}, and whether the file system is mounted read-only",
    ),
    sqlite3.SQLITE_PERM: (
        "{file} must not be written to",
        "Look at the permissions of the file and of {directory}",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "{file} cannot be opened",
        "Look at the permissions of the file and of {directory}, and whether the file is still there",
    ),
    sqlite3.SQLITE_BUSY: (
        "another process has kept {file} locked for too long",
        "See who it is: fuser -v {file}",
    ),
    sqlite3.SQLITE_NOMEM: ("there is not enough memory to use {file}", "See what takes it: free, top"),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: (
        "{file} is no SQLite database, or its beginning is damaged",
        "Choose another file, or put a backup in its place",
    ),
}
_FOR_NOW |= dict.fromkeys((sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL), _FOR_NOW[sqlite3.SQLITE_BUSY])

_GUARDS: tuple[tuple[str, type[StoreError], str], ...] = (
    ("a run is opened once", AlreadyOpen, "the run was opened by somebody else just now"),
    ("events.run", AlreadyOpen, "the run was opened or signed by somebody else just now"),
    ("one_opening", AlreadyOpen, "the run was opened by somebody else just now"),
    ("one_sign_off", AlreadySigned, "the run was signed by somebody else just now"),
    ("a signed run is only amended", AlreadySigned, "the run is signed: only amendments can be added"),
    ("an event has to follow the last one", Conflict, "somebody else's event came in between"),
    ("events.prev", Conflict, "somebody else's event came in between"),
    ("events_prev_key", Conflict, "somebody else's event came in between"),
    ("events_pkey", Conflict, "somebody else's event came in between"),
)


def code_of(error: sqlite3.Error) -> int:
    """Return the primary result code, 0 where Python raised the error itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY


def is_busy(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Return whether the same call can succeed once another connection has finished."""
    return not isinstance(error, UnicodeDecodeError) and code_of(error) in BUSY_CODES


def is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Return whether the file's content is to blame; Python's own errors are of text that is no UTF-8."""
    return isinstance(error, UnicodeDecodeError) or code_of(error) in _DAMAGE_CODES


def explained(error: sqlite3.Error | UnicodeDecodeError, file: Path) -> StoreError:
    """Return the error that a person is told, to be raised `from` the one SQLite gave.

    A UnicodeDecodeError comes from a message of SQLite that quotes damaged text.
    """
    if isinstance(error, UnicodeDecodeError):
        code, detail = sqlite3.SQLITE_CORRUPT, ""
    else:
        code = code_of(error)
        detail = f" ({error}; {getattr(error, 'sqlite_errorname', type(error).__name__)})"
    if code == sqlite3.SQLITE_CONSTRAINT:
        return refusal(str(error), detail)
    if code in _FOR_NOW:
        message, hint = (text.format(file=file, directory=file.parent) for text in _FOR_NOW[code])
        return StoreUnavailable(message + detail, hint)
    return StoreError(f"{file} could not be used{detail}", "Check it: opsconsole verify --all")


def refusal(text: str, detail: str) -> StoreError:
    """Return the error for what a guard of the schema refused, in either kind of store, by its message."""
    for sign, kind, message in _GUARDS:
        if sign in text:
            return kind(message + detail)
    return StoreError(f"the store refused the event{detail}")
