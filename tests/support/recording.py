"""Records what SQLite asks of the disk, at its border with the system: its VFS (sqlite.org/c3ref/vfs.html)."""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.syscalls import Vfs, default_vfs

_INT, _POINTER, _LONG = ctypes.c_int, ctypes.c_void_p, ctypes.c_int64
_METHODS = 19
"""Members of sqlite3_io_methods, version 3, the version number among them."""
_WRITE, _TRUNCATE, _SYNC = 3, 4, 5
"""Places among them."""
_OPEN, _DELETE = 0, 1
"""Places among the methods of a VFS."""
_IOERR_FSYNC = 1034
_KEPT = 0x100 | 0x800 | 0x80000
"""SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL: files that have to outlive a crash."""

_OPEN_TYPE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER)
_DELETE_TYPE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT)
_WRITE_TYPE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)
_TRUNCATE_TYPE = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_SYNC_TYPE = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)
_DIRECTORY_TYPE = ctypes.CFUNCTYPE(_INT, ctypes.c_char_p, _POINTER)


@dataclass(frozen=True)
class Step:
    """One thing that happened, in order."""

    deed: str
    """`write`, `truncate`, `sync`, `named`, `unnamed`, `directory synced`, `tried`, `acknowledged`."""
    file: int = 0
    """Which file, by a number of its own: a name can be given again."""
    name: str = ""
    at: int = 0
    """Where it was written; the size of a truncated file."""
    data: bytes = b""


@dataclass
class Recording:
    """Everything that was asked of the disk from `before` on, when all was synced."""

    before: dict[str, bytes]
    """The files that there were, by name."""
    steps: list[Step] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _opened: dict[int, int] = field(default_factory=dict)
    _next: int = 0

    def __post_init__(self) -> None:
        for name in self.before:
            self._numbers[name] = self._next
            self._next += 1

    def tell(self, deed: str, what: str) -> None:
        """Note what the program did: that it tried an event, or that it acknowledged one."""
        self.steps.append(Step(deed, name=what))

    def opened(self, handle: int, path: str, existed: bool) -> None:
        """Note that a file was opened, and made where it was not there."""
        name = Path(path).name
        if not existed:
            self._numbers[name] = self._next
            self.steps.append(Step("named", self._next, name))
            self._next += 1
        self._opened[handle] = self._numbers[name]

    def changed(self, deed: str, handle: int, at: int = 0, data: bytes = b"") -> None:
        """Note that an open file was written to, cut, or synced."""
        self.steps.append(Step(deed, self._opened[handle], at=at, data=data))

    def removed(self, path: str) -> None:
        """Note that a name is taken away."""
        name = Path(path).name
        self.steps.append(Step("unnamed", self._numbers[name], name))


@contextlib.contextmanager
def recorded(directory: Path, failing_sync: int = -1) -> Iterator[Recording]:
    """Record what SQLite does to the files of a directory, in this process, while the `with` block lasts.

    No connection may be open when it begins. The sync with the number `failing_sync`, and all after it, fail.
    """
    vfs = default_vfs()
    assert vfs is not None
    recording = Recording({each.name: each.read_bytes() for each in directory.iterdir() if each.is_file()})
    hooks = _Hooks(recording, vfs, failing_sync)
    hooks.put()
    try:
        yield recording
    finally:
        hooks.take_away()


class _Hooks:
    """Stands between SQLite and its VFS."""

    def __init__(self, recording: Recording, vfs: "ctypes._Pointer[Vfs]", failing_sync: int) -> None:
        self._recording = recording
        self._failing_sync = failing_sync
        self._syncs = 0
        self._vfs = vfs
        self._methods: dict[int, ctypes.Array[ctypes.c_void_p]] = {}
        self._kept: list[object] = []
        self._before: tuple[int, int, int] = (0, 0, 0)

    def put(self) -> None:
        """Begin to listen."""
        vfs = self._vfs.contents
        directory = int(vfs.xGetSystemCall(self._vfs, b"openDirectory"))
        self._before = (vfs.methods_1_and_2[_OPEN], vfs.methods_1_and_2[_DELETE], directory)
        vfs.methods_1_and_2[_OPEN] = self._hook(_OPEN_TYPE, self._opening(_OPEN_TYPE(self._before[0])))
        vfs.methods_1_and_2[_DELETE] = self._hook(_DELETE_TYPE, self._deleting(_DELETE_TYPE(self._before[1])))
        hook = self._hook(_DIRECTORY_TYPE, self._syncing_directory(_DIRECTORY_TYPE(directory)))
        vfs.xSetSystemCall(self._vfs, b"openDirectory", hook)

    def take_away(self) -> None:
        """Put back what was there."""
        vfs = self._vfs.contents
        vfs.methods_1_and_2[_OPEN], vfs.methods_1_and_2[_DELETE] = self._before[:2]
        vfs.xSetSystemCall(self._vfs, b"openDirectory", self._before[2])

    def _hook(self, kind: Callable[..., object], function: Callable[..., int]) -> int | None:
        made: Any = kind(function)
        self._kept.append(made)
        return ctypes.cast(made, _POINTER).value

    def _opening(self, real: Callable[..., int]) -> Callable[..., int]:
        def opened(vfs: int, name: int | None, handle: int, flags: int, out: int | None) -> int:
            path = os.fsdecode(ctypes.string_at(name)) if name else ""
            existed = bool(path) and Path(path).exists()
            code = real(vfs, name, handle, flags, out)
            if code == 0 and path and flags & _KEPT:
                self._recording.opened(handle, path, existed)
                self._listen_to(handle)
            return code

        return opened

    def _listen_to(self, handle: int) -> None:
        place = ctypes.cast(handle, ctypes.POINTER(_POINTER))
        address = place.contents.value
        assert address is not None
        if address not in self._methods:
            methods = (_POINTER * _METHODS).from_buffer_copy(ctypes.string_at(address, _METHODS * 8))
            for at, kind in ((_WRITE, _WRITE_TYPE), (_TRUNCATE, _TRUNCATE_TYPE), (_SYNC, _SYNC_TYPE)):
                methods[at] = self._hook(kind, self._telling(at, kind(methods[at] or 0)))
            self._methods[address] = methods
        place[0] = ctypes.addressof(self._methods[address])

    def _telling(self, which: int, real: Callable[..., int]) -> Callable[..., int]:
        tell = self._recording.changed

        def call(handle: int, *arguments: int) -> int:
            if which == _SYNC and self._sync_fails():
                return _IOERR_FSYNC
            code = real(handle, *arguments)
            if code == 0 and which == _WRITE:
                tell("write", handle, arguments[2], ctypes.string_at(arguments[0], arguments[1]))
            elif code == 0 and which == _TRUNCATE:
                tell("truncate", handle, arguments[0])
            elif code == 0:
                tell("sync", handle)
            return code

        return call

    def _sync_fails(self) -> bool:
        self._syncs += 1
        return 0 <= self._failing_sync < self._syncs

    def _deleting(self, real: Callable[..., int]) -> Callable[..., int]:
        def deleted(vfs: int, name: int, sync: int) -> int:
            path = os.fsdecode(ctypes.string_at(name))
            if Path(path).exists():
                self._recording.removed(path)
            return real(vfs, name, sync)

        return deleted

    def _syncing_directory(self, real: Callable[..., int]) -> Callable[..., int]:
        def opened(path: bytes, descriptor: int) -> int:
            self._recording.tell("directory synced", os.fsdecode(path))
            return real(path, descriptor)

        return opened
