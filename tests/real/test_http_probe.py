"""The probe `http` on a real server: what it measures, green and red, and what it sends."""

import asyncio
import contextlib
import datetime as dt
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from opsconsole.checks._httpoptions import HttpOptions
from opsconsole.checks.http import KIND
from opsconsole.contracts.probe import Environment, Lane, ProbeError, Source
from opsconsole.demo.web import as_json
from opsconsole.demo.web import serving as answering
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Unit, number
from support.certificates import issued, server_context
from support.http import measured, outcome
from support.httpd import Asked, Httpd, Says, redirects, says_json, says_text, serving
from support.needs import missing
from support.systemd import context

HEALTH = {
    "status": "unhealthy",
    "checks": {"database": {"ok": True}, "cache": {"ok": False}, "disk": {"ok": True}},
}


@pytest.fixture
def server() -> Iterator[Httpd]:
    """A server that says nothing yet."""
    with serving() as running:
        yield running


# --- what is measured --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "conditions", "expected"),
    [
        (says_text("ok"), ["status == 200", "latency < 5 s", "size == 2 B"], Outcome.PASS),
        (says_text("ok"), ["latency < 0 s"], Outcome.FAIL),
        (says_text("gone", 404), ["status == 200"], Outcome.FAIL),
        (says_text("gone", 404), ["status in [200, 404]"], Outcome.PASS),
        (says_text("no", 401), ["status == 401"], Outcome.PASS),
        (redirects("/login"), ["status == 200"], Outcome.FAIL),
        (Says(b"", 204), ["status == 204"], Outcome.PASS),
    ],
)
async def test_status_time_and_size(server: Httpd, said: Says, conditions: list[str], expected: Outcome) -> None:
    """Any status is measured and judged; also one that means a failure, and a redirect."""
    server.on("/", said)
    assert outcome(await measured(server.url, path="/"), *conditions) is expected


async def test_a_health_endpoint_that_answers_503_is_read(server: Httpd) -> None:
    """Which of its checks failed is told of an application that answers 503 with a JSON of them."""
    server.on("/health/", says_json(HEALTH, 503))
    reading = await measured(server.url, path="/health/", json={"state": "$.status", "ok": "$.checks.*.ok"})
    assert reading.measures["state"] == "unhealthy"
    assert outcome(reading, "status == 200") is Outcome.FAIL
    assert outcome(reading, "every ok == true") is Outcome.FAIL
    assert outcome(reading, "count == 3") is Outcome.PASS
    assert [row[-1] for row in reading.rows if row[0] is False] == ["cache"]


@pytest.mark.parametrize("said", [says_text("<html>Bad Gateway</html>", 502), Says(b"", 503), says_json([], 500)])
async def test_an_error_without_its_json_fails_on_its_status(server: Httpd, said: Says) -> None:
    """A proxy's error page is a failed status, not an ERROR; what only the JSON tells is not judged."""
    server.on("/health/", said)
    reading = await measured(server.url, path="/health/", json={"state": "$.status", "ok": "$.checks.*.ok"})
    assert outcome(reading, "status == 200", "every ok == true") is Outcome.FAIL
    assert outcome(reading, "every ok == true") is Outcome.ERROR
    assert outcome(reading, "count == 0") is Outcome.ERROR
    assert outcome(reading, "state != 'critical'") is Outcome.ERROR


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (says_text("<html>Sign in</html>"), "expecting value"),
        (Says(b"", 200), "empty"),
        (says_json({"status": "up"}), "leads nowhere"),
        (Says(b'{"checks": [', 200), "line 1"),
    ],
)
async def test_a_good_status_with_another_answer_is_an_error(server: Httpd, said: Says, says: str) -> None:
    """A sign-in page with status 200 is told from the JSON that is expected, with the page as evidence."""
    server.on("/", said)
    with pytest.raises(ProbeError, match=says) as caught:
        await measured(server.url, path="/", json={"ok": "$.checks[*].ok"})
    assert caught.value.problem.reason == "bad-answer"
    assert "curl" in caught.value.problem.hint
    assert caught.value.evidence


async def test_many_services_in_one_request(server: Httpd) -> None:
    """One request gives the rows of a table with named columns, units and ages."""
    now = dt.datetime(2026, 10, 29, 6, tzinfo=dt.UTC)
    services = [
        {"name": "web", "state": "up", "ms": 12, "seen": "2026-10-29T05:59:30Z"},
        {"name": "mail", "state": "up", "ms": 250, "seen": "2026-10-29T05:40:00Z"},
    ]
    server.on("/services", says_json({"services": services}))
    reading = await measured(
        server.url,
        path="/services",
        now=now,
        rows="$.services[*]",
        columns={"name": "$.name", "state": "$.state", "took": "$.ms", "age": "$.seen"},
        counts={"down": "$.services[?@.state != 'up']"},
        units={"took": "ms"},
        ages=["age"],
        label="name",
    )
    assert outcome(reading, "every state == 'up'", "down == 0", "count == 2") is Outcome.PASS
    assert outcome(reading, "every took < 100 ms") is Outcome.FAIL
    assert outcome(reading, "every age < 5 min") is Outcome.FAIL
    assert outcome(reading, "any age < 5 min") is Outcome.PASS


async def test_what_was_made_for_the_answer_is_not_of_the_future() -> None:
    """A page that states the time at which it was made has an age of nothing or more, never less."""
    made = lambda _: as_json({"at": dt.datetime.now(dt.UTC).isoformat()})  # noqa: E731 (two lines less)
    with answering(made) as url:
        reading = await measured(
            url, path="/", now=dt.datetime.now(dt.UTC), json={"age": "$.at"}, ages=["age"], answer_headers={}
        )
    assert outcome(reading, "age between 0 s and 60 s") is Outcome.PASS


async def test_headers_are_measured(server: Httpd) -> None:
    """A header is a text, a number with its unit, or the age of its date."""
    now = dt.datetime(2026, 10, 29, 6, tzinfo=dt.UTC)
    server.on(
        "/", says_text("", x_cache="HIT", x_took="12", last_modified="Thu, 29 Oct 2026 05:00:00 GMT", x_odd="soon")
    )
    reading = await measured(
        server.url,
        path="/",
        method="HEAD",
        now=now,
        answer_headers={
            "cache": "X-Cache",
            "took": "x-took",
            "age": "Last-Modified",
            "odd": "x-odd",
            "gone": "x-gone",
        },
        units={"took": "ms"},
        ages=["age", "odd"],
    )
    assert reading.measures["took"] == number("0.012", Unit.SECONDS)
    assert outcome(reading, "cache == 'HIT'", "age < 2 h") is Outcome.PASS
    assert outcome(reading, "age < 30 min") is Outcome.FAIL
    assert outcome(reading, "odd < 30 min") is Outcome.ERROR
    assert outcome(reading, "gone == 'x'") is Outcome.ERROR


@pytest.mark.parametrize(
    ("body", "condition", "expected"),
    [
        (b"pong\n", "text == 'pong'", Outcome.PASS),
        (b"ping\n", "text == 'pong'", Outcome.FAIL),
        (b"\xff\xfe", "text != 'pong'", Outcome.ERROR),
        (b"a\0b", "text != 'pong'", Outcome.ERROR),
        (b"x" * 70_000, "text not contains 'error'", Outcome.ERROR),
        (b"", "text == ''", Outcome.PASS),
    ],
)
async def test_the_answer_as_a_text(server: Httpd, body: bytes, condition: str, expected: Outcome) -> None:
    """A text is judged as a whole; what is none, or too long to be kept, is not judged."""
    server.on("/", Says(body))
    assert outcome(await measured(server.url, path="/", text=True), condition) is expected


async def test_large_answers_are_searched_beside_the_others(server: Httpd) -> None:
    """A JSON of megabytes is read in a thread, and comes to the same."""
    server.on("/", says_json({"rows": [{"n": index, "pad": "x" * 1000} for index in range(1000)]}))
    reading = await measured(server.url, path="/", counts={"n": "$.rows[*]"}, json={"last": "$.rows[-1].n"})
    assert (reading.measures["n"], reading.measures["last"]) == (number(1000), number(999))


# --- what is sent ------------------------------------------------------------------------------------


async def test_parameters_of_the_run_are_filled_in(server: Httpd) -> None:
    """The cut-off stands in the path, the query and the body as ISO 8601 in UTC."""
    server.on("/since/2026-10-29T06:00:00Z", says_text("ok"))
    moment = dt.datetime(2026, 10, 29, 1, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    probe = KIND.open(environment := Environment())
    options = HttpOptions(
        url=f"{server.url}/since?a=1",
        path="/{cutoff}",
        params={"at": "{cutoff}", "q": "a b&c"},
        method="POST",
        body='{"until": "{cutoff}"}',
    )
    reading = await probe.measure(options, msgspec.structs.replace(context(), cutoff=moment))
    await environment.aclose()
    asked = server.asked[0]
    assert asked.query == {"a": "1", "at": "2026-10-29T06:00:00Z", "q": "a b&c"}
    assert asked.body == b'{"until": "2026-10-29T06:00:00Z"}'
    assert asked.headers["content-type"] == "application/json"
    assert reading.measures["status"] == number(200)


@pytest.mark.parametrize("path", ["/health/", "/a%2Fb", "/ü", "/a;b=c", "/x?y=1&z={}", "/%7Bid%7D"])
async def test_paths_are_asked_as_they_stand(server: Httpd, path: str) -> None:
    """A trailing slash, which Django insists on, and escapes arrive as they were written."""
    await measured(server.url, path=path)
    asked = server.asked[0].path
    assert unquote(asked) == unquote(path.partition("?")[0])
    assert asked.endswith("/") is path.endswith("/")


async def test_credentials_of_a_source_are_sent_and_not_shown(
    server: Httpd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token, a password and a secret header are taken from where they are kept; no reading shows them."""
    monkeypatch.setenv("APP_TOKEN", "tok-not-a-real-one")
    kept = tmp_path / "password"
    kept.write_text("pass-not-a-real-one\n")
    kept.chmod(0o600)

    def echo(asked: Asked) -> Says:
        return says_json({"headers": dict(asked.headers)}, x_echo=asked.headers.get("authorization", ""))

    server.on("/", echo)
    sources = {
        "token": Source(
            kind="http", url=server.url, bearer="env:APP_TOKEN", headers={"X-Api-Key": "env:APP_TOKEN"}
        ),
        "basic": Source(kind="http", url=server.url, user="ops", password=f"file:{kept}"),
    }
    for name, sent in (("token", "Bearer tok-not-a-real-one"), ("basic", "Basic b3BzOnBhc3Mtbm90LWEtcmVhbC1vbmU=")):
        reading = await measured(
            source=name,
            sources=sources,
            path="/",
            text=True,
            json={"said": "$.headers.authorization"},
            answer_headers={"echo": "x-echo"},
        )
        assert server.asked[-1].headers["authorization"] == sent
        written = msgspec.json.encode(reading).decode()
        for secret in ("tok-not-a-real-one", "pass-not-a-real-one", sent.partition(" ")[2]):
            assert secret not in written
        assert "[redacted]" in str(reading.measures["said"])
    assert server.asked[0].headers["x-api-key"] == "tok-not-a-real-one"


async def test_the_shown_command_asks_the_same(
    server: Httpd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person copies from the evidence sends the same request, with the secret from where it is kept."""
    if shutil.which("curl") is None:
        missing("curl IS NOT INSTALLED: the command that is shown was not tried.")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("APP_TOKEN", "tok-$(not)-a-real-one")
    kept = tmp_path / "it's kept"
    kept.write_text("pass-not-a-real-one\n")
    kept.chmod(0o600)
    server.on("/q", says_text("fine"))
    for credentials in (
        {"bearer": "env:APP_TOKEN", "headers": {"X-Note": "it's $HOME"}},
        {"user": 'o"p$s', "password": f"file:{kept}"},
        {"bearer": "file:~/it's kept"},
    ):
        given: dict[str, Any] = {**credentials, "method": "POST", "body": '{"a": "it\'s"}', "params": {"q": "a b"}}
        reading = await measured(server.url, path="/q", **given)
        assert "not-a-real-one" not in reading.command
        done = await asyncio.to_thread(
            subprocess.run, ["bash", "-c", reading.command], capture_output=True, text=True, timeout=20, check=False
        )
        assert done.stdout.endswith("fine"), done
        mine, theirs = server.asked[-2:]
        assert (theirs.query, theirs.body) == (mine.query, mine.body)
        for name in ("authorization", "x-note", "content-type"):
            assert theirs.headers.get(name) == mine.headers.get(name)


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_no_measurement(
    server: Httpd, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a token is sent, 401 and 403 mean that the check itself is refused: an ERROR with what to do."""
    monkeypatch.setenv("APP_TOKEN", "tok-not-a-real-one")
    server.on("/", says_text("tok-not-a-real-one is wrong", status))
    with pytest.raises(ProbeError) as caught:
        await measured(server.url, path="/", bearer="env:APP_TOKEN")
    assert caught.value.problem.reason == "refused"
    assert "tok-not" not in str(caught.value.evidence)


async def test_a_secret_that_is_not_there_is_told(server: Httpd) -> None:
    """Without its token nothing is asked; the problem names the variable."""
    with pytest.raises(ProbeError, match="OPSCONSOLE_NO_SUCH") as caught:
        await measured(server.url, bearer="env:OPSCONSOLE_NO_SUCH")
    assert caught.value.problem.reason == "no-secret"
    assert server.asked == []


@pytest.mark.parametrize("secret", ["tök-not-a-real-one", "tok\x1bnot-a-real-one"])
async def test_a_token_that_no_header_can_hold(server: Httpd, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token with a letter or a control character that HTTP has no place for is told, without a piece of it."""
    monkeypatch.setenv("APP_TOKEN", secret)
    with pytest.raises(ProbeError, match="env:APP_TOKEN") as caught:
        await measured(server.url, bearer="env:APP_TOKEN")
    assert caught.value.problem.reason == "no-secret"
    assert "not-a-real-one" not in str(caught.value.problem)


async def test_no_state_is_kept_between_requests(server: Httpd) -> None:
    """A cookie that one answer sets does not go with the next request of another item."""
    server.on("/", Says(b"", headers=(("set-cookie", "session=abc; Path=/"),)))
    environment = Environment()
    probe = KIND.open(environment)
    for _ in range(2):
        reading = await probe.measure(HttpOptions(url=server.url, path="/"), context())
    await environment.aclose()
    assert "cookie" not in server.asked[1].headers
    assert "abc" not in str(reading.evidence)


# --- redirects ---------------------------------------------------------------------------------------


async def test_redirects_are_followed_on_the_same_host_only(server: Httpd) -> None:
    """With `follow_redirects` the last answer counts; one that leads to another host is the answer itself."""
    server.on("/", redirects("/a?x=1", 301))
    server.on("/a", redirects(f"{server.url}/b", 307))
    server.on("/b", says_text("here"))
    server.on("/away", redirects("http://localhost:1/"))
    reading = await measured(server.url, path="/", follow_redirects=True, text=True)
    assert (reading.measures["status"], reading.measures["text"]) == (number(200), "here")
    away = await measured(server.url, path="/away", follow_redirects=True)
    assert away.measures["status"] == number(302)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://localhost:{port}/",
        "http://127.0.0.1:{other}/",
        "http://127.0.0.2:{port}/",
        "//localhost:{port}/",
        "http://127.0.0.1:{port}@localhost:{other}/",
        "http://user@127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
    ],
)
async def test_a_token_goes_nowhere_else(server: Httpd, monkeypatch: pytest.MonkeyPatch, elsewhere: str) -> None:
    """Whatever a redirect names, nobody but the server of the item gets its token."""
    monkeypatch.setenv("APP_TOKEN", "tok-7777-not-a-real-one")
    with serving({"/": says_text("elsewhere")}) as other:
        server.on("/", redirects(elsewhere.format(port=server.port, other=other.port)))
        reading = await measured(server.url, path="/", follow_redirects=True, bearer="env:APP_TOKEN")
        assert other.asked == []
    assert reading.measures["status"] == number(302)
    assert len(server.asked) == 1


async def test_a_redirect_to_https_is_followed(server: Httpd, tmp_path: Path) -> None:
    """A server that sends to its encrypted side is followed there, by the certificates the item trusts."""
    authority = issued("Authority", authority=True)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    tls = server_context(tmp_path, issued("app", by=authority))
    with serving({"/": says_text("safe")}, tls=tls) as safe:
        server.on("/", redirects(f"{safe.url}/"))
        safe.on("/back", redirects(f"{server.url}/plain"))
        options: dict[str, Any] = {"follow_redirects": True, "text": True, "ca": str(tmp_path / "ca.pem")}
        assert (await measured(server.url, path="/", **options)).measures["text"] == "safe"
        with pytest.raises(ProbeError, match="certificate") as caught:
            await measured(server.url, path="/", follow_redirects=True)
        back = await measured(safe.url, path="/back", **options)
    assert caught.value.problem.reason == "tls"
    assert back.measures["status"] == number(302), "what was encrypted stays so"


async def test_no_proxy_and_no_password_of_the_environment(
    server: Httpd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check asks whom it names, and says who it is only where that is written down."""
    server.on("/", says_text("direct"))
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ops password not-a-real-one\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with serving({"/": says_text("proxied")}) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        reading = await measured(server.url, path="/", text=True)
        assert proxy.asked == []
    assert reading.measures["text"] == "direct"
    assert "authorization" not in server.asked[0].headers


async def test_a_server_by_its_address_in_ipv6(tmp_path: Path) -> None:
    """An address in brackets is asked, and its certificate shown by a line that works in a shell."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        missing("this host has no IPv6.")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv6")
        writer.close()

    tls = server_context(tmp_path, issued("six"))
    async with (
        await asyncio.start_server(serve, "::1", 0) as plain,
        await asyncio.start_server(serve, "::1", 0, ssl=tls) as safe,
    ):
        plain_port, safe_port = (each.sockets[0].getsockname()[1] for each in (plain, safe))
        reading = await measured(f"http://[::1]:{plain_port}", path="/", text=True)
        untrusted = await measured(f"https://[::1]:{safe_port}", path="/", certificate=True)
    assert reading.measures["text"] == "v6"
    assert untrusted.command.startswith(f"openssl s_client -connect '[::1]:{safe_port}' -servername ::1 ")


async def test_redirects_in_circles_end(server: Httpd) -> None:
    """A server that redirects to itself is told of, after a few steps."""
    server.on("/", redirects("/"))
    with pytest.raises(ProbeError, match="in circles"):
        await measured(server.url, path="/", follow_redirects=True)
    assert len(server.asked) == 6


# --- sockets, and what is refused --------------------------------------------------------------------


async def test_a_service_on_a_socket(tmp_path: Path) -> None:
    """A server on a Unix socket is asked as any other."""
    with serving({"/v1": says_json({"ok": True})}, socket=tmp_path / "s") as server:
        reading = await measured(server.url, path="/v1", json="$.ok")
    assert outcome(reading, "value == true", "status == 200") is Outcome.PASS
    assert "--unix-socket" in reading.command


@pytest.mark.parametrize(
    ("options", "key", "says"),
    [
        ({}, "url", "once"),
        ({"url": "http://a", "source": "b"}, "url", "once"),
        ({"url": "ftp://a"}, "url", "no URL"),
        ({"url": "http://user:pw@a"}, "url", "user or a password"),
        ({"url": "http://a", "bearer": "hunter2"}, "bearer", "not written down"),
        ({"url": "http://a", "headers": {"X-Token": "hunter2"}}, "headers", "not written down"),
        ({"url": "http://a", "path": "health"}, "path", "slash"),
        ({"url": "http://a", "path": "/a b"}, "path", "%20"),
        ({"url": "http://a", "path": "/a\nb"}, "path", "no path"),
        ({"url": "http://a", "params": {"a": "{cutof}"}}, "params", "no parameter"),
        ({"url": "http://a", "body": "x"}, "body", "POST"),
        ({"url": "http://a", "method": "HEAD", "json": "$.a"}, "method", "no body"),
        ({"url": "http://a", "certificate": True}, "certificate", "https"),
        ({"url": "http://a", "answer_headers": {"status": "x-a"}}, "answer_headers", "measured anyway"),
        ({"url": "http://a", "answer_headers": {"a": "x a"}}, "answer_headers", "no name of a header"),
        ({"url": "http://a", "json": {"latency": "$.a"}}, "json", "measured anyway"),
        ({"url": "http://a..b"}, "url", "host is no name"),
        ({"url": f"https://{'x' * 64}.example"}, "url", "host is no name"),
        ({"url": "http://a", "units": {"a": "ms"}}, "units", "no 'a'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], key: str, says: str) -> None:
    """What cannot be asked is refused when the checklist is loaded, and a secret in it is not repeated."""
    problems = KIND.validate(msgspec.convert(options, HttpOptions))
    assert [each for each in problems if each[0] == key and says in each[1]], problems
    assert "hunter2" not in str(problems)


def test_one_lane_a_server() -> None:
    """Items of one server wait for each other there, by whatever name they have it; those of another do not."""
    sources = {
        "app": Source(kind="http", url="http://B/app", connections=20),
        "same": Source(kind="http", url="http://b:80"),
        "shy": Source(kind="http", url="https://b", connections=1),
    }

    def lanes(*urls: str) -> list[Lane | None]:
        return [KIND.server(HttpOptions(url=each), sources) for each in urls]

    assert lanes("http://a:1/x", "http://a:1/y", "http://A:1") == [Lane("http://a:1", 6)] * 3
    assert lanes("http://[::1]:8080/", "unix:/s") == [Lane("http://::1:8080", 6), Lane("unix:/s", 6)]
    asked = [
        *lanes("http://b", "http://b:80/x"),
        *(KIND.server(HttpOptions(source=each), sources) for each in sources),
    ]
    assert asked == [*[Lane("http://b:80", 20)] * 4, Lane("https://b:443", 1)]
    assert KIND.server(HttpOptions(source="nowhere"), sources) is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"source": "nowhere"}, "unknown-source"), ({"source": "inventory"}, "bad-source")],
)
async def test_sources_that_are_not_there_or_of_another_kind(options: dict[str, Any], reason: str) -> None:
    """An item that names a database, or nothing that is configured, is told so."""
    sources = {"inventory": Source(kind="postgresql", dsn="host=db.example")}
    with pytest.raises(ProbeError) as caught:
        await measured(sources=sources, **options)
    assert caught.value.problem.reason == reason


async def test_an_item_overrides_what_its_source_sends(server: Httpd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header of an item takes the place of that of its source, and its credentials that of the source's."""
    monkeypatch.setenv("ONE", "token-one-not-real")
    monkeypatch.setenv("TWO", "token-two-not-real")
    source = Source(kind="http", url=server.url, bearer="env:ONE", headers={"X-Org": "one"})
    reading = await measured(sources={"app": source}, source="app", bearer="env:TWO", headers={"x-org": "two"})
    sent = server.asked[0].headers
    assert (sent["authorization"], sent["x-org"]) == ("Bearer token-two-not-real", "two")
    assert reading.command.count("x-org") == 1
