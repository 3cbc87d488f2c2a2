"""How right the clock is: by the kernel, by a scripted NTP server, and by a real chrony that asks that one."""

import asyncio
import contextlib
import os
import pwd
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _kernelclock, _process, _sntp, _timedaemons
from opsconsole.checks._kernelclock import KernelClock
from opsconsole.checks.clock import KIND
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from support.hostprobes import (
    eventually,
    free_port,
    measured,
    ntp_answer,
    ntp_stamp,
    outcome,
    problem_of,
    problems,
    running,
    udp_server,
    value,
)
from support.needs import missing

LOCAL = "127.0.0.1"


def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let no program be found but those in the directory that is returned."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setattr(_process, "_STANDARD_PATH", ())
    monkeypatch.setenv("PATH", str(programs))
    return programs


def _program(directory: Path, name: str, script: str) -> None:
    file = directory / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


# --- the kernel --------------------------------------------------------------------------------------


async def test_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whether the clock is kept right is what the kernel says, as timedatectl shows it."""
    _nobody(monkeypatch, tmp_path)
    reading = await measured(KIND)
    real = _kernelclock.kernel_clock()
    assert isinstance(real, KernelClock)
    assert outcome(reading, f"synchronised == {str(real.synchronised).lower()}") is Outcome.PASS
    assert outcome(reading, "offset < 1 s") is Outcome.ERROR  # nobody said how far it is off
    assert "there is no program chronyc" in reading.evidence[0].text


@pytest.mark.parametrize(("synchronised", "expected"), [(True, Outcome.PASS), (False, Outcome.FAIL)])
async def test_a_clock_that_is_kept_right_and_one_that_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, synchronised: bool, expected: Outcome
) -> None:
    """A clock that nothing keeps right is red."""
    _nobody(monkeypatch, tmp_path)
    monkeypatch.setattr(_kernelclock, "kernel_clock", lambda: KernelClock(synchronised, 250_000))
    reading = await measured(KIND)
    assert outcome(reading, "synchronised == true") is expected
    assert outcome(reading, "max_error < 1 s") is Outcome.PASS
    assert outcome(reading, "max_error < 100 ms") is Outcome.FAIL


async def test_a_kernel_that_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a sandbox that forbids the question neither answer is made up."""
    _nobody(monkeypatch, tmp_path)
    monkeypatch.setattr(_kernelclock, "kernel_clock", lambda: "the kernel does not say: Operation not permitted")
    reading = await measured(KIND)
    assert outcome(reading, "synchronised == true") is Outcome.ERROR
    assert outcome(reading, "synchronised == false") is Outcome.ERROR
    assert outcome(reading, "max_error < 1 h") is Outcome.ERROR


# --- a server ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0.0, 3.25, -3.25, 86_400.0])
async def test_how_far_the_clock_is_off(ahead: float) -> None:
    """The offset is never negative, so that a clock that is behind does not pass for one that is right."""
    async with udp_server(lambda packet: [ntp_answer(packet, ahead=ahead)]) as port:
        reading = await measured(KIND, server=LOCAL, port=port)
    assert abs(value(reading, "offset") - abs(Decimal(str(ahead)))) < Decimal("0.5")
    assert outcome(reading, "offset < 1 s") is (Outcome.PASS if not ahead else Outcome.FAIL)
    assert outcome(reading, "stratum <= 3", "delay < 1 s", f"source == '{LOCAL}'") is Outcome.PASS
    if ahead:
        assert reading.measures["direction"] == ("behind" if ahead > 0 else "ahead")


async def test_a_lost_packet() -> None:
    """A question that got lost is asked again."""
    asked = []

    def answer(packet: bytes) -> Sequence[bytes]:
        asked.append(packet)
        return [ntp_answer(packet)] if len(asked) > 1 else []

    async with udp_server(answer) as port:
        reading = await measured(KIND, 1, server=LOCAL, port=port)
    assert outcome(reading, "offset < 1 s") is Outcome.PASS
    assert len(asked) == 2
    assert asked[0][40:48] != asked[1][40:48]  # so that a late answer to the first is known as such


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (lambda packet: [], "timeout", "had not told the time"),
        (lambda packet: [b"x"], "bad-answer", "1 bytes"),
        (lambda packet: [packet], "bad-answer", "mode 3"),
        (lambda packet: [ntp_answer(packet[:40] + b"forged!!")], "bad-answer", "not asked"),
        (lambda packet: [ntp_answer(packet, stratum=0, reference=b"RATE")], "refused", "RATE"),
        (lambda packet: [ntp_answer(packet, stratum=16)], "bad-answer", "not synchronised"),
        (lambda packet: [ntp_answer(packet, first=0b11_100_100)], "bad-answer", "not synchronised"),
        (lambda packet: [ntp_answer(packet)[:40] + bytes(8)], "bad-answer", "not synchronised"),
        (lambda packet: [ntp_answer(packet)[:40] + ntp_stamp(time.time() - 60)], "bad-answer", "contradict"),
        (
            lambda packet: [ntp_answer(packet)[:8] + struct.pack("!I", 20 << 16) + ntp_answer(packet)[12:]],
            "bad-answer",
            "16 s",
        ),
        (lambda packet: [b"x" * 48] * 200, "bad-answer", "not asked"),
    ],
    ids=["silence", "short", "echo", "forged", "kiss", "no-time", "alarm", "zero", "backward", "far", "flood"],
)
async def test_servers_that_do_not_tell_the_time(
    answer: Callable[[bytes], Sequence[bytes]], reason: str, said: str
) -> None:
    """An answer that tells no time, or that anybody could have sent, is no reading."""
    async with udp_server(answer) as port:
        problem = await problem_of(KIND, 0.5, server=LOCAL, port=port)
    assert (problem.reason, said in problem.cause) == (reason, True), problem


async def test_giving_up_while_nonsense_comes() -> None:
    """A measurement that is cancelled ends, also when a server keeps sending what nobody asked for."""
    async with udp_server(lambda packet: [b"x" * 48]) as port:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await measured(KIND, 60, server=LOCAL, port=port)
    assert time.monotonic() - began < 5


async def test_nobody_there() -> None:
    """A host where no NTP server runs says so at once."""
    problem = await problem_of(KIND, server=LOCAL, port=free_port(socket.SOCK_DGRAM))
    assert problem.reason == "source-down"


NONCE = b"12345678"
NOW = 1_795_000_000 * 10**9


@given(st.binary(max_size=80), st.booleans())
def test_any_packet_is_read_or_refused(packet: bytes, answers: bool) -> None:
    """Whatever comes is a sample or a cause, and an offset is never more than half an era of NTP."""
    if answers and len(packet) >= 48:
        packet = b"\x24\x02" + packet[2:24] + NONCE + packet[32:]
    try:
        sample = _sntp.parsed(packet, NONCE, NOW, NOW + 10**7, LOCAL)
    except (_sntp.StrayError, ProbeError):
        return
    assert answers
    assert abs(sample.offset) <= 2**31 + 1
    assert sample.delay >= 0


@pytest.mark.parametrize("year", [2026, 2036, 2037, 2105])
def test_after_2036(year: int) -> None:
    """When the seconds of NTP begin anew, the offset stays what it is."""
    at = (year - 1970) * 31_556_952
    answer = b"\x24\x02\x00\xec" + bytes(20) + NONCE + ntp_stamp(at + 2) + ntp_stamp(at + 2)
    sample = _sntp.parsed(answer, NONCE, at * 10**9, at * 10**9, LOCAL)
    assert abs(sample.offset - 2) < Decimal("0.001")


# --- chrony ------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _chrony(place: Path, programs: Path, *, ahead: float | None) -> AsyncIterator[None]:
    """Run a real chronyd that leaves the clock alone, and asks a server that is `ahead`, or none."""
    daemon = shutil.which("chronyd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    client = shutil.which("chronyc", path="/usr/bin:/usr/local/bin")
    if daemon is None or client is None:
        missing("NO CHRONY: the probe `clock` was not tried on it (Debian: chrony).")
    control = place / f"{ahead}.socket"
    async with udp_server(lambda packet: [ntp_answer(packet, ahead=ahead or 0)]) as port:
        source = f"server {LOCAL} port {port} iburst minpoll -4 maxpoll -4" if ahead is not None else "local"
        lines = (source, "port 0", "cmdport 0", f"bindcmdaddress {control}", f"pidfile {place}/pid")
        (place / "conf").write_text("".join(f"{line}\n" for line in lines))
        try:
            user = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            missing("THIS USER HAS NO NAME, which chronyd asks for.")
        with running(daemon, "-x", "-U", "-d", "-u", user, "-f", f"{place}/conf") as child:
            _program(programs, "chronyc", f'exec {client} -h {control} "$@"')
            await eventually(lambda: control.exists() or child.poll() is not None)
            assert child.poll() is None, "chronyd did not start"
            yield


async def _settled(daemon: str) -> Decimal:
    """Wait until chrony knows the time, and return the offset that the probe then measures."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(ProbeError):
                return value(await measured(KIND, daemon=daemon), "offset")
            await asyncio.sleep(0.05)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Make a directory whose path fits into a socket's."""
    with tempfile.TemporaryDirectory(prefix="clock-") as directory:
        yield Path(directory)


async def test_chrony_knows_that_the_clock_is_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, short_path: Path
) -> None:
    """What a real chrony says of the clock is green when that is right, and red when it is behind."""
    programs = _nobody(monkeypatch, tmp_path)
    async with _chrony(short_path, programs, ahead=3.25):
        assert abs(await _settled(daemon="chrony") - Decimal("3.25")) < Decimal("0.5")
        reading = await measured(KIND)  # and is found without being named
        assert outcome(reading, "offset < 1 s") is Outcome.FAIL
        assert outcome(reading, "direction == 'behind'", "stratum == 3") is Outcome.PASS
        assert outcome(reading, "source matches /^chrony: /") is Outcome.PASS
        assert reading.evidence[0].text.splitlines()[1].startswith("it is 3.")
    async with _chrony(short_path, programs, ahead=0):
        assert await _settled(daemon="chrony") < Decimal("0.5")
    assert (await problem_of(KIND, daemon="chrony")).reason == "source-down"  # it runs no more


async def test_chrony_that_takes_its_own_clock_for_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, short_path: Path
) -> None:
    """A chrony without servers says 0 s off and `Normal`: that is no measurement."""
    programs = _nobody(monkeypatch, tmp_path)
    async with _chrony(short_path, programs, ahead=None):
        problem = await problem_of(KIND, daemon="chrony")
    assert (problem.reason, "own clock" in problem.cause) == ("bad-answer", True)


# --- what the programs say ---------------------------------------------------------------------------

TIMESYNC = """       Server: 192.0.2.1 (ntp.example)
Poll interval: 34min 8s (min: 32s; max 34min 8s)
         Leap: normal
      Version: 4
      Stratum: 2
    Reference: C0248F97
    Precision: 1us (-24)
Root distance: 24.162ms (max: 5s)
       Offset: {offset}
        Delay: 23.054ms
       Jitter: 1.246ms
 Packet count: 31
    Frequency: +20.293ppm
"""
NTPQ = "leap=00, stratum=3, refid=192.0.2.7, offset={offset}\n"


@pytest.mark.parametrize(
    ("program", "said", "offset", "direction"),
    [
        ("timedatectl", TIMESYNC.format(offset="+1.185ms"), "0.001185", "behind"),
        ("timedatectl", TIMESYNC.format(offset="-1min 2.5s"), "62.5", "ahead"),
        ("timedatectl", TIMESYNC.format(offset="+812us"), "0.000812", "behind"),
        ("timedatectl", TIMESYNC.format(offset="0"), "0", "ahead"),
        ("ntpq", NTPQ.format(offset="-250.125"), "0.250125", "ahead"),
        ("ntpq", NTPQ.format(offset="0.5"), "0.0005", "behind"),
    ],
)
async def test_other_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, said: str, offset: str, direction: str
) -> None:
    """What timedatectl and ntpq say is read in their units."""
    _program(_nobody(monkeypatch, tmp_path), program, f"/bin/cat <<'END'\n{said}END")
    reading = await measured(KIND)
    assert value(reading, "offset") == Decimal(offset)
    assert reading.measures["direction"] == direction


@pytest.mark.parametrize(
    ("program", "said", "reason"),
    [
        ("timedatectl", "       Server: (null) (ntp.example)\n Packet count: 0\n", "bad-answer"),
        ("timedatectl", TIMESYNC.format(offset="+1.2parsecs"), "bad-answer"),
        ("timedatectl", "", "bad-answer"),
        ("ntpq", "leap=11, stratum=16, refid=INIT, offset=0.000\n", "bad-answer"),
        ("ntpq", "localhost: timed out, nothing received\n", "bad-answer"),
        ("chronyc", "00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n", "bad-answer"),
        ("chronyc", "C0000201,a,2,1.0,nan,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Normal\n", "bad-answer"),
    ],
)
async def test_programs_that_do_not_know(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, said: str, reason: str
) -> None:
    """A program that has heard from no server, or says what nobody understands, does not make the clock right."""
    _program(_nobody(monkeypatch, tmp_path), program, f"/bin/cat <<'END'\n{said}END")
    daemon = {"timedatectl": "timesyncd", "ntpq": "ntpd", "chronyc": "chrony"}[program]
    assert (await problem_of(KIND, daemon=daemon)).reason == reason
    assert outcome(await measured(KIND), "offset < 1 h") is Outcome.ERROR


def _ended(pidfile: Path) -> bool:
    return not Path(f"/proc/{pidfile.read_text().strip()}").exists()


async def test_a_program_that_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that never answers leaves time for the others, and is gone afterwards."""
    programs = _nobody(monkeypatch, tmp_path)
    _program(programs, "chronyc", f"echo $$ > {tmp_path}/pid\nexec /bin/sleep 1000")
    _program(programs, "ntpq", f"/bin/cat <<'END'\n{NTPQ.format(offset='1')}END")
    reading = await measured(KIND, 1.5)
    assert outcome(reading, "offset < 1 s") is Outcome.PASS
    assert "had not ended after" in reading.evidence[0].text
    assert _ended(tmp_path / "pid")
    assert (await problem_of(KIND, 0.5, daemon="chrony")).reason == "timeout"
    assert (await problem_of(KIND, 0.5, daemon="timesyncd")).reason == "missing-program"


@given(st.sampled_from([_timedaemons.chrony, _timedaemons.timesyncd, _timedaemons.ntpd]), st.text())
def test_any_text_is_read_or_refused(parse: Callable[[str], _timedaemons.Kept], text: str) -> None:
    """Whatever a program says is an offset or a cause."""
    with pytest.raises(ProbeError) as caught:
        parse(text)
    assert caught.value.problem.reason == "bad-answer"


@given(st.lists(st.text(alphabet="0123456789.-+eEnaif ", max_size=12), min_size=4, max_size=4))
def test_any_number_is_read_or_refused(numbers: list[str]) -> None:
    """Numbers of any size and shape are finite decimals, or a cause."""
    texts = {
        _timedaemons.chrony: f"C0000201,a,{numbers[0]},1,{numbers[1]},0,0,0,0,0,1,1,0,Normal",
        _timedaemons.timesyncd: f"Server: a\nStratum: {numbers[0]}\nOffset: {numbers[1]}s\n",
        _timedaemons.ntpd: f"leap=00, stratum={numbers[2]}, offset={numbers[3]}",
    }
    for parse, text in texts.items():
        with contextlib.suppress(ProbeError):
            assert parse(text).offset.is_finite()


def test_options() -> None:
    """Mistakes are found when the checklist is loaded."""
    assert problems(KIND) == []
    assert problems(KIND, server="ntp.example", port=1123) == []
    assert problems(KIND, server="ntp example") == ["server"]
    assert problems(KIND, server="ntp.example", daemon="chrony") == ["daemon"]
    assert problems(KIND, port=1123) == ["port"]
