"""What is in an SSH signature: OpenSSH's PROTOCOL.sshsig, and PROTOCOL.u2f for those of security keys.

Nothing here proves anything: `ssh-keygen -Y verify` does that. This tells what a signature says of itself.
"""

import base64
import binascii
import textwrap

import msgspec

from opsconsole.model.tiers import Tier
from opsconsole.signing.keys import PublicKey, key_of_blob
from opsconsole.signing.wire import Reader, WireError

_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_COLUMNS = 70
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = frozenset({"sha256", "sha512"})
_TOUCHED = 0x01
"""The flag of user presence in WebAuthn's authenticator data: somebody touched the security key."""
MAX_CHARACTERS = 64_000
"""Many times the largest signature there is, that of a 16,384 bit RSA key."""


class SshSig(msgspec.Struct, frozen=True):
    """What a signature says of itself."""

    key: PublicKey
    namespace: str
    hash_algorithm: str
    signature_type: str
    touched: bool
    """Whether its security key says that it was touched; the flag is covered by the signature."""

    @property
    def tier(self) -> Tier:
        """How strongly it would bind its signer, if it verifies."""
        return Tier.HARDWARE if self.key.hardware and self.touched else Tier.SIGNED


def read_sshsig(armored: str) -> SshSig:
    """Return what an armored signature says; raises WireError for anything but the one way to write it.

    Decoders of base64 overlook bits and white space. Here a signature with any character changed is another one.
    """
    blob = _dearmored(armored)
    reader = Reader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise WireError("it does not begin like one")
    if (version := reader.number()) != _VERSION:
        raise WireError(f"its version is {version}, not {_VERSION}")
    key = key_of_blob(reader.string())
    namespace = reader.name()
    if reader.string():
        raise WireError("its reserved part is not empty")
    hash_algorithm = reader.name()
    if hash_algorithm not in _HASHES:
        raise WireError(f"its hash is {hash_algorithm[:20]}")
    signature = Reader(reader.string())
    reader.end()
    signature_type = signature.name()
    signature.string()
    touched = bool(key.hardware and signature.byte() & _TOUCHED)
    if key.hardware:
        signature.number()  # how often the security key has signed
    if not signature_type.startswith("webauthn-"):  # those tell the browser's origin too
        signature.end()
    return SshSig(key, namespace, hash_algorithm, signature_type, touched)


def armored(blob: bytes) -> str:
    """Return a signature as ssh-keygen writes it."""
    lines = textwrap.wrap(base64.b64encode(blob).decode("ascii"), _COLUMNS)
    return "".join(f"{line}\n" for line in (_BEGIN, *lines, _END))


def _dearmored(text: str) -> bytes:
    if len(text) > MAX_CHARACTERS:
        raise WireError(f"it is longer than {MAX_CHARACTERS:,} characters")
    lines = text.splitlines()
    if not lines or lines[0] != _BEGIN:
        raise WireError(f"its first line is not {_BEGIN}")
    if lines[-1] != _END:
        raise WireError(f"its last line is not {_END}: it is cut off")
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError(f"it is no base64: {error}") from error
    if armored(blob) != text:
        raise WireError("it is not written as ssh-keygen writes it")
    return blob
