"""Probe `tcp`: whether a port answers, how fast, and what it says.

Unlike elsewhere, a refused connection is a reading: that a port is closed may be what has to be so.
"""

import asyncio
import contextlib
import errno
import os
import shlex
import socket
import time
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from opsconsole.checks._addresses import Address, Family, addresses_of, connected, host_problem
from opsconsole.checks._searching import pattern_problem, searched
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.redaction import redacted
from opsconsole.model.values import Duration, Unit, Value, formatted, seconds

State = Literal["open", "refused", "timeout", "unreachable"]

SUBJECTS: Subjects = {"open": None, "state": None, "latency": Unit.SECONDS, "address": None}
"""Whether a connection could be made (`open`), and in one word what came of it: `open`, `refused` (nothing listens
there), `timeout` (no answer at all, often a firewall) or `unreachable` (no way there, so that `open` is not
known); how long it took; and the address that answered."""
ANSWER: Subjects = {"matched": None, "banner": None, "answer_time": Unit.SECONDS}
"""With `expect`: whether it was found in what the server says, what it said, and how long that took."""

_MOST_BYTES = 65_536
_SHOWN = 4_000
_REFUSED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED})
_UNREACHABLE = frozenset(
    {
        *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL),
        *(errno.EAFNOSUPPORT, errno.EACCES, errno.EPERM),
    }
)
"""The last two are what a firewall on this host says."""
_TELLING: tuple[State, ...] = ("open", "refused", "timeout", "unreachable")
_WITHIN = Duration.parse("5 s")
_LONGEST = Decimal(600)


class TcpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `tcp`."""

    host: str
    """The host's name or address."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    """The port. `state` then says what came of it: `open`, `refused` (nothing listens there), `timeout` (no
    answer, as of a firewall), or `unreachable`: there is no way, so that nobody knows whether it is `open`. A
    load balancer, or Docker, takes connections also for a service that is down: `expect` something of it."""
    family: Family = "any"
    """`ipv4` or `ipv6`; `any` tries all addresses of the host one after another until one answers."""
    within: Duration = _WITHIN
    """How long to wait for the connection, and again for the expected answer. What is not there by then is a
    `timeout`; it must lie within the item's `timeout`."""
    send: str = ""
    """What is sent once the connection is there: `"PING\\r\\n"`. Nothing secret: it is recorded."""
    expect: str = ""
    """A pattern between slashes that is looked for in what the server says: `"/^SSH-2.0-/"`."""


class Attempt(msgspec.Struct, frozen=True):
    """What became of one address."""

    address: Address
    state: State
    said: str
    elapsed: float
    """Seconds."""


class Answer(msgspec.Struct, frozen=True):
    """What the server said."""

    matched: bool
    text: str
    elapsed: float
    """Seconds from the connection until it was found, or until nothing more was waited for."""
    end: str
    """Why no more was read."""


class TcpProbe:
    """Makes one connection, and closes it."""

    async def measure(self, options: TcpOptions, context: Context) -> Reading:
        """Return whether the port answers; a name that cannot be resolved is a problem."""
        until = time.monotonic() + context.allowance
        if float(options.within.seconds) >= context.allowance:
            raise ProbeError(
                "bad-options",
                f"to wait {options.within} does not fit into the item's timeout of {context.timeout:.3g} s",
                "raise `timeout` beyond it, or lower `within`",
            )
        try:
            async with asyncio.timeout(context.allowance):
                addresses = await addresses_of(options.host, options.port, options.family, socket.SOCK_STREAM)
        except TimeoutError:
            raise ProbeError(
                "timeout", f"the address of {options.host} was not known in time", "see /etc/resolv.conf"
            ) from None
        attempts, opened = await _tried(addresses, options, until)
        answer = None
        if opened is not None:
            with contextlib.closing(opened):
                if options.expect:
                    seconds_left = min(float(options.within.seconds), until - time.monotonic())
                    answer = await _answer(opened, options, max(0.01, seconds_left))
        return _reading(options, attempts, answer)

    async def aclose(self) -> None:
        """Nothing to end."""


# --- the connection ----------------------------------------------------------------------------------


async def _tried(
    addresses: list[Address], options: TcpOptions, until: float
) -> tuple[list[Attempt], socket.socket | None]:
    """Try one address after another; each gets its part of the time, so that a dead one leaves some to others."""
    attempts: list[Attempt] = []
    last = min(until, time.monotonic() + float(options.within.seconds))
    for index, address in enumerate(addresses):
        allowed = max(0.01, (last - time.monotonic()) / (len(addresses) - index))
        attempt, opened = await _attempt(address, allowed)
        attempts.append(attempt)
        if opened is not None:
            return attempts, opened
    return attempts, None


async def _attempt(address: Address, allowed: float) -> tuple[Attempt, socket.socket | None]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(allowed):
            opened = await connected(address, socket.SOCK_STREAM)
    except TimeoutError:  # also the kernel's own ETIMEDOUT
        return Attempt(address, "timeout", f"no answer within {allowed:.3g} s", time.monotonic() - began), None
    except OSError as error:
        said = os.strerror(error.errno) if error.errno else str(error)
        return Attempt(address, _state(error), said, time.monotonic() - began), None
    return Attempt(address, "open", "connected", time.monotonic() - began), opened


def _state(error: OSError) -> State:
    if error.errno in _REFUSED:
        return "refused"
    if error.errno in _UNREACHABLE:
        return "unreachable"
    raise ProbeError(
        "failed", f"no connection could be tried: {error.strerror or error}", "see the limits of this process"
    ) from error


# --- the answer --------------------------------------------------------------------------------------


async def _answer(opened: socket.socket, options: TcpOptions, allowed: float) -> Answer:
    """Send what is to be sent, and read until the pattern is found, the server ends, or the time is over."""
    loop = asyncio.get_running_loop()
    pattern = options.expect[1:-1]
    said = bytearray()
    began = time.monotonic()
    searching = False

    def answer(end: str, *, matched: bool = False) -> Answer:
        return Answer(matched, _text(said), time.monotonic() - began, end)

    try:
        async with asyncio.timeout(allowed):
            if options.send:
                await loop.sock_sendall(opened, options.send.encode())
            while len(said) < _MOST_BYTES:
                chunk = await loop.sock_recv(opened, _MOST_BYTES - len(said))
                if not chunk:
                    return answer("the server closed the connection")
                said += chunk
                searching = True
                ((match,),) = await searched([pattern], [_text(said)], began + allowed - time.monotonic())
                searching = False
                if match is not None:
                    return answer("found", matched=True)
    except TimeoutError:
        if searching:
            raise ProbeError(
                "timeout",
                f"looking for {options.expect} in what the server says was not done within {allowed:.3g} s",
                "simplify the pattern",
            ) from None
        return answer(f"nothing more came within {allowed:.3g} s")
    except OSError as error:
        return answer(f"the connection broke: {error.strerror or error}")
    return answer(f"no more than {_MOST_BYTES:,} bytes are read")


def _text(said: bytearray) -> str:
    return said.decode("utf-8", "backslashreplace")


# --- the reading -------------------------------------------------------------------------------------


def _reading(options: TcpOptions, attempts: list[Attempt], answer: Answer | None) -> Reading:
    best = min(attempts, key=lambda each: _TELLING.index(each.state))
    is_open = best.state == "open"
    measures: dict[str, Value] = {
        "open": None if best.state == "unreachable" else is_open,
        "state": best.state,
        "latency": seconds(best.elapsed) if is_open else None,
        "address": best.address.shown,
    }
    lines = [f"{each.address.shown} port {options.port}: {_line(each)}" for each in attempts]
    evidence = [Evidence("connection", "\n".join(lines))]
    if options.expect:
        measures |= dict.fromkeys(ANSWER)
    if answer is not None:
        measures |= {
            "matched": answer.matched,
            "banner": answer.text[:_SHOWN].removesuffix("\n").removesuffix("\r"),
            "answer_time": seconds(answer.elapsed),
        }
        end = f"{options.expect} was {'found' if answer.matched else f'not found: {answer.end}'}"
        said = f"{end}\n{answer.text[:_SHOWN]}"
        evidence.append(Evidence("answer", said, truncated=len(answer.text) > _SHOWN))
    return Reading(measures=measures, evidence=tuple(evidence), command=_command(options))


def _line(attempt: Attempt) -> str:
    if attempt.state == "open":
        return f"connected in {formatted(seconds(attempt.elapsed))}"
    return f"{attempt.state} ({attempt.said})"


def _command(options: TcpOptions) -> str:
    family = {"any": [], "ipv4": ["-4"], "ipv6": ["-6"]}[options.family]
    wait = str(max(1, round(options.within.seconds)))
    netcat = shlex.join(["nc", "-v", *family, "-w", wait, *([] if options.expect else ["-z"])])
    line = f"{netcat} {shlex.quote(options.host)} {options.port}"
    if not options.send:
        return line
    sent = options.send.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    return f"printf %b {shlex.quote(sent)} | {line}"


# --- the kind ----------------------------------------------------------------------------------------


def _problems(options: TcpOptions) -> list[tuple[str, str]]:
    found = []
    if problem := host_problem(options.host.replace("{target}", "target")):
        found.append(("host", problem))
    if not 0 < options.within.seconds <= _LONGEST:
        found.append(("within", f"'{options.within}' is no time to wait; write it like '5 s'"))
    if options.send and not options.expect:
        found.append(("send", "say by `expect` what the answer has to be"))
    if options.send and redacted(options.send) != options.send:
        found.append(("send", "looks like a secret, which would be recorded; ask for what needs none"))
    if options.expect and (unfit := pattern_problem(options.expect, "/^SSH-2.0-/")):
        found.append(("expect", unfit))
    return found


def _open(_environment: Environment) -> TcpProbe:
    return TcpProbe()


KIND = ProbeKind(
    name="tcp",
    summary="Tries whether a TCP port answers, how fast, and whether it says what it should.",
    options=TcpOptions,
    subjects=lambda options: {**SUBJECTS, **ANSWER} if options.expect else SUBJECTS,
    open=_open,
    validate=_problems,
)
