"""HTTP for every probe that speaks it: one client for each server and pass, bounded answers, and causes in words.

A server is asked no more at once than its source allows. The engine lets no more items measure, so that their time
and what they measure begins with their turn; the clients hold to that number also for probes that ask several
questions at once.

The transport is aiohttp under httpx's interface (httpx-aiohttp). Proxies and netrc of the environment are not used,
and redirects lead at most to the same host: a check asks whom its file names. A GET or HEAD whose connection ends
before anything of an answer came is sent once more, on a connection of its own, as RFC 9112 (9.3.1) has it for
connections that are kept open; anything else is sent once, on a connection of its own.
"""

import asyncio
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from opsconsole.checks._httpclient import EncodingError, TooLargeError, body_of, opened_client
from opsconsole.checks._httpproblems import UnreachedError, is_unanswered, problem_of
from opsconsole.checks._servers import Endpoint, Server, endpoint_of, server_problems
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.readings import Evidence, Problem
from opsconsole.model.redaction import MASK, SHORTEST_SECRET

if TYPE_CHECKING:
    import httpx

MAX_BODY = 4 << 20
"""Bytes of an answer that are read (4 MiB); a longer one is a problem, never a part of an answer."""
_SHOWN = 4_000
"""Characters of an answer that go into the evidence of a problem."""
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_HARMLESS = frozenset({"GET", "HEAD"})
_BEGINNING, _REST = "the beginning of its answer", "the rest of its answer"
_SHORTEST = 0.05
"""Seconds for a connection, where there is hardly any time left."""
_REMEMBERED = 10.0
"""Seconds for which it is remembered that no connection to a server could be made."""
_UNREACHED = 0.8
"""Share of an item's time after which a connection that is not made counts as none: the source is down then, and
not slow."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server answered, whole."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; several of one name are joined by a comma."""
    body: bytes
    elapsed: float
    """Seconds from the request until its last byte was there, with the connection where that was made for it."""
    url: str
    """What was asked, without secrets; after redirects, what answered."""
    size: int = 0
    """Bytes of the body as the server sent it, unpacked; in `body` secrets of the request are masked."""

    @property
    def media_type(self) -> str:
        """Such as `application/json`, empty where it was not said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def text(self) -> str:
        """Return the body as a text; what is no UTF-8 shows as escapes."""
        return self.body.decode("utf-8", "backslashreplace")

    def evidence(self, title: str = "answer") -> Evidence:
        """Return the beginning of the body, to be shown beside what is wrong with it."""
        text = self.text()
        return Evidence(title, text[:_SHOWN], truncated=len(text) > _SHOWN)


class Bounded(Protocol):
    """What says how long a request may take and who asks, such as a Context."""

    @property
    def allowance(self) -> float:
        """Seconds."""
        ...

    @property
    def item(self) -> str:
        """The item that asks."""
        ...

    @property
    def target(self) -> str:
        """Its target; empty for none."""
        ...


class Clients:
    """The clients of one pass: one for each socket and set of certificates, shared by all probes."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, bool, bool], httpx.AsyncClient] = {}
        self._opening = asyncio.Lock()
        self._turns: dict[str, asyncio.Semaphore] = {}
        """By server."""
        self._unreached: dict[str, _Unreached] = {}
        """By server, the last time that it could not be reached."""

    async def ask(
        self,
        endpoint: Endpoint,
        context: Bounded,
        path: str = "",
        *,
        params: Mapping[str, str] | None = None,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_body: int = MAX_BODY,
        any_status: bool = True,
        follow: bool = False,
    ) -> Answer:
        """Ask once and return the whole answer, within `context.allowance`; raise ProbeError with what went wrong.

        `path` is added to the server's URL as it is. Without `any_status` a status of 400 and more is a problem.
        With `follow`, redirects to the same host are followed; one that leads elsewhere is the answer.
        """
        request = _Request(
            endpoint=endpoint,
            url=asked_url(endpoint.base, path, params),
            method=method,
            content=content,
            headers={**endpoint.headers, **{name.lower(): each for name, each in (headers or {}).items()}},
            max_body=max_body,
            connecting=min(endpoint.connect_timeout, context.allowance * _UNREACHED),
            asking=(context.item, context.target),
        )
        async with self._turns.setdefault(endpoint.server, asyncio.Semaphore(endpoint.connections)):
            self._refuse_unreached(request)
            answer = await self._answer(request, context, follow=follow)
            self._unreached.pop(endpoint.server, None)
        if not any_status and answer.status >= 400:  # noqa: PLR2004 - RFC 9110
            raise refusal(endpoint, answer)
        return answer

    async def _answer(self, request: "_Request", context: Bounded, *, follow: bool) -> Answer:
        endpoint, watch = request.endpoint, _Watch()
        try:
            async with asyncio.timeout(context.allowance):
                return await self._sent(request, watch, follow=follow)
        except TimeoutError:
            raise ProbeError(
                "timeout",
                f"{endpoint.name} had not answered after {context.allowance:.3g} s: {watch.stage} was awaited",
                "see whether it is overloaded, or raise `timeout`",
            ) from None
        except ProbeError:
            raise
        except TooLargeError as error:
            raise _too_large(endpoint, request.max_body, str(error)) from None
        except EncodingError as error:
            raise ProbeError("bad-answer", f"what {endpoint.name} answers is {error}") from None
        except Exception as error:  # noqa: BLE001 - httpx, aiohttp, ssl and yarl raise of many kinds, told apart there
            elapsed = time.monotonic() - watch.began
            answering = watch.stage == _REST
            problem = problem_of(endpoint.name, error, elapsed, place=endpoint.place, answering=answering)
            if isinstance(problem, UnreachedError):
                self._remember(request, problem.problem)
            raise problem from None

    def _remember(self, request: "_Request", problem: Problem) -> None:
        before = self._unreached.get(request.endpoint.server)
        tried = before.tried if before is not None else frozenset()
        self._unreached[request.endpoint.server] = _Unreached(
            time.monotonic(), request.connecting, problem, tried | {request.asking}
        )

    def _refuse_unreached(self, request: "_Request") -> None:
        """Raise the problem that another request has just had with that server, which this one would have as well.

        Few ask a server at once: those that wait behind them would each wait for the same silence again. Who found
        out may try again, as an item with `retry` does.
        """
        before = self._unreached.get(request.endpoint.server)
        if before is None or request.asking in before.tried or request.connecting > before.connecting:
            return
        if time.monotonic() - before.at < _REMEMBERED:
            raise ProbeError(before.problem.reason, before.problem.cause, before.problem.hint)

    async def _sent(self, request: "_Request", watch: "_Watch", *, follow: bool) -> Answer:
        """Ask, and once more on a connection of its own where one that was kept open ended without an answer."""
        kept_open = request.method in _HARMLESS
        try:
            return await self._asked(request, watch, follow=follow, reuse=kept_open)
        except Exception as error:
            if not kept_open or watch.stage == _REST or not is_unanswered(error):
                raise
        return await self._asked(request, watch, follow=follow, reuse=False)

    async def _asked(self, request: "_Request", watch: "_Watch", *, follow: bool, reuse: bool) -> Answer:
        name = request.endpoint.name
        watch.stage = _BEGINNING
        client = await self._client(request, reuse=reuse)
        watch.start()
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await _once(client, request, watch)
            location = answer.headers.get("location", "")
            on = request.redirected(answer.status, location) if follow and answer.status in _REDIRECTS else None
            if on is None or not location:
                return answer
            request, client = on, await self._client(on, reuse=reuse)
        raise ProbeError("bad-answer", f"{name} redirects in circles, at last to {request.url[:200]}")

    async def _client(self, request: "_Request", *, reuse: bool) -> "httpx.AsyncClient":
        socket, ca, encrypted = request.endpoint.socket, request.endpoint.ca, request.url.startswith("https:")
        key = (socket, ca, encrypted, reuse)
        async with self._opening:
            if key not in self._open:
                self._open[key] = await in_thread(
                    f"make an HTTP client {id(self)} {key}",
                    lambda: opened_client(socket, ca, encrypted=encrypted, reuse=reuse),
                )
        return self._open[key]

    async def aclose(self) -> None:
        """Close all connections, whatever one of them raises first."""
        try:
            while self._open:
                await self._open.popitem()[1].aclose()
        finally:
            if self._open:
                await self.aclose()


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent."""

    endpoint: Endpoint
    url: str
    method: str
    content: bytes | None
    headers: Mapping[str, str]
    max_body: int
    connecting: float
    """Seconds after which the server cannot be reached."""
    asking: tuple[str, str]
    """The item and the target that it is for."""

    def redirected(self, status: int, location: str) -> "_Request | None":
        """Return what a redirect asks for, None where that is another host, or no longer encrypted."""
        try:
            url = urllib.parse.urljoin(self.url, location).partition("#")[0]
            old, new = urllib.parse.urlsplit(self.url), urllib.parse.urlsplit(url)
            upgraded = (old.scheme, new.scheme) == ("http", "https") and not self.endpoint.socket
            same = new.hostname == old.hostname and (new.port == old.port or upgraded) and "@" not in new.netloc
        except ValueError:
            return None
        if not same or (new.scheme != old.scheme and not upgraded):
            return None
        if status in _KEEPS_METHOD or self.method in _HARMLESS:
            return msgspec.structs.replace(self, url=url)
        kept = {name: each for name, each in self.headers.items() if name != "content-type"}
        return msgspec.structs.replace(self, url=url, method="GET", content=None, headers=kept)


class _Unreached(msgspec.Struct, frozen=True):
    """When a server could not be reached."""

    at: float
    """On the clock of `time.monotonic`."""
    connecting: float
    """Seconds that were given to it."""
    problem: Problem
    tried: frozenset[tuple[str, str]]
    """The items and targets that have found out by themselves."""


class _Watch:
    """How far a request has come."""

    def __init__(self) -> None:
        self._opened = self.began = time.monotonic()
        self.stage = _BEGINNING

    @property
    def prepared(self) -> float:
        """Seconds from the beginning until the request was sent, such as for loading the libraries."""
        return self.began - self._opened

    def start(self) -> None:
        """Note that the request is sent."""
        self.began = time.monotonic()


async def _once(client: "httpx.AsyncClient", request: _Request, watch: _Watch) -> Answer:
    import httpx

    watch.stage = _BEGINNING
    response = await client.send(
        client.build_request(
            request.method,
            request.url,
            content=request.content,
            headers=dict(request.headers),
            timeout=httpx.Timeout(None, connect=max(_SHORTEST, request.connecting - watch.prepared)),
        ),
        stream=True,
    )
    watch.stage = _REST
    try:
        body = await body_of(response, request.max_body)
    finally:
        await response.aclose()
    secrets = request.endpoint.secrets
    return Answer(
        status=response.status_code,
        headers={
            name.lower(): _masked(value.encode(), secrets).decode() for name, value in response.headers.items()
        },
        body=_masked(body, secrets),
        size=len(body),
        elapsed=time.monotonic() - watch.began,
        url=request.url,
    )


def _masked(text: bytes, secrets: Sequence[str]) -> bytes:
    """Return what a server said without the secrets that were sent to it, which some servers echo."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret.encode(), MASK.encode())
    return text


def asked_url(base: str, path: str, params: Mapping[str, str] | None) -> str:
    """Return the URL of a request: the path added to that of `base`, the parameters to those it has."""
    address, mark, query = base.partition("?")
    if path:
        path, more, own = path.partition("?")
        address = f"{address.rstrip('/')}/{path.lstrip('/')}"
        mark, query = (mark or more), "&".join(each for each in (query, own) if each)
    if params:
        mark, query = "?", "&".join(each for each in (query, urllib.parse.urlencode(params)) if each)
    return f"{address}{mark}{query}"


def _too_large(endpoint: Endpoint, most: int, why: str) -> ProbeError:
    return ProbeError(
        "too-large",
        f"{endpoint.name} answers with more than {most:,} bytes: {why}",
        "ask it for less, such as a path or a query that sums up",
    )


def refusal(endpoint: Endpoint, answer: Answer) -> ProbeError:
    """Return the problem that a status of 400 and more is to a probe that needs what it asked for."""
    evidence = (answer.evidence(),)
    if answer.status in {401, 403}:
        return ProbeError(
            "refused",
            f"{endpoint.name} refuses the request with status {answer.status}",
            "see whether the token or password is the right one, and what its account may read",
            evidence,
        )
    line = answer.text().strip().splitlines()
    said = f": {line[0][:200]}" if line else ""
    return ProbeError("bad-answer", f"{endpoint.name} answers with status {answer.status}{said}", "", evidence)


__all__ = [
    "MAX_BODY",
    "Answer",
    "Clients",
    "Endpoint",
    "Server",
    "endpoint_of",
    "refusal",
    "server_problems",
]
