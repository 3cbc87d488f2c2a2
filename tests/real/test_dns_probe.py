"""What name servers say: dnsmasq for the usual, a scripted server for the rest, and nonsense."""

import asyncio
import contextlib
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _dnsquery
from opsconsole.checks.dns import KIND
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from support.hostprobes import (
    free_port,
    measured,
    outcome,
    problem_of,
    problems,
    running,
    tcp_server,
    udp_server,
    value,
)
from support.needs import missing

LOCAL = "127.0.0.1"


@pytest.fixture(scope="module")
def dnsmasq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a dnsmasq that is responsible for a few names, and yield its port."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        missing("NO DNSMASQ: real names were not asked for (Debian: dnsmasq-base).")
    port = free_port(socket.SOCK_DGRAM)
    place = tmp_path_factory.mktemp("dnsmasq")
    options = f"""
no-resolv
no-hosts
no-daemon
bind-interfaces
listen-address={LOCAL}
port={port}
pid-file={place}/pid
local=/example/
host-record=www.example,192.0.2.1,2001:db8::1,600
host-record=two.example,192.0.2.9
address=/many.example/192.0.2.3
address=/many.example/192.0.2.2
cname=shop.example,www.example
mx-host=example,mail.example,10
txt-record=example,"v=spf1 -all","of two, parts"
srv-host=_ldap._tcp.example,www.example,389
ptr-record=9.2.0.192.in-addr.arpa,two.example
"""
    (place / "conf").write_text(options)
    with running(program, f"--conf-file={place}/conf", "--user=", "--group="):
        _until_it_answers(port)
        yield port


def _until_it_answers(port: int) -> None:
    query = dns.message.make_query("www.example", "A")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, dns.exception.Timeout):
            dns.query.tcp(query, LOCAL, 0.5, port)
            return
        time.sleep(0.02)
    raise AssertionError("dnsmasq did not answer")


@pytest.mark.parametrize(
    ("name", "kind", "answers", "status"),
    [
        ("www.example", "A", "192.0.2.1", "NOERROR"),
        ("WWW.Example.", "A", "192.0.2.1", "NOERROR"),
        ("www.example", "AAAA", "2001:db8::1", "NOERROR"),
        ("many.example", "A", "192.0.2.2, 192.0.2.3", "NOERROR"),
        ("shop.example", "A", "192.0.2.1", "NOERROR"),
        ("shop.example", "CNAME", "www.example", "NOERROR"),
        ("example", "MX", "10 mail.example", "NOERROR"),
        ("example", "TXT", "v=spf1 -allof two, parts", "NOERROR"),
        ("_ldap._tcp.example", "SRV", "0 0 389 www.example", "NOERROR"),
        ("192.0.2.9", "PTR", "two.example", "NOERROR"),
        ("two.example", "AAAA", "", "NOERROR"),
        ("nobody.example", "A", "", "NXDOMAIN"),
    ],
)
async def test_records(dnsmasq: int, name: str, kind: str, answers: str, status: str) -> None:
    """Each type is compared as the text that people write; a name without records is told from no such name."""
    reading = await measured(KIND, name=name, type=kind, server=LOCAL, port=dnsmasq)
    assert (reading.measures["answers"], reading.measures["status"]) == (answers, status)
    assert outcome(reading, f"answers == '{answers}'", f"status == '{status}'", "latency < 5 s") is Outcome.PASS
    assert outcome(reading, "answers == '192.0.2.77'") is Outcome.FAIL
    assert outcome(reading, "count >= 1") is (Outcome.PASS if answers else Outcome.FAIL)
    assert outcome(reading, "every answer != 'x'") is (Outcome.PASS if answers else Outcome.ERROR)
    assert reading.command.startswith(f"dig @{LOCAL} -p {dnsmasq} ")


async def test_what_is_known_of_an_answer(dnsmasq: int) -> None:
    """How long it may be kept and where a name leads to are told."""
    reading = await measured(KIND, name="shop.example", server=LOCAL, port=dnsmasq)
    assert outcome(reading, "ttl <= 10 min", "authoritative == true", f"server == '{LOCAL}'") is Outcome.PASS
    assert "shop.example leads to www.example" in reading.evidence[0].text
    www = await measured(KIND, name="www.example", server=LOCAL, port=dnsmasq)
    assert value(www, "ttl") == 600
    assert outcome(www, "ttl < 5 min") is Outcome.FAIL


async def test_the_servers_of_the_system(dnsmasq: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server those of resolv.conf are asked in turn, and a dead one leaves time for the next."""
    listed = tmp_path / "resolv.conf"
    monkeypatch.setattr(_dnsquery, "RESOLV_CONF", str(listed))
    listed.write_text(f"nameserver 127.0.0.77\nnameserver {LOCAL}\n")
    reading = await measured(KIND, name="www.example", port=dnsmasq)
    assert reading.measures["answers"] == "192.0.2.1"
    assert "nothing answers" in reading.evidence[0].text
    assert reading.command == f"dig -p {dnsmasq} www.example A"
    listed.write_text("nameserver 127.0.0.77\nnameserver 127.0.0.78\n")
    assert (await problem_of(KIND, name="www.example", port=dnsmasq)).reason == "source-down"
    listed.unlink()
    assert (await problem_of(KIND, name="www.example", port=dnsmasq)).reason == "not-found"


# --- a server that says what it is told to -------------------------------------------------------------


def _says(change: Callable[[dns.message.Message], object]) -> Callable[[bytes], Sequence[bytes]]:
    def answer(packet: bytes) -> Sequence[bytes]:
        response = dns.message.make_response(dns.message.from_wire(packet))
        change(response)
        return [response.to_wire(max_size=65_535)]

    return answer


def _add(name: str, ttl: int, kind: str, *texts: str) -> Callable[[dns.message.Message], object]:
    return lambda response: response.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *texts))


async def test_the_serial_of_a_zone() -> None:
    """The serial number is a number, so that two servers of a zone can be compared."""
    soa = _add("example.", 300, "SOA", "ns.example. Host.example. 2026112101 1 2 3 4")
    async with udp_server(_says(soa)) as port:
        reading = await measured(KIND, name="example", type="SOA", server=LOCAL, port=port)
    assert outcome(reading, "serial >= 2026112101") is Outcome.PASS
    assert outcome(reading, "serial == 2026112100") is Outcome.FAIL
    assert reading.measures["answers"] == "ns.example host.example 2026112101 1 2 3 4"


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"])
async def test_a_server_that_cannot_say(code: str) -> None:
    """A server that could not find out has not said that there is nothing."""
    async with udp_server(_says(lambda response: response.set_rcode(dns.rcode.from_text(code)))) as port:
        reading = await measured(KIND, name="www.example", server=LOCAL, port=port)
    assert outcome(reading, f"status == '{code}'") is Outcome.PASS
    assert outcome(reading, "status == 'NOERROR'") is Outcome.FAIL
    for condition in ("count == 0", "answers == ''", "no answer == 'x'", "ttl < 1 h"):
        assert outcome(reading, condition) is Outcome.ERROR
    assert not reading.tabular  # so that `on_empty` does not take it for an empty answer


def _refers(response: dns.message.Message) -> None:
    response.authority.append(dns.rrset.from_text("example.", 300, "IN", "NS", "ns.elsewhere.example."))


def _leads_away(response: dns.message.Message) -> None:
    response.flags |= dns.flags.AA
    _add("www.example.", 300, "CNAME", "www.cdn.example.")(response)


@pytest.mark.parametrize("change", [_refers, _leads_away])
async def test_a_server_that_only_names_others(change: Callable[[dns.message.Message], None]) -> None:
    """A server that does not ask further, and has no such record itself, has not said that there is none."""
    async with udp_server(_says(change)) as port:
        reading = await measured(KIND, name="www.example", server=LOCAL, port=port)
    assert outcome(reading, "status == 'NOERROR'") is Outcome.FAIL
    assert outcome(reading, "status == 'REFERRAL'") is Outcome.PASS
    assert outcome(reading, "count == 0") is Outcome.ERROR


async def test_an_empty_answer_of_those_who_know() -> None:
    """That there is no record is known from who is responsible for the name, and from who asked further."""

    def responsible(response: dns.message.Message) -> None:
        response.flags |= dns.flags.AA

    def asked_further(response: dns.message.Message) -> None:
        response.flags |= dns.flags.RA
        _refers(response)

    def shown(response: dns.message.Message) -> None:
        soa = "ns.example. host.example. 1 2 3 4 5"
        response.authority.append(dns.rrset.from_text("example.", 300, "IN", "SOA", soa))

    for change in (responsible, asked_further, shown):
        async with udp_server(_says(change)) as port:
            reading = await measured(KIND, name="www.example", server=LOCAL, port=port)
        assert outcome(reading, "status == 'NOERROR'", "count == 0") is Outcome.PASS


async def test_a_lost_packet() -> None:
    """A question that got lost is asked again."""
    asked = []

    def answer(packet: bytes) -> Sequence[bytes]:
        asked.append(packet)
        return _says(_add("www.example.", 60, "A", "192.0.2.1"))(packet) if len(asked) > 1 else []

    async with udp_server(answer) as port:
        reading = await measured(KIND, 1.5, name="www.example", server=LOCAL, port=port)
    assert reading.measures["answers"] == "192.0.2.1"
    assert len(asked) == 2


async def test_silence() -> None:
    """A server that says nothing is a timeout, in time; a port that nobody has is told at once."""
    async with udp_server(lambda _packet: []) as port:
        began = time.monotonic()
        problem = await problem_of(KIND, 0.5, name="www.example", server=LOCAL, port=port)
    assert problem.reason == "timeout"
    assert time.monotonic() - began < 3
    problem = await problem_of(KIND, name="www.example", server=LOCAL, port=free_port(socket.SOCK_DGRAM))
    assert problem.reason == "source-down"


@pytest.mark.parametrize(
    "answer",
    [
        lambda packet: [b"\xff" * 600],
        lambda packet: [packet],  # the question itself
        lambda packet: [packet[:2] + b"\x81\x80" + packet[4:20]],
        lambda packet: [b"\0\0" + _says(_add("www.example.", 60, "A", "192.0.2.1"))(packet)[0][2:]],
        lambda packet: _says(_add("www.example.", 60, "A", "192.0.2.1"))(packet.replace(b"www", b"xxx")),
        lambda packet: [b"x"] * 300,
    ],
    ids=["noise", "echo", "half", "another-number", "another-question", "flood"],
)
async def test_nonsense(answer: Callable[[bytes], Sequence[bytes]]) -> None:
    """What does not answer the question is not taken for an answer, whoever sends it."""
    async with udp_server(answer) as port:
        problem = await problem_of(KIND, 0.5, name="www.example", server=LOCAL, port=port)
    assert problem.reason == "bad-answer"


async def test_names_that_lead_in_a_circle() -> None:
    """A chain without end is a bad answer, and ends."""

    def circle(response: dns.message.Message) -> None:
        _add("www.example.", 60, "CNAME", "b.example.")(response)
        _add("b.example.", 60, "CNAME", "www.example.")(response)

    async with udp_server(_says(circle)) as port:
        assert (await problem_of(KIND, name="www.example", server=LOCAL, port=port)).reason == "bad-answer"


async def test_a_long_answer_comes_by_tcp() -> None:
    """An answer that is too long for a packet is asked for again by TCP, and is whole."""
    addresses = [f"192.0.2.{number}" for number in range(250)]
    full = _says(_add("www.example.", 60, "A", *addresses))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packet = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        (wire,) = full(packet)
        writer.write(len(wire).to_bytes(2) + wire)
        await writer.drain()

    def cut(response: dns.message.Message) -> None:
        response.flags |= dns.flags.TC

    async with udp_server(_says(cut)) as port, tcp_server(serve, LOCAL, port):
        reading = await measured(KIND, name="www.example", server=LOCAL, port=port)
    assert value(reading, "count") == 250
    assert len(reading.rows) == 250


async def test_control_characters_are_escaped() -> None:
    """What a text record holds is text, also where it is not UTF-8."""
    async with udp_server(_says(_add("x.example.", 60, "TXT", r'"\255\027[31m\000"'))) as port:
        reading = await measured(KIND, name="x.example", type="TXT", server=LOCAL, port=port)
    assert reading.measures["answers"] == "\\xff\x1b[31m\0"


QUERY = _dnsquery.question("www.example", "A")
VALID = _says(_add("www.example.", 60, "A", "192.0.2.1", "192.0.2.2"))(QUERY.to_wire())[0]


@given(st.data())
def test_any_packet_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever a server sends, alike an answer or not, is an answer or a cause, and no crash."""
    wire = bytearray(VALID)
    for _ in range(data.draw(st.integers(0, 6))):
        wire[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255))
    packet = bytes(wire[: data.draw(st.integers(0, len(wire)))]) + data.draw(st.binary(max_size=40))
    response = _dnsquery._response(QUERY, packet)
    if response is None:
        return
    try:
        assert _dnsquery._read(response, "A", LOCAL, 0.1).status
    except ProbeError as error:
        reason = error.problem.reason
    else:
        reason = "bad-answer"
    assert reason == "bad-answer"


def test_options() -> None:
    """Mistakes are found when the checklist is loaded."""
    assert problems(KIND, name="www.example", server="::1") == []
    assert problems(KIND, name="{target}.example", server="{target}") == []
    assert problems(KIND, name="www example", server="ns.example") == ["name", "server"]
    assert problems(KIND, name="") == ["name"]
    assert problems(KIND, name="www..example") == ["name"]
    assert problems(KIND, name=f"{'a' * 64}.example") == ["name"]
    assert problems(KIND, name=".", type="NS") == []
