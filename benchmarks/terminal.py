"""A program on a terminal, with the moment at which each of its bytes came."""

import os
import re
import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparing import Sample
from support.ptys import Pty
from support.vt import Screen

_SYNC_QUESTION = b"\x1b[?2026$p"
_SYNC_ANSWER = b"\x1b[?2026;2$y"
_POINTER_SHAPE = re.compile(rb"\x1b\]22;[a-z-]*\x07")
_BEGUN = re.compile(rb"\x1b(\][^\x07]*)?\Z")
_DEADLINE = 30.0
_QUIET = 0.2


class TolerantScreen(Screen):
    """The strict terminal of the tests, without the requests for a pointer's shape that plain Textual sends."""

    def __init__(self, cols: int, rows: int) -> None:
        super().__init__(cols, rows)
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Show `data`; what may be the beginning of such a request waits for its end."""
        data = _POINTER_SHAPE.sub(b"", self._held + data)
        begun = _BEGUN.search(data)
        at = len(data) if begun is None else begun.start()
        self._held = data[at:]
        super().feed(data[:at])


class NotSeenError(Exception):
    """What is measured did not appear on the screen."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a program came up."""

    first_byte: Sample
    shown: tuple[Sample, ...]
    """When each of the texts asked for was on the screen."""


def program_environment(home: Path) -> dict[str, str | None]:
    """Return what programs on a terminal see beside its kind.

    Without the kitty protocol, which the console does not use and the emulator of the tests does not know.
    """
    root = Path(__file__).resolve().parents[1]
    return {"HOME": str(home), "PYTHONPATH": str(root), "TEXTUAL_DISABLE_KITTY_KEY": "1"}


def started(
    argv: Sequence[str], env: Mapping[str, str | None], cols: int, rows: int, texts: Sequence[str]
) -> Start:
    """Start a program, read until all `texts` are on the screen and it is quiet, and end it.

    Bytes are only stamped while they come; what they show is worked out afterwards, so that it costs no time.
    """
    chunks: list[tuple[Sample, bytes]] = []
    begin = time.perf_counter()
    with Pty(argv, cols=cols, rows=rows, env=env) as pty:
        output = b""
        while not all(text.encode() in output for text in texts):
            if time.perf_counter() - begin > _DEADLINE:
                raise NotSeenError(f"not shown within {_DEADLINE:g} s: {texts}")
            output += _stamped(pty, chunks, begin, 0.5)
        while _stamped(pty, chunks, begin, _QUIET):
            pass
    return Start(chunks[0][0], _appearances(chunks, cols, rows, texts))


def _stamped(pty: Pty, chunks: list[tuple[Sample, bytes]], begin: float, seconds: float) -> bytes:
    if not select.select([pty.master], [], [], seconds)[0]:
        return b""
    data = os.read(pty.master, 65536)
    chunks.append((Sample(time.perf_counter() - begin, _processor_time(pty.pid)), data))
    if _SYNC_QUESTION in data:
        pty.send(_SYNC_ANSWER)
    return data


def _processor_time(pid: int) -> float:
    """Return the seconds of processor that the threads of a process have used (proc(5), schedstat)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def _appearances(
    chunks: Sequence[tuple[Sample, bytes]], cols: int, rows: int, texts: Sequence[str]
) -> tuple[Sample, ...]:
    """Return when each text was on the screen."""
    screen = TolerantScreen(cols, rows)
    when: dict[str, Sample] = {}
    for moment, data in chunks:
        screen.feed(data)
        shown = screen.text
        for text in texts:
            if text in shown:
                when.setdefault(text, moment)
    missing = [text for text in texts if text not in when]
    if missing:
        raise NotSeenError(f"never on the screen: {missing}")
    return tuple(when[text] for text in texts)
