"""Private keys in files: which there are, and whether ssh-keygen can use them without asking for anything."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from opsconsole.contracts.signer import SigningError
from opsconsole.model.text import shortened, visible
from opsconsole.signing.keygen import KeygenTimedOut, keygen
from opsconsole.signing.keys import KeyTextError, PublicKey, key_of_text

USUAL = ("id_ed25519_sk", "id_ecdsa_sk", "id_ed25519", "id_ecdsa", "id_rsa")
"""What ssh itself tries in ~/.ssh, security keys first."""
_SECONDS = 10.0
_MOST_BYTES = 64 * 1024


class KeyFile(msgspec.Struct, frozen=True):
    """A key file, by its public half."""

    path: Path
    """Of the private half."""
    key: PublicKey
    comment: str


def usual_key_files(home: Path | None = None) -> Iterator[KeyFile]:
    """Yield the keys of ~/.ssh under their usual names whose public half lies beside them."""
    try:
        directory = (home or Path.home()) / ".ssh"
    except RuntimeError:  # an account without a home directory
        return
    for name in USUAL:
        try:
            yield named_key_file(directory / name)
        except SigningError:
            continue


def named_key_file(path: Path) -> KeyFile:
    """Return the key that a public or private key file stands for; raises SigningError."""
    private = path.with_suffix("") if path.suffix == ".pub" else path
    public = private.with_name(f"{private.name}.pub")
    try:
        with public.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except FileNotFoundError as error:
        raise SigningError(
            "no-key-file",
            f"there is no public key {public}",
            f"make it from the private one: ssh-keygen -y -f {shlex.quote(str(private))} > "
            f"{shlex.quote(str(public))}; or name another: signing.key",
        ) from error
    except OSError as error:
        raise SigningError(
            "key-unreadable", f"{public} cannot be read: {error.strerror}", "see signing.key"
        ) from error
    try:
        key, comment = key_of_text(text)
    except KeyTextError as error:
        raise SigningError("bad-key-file", f"{public}: {error}", "name another: signing.key") from error
    return KeyFile(private, key, comment)


def why_unusable(file: KeyFile) -> SigningError | None:
    """Return why ssh-keygen could not sign with a key file at once, None where it could.

    It is asked for the public half with an empty passphrase, for which a security key need not be touched. Raises
    what `keygen` raises.
    """
    quoted = shlex.quote(str(file.path))
    try:
        exists = file.path.exists()
    except OSError:
        exists = True
    if not exists:
        return SigningError(
            "no-key-file",
            f"no agent offers the key {file.key.fingerprint}, and its private half {file.path} is not here",
            f"bring it in your agent (ssh -A), or by ssh-add FILE; {file.path}.pub names it",
        )
    try:
        said = keygen(["-y", "-P", "", "-f", str(file.path)], timeout=_SECONDS)
    except KeygenTimedOut:
        return SigningError("timeout", f"reading {file.path} takes too long", "is it on a network that is gone?")
    if not said.ok:
        return _unusable(file, said.stderr, quoted)
    try:
        inside, _ = key_of_text(said.stdout.decode("utf-8", "replace"))
    except KeyTextError as error:
        return SigningError("bad-key-file", f"{file.path}: {error}")
    if inside.blob != file.key.blob:
        return SigningError(
            "key-mismatch",
            f"{file.path}.pub is not the public half of {file.path}, which is {inside.fingerprint}",
            f"make it anew: ssh-keygen -y -f {quoted} > {quoted}.pub",
        )
    return None


def _unusable(file: KeyFile, stderr: str, quoted: str) -> SigningError:
    complaint = stderr.lower()
    if "incorrect passphrase" in complaint:
        return SigningError(
            "passphrase",
            f"{file.path} is locked by a passphrase, which is never asked for here",
            f'unlock it in an agent: eval "$(ssh-agent)"; ssh-add {quoted}; then start opsconsole from there',
        )
    if "permissions" in complaint:
        return SigningError(
            "key-permissions", f"others can read {file.path}, so OpenSSH refuses it", f"chmod 600 {quoted}"
        )
    if "permission denied" in complaint:
        return SigningError(
            "key-unreadable", f"this account may not read {file.path}", f"let it be yours: chown $USER {quoted}"
        )
    last = next((line for line in reversed(stderr.splitlines()) if line.strip()), "it does not say why")
    return SigningError("bad-key-file", f"{file.path} cannot be used: {visible(shortened(last.strip(), 200))}")
