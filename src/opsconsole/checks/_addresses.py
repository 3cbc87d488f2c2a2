"""The addresses of a host by its name, as this host's own resolver has them."""

import asyncio
import ipaddress
import re
import socket
from typing import Literal

import msgspec

from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import ProbeError

Family = Literal["any", "ipv4", "ipv6"]

_FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_MOST_ADDRESSES = 16
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?\Z")


class Address(msgspec.Struct, frozen=True):
    """Where a socket is connected to."""

    family: socket.AddressFamily
    sockaddr: tuple[object, ...]
    """As the functions of `socket` take it."""

    @property
    def shown(self) -> str:
        """The address without the port."""
        return str(self.sockaddr[0])


def host_problem(host: str) -> str:
    """Return what is wrong with the name or address of a host, empty where nothing is."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not _HOST.match(host):
            return f"'{host}' is neither a host's name nor an address; write it like 'db.example' or '192.0.2.10'"
    return ""


async def addresses_of(host: str, port: int, family: Family, kind: socket.SocketKind) -> list[Address]:
    """Return the addresses of a host in the order in which they are to be tried; raise ProbeError.

    The system's resolver cannot be cancelled, and is asked in a thread.
    """
    wanted = _FAMILIES[family]
    try:
        found = await in_thread(
            f"addresses of {host} {port} {family} {kind}", lambda: socket.getaddrinfo(host, port, wanted, kind)
        )
    except (socket.gaierror, UnicodeError) as error:
        raise _unknown(host, family, error) from error
    addresses = dict.fromkeys(Address(each[0], tuple(each[4])) for each in found)
    return list(addresses)[:_MOST_ADDRESSES]


def _unknown(host: str, family: Family, error: Exception) -> ProbeError:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return ProbeError(
            "source-down",
            f"the name server did not say what the address of {host} is",
            "see whether names are resolved at all: `getent ahosts localhost`, /etc/resolv.conf",
        )
    which = "" if family == "any" else f"{'IPv4' if family == 'ipv4' else 'IPv6'} "
    return ProbeError(
        "not-found",
        f"{host} has no {which}address: {getattr(error, 'strerror', None) or error}",
        "is the name right? See `getent ahosts`",
    )


async def connected(address: Address, kind: socket.SocketKind) -> socket.socket:
    """Return a non-blocking socket that is connected to an address; raise OSError. Cancellation closes it."""
    opened = socket.socket(address.family, kind)
    try:
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, address.sockaddr)
    except BaseException:
        opened.close()
        raise
    return opened
