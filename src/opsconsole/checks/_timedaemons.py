"""What the programs that keep the clock right say of it: chrony, systemd-timesyncd, ntpd.

Formats: chronyc(1), `tracking` with `-c`; timedatectl(1), `timesync-status`; ntpq(8), `rv`.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

from opsconsole.checks import _process
from opsconsole.checks._process import CannotStartError, TimedOutError
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.values import decimal_of

Daemon = Literal["chrony", "timesyncd", "ntpd"]

_LIMIT_BYTES = 65_536
_TRACKING_FIELDS = 14
_LOCAL_REFERENCE = "7F7F0101"
"""127.127.1.1: chrony's own clock, which it takes for right where it may (`local`)."""
_NO_STRATUM = 16
_LINE = re.compile(r"^ *([A-Za-z][A-Za-z ]*): *(.*?) *$", re.MULTILINE)
_PAIR = re.compile(r"\b(leap|stratum|offset|refid)=([^,\s]+)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?) ?(us|ms|s|min|h|d)(?![a-z])")
_SPAN_UNITS = {"us": "0.000001", "ms": "0.001", "s": "1", "min": "60", "h": "3600", "d": "86400"}
_NTPD_ALARM = "11"


class Kept(msgspec.Struct, frozen=True):
    """What a program says of the clock that it keeps."""

    daemon: Daemon
    offset: Decimal
    """Seconds that have to be added to this host's clock: positive where it is behind."""
    stratum: int
    reference: str
    """Where it has the time from."""


async def ask(daemon: Daemon, allowance: float) -> Kept:
    """Ask one of them; raise ProbeError where it is not there, does not run, or does not know the time."""
    argv, parse = _ASKED[daemon]
    try:
        finished = await _process.run(argv, timeout=allowance, limit_bytes=_LIMIT_BYTES)
    except CannotStartError as error:
        reason = "missing-program" if error.cause == "not-found" else "no-permission"
        raise ProbeError(
            reason, f"{daemon} cannot be asked: {error}", f"install {daemon}, or ask another"
        ) from error
    except TimedOutError as error:
        raise ProbeError("timeout", f"{daemon} cannot be asked: {error}", "does it run?") from error
    text = finished.stdout.decode("utf-8", "backslashreplace")
    if finished.returncode:
        said = (finished.stderr.decode("utf-8", "backslashreplace") or text).strip().partition("\n")[0][:200]
        raise ProbeError(
            "source-down",
            f"{daemon} does not answer: {said or f'{argv[0]} ended with {finished.returncode}'}",
            f"does {daemon} run, and may this user ask it?",
        )
    return parse(text)


def chrony(text: str) -> Kept:
    """Read the comma-separated line of `chronyc -c tracking`; raise ProbeError."""
    fields = text.strip().split(",")
    if len(fields) != _TRACKING_FIELDS:
        raise _unreadable("chronyc", text)
    behind, stratum = decimal_of(fields[4]), decimal_of(fields[2])
    if behind is None or stratum is None:
        raise _unreadable("chronyc", text)
    if fields[13] == "Not synchronised":
        raise _lost("chrony")
    if fields[0] == _LOCAL_REFERENCE:
        raise _lost("chrony", "it has no server, and takes the host's own clock for right")
    # positive where `tracking` without -c says `slow of NTP time`: client.c, the format %O
    return Kept("chrony", behind, int(stratum), fields[1] or fields[0])


def timesyncd(text: str) -> Kept:
    """Read `timedatectl timesync-status`; raise ProbeError."""
    fields = dict(_LINE.findall(text))
    if "Server" not in fields:
        raise _unreadable("timedatectl", text)
    if "Offset" not in fields or "Stratum" not in fields or fields.get("Leap") == "not synchronized":
        raise _lost("timesyncd")
    offset, stratum = _span(fields["Offset"]), decimal_of(fields["Stratum"])
    if offset is None or stratum is None:
        raise _unreadable("timedatectl", text)
    return Kept("timesyncd", offset, int(stratum), fields["Server"])


def ntpd(text: str) -> Kept:
    """Read what `ntpq -c rv` says of the system; raise ProbeError. Its offset is in milliseconds."""
    fields = dict(_PAIR.findall(text))
    offset, stratum = decimal_of(fields.get("offset", "")), decimal_of(fields.get("stratum", ""))
    if offset is None or stratum is None:
        raise _unreadable("ntpq", text)
    if fields.get("leap") == _NTPD_ALARM or stratum >= _NO_STRATUM:
        raise _lost("ntpd")
    return Kept("ntpd", offset / 1000, int(stratum), fields.get("refid", ""))


def _span(text: str) -> Decimal | None:
    """Return seconds of a length of time as systemd writes it: `+1.185ms`, `-2min 3.5s`."""
    body = text.lstrip("+-")
    parts = _SPAN.findall(body)
    if not parts or _SPAN.sub("", body).strip():
        return Decimal(0) if body == "0" else None
    whole = sum((Decimal(number) * Decimal(_SPAN_UNITS[unit]) for number, unit in parts), Decimal(0))
    return -whole if text.startswith("-") else whole


def _unreadable(program: str, text: str) -> ProbeError:
    return ProbeError(
        "bad-answer", f"what {program} says is not understood: {text.strip()[:200]!r}", "please report it"
    )


def _lost(daemon: Daemon, why: str = "it has not heard from any server") -> ProbeError:
    return ProbeError("bad-answer", f"{daemon} does not know the time: {why}", "can its servers be reached?")


_ASKED: dict[Daemon, tuple[list[str], Callable[[str], Kept]]] = {
    "chrony": (["chronyc", "-n", "-c", "tracking"], chrony),
    "timesyncd": (["timedatectl", "timesync-status"], timesyncd),
    "ntpd": (["ntpq", "-n", "-c", "rv 0 leap,stratum,refid,offset"], ntpd),
}
COMMANDS: dict[Daemon, str] = {
    "chrony": "chronyc -n tracking",
    "timesyncd": "timedatectl timesync-status",
    "ntpd": "ntpq -n -c rv",
}
"""What shows a person the same."""
