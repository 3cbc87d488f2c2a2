"""TLS: certificates that are good, over, self-signed or for another host, seen green and red."""

import asyncio
import datetime as dt
import socket
from pathlib import Path

import pytest

from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Number
from support.certificates import Issued, issued, server_context
from support.http import measured, outcome, until
from support.httpd import Fault, Says, says_json, serving

SCRIPTS = {"/": says_json({"status": "up"})}


@pytest.fixture(scope="module")
def authority() -> Issued:
    """An authority that signs certificates."""
    return issued("Authority of the tests", authority=True, days=40)


@pytest.fixture(scope="module")
def trusted(authority: Issued, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file that says so."""
    path = tmp_path_factory.mktemp("trusted") / "ca.pem"
    path.write_bytes(authority.pem)
    return str(path)


async def test_a_good_certificate(authority: Issued, trusted: str, tmp_path: Path) -> None:
    """Days left, chain, issuer and trust are measured beside what the server answers."""
    tls = server_context(tmp_path, issued("app", by=authority, days=20), authority)
    with serving(SCRIPTS, tls=tls) as server:
        reading = await measured(server.url, path="/", ca=trusted, certificate=True, json={"state": "$.status"})
    left = reading.measures["certificate_left"]
    assert isinstance(left, Number)
    assert 19 * 86_400 < left.value <= 20 * 86_400
    assert outcome(reading, "certificate_left > 14 d", "trusted == true", "state == 'up'") is Outcome.PASS
    assert outcome(reading, "chain_left > 30 d") is Outcome.FAIL
    assert outcome(reading, "issuer == 'Authority of the tests'", "distrust == 'none'") is Outcome.PASS
    text = reading.evidence[0].text
    assert "It is trusted." in text
    assert "localhost, 127.0.0.1" in text
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize(
    ("certificate", "says", "days"),
    [
        ({"days": -3}, "expired", -3),
        ({"hosts": ("other.example",)}, "mismatch", 90),
        ({"since": -2}, "not yet valid", 90),
    ],
)
async def test_a_certificate_that_is_not_trusted_fails(
    authority: Issued, trusted: str, tmp_path: Path, certificate: dict[str, object], says: str, days: int
) -> None:
    """An expired certificate is a FAIL with its days where the item asks for them, else an ERROR with the cause."""
    made = issued("app", by=authority, **certificate)  # type: ignore[arg-type]
    with serving(SCRIPTS, tls=server_context(tmp_path, made, authority)) as server:
        reading = await measured(server.url, path="/", ca=trusted, certificate=True, json={"state": "$.status"})
        with pytest.raises(ProbeError, match=says) as caught:
            await measured(server.url, path="/", ca=trusted)
        assert server.asked == []
    assert caught.value.problem.reason == "tls"
    assert outcome(reading, "trusted == true") is Outcome.FAIL
    assert outcome(reading, f"certificate_left > {days - 1} d", f"certificate_left < {days + 1} d") is Outcome.PASS
    assert says in str(reading.measures["distrust"])
    assert outcome(reading, "state == 'up'") is Outcome.ERROR
    assert outcome(reading, "status == 200") is Outcome.ERROR
    assert "openssl s_client" in reading.command


async def test_a_self_signed_certificate(tmp_path: Path) -> None:
    """A server that signed its own certificate is not trusted, and its days are known all the same."""
    with serving(SCRIPTS, tls=server_context(tmp_path, issued("self"))) as server:
        reading = await measured(server.url, path="/", certificate=True)
    assert outcome(reading, "trusted == true", "certificate_left > 14 d") is Outcome.FAIL
    assert outcome(reading, "certificate_left > 14 d") is Outcome.PASS
    assert "self-signed" in str(reading.measures["distrust"])


@pytest.mark.parametrize("certificate", [True, False])
async def test_what_is_no_tls(certificate: bool) -> None:
    """A plain server behind an https address, and one that says nothing, are told from a bad certificate."""

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        with pytest.raises(ProbeError) as caught:
            await measured(url, certificate=certificate, timeout=2)
    assert caught.value.problem.reason == "tls", caught.value.problem
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ProbeError) as caught:
            await measured(url, certificate=certificate, timeout=0.5)
    assert caught.value.problem.reason == "source-down"


@pytest.mark.parametrize("certificate", [True, False])
async def test_nobody_listens_for_tls(certificate: bool) -> None:
    """A closed port is a source that is down, however it is asked."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ProbeError, match="Connection refused") as caught:
            await measured(url, certificate=certificate)
    assert caught.value.problem.reason == "source-down"


async def test_faults_over_tls_leave_nothing_open(authority: Issued, trusted: str, tmp_path: Path) -> None:
    """Slow and endless answers over TLS end as they do without, and their connections with them."""
    tls = server_context(tmp_path, issued("app", by=authority))
    scripts = {f"/{each}": Says(b"x" * 100, fault=each) for each in (Fault.DRIP, Fault.ENDLESS, Fault.CLOSE_MIDWAY)}
    with serving(scripts, tls=tls) as server:
        for path, reason in (("/drip", "timeout"), ("/endless", "too-large"), ("/close-midway", "bad-answer")):
            with pytest.raises(ProbeError) as caught:
                await measured(server.url, path=path, ca=trusted, timeout=0.7)
            assert caught.value.problem.reason == reason
        await until(lambda: not server.open)


async def test_a_file_of_authorities_that_cannot_be_used(tmp_path: Path) -> None:
    """A `ca` that is missing or is no certificate is told with its name."""
    (tmp_path / "empty").touch()
    for name in ("empty", "nothing"):
        with pytest.raises(ProbeError, match=name) as caught:
            await measured("https://127.0.0.1:1", ca=str(tmp_path / name))
        assert caught.value.problem.reason == "tls"


async def test_certificates_are_told_by_the_moment_of_the_pass(authority: Issued, tmp_path: Path) -> None:
    """What is left is counted from the moment of the measurement."""
    now = dt.datetime.now(dt.UTC) + dt.timedelta(days=100)
    with serving(SCRIPTS, tls=server_context(tmp_path, issued("app", by=authority, days=90))) as server:
        reading = await measured(server.url, path="/", certificate=True, now=now)
    assert outcome(reading, "certificate_left < 0 s") is Outcome.PASS
    assert "over since" in reading.evidence[0].text
