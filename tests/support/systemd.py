"""A real systemd with a real journald, in a box: fixture and handle for the tests that need one.

The box is PID 1 of its own pid, mount, network, UTS, IPC and cgroup namespaces over a throw-away copy of this
machine's root. It needs root, util-linux and systemd installed, and starts in about a second. Where it cannot start
the tests that ask for it are skipped loudly, and are errors where `CI=true`: there they must not be missing.
"""

import contextlib
import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

import opsconsole
from opsconsole.contracts.probe import Context
from opsconsole.model.calendar import Times, period_of, window_between
from opsconsole.model.checklists import Cadence
from opsconsole.model.encoding import plain
from opsconsole.model.readings import Evidence, Problem, Reading
from support.box_init import UID
from support.needs import missing

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = Path(opsconsole.__file__).resolve().parents[1]
"""Where the package under test was imported from; probes inside the box are to be the same."""
UNITS = REPOSITORY / "tests/real/units"
PROGRAMS = ("unshare", "nsenter", "setpriv", "mount", "umount", "pivot_root", "dbus-daemon", "journalctl")
BOOT_SECONDS = 30.0
STOP_SECONDS = 5.0
USER_ID = UID
"""An ordinary user of the box, without any rights."""
_CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "SYSTEMD_PAGER": ""}
_CGROUP_PREFIX = "opsconsole-tests-"


class BoxError(Exception):
    """The boxed systemd could not be started or asked; the message says why."""


class Measured(msgspec.Struct, frozen=True):
    """What a probe inside the box came back with: a reading, or a problem with its evidence."""

    reading: Reading | None = None
    problem: Problem | None = None
    evidence: tuple[Evidence, ...] = ()


def until(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Wait for a condition, up to a deadline; raise BoxError naming `what` did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BoxError(f"{what} did not come within {seconds:g} s")
        time.sleep(0.01)


def context(**changes: Any) -> Context:
    """Return the context of a daily run of today in Chicago whose job was scheduled an hour ago."""
    now = changes.pop("now", dt.datetime.now(dt.UTC))
    times = Times(
        business_date=now.date(),
        period=period_of(now.date(), Cadence.DAILY),
        timezone=changes.pop("timezone", "America/Chicago"),
        begins_at=now - dt.timedelta(hours=1),
        ends_at=now + dt.timedelta(hours=23),
        due_at=now,
        overdue_at=now + dt.timedelta(hours=2),
        window=changes.pop("window", None) or window_between(now.date(), now.date(), ZoneInfo("UTC")),
        scheduled=changes.pop("scheduled", now - dt.timedelta(hours=1)),
        covered_date=now.date(),
    )
    return Context(**{"item": "item", "times": times, "now": now, "cutoff": now, "timeout": 30.0} | changes)


class SystemdBox:
    """A running boxed systemd; `stop` ends it and leaves nothing behind."""

    def __init__(self, state: Path, units: Path = UNITS, *, name: str = "box") -> None:
        self.state = state
        self.units = units
        self.pid = 0
        """The box's PID 1 as seen from outside."""
        self._outer: subprocess.Popen[bytes] | None = None
        self._log = state / "log"
        self.cgroup = _cgroup_mount() / f"{_CGROUP_PREFIX}{os.getpid()}-{name}"

    def start(self) -> None:
        """Boot and wait until systemd has settled."""
        remove_stale_cgroups(self.cgroup.parent)
        root = self.state / "root"
        root.mkdir()
        self.cgroup.mkdir()
        try:
            with self._log.open("wb") as log:
                self._outer = subprocess.Popen(
                    self._command(root),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=_CLEAN,
                    start_new_session=True,
                )
            until(self._booted, "the end of booting", BOOT_SECONDS)
        except BaseException as error:
            self.stop()
            if isinstance(error, BoxError):
                raise BoxError(f"{error}: {self._log.read_text(encoding='utf-8', errors='replace')}") from error
            raise

    def _command(self, root: Path) -> list[str]:
        # whatever ends this process, even kill -9, ends the box with it
        outer = ["setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-p", "-f", "-u", "-i", "-n", "--kill-child"]
        # only what is inside enters the cgroup: systemd cannot hand out controllers below one that has processes
        enter = ["/bin/sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', str(self.cgroup), "unshare", "-C"]
        init = [sys.executable, "-I", "-S", str(Path(__file__).with_name("box_init.py"))]
        return [*outer, *enter, *init, str(root), str(self.units), *_directories_to_show()]

    def _booted(self) -> bool:
        if self._outer is None or self._outer.poll() is not None:
            raise BoxError("the box ended while booting")
        self.pid = self.pid or _first_child(self._outer.pid)
        if not self.pid:
            return False
        state = self.run(["systemctl", "is-system-running"]).stdout.strip()
        return state in {b"running", b"degraded"}

    def stop(self) -> None:
        """Kill the box's PID 1, which ends everything in it, and remove its cgroup."""
        if self._outer is not None:
            if self.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            else:
                self._outer.kill()
            self._outer.wait(STOP_SECONDS)
            self._outer = None
        until(lambda: _removed(self.cgroup), f"the end of {self.cgroup}", STOP_SECONDS)

    def path(self, inside: str) -> Path:
        """Return where a path of the box is found from outside."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def run(
        self, argv: Sequence[str], *, uid: int = 0, stdin: bytes = b"", timeout: float = 30.0
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program inside, as root or as an ordinary user without groups."""
        user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"] if uid else []
        return subprocess.run(
            ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--", *user, *argv],
            input=stdin,
            capture_output=True,
            env=_CLEAN,
            timeout=timeout,
            check=False,
        )

    def write(self, inside: str, text: str) -> None:
        """Write a file of the box."""
        self.path(inside).write_text(text, encoding="utf-8")

    def systemctl(self, *arguments: str) -> str:
        """Run systemctl inside and return what it printed; raise BoxError where it fails."""
        done = self.run(["systemctl", "--no-ask-password", *arguments])
        if done.returncode:
            raise BoxError(f"systemctl {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def shows(self, unit: str, **expected: str) -> bool:
        """Tell whether a unit's properties are as expected."""
        names = ",".join(expected)
        lines = self.systemctl("show", f"--property={names}", unit).splitlines()
        return dict(line.split("=", 1) for line in lines) == expected

    def log(self, *entries: Mapping[str, bytes | Sequence[bytes]]) -> None:
        """Send entries in journald's native protocol, as root; then wait until they can be read.

        A field with several values is sent several times.
        """
        done = self.run([sys.executable, "-I", "-S", "-c", _SENDER], stdin=b"".join(map(_native, entries)))
        if done.returncode:
            raise BoxError(done.stderr.decode(errors="replace"))
        self.sync()

    def sync(self) -> None:
        """Wait until the journal holds all that was logged so far."""
        self.run(["journalctl", "--sync"])

    def measure(self, probe: str, options: Mapping[str, Any], *, uid: int = 0, **changes: Any) -> Measured:
        """Measure with one probe inside, as root or as an ordinary user."""
        request = {
            "probe": probe,
            "options": options,
            "context": plain(changes.pop("context", None) or context(**changes)),
            "uid": uid,
        }
        script = Path(__file__).with_name("probe_in_box.py")
        python = ["env", f"PYTHONPATH={PACKAGES}", sys.executable, "-B", str(script)]
        done = self.run(python, stdin=msgspec.json.encode(request))
        if done.returncode or done.stderr:
            raise BoxError(done.stderr.decode(errors="replace"))
        return msgspec.json.decode(done.stdout, type=Measured)

    def reading(self, probe: str, options: Mapping[str, Any], **changes: Any) -> Reading:
        """Measure where a reading is expected."""
        measured = self.measure(probe, options, **changes)
        assert measured.reading is not None, measured.problem
        return measured.reading

    def problem(self, probe: str, options: Mapping[str, Any], **changes: Any) -> Problem:
        """Measure where a problem is expected."""
        measured = self.measure(probe, options, **changes)
        assert measured.problem is not None, measured.reading
        return measured.problem


_SENDER = """
import socket, sys
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while size := int.from_bytes(sys.stdin.buffer.read(8), "little"):
    to.sendto(sys.stdin.buffer.read(size), "/run/systemd/journal/socket")
"""
"""Runs inside, because journald trusts what the kernel says of the sender, which ends at the box's walls."""


def _native(entry: Mapping[str, bytes | Sequence[bytes]]) -> bytes:
    """Return one datagram of https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, preceded by its length."""
    fields = [
        (name, value)
        for name, values in entry.items()
        for value in ([values] if isinstance(values, bytes) else values)
    ]
    packed = b"".join(
        name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n" for name, value in fields
    )
    return len(packed).to_bytes(8, "little") + packed


def _first_child(pid: int) -> int:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return int(children[0]) if children else 0
    return 0


def _cgroup_mount() -> Path:
    """Return where the second version of cgroups is mounted: alone, or beside the first."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] == "cgroup2":
            return Path(before.split()[4])
    raise BoxError("no cgroup2 file system is mounted")


def _removed(cgroup: Path) -> bool:
    """Remove a cgroup with those below it; return whether that worked (not while processes are ending)."""
    with contextlib.suppress(OSError):
        (cgroup / "cgroup.kill").write_text("1", encoding="ascii")
    for directory in sorted(cgroup.glob("**/"), reverse=True):
        with contextlib.suppress(OSError):
            directory.rmdir()
    return not cgroup.exists()


def remove_stale_cgroups(mount: Path) -> None:
    """Remove what a test run that was killed could not."""
    for cgroup in mount.glob(f"{_CGROUP_PREFIX}*"):
        if not Path(f"/proc/{cgroup.name.removeprefix(_CGROUP_PREFIX).partition('-')[0]}").exists():
            _removed(cgroup)


def _directories_to_show() -> list[str]:
    """Return what the probes need inside: this repository, the virtual environment and its interpreter."""
    wanted = {REPOSITORY, PACKAGES, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    wanted -= {Path("/"), Path("/usr")}
    return [str(path) for path in sorted(wanted) if not any(parent in wanted for parent in path.parents)]


def _unavailable() -> str:
    """Return why there can be no box here, empty where there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it needs root on Linux"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


def refuse(why: str) -> None:
    """Skip the test that asks for a box, loudly; fail it in CI."""
    missing(f"NO REAL SYSTEMD: {why}. Nothing that needs one was tested.")


@pytest.fixture(scope="session")
def systemd_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdBox]:
    """Give a booted systemd in which the units of `tests/real/units` have come to their ends."""
    if why := _unavailable():
        refuse(why)
    box = None
    try:
        box = SystemdBox(tmp_path_factory.mktemp("systemd"))
        box.start()
        settle(box)
    except (BoxError, OSError) as error:
        if box is not None:
            box.stop()
        refuse(str(error))
        raise
    try:
        yield box
    finally:
        box.stop()


def settle(box: SystemdBox) -> None:
    """Wait until every job that the box starts at boot has ended as it is meant to."""
    expected = {
        "good.service": {"ActiveState": "inactive", "ExecMainCode": "1"},
        "nightly.service": {"ActiveState": "inactive", "ExecMainCode": "1"},
        "qbr-collector.service": {"ActiveState": "inactive", "ExecMainCode": "1"},
        "failing.service": {"ActiveState": "failed"},
        "killed.service": {"ActiveState": "failed"},
        "missing-program.service": {"ActiveState": "failed"},
        "flaky.service": {"ActiveState": "failed", "NRestarts": "3"},
        "crashed.service": {"ActiveState": "failed"},
        "prepared.service": {"ActiveState": "failed"},
        "running.service": {"ActiveState": "active"},
        "stay.service": {"ActiveState": "active"},
        "noisy.service": {"ActiveState": "inactive"},
    }
    for unit, properties in expected.items():
        until(lambda unit=unit, properties=properties: box.shows(unit, **properties), f"{unit} {properties}")  # type: ignore[misc]
    box.sync()
