"""Disk, memory and load: the numbers of df, free and uptime, and the truth where there are none."""

import math
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opsconsole.checks import _groups, _mounts, disk, load, memory
from opsconsole.checks._mounts import mount_of, parsed_mounts, with_room
from opsconsole.checks.disk import DiskOptions
from opsconsole.checks.load import LoadOptions
from opsconsole.checks.memory import MemoryOptions
from opsconsole.contracts.probe import Environment, ProbeError, ProbeKind
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Moment, Number, Unit, Value
from support.needs import missing
from support.systemd import context

TESTS = Path(__file__).resolve().parents[1]


async def _measured(kind: ProbeKind, options: Any, **more: Any) -> Reading:
    probe = kind.open(Environment())
    try:
        return await probe.measure(options, context(**more))
    finally:
        await probe.aclose()


async def _problem(kind: ProbeKind, options: Any, **more: Any) -> Problem:
    with pytest.raises(ProbeError) as caught:
        await _measured(kind, options, **more)
    return caught.value.problem


def _decimal(value: Value) -> Decimal:
    assert isinstance(value, Number)
    return value.value


def _said(*argv: str) -> str:
    return subprocess.run(
        argv, capture_output=True, check=False, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}
    ).stdout.decode()


def _fits(reading: Reading, kind: ProbeKind, options: Any) -> bool:
    """Whether a reading has the subjects that its kind promises, with their units."""
    subjects = dict(kind.subjects(options) or {})
    values = dict(reading.measures)
    if reading.tabular:
        subjects.pop("count")
        values |= dict(zip(reading.columns, reading.rows[0], strict=True))
    units = {name: value.unit if isinstance(value, Number) else None for name, value in values.items()}
    return units == subjects and not any(isinstance(value, Moment) for value in values.values())


# --- disk --------------------------------------------------------------------------------------------


async def test_disk_has_the_numbers_of_df(tmp_path: Path) -> None:
    """Room, inodes, mount and type are what `df` shows for the same path."""
    reading = await _measured(disk.KIND, DiskOptions(path=str(tmp_path)))
    size, free, used, inodes, mount, kind = _said(
        "df", "-B1", "--output=size,avail,pcent,ipcent,target,fstype", str(tmp_path)
    ).splitlines()[1].split()  # fmt: skip
    measures = reading.measures
    assert _decimal(measures["total"]) == int(size)
    assert abs(_decimal(measures["free"]) - int(free)) < 2**30  # others write to it meanwhile
    assert abs(math.ceil(_decimal(measures["used"])) - int(used.rstrip("%"))) <= 1
    if inodes != "-":
        assert abs(math.ceil(_decimal(measures["inodes_used"])) - int(inodes.rstrip("%"))) <= 1
    assert (measures["mount"], measures["type"]) == (mount, kind)
    assert measures["read_only"] is False
    assert _fits(reading, disk.KIND, DiskOptions())
    assert reading.command == f"df -h -- {tmp_path}"
    assert "used" in reading.evidence[0].text


async def test_all_disks_are_those_with_room() -> None:
    """Every file system with room of its own has one row with its own numbers, those in memory have none."""
    reading = await _measured(disk.KIND, DiskOptions(all=True))
    sizes = {}
    for line in _said("df", "-B1", "-a", "--output=size,fstype,target").splitlines()[1:]:
        size, kind, mount = line.split(maxsplit=2)
        sizes[mount] = (size, kind)
    assert reading.rows
    for row in reading.rows:
        values = dict(zip(reading.columns, row, strict=True))
        size, kind = sizes[str(values["mount"])]
        assert _decimal(values["total"]) == int(size)
        assert values["type"] == kind
        assert kind not in {"tmpfs", "proc", "sysfs", "cgroup2", "squashfs"}
    mounts = [row[0] for row in reading.rows]
    assert len(mounts) == len(set(mounts))
    assert reading.label == "mount"
    assert _fits(reading, disk.KIND, DiskOptions(all=True))


async def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    """A path that is missing, or below a file, is an error that thinks of a missing mount."""
    file = tmp_path / "file"
    file.touch()
    for path in (tmp_path / "gone", file / "below"):
        problem = await _problem(disk.KIND, DiskOptions(path=str(path)))
        assert problem.reason == "not-found"
        assert str(path) in problem.cause
        assert "findmnt" in problem.hint


async def test_a_pseudo_file_system_has_no_size() -> None:
    """Zero of zero is not 0 % used."""
    assert (await _problem(disk.KIND, DiskOptions(path="/proc"))).reason == "bad-answer"


ONE = """
import asyncio, os, sys
from opsconsole.checks.disk import DiskOptions, DiskProbe
from opsconsole.contracts.probe import ProbeError
from support.systemd import context
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
if os.access(sys.argv[1], os.F_OK, effective_ids=True):
    sys.exit("privileged")
try:
    print(asyncio.run(DiskProbe().measure(DiskOptions(path=sys.argv[1]), context())))
except ProbeError as error:
    print(error.problem.reason)
"""


def test_a_path_that_may_not_be_looked_at(tmp_path: Path) -> None:
    """An ordinary user who may not enter a directory is told so, not shown the file system above."""
    closed = tmp_path / "closed"
    (closed / "inside").mkdir(parents=True)
    closed.chmod(0)
    try:
        said = subprocess.run(
            [sys.executable, "-c", ONE, str(closed / "inside")],
            capture_output=True,
            check=False,
            env={"PYTHONPATH": str(TESTS)},
        )
    finally:
        closed.chmod(0o700)
    if said.stderr == b"privileged\n":
        missing("THIS USER MAY ENTER CLOSED DIRECTORIES (CAP_DAC_READ_SEARCH).")
    assert said.stdout == b"no-permission\n", said.stderr.decode()


HANGING = """
import asyncio, ctypes, os, sys, time
from opsconsole.checks.disk import DiskOptions, DiskProbe
from opsconsole.contracts.probe import ProbeError
from support.systemd import context

path = sys.argv[1]
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"gone", path.encode(), b"fuse.gone", 0, options):
    sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")

async def main():
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1
    ticking = asyncio.create_task(tick())
    probe = DiskProbe()
    for asked in (DiskOptions(path=path), DiskOptions(all=True), DiskOptions(path=path)):
        try:
            await probe.measure(asked, context(timeout=0.3))
        except ProbeError as error:
            shown = "file systems" in [each.title for each in error.evidence]
            print(error.problem.reason, path in error.problem.cause, shown, ticks > 5)
    import threading
    print(sum("disk" in each.name for each in threading.enumerate()))
    os.close(device)
    for asked in (DiskOptions(path=path), DiskOptions(all=True)):
        try:
            await probe.measure(asked, context(timeout=30))
        except ProbeError as error:
            print(error.problem.reason, path in error.problem.cause)
    ticking.cancel()

asyncio.run(main())
"""


def test_a_dead_mount_holds_up_nothing(tmp_path: Path) -> None:
    """A file system that never answers is named in time, costs one thread, and does not keep the program."""
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK):
        missing("NOT ROOT: only root can mount a file system that never answers.")
    began = time.monotonic()
    said = subprocess.run(
        ["unshare", "-m", "--propagation", "private", sys.executable, "-c", HANGING, str(tmp_path)],
        capture_output=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(TESTS), "PATH": os.environ["PATH"]},
    )
    if b"cannot mount" in said.stderr:
        missing(f"NO FILE SYSTEM CAN BE MOUNTED: {said.stderr.decode().strip()}")
    assert said.stdout.decode().splitlines() == [
        "timeout True False True",
        "timeout True True True",
        "timeout True False True",
        "1",
        "source-down True",  # once its server is known to be gone
        "source-down True",
    ], said.stderr.decode()
    assert time.monotonic() - began < 30


MOUNTINFO = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
28 27 259:1 / /boot/efi rw shared:2 - vfat /dev/nvme0n1p1 rw
29 27 0:25 / /run rw - tmpfs tmpfs rw,size=1g
30 27 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro
31 27 259:2 /var/lib/data /srv/bind\040mount rw - ext4 /dev/nvme0n1p2 rw
32 27 0:44 /@home /home rw - btrfs /dev/sdb1 rw,subvol=/@home
33 27 0:45 /@logs /var/log rw - btrfs /dev/sdb1 rw,subvol=/@logs
34 27 0:50 / /mnt/nfs\134\011x rw - nfs4 server:/export rw
35 27 0:51 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw
36 27 0:52 / /home/op/.cache/doc rw - fuse.portal portal rw
37 27 0:53 / /home/op/remote rw - fuse.sshfs op@host: rw
38 27 0:54 / /tank rw - zfs tank rw
39 27 259:9 / /data rw - xfs /dev/sdc1 rw
40 39 259:10 / /data rw - xfs /dev/sdd1 rw
41 27 0:60 / /mnt/\377 rw - nfs server:/odd rw
broken line
"""


def test_which_file_systems_have_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each disk counts once, with the mount in front; binds, snaps, overlays, memory and portals do not."""
    listed = tmp_path / "mountinfo"
    listed.write_bytes(MOUNTINFO)
    monkeypatch.setattr(_mounts, "MOUNTINFO", listed)
    devices = frozenset({"ext4", "vfat", "xfs", "btrfs", "squashfs"})
    found = with_room(_mounts.mounted(), devices)
    assert [(each.shown, each.source) for each in found] == [
        ("/", "/dev/nvme0n1p2"),
        ("/boot/efi", "/dev/nvme0n1p1"),
        ("/data", "/dev/sdd1"),
        ("/home", "/dev/sdb1"),
        ("/home/op/remote", "op@host:"),
        ("/mnt/nfs\\\tx", "server:/export"),
        ("/mnt/\\xff", "server:/odd"),
        ("/tank", "tank"),
    ]
    mounts = parsed_mounts(MOUNTINFO)
    for path, point in (
        ("/etc", "/"),
        ("/home", "/home"),
        ("/homes", "/"),
        ("/home/op/remote/x", "/home/op/remote"),
    ):
        mount = mount_of(path, mounts)
        assert mount is not None
        assert mount.point == point


async def test_no_file_system_is_not_green(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where every mount is in memory, `all` has nothing to look at, and says so."""
    listed = tmp_path / "mountinfo"
    listed.write_bytes(b"1 0 0:1 / / rw - tmpfs tmpfs rw\n")
    monkeypatch.setattr(_mounts, "MOUNTINFO", listed)
    assert (await _problem(disk.KIND, DiskOptions(all=True))).reason == "empty"
    listed.unlink()
    assert (await _problem(disk.KIND, DiskOptions(all=True))).reason == "failed"


def test_the_root_of_a_container_counts() -> None:
    """Inside a container the overlay is all there is."""
    inside = parsed_mounts(b"1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / /x/merged rw - overlay overlay rw\n")
    assert [each.point for each in with_room(inside, frozenset({"ext4"}))] == ["/"]


def test_disk_options() -> None:
    """A relative path and a path beside `all` are found when the checklist is loaded."""
    assert disk.KIND.validate(DiskOptions(path="/srv")) == []
    assert disk.KIND.validate(DiskOptions(all=True)) == []
    assert [key for key, _ in disk.KIND.validate(DiskOptions(path="srv"))] == ["path"]
    assert [key for key, _ in disk.KIND.validate(DiskOptions(path="/srv", all=True))] == ["path"]


# --- memory ------------------------------------------------------------------------------------------


async def test_memory_has_the_numbers_of_free() -> None:
    """Total, available and swap are those of `free`, and the shares follow from them."""
    reading = await _measured(memory.KIND, MemoryOptions())
    lines = {line.split()[0]: line.split()[1:] for line in _said("free", "-b").splitlines()[1:]}
    measures = {name: _decimal(value) for name, value in reading.measures.items()}
    assert measures["total"] == int(lines["Mem:"][0])
    assert abs(measures["available"] - int(lines["Mem:"][5])) < 2**30
    assert measures["swap_total"] == int(lines["Swap:"][0])
    assert measures["available"] + measures["used"] == measures["total"]
    assert abs(measures["available_percent"] + measures["used_percent"] - 100) < Decimal("0.02")
    assert _fits(reading, memory.KIND, MemoryOptions())
    assert reading.command == "free -h"
    assert "available" in reading.evidence[0].text


MEMINFO = """MemTotal:       16000000 kB
MemFree:         1000000 kB
MemAvailable:    4000000 kB
Buffers:          100000 kB
Cached:          3000000 kB
SReclaimable:     200000 kB
SwapTotal:       {swap} kB
SwapFree:         500000 kB
HugePages_Total:       0
"""


def _pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str | None) -> None:
    file = tmp_path / name.lower()
    if text is not None:
        file.write_text(text, encoding="ascii")
    owner = {"LOADAVG": load, "OWN_CGROUP": _groups}.get(name, memory)
    monkeypatch.setattr(owner, name, file)


async def test_swap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Swap in use is a share of what there is; a host without swap uses none."""
    _pretend(monkeypatch, tmp_path, "MEMINFO", MEMINFO.format(swap=2000000))
    reading = await _measured(memory.KIND, MemoryOptions())
    assert reading.measures["swap_used"] == Number(Decimal("75.00"), Unit.PERCENT)
    assert reading.measures["available_percent"] == Number(Decimal("25.00"), Unit.PERCENT)
    _pretend(
        monkeypatch, tmp_path, "MEMINFO", MEMINFO.format(swap=0).replace("SwapFree:         500000", "SwapFree: 0")
    )
    reading = await _measured(memory.KIND, MemoryOptions())
    assert _decimal(reading.measures["swap_used"]) == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [(None, "failed"), ("", "bad-answer"), (MEMINFO.format(swap=0).replace("MemAvailable", "Mem"), "bad-answer")],
)
async def test_memory_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, reason: str
) -> None:
    """Without /proc, or on a kernel too old to say what is available, nothing is made up."""
    _pretend(monkeypatch, tmp_path, "MEMINFO", text)
    assert (await _problem(memory.KIND, MemoryOptions())).reason == reason


async def test_processes_that_were_killed_for_want_of_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Their number is the kernel's; a kernel that does not count them has none, which is not zero."""
    reading = await _measured(memory.KIND, MemoryOptions())
    counted = [line.split()[1] for line in _said("cat", "/proc/vmstat").splitlines() if "oom_kill " in line]
    assert [str(_decimal(reading.measures["oom_kills"]))] == counted
    _pretend(monkeypatch, tmp_path, "VMSTAT", "pgfault 1\noom_kill 3\n")
    reading = await _measured(memory.KIND, MemoryOptions())
    assert judge(reading, [parse_condition("oom_kills == 0")]).outcome is Outcome.FAIL
    assert judge(reading, [parse_condition("oom_kills <= 3")]).outcome is Outcome.PASS
    for text in ("pgfault 1\n", None):
        _pretend(monkeypatch, tmp_path, "VMSTAT", text)
        (tmp_path / "vmstat").unlink() if text is None else None
        reading = await _measured(memory.KIND, MemoryOptions())
        assert judge(reading, [parse_condition("oom_kills == 0")]).outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        ("0::/user.slice/op", {"user.slice/memory.max": "2147483648", "user.slice/op/memory.max": "max"}, 2**31),
        ("0::/", {"memory.max": "1073741824"}, 2**30),
        ("0::/", {}, None),
        ("5:memory:/docker/abc\n4:cpu:/x", {"memory/docker/abc/memory.limit_in_bytes": "1073741824"}, 2**30),
        ("5:memory:/a", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
    ],
)
async def test_a_control_group_with_less_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cgroup: str, files: dict[str, str], limit: int | None
) -> None:
    """In a container with less memory than the host, the evidence says that the numbers are the host's."""
    _pretend(monkeypatch, tmp_path, "MEMINFO", MEMINFO.format(swap=0))
    _pretend(monkeypatch, tmp_path, "OWN_CGROUP", cgroup + "\n")
    monkeypatch.setattr(_groups, "CGROUPS", tmp_path / "cgroups")
    for name, text in files.items():
        (tmp_path / "cgroups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroups" / name).write_text(text + "\n", encoding="ascii")
    reading = await _measured(memory.KIND, MemoryOptions())
    told = [each.text for each in reading.evidence if each.title == "control group"]
    assert bool(told) is (limit is not None)
    if limit is not None:
        assert f"{limit // 2**30} GiB" in told[0]


# --- load --------------------------------------------------------------------------------------------


async def test_load_has_the_numbers_of_uptime() -> None:
    """Load, processors and time since the start are the kernel's, and the share of each processor follows."""
    reading = await _measured(load.KIND, LoadOptions())
    measures = {name: _decimal(value) for name, value in reading.measures.items()}
    for name, expected in zip(("load1", "load5", "load15"), os.getloadavg(), strict=True):
        assert abs(measures[name] - Decimal(expected)) < 1
    assert measures["cpus"] == os.cpu_count()
    assert abs(measures["per_cpu5"] - measures["load5"] / measures["cpus"]) < Decimal("0.001")
    assert abs(measures["uptime"] - Decimal(time.clock_gettime(time.CLOCK_BOOTTIME))) < 60
    assert _fits(reading, load.KIND, LoadOptions())
    assert reading.command == "uptime"
    assert (
        judge(reading, [parse_condition("per_cpu15 >= 0"), parse_condition("uptime > 1 s")]).outcome is Outcome.PASS
    )


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "failed"), ("", "bad-answer"), ("a b c 1/2 3\n", "bad-answer")]
)
async def test_load_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, reason: str
) -> None:
    """Without /proc, or with something else in its place, nothing is made up."""
    _pretend(monkeypatch, tmp_path, "LOADAVG", text)
    assert (await _problem(load.KIND, LoadOptions())).reason == reason
