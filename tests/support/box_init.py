"""Builds the root of a boxed machine and turns into its systemd; `systemd.py` runs it in fresh namespaces.

    box_init.py STATE UNITS [DIRECTORY …]

The root is this machine's own under a writable layer in memory, so nothing outside is changed; STATE is a directory
for that layer, UNITS holds unit files with a `box.target`, and each DIRECTORY is made visible, read-only.
Standard library only: it runs before there is anything else.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
PERSISTENT_SINCE = 3 * 86400
"""How many seconds ago the timers with `Persistent=true` last ran."""
DROPPED = ("sys_module", "sys_time", "sys_rawio", "syslog")
"""Capabilities that reach beyond namespaces: modules, clock, devices and the kernel's log are this machine's."""
USER, UID = "operator", 54321
"""An ordinary user without rights, who exists because D-Bus turns away users whom it does not know."""
SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")


def mount(source: str, target: Path, *options: str) -> None:
    """Mount with the util-linux program, whose messages name what went wrong."""
    subprocess.run(["mount", *options, source, str(target)], check=True)


def in_memory(target: Path, mode: str = "755") -> None:
    """Mount an empty tmpfs."""
    mount("tmpfs", target, "-t", "tmpfs", "-o", f"mode={mode},size=512m")


def make_root(state: Path) -> Path:
    """Lay a writable layer over this machine's root and give it kernel file systems of its own."""
    in_memory(state)
    upper, work, root = state / "upper", state / "work", state / "root"
    for each in (upper, work, root):
        each.mkdir()
    layers = f"lowerdir=/,upperdir={upper},workdir={work}"
    mount("overlay", root, "-t", "overlay", "-o", layers)
    mount("proc", root / "proc", "-t", "proc")
    mount(str(root / "proc/sys"), root / "proc/sys", "--bind")
    mount("none", root / "proc/sys", "-o", "remount,bind,ro")
    mount("sysfs", root / "sys", "-t", "sysfs", "-o", "ro")
    mount("cgroup2", root / "sys/fs/cgroup", "-t", "cgroup2")
    for name in ("run", "dev"):
        in_memory(root / name)
    in_memory(root / "tmp", "1777")
    for name in DEVICES:
        (root / "dev" / name).touch()
        mount(f"/dev/{name}", root / "dev" / name, "--bind")
    (root / "dev/shm").mkdir()
    in_memory(root / "dev/shm", "1777")
    (root / "dev/fd").symlink_to("/proc/self/fd")
    return root


def show(root: Path, directory: Path) -> None:
    """Make a directory that may lie on another file system visible at the same path, read-only."""
    inside = root / directory.relative_to("/")
    inside.mkdir(parents=True, exist_ok=True)
    mount(str(directory), inside, "--rbind")
    mount("none", inside, "-o", "remount,bind,ro")


def furnish(root: Path, units: Path) -> None:
    """Give the machine a name, no memory of this one, and only our own units beside the system's."""
    (root / "etc/hostname").write_text("ops01\n", encoding="ascii")
    (root / "etc/machine-id").write_text("", encoding="ascii")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    for name, line in (("passwd", f"{USER}:x:{UID}:{UID}::/:/bin/sh"), ("group", f"{USER}:x:{UID}:")):
        with (root / "etc" / name).open("a", encoding="ascii") as accounts:
            accounts.write(line + "\n")
    for stale in ("var/log/journal", "etc/systemd/system", "etc/systemd/journald.conf.d"):
        shutil.rmtree(root / stale, ignore_errors=True)
    (root / "var/log/journal").mkdir(parents=True)
    (root / "etc/tmpfiles.d").mkdir(exist_ok=True)
    (root / "etc/tmpfiles.d/tmp.conf").unlink(missing_ok=True)
    (root / "etc/tmpfiles.d/tmp.conf").symlink_to("/dev/null")  # it would clean what is mounted below /tmp
    shutil.copytree(units, root / "etc/systemd/system", symlinks=True)
    stamps = root / "var/lib/systemd/timers"
    stamps.mkdir(parents=True, exist_ok=True)
    last = time.time() - PERSISTENT_SINCE
    for timer in units.glob("*.timer"):
        if "Persistent=true" in timer.read_text(encoding="ascii"):
            stamp = stamps / f"stamp-{timer.name}"
            stamp.touch()
            os.utime(stamp, (last, last))


def main(state: str, units: str, *directories: str) -> None:
    """Build, move in, and hand over to systemd."""
    source = Path(units).resolve()
    root = make_root(Path(state))
    for directory in directories:
        show(root, Path(directory))
    furnish(root, source)
    old = root / ".old"
    old.mkdir()
    os.chdir(root)
    subprocess.run(["pivot_root", ".", ".old"], check=True)
    os.chdir("/")
    subprocess.run(["umount", "-l", "/.old"], check=True)
    systemd = next(path for path in SYSTEMD if Path(path).exists())
    environment = {"container": "opsconsole-tests", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    drop = ["setpriv", "--bounding-set", ",".join(f"-{name}" for name in DROPPED), "--"]
    os.execvpe(drop[0], [*drop, systemd, "--system", "systemd.unit=box.target"], environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
