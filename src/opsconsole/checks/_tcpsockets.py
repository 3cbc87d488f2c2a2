"""The TCP sockets of this network namespace: in which states, and which ports are listened on.

Format: proc(5), /proc/net/tcp and tcp6; the states are those of the kernel's tcp_states.h. Read line by line: a
busy proxy has a million of them, and psutil would look for the process of each.
"""

import ipaddress
import struct
import threading
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import msgspec

from opsconsole.contracts.probe import ProbeError

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
MOST_SOCKETS = 2_000_000
"""More than these are not counted: what is known then is a lower bound."""

STATES = {
    1: "established",
    2: "syn_sent",
    3: "syn_recv",
    4: "fin_wait1",
    5: "fin_wait2",
    6: "time_wait",
    7: "close",
    8: "close_wait",
    9: "last_ack",
    10: "listen",
    11: "closing",
    12: "syn_recv",
}
"""By the kernel's numbers; 12 is a request that has no socket of its own yet."""
_LISTEN = 10
_FEWEST_FIELDS = 4


class Sockets(msgspec.Struct, frozen=True):
    """What is there."""

    states: Counter[str]
    listening: dict[int, list[str]]
    """By port, the addresses that are listened on."""
    complete: bool
    """Whether all were counted."""
    missing: tuple[str, ...]
    """Tables that the kernel does not have, such as that of IPv6."""


def sockets(given_up: threading.Event, port: int = 0) -> Sockets:
    """Count the sockets, those with the local `port` alone where it is not 0; raise ProbeError."""
    states: Counter[str] = Counter()
    listening: dict[int, list[str]] = {}
    missing = []
    left = MOST_SOCKETS
    for table in TABLES:
        try:
            lines = _lines(table)
            for state, address, number in lines:
                left -= 1
                if given_up.is_set() or left < 0:
                    lines.close()
                    break
                if port and number != port:
                    continue
                states[STATES[state]] += 1
                if state == _LISTEN:
                    listening.setdefault(number, []).append(address)
        except FileNotFoundError:
            missing.append(table.name)
        except OSError as error:
            raise ProbeError("failed", f"{table} cannot be read: {error.strerror}", "is /proc mounted?") from error
    if len(missing) == len(TABLES):
        raise ProbeError("failed", f"there is no {TABLES[0]}", "is /proc mounted?")
    return Sockets(states, listening, left >= 0, tuple(missing))


def _lines(table: Path) -> Generator[tuple[int, str, int], None, None]:
    with table.open(encoding="ascii", errors="replace") as lines:
        next(lines, None)
        for line in lines:
            yield parsed_socket(line)


def parsed_socket(line: str) -> tuple[int, str, int]:
    """Return the state, the local address and the local port of one line; raise ProbeError."""
    fields = line.split(maxsplit=_FEWEST_FIELDS)
    try:
        address, _, port = fields[1].partition(":")
        state, number = int(fields[3], 16), int(port, 16)
        shown = _address(address) if STATES[state] == STATES[_LISTEN] else ""
    except (LookupError, ValueError, struct.error):
        raise ProbeError(
            "bad-answer", "/proc/net/tcp is not as proc(5) says", f"please report it, with the line {line[:80]!r}"
        ) from None
    return state, shown, number


def _address(text: str) -> str:
    """Return an address, which the kernel writes as 32-bit words in the order of the machine."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(struct.pack("=I", word) for word in words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return f"::ffff:{mapped}" if mapped else str(address)
