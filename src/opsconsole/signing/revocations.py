"""Keys that were compromised: an OpenSSH key revocation list (KRL), or public keys, a line each."""

from pathlib import Path

import msgspec

from opsconsole.signing.keygen import keygen, name_of, sealed
from opsconsole.signing.keys import KeyTextError, PublicKey, key_of_text
from opsconsole.signing.trusted import Unreadable, read_trusted

KRL_MAGIC = b"SSHKRL\n\0"
"""OpenSSH's PROTOCOL.krl."""
_SECONDS = 10.0


class Revocations(msgspec.Struct, frozen=True):
    """What a file of revoked keys holds; `content` is None where none is configured."""

    content: bytes | None = None
    keys: frozenset[bytes] = frozenset()
    """Blobs of the keys that a plain list names."""

    def revokes(self, key: PublicKey) -> bool:
        """Return whether it names a key; raises Unreadable for a damaged list, and what `keygen` raises."""
        if self.content is None or not self.content.startswith(KRL_MAGIC):
            return key.blob in self.keys
        with sealed(self.content, f"{key.text}\n".encode("ascii")) as (revoked, public):
            said = keygen(
                ["-Q", "-f", name_of(revoked), name_of(public)], descriptors=(revoked, public), timeout=_SECONDS
            )
        if said.ok:
            return False
        if said.stdout.rstrip().endswith(b"REVOKED"):
            return True
        raise Unreadable(f"the list of revoked keys cannot be used: {said.last_line}")


def read_revocations(path: Path | None) -> Revocations:
    """Return the revoked keys; raises Untrusted and Unreadable, also where a configured file is missing."""
    if path is None:
        return Revocations()
    content = read_trusted(path)
    if content is None:
        raise Unreadable(f"there is no file of revoked keys at {path}; where none is revoked make it: touch {path}")
    if content.startswith(KRL_MAGIC):
        return Revocations(content)
    keys = set()
    for number, line in enumerate(content.decode("utf-8", "surrogateescape").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            keys.add(key_of_text(line)[0].blob)
        except KeyTextError as error:
            raise Unreadable(f"{path}: line {number}: {error}") from error
    return Revocations(content, frozenset(keys))
