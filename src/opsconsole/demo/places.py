"""Where a cluster lives: a directory of its own, which no other account can tamper with."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opsconsole.demo.accounts import Account, reachable
from opsconsole.demo.errors import DemoError

FALLBACK_BASES = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108  (only as an owner-checked directory of our own)
"""Where root's clusters go, in this order, when the wanted directory is closed to the server's account."""

SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES = 107  # sockaddr_un.sun_path without its NUL, see unix(7)
_OWN_DIRECTORY = "postgresql"
_SHORT_PREFIX = "opsconsole-"
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of a cluster, and what the person should know about it."""

    path: Path
    notices: tuple[str, ...] = ()


def choose_home(directory: Path, account: Account) -> Home:
    """Return `directory`/postgresql, or a place that the server's account can reach when it cannot reach that."""
    mode = 0o711 if account.switched else 0o700
    if not directory.exists():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(mode)  # the umask is the program's own, which lets nobody in
    wanted = _own_directory(directory.resolve() / _OWN_DIRECTORY, mode)
    if reachable(wanted, account):
        return Home(wanted, (_other_account(account, wanted),) if account.switched else ())
    if not account.switched:
        raise DemoError(f"{wanted} cannot be entered")
    with contextlib.suppress(OSError):
        wanted.rmdir()
    refusals = []
    for base in FALLBACK_BASES:
        parent = base / "opsconsole-demo"
        try:
            _own_directory(parent, mode)
            home = _own_directory(parent / hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12], mode)
        except (OSError, DemoError) as error:
            refusals.append(str(error))
            continue
        if reachable(home, account):
            why = f"'{account.name}' cannot enter {directory}"
            return Home(home, (f"{_other_account(account, home)}, because {why}",))
        refusals.append(f"{home} is closed to '{account.name}'")
    raise DemoError(
        f"'{account.name}', who runs PostgreSQL for root, can reach neither {directory} nor a place of our own: "
        + "; ".join(refusals),
        "start the demo as an ordinary user",
    )


def _other_account(account: Account, home: Path) -> str:
    return f"PostgreSQL does not run as root: it runs as '{account.name}', with its files in {home}"


def _own_directory(path: Path, mode: int) -> Path:
    """Create a directory, or take the one that is there if it is ours alone to write; set its mode."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise DemoError(f"{path} is no directory")
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_MAY_WRITE:
        raise DemoError(
            f"{path} belongs to, or can be written by, somebody else", "remove it, or choose another place"
        )
    if stat.S_IMODE(status.st_mode) != mode:
        path.chmod(mode)
    return path


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the home for one process; DemoError names the one that has it. The kernel frees it when we die."""
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode(errors="replace").strip() or "a process that has just started"
            raise DemoError(
                f"a demo is already running in {home}: {holder}",
                "leave that one first, or give this one a state directory of its own (OPSCONSOLE_STATE)",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S %Z')}\n".encode())
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def socket_directory(home: Path, account: Account) -> Iterator[Path]:
    """Make the directory of the server's socket: in the home, or a short private one where that path is too long.

    Only the server's account can enter it (and root): that is what lets the server trust whoever connects.
    """
    inside = home / "run"
    if socket_fits(inside):
        inside.mkdir(mode=0o700)
        place = inside
    else:
        place = _short_directory(account)
        inside.symlink_to(place)  # so that the next start finds it if we are killed
    try:
        account.own(place)
        yield place
    finally:
        remove_socket_directory(home, account)


def socket_fits(directory: Path) -> bool:
    """Tell whether a socket in there can be named: short enough, and no comma, which separates names in a list."""
    path = os.fsencode(directory / SOCKET_NAME)
    return len(path) <= _SOCKET_PATH_BYTES and b"," not in path


def remove_socket_directory(home: Path, account: Account) -> None:
    """Remove the directory of the socket, wherever it is; nothing happens when there is none."""
    inside = home / "run"
    if not inside.is_symlink():
        shutil.rmtree(inside, ignore_errors=True)
        return
    place = inside.readlink()
    with contextlib.suppress(FileNotFoundError):
        # Somebody else's may have got the same name since a killed demo left its own.
        if place.name.startswith(_SHORT_PREFIX) and place.lstat().st_uid in {account.uid, os.geteuid()}:
            shutil.rmtree(place, ignore_errors=True)
    inside.unlink()


def _short_directory(account: Account) -> Path:
    for base in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108  (mkdtemp: private, unguessable)
        if base.is_dir() and os.access(base, os.W_OK) and reachable(base, account):
            place = Path(tempfile.mkdtemp(prefix=_SHORT_PREFIX, dir=base.resolve()))
            if socket_fits(place):
                return place
            place.rmdir()
    raise DemoError("no directory for temporary files has a path short enough for a socket")
