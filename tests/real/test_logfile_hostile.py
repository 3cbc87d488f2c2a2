"""The `logfile` probe on what is no log, what is too much, and what is hostile: a cause each time, and in time."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.checks import _logask, _process, logfile
from opsconsole.checks._process import Finished
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import number
from support import logs
from support.judged import outcome
from support.logs import (
    NOW,
    answered,
    at,
    busy,
    column,
    counts,
    log,
    options,
    packed,
    problem,
    python_line,
    read,
    written,
)

# --- what is no log ----------------------------------------------------------------------------------


async def test_missing_files(tmp_path: Path) -> None:
    """A name that is wrong, in its directory or altogether, says which."""
    missing = await problem(tmp_path / "gone.log")
    assert (missing.reason, missing.cause) == ("not-found", f"there is no file {tmp_path}/gone.log")
    assert (await problem(tmp_path / "no" / "gone.log")).cause == f"there is no directory {tmp_path}/no"
    (tmp_path / "link.log").symlink_to(tmp_path / "gone.log")
    assert (await problem(tmp_path / "link.log")).reason == "not-found"


async def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe is not waited for, and a device not read for ever."""
    os.mkfifo(tmp_path / "pipe.log")
    for path in (tmp_path / "pipe.log", tmp_path, Path("/dev/zero")):
        assert (await problem(path, since="all")).reason == "no-file"


async def test_an_empty_log(tmp_path: Path) -> None:
    """Emptiness is no proof that nothing happened: it is a problem that the item may map."""
    path = written(tmp_path / "a.log", b"")
    for since in ("1 h", "all"):
        assert (await problem(path, since=since)).reason == "empty"


@pytest.mark.parametrize(
    "text",
    [
        b"one\ntwo\nthree\n" * 100,
        random.Random(1).randbytes(1 << 20),
        bytes(1 << 16),
        b"\n" * 5000,
        b"2026-99-99 99:99:99 x\n" * 50,
    ],
    ids=["plain", "garbage", "NULs", "line feeds", "no days"],
)
async def test_a_log_without_times(tmp_path: Path, text: bytes) -> None:
    """What has no times cannot be looked at by time, only as a whole."""
    path = written(tmp_path / "a.log", text)
    found = await problem(path, since="1 h")
    assert found.reason == "no-times"
    assert "format" in found.hint
    reading = await read(path, since="all", patterns={"two": "two"})
    assert counts(reading, "two") == [text.count(b"two")]
    assert outcome(reading, "age < 1 h") is Outcome.ERROR
    assert outcome(reading, "burst < 5") is Outcome.ERROR


async def test_a_log_whose_times_end(tmp_path: Path) -> None:
    """Megabytes without a time at the end are no entry of this morning's: that is said."""
    path = log(tmp_path / "a.log", [(n, "ERROR", "x") for n in range(90, 0, -1)])
    with path.open("ab") as file:
        file.write(b"something else\n" * 200_000)
    assert (await problem(path, since="1 h")).reason == "no-times"


async def test_the_wrong_format_is_declared(tmp_path: Path) -> None:
    """A declared format is the only one that is tried."""
    path = busy(tmp_path / "a.log")
    refused = await problem(path, format="nginx")
    assert refused.reason == "no-times"
    assert refused.cause == f"in {path} no line begins with a time as 'nginx' says"
    assert counts(await read(path, format="iso", since="1 h", patterns={"critical": "CRITICAL:"}), "critical") == [
        1
    ]


async def test_no_severity_to_be_found(tmp_path: Path) -> None:
    """Where entries name no severity, asking for errors is a mistake and no pass."""
    path = written(tmp_path / "a.log", b"2026-11-20 08:00:00 something went wrong\n" * 10)
    assert (await problem(path, level="error")).reason == "no-levels"


async def test_a_log_out_of_order(tmp_path: Path) -> None:
    """Two logs written into one another are read whole, as bisection would lose half of them."""
    old = [(2880 - n / 10, "INFO", "y" * 60) for n in range(1500)]
    path = log(tmp_path / "a.log", [*old, *((n, "ERROR", "x") for n in range(90, 0, -1)), *old], changed=1)
    reading = await read(path, since="1 h", patterns={"x": "views x"})
    assert counts(reading, "x") == [60]
    assert "not in the order of time" in reading.evidence[0].text


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory that an ordinary user may look at, beside those of root."""
    with tempfile.TemporaryDirectory(prefix="opsconsole-log-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def _ordinary() -> Iterator[None]:
    """Be nobody for a while, where one is root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_files_that_may_not_be_read(private: Path) -> None:
    """A log of root's is a problem with a way out; an old rotated one only where it is needed."""
    path = log(private / "a.log", [(n, "ERROR", "x") for n in range(90, 0, -1)])
    rotated = log(private / "a.log.1", [(n, "ERROR", "x") for n in range(3000, 100, -1)])
    rotated.chmod(0)
    with _ordinary():
        assert answered(path)["count"] == 60
        assert answered(path, since="24 h")["problem"][0] == "no-permission"
    path.chmod(0)
    with _ordinary():
        reason, cause, hint = answered(path)["problem"]
    assert (reason, cause) == ("no-permission", f"{path} may not be read")
    assert "group" in hint
    path.chmod(0o644)
    private.chmod(0o711)
    with _ordinary():
        answer = answered(path)
    assert answer["count"] == 60
    assert "rotated files are not seen" in answer["notes"][0]
    private.chmod(0o700)
    with _ordinary():
        outcome_ = answered(path)
    assert outcome_["problem"][0] == "no-permission" or os.geteuid()
    private.chmod(0o755)


# --- what is too much --------------------------------------------------------------------------------

_PEAK = (
    "import sys; sys.path += sys.argv[2:]; from opsconsole.checks._logscan import main; main(sys.argv[1]); "
    "print(); print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
)


def _peak(path: Path, **more: Any) -> tuple[dict[str, Any], int]:
    """Return the worker's answer and the most memory it had, in KiB."""
    context = logs.asked()
    chosen = options(path, **more)
    request = logfile._request(chosen, _logask.span_of(chosen.since, context), "UTC", context)
    argv = [sys.executable, "-I", "-S", "-c", _PEAK, json.dumps(request), *filter(None, sys.path)]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    answer, peak = done.stdout.decode().splitlines()
    return json.loads(answer), int(peak)


def test_a_line_of_a_hundred_megabytes(tmp_path: Path) -> None:
    """Memory stays bounded, what follows is found, and the counts are the least that there was."""
    path = tmp_path / "a.log"
    with path.open("wb") as file:
        file.write(b"".join(python_line(at(n), "ERROR", "x").encode() + b"\n" for n in range(90, 30, -1)))
        file.write(python_line(at(30), "ERROR", "x").encode())
        for _ in range(100):
            file.write(b"y" * (1 << 20))
        file.write(b"\n" + python_line(at(5), "ERROR", "x").encode() + b"\n")
    os.utime(path, (NOW.timestamp(),) * 2)
    for since in ("1 h", "all"):
        answer, peak = _peak(path, patterns={"x": "views x", "end": "/yx$/"}, since=since)
        assert answer["cut"] == 1
        assert answer["patterns"]["x"] == {"1 h": 32, "all": 62}[since]
        assert peak < 64 << 10
    reading = asyncio.run(read(path, patterns={"end": "yx"}, since="1 h"))
    assert outcome(reading, "end == 0") is Outcome.ERROR
    assert "longer than 1 MiB" in reading.evidence[0].text


def test_two_gigabytes_of_nothing(tmp_path: Path) -> None:
    """A sparse file is not read for minutes, and is no log."""
    path = tmp_path / "a.log"
    with path.open("wb") as file:
        file.truncate(1 << 31)
    assert answered(path)["problem"][0] == "empty"


def test_many_different_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be told apart is not said to be the most frequent, or not new."""
    monkeypatch.setattr("opsconsole.checks._logtally.MOST_MESSAGES", 10)
    words = ["".join(random.Random(n).choices("ghijklmnop", k=8)) for n in range(50)]
    path = log(tmp_path / "a.log", [(90, "INFO", "x"), *((50, "ERROR", word) for word in words)])
    answer = answered(path, show="messages")
    assert (answer["count"], answer["different"], answer["many_messages"]) == (50, 10, True)


async def test_a_bomb(tmp_path: Path) -> None:
    """A compressed file that unpacks to far more than there is memory is read in pieces."""
    bomb = packed(b"\0" * (64 << 20), "gz")
    written(tmp_path / "a.log.1.gz", bomb * 4)
    log(tmp_path / "a.log", [(n, "ERROR", "x") for n in range(90, 0, -1)])
    assert (await problem(tmp_path / "a.log", since="24 h")).reason == "no-times"
    assert counts(await read(tmp_path / "a.log", patterns={"x": "views x"}, since="all"), "x") == [90]


async def test_a_pattern_that_never_ends(tmp_path: Path) -> None:
    """A catastrophic pattern is a timeout that names the suspicion, and the console goes on meanwhile."""
    path = written(tmp_path / "a.log", b"2026-11-20 11:50:00 " + b"a" * 64 + b"!\n")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    began = time.monotonic()
    found = await problem(path, logs.asked(timeout=1.0), patterns={"evil": "/(a+)+$/"}, since="1 h")
    ticking.cancel()
    assert found.reason == "timeout"
    assert "a repetition within a repetition" in found.hint
    assert time.monotonic() - began < 3
    assert ticks > 20


async def test_cancelled_it_leaves_nothing_running(tmp_path: Path) -> None:
    """When the run is given up the worker is gone."""
    path = written(tmp_path / "cancelled-here.log", b"2026-11-20 11:50:00 " + b"a" * 64 + b"!\n")
    task = asyncio.create_task(read(path, patterns={"evil": "/(a+)+$/"}, since="1 h"))
    deadline = time.monotonic() + 10
    while not _workers(path):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _workers(path) == []


def _workers(path: Path) -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = each.read_bytes()
            if str(path).encode() in words and b"_logscan" in words:
                found.append(each.parent.name)
    return found


async def test_cost_follows_the_window(tmp_path: Path) -> None:
    """The last hour of a long log is found without reading the rest."""
    line = python_line(NOW, "INFO", "y" * 200)
    lines = [(n / 10, "INFO", "y" * 200) for n in range(100_000, 0, -1)]
    path = log(tmp_path / "a.log", lines)
    answer = answered(path, level="", since="1 h")
    assert answer["count"] == 600
    assert answer["bytes"] < 1000 * len(line)


# --- hostile content ---------------------------------------------------------------------------------

_PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"\n", b"2026-11-20 11:30:00 ERROR ", b"2026-11-20 11:3", b"<3>", b"CRITICAL:", b"\0", b"\xff"]
        ),
        st.sampled_from([b"[20/Nov/2026:11:30:00 +0000] ", b"Nov 20 11:30:00 ", b'{"ts":1795174200,', b"\x1f\x8b"]),
    ),
    max_size=40,
).map(b"".join)


@given(
    _PIECES, st.sampled_from(["1 h", "all"]), st.sampled_from(["", "error"]), st.sampled_from(["messages", "lines"])
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_an_answer_or_a_problem(
    tmp_path: Path, data: bytes, since: str, level: str, show: str
) -> None:
    """Whatever stands in a file there is no crash, and no count of what was not seen."""
    path = written(tmp_path / "a.log", data)
    answer = answered(path, since=since, level=level, show=show, patterns={"critical": "CRITICAL:"}, tail=5)
    if "problem" in answer:
        assert answer["problem"][0] in {"empty", "no-times", "no-levels", "bad-answer", "future"}
        return
    found = _logask._decoded(json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    assert found.patterns["critical"] == found.count <= data.count(b"CRITICAL:")


@given(st.binary(max_size=200))
def test_any_answer_of_the_worker_is_understood_or_refused(text: bytes) -> None:
    """Half an answer of a worker that was killed is never a reading."""
    with pytest.raises(ProbeError) as caught:
        _logask._decoded(text)
    assert caught.value.problem.reason == "bad-answer"


async def test_a_worker_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was killed for want of memory is an error with what it said."""
    path = busy(tmp_path / "a.log")

    async def died(*_: object, **__: object) -> Finished:
        return Finished(-9, b"", b"Killed", truncated=False, elapsed=1.0)

    monkeypatch.setattr(_process, "run", died)
    assert (await problem(path)).reason == "failed"


async def test_control_characters_arrive_as_they_are(tmp_path: Path) -> None:
    """Escapes and bad UTF-8 come through as text, for the front end to spell out."""
    path = written(tmp_path / "a.log", b"2026-11-20 09:00:00 x\n2026-11-20 11:50:00 \x1b[31mred \xff [bold]\n")
    reading = await read(path, patterns={"red": "red"}, since="1 h")
    assert column(reading, "message") == ["2026-11-20 11:50:00 \x1b[31mred \\xff [bold]"]
    assert reading.measures["count"] == number(1)
