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
from opsconsole.checks._httpproblems import hung_up, is_ended, problem_of, unreached, unresolved
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


class Presented(msgspec.Struct, frozen=True):
    """What a server presents."""

    certificates: tuple[Certificate, ...]
    """Its own first."""
    whole: bool
    """Whether those are all; else its own alone, for this Python does not show the others."""

    @property
    def first_end(self) -> dt.datetime | None:
        """When the first of all of them ends, None where not all could be seen."""
        return min(each.ends_at for each in self.certificates) if self.whole else None

    def lines(self, now: dt.datetime) -> list[str]:
        """Return a line for each."""
        found = [each.line(now) for each in self.certificates]
        return found if self.whole else [*found, "The certificates behind it are not shown by this Python."]


async def presented(endpoint: Endpoint, seconds: float) -> Presented:
    """Return the certificates that a server presents; raise ProbeError."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(seconds):
            raw, whole = await _handshake(endpoint)
            return Presented(
                await in_thread(f"read certificates {hash(raw)}", lambda: tuple(map(_read, raw))), whole
            )
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
    if is_ended(error):
        return hung_up(endpoint.name)
    if isinstance(error, socket.gaierror):
        return unresolved(endpoint.name, str(urllib.parse.urlsplit(endpoint.base).hostname), f": {error.strerror}")
    return unreached(endpoint.place, f": {_system(error)}")


def _system(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


async def _handshake(endpoint: Endpoint) -> tuple[tuple[bytes, ...], bool]:
    """Return the certificates in DER, and whether they are all that the server sent."""
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
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _chain(connection: Any) -> tuple[tuple[bytes, ...], bool]:
    """Return what a server sent, and whether that is all; raise OSError where it is nothing.

    Python has the others than the first since 3.13, and before that only for itself: what it keeps to itself may be
    different tomorrow, and is not relied on.
    """
    own = connection.getpeercert(binary_form=True)
    if own is None:
        raise OSError("it presents no certificate")
    asked = getattr(connection, "get_unverified_chain", None)  # DER
    if asked is None:
        inner = getattr(connection, "_sslobj", None)
        asked = getattr(inner, "get_unverified_chain", None)  # objects of OpenSSL's
    try:
        found = tuple(_in_der(each) for each in (asked() or ())) if asked is not None else ()
    except (AttributeError, TypeError, ValueError, ssl.SSLError):
        found = ()
    whole = found[:1] == (own,) and len(found) <= _MOST_CHAIN
    return (found, True) if whole else ((own,), False)


def _in_der(certificate: Any) -> bytes:
    return certificate if isinstance(certificate, bytes) else bytes(certificate.public_bytes(_DER))


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
