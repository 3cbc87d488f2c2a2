"""One question to one name server after another, by dnspython; what comes back is hostile until it was read.

Formats: RFC 1035; the text of a record is dnspython's, names in lower case and without the final dot.
"""

import asyncio
import contextlib
import errno
import ipaddress
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from opsconsole.checks._addresses import addresses_of, connected
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import ProbeError

if TYPE_CHECKING:
    import dns.message
    import dns.rdata

RESOLV_CONF = "/etc/resolv.conf"
_MOST_SERVERS = 3
"""As many as resolv.conf(5) may name."""
REFERRAL = "REFERRAL"
"""In place of NOERROR, where a server without the record only names others that may have it."""
_NO_ERROR = "NOERROR"
_ANSWERED = frozenset({_NO_ERROR, "NXDOMAIN"})
_NAMES = frozenset({"CNAME", "NS", "PTR"})
_MOST_BYTES = 65_535
_MOST_STRAYS = 100
_TRIES = 3
_LONGEST_TRY = 3.0
"""Seconds until a question is asked again."""
_PAYLOAD = 1232
"""Bytes of an answer by UDP (DNS flag day 2020); a longer one is asked for by TCP."""


class Record(msgspec.Struct, frozen=True):
    """One record of an answer."""

    text: str
    ttl: int
    """Seconds."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a name server said."""

    status: str
    """The response code: `NOERROR`, `NXDOMAIN`, `SERVFAIL` …, or REFERRAL."""
    records: tuple[Record, ...] = ()
    serial: int | None = None
    """Of a zone, with type SOA."""
    authoritative: bool
    server: str
    elapsed: float
    """Seconds until the answer was there."""
    chain: tuple[str, ...] = ()
    """The names that the question was passed on to by CNAME records."""
    text: str
    """The message, as `dig` shows it."""
    notes: tuple[str, ...] = ()
    """What became of servers that were asked before."""

    @property
    def known(self) -> bool:
        """Whether the server could say what there is; otherwise it could not, and nothing follows from it."""
        return self.status in _ANSWERED


async def load() -> None:
    """Import dnspython, in a thread."""

    def imported() -> None:
        import dns.asyncquery
        import dns.resolver  # noqa: F401 - loaded for later

    await in_thread("import of dnspython", imported)


def system_servers() -> list[str]:
    """Return the name servers of /etc/resolv.conf; raise ProbeError where there is none."""
    import dns.exception
    import dns.resolver

    try:
        resolver = dns.resolver.Resolver(RESOLV_CONF)
    except (dns.exception.DNSException, OSError) as error:
        raise ProbeError(
            "not-found", f"{RESOLV_CONF} names no name server: {error}", "name one by `server`"
        ) from error
    return [str(each) for each in resolver.nameservers if _is_address(str(each))][:_MOST_SERVERS]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def question(name: str, kind: str) -> "dns.message.Message":
    """Return the question for the records of a type that an absolute name has; raise ProbeError."""
    import dns.exception
    import dns.message
    import dns.name
    import dns.reversename

    try:
        if kind == "PTR" and _is_address(name):
            asked = dns.reversename.from_address(name)
        else:
            asked = dns.name.from_text(name)
        return dns.message.make_query(asked, kind, use_edns=0, payload=_PAYLOAD)
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise ProbeError("bad-options", f"'{name}' is no name that can be asked for: {error}") from error


async def ask(name: str, kind: str, servers: Sequence[str], port: int, allowance: float) -> Answered:
    """Ask the servers in turn until one can say what there is; raise ProbeError where none answers.

    Each gets its part of the time. What is returned is the last answer where none of them could say.
    """
    until = time.monotonic() + allowance
    notes: list[str] = []
    best: Answered | None = None
    problem: ProbeError | None = None
    for index, server in enumerate(servers):
        allowed = max(0.01, (until - time.monotonic()) / (len(servers) - index))
        try:
            answered = await _asked(name, kind, server, port, allowed)
        except ProbeError as error:
            notes.append(str(error))
            problem = error
            continue
        best = msgspec.structs.replace(answered, notes=tuple(notes))
        if answered.known:
            return best
        notes.append(f"{server} answered {answered.status}")
    if best is not None:
        return best
    if problem is None:
        raise ProbeError("not-found", f"{RESOLV_CONF} names no name server", "name one by `server`")
    raise problem if len(notes) == 1 else ProbeError(problem.problem.reason, "; ".join(notes), problem.problem.hint)


async def _asked(name: str, kind: str, server: str, port: int, allowed: float) -> Answered:
    import dns.asyncquery
    import dns.exception

    query = question(name, kind)
    began = time.monotonic()
    try:
        async with asyncio.timeout(min(allowed, (_TRIES + 1) * _LONGEST_TRY)):
            response = await _by_udp(query, server, port, min(allowed / (_TRIES + 1), _LONGEST_TRY))
            if response is None:
                began = time.monotonic()
                response = await dns.asyncquery.tcp(query, server, port=port)
    except (TimeoutError, dns.exception.Timeout):
        raise ProbeError(
            "timeout",
            f"the name server {server} had not answered after {time.monotonic() - began:.3g} s",
            "is it one, and does a firewall let questions through?",
        ) from None
    except OSError as error:
        raise _unreachable(server, port, error) from error
    except (dns.exception.DNSException, EOFError, ValueError) as error:
        raise _bad(server, error) from error
    return _read(response, kind, server, time.monotonic() - began)


async def _by_udp(
    query: "dns.message.Message", server: str, port: int, allowed: float
) -> "dns.message.Message | None":
    """Ask up to three times, because a packet may be lost; return None where the answer is too long for UDP.

    The socket is connected, so that a refusal is heard; what is no answer to the question is passed over.
    """
    import dns.flags

    loop = asyncio.get_running_loop()
    strays = 0
    (address,) = await addresses_of(server, port, "any", socket.SOCK_DGRAM)
    wire = query.to_wire()
    with await connected(address, socket.SOCK_DGRAM) as opened:
        for _ in range(_TRIES):
            await loop.sock_sendall(opened, wire)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(allowed):
                    while (response := _response(query, await loop.sock_recv(opened, _MOST_BYTES))) is None:
                        strays += 1
                        if strays > _MOST_STRAYS:
                            raise ValueError("too many packets that do not answer the question")
                return None if response.flags & dns.flags.TC else response
    if strays:
        raise ValueError(f"{strays} packets that do not answer the question")
    raise TimeoutError


def _response(query: "dns.message.Message", wire: bytes) -> "dns.message.Message | None":
    """Return what a packet says where it answers the question, None for anything else."""
    import dns.exception
    import dns.message

    try:
        response = dns.message.from_wire(wire)
        return response if query.is_response(response) else None
    except (dns.exception.DNSException, EOFError, ValueError):
        return None


def _unreachable(server: str, port: int, error: OSError) -> ProbeError:
    where = f"the name server {server}"
    if error.errno == errno.ECONNREFUSED:
        return ProbeError("source-down", f"nothing answers on port {port} of {where}", "does it run there?")
    return ProbeError("source-down", f"{where} cannot be reached: {error.strerror or error}", "see `ip route`")


def _bad(server: str, error: Exception) -> ProbeError:
    said = str(error) or type(error).__name__
    return ProbeError("bad-answer", f"what the name server {server} says is no DNS answer: {said}", "is it one?")


def _read(response: "dns.message.Message", kind: str, server: str, elapsed: float) -> Answered:
    import dns.exception

    try:
        return _answered(response, kind, server, elapsed)
    except (dns.exception.DNSException, ValueError) as error:
        raise _bad(server, error) from error


def _answered(response: "dns.message.Message", kind: str, server: str, elapsed: float) -> Answered:
    import dns.flags
    import dns.message
    import dns.rcode

    status = dns.rcode.to_text(response.rcode())
    common: dict[str, Any] = {
        "status": status,
        "authoritative": bool(response.flags & dns.flags.AA),
        "server": server,
        "elapsed": elapsed,
        "text": response.to_text(),
    }
    if status not in _ANSWERED or not isinstance(response, dns.message.QueryMessage):
        return Answered(**common)
    chained = response.resolve_chaining()
    if status == _NO_ERROR and chained.answer is None and _only_refers(response, chained.cnames):
        return Answered(**{**common, "status": REFERRAL})
    chain = tuple(_plain(str(rdata)) for rrset in chained.cnames for rdata in rrset)
    if chained.answer is None:
        return Answered(**common, chain=chain)
    ttl = int(chained.minimum_ttl)
    records = sorted((Record(_text(rdata, kind), ttl) for rdata in chained.answer), key=lambda each: each.text)
    serials = [int(rdata.serial) for rdata in chained.answer] if kind == "SOA" else []
    return Answered(**common, chain=chain, records=tuple(records), serial=max(serials, default=None))


def _only_refers(response: "dns.message.Message", cnames: Sequence[object]) -> bool:
    """Tell whether a server without the record is not the one to say that there is none: RFC 2308, section 2.2."""
    import dns.flags
    import dns.rdatatype

    if response.flags & dns.flags.RA or any(each.rdtype == dns.rdatatype.SOA for each in response.authority):
        return False
    return bool(cnames) or not response.flags & dns.flags.AA


def _text(rdata: "dns.rdata.Rdata", kind: str) -> str:
    """Return a record as people write it: names without the final dot, texts in one piece and without quotes."""
    if kind == "TXT":
        strings: tuple[bytes, ...] = rdata.strings  # type: ignore[attr-defined]
        return b"".join(strings).decode("utf-8", "backslashreplace")
    shown = str(rdata)
    if kind in _NAMES:
        return _plain(shown)
    if kind in {"MX", "SRV", "SOA"}:
        return " ".join(_plain(each) for each in shown.split(" "))
    return shown


def _plain(name: str) -> str:
    return name.lower().removesuffix(".") or "."
