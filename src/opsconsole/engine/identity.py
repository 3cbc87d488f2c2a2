"""Who is at the keyboard, as the system knows it, and which zone the host is in."""

import os
import pwd
import socket
from contextlib import suppress
from pathlib import Path

from opsconsole.engine.loginkey import login_key
from opsconsole.model.calendar import zone
from opsconsole.model.events import Actor, Via
from opsconsole.model.holidays import CalendarError
from opsconsole.model.text import storable

_LOCALTIME = Path("/etc/localtime")


def current_actor(via: Via) -> Actor:
    """Return the account that the process runs under, with the key it logged in with; behind sudo, who called it.

    It works without HOME, LOGNAME or an entry in the password database.
    """
    uid = os.getuid()
    caller = os.environ.get("SUDO_UID", "")
    if uid == 0 and caller.isdecimal() and caller != "0":
        uid = int(caller)
    login, gecos = _account(uid)
    return Actor(
        login=storable(login),
        name=storable(gecos.split(",")[0].strip()),
        host=storable(socket.gethostname()),
        via=via,
        key=login_key(os.environ, frozenset({uid})),
    )


def _account(uid: int) -> tuple[str, str]:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return f"uid {uid}", ""
    return entry.pw_name, entry.pw_gecos


def _zone_name(text: str) -> str:
    """Return the name in a path such as /usr/share/zoneinfo/America/Chicago, or `text` itself."""
    return text.rpartition("/zoneinfo/")[2]


def local_zone() -> str:
    """Return the IANA name of the host's zone, `UTC` where it has none: TZ, /etc/localtime, then /etc/timezone.

    In this order the C library has it; /etc/timezone is a note that it never reads.
    """
    candidates = [_zone_name(os.environ.get("TZ", "").lstrip(":"))]
    if _LOCALTIME.is_symlink():
        candidates.append(_zone_name(str(_LOCALTIME.resolve())))
    with suppress(OSError, UnicodeDecodeError):
        candidates.append(Path("/etc/timezone").read_text(encoding="utf-8").strip())
    for name in filter(None, candidates):
        try:
            return str(zone(name))
        except CalendarError:
            continue
    return "UTC"
