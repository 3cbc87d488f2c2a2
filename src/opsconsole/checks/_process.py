"""Runs one program for a probe: no shell, a clean environment, bounded output, nothing left running.

Every probe that needs a program of the host (``systemctl``, ``journalctl``, a command of the operator's) goes
through `run`, so that the rules about programs are in one place.

A program and all that it starts is marked twice, so that it is found again whatever it makes of itself: by a
variable of its environment, which programs may clear, and by its limit of resident memory, which Linux hands on to
every child and otherwise has not looked at since 2.4.30 (getrlimit(2)). Only who sets that limit itself, or becomes
another user, gets away; and who clears its environment and forks twice before its program is marked, which takes a
fraction of a millisecond.
"""

import asyncio
import contextlib
import os
import resource
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

DEFAULT_LIMIT_BYTES = 1 << 20
"""How much of each output stream is kept unless the caller says otherwise (1 MiB)."""

_STANDARD_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_PASSED_ON = ("HOME", "USER", "LOGNAME")
_TAG = "OPSCONSOLE_PROCESS"
_LEAST_MARK = 1 << 62
"""Bytes: a limit that no memory reaches, so that programs that ask for it take it for none."""
_MARK_DIGITS = 15
"""Of a token, in base 16, that are in the mark."""
_DRAIN_SECONDS = 0.25
_KILL_SECONDS = 2.0
_READ_BYTES = 1 << 18
_SWEEPS = 20


class Finished(msgspec.Struct, frozen=True):
    """How a program ended, and what it said."""

    returncode: int
    """Exit status; the negative number of the signal when one ended it (as `subprocess` has it)."""
    stdout: bytes
    """The first `limit_bytes` of its standard output."""
    stderr: bytes
    """The first `limit_bytes` of its standard error."""
    truncated: bool
    """Whether either stream was longer than what was kept."""
    elapsed: float
    """Seconds from start to end."""


class CannotStartError(Exception):
    """The program could not be started; `cause` says why in a word, the message in a sentence."""

    def __init__(self, cause: Literal["not-found", "not-executable", "failed"], message: str) -> None:
        super().__init__(message)
        self.cause = cause


class TimedOutError(Exception):
    """The program was still running after its time and was killed; what it had said until then is kept."""

    def __init__(self, program: str, seconds: float, stdout: bytes, stderr: bytes) -> None:
        super().__init__(f"{program} had not ended after {seconds:g} s and was stopped")
        self.seconds = seconds
        self.stdout = stdout
        self.stderr = stderr


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a program may see: the C locale in UTF-8, UTC, no pager, no colours, and `extra`.

    Nothing else is inherited but the search path and who the user is: passwords kept in the console's own
    environment are none of the program's business. The standard directories are added to the search path
    because cron's has no ``/usr/sbin``.
    """
    inherited = os.environ.get("PATH", "").split(os.pathsep)
    directories = dict.fromkeys([*(d for d in inherited if os.path.isabs(d)), *_STANDARD_PATH])  # noqa: PTH117 - texts of PATH
    environment = {
        "PATH": os.pathsep.join(directories),
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PAGER": "cat",
        "SYSTEMD_PAGER": "",
        "SYSTEMD_COLORS": "0",
        "SYSTEMD_URLIFY": "0",
    }
    environment.update({name: os.environ[name] for name in _PASSED_ON if name in os.environ})
    environment.update(extra or {})
    return environment


async def run(
    argv: Sequence[str],
    *,
    timeout: float | None,  # noqa: ASYNC109  (the partial output is part of the error, which asyncio.timeout cannot give)
    env: Mapping[str, str] | None = None,
    cwd: str = "/",
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
    stdin: int = subprocess.DEVNULL,
) -> Finished:
    """Run `argv` to its end and return how it ended.

    The program has no standard input (unless `stdin` is a descriptor to be read), no terminal, a session
    and process group of its own and the environment of `clean_environment` plus `env`. Each of its two
    output streams is read to the end but kept only up to `limit_bytes`. On timeout (seconds) and on
    cancellation it is killed with everything it started; what it left in its process group after its own
    end is killed too, and a leftover that holds the output open delays the answer by a quarter of a
    second, not for ever.

    Raises `CannotStartError` and `TimedOutError`; an exit status other than 0 is the caller's to judge.
    """
    token = secrets.token_hex(16)
    started = time.monotonic()
    child = _start(argv, clean_environment(env) | {_TAG: token}, cwd, stdin)
    _mark(child.pid, token)
    watch = _Watch(child, limit_bytes)
    try:
        async with asyncio.timeout(timeout):
            await watch.ended.wait()
            if not await watch.drained(_DRAIN_SECONDS):
                _kill_tree(child.pid, token)
                await watch.drained(_DRAIN_SECONDS)
    except TimeoutError:
        seconds = timeout if timeout is not None else time.monotonic() - started
        raise TimedOutError(argv[0], seconds, bytes(watch.stdout.kept), bytes(watch.stderr.kept)) from None
    finally:
        await _finish(child, watch, token)
    return Finished(
        returncode=child.returncode,
        stdout=bytes(watch.stdout.kept),
        stderr=bytes(watch.stderr.kept),
        truncated=watch.stdout.truncated or watch.stderr.truncated,
        elapsed=time.monotonic() - started,
    )


def _start(argv: Sequence[str], environment: Mapping[str, str], cwd: str, stdin: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _cannot_start(argv[0], environment["PATH"], cwd, error) from error


def _cannot_start(program: str, path: str, cwd: str, error: OSError | ValueError) -> CannotStartError:
    """Say which of the many reasons it was: the program, its interpreter, the directory or the kernel."""
    if isinstance(error, OSError) and error.filename == cwd:
        return CannotStartError("failed", f"the directory {cwd} cannot be entered: {error.strerror}")
    if isinstance(error, FileNotFoundError):
        if os.path.exists(program):  # noqa: PTH110 - a text stays a text here
            return CannotStartError("failed", f"the interpreter named in the first line of {program} is missing")
        return CannotStartError("not-found", f"there is no program {program}")
    if isinstance(error, PermissionError):
        if "/" not in program and shutil.which(program, mode=os.F_OK, path=path) is None:
            # it was a directory of the search path that is closed to this user
            return CannotStartError("not-found", f"there is no program {program}")
        return CannotStartError("not-executable", f"{program} may not be executed")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return CannotStartError("failed", f"{program!r} could not be started: {reason}")


class _Pipe:
    """One output stream of a child: keeps its first `limit` bytes, reads on and forgets the rest."""

    def __init__(self, fd: int, limit: int) -> None:
        self.kept = bytearray()
        self.truncated = False
        self.closed = asyncio.Event()
        self._fd = fd
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        room = self._limit - len(self.kept)
        self.kept += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room
        if not chunk:
            self.stop()

    def stop(self) -> None:
        """Read no more; the descriptor stays the child object's to close."""
        if not self.closed.is_set():
            self._loop.remove_reader(self._fd)
            self.closed.set()


class _Watch:
    """Follows a child: its two streams, and its end without reaping it.

    Until the child is reaped its number cannot be given to another process, so its group can be
    killed safely. A thread waits because that works on every kernel; `os.pidfd_open` does not.
    """

    def __init__(self, child: subprocess.Popen[bytes], limit: int) -> None:
        if child.stdout is None or child.stderr is None:  # both are pipes, see _start
            raise AssertionError
        self.stdout = _Pipe(child.stdout.fileno(), limit)
        self.stderr = _Pipe(child.stderr.fileno(), limit)
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._wait, args=(child.pid,), daemon=True, name=f"wait-{child.pid}").start()

    def _wait(self, pid: int) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self.ended.set)

    async def drained(self, seconds: float) -> bool:
        """Wait up to `seconds` for the end of both streams; return whether it came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stdout.closed.wait()
                await self.stderr.closed.wait()
        return self.closed

    @property
    def closed(self) -> bool:
        """Whether both streams have come to their end."""
        return self.stdout.closed.is_set() and self.stderr.closed.is_set()


async def _finish(child: subprocess.Popen[bytes], watch: _Watch, token: str) -> None:
    """Kill what still runs, reap the child and close its pipes, also when the caller is being cancelled."""
    if watch.ended.is_set() and watch.closed:
        _kill_group(child.pid)
    else:
        _kill_tree(child.pid, token)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KILL_SECONDS):
                await watch.ended.wait()
    finally:
        if watch.ended.is_set():
            child.wait()  # it has ended: this only collects its status
        else:
            # stuck in the kernel (a dead NFS server, say): reaped whenever it ends, and nobody waits for it
            threading.Thread(target=child.wait, daemon=True, name=f"reap-{child.pid}").start()
        for pipe, stream in ((watch.stdout, child.stdout), (watch.stderr, child.stderr)):
            pipe.stop()
            if stream is not None:
                stream.close()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _mark_of(token: str) -> int:
    return _LEAST_MARK | int(token[:_MARK_DIGITS], 16)


def _mark(pid: int, token: str) -> None:
    """Mark a process and the children that it may have already; what they start from then on has the mark."""
    mark = _mark_of(token)
    left = [pid]
    while left:
        number = left.pop()
        with contextlib.suppress(OSError, ValueError):  # ended, another user's, or held to a lower limit
            _, most = resource.prlimit(number, resource.RLIMIT_RSS)
            resource.prlimit(number, resource.RLIMIT_RSS, (mark, most))
        left += _children_of(number)


def _kill_tree(pid: int, token: str) -> None:
    """Kill the child's group and every process elsewhere that carries the mark of the run.

    The marks find those that made a session of their own, as daemons do. Sweeps are repeated because
    a process may fork while it is being looked for.
    """
    _kill_group(pid)
    needle, mark = f"{_TAG}={token}".encode(), str(_mark_of(token)).encode()
    for _ in range(_SWEEPS):
        found = [
            number
            for number in _process_numbers()
            if mark in _said_of(number, "limits") or needle in _said_of(number, "environ")
        ]
        if not found:
            return
        for number in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)


def _process_numbers() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - only the names
    return []


def _children_of(pid: int) -> list[int]:
    """Return the children of a process that has one thread; none where the kernel does not tell them."""
    return [int(number) for number in _said_of(pid, f"task/{pid}/children").split()]


def _said_of(pid: int, name: str) -> bytes:
    """Return what proc(5) says of a process, such as the environment it started with; nothing if it has ended."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123 - thousands of them, at once
            return file.read()
    except OSError:
        return b""
