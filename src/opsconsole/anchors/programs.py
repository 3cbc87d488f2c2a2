"""Runs a program of the host for an anchor: without a terminal, within a time, and ended with all it starts."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from opsconsole.contracts.anchor import AnchorError

PLACES = "/usr/bin:/usr/local/bin:/bin"
_CHUNK = 1 << 16
_MOST_SAID = 100
"""Pieces of what a program complains of that are kept."""
_GRACE = 5.0
"""Seconds for the kernel to end what was killed."""


def environment(**more: str) -> dict[str, str]:
    """Return a clean environment: whatever the operator's own says, the program does the same."""
    return {"PATH": f"{os.environ.get('PATH', '')}:{PLACES}", "LC_ALL": "C.UTF-8", "TZ": "UTC", **more}


def asked(
    argv: Sequence[str], *, environ: Mapping[str, str], timeout: float, stdin: bytes = b"", cwd: str = "/"
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and return what it said; raises AnchorError where it cannot, or not in time."""
    process = _started(argv, environ, cwd, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise AnchorError(f"{argv[0]} did not end within {timeout:g} s") from error
        except BaseException:
            _kill(process)
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def lines(
    argv: Sequence[str], *, environ: Mapping[str, str], timeout: float, said: list[str], separator: bytes = b"\n"
) -> Iterator[bytes]:
    """Yield what a program writes piece by piece, whatever its length; put what it complains of into `said`.

    Raises AnchorError where it cannot run, ends badly, or has not ended after `timeout` seconds.
    """
    read, write = os.pipe()
    with open(read, "rb", buffering=0) as complaints:  # noqa: PTH123 - a descriptor has no path
        try:
            process = _started(argv, environ, "/", stdin=subprocess.DEVNULL, stderr=write)
        finally:
            os.close(write)
        with process:
            try:
                yield from _pieces(process, complaints.fileno(), time.monotonic() + timeout, said, separator)
                process.wait(_GRACE)
            except subprocess.TimeoutExpired as error:
                raise AnchorError(f"{argv[0]} did not end within {timeout:g} s") from error
            finally:
                if process.poll() is None:
                    _kill(process)
    if process.returncode:
        raise AnchorError(f"{argv[0]} ended with {process.returncode}: {''.join(said).strip() or 'no word'}")


def _pieces(
    process: "subprocess.Popen[bytes]", complaints: int, deadline: float, said: list[str], separator: bytes
) -> Iterator[bytes]:
    rest = b""
    output = process.stdout.fileno() if process.stdout is not None else -1
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        selector.register(complaints, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fd)
                elif key.fd == output:
                    *whole, rest = (rest + chunk).split(separator)
                    yield from whole
                elif len(said) < _MOST_SAID:
                    said.append(chunk.decode("utf-8", "backslashreplace"))
    if rest:
        yield rest


def _started(
    argv: Sequence[str], environ: Mapping[str, str], cwd: str, *, stdin: int, stderr: int
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environ),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise AnchorError(f"{argv[0]} cannot be run: {error.strerror}") from error


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
