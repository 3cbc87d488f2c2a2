"""The certificates that a server presents, also those that nobody trusts, and how long they are valid.

A connection that verifies ends at an expired certificate without showing it. Here one is made that does not verify,
sends nothing, and is closed once the certificates are known.
"""

import asyncio
import datetime as dt
import os
import socket
import ssl
import urllib.parse
from typing import TYPE_CHECKING, Any

import msgspec

from opsconsole.checks._http import Endpoint
from opsconsole.checks._httpproblems import problem_of
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import ProbeError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Parsed
    from cryptography.x509 import Name

_MOST_CHAIN = 20
"""Certificates of a chain that are read."""
_DER = 2
"""`_ssl.ENCODING_DER`."""
_HTTPS = 443


class Certificate(msgspec.Struct, frozen=True):
    """What is known of one certificate."""

    subject: str
    """The name in it that a person knows it by."""
    issuer: str
    names: tuple[str, ...]
    """The hosts that it is for."""
    begins_at: dt.datetime
    ends_at: dt.datetime

    def line(self, now: dt.datetime) -> str:
        """Return it in one line."""
        left = self.ends_at - now
        state = f"{left.days} d left" if left.total_seconds() >= 0 else f"over since {-left.days} d"
        hosts = f" for {', '.join(self.names[:10])}" if self.names else ""
        span = f"{self.begins_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"
        return f"{self.subject}{hosts}, by {self.issuer}: {span}, {state}"


async def presented(endpoint: Endpoint, seconds: float) -> tuple[Certificate, ...]:
    """Return the certificates that a server presents, its own first; raise ProbeError."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(seconds):
            raw = await _handshake(endpoint)
            return await in_thread(f"read certificates {hash(raw)}", lambda: tuple(map(_read, raw)))
    except TimeoutError:
        raise ProbeError(
            "source-down",
            f"{endpoint.name} did not make a TLS connection within {seconds:.3g} s",
            "see whether it runs, and whether it is TLS there",
        ) from None
    except ProbeError:
        raise
    except ValueError as error:  # of cryptography: what a server sends may be anything
        raise ProbeError("tls", f"the certificate of {endpoint.name} cannot be read: {str(error)[:200]}") from None
    except (OSError, EOFError) as error:
        raise _unreached(endpoint, error, loop.time() - began) from None


def _unreached(endpoint: Endpoint, error: Exception, elapsed: float) -> ProbeError:
    if isinstance(error, ssl.SSLError):
        return problem_of(endpoint.name, error, elapsed)
    if isinstance(error, ConnectionResetError | EOFError):
        return ProbeError("tls", f"{endpoint.name} ended the TLS handshake", "is it TLS there?")
    why = error.strerror if isinstance(error, socket.gaierror) else _system(error)
    return ProbeError("source-down", f"{endpoint.name} cannot be reached: {why}", "see whether it runs")


def _system(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


async def _handshake(endpoint: Endpoint) -> tuple[bytes, ...]:
    """Return the certificates in DER."""
    parts = urllib.parse.urlsplit(endpoint.base)
    host, port = str(parts.hostname), parts.port or _HTTPS
    found = await in_thread(
        f"resolve {host}:{port}", lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    failed: OSError | None = None
    for address in dict.fromkeys(str(each[4][0]) for each in found):
        try:
            _, writer = await asyncio.open_connection(address, port, ssl=_unverified(), server_hostname=host)
        except OSError as error:
            failed = error
            continue
        try:
            return _chain(writer.get_extra_info("ssl_object"))
        finally:
            writer.transport.abort()
    raise failed or OSError("it has no address")


def _unverified() -> ssl.SSLContext:
    """Return what takes any certificate and any version of TLS that OpenSSL still speaks: this is to look at it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _chain(connection: Any) -> tuple[bytes, ...]:
    """Return what a server sent; Python shows more than the first only since 3.13, and in private before."""
    if hasattr(connection, "get_unverified_chain"):
        return tuple(connection.get_unverified_chain()[:_MOST_CHAIN])
    inner: Any = getattr(connection, "_sslobj", None)
    if hasattr(inner, "get_unverified_chain"):
        return tuple(each.public_bytes(_DER) for each in (inner.get_unverified_chain() or ())[:_MOST_CHAIN])
    return (connection.getpeercert(binary_form=True),)


def _read(der: bytes) -> Certificate:
    """Read a certificate; raise ValueError. Loads the library, 50 ms once."""
    from cryptography import x509

    parsed = x509.load_der_x509_certificate(der)
    return Certificate(
        subject=_shown(parsed.subject) or "no subject",
        issuer=_shown(parsed.issuer) or "no issuer",
        names=_names(parsed),
        begins_at=parsed.not_valid_before_utc,
        ends_at=parsed.not_valid_after_utc,
    )


def _shown(name: "Name") -> str:
    """Return the common name of a subject or issuer, else its organisation, else all of it."""
    from cryptography.x509.oid import NameOID

    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return str(attribute.value)[:200]
    return name.rfc4514_string()[:200]


def _names(parsed: "Parsed") -> tuple[str, ...]:
    from cryptography import x509

    try:
        value = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
    return tuple(str(each.value)[:200] for each in value if isinstance(each, x509.DNSName | x509.IPAddress))
