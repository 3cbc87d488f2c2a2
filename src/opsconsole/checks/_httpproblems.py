"""What kept an answer away, in words: from the exceptions of httpx, aiohttp, ssl and the system."""

import os
import re
import ssl
from collections.abc import Iterator

from opsconsole.contracts.probe import ProbeError

_NUMBERED = re.compile(r"\[Errno -?\d+\] ?")
_DOWN = "see whether it runs, and whether this host may reach it"
_NAMED = "see whether the name is right and name service works here"
_BEHIND = "see whether the service behind that port runs, and its own log"
_LOG = "see its own log"
_TLS = "renew it, or name the certificates it is trusted by as `ca`"


class UntrustedError(ProbeError):
    """The certificate of a server is not one that it is trusted by; `why` is what OpenSSL says of it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__("tls", f"the certificate of {name} is refused: {why}", _TLS)
        self.why = why


class UnreachedError(ProbeError):
    """No connection to a server could be made in the time there was; nothing said no."""


def is_unanswered(error: Exception) -> bool:
    """Tell whether a connection ended before anything of an answer came, where the head of one was awaited."""
    import aiohttp

    chain = list(_causes(error))
    ended = next((each for each in chain if isinstance(each, aiohttp.ServerDisconnectedError)), None)
    if ended is not None:
        return isinstance(ended.message, str)  # else it is the part of the head that came
    return _any(chain, aiohttp.ClientOSError) and not _any(chain, aiohttp.ClientConnectorError)


def problem_of(
    name: str, error: Exception, elapsed: float, *, place: str = "", answering: bool = False
) -> ProbeError:
    """Return the problem that an exception is, by the innermost ones, for those around them say less.

    `name` is what the server is called, `place` the same with its address, `elapsed` the seconds since it was
    asked, `answering` whether the head of its answer was there. Who takes a connection and ends it without a word
    is nobody: so does the proxy of a container, or a load balancer, in front of a service that is down.
    """
    import aiohttp
    import httpx

    chain = list(_causes(error))
    place = place or name
    tls = _of_tls(name, chain)
    if tls is not None:
        return tls
    unnamed = next((each for each in chain if isinstance(each, aiohttp.ClientConnectorDNSError)), None)
    if unnamed is not None:
        return unresolved(name, str(unnamed.host), _system(chain))
    if _any(chain, aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout) and not _any(
        chain, aiohttp.ServerDisconnectedError, OSError, but=TimeoutError
    ):
        return UnreachedError("source-down", f"{place} could not be reached within {elapsed:.3g} s", _DOWN)
    if _any(chain, aiohttp.ClientConnectorError) and any(map(is_ended, chain)):
        return hung_up(name)
    if _any(chain, aiohttp.ClientConnectorError):
        return unreached(place, _system(chain))
    if not answering and is_unanswered(error):
        return hung_up(name)
    if _any(chain, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, httpx.ReadError, ConnectionError):
        return ProbeError("bad-answer", f"{name} closed the connection in the middle of its answer", _LOG)
    if _any(chain, aiohttp.ClientError, httpx.HTTPError, ValueError):
        said = _plainly(chain[-1]).removeprefix("400, message: ")
        return ProbeError("bad-answer", f"{name} does not answer as HTTP asks: {said}", "is it HTTP there?")
    return ProbeError("failed", f"{name} could not be asked: {type(error).__name__}: {_plainly(error)}")


def unresolved(name: str, host: str, why: str) -> ProbeError:
    """Return the problem of a server whose host has no address; `why` begins with a colon."""
    of_source = "" if name.startswith(host) else f"{name}: "
    return ProbeError("source-down", f"{of_source}the name {host} has no address{why}", _NAMED)


def unreached(place: str, why: str) -> ProbeError:
    """Return the problem of a server that takes no connection; `why` begins with a colon."""
    return ProbeError("source-down", f"{place} cannot be reached{why}", _DOWN)


def is_ended(error: BaseException) -> bool:
    """Tell whether an exception says that the other side ended a connection, in a TLS handshake for one."""
    return isinstance(error, ConnectionResetError | EOFError)


def hung_up(name: str) -> ProbeError:
    """Return the problem that a server is which takes a connection and ends it without a word."""
    return ProbeError("source-down", f"{name} closed the connection without an answer", _BEHIND)


def _of_tls(name: str, chain: list[BaseException]) -> ProbeError | None:
    """Return the problem that the innermost error of the ssl module is; those that aiohttp derives say less."""
    own = (ssl.SSLError, ssl.SSLCertVerificationError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
    tls = next((each for each in reversed(chain) if type(each) in own), None)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return UntrustedError(name, str(tls.verify_message or tls))
    if isinstance(tls, ssl.SSLError):
        return ProbeError("tls", f"no TLS connection to {name}: {tls.reason or tls}", "is it TLS there?")
    return None


def _any(chain: list[BaseException], *kinds: type[BaseException], but: type[BaseException] | None = None) -> bool:
    return any(isinstance(each, kinds) and (but is None or not isinstance(each, but)) for each in chain)


def _system(chain: list[BaseException]) -> str:
    """Return what the system says, with a colon before it; asyncio puts other words in its place."""
    own = next((each for each in reversed(chain) if isinstance(each, OSError) and each.strerror), None)
    if own is None:
        said = _plainly(chain[-1])
    else:
        said = os.strerror(own.errno) if own.errno and own.errno > 0 else str(own.strerror)
    said = _NUMBERED.sub("", said)
    return f": {said}" if said else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _plainly(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
