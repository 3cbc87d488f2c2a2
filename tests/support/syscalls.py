"""Lets chosen system calls of SQLite fail, or end the process, by the hook that its Unix VFS has for such tests.

See xSetSystemCall in sqlite.org/c3ref/vfs.html. It needs no rights, only a Python that uses SQLite as a shared
library.
"""

import _sqlite3
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Iterator

_INT, _SIZE, _POINTER = ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p


class Vfs(ctypes.Structure):
    """The head of sqlite3_vfs, version 3."""

    _fields_ = (
        ("iVersion", _INT),
        ("szOsFile", _INT),
        ("mxPathname", _INT),
        ("pNext", _POINTER),
        ("zName", ctypes.c_char_p),
        ("pAppData", _POINTER),
        ("methods_1_and_2", _POINTER * 13),
        ("xSetSystemCall", ctypes.CFUNCTYPE(_INT, _POINTER, ctypes.c_char_p, _POINTER)),
        ("xGetSystemCall", ctypes.CFUNCTYPE(_POINTER, _POINTER, ctypes.c_char_p)),
    )


_CALLS = {
    "open": ctypes.CFUNCTYPE(_INT, ctypes.c_char_p, _INT, _INT, use_errno=True),
    "write": ctypes.CFUNCTYPE(ctypes.c_ssize_t, _INT, _POINTER, _SIZE, use_errno=True),
    "pwrite": ctypes.CFUNCTYPE(ctypes.c_ssize_t, _INT, _POINTER, _SIZE, ctypes.c_int64, use_errno=True),
    "pwrite64": ctypes.CFUNCTYPE(ctypes.c_ssize_t, _INT, _POINTER, _SIZE, ctypes.c_int64, use_errno=True),
    "ftruncate": ctypes.CFUNCTYPE(_INT, _INT, ctypes.c_int64, use_errno=True),
    "unlink": ctypes.CFUNCTYPE(_INT, ctypes.c_char_p, use_errno=True),
}
"""Every call with which SQLite changes something, with its C signature (64-bit off_t)."""

Fate = Callable[[str, int], int]
"""Given the name of a call and how many there were before, returns the errno that it fails with, 0 to let it be."""


def available() -> bool:
    """Return whether SQLite's system calls can be replaced in this Python."""
    return default_vfs() is not None


def default_vfs() -> "ctypes._Pointer[Vfs] | None":
    """Return SQLite's own VFS, None where this Python does not let it be reached."""
    try:
        find = ctypes.CDLL(_sqlite3.__file__).sqlite3_vfs_find
    except (AttributeError, OSError):
        return None
    find.restype = ctypes.POINTER(Vfs)
    find.argtypes = (ctypes.c_char_p,)
    found: ctypes._Pointer[Vfs] = find(None)
    return found if found and found.contents.iVersion >= 3 else None


@contextlib.contextmanager
def decided_by(fate: Fate) -> Iterator[list[str]]:
    """Ask `fate` about each call while the `with` block lasts; gives the names of the calls so far."""
    vfs = default_vfs()
    assert vfs is not None
    seen: list[str] = []
    replaced: dict[str, int] = {}
    kept: list[object] = []
    for name, signature in _CALLS.items():
        address = vfs.contents.xGetSystemCall(vfs, name.encode())
        if address is None:
            continue
        replaced[name] = address
        hook = signature(_hook(name, signature(address), fate, seen))
        kept.append(hook)
        vfs.contents.xSetSystemCall(vfs, name.encode(), ctypes.cast(hook, _POINTER))
    try:
        yield seen
    finally:
        for name, address in replaced.items():
            vfs.contents.xSetSystemCall(vfs, name.encode(), address)


def _hook(name: str, real: Callable[..., int], fate: Fate, seen: list[str]) -> Callable[..., int]:
    def call(*arguments: object) -> int:
        if name == "open" and not _for_writing(arguments[1]):
            return real(*arguments)
        number = fate(name, len(seen))
        seen.append(name)
        if number:
            ctypes.set_errno(number)
            return -1
        return real(*arguments)

    return call


def _for_writing(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def failing_at(position: int, errno: int, *, lasting: bool = False) -> Fate:
    """Return the fate by which the call at `position` fails, and all after it where that is `lasting`."""
    return lambda _name, before: errno if before == position or (lasting and before > position) else 0


def killed_at(position: int) -> Fate:
    """Return the fate by which the process is killed in place of the call at `position`."""

    def fate(_name: str, before: int) -> int:
        if before == position:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    return fate
