"""Which SSH key logged in, as sshd tells it: people can be told apart on a shared account, without any proof.

With `ExposeAuthInfo yes` sshd writes how somebody logged in into a file and names it in SSH_USER_AUTH, one method a
line: `publickey ssh-ed25519 AAAA…` (sshd_config(5)). The account itself could write such a file, so this is an
attribution, as the login is.
"""

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping

_VARIABLE = "SSH_USER_AUTH"
_MULTIPLEXERS = ("TMUX", "STY")
"""Set by tmux and screen, where the environment is of whoever started them and not of whoever is attached."""

_LONGEST = 65_536
"""Bytes of the file that are read."""

_CERTIFICATE = b"-cert-v01@openssh.com"
_CERTIFIED_FIELDS = {
    b"ssh-ed25519": 1,
    b"ssh-rsa": 2,
    b"ecdsa-sha2-nistp256": 2,
    b"ecdsa-sha2-nistp384": 2,
    b"ecdsa-sha2-nistp521": 2,
    b"sk-ssh-ed25519": 2,
    b"sk-ecdsa-sha2-nistp256": 3,
}
"""How many fields of the public key follow type and nonce in a certificate (OpenSSH's PROTOCOL.certkeys)."""
_LENGTH = 4
"""Bytes before each field that say how long it is (RFC 4251, section 5)."""


def login_key(environ: Mapping[str, str], uids: frozenset[int]) -> str:
    """Return the fingerprint (`SHA256:…`) of the key that logged in; nothing where nobody can say.

    The file has to belong to one of `uids`, and to be writable for nobody else.
    """
    path = environ.get(_VARIABLE, "")
    if not path.startswith("/") or any(environ.get(each) for each in _MULTIPLEXERS):
        return ""
    for line in _lines(path, uids):
        method, _, rest = line.partition(b" ")
        words = rest.split()
        if method == b"publickey" and len(words) > 1:
            try:
                return _fingerprint(base64.b64decode(words[1], validate=True))
            except (binascii.Error, ValueError):
                return ""
    return ""


def _lines(path: str, uids: frozenset[int]) -> list[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return []
    try:
        status = os.fstat(descriptor)
        trusted = stat.S_ISREG(status.st_mode) and status.st_uid in uids and not status.st_mode & 0o022
        return os.read(descriptor, _LONGEST).splitlines() if trusted else []
    except OSError:
        return []
    finally:
        os.close(descriptor)


def _fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a public key as ssh-keygen prints it; of a certificate, that of its key."""
    digest = hashlib.sha256(_without_certificate(blob)).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def _without_certificate(blob: bytes) -> bytes:
    kind, rest = _field(blob)
    if not kind.endswith(_CERTIFICATE):
        return blob
    bare = kind.removesuffix(_CERTIFICATE)
    count = _CERTIFIED_FIELDS.get(bare)
    if count is None:
        raise ValueError(f"unknown kind of certificate: {kind!r}")
    name = bare + b"@openssh.com" if bare.startswith(b"sk-") else bare
    _nonce, rest = _field(rest)
    fields = [name]
    for _ in range(count):
        each, rest = _field(rest)
        fields.append(each)
    return b"".join(len(each).to_bytes(_LENGTH, "big") + each for each in fields)


def _field(data: bytes) -> tuple[bytes, bytes]:
    """Split off the first field; raise ValueError where it is cut off."""
    size = int.from_bytes(data[:_LENGTH], "big")
    end = _LENGTH + size
    if len(data) < end or len(data) < _LENGTH:
        raise ValueError("the key is cut off")
    return data[_LENGTH:end], data[end:]
