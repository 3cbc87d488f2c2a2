"""Public keys as a line of text and as the bytes in it (RFC 4253, section 6.6; OpenSSH's PROTOCOL.u2f)."""

import base64
import binascii
import hashlib

import msgspec

from opsconsole.model.text import shortened
from opsconsole.signing.wire import Reader, WireError

HARDWARE_TYPES = frozenset({"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"})
_CURVE_TYPES = frozenset({"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"})
KEY_TYPES = frozenset({"ssh-ed25519", "ssh-rsa"}) | _CURVE_TYPES | HARDWARE_TYPES
"""What may sign a record."""

LEAST_RSA_BITS = 3072
"""NIST SP 800-57 part 1, table 2: what lasts beyond 2030."""
_DSA = "ssh-dss"
_CERTIFICATE = "-cert-v0"
_PRIVATE = ("-----BEGIN", "PuTTY-User-Key-File")
_FINGERPRINT = "SHA256:"


class KeyTextError(ValueError):
    """The text is no public key that may sign; the message says why, and `reason` is a stable code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PublicKey(msgspec.Struct, frozen=True):
    """A public key."""

    type: str
    """Such as `ssh-ed25519`."""
    blob: bytes
    """As agents and signatures carry it."""

    @property
    def text(self) -> str:
        """Type and base64, as in a `.pub` file, without its comment."""
        return f"{self.type} {base64.b64encode(self.blob).decode('ascii')}"

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as ssh-keygen prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return _FINGERPRINT + digest.rstrip("=")

    @property
    def hardware(self) -> bool:
        """Whether the private key lies in a security key (FIDO)."""
        return self.type in HARDWARE_TYPES

    @property
    def certificate(self) -> bool:
        """Whether it is a certificate, which names its people itself."""
        return _CERTIFICATE in self.type

    @property
    def weakness(self) -> KeyTextError | None:
        """Why it may not sign a record, None where it may."""
        if self.certificate:
            return KeyTextError(
                "certificate", "it is a certificate, and people are known by their keys; take the plain key"
            )
        if self.type == _DSA:
            return KeyTextError("weak-key", "DSA keys are too weak; make one: ssh-keygen -t ed25519")
        if self.type not in KEY_TYPES:
            return KeyTextError(
                "unknown-key-type", f"keys of the type {shortened(self.type, 60)} are not known here"
            )
        if self.type == "ssh-rsa" and (bits := _rsa_bits(self.blob)) < LEAST_RSA_BITS:
            return KeyTextError(
                "weak-key",
                f"an RSA key of {bits} bits is too weak, {LEAST_RSA_BITS} are the least; make one: "
                "ssh-keygen -t ed25519",
            )
        return None


def key_of_blob(blob: bytes) -> PublicKey:
    """Return the key that these bytes are; raises WireError where they do not even begin like one."""
    return PublicKey(Reader(blob).name(), blob)


def key_of_text(text: str) -> tuple[PublicKey, str]:
    """Return the key and the comment of a line such as a `.pub` file holds; raises KeyTextError.

    The message never repeats the text: it may be a private key, given by mistake.
    """
    if text.lstrip().startswith(_PRIVATE):
        raise KeyTextError("private-key", "this is a private key: name the file that ends in .pub, and keep this")
    kind, encoded, comment = (*text.strip().split(None, 2), "", "", "")[:3]
    try:
        blob = base64.b64decode(encoded, validate=True)
        key = key_of_blob(blob)
        if not encoded or key.type != kind or base64.b64encode(blob).decode("ascii") != encoded:
            raise KeyTextError("malformed", "this is no public key: it is `TYPE BASE64 COMMENT` in one line")
        _check_shape(key)
    except (WireError, binascii.Error, ValueError) as error:
        if isinstance(error, KeyTextError):
            raise
        raise KeyTextError("malformed", f"this is no public key: {error}") from error
    return key, comment.strip()


def _check_shape(key: PublicKey) -> None:
    """Raise WireError where a key of a known type does not have the parts that its type has."""
    reader = Reader(key.blob)
    reader.string()
    match key.type:
        case "ssh-ed25519" | "sk-ssh-ed25519@openssh.com":
            if len(reader.string()) != 32:  # noqa: PLR2004 - RFC 8032: a public key has 32 bytes
                raise WireError("an Ed25519 key has 32 bytes")
        case kind if kind in KEY_TYPES:  # exponent and modulus, or curve and point
            reader.string()
            reader.string()
        case _:
            return
    if key.hardware:
        reader.string()
    reader.end()


def _rsa_bits(blob: bytes) -> int:
    reader = Reader(blob)
    reader.string()
    reader.string()
    return int.from_bytes(reader.string(), "big").bit_length()
