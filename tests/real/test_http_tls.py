"""TLS: certificates that are good, over, self-signed or for another host, seen green and red."""

import asyncio
import datetime as dt
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import pytest

from opsconsole.checks import _tls
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


async def test_an_issuer_that_is_no_root_can_be_trusted(authority: Issued, tmp_path: Path) -> None:
    """Who names an issuer as `ca` trusts what that issues, on every Python and as curl does."""
    middle = issued("Middle", by=authority, authority=True)
    (tmp_path / "middle.pem").write_bytes(middle.pem)
    with serving(SCRIPTS, tls=server_context(tmp_path, issued("app", by=middle))) as server:
        reading = await measured(server.url, path="/", ca=str(tmp_path / "middle.pem"), certificate=True)
    assert outcome(reading, "trusted == true", "status == 200") is Outcome.PASS


@pytest.mark.parametrize(
    ("days", "first"), [((20, 40, 60), 20), ((50, 10, 60), 10), ((50, 40, 5), 5), ((50, -3, 60), -3)]
)
async def test_the_first_of_the_chain_to_end_counts(days: tuple[int, int, int], first: int, tmp_path: Path) -> None:
    """Whichever certificate of a chain ends first is seen, on each Python that this runs on."""
    root = issued("Root", authority=True, days=days[2])
    middle = issued("Middle", by=root, authority=True, days=days[1])
    tls = server_context(tmp_path, issued("app", by=middle, days=days[0]), middle, root)
    with serving(SCRIPTS, tls=tls) as server:
        reading = await measured(server.url, path="/", certificate=True)
    assert outcome(reading, f"chain_left > {first - 1} d", f"chain_left <= {first} d") is Outcome.PASS
    assert outcome(reading, f"certificate_left > {days[0] - 1} d") is Outcome.PASS
    assert len(reading.evidence[0].text.splitlines()) == 4


@pytest.mark.parametrize("shown", ["nothing", "something else", "an error"])
async def test_a_chain_that_python_does_not_show_is_not_green(
    authority: Issued, trusted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    """Where only the server's own certificate can be seen, nothing is said of those behind it."""

    class Shy:
        """A connection as of a Python that keeps the chain to itself, or has it otherwise."""

        def __init__(self, connection: ssl.SSLObject) -> None:
            self.getpeercert = connection.getpeercert
            if shown != "nothing":
                self._sslobj = self

        def get_unverified_chain(self) -> list[object]:
            if shown == "an error":
                raise ssl.SSLError("no chain")
            return [object()]

    if shown == "nothing":
        del Shy.get_unverified_chain
    chain = _tls._chain
    monkeypatch.setattr(_tls, "_chain", lambda connection: chain(Shy(connection)))
    tls = server_context(tmp_path, issued("app", by=authority, days=50), authority)
    with serving(SCRIPTS, tls=tls) as server:
        reading = await measured(server.url, path="/", ca=trusted, certificate=True)
    assert outcome(reading, "certificate_left > 14 d", "trusted == true") is Outcome.PASS
    assert outcome(reading, "chain_left > 14 d") is Outcome.ERROR
    assert "not shown by this Python" in reading.evidence[0].text


async def test_a_certificate_signed_with_a_broken_digest_is_not_trusted(tmp_path: Path) -> None:
    """SHA-1 is no signature any more, whatever the days that are left."""
    made = _signed_with_sha1(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(made)
    with serving(SCRIPTS, tls=context) as server:
        reading = await measured(server.url, path="/", ca=str(tmp_path / "ca.pem"), certificate=True)
    assert outcome(reading, "trusted == true") is Outcome.FAIL
    assert outcome(reading, "certificate_left > 14 d") is Outcome.PASS
    assert "too weak" in str(reading.measures["distrust"])


def _signed_with_sha1(directory: Path) -> Path:
    """Return a key with its certificate, as OpenSSL makes it: the library of the tests refuses to."""
    made, authority = directory / "app.pem", directory / "ca.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl = ["openssl", "req", "-x509", *key, "-days", "90", "-subj"]
    subprocess.run(
        [*openssl, "/CN=Old", "-keyout", f"{authority}.key", "-out", str(authority)],
        check=True,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    signed = [
        "-CA",
        str(authority),
        "-CAkey",
        f"{authority}.key",
        "-sha1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run(
        [*openssl, "/CN=app", *signed, "-keyout", f"{made}.key", "-out", f"{made}.crt"],
        check=True,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    made.write_bytes(Path(f"{made}.key").read_bytes() + Path(f"{made}.crt").read_bytes())
    return made


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


@pytest.mark.parametrize("certificate", [True, False])
@pytest.mark.parametrize("reset", [True, False])
async def test_a_port_behind_which_nobody_speaks_tls(certificate: bool, reset: bool) -> None:
    """Who takes the connection and ends it, as a balancer in front of a dead service, is a source that is down."""

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        with pytest.raises(ProbeError, match="closed the connection without an answer") as caught:
            await measured(url, certificate=certificate, timeout=2)
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
