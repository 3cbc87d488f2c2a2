"""Runs ssh-keygen such that it can neither ask, nor hang, nor read a file that changes meanwhile."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence

import msgspec

PROGRAM = "ssh-keygen"
_PLACES = "/usr/bin:/usr/local/bin:/bin"
_GRACE = 5.0
"""Seconds for the kernel to end what was killed."""
_TOO_OLD = ("unknown option --", "illegal option --", "invalid option", "unsupported operation")


class KeygenProblem(Exception):
    """It could not do what it is asked for: nothing is known of the key or the signature."""


class KeygenMissing(KeygenProblem):
    """There is no ssh-keygen, or it cannot be executed."""


class KeygenTooOld(KeygenProblem):
    """It does not know what it is asked for."""


class KeygenTimedOut(KeygenProblem):
    """It had not ended in time, and was killed with all that it had started."""


class KeygenBlind(KeygenProblem):
    """It cannot open what it is given: /proc is not mounted."""


class Said(msgspec.Struct, frozen=True):
    """How it ended and what it said."""

    returncode: int
    stdout: bytes
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked for."""
        return self.returncode == 0

    @property
    def last_line(self) -> str:
        """The last thing it complained of."""
        return next((line.strip() for line in reversed(self.stderr.splitlines()) if line.strip()), "")


@contextlib.contextmanager
def sealed(*contents: bytes) -> Iterator[tuple[int, ...]]:
    """Give the contents as descriptors of files that exist in memory only and that nobody can change any more."""
    descriptors: list[int] = []
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    try:
        for content in contents:
            descriptors.append(os.memfd_create("opsconsole", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
            with open(descriptors[-1], "wb", closefd=False) as file:
                file.write(content)
            fcntl.fcntl(descriptors[-1], fcntl.F_ADD_SEALS, seals)
        yield tuple(descriptors)
    finally:
        for each in descriptors:
            os.close(each)


def name_of(descriptor: int) -> str:
    """Return the name under which a program that inherits a descriptor can open it."""
    return f"/dev/fd/{descriptor}"


def keygen(
    arguments: Sequence[str],
    *,
    stdin: bytes = b"",
    descriptors: Sequence[int] = (),
    environ: Mapping[str, str] | None = None,
    timeout: float,
    running: set[subprocess.Popen[bytes]] | None = None,
) -> Said:
    """Run ssh-keygen to its end, without a terminal to ask at; raises KeygenProblem.

    `descriptors` are inherited. `environ` is added to a clean environment, in which there is no agent and the zone
    is UTC. While it runs, its process is in `running`, for another thread that would end it.
    """
    program = shutil.which(PROGRAM, path=os.pathsep.join((os.environ.get("PATH", ""), _PLACES)))
    if program is None:
        raise KeygenMissing
    try:
        process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=descriptors,
            env=_environment() | dict(environ or {}),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise KeygenMissing(error.strerror) from error
    running = set() if running is None else running
    running.add(process)
    try:
        said = _ended(process, stdin, timeout)
    finally:
        running.discard(process)
    if not said.ok and any(each in said.stderr.lower() for each in _TOO_OLD):
        raise KeygenTooOld(said.last_line)
    if not said.ok and descriptors and "no such file or directory" in said.stderr.lower():
        raise KeygenBlind(said.last_line)
    return said


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that is still there, with all that it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _ended(process: subprocess.Popen[bytes], stdin: bytes, timeout: float) -> Said:
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except BaseException as error:
            end(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_GRACE)
            if isinstance(error, subprocess.TimeoutExpired):
                raise KeygenTimedOut from error
            raise
    return Said(process.returncode, stdout, stderr.decode("utf-8", "backslashreplace"))


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "SSH_SK_PROVIDER")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found | {"LC_ALL": "C", "TZ": "UTC", "SSH_ASKPASS_REQUIRE": "never"}
