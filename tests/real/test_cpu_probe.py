"""What processors do: real load, the kernel's own numbers, and counts that are none."""

from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _groups, _proc, cpu
from opsconsole.checks.cpu import KIND
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Number
from support.hostprobes import BUSY, eventually, measured, outcome, problem_of, problems, running, value

SHARES = ("user", "system", "iowait", "steal", "idle")


async def test_real_load() -> None:
    """A busy process shows on the processors, and `top`'s shares add up to 100 %."""
    with running(*BUSY) as busy:
        handle = psutil.Process(busy.pid)
        await eventually(lambda: handle.cpu_times().user > 0.02)
        reading = await measured(KIND, window="400 ms")
    assert abs(sum((value(reading, name) for name in SHARES), Decimal(-100))) < Decimal("0.1")
    assert abs(value(reading, "user") + value(reading, "system") - value(reading, "used")) < Decimal("0.02")
    assert outcome(reading, "used > 5%", "busiest > 10%") is Outcome.PASS
    assert outcome(reading, "used < 5%") is Outcome.FAIL
    assert value(reading, "cpus") == psutil.cpu_count()
    assert not reading.tabular


async def test_each_core() -> None:
    """Each processor is judged by itself where that is asked for."""
    reading = await measured(KIND, window="200 ms", per_core=True)
    assert [row[0] for row in reading.rows] == sorted((str(row[0]) for row in reading.rows), key=len)
    assert len(reading.rows) == psutil.cpu_count() == value(reading, "cpus")
    assert outcome(reading, "every used <= 100%", "every idle >= 0%", "used <= 100%") is Outcome.PASS
    assert outcome(reading, "no used <= 100%") is Outcome.FAIL


def _stat(*cores: tuple[int, ...]) -> str:
    total = [sum(column) for column in zip(*cores, strict=True)]
    lines = [f"cpu  {' '.join(map(str, total))} 0 0"]
    lines += [f"cpu{number} {' '.join(map(str, core))} 0 0" for number, core in enumerate(cores)]
    return "\n".join([*lines, "intr 1 2 3", "ctxt 4"])


def _pretended(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """Let the kernel say one text after another."""
    said = iter(texts)
    real = _proc.read
    monkeypatch.setattr(_proc, "read", lambda path: next(said) if path == cpu.STAT else real(path))


async def test_waiting_for_disks_and_hypervisors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that a hypervisor took and waiting for disks are told from work, on each processor."""
    before = _stat((100,) * 8, (100,) * 8)
    # user nice system idle iowait irq softirq steal
    after = _stat((110, 100, 110, 160, 120, 100, 100, 100), (140, 110, 120, 100, 100, 105, 105, 120))
    _pretended(monkeypatch, before, after)
    reading = await measured(KIND, window="100 ms", per_core=True)
    rows = {str(row[0]): [_number(each) for each in row[1:]] for row in reading.rows}
    assert rows == {"cpu0": [20, 10, 10, 20, 0, 60], "cpu1": [80, 50, 30, 0, 20, 0]}
    assert value(reading, "busiest") == 80
    assert outcome(reading, "steal < 5%") is Outcome.FAIL
    assert outcome(reading, "iowait <= 10%", "any steal > 15%", "idle > 25%") is Outcome.PASS
    assert outcome(reading, "every used < 90%") is Outcome.PASS
    assert outcome(reading, "every used < 70%") is Outcome.FAIL


def _number(cell: object) -> Decimal:
    assert isinstance(cell, Number)
    return cell.value


async def test_a_core_that_goes_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that was not there all the time is unknown, not idle; counts that run backward are none."""
    before = "cpu  10 0 0 10 9 0 0 0\ncpu0 5 0 0 5 9 0 0 0\ncpu3 5 0 0 5 0 0 0 0\n"
    after = "cpu  20 0 0 20 3 0 0 0\ncpu0 15 0 0 15 3 0 0 0\n"
    _pretended(monkeypatch, before, after)
    reading = await measured(KIND, window="100 ms", per_core=True)
    assert [row[0] for row in reading.rows] == ["cpu0", "cpu3"]
    assert [_number(cell) for cell in reading.rows[0][1:]] == [50, 50, 0, 0, 0, 50]
    assert set(reading.rows[1][1:]) == {None}
    assert outcome(reading, "every used < 90%") is Outcome.ERROR
    assert outcome(reading, "used < 90%") is Outcome.PASS


@pytest.mark.parametrize(
    "text",
    ["", "cpu  1 2 3\n", "cpu  0 0 0 0 0 0 0 0\n", _stat((0,) * 8), "cpu  a b c d e f g h\ncpu0 1 1 1 1 1 1 1 1\n"],
)
async def test_counts_that_say_nothing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Zeros, as some sandboxes show them, and what is no count are problems, not an idle host."""
    _pretended(monkeypatch, text, text)
    assert (await problem_of(KIND, window="100 ms")).reason == "bad-answer"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is in there is a count or a cause."""
    with pytest.raises(ProbeError) as caught:
        cpu.parsed_stat(text)
    assert caught.value.problem.reason == "bad-answer"


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        ("0::/a/b", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, Decimal("1.5")),
        ("0::/", {}, None),
        (
            "3:cpu,cpuacct:/a",
            {"cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"},
            Decimal("0.5"),
        ),
        ("3:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, None),
        ("0::/a", {"a/cpu.max": "1 0"}, None),
    ],
)
async def test_whose_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cgroup: str, files: dict[str, str], limit: Decimal | None
) -> None:
    """Where the console itself may use less than the host has, it is told that the figures are the host's."""
    (tmp_path / "cgroup").write_text(cgroup + "\n")
    monkeypatch.setattr(_groups, "OWN_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(_groups, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(_groups, "CONTAINER_MARKS", ())
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text + "\n")
    reading = await measured(KIND, window="100 ms")
    told = [each.text for each in reading.evidence if each.title == "whose figures"]
    assert bool(told) is (limit is not None)
    if limit is not None:
        assert f"may use {limit} processors at most" in told[0]


async def test_figures_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a container the figures are the host's, unless lxcfs puts the container's in place of them."""
    (tmp_path / "mark").touch()
    mounts = tmp_path / "mountinfo"
    mounts.write_text("1 2 0:5 /proc/stat /proc/stat rw - fuse.lxcfs lxcfs rw\n")
    monkeypatch.setattr(_groups, "CONTAINER_MARKS", (tmp_path / "mark",))
    reading = await measured(KIND, window="100 ms")
    assert "figures of the whole host" in reading.evidence[1].text
    monkeypatch.setattr(_groups, "MOUNTINFO", mounts)
    reading = await measured(KIND, window="100 ms")
    assert "not of its host" in reading.evidence[1].text


async def test_a_window_that_does_not_fit() -> None:
    """A window beyond the item's timeout is a mistake that is told."""
    problem = await problem_of(KIND, 5, window="10 s")
    assert (problem.reason, "timeout of 5 s" in problem.cause) == ("bad-options", True)


def test_options() -> None:
    """Mistakes are found when the checklist is loaded."""
    assert problems(KIND) == []
    assert problems(KIND, window="10 min", per_core=True) == []
    assert problems(KIND, window="50 ms") == ["window"]
    assert problems(KIND, window="11 min") == ["window"]
