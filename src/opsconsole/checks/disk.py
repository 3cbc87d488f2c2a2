"""Probe `disk`: the room and the inodes of a file system, or of every one that has room to run out of."""

import asyncio
import contextlib
import os
import shlex
from decimal import Decimal

import msgspec

from opsconsole.checks import _mounts
from opsconsole.checks._mounts import Mount, presentable
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Number, Unit, Value, formatted

SUBJECTS: Subjects = {
    "mount": None,
    "type": None,
    "used": Unit.PERCENT,
    "free": Unit.BYTES,
    "total": Unit.BYTES,
    "inodes_used": Unit.PERCENT,
    "read_only": None,
}
"""Where it is mounted, its type, its room as `df` counts it (`free` is what an ordinary user can still take),
the share of its inodes that is taken (0 % where it makes them as needed), and whether nothing can be written."""

_HUNDREDTH = Decimal("0.01")


class DiskOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `disk`."""

    path: str = "/"
    """A path on the file system that is looked at. Where nothing is mounted on it, that is the one above: a
    condition like `mount == '/srv'` tells whether the right one is there."""
    all: bool = False
    """Look at every mounted file system that has room of its own, one row each: those on devices and of networks,
    not those in memory, images or overlays."""


class Space(msgspec.Struct, frozen=True):
    """What statvfs(3) says, reckoned as df does."""

    used: Decimal
    """Percent of what an ordinary user can use."""
    free: int
    total: int
    inodes_used: Decimal
    read_only: bool

    def values(self) -> dict[str, Value]:
        """Return the subjects that it has values for."""
        return {
            "used": Number(self.used, Unit.PERCENT),
            "free": Number(Decimal(self.free), Unit.BYTES),
            "total": Number(Decimal(self.total), Unit.BYTES),
            "inodes_used": Number(self.inodes_used, Unit.PERCENT),
            "read_only": self.read_only,
        }


def space_of(path: str) -> Space | None:
    """Return the room of the file system that `path` is on, None where it has no size at all; raises OSError."""
    status = os.statvfs(path)
    if not status.f_blocks:
        return None
    taken = status.f_blocks - status.f_bfree
    inodes_taken = status.f_files - status.f_ffree
    return Space(
        used=_percent(taken, taken + status.f_bavail),
        free=status.f_bavail * status.f_frsize,
        total=status.f_blocks * status.f_frsize,
        inodes_used=_percent(inodes_taken, status.f_files),
        read_only=bool(status.f_flag & os.ST_RDONLY),
    )


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(100) * part / whole).quantize(_HUNDREDTH) if whole else Decimal(0)


class DiskProbe:
    """Asks the kernel, in threads of its own: a dead network mount keeps whoever asks waiting for ever."""

    async def measure(self, options: DiskOptions, context: Context) -> Reading:
        """Return the room of one file system as measures, or of all as a table."""
        return await (_all(context.allowance) if options.all else _one(options.path, context.allowance))

    async def aclose(self) -> None:
        """Nothing to end."""


# --- one ---------------------------------------------------------------------------------------------


async def _one(path: str, seconds: float) -> Reading:
    try:
        async with asyncio.timeout(seconds):
            space, mount = await in_thread(f"disk {path}", lambda: (space_of(path), _mount_of(path)))
    except TimeoutError:
        raise _hanging([path], seconds) from None
    except OSError as error:
        raise _mounts.refused(path, error) from error
    if space is None:
        raise _sizeless(path)
    measures = space.values() | {"mount": mount.shown, "type": mount.type} if mount else space.values()
    where = f"{path} is on {mount.shown} ({mount.type}, {presentable(mount.source)})" if mount else path
    return Reading(
        measures=measures,
        evidence=(Evidence("file system", f"{where}\n{_line(space)}"),),
        command=shlex.join(["df", "-h", "--", path]),
    )


def _mount_of(path: str) -> Mount | None:
    with contextlib.suppress(OSError):
        return _mounts.mount_of(os.path.realpath(path), _mounts.mounted())
    return None


def _line(space: Space) -> str:
    values = space.values()
    shown = {name: formatted(value) for name, value in values.items() if isinstance(value, Number)}
    room = f"{shown['used']} of {shown['total']} used, {shown['free']} free, {shown['inodes_used']} of the inodes"
    return f"{room}, read-only" if space.read_only else room


# --- all ---------------------------------------------------------------------------------------------


async def _all(seconds: float) -> Reading:
    try:
        mounts = _mounts.with_room(_mounts.mounted(), _mounts.types_with_device())
    except OSError as error:
        raise ProbeError(
            "failed", f"the list of mounts cannot be read: {error.strerror}", "is /proc mounted?"
        ) from error
    spaces = await _spaces(mounts, seconds)
    rows = tuple(_row(mount, space) for mount, space in spaces.items() if isinstance(space, Space))
    evidence = tuple(Evidence("file systems", text) for text in [_listing(spaces)] if text)
    hanging = [mount.shown for mount, space in spaces.items() if isinstance(space, TimeoutError)]
    if hanging:
        problem = _hanging(hanging, seconds).problem
        raise ProbeError(problem.reason, problem.cause, problem.hint, evidence)
    for mount, space in spaces.items():
        if isinstance(space, OSError) and not _private(mount, space):
            problem = _mounts.refused(mount.shown, space).problem
            raise ProbeError(problem.reason, problem.cause, problem.hint, evidence)
    if not rows:
        raise ProbeError(
            "empty", "no mounted file system has room of its own here", "name one by `path`, such as '/'", evidence
        )
    return Reading(columns=tuple(SUBJECTS), rows=rows, label="mount", evidence=evidence, command="df -h")


async def _spaces(mounts: list[Mount], seconds: float) -> dict[Mount, Space | OSError | None]:
    """Return the room of every mount, TimeoutError for one that does not answer."""
    asked = {mount: asyncio.ensure_future(_space(mount.point)) for mount in mounts}
    try:
        if asked:
            await asyncio.wait(asked.values(), timeout=seconds)
        return {mount: task.result() if task.done() else TimeoutError() for mount, task in asked.items()}
    finally:
        for task in asked.values():
            task.cancel()


async def _space(point: str) -> Space | OSError | None:
    try:
        return await in_thread(f"room of {point}", lambda: space_of(point))
    except OSError as error:
        return error


def _row(mount: Mount, space: Space) -> tuple[Value, ...]:
    values: dict[str, Value] = {"mount": mount.shown, "type": mount.type, **space.values()}
    return tuple(values[name] for name in SUBJECTS)


def _private(mount: Mount, error: OSError) -> bool:
    """Whether it is the mount of a user who lets nobody else look, not even root (fuse without `allow_root`)."""
    return mount.type.startswith("fuse.") and error.errno in _mounts.PRIVATE


def _listing(spaces: dict[Mount, Space | OSError | None]) -> str:
    lines = []
    for mount, space in spaces.items():
        match space:
            case Space():
                said = _line(space)
            case TimeoutError():
                said = "no answer"
            case OSError():
                said = "left out, it is private to its user" if _private(mount, space) else str(space.strerror)
            case None:
                said = "left out, it has no size"
        lines.append(f"{mount.shown} ({mount.type}, {presentable(mount.source)}): {said}")
    return "\n".join(lines)


# --- what can go wrong -------------------------------------------------------------------------------


def _hanging(paths: list[str], seconds: float) -> ProbeError:
    return ProbeError(
        "timeout",
        f"{' and '.join(map(presentable, paths))} did not answer within {seconds:.3g} s",
        "a network file system whose server is gone, or a disk that fails: see `findmnt` and the kernel's messages",
    )


def _sizeless(path: str) -> ProbeError:
    return ProbeError(
        "bad-answer", f"{presentable(path)} is on a pseudo file system, which has no size", "name another path"
    )


def _problems(options: DiskOptions) -> list[tuple[str, str]]:
    if options.all and options.path != "/":
        return [("path", "with `all = true` there is no single path; leave one of the two out")]
    if not options.path.startswith("/") or "\0" in options.path:
        return [("path", f"'{options.path}' is no absolute path; write it like '/var/lib'")]
    return []


def _open(_environment: Environment) -> DiskProbe:
    return DiskProbe()


KIND = ProbeKind(
    name="disk",
    summary="Measures the room and the inodes of one file system, or of every real one that is mounted.",
    options=DiskOptions,
    subjects=lambda options: {**SUBJECTS, "count": Unit.COUNT} if options.all else SUBJECTS,
    open=_open,
    validate=_problems,
)
