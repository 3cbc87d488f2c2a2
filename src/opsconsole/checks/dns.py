"""Probe `dns`: what a name server says of a name."""

import asyncio
import ipaddress
import re
import shlex
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from opsconsole.checks import _dnsquery
from opsconsole.checks._dnsquery import Answered
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import MAX_TEXT, Evidence, Reading
from opsconsole.model.values import Number, Unit, Value, formatted, seconds

SUBJECTS: Subjects = {
    "status": None,
    "count": Unit.COUNT,
    "answers": None,
    "ttl": Unit.SECONDS,
    "latency": Unit.SECONDS,
    "authoritative": None,
    "server": None,
    "answer": None,
}
"""The response code: `NOERROR`, `NXDOMAIN` (there is no such name), `SERVFAIL` (the server could not find out),
`REFUSED` and so on, or `REFERRAL` (it only names others); how many records there are; all of them in the order of
the alphabet with `, ` between; how long they may be kept; how long the server took; whether it is responsible for
the zone; and which one it was. The rows have the `answer` of each record. Where the server could not say what there
is, only the code is known."""
SERIAL: Subjects = {"serial": Unit.COUNT}
"""With type SOA: the serial number of the zone."""

_SHOWN = 8_000
_LONGEST = 63
"""Characters between two dots of a name: RFC 1035."""
_NAME = re.compile(r"(?=.{1,255}\Z)[^\s\"'\\/]+\Z")

Type = Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]


class DnsOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `dns`."""

    name: str
    """The whole name: no search domain is added to it. With type PTR it may be an address."""
    type: Type = "A"
    """The type of the records, which `answers` has in one text: sorted, with `, ` between, names in lower case and
    without the final dot. `status` is `NOERROR`, `NXDOMAIN` where there is no such name, or `SERVFAIL` and
    others where the server could not say, and nothing else is known; so it is with `REFERRAL`, where it only names
    other servers. One of `A` and `AAAA` follows CNAME
    records to where they lead."""
    server: str = ""
    """The address of the name server. Where it is left out, those of `/etc/resolv.conf` are asked in turn;
    `/etc/hosts` is not looked at."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 53
    """The port of the name server."""


class DnsProbe:
    """Asks by UDP, and by TCP where the answer is too long for that."""

    async def measure(self, options: DnsOptions, context: Context) -> Reading:
        """Return what the server says; that it does not answer at all is a problem."""
        try:
            async with asyncio.timeout(context.allowance):
                await _dnsquery.load()
        except TimeoutError:
            raise ProbeError("timeout", "dnspython was not loaded in time", "is the host overloaded?") from None
        servers = [options.server] if options.server else _dnsquery.system_servers()
        answered = await _dnsquery.ask(options.name, options.type, servers, options.port, context.allowance * 0.95)
        return _reading(options, answered)

    async def aclose(self) -> None:
        """Nothing to end."""


def _reading(options: DnsOptions, answered: Answered) -> Reading:
    measures: dict[str, Value] = dict.fromkeys(_measures(options))
    measures |= {
        "status": answered.status,
        "latency": seconds(answered.elapsed),
        "authoritative": answered.authoritative,
        "server": answered.server,
    }
    evidence = Evidence("answer", _account(options, answered), truncated=len(answered.text) > _SHOWN)
    command = _command(options, answered)
    if not answered.known:
        return Reading(measures=measures, evidence=(evidence,), command=command)
    answers = ", ".join(each.text for each in answered.records)
    measures |= {
        "count": Number(Decimal(len(answered.records))),
        "answers": answers if len(answers) < MAX_TEXT else None,
        "ttl": min((seconds(each.ttl) for each in answered.records), key=lambda each: each.value, default=None),
    }
    if answered.serial is not None:
        measures["serial"] = Number(Decimal(answered.serial))
    return Reading(
        measures=measures,
        columns=("answer",),
        rows=tuple((each.text,) for each in answered.records),
        label="answer",
        evidence=(evidence,),
        command=command,
    )


def _account(options: DnsOptions, answered: Answered) -> str:
    said = [f"{answered.server} answered {answered.status} in {formatted(seconds(answered.elapsed))}"]
    if answered.known and not answered.records:
        said.append(f"{options.name} has no record of type {options.type}")
    if answered.chain:
        said.append(f"{options.name} leads to {' and on to '.join(answered.chain)}")
    return "\n".join([*said, *answered.notes, "", answered.text[:_SHOWN]])


def _command(options: DnsOptions, answered: Answered) -> str:
    port = ["-p", str(options.port)] if options.port != 53 else []  # noqa: PLR2004 - that of DNS
    server = [f"@{answered.server}"] if options.server else []
    reverse = options.type == "PTR" and _is_address(options.name)
    asked = ["-x", options.name] if reverse else [options.name, options.type]
    return shlex.join(["dig", *server, *port, *asked])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _problems(options: DnsOptions) -> list[tuple[str, str]]:
    found = []
    labels = options.name.removesuffix(".").split(".")
    if not _NAME.match(options.name) or (
        options.name != "." and not all(0 < len(each) <= _LONGEST for each in labels)
    ):
        found.append(("name", f"'{options.name}' is no name; write it like 'www.example'"))
    if options.server and "{target}" not in options.server and not _is_address(options.server):
        found.append(("server", f"'{options.server}' is no address; write that of the name server: '192.0.2.53'"))
    return found


def _measures(options: DnsOptions) -> list[str]:
    return [name for name in _subjects(options) if name != "answer"]


def _subjects(options: DnsOptions) -> Subjects:
    return {**SUBJECTS, **SERIAL} if options.type == "SOA" else SUBJECTS


def _open(_environment: Environment) -> DnsProbe:
    return DnsProbe()


KIND = ProbeKind(
    name="dns",
    summary="Asks a name server for the records of a name: whether there are any, which, and how fast it answers.",
    options=DnsOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
