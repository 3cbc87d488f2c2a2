"""The HTTP client itself: httpx over aiohttp, bounded in every direction.

It keeps no cookies, follows no redirect, takes no proxy and no password from the environment, and reuses a
connection only for a moment, because servers close idle ones. Names are resolved in threads that can be left
behind: a name server that does not answer holds up neither a cancelled item nor the end of the program.
"""

import asyncio
import http.cookiejar
import socket
import ssl
import zlib
from typing import TYPE_CHECKING

from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.version import VERSION

if TYPE_CHECKING:
    import httpx
    from aiohttp.abc import AbstractResolver

_IDLE = 1.5
"""Seconds for which an idle connection is kept: gunicorn closes its own after 2, others after 5 and more."""
_MAX_HEADER = 16_384
"""Bytes of one header."""
_RESOLVING = 5.0
"""Seconds for which a name server is waited for."""
_GZIP_OR_ZLIB = 47
"""What zlib is told so that it recognises the two by their headers (zlib.h, inflateInit2)."""


def opened_client(unix_socket: str, ca: str, *, encrypted: bool, reuse: bool) -> "httpx.AsyncClient":
    """Return a client; raise ProbeError. Loads the libraries, a fifth of a second once: call it in a thread.

    Without `reuse` each request has a connection of its own: one that changes something must not be sent on one
    that the server may be closing, for nobody knows then whether it arrived.
    """
    import aiohttp
    import httpx
    from httpx_aiohttp import AiohttpTransport

    context = trusting(ca) if encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the second is never used

    def connector() -> aiohttp.BaseConnector:
        kept = None if not reuse else _IDLE
        if unix_socket:
            return aiohttp.UnixConnector(unix_socket, limit=0, force_close=not reuse, keepalive_timeout=kept)
        resolver = _resolver()
        return aiohttp.TCPConnector(
            limit=0, force_close=not reuse, keepalive_timeout=kept, ssl=context, resolver=resolver
        )

    def session() -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
        )
        session._retry_connection = False  # noqa: SLF001 - as its test_utils do: whether to ask again, `Clients` knows
        return session

    policy = http.cookiejar.DefaultCookiePolicy(allowed_domains=())
    return httpx.AsyncClient(
        transport=AiohttpTransport(verify=context, trust_env=False, client=session),
        cookies=http.cookiejar.CookieJar(policy),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": f"opsconsole/{VERSION}", "Accept": "*/*", "Accept-Encoding": "identity"},
    )


def trusting(ca: str) -> ssl.SSLContext:
    """Return what a server has to prove: the system's certificates, or those in the file `ca`; raise ProbeError.

    Whom it trusts is the same on every Python, and the same as curl's: since 3.13 Python takes an issuer that is no
    root, and refuses certificates of small authorities for want of identifiers that nothing here needs.
    """
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or str(error)
        raise ProbeError("tls", f"the certificates in {ca} cannot be used: {why}", "name a file in PEM") from error
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    return context


def _resolver() -> "AbstractResolver":
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Resolver(AbstractResolver):
        """Asks the system, in a thread for each name."""

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            try:
                async with asyncio.timeout(_RESOLVING):
                    found = await in_thread(
                        f"resolve {host}:{port} {family}",
                        lambda: socket.getaddrinfo(
                            host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
                        ),
                    )
            except TimeoutError:
                raise OSError("no name server answers") from None
            return [
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=int(address[1]),
                    family=kind,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
                for kind, _, proto, _, address in found
            ]

        async def close(self) -> None:
            """Nothing to close."""

    return Resolver()


class TooLargeError(Exception):
    """An answer is longer than is read; the message says how that showed."""


class EncodingError(Exception):
    """An answer is packed in a way that was not asked for, or wrongly; the message says which."""


async def body_of(response: "httpx.Response", most: int) -> bytes:
    """Return the body, unpacked; raise TooLargeError as soon as it is, and EncodingError.

    Nothing packed is asked for; gzip and deflate are understood all the same, and unpacked no further than `most`,
    for a kilobyte of them can be a megabyte.
    """
    told = response.headers.get("content-length", "")
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if told.isdecimal() and int(told[:20]) > most and response.request.method != "HEAD":
        raise TooLargeError(f"it announces {int(told[:20]):,} bytes")
    if packed not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise EncodingError(f"packed as '{packed[:40]}', which was not asked for")
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB) if packed not in {"", "identity"} else None
    found = bytearray()
    async for chunk in response.aiter_raw():
        try:
            found += chunk if unpacking is None else unpacking.decompress(chunk, most + 1 - len(found))
        except zlib.error:
            raise EncodingError(f"no {packed}, which it says it is") from None
        if len(found) > most:
            raise TooLargeError("there was more when reading was ended")
    if unpacking is not None and found and not unpacking.eof:
        raise EncodingError(f"{packed} that ends too early")
    return bytes(found)
