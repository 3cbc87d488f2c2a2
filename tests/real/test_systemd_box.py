"""The boxed systemd itself: real, and gone without a trace."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import systemd
from support.systemd import SystemdBox, until

pytestmark = [pytest.mark.systemd, pytest.mark.xdist_group("systemd")]

HOLD = """
import sys
from pathlib import Path
from support.systemd import SystemdBox
box = SystemdBox(Path(sys.argv[1]))
box.start()
print(box.cgroup, flush=True)
sys.stdin.read()
"""


def test_it_is_a_real_systemd(systemd_box: SystemdBox) -> None:
    """The tests speak with systemd as process 1, booted, with its journal and its bus."""
    assert systemd_box.run(["cat", "/proc/1/comm"]).stdout == b"systemd\n"
    assert systemd_box.systemctl("show", "--property=Version").startswith("Version=")
    assert systemd_box.shows("systemd-journald.service", ActiveState="active")
    assert systemd_box.run(["systemctl", "is-system-running"], uid=systemd.USER_ID).stdout == b"degraded\n"


def test_what_happens_inside_stays_inside(systemd_box: SystemdBox) -> None:
    """A file written in the box does not appear on this machine, whose processes the box cannot see."""
    assert systemd_box.run(["sh", "-c", "echo inside > /etc/opsconsole-box-test"]).returncode == 0
    assert not Path("/etc/opsconsole-box-test").exists()
    assert systemd_box.run(["test", "-e", f"/proc/{os.getpid()}/exe"]).returncode == 1
    assert systemd_box.run(["touch", str(systemd.REPOSITORY / "written-from-inside")]).returncode == 1


def test_stopping_leaves_nothing(tmp_path: Path, systemd_box: SystemdBox) -> None:
    """After the tests no process, mount or cgroup of the box is left on the machine."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    box = SystemdBox(tmp_path, name="stopped")
    box.start()
    pid, cgroup = box.pid, box.cgroup
    assert cgroup.is_dir()
    box.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert not cgroup.exists()
    assert Path("/proc/self/mountinfo").read_text(encoding="utf-8") == mounts


def _populated(cgroup: Path) -> bool:
    return "populated 1" in (cgroup / "cgroup.events").read_text(encoding="ascii")


def test_a_killed_test_run_takes_its_box_along(tmp_path: Path, systemd_box: SystemdBox) -> None:
    """Even kill -9 of a test run leaves no systemd running; the next run removes the empty cgroup."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(systemd.REPOSITORY / "tests")},
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder.stdin, holder.stdout:
        cgroup = Path(holder.stdout.readline().decode().strip())
        assert _populated(cgroup)
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    until(lambda: not _populated(cgroup), "the end of the box")
    systemd.remove_stale_cgroups(cgroup.parent)
    assert not cgroup.exists()


def test_nothing_keeps_systemd_from_handing_out_controllers(systemd_box: SystemdBox) -> None:
    """The root of the box's cgroups is free of processes, as the second version of cgroups wants it."""
    assert (systemd_box.cgroup / "cgroup.procs").read_text(encoding="ascii") == ""
    assert (systemd_box.cgroup / "init.scope/cgroup.procs").read_text(encoding="ascii").split()


@pytest.mark.parametrize(("ci", "raised"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_box_is_loud(monkeypatch: pytest.MonkeyPatch, ci: str, raised: type[Exception]) -> None:
    """Where no box can start its tests are skipped with a reason in capitals; in CI they are errors."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(raised, match="NO REAL SYSTEMD: it needs root"):
        systemd.refuse("it needs root")
