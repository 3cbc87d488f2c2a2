"""One question to an NTP server, and how far this host's clock is from it.

Format: RFC 5905, section 7.3 (the packet) and 14 (a client that only asks); the answer is checked as section 5
of RFC 4330 says. Own code, because the packet has 48 bytes and the libraries for it block, or have not been kept
since 2021. The time that is sent is a random number, so that nobody can forge an answer without having seen the
question.
"""

import asyncio
import contextlib
import secrets
import socket
import struct
import time
from decimal import Decimal

import msgspec

from opsconsole.checks._addresses import addresses_of, connected
from opsconsole.contracts.probe import ProbeError

PORT = 123
_PACKET = struct.Struct("!BBbbII4s8s8s8s8s")
_CLIENT = 0b00_100_011
"""No leap second known, version 4, mode 3."""
_SERVER_MODE = 4
_UNSYNCHRONISED = 3
_MOST_STRATUM = 15
_EPOCH = 2_208_988_800
"""Seconds from 1900, when NTP begins to count, to 1970."""
_ERA = 1 << 32
_NANO = 1_000_000_000
_TRIES = 3
_MOST_STRAYS = 100
_MOST_BYTES = 1024
_WORST = 16 * _NANO
"""Nanoseconds: a server with a root distance of 16 s does not know the time itself (MAXDISP of RFC 5905)."""


class Sample(msgspec.Struct, frozen=True):
    """What one exchange came to."""

    offset: Decimal
    """Seconds that have to be added to this host's clock: positive where it is behind."""
    delay: Decimal
    """Seconds on the way there and back. The offset is no more precise than half of it."""
    stratum: int
    address: str


class StrayError(Exception):
    """A packet that answers no question of ours: it is passed over, and told where nothing else comes."""


async def ask(host: str, port: int, allowance: float) -> Sample:
    """Ask up to three times, because a packet may be lost, and return the first sound answer; raise ProbeError."""
    strays: list[str] = []
    try:
        async with asyncio.timeout(allowance):
            address = (await addresses_of(host, port, "any", socket.SOCK_DGRAM))[0]
            with await connected(address, socket.SOCK_DGRAM) as opened:
                for _ in range(_TRIES):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(allowance / (_TRIES + 1)):
                            return await _exchange(opened, address.shown, strays)
    except TimeoutError:
        pass
    except ConnectionRefusedError:
        raise ProbeError(
            "source-down", f"nothing answers on UDP port {port} of {host}", "does an NTP server run there?"
        ) from None
    except OSError as error:
        why = error.strerror or error
        raise ProbeError("source-down", f"{host} cannot be reached: {why}", "see `ip route`") from error
    if strays:
        raise ProbeError(
            "bad-answer", f"{host} sends what is no answer of an NTP server: {strays[-1]}", "is it one?"
        )
    raise ProbeError(
        "timeout",
        f"{host} had not told the time after {allowance:.3g} s",
        "does an NTP server run there, and does a firewall let UDP through?",
    )


async def _exchange(opened: socket.socket, address: str, strays: list[str]) -> Sample:
    """Ask once and wait for what answers that; raise TimeoutError where so much else comes that it is no use."""
    loop = asyncio.get_running_loop()
    nonce = secrets.token_bytes(8)
    sent, began = time.time_ns(), time.monotonic_ns()
    await loop.sock_sendall(opened, _PACKET.pack(_CLIENT, 0, 0, 0, 0, 0, b"", b"", b"", b"", nonce))
    for _ in range(_MOST_STRAYS):
        packet = await loop.sock_recv(opened, _MOST_BYTES)
        received = sent + time.monotonic_ns() - began  # so that a step of the clock meanwhile does no harm
        try:
            return parsed(packet, nonce, sent, received, address)
        except StrayError as error:
            strays.append(str(error))
    raise TimeoutError


def parsed(packet: bytes, nonce: bytes, sent: int, received: int, address: str) -> Sample:
    """Return what an answer says, held against when it was asked and came (nanoseconds since 1970).

    Raises StrayError for what does not answer the question, and ProbeError for an answer that tells no time.
    """
    if len(packet) < _PACKET.size:
        raise StrayError(f"{len(packet)} bytes")
    first, stratum, _, _, root_delay, dispersion, reference, _, origin, there, back = _PACKET.unpack_from(packet)
    leap, version, mode = first >> 6, first >> 3 & 7, first & 7
    if origin != nonce or mode != _SERVER_MODE or not 1 <= version <= 4:  # noqa: PLR2004 - the versions of NTP
        raise StrayError(f"version {version}, mode {mode}, for a question that was not asked")
    if stratum == 0:
        code = reference.rstrip(b"\0").decode("ascii", "backslashreplace")
        raise ProbeError("refused", f"{address} does not want to be asked: {code}", "ask it less often, or another")
    if leap == _UNSYNCHRONISED or stratum > _MOST_STRATUM or not any(back):
        raise ProbeError(
            "bad-answer", f"{address} does not know the time itself: it is not synchronised", "ask another server"
        )
    if _short(root_delay) // 2 + _short(dispersion) >= _WORST:
        raise ProbeError("bad-answer", f"{address} does not know the time to 16 s itself", "ask another server")
    arrived, left = _since_1970(there, sent), _since_1970(back, sent)
    delay = (received - sent) - (left - arrived)
    if left < arrived or delay < -_NANO:
        raise ProbeError("bad-answer", f"the times in the answer of {address} contradict each other", "ask another")
    offset = ((arrived - sent) + (left - received)) / Decimal(2)
    return Sample(_seconds(offset), _seconds(Decimal(max(0, delay))), stratum, address)


def _short(value: int) -> int:
    """Return nanoseconds of a number of 16 bits before and 16 behind the point."""
    return value * _NANO >> 16


def _since_1970(stamp: bytes, near: int) -> int:
    """Return nanoseconds since 1970 of a time stamp, in the era of NTP that brings it nearest to `near`."""
    whole, fraction = int.from_bytes(stamp[:4]), int.from_bytes(stamp[4:])
    value = (whole - _EPOCH) * _NANO + (fraction * _NANO >> 32)
    return value + round((near - value) / (_ERA * _NANO)) * _ERA * _NANO


def _seconds(nanoseconds: Decimal) -> Decimal:
    return nanoseconds / _NANO
