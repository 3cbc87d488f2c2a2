"""The certificate of the page that users have, by an authority of the demo's own: made anew at each start."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from opsconsole.demo.files import written

_LASTS = dt.timedelta(days=61)
_AUTHORITY_LASTS = dt.timedelta(days=800)
_AGO = dt.timedelta(days=29)


def certified(directory: Path, now: dt.datetime) -> tuple[ssl.SSLContext, Path]:
    """Return what a server on loopback presents its certificate with, and the file of the authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name.from_rfc4514_string("CN=Authority of the opsconsole demo")
    basis = x509.CertificateBuilder().issuer_name(issuer).not_valid_before(now - _AGO)
    own = (
        basis.subject_name(issuer)
        .public_key(authority.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_after(now + _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    page = (
        basis.subject_name(x509.Name.from_rfc4514_string("CN=golive.example"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_after(now + _LASTS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = written(directory / "page.pem", secret + page.public_bytes(pem), now, 0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, written(directory / "authority.pem", own.public_bytes(pem), now, 0o644)
