"""The probe `http` at a real nginx: what only a server does that has workers, modules and an application behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks.http import KIND
from opsconsole.contracts.probe import Environment, ProbeError, Source
from opsconsole.model.encoding import dec_hook
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from support.hostprobes import eventually, free_port
from support.http import measured, outcome
from support.httpd import Asked, Fault, Says, says_json
from support.nginx import DOCUMENT, PASSWORD, USER, Nginx, running_nginx
from support.systemd import context

Ask = Callable[..., Any]


async def reason(url: str, **options: Any) -> str:
    """Return why it cannot be measured."""
    with pytest.raises(ProbeError) as caught:
        await measured(url, **options)
    return caught.value.problem.reason


@contextlib.asynccontextmanager
async def one_pass() -> AsyncIterator[Ask]:
    """Measure several times in one pass, over connections that are kept open."""
    environment = Environment()
    probe = KIND.open(environment)

    async def ask(url: str, timeout: float = 10, **options: Any) -> Reading:  # noqa: ASYNC109 - the item's own
        decoded = msgspec.convert({"url": url, **options}, KIND.options, dec_hook=dec_hook)
        return await probe.measure(decoded, context(timeout=timeout))

    try:
        yield ask
    finally:
        await probe.aclose()
        await environment.aclose()


# --- answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
async def test_a_page(nginx: Nginx, packed: bool) -> None:
    """A page is read as it was written, also where nginx packs it on its way and sends it in chunks."""
    headers = {"Accept-Encoding": "gzip"} if packed else {}
    asked: dict[str, Any] = {"path": "/document.json", "json": "$.state", "headers": headers}
    reading = await measured(nginx.url, **asked, answer_headers={"how": "server"})
    assert outcome(reading, "status == 200", "value == 'up'", f"size == {len(DOCUMENT)} B") is Outcome.PASS
    assert outcome(reading, "value == 'down'") is Outcome.FAIL
    assert str(reading.measures["how"]).startswith("nginx")
    head = next(each.text for each in reading.evidence if each.title == "head")
    assert ("content-encoding: gzip" in head) == packed
    assert ("transfer-encoding: chunked" in head) == packed


async def test_a_socket(nginx: Nginx) -> None:
    """The same server is asked over its socket."""
    source = Source(kind="http", url=f"unix:{nginx.root / 'socket'}")
    reading = await measured(sources={"web": source}, source="web", path="/document.json", json="$.state")
    assert outcome(reading, "status == 200", "value == 'up'") is Outcome.PASS


async def test_no_content(nginx: Nginx) -> None:
    """An answer that has no body is an answer, and one that was not modified too."""
    empty = await measured(nginx.url, path="/empty")
    assert outcome(empty, "status == 204", "size == 0 B") is Outcome.PASS
    assert outcome(empty, "status == 200") is Outcome.FAIL
    first = await measured(nginx.url, path="/document.json", answer_headers={"modified": "last-modified"})
    since = {"If-Modified-Since": str(first.measures["modified"])}
    again = await measured(nginx.url, path="/document.json", headers=since, json="$.state")
    assert outcome(again, "status == 304") is Outcome.PASS
    assert outcome(again, "value == 'up'") is Outcome.ERROR
    head = await measured(nginx.url, path="/document.json", method="HEAD")
    assert outcome(head, "status == 200") is Outcome.PASS


async def test_a_redirect(nginx: Nginx) -> None:
    """A redirect is the answer, unless it is said to be followed."""
    there = await measured(nginx.url, path="/moved", answer_headers={"where": "location"})
    assert outcome(there, "status == 301", f"where == '{nginx.url}/document.json'") is Outcome.PASS
    assert outcome(there, "status == 200") is Outcome.FAIL
    followed = await measured(nginx.url, path="/moved", follow_redirects=True, json="$.state")
    assert outcome(followed, "status == 200", "value == 'up'") is Outcome.PASS


async def test_a_password(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right password opens; the wrong one is refused as an error, and none is a status of 401."""
    monkeypatch.setenv("WEB_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", "another-one")
    asked: dict[str, Any] = {"path": "/private/document.json", "json": "$.state"}
    right = await measured(nginx.url, user=USER, password="env:WEB_PASSWORD", **asked)
    assert outcome(right, "status == 200", "value == 'up'") is Outcome.PASS
    assert await reason(nginx.url, user=USER, password="env:WRONG_PASSWORD", **asked) == "refused"
    assert outcome(await measured(nginx.url, **asked), "status == 200") is Outcome.FAIL
    assert PASSWORD not in str(right)


# --- TLS ---------------------------------------------------------------------------------------------


async def test_the_certificate(nginx: Nginx) -> None:
    """Days left of it and of its issuer are measured beside the answer."""
    reading = await measured(
        nginx.https(), path="/document.json", ca=str(nginx.ca), certificate=True, json="$.state"
    )
    assert (
        outcome(reading, "trusted == true", "value == 'up'", "issuer == 'Intermediate of the tests'")
        is Outcome.PASS
    )
    assert outcome(reading, "certificate_left between 19 d and 20 d", "chain_left > 14 d") is Outcome.PASS
    assert outcome(reading, "certificate_left > 30 d") is Outcome.FAIL


async def test_a_chain_that_is_not_whole(nginx: Nginx) -> None:
    """A server that does not send its issuer's certificate works in some browsers, and is not trusted here."""
    reading = await measured(nginx.https("broken"), path="/", ca=str(nginx.ca), certificate=True)
    assert outcome(reading, "trusted == true") is Outcome.FAIL
    assert "issuer" in str(reading.measures["distrust"])
    assert await reason(nginx.https("broken"), path="/", ca=str(nginx.ca)) == "tls"
    assert await reason(nginx.https(), path="/") == "tls"


async def test_the_wrong_scheme(nginx: Nginx) -> None:
    """Plain HTTP at the port of TLS is answered with 400; TLS at the plain port is no certificate's fault."""
    plain = await measured(nginx.https().replace("https", "http"), path="/document.json")
    assert outcome(plain, "status == 400") is Outcome.PASS
    assert outcome(plain, "status == 200") is Outcome.FAIL
    assert await reason(nginx.url.replace("http", "https"), path="/document.json") == "tls"


# --- what is behind ----------------------------------------------------------------------------------


async def test_what_is_behind_is_gone(nginx: Nginx) -> None:
    """nginx without its application is an answer of 502; without nginx there is no answer."""
    reading = await measured(nginx.url, path="/gone", json="$.state")
    assert outcome(reading, "status == 502") is Outcome.PASS
    assert outcome(reading, "status == 200") is Outcome.FAIL
    assert outcome(reading, "value == 'up'") is Outcome.ERROR
    assert await reason(f"http://127.0.0.1:{free_port()}", path="/gone") == "source-down"


async def test_what_is_behind_breaks_off(nginx: Nginx) -> None:
    """An application that ends half way makes 502 before it has begun, and a broken answer afterwards."""
    nginx.backend.on("/dies", Says(fault=Fault.CLOSE_BEFORE))
    assert outcome(await measured(nginx.url, path="/dies"), "status == 502") is Outcome.PASS
    nginx.backend.on("/half", Says(b"x" * 100_000, fault=Fault.CLOSE_MIDWAY))
    assert await reason(nginx.url, path="/half") == "bad-answer"


async def test_what_is_behind_is_slow(nginx: Nginx) -> None:
    """Slower than the item may take is a timeout; slower than nginx waits is an answer of 504."""
    nginx.backend.on("/held", Says(fault=Fault.SILENT))
    assert await reason(nginx.url, path="/held", timeout=0.3) == "timeout"
    reading = await measured(nginx.url, path="/impatient")
    assert outcome(reading, "status == 504", "latency >= 100 ms") is Outcome.PASS
    assert outcome(reading, "status == 200") is Outcome.FAIL


async def test_too_many_requests(tmp_path: Path) -> None:
    """What nginx turns away with 503 is a failure, and not that nobody is there."""
    with running_nginx(tmp_path) as own:
        async with one_pass() as ask:
            assert outcome(await ask(own.url, path="/limited"), "status == 200") is Outcome.PASS
            assert outcome(await ask(own.url, path="/limited"), "status == 200") is Outcome.FAIL
            assert outcome(await ask(own.url, path="/limited"), "status == 503") is Outcome.PASS


# --- connections -------------------------------------------------------------------------------------


async def test_a_connection_that_nginx_closes_between_requests(tmp_path: Path) -> None:
    """A kept connection whose time is over is no error of the next request."""
    with running_nginx(tmp_path, keepalive="50ms") as own:
        async with one_pass() as ask:
            for _ in range(3):
                assert outcome(await ask(own.url, path="/document.json"), "status == 200") is Outcome.PASS
                await eventually(lambda: not own.connections())


async def test_requests_as_the_connection_ends(tmp_path: Path) -> None:
    """Nor is one that is closed in the very moment in which it is used again."""
    with running_nginx(tmp_path, keepalive="5ms") as own:
        async with one_pass() as ask:
            for each in range(60):
                assert outcome(await ask(own.url, path="/document.json"), "status == 200") is Outcome.PASS
                await asyncio.sleep(0.0045 + each / 60_000)  # about the time after which nginx closes it


def _all_gone(own: Nginx, workers: set[int]) -> bool:
    return not workers & own.workers()


async def test_a_reload_between_requests(tmp_path: Path) -> None:
    """A reload ends the kept connections of the old workers, and no check fails for it."""
    with running_nginx(tmp_path) as own:
        async with one_pass() as ask:
            for _ in range(3):
                assert outcome(await ask(own.url, path="/document.json"), "status == 200") is Outcome.PASS
                before = own.workers()
                await asyncio.to_thread(own.tell, "reload")
                await eventually(partial(_all_gone, own, before))


async def test_a_reload_in_the_middle_of_a_request(tmp_path: Path) -> None:
    """The old worker ends what it has begun: the answer comes whole."""
    with running_nginx(tmp_path) as own:
        asked, go_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def held(_asked: Asked) -> Says:
            loop.call_soon_threadsafe(asked.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
            return says_json({"state": "up"})

        own.backend.on("/held", held)
        before = own.workers()
        task = asyncio.ensure_future(measured(own.url, path="/held", json="$.state"))
        await asked.wait()
        await asyncio.to_thread(own.tell, "reload")
        await eventually(lambda: own.workers() - before)
        assert before <= own.workers()
        go_on.set()
        assert outcome(await task, "status == 200", "value == 'up'") is Outcome.PASS
        await eventually(partial(_all_gone, own, before))


async def test_a_server_that_stops(tmp_path: Path) -> None:
    """As soon as nginx is gone nobody is there, also for a connection that was kept open."""
    async with one_pass() as ask:
        with running_nginx(tmp_path) as own:
            assert outcome(await ask(own.url, path="/document.json"), "status == 200") is Outcome.PASS
        with pytest.raises(ProbeError) as caught:
            await ask(own.url, path="/document.json")
    assert caught.value.problem.reason == "source-down"
