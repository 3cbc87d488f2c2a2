"""Requests to disks: those to the real one that the tests write to, and lines that kernels have shown."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _blockdevices, _diskstats, _groups, _mounts, _proc
from opsconsole.checks._diskstats import Disks, parsed_disks, passed
from opsconsole.checks._sampling import Samples
from opsconsole.checks.diskio import KIND
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number
from support.hostprobes import eventually, measured, outcome, problem_of, problems
from support.needs import missing

TESTS = Path(__file__).resolve().parents[1]

KERNEL_4_15 = """\
   8       0 sda 56402 14523 3254874 18308 85310 120312 9874562 203844 0 45788 222140
   8       1 sda1 56011 14523 3241490 18200 81022 120312 9874562 201112 0 44100 219300
  11       0 sr0 0 0 0 0 0 0 0 0 0 0 0
   7       0 loop0 43 0 688 12 0 0 0 0 0 8 12
"""
"""Before discards were counted: 11 counters."""
KERNEL_4_19 = """\
   8       0 sda 56402 14523 3254874 18308 85310 120312 9874562 203844 0 45788 222140 118 0 73423648 310
 253       0 dm-0 70600 0 3241802 24312 205622 0 9874562 1040112 0 46012 1064424 118 0 73423648 296
"""
"""With discards: 15 counters."""
KERNEL_6_1 = """\
 259       0 nvme0n1 1105244 147449 28856522 850947 18227641 3408817 506738024 3611307 0 1044752 5041932 \
3968679 278 743861664 310615 4732203 269061
 259       1 nvme0n1p1 203 24 12354 61 2 0 2 0 0 88 61 0 0 0 0 0 0
"""
"""With flushes: 17 counters."""


# --- the real disk -----------------------------------------------------------------------------------


@contextlib.contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Write to a disk, past the cache, until the end of the block."""
    ended = threading.Event()

    def write() -> None:
        with (directory / "written").open("wb", buffering=0) as file:
            while not ended.is_set():
                file.seek(0)
                file.write(os.urandom(65_536))
                os.fdatasync(file.fileno())

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


async def test_a_real_disk(tmp_path: Path) -> None:
    """What is written to a disk is seen as a rate, of which a limit is broken or kept."""
    place = await asyncio.to_thread(on_a_disk, tmp_path)
    with writing(tmp_path):
        reading = await measured(KIND, device=place, window="200 ms")
        every = await measured(KIND, window="200 ms")
    assert outcome(reading, "writes > 1", "write_rate > 10 kB", "write_wait > 0 s", "queue > 0") is Outcome.PASS
    assert outcome(reading, "write_rate < 10 kB") is Outcome.FAIL
    assert outcome(reading, "busy < 0.1%") is Outcome.FAIL
    assert outcome(reading, "busy <= 100%", "wait < 1 min", "reads >= 0", "in_flight >= 0") is Outcome.PASS
    name = reading.measures["device"]
    assert f"{place} is on {name}" in reading.evidence[0].text
    assert reading.command == f"iostat -dxy {name} 1 1"
    assert outcome(every, "any writes > 1") is Outcome.PASS
    assert outcome(every, "every writes < 1") is Outcome.FAIL


def on_a_disk(directory: Path) -> str:
    """Return a path on the disk that the tests write to: in a container, a file that its host has put there."""
    for path in (directory, Path("/etc/hosts")):
        if path.exists() and os.major(path.stat().st_dev):
            return str(path)
    missing("THE TESTS ARE ON NO DISK: what is written to one was not measured.")


async def test_a_disk_by_name_by_path_and_by_what_is_on_it(tmp_path: Path) -> None:
    """The same device answers to its name and to any file on it."""
    place = await asyncio.to_thread(on_a_disk, tmp_path)
    by_path = await measured(KIND, device=place, window="100 ms")
    name = str(by_path.measures["device"])
    assert (await measured(KIND, device=name, window="100 ms")).measures["device"] == name
    if (node := Path("/dev", name)).is_block_device():
        assert (await measured(KIND, device=str(node), window="100 ms")).measures["device"] == name


async def test_disks_that_are_shown() -> None:
    """Every whole disk has a row; loops, memory and partitions have none unless they are named."""
    reading = await measured(KIND, window="100 ms")
    assert outcome(reading, "no device matches '^(loop|ram|zram|sr|fd)[0-9]+$'") is Outcome.PASS
    blocks = {name.replace("!", "/") for name in os.listdir("/sys/block")}  # noqa: PTH208 - only their names
    assert {row[0] for row in reading.rows} <= blocks
    assert reading.label == "device"
    for virtual in blocks & {"loop0"}:
        assert (await measured(KIND, device=virtual, window="100 ms")).measures["device"] == virtual


# --- what has no device ------------------------------------------------------------------------------


async def test_what_is_on_no_device() -> None:
    """A file system without a device of its own is named with its type, and never measured as 0."""
    problem = await problem_of(KIND, device="/proc")
    assert problem.reason == "not-found"
    assert problem.cause == "/proc is on proc, which has no block device of its own"
    assert (await problem_of(KIND, device="/dev/null")).cause == "/dev/null is no block device"


@pytest.mark.parametrize(
    ("mount", "hint"),
    [
        ("tmpfs tmpfs", "in memory"),
        ("overlay overlay", "what is below it"),
        ("btrfs /dev/sdb1", "btrfs filesystem show"),
        ("zfs tank", "zpool status"),
        ("nfs4 server:/export", "where its disks are"),
    ],
)
async def test_what_to_name_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mount: str, hint: str) -> None:
    """Each of them says where its requests can be seen."""
    listed = tmp_path / "mountinfo"
    listed.write_text(f"27 1 0:44 / / rw - {mount} rw\n")
    monkeypatch.setattr(_mounts, "MOUNTINFO", listed)
    problem = await problem_of(KIND, device="/proc")
    assert f"is on {mount.partition(' ')[0]}, which has no block device" in problem.cause
    assert hint in problem.hint


async def test_what_is_not_there(tmp_path: Path) -> None:
    """A device or a path that is missing is told at once, and not after the window."""
    for device in ("sdzz", "/dev/sdzz", str(tmp_path / "gone")):
        problem = await problem_of(KIND, 60, device=device, window="30 s")
        assert problem.reason == "not-found"
        assert device in problem.cause
    assert "there are" in (await problem_of(KIND, device="sdzz")).hint


CLOSED = """
import asyncio, os, sys
from opsconsole.checks.diskio import KIND
from support.hostprobes import problem_of
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
if os.access(sys.argv[1], os.F_OK, effective_ids=True):
    sys.exit("privileged")
print(asyncio.run(problem_of(KIND, device=sys.argv[1])).reason)
"""


def test_a_path_that_may_not_be_looked_at(tmp_path: Path) -> None:
    """An ordinary user who may not enter a directory is told so, not shown the device of the one above."""
    closed = tmp_path / "closed"
    (closed / "inside").mkdir(parents=True)
    closed.chmod(0)
    try:
        said = subprocess.run(
            [sys.executable, "-c", CLOSED, str(closed / "inside")],
            capture_output=True,
            check=False,
            timeout=60,
            env={"PYTHONPATH": str(TESTS)},
        )
    finally:
        closed.chmod(0o700)
    if said.stderr == b"privileged\n":
        missing("THIS USER MAY ENTER CLOSED DIRECTORIES (CAP_DAC_READ_SEARCH).")
    assert said.stdout == b"no-permission\n", said.stderr.decode()


async def test_a_path_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead mount holds up nothing: what did not answer is said in time."""
    waiting = threading.Event()
    monkeypatch.setattr(_blockdevices, "number_of", lambda _: waiting.wait())
    try:
        problem = await problem_of(KIND, 0.3, device="/srv", window="100 ms")
    finally:
        waiting.set()
    assert problem.reason == "timeout"
    assert "/srv did not answer" in problem.cause


# --- lines of kernels --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [KERNEL_4_15, KERNEL_4_19, KERNEL_6_1])
def test_lines_of_old_and_new_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    """Whatever counters a kernel adds, the same ones are read as psutil reads."""
    (tmp_path / "diskstats").write_text(text)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    theirs = psutil.disk_io_counters(perdisk=True, nowrap=False)
    ours = {disk.name: disk for disk in parsed_disks(text).values()}
    assert ours.keys() == theirs.keys()
    for name, disk in ours.items():
        their = theirs[name]
        assert (disk.reads, disk.read_bytes, disk.read_ms) == (their.read_count, their.read_bytes, their.read_time)
        assert (disk.writes, disk.write_bytes) == (their.write_count, their.write_bytes)
        assert (disk.write_ms, disk.busy_ms) == (their.write_time, their.busy_time)


def test_what_psutil_leaves_out() -> None:
    """The time of all requests, discards and flushes are read where a kernel has them."""
    found = {
        disk.name: disk for text in (KERNEL_4_15, KERNEL_4_19, KERNEL_6_1) for disk in parsed_disks(text).values()
    }
    assert (found["sda1"].weighted_ms, found["sda1"].others) == (219300, 0)
    assert found["dm-0"].others == 118
    assert found["nvme0n1"].others == 3968679 + 4732203
    assert found["nvme0n1"].number == "259:0"


@pytest.mark.parametrize(
    "line",
    [
        "8 1 sda1 56011 14523 3241490 18200",  # partitions before Linux 2.6.25
        "8 0 sda 1 1 1 1 1 1 1 1 0 1",
        "8 0 sda 1 1 1 1 1 1 1 1 0 -1 1",
        "8 0 sda 1 1 1 x 1 1 1 1 0 1 1",
        "8 x sda 1 1 1 1 1 1 1 1 0 1 1",
        "nonsense",
    ],
)
async def test_a_line_that_is_not_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> None:
    """It may be the device that matters: it is an error, and not left out."""
    listed = tmp_path / "diskstats"
    listed.write_text(f"{KERNEL_6_1}{line}\n")
    monkeypatch.setattr(_diskstats, "DISKSTATS", listed)
    assert (await problem_of(KIND)).reason == "bad-answer"
    listed.unlink()
    assert (await problem_of(KIND)).reason == "failed"


@given(st.text() | st.lists(st.integers(-(2**40), 2**70).map(str), max_size=22).map(" ".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is in there is disks or a cause."""
    reason = "bad-answer"
    try:
        assert all(disk.reads >= 0 for disk in parsed_disks(text).values())
    except ProbeError as error:
        reason = error.problem.reason
    assert reason == "bad-answer"


# --- what passes between two looks -------------------------------------------------------------------

IDLE = (
    "reads=1000 read_bytes=1000 read_ms=500 writes=2000 write_bytes=2000 write_ms=4000 busy_ms=300 weighted_ms=4500"
)


def disks(changes: str = "") -> Disks:
    """Return a disk with these counters, by its number."""
    said: dict[str, Any] = {"name": "sda", "number": "8:0", "in_flight": 0, "others": 0}
    for each in f"{IDLE} {changes}".split():
        name, _, text = each.partition("=")
        said[name] = text if name in {"name", "serial"} else None if text == "?" else int(text)
    return {"8:0": _diskstats.Disk(**{**said, "counted": bool(said.get("counted", 1))})}


def seen(before: str, after: str, elapsed: str = "2") -> Reading:
    """Return what is read of a disk that was looked at twice."""
    found = passed("8:0", Samples(disks(before), disks(after), Decimal(elapsed)))
    assert found.values.keys() == _diskstats.SUBJECTS.keys()
    return Reading(measures=found.values, lower_bounds=found.lower_bounds)


BUSY = "reads=1100 read_bytes=2001000 read_ms=900 writes=2050 write_bytes=4002000 write_ms=9000 busy_ms=1800"
WAITING = "in_flight=3 reads_waiting=1 writes_waiting=2"


@pytest.mark.parametrize(
    ("before", "after", "green", "red"),
    [
        ("", BUSY, "reads == 50", "reads < 50"),
        ("", BUSY, "writes == 25", "writes > 25"),
        ("", BUSY, "read_rate == 1 MB", "read_rate < 1 MB"),
        ("", BUSY, "write_rate == 2 MB", "write_rate < 2 MB"),
        ("", BUSY, "busy == 75%", "busy < 70%"),
        ("", BUSY, "wait == 36 ms", "wait < 20 ms"),
        ("", BUSY, "read_wait == 4 ms", "read_wait < 4 ms"),
        ("", BUSY, "write_wait == 100 ms", "write_wait < 50 ms"),
        ("", "weighted_ms=10500", "queue == 3", "queue < 3"),
        ("", "busy_ms=2305", "busy == 100%", "busy < 100%"),  # the kernel's clock is coarser than the window
        ("", "in_flight=7", "in_flight == 7", "in_flight < 7"),
        ("", "", "wait == 0 s", "wait > 0 s"),
        ("", "", "busy == 0%", "busy > 0%"),
        # milliseconds have 32 bits, and begin again
        ("busy_ms=4294967000", "busy_ms=704", "busy == 50%", "busy < 50%"),
        ("weighted_ms=4294967295", "weighted_ms=3999", "queue == 2", "queue < 2"),
        ("read_ms=4294967290", "read_ms=4 reads=1010", "read_wait == 1 ms", "read_wait < 1 ms"),
        # a request that has been under way all the time has waited as long at least
        (WAITING, WAITING, "wait >= 2 s", "wait < 1 s"),
        (WAITING, WAITING, "read_wait >= 2 s", "read_wait < 1 s"),
        (WAITING, f"{WAITING} writes=2010 write_ms=4100", "write_wait == 10 ms", "write_wait < 10 ms"),
        (WAITING, f"{WAITING} writes=2010 write_ms=4100", "read_wait >= 2 s", "read_wait < 1 s"),
    ],
)
def test_what_passed(before: str, after: str, green: str, red: str) -> None:
    """Every figure is what iostat(1) would show of the same counters, and can be green and red."""
    reading = seen(before, after)
    assert outcome(reading, green) is Outcome.PASS
    assert outcome(reading, red) is Outcome.FAIL


@pytest.mark.parametrize(
    ("before", "after", "conditions"),
    [
        # set back, or another disk of the same name
        ("", "reads=3", "reads < 99999; read_rate < 1 GB; writes < 99999; busy <= 100%; wait < 1 h; queue < 999"),
        ("serial=4", f"{BUSY} serial=5", "reads < 99999; busy <= 100%; write_wait < 1 h"),
        ("", f"{BUSY} name=sdb", "reads < 99999; busy <= 100%"),
        # the kernel does not count
        ("counted=0", "counted=0", "reads < 99999; busy <= 100%; wait < 1 h; in_flight < 9; queue < 9"),
        ("busy_ms=0", f"{BUSY} busy_ms=0 weighted_ms=0", "busy <= 100%; queue < 9"),
        # it miscounted
        ("", "in_flight=?", "in_flight < 9"),
        ("", "busy_ms=299", "busy <= 100%"),
        ("", "busy_ms=90000", "busy <= 100%"),
        ("", f"{BUSY} read_ms=100 weighted_ms=1", "read_wait < 1 h; wait < 1 h; queue < 999999"),
        # something hangs, for which the kernel has counted nothing yet
        (WAITING, WAITING, "busy < 50%; queue < 1; wait < 1 h; read_wait < 1 h; write_wait < 1 h"),
        # flushes one after another are no request that hangs, nor proof that none does
        (WAITING, f"{WAITING} others=9", "wait < 1 h; wait > 1 s; write_wait < 1 h"),
        ("in_flight=?", "in_flight=?", "busy < 50%; wait < 1 h; wait > 1 s"),
        ("", "", "read_wait < 1 h; write_wait < 1 h"),  # without /sys nobody knows which of them wait
    ],
)
def test_what_cannot_be_said(before: str, after: str, conditions: str) -> None:
    """A figure that the counters do not give is neither green nor red, and never 0."""
    reading = seen(before, after)
    for condition in conditions.split("; "):
        assert outcome(reading, condition) is Outcome.ERROR, condition


def test_a_clock_that_stands_still() -> None:
    """Where no time passed on the host's clock, as while it is suspended, nothing is said of a second."""
    reading = seen("", BUSY, "0")
    for name in set(_diskstats.RATES):
        assert reading.measures[name] is None


def test_words_of_what_is_not_known() -> None:
    """The evidence says `unknown` and `at least`, and not 0."""
    text = _diskstats.line(passed("8:0", Samples(disks(WAITING), disks(WAITING), Decimal(2))))
    assert "waited at least 2 s (reads at least 2 s, writes at least 2 s), queue unknown, 3 under way" in text


# --- devices that come and go ------------------------------------------------------------------------

LINE = "{number} 0 {name} 9 0 9 9 9 0 9 9 0 9 9\n"
SDA, SDB = LINE.format(number=8, name="sda"), LINE.format(number=9, name="sdb")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Let the kernel show these texts, one after another, of disks that /sys knows nothing of."""

    def show(*texts: str) -> None:
        following = iter(texts)
        monkeypatch.setattr(_diskstats, "DEVICES", tmp_path)
        monkeypatch.setattr(_proc, "read", lambda _path: next(following))

    return show


async def test_a_disk_that_is_detached_meanwhile(shown: Callable[..., None]) -> None:
    """Where one of several is gone, the others do not make the item green; the only one is an error."""
    shown(SDA + SDB, SDA)
    reading = await measured(KIND, window="100 ms")
    assert outcome(reading, "every reads < 100") is Outcome.ERROR
    assert "detached while one looked: sdb" in reading.evidence[0].text
    shown(SDA + SDB, SDA)
    assert (await problem_of(KIND, device="sdb", window="100 ms")).reason == "not-found"
    shown(SDA, "")
    assert (await problem_of(KIND, window="100 ms")).reason == "empty"


async def test_a_disk_that_is_attached_meanwhile(shown: Callable[..., None]) -> None:
    """It has no rates yet, and is not taken for an idle one."""
    shown(SDA, SDA + SDB)
    reading = await measured(KIND, window="100 ms")
    assert [(row[0], row[1] is None) for row in reading.rows] == [("sda", False), ("sdb", True)]
    assert outcome(reading, "every reads < 100") is Outcome.ERROR


async def test_one_that_is_attached_anew_under_the_same_name(shown: Callable[..., None]) -> None:
    """It has another number, and what passed on it cannot be said."""
    shown(SDA, LINE.format(number=65, name="sda"))
    reading = await measured(KIND, device="sda", window="100 ms")
    assert outcome(reading, "reads < 100") is Outcome.ERROR


def _known(directory: Path, number: str, **files: str) -> Path:
    """Let /sys know a device."""
    place = directory / number
    for name, text in files.items():
        path = place / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return place


async def test_what_sys_says_of_disks(shown: Callable[..., None], tmp_path: Path) -> None:
    """Partitions and empty drives are left out; what is not counted is an error; a mapper's name is told."""
    _known(tmp_path, "8:0", size="2048", queue__iostats="0", inflight="1 2", diskseq="7")
    _known(tmp_path, "8:1", size="1024", partition="1")
    _known(tmp_path, "9:0", size="4096", dm__name="vg-srv", queue__iostats="1")
    _known(tmp_path, "10:0", size="0")
    part = SDA.replace("8 0 sda", "8 1 sda1")
    every = SDA + part + SDB.replace("sdb", "dm-0") + LINE.format(number=10, name="sdc")
    shown(every, every)
    reading = await measured(KIND, window="100 ms")
    assert [row[0] for row in reading.rows] == ["dm-0", "sda"]
    assert [row[1] is None for row in reading.rows] == [False, True]
    assert outcome(reading, "every busy <= 100%") is Outcome.ERROR
    assert "dm-0 (vg-srv)" in reading.evidence[0].text
    assert "not counted, see /sys/block/NAME/queue/iostats: sda" in reading.evidence[0].text
    shown(every, every)
    problem = await problem_of(KIND, device="sda", window="100 ms")
    assert "does not count the requests to sda" in problem.cause
    described = _diskstats.described(parsed_disks(every)["8:0"])
    assert (described.serial, described.reads_waiting, described.writes_waiting) == ("7", 1, 2)


async def test_a_disk_that_hangs(shown: Callable[..., None], tmp_path: Path) -> None:
    """A request that is under way all the time breaks a limit on the wait, though nothing was completed."""
    _known(tmp_path, "8:0", size="2048", inflight="0 1")
    hanging = SDA.replace(" 9 9 0 9 9\n", " 9 9 1 9 9\n")
    shown(hanging, hanging)
    reading = await measured(KIND, device="sda", window="100 ms")
    assert outcome(reading, "wait < 50 ms") is Outcome.FAIL
    assert outcome(reading, "write_wait < 50 ms") is Outcome.FAIL
    assert outcome(reading, "wait < 10 s") is Outcome.ERROR
    assert outcome(reading, "read_wait < 10 s") is Outcome.PASS
    shown(hanging, hanging)
    every = await measured(KIND, window="100 ms")
    assert outcome(every, "every wait < 10 s") is Outcome.ERROR


async def test_without_sys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /sys nobody can tell disks from their parts."""
    monkeypatch.setattr(_diskstats, "DEVICES", tmp_path / "nothing")
    problem = await problem_of(KIND)
    assert (problem.reason, "is /sys mounted?" in problem.hint) == ("failed", True)


async def test_whose_figures(monkeypatch: pytest.MonkeyPatch, shown: Callable[..., None]) -> None:
    """Inside a container it is said that these are the host's disks, or those that lxcfs shows."""
    monkeypatch.setattr(_groups, "in_container", lambda: True)
    shown(SDA, SDA)
    assert "of the whole host" in (await measured(KIND, device="sda", window="100 ms")).evidence[1].text
    monkeypatch.setattr(_groups, "shows_own", lambda path: path == "/proc/diskstats")
    shown(SDA, SDA)
    assert "not of its host" in (await measured(KIND, device="sda", window="100 ms")).evidence[1].text


async def test_more_than_can_be_shown(shown: Callable[..., None]) -> None:
    """Beyond the bound the table is cut off, and cannot be green."""
    many = "".join(SDA.replace("8 0 sda", f"8 {each} sd{each}") for each in range(1001))
    shown(many, many)
    reading = await measured(KIND, window="100 ms")
    assert len(reading.rows) == 1000
    assert outcome(reading, "every reads == 0") is Outcome.ERROR


async def test_cancelled_while_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted pass ends at once, within the window."""
    looked = threading.Event()

    def noted() -> Disks:
        looked.set()
        return parsed_disks(SDA)

    monkeypatch.setattr(_diskstats, "disks", noted)
    task = asyncio.ensure_future(measured(KIND, 60, device="sda", window="30 s"))
    await eventually(looked.is_set)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 5


def test_options() -> None:
    """Mistakes are found when the checklist is loaded."""
    assert problems(KIND) == []
    assert problems(KIND, device="nvme0n1p2") == []
    assert problems(KIND, device="/dev/disk/by-label/with space") == []
    assert problems(KIND, device="mapper/data") == ["device"]
    assert problems(KIND, device="/dev/\0") == ["device"]
    assert problems(KIND, device="sda ") == ["device"]
    assert problems(KIND, window="0 s") == ["window"]
    assert problems(KIND, device="a/b", window="1 h") == ["window", "device"]


def test_a_window_beyond_the_timeout() -> None:
    """A window that cannot end in time is refused before it begins."""
    assert asyncio.run(problem_of(KIND, 1, window="2 s")).reason == "bad-options"


def test_numbers_have_few_digits() -> None:
    """A record keeps what can be read, and not the digits of a division."""
    reading = seen("", f"{BUSY} weighted_ms=9999", "0.3")
    for value in reading.measures.values():
        if isinstance(value, Number):
            assert -int(value.value.as_tuple().exponent) <= 6
