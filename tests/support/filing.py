"""Files and backups for tests of the probes that look at them, and what these make of them."""

import asyncio
import ctypes
import io
import os
import subprocess
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from opsconsole.checks import backup, file
from opsconsole.checks._files import Stop
from opsconsole.contracts.probe import Environment, ProbeError, ProbeKind
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number, Value
from support.judged import assert_declared
from support.needs import missing
from support.systemd import context

T = TypeVar("T")

NOBODY = 65534
HOUR, DAY = 3600.0, 86400.0
FILES: Mapping[str, bytes] = {
    "data/orders.csv": b"id,total\n" + b"".join(b"%d,%d\n" % (each, each * 7) for each in range(4000)),
    "data/empty": b"",
    "etc/app.toml": b"title = 'example'\n" * 40,
}
"""What the archives of the tests hold."""


def stop(allowed: float = 60.0) -> Stop:
    """Return a stop that leaves enough time."""
    return Stop(allowed)


async def measured(kind: ProbeKind, options: Any, **more: Any) -> Reading:
    """Measure once, and hold the reading against what the kind declares."""
    assert kind.validate(options) == []
    probe = kind.open(Environment())
    try:
        reading = await probe.measure(options, context(**more))
    finally:
        await probe.aclose()
    assert_declared(kind, options, reading)
    return reading


async def problem(kind: ProbeKind, options: Any, **more: Any) -> ProbeError:
    """Return why something cannot be measured."""
    probe = kind.open(Environment())
    with pytest.raises(ProbeError) as caught:
        await probe.measure(options, context(**more))
    return caught.value


async def of_file(path: Path, **options: Any) -> Reading:
    """Measure by the probe `file`."""
    return await measured(file.KIND, msgspec.convert({"path": str(path), **options}, file.FileOptions))


async def of_backup(path: Path, *, seconds: float = 30.0, **options: Any) -> Reading:
    """Measure by the probe `backup`."""
    asked = msgspec.convert({"path": str(path), **options}, backup.BackupOptions)
    return await measured(backup.KIND, asked, timeout=seconds)


async def no_backup(path: Path, *, seconds: float = 30.0, **options: Any) -> ProbeError:
    """Return why the probe `backup` cannot measure."""
    asked = msgspec.convert({"path": str(path), **options}, backup.BackupOptions)
    return await problem(backup.KIND, asked, timeout=seconds)


async def no_file(path: Path, **options: Any) -> ProbeError:
    """Return why the probe `file` cannot measure."""
    return await problem(file.KIND, msgspec.convert({"path": str(path), **options}, file.FileOptions))


def plain(value: Value) -> Any:
    """Return the number that a value is, as a float, or the value itself."""
    return float(value.value) if isinstance(value, Number) else value


def written(path: Path, content: bytes = b"x", *, age: float = 0.0, mode: int = 0o640) -> Path:
    """Write a file of an age in seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    aged(path, age)
    return path


def aged(path: Path, age: float) -> None:
    """Let a file be modified so many seconds ago."""
    then = time.time() - age
    os.utime(path, (then, then))


def a_tar(files: Mapping[str, bytes] = FILES, *, format: int = tarfile.PAX_FORMAT, mode: str = "w") -> bytes:  # noqa: A002 - as tarfile has it
    """Return a tar that holds files, and a directory and a link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, format=format) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, kind in (("data", tarfile.DIRTYPE), ("latest", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "data" if kind == tarfile.SYMTYPE else ""
            archive.addfile(member)
    return made.getvalue()


def a_zip(files: Mapping[str, bytes] = FILES, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip that holds files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def as_nobody(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do work with the rights of an unprivileged user where we are root: file access is by thread (setfsuid(2))."""
    done: Future[T] = Future()

    def run() -> None:
        if os.getuid() == 0:
            libc = ctypes.CDLL(None, use_errno=True)
            libc.setfsgid(NOBODY)
            libc.setfsuid(NOBODY)
        try:
            done.set_result(asyncio.run(work()))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the work is waited for
            done.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return done.result()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, up to ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0.005)


def ran(*argv: str, cwd: Path | None = None) -> bytes:
    """Return what a program of the host says; without it the test is left out loudly."""
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, check=True, stdin=subprocess.DEVNULL, timeout=30)
    except FileNotFoundError:
        missing(f"There is no {argv[0]} here, whose files were to be read.")
    return done.stdout
