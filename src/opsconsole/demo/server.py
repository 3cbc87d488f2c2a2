"""The server's process: started so that it cannot outlive us, watched, ended; and one that a killed demo left."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opsconsole.demo.accounts import ENVIRONMENT, Account, launched
from opsconsole.demo.errors import DemoError

if TYPE_CHECKING:
    import psutil

_LEFTOVER_SECONDS = 5.0
_POLL_SECONDS = 0.01
_STATUS_LINE = 8  # LOCK_FILE_LINE_PM_STATUS of PostgreSQL's src/include/utils/pidfile.h


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A postmaster that we started."""

    pid: int
    _ended: threading.Event

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it still runs."""
        return self._ended.wait(seconds)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def start_server(
    command: Sequence[str], account: Account, log: Path, *, ended_by: signal.Signals = signal.SIGQUIT
) -> ServerProcess:
    """Start a server in a session of its own (Ctrl-C is ours to handle) that the kernel ends when we die.

    It ends it by `ended_by`, which is PostgreSQL's signal for an immediate shutdown unless told otherwise: nobody
    is left to whom the data could matter. The kernel does that when the *thread* dies that started it, so a thread
    is kept for as long as the server runs: whoever calls this, a worker of an executor for example, may end before.
    """
    started: Future[int] = Future()
    ended = threading.Event()

    def keep() -> None:
        try:
            process = _spawn(command, account, log, ended_by)
        except Exception as error:  # noqa: BLE001  (whatever it is belongs to the thread that waits for it)
            started.set_exception(error)
        else:
            started.set_result(process.pid)
            process.wait()
        finally:
            ended.set()

    threading.Thread(target=keep, name="demo-server", daemon=True).start()
    return ServerProcess(started.result(), ended)


def _spawn(
    command: Sequence[str], account: Account, log: Path, ended_by: signal.Signals
) -> subprocess.Popen[bytes]:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            launched(account, command, ended_by=ended_by),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
    finally:
        os.close(output)


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a server says of itself in `postmaster.pid`."""

    pid: int
    ready: bool


def read_postmaster(data: Path) -> Postmaster | None:
    """Read a data directory's `postmaster.pid`; None when there is none, or nothing sensible in it."""
    lines = read_foreign(data / "postmaster.pid").splitlines()
    try:
        pid = int(lines[0])
    except (IndexError, ValueError):
        return None
    return Postmaster(pid, ready=len(lines) >= _STATUS_LINE and lines[_STATUS_LINE - 1].strip() == "ready")


def read_foreign(path: Path) -> str:
    """Read a small file of the server's, or nothing where that cannot be.

    The file belongs to another account when we are root, so links are not followed, and no pipe is waited for.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 4096).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def end_leftover(data: Path, account: Account) -> bool:
    """End the server that a killed demo left on this data directory; tell whether there was one.

    Its process id alone proves nothing, it may be another process's by now: the program, its account and the data
    directory in its command line have to agree before anything is sent to it.
    """
    postmaster = read_postmaster(data)
    if postmaster is None or postmaster.pid <= 1:
        return False
    import psutil

    try:
        process = psutil.Process(postmaster.pid)
        if process.uids().effective != account.uid or not _serves(process.cmdline(), data):
            return False
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    for number in (signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        deadline = time.monotonic() + _LEFTOVER_SECONDS
        while time.monotonic() < deadline:
            if _ended(process):
                return True
            time.sleep(_POLL_SECONDS)
    raise DemoError(f"the server of an earlier demo (process {postmaster.pid}) does not end")


def _ended(process: "psutil.Process") -> bool:
    """Tell whether a process has ended; one that nobody has collected yet has."""
    import psutil

    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _serves(command: Sequence[str], data: Path) -> bool:
    if not command or Path(command[0]).name != "postgres" or "-D" not in command[:-1]:
        return False
    return command[command.index("-D") + 1] == str(data)
