"""The scan finds secrets wherever they are in a text, says where, and never repeats them."""

import base64
import contextlib
import gzip
import itertools
import json
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.checks import _secretscan
from opsconsole.checks._files import GivenUpError
from opsconsole.checks._secretscan import DETECTORS, Detectors, Finding, Scanned, scanned
from support.filing import stop, written

MIB = 1 << 20
JWT = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "nobody", "name": "made up for a test"})
)
SECRETS = {
    "AWS Access Key": "AKIA" + "Z7QX" * 4,
    "Basic Auth Credentials": "postgres://app:" + "not-a-real-one" + "@db.example/app",
    "GitHub Token": "ghp_" + "a1B2" * 9,
    "GitLab Token": "glpat-" + "a1B2" * 5,
    "JSON Web Token": f"{JWT}.c2ln",
    "Private Key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "Slack Token": "xoxb-" + "123456789012-" * 2 + "abcDEF",
    "Stripe Access Key": "sk_" + "live_" + "4eC3" * 6,
    "Telegram Bot Token": "123456789:" + "AAbb-" * 7,
}
"""One of several kinds; none of them is anybody's."""
PLAIN = "2026-11-21 08:00:01,123 INFO app.views GET /api/v1/orders/17?page=2 user=alice status=200 0.123 s"


def scan(path: Path, limit: int = 64 * MIB, *, keywords: bool = False, allowed: float = 60.0) -> Scanned:
    """Scan one file."""
    found = scanned(str(path), [""], stop(allowed), keywords=keywords, limit=limit, follow=False)
    text = repr(msgspec.to_builtins(found))
    assert not any(secret in text for secret in SECRETS.values())
    return found


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    """Return the detectors, which take some time to be loaded."""
    return Detectors(keywords=True)


@pytest.mark.parametrize("kind", SECRETS)
def test_each_kind_is_found(tmp_path: Path, kind: str) -> None:
    """A token in the middle of a log is told by its line and kind, once."""
    lines = [PLAIN] * 5000
    lines[3210] = f"{PLAIN} token {SECRETS[kind]} refused"
    found = scan(written(tmp_path / "app.log", "\n".join(lines).encode()))
    assert found.findings == [Finding(str(tmp_path / "app.log"), 3211, kind)]
    assert (found.count, found.files, found.unscanned) == (1, 1, [])


def test_a_usual_log_has_none(tmp_path: Path) -> None:
    """Ordinary lines, hashes, addresses and masked passwords are no findings."""
    lines = [
        PLAIN,
        "GET http://example.org:8080/a@b HTTP/1.1",
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "request 6ba7b810-9dad-11d1-80b4-00c04fd430c8 from 192.0.2.17 to [2001:db8::1]:443",
        "postgres://app:***@db.example/app and redis://:${PASSWORD}@cache and amqp://u:<hidden>@mq",
        "Failed password for invalid user admin from 192.0.2.9 port 50022 ssh2",
        "password: " + "*" * 8,
        "password = get_secret('db')",
    ]
    found = scan(written(tmp_path / "app.log", "\n".join(lines * 50).encode()), keywords=True)
    assert (found.findings, found.unscanned) == ([], [])


def test_keywords_are_found_on_demand(tmp_path: Path) -> None:
    """`password=...` counts where it is asked for, with quotes or without."""
    log = written(tmp_path / "app.log", b'login db_password=correct-horse\nsecret: "battery-staple"\n')
    assert scan(log).count == 0
    assert [(each.line, each.kind) for each in scan(log, keywords=True).findings] == [
        (1, "Secret Keyword"),
        (2, "Secret Keyword"),
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    texts=st.lists(
        st.one_of(st.text(max_size=60), st.sampled_from([*SECRETS.values(), "password = 'x1'", "npm_", PLAIN])),
        max_size=12,
    )
)
def test_lines_together_are_lines_by_themselves(detectors: Detectors, texts: list[str]) -> None:
    """Looking at many lines at once finds exactly what looking at each one finds."""
    lines = [line for text in texts for line in text.split("\n")]
    together = set(detectors.kinds(lines, stop()))
    alone = {(at, kind) for at, line in enumerate(lines) for _, kind in detectors.kinds([line], stop())}
    assert together == alone


def test_what_cannot_be_scanned_is_told(tmp_path: Path) -> None:
    """Binary, too large, damaged and special files are named with the reason; a compressed log is read."""
    secret = SECRETS["GitHub Token"].encode()
    binary = scan(written(tmp_path / "binary", b"text\n\0" + secret))
    assert (binary.count, binary.files) == (0, 0)
    assert "NUL" in binary.unscanned[0][1]
    utf16 = scan(written(tmp_path / "utf16", "token".encode("utf-16")))
    assert utf16.unscanned
    large = scan(written(tmp_path / "large", secret + b"\n" + b"x\n" * 1000), limit=100)
    assert (large.count, large.files) == (1, 0)
    assert "only its first 100 B" in large.unscanned[0][1]
    exact = scan(written(tmp_path / "exact", b"x\n" * 50), limit=100)
    assert (exact.files, exact.unscanned, exact.size) == (1, [], 100)
    packed = scan(written(tmp_path / "log.1.gz", gzip.compress(b"first\n" + secret + b"\n")))
    assert [(each.line, each.kind) for each in packed.findings] == [(2, "GitHub Token")]
    assert scan(written(tmp_path / "cut.gz", gzip.compress(secret * 100)[:-9])).unscanned
    bomb = scan(written(tmp_path / "bomb.gz", gzip.compress(b"x\n" * (8 * MIB))), limit=MIB)
    assert "only its first 1 MiB" in bomb.unscanned[0][1]
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "large")
    assert scan(link).unscanned
    assert scan(tmp_path).unscanned


def test_a_line_without_end(tmp_path: Path) -> None:
    """A secret is found in a line of megabytes, also where its pieces meet, and told once."""
    for at in (0, 4090, 3 * 1024 - 20, 262_130, 2 * MIB):
        line = b"a " * (at // 2) + SECRETS["GitHub Token"].encode() + b" b" * MIB
        found = scan(written(tmp_path / "long", b"one\n" + line + b"\n" + SECRETS["AWS Access Key"].encode()))
        assert [(each.line, each.kind) for each in found.findings] == [
            (2, "GitHub Token"),
            (3, "AWS Access Key"),
        ], at


@pytest.mark.parametrize("length", [900, 3000, 20_000])
def test_a_token_longer_than_what_is_looked_at_at_once(tmp_path: Path, length: int) -> None:
    """One with many claims is found wherever it is in a long line, and text that looks like one is none."""
    header, _, signature = SECRETS["JSON Web Token"].split(".")
    claims = base64.urlsafe_b64encode(json.dumps({"roles": "r" * length}).encode()).decode().rstrip("=")
    for at in (0, 1500, 2910, 4090, 262_100):
        line = f"{'y ' * (at // 2)}Bearer {header}.{claims}.{signature} {'z ' * 4000}"
        found = scan(written(tmp_path / "log", f"one\n{line}\n".encode()))
        assert [(each.line, each.kind) for each in found.findings] == [(2, "JSON Web Token")], at
    for harmless in ("eyJ" * 3000, f"eyJ.{claims}", "a." * 4000):
        assert scan(written(tmp_path / "log", harmless.encode())).count == 0


@pytest.mark.parametrize(
    "piece", ["eyJ", "://a:", "password=", "xoxb-1-", "AKIA", "sk-" + "a" * 20 + "T3Blbk", "aws key '"]
)
def test_what_is_made_to_be_slow_ends_in_time(tmp_path: Path, piece: str) -> None:
    """Text that makes patterns go back and forth is given up in time."""
    hostile = "".join(itertools.repeat(piece, MIB // len(piece)))
    path = written(tmp_path / "slow", hostile.encode())
    began = time.monotonic()
    with contextlib.suppress(GivenUpError):
        scan(path, keywords=True, allowed=0.3)
    assert time.monotonic() - began < 10


def test_the_detectors_are_those_of_the_library() -> None:
    """Every detector named exists, and none of those is asked that find something everywhere."""
    assert not {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"} & {*DETECTORS.values()}
    assert _secretscan.LONGEST_LINE > 2 * _secretscan.OVERLAP
