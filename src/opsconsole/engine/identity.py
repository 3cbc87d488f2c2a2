"""Who is at the keyboard, as the system knows it, and which zone the host is in."""

import os
import pwd
import socket
from contextlib import suppress
from pathlib import Path

from opsconsole.model.calendar import CalendarError, zone
from opsconsole.model.events import Actor, Via

_LOCALTIME = Path("/etc/localtime")


def current_actor(via: Via) -> Actor:
    """Return the account that the process runs under; behind sudo, the one that called it.

    It works without HOME, LOGNAME or an entry in the password database.
    """
    login, gecos = _account(os.getuid())
    caller = os.environ.get("SUDO_UID", "")
    if os.getuid() == 0 and caller.isdigit() and caller != "0":
        login, gecos = _account(int(caller))
    return Actor(login, gecos.split(",")[0].strip(), socket.gethostname(), via)


def _account(uid: int) -> tuple[str, str]:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return f"uid {uid}", ""
    return entry.pw_name, entry.pw_gecos


def local_zone() -> str:
    """Return the IANA name of the host's zone, `UTC` where it has none: TZ, /etc/timezone, then /etc/localtime."""
    candidates = [os.environ.get("TZ", "").lstrip(":")]
    with suppress(OSError, UnicodeDecodeError):
        candidates.append(Path("/etc/timezone").read_text(encoding="utf-8").strip())
    if _LOCALTIME.is_symlink():
        candidates.append(str(_LOCALTIME.resolve()).rpartition("/zoneinfo/")[2])
    for name in filter(None, candidates):
        try:
            return str(zone(name))
        except CalendarError:
            continue
    return "UTC"
