"""Checks signatures: what each claims of itself, against the file of people, and at last by `ssh-keygen -Y verify`.

OpenSSH decides whether a signature holds, over the lines of the file that an exported record carries.
What it would let through is refused here, and the first thing that is wrong is named, because ssh-keygen only says
"Could not verify signature".
"""

import datetime as dt
from pathlib import Path

from opsconsole.contracts.signer import SignatureRefused, SigningError
from opsconsole.model.events import Meaning, Signature
from opsconsole.model.people import Person, Role, role_for
from opsconsole.model.text import shortened, visible
from opsconsole.signing.allowed_signers import Signers, SignersError, for_keygen, read_signers, written_time
from opsconsole.signing.keygen import KeygenProblem, keygen, name_of, sealed
from opsconsole.signing.keys import PublicKey
from opsconsole.signing.refusals import unusable_keygen
from opsconsole.signing.revocations import Revocations, read_revocations
from opsconsole.signing.sshsig import SshSig, read_sshsig
from opsconsole.signing.trusted import Unreadable, Untrusted, read_trusted
from opsconsole.signing.wire import WireError

VERIFY_SECONDS = 30.0
"""Nothing is waited for but the machine: the key that verifies is public."""


class OpenSshVerifier:
    """Checks against one allowed-signers file. It keeps nothing: each call reads the file anew, and once."""

    def __init__(
        self, allowed_signers: Path, revoked_keys: Path | None = None, *, timeout: float = VERIFY_SECONDS
    ) -> None:
        self.path = allowed_signers
        self.revoked_keys = revoked_keys
        self._timeout = timeout

    def signers(self) -> Signers:
        """Return the file; empty where there is none. Raises SigningError where it cannot be used."""
        try:
            content = read_trusted(self.path)
            return read_signers(content or b"")
        except Untrusted as error:
            raise SigningError("untrusted-file", str(error), "then try again") from error
        except Unreadable as error:
            raise SigningError("unreadable-file", str(error), "let this account read it: chmod a+r") from error
        except SignersError as error:
            raise SigningError(
                "bad-file",
                f"{self.path}: {error}",
                f"mend the line, then look: opsconsole people list; {self.path}",
            ) from error

    def revocations(self) -> Revocations:
        """Return the revoked keys; raises SigningError where they cannot be read."""
        try:
            return read_revocations(self.revoked_keys)
        except Untrusted as error:
            raise SigningError("untrusted-file", str(error), "then try again") from error
        except Unreadable as error:
            raise SigningError("bad-revocations", str(error), "nothing is signed or verified before") from error

    def people(self) -> list[Person]:
        """Return everybody, an entry for each line with a key, in the order of the file."""
        return list(self.signers().people)

    def allowed_signers(self, principals: list[str]) -> bytes:
        """Return the lines of these people exactly as they stand in the file."""
        return self.signers().lines_of(principals)

    def is_revoked(self, key: PublicKey) -> bool:
        """Return whether a key was revoked; raises SigningError where that cannot be told."""
        return _is_revoked(self.revocations(), key)

    def check(self, payload: bytes, signature: Signature, meaning: Meaning, at: dt.datetime) -> Person:
        """Return whose signature of `payload` it is; raises SignatureRefused with the first thing that is wrong."""
        role = role_for(meaning)
        inside = _read(signature)
        _refuse_claims(signature, inside, role)
        try:
            signers = self.signers()
            revocations = self.revocations()
            if _is_revoked(revocations, inside.key):
                raise SignatureRefused(
                    "revoked",
                    f"the key {inside.key.fingerprint} was revoked: whatever it signed may be somebody else's",
                    "sign the run again with another key, by an amendment",
                )
            person = _signatory(signers, signature, inside, role, at)
            self._verify(payload, signature, person, role, at, signers, revocations)
        except SigningError as error:
            raise SignatureRefused(error.reason, str(error), error.hint, unchecked=True) from error
        return person

    def _verify(
        self,
        payload: bytes,
        signature: Signature,
        person: Person,
        role: Role,
        at: dt.datetime,
        signers: Signers,
        revocations: Revocations,
    ) -> None:
        """Ask ssh-keygen, over copies in memory of what was checked here: nothing can change in between."""
        lines = for_keygen(signers.lines_of([person.principal]))
        contents = [lines, signature.armored.encode("ascii"), *filter(None, [revocations.content])]
        with sealed(*contents) as descriptors:
            arguments = ["-Y", "verify", "-f", name_of(descriptors[0]), "-I", person.principal]
            arguments += [
                "-n",
                role.namespace,
                "-s",
                name_of(descriptors[1]),
                f"-Overify-time={written_time(at)[:-1]}",
            ]
            if descriptors[2:]:
                arguments += ["-r", name_of(descriptors[2])]
            try:
                said = keygen(arguments, stdin=payload, descriptors=descriptors, timeout=self._timeout)
            except KeygenProblem as error:
                raise unusable_keygen(error) from error
        if not said.ok:
            raise SignatureRefused(
                "altered",
                f"it is no signature of these bytes by {person.name}: the record or the signature was changed "
                f"({visible(shortened(said.last_line, 200))})",
                "compare the record with an exported one, or with another anchor",
            )


def _is_revoked(revocations: Revocations, key: PublicKey) -> bool:
    try:
        return revocations.revokes(key)
    except Unreadable as error:
        raise SigningError("bad-revocations", str(error), "nothing is signed or verified before") from error
    except KeygenProblem as error:
        raise unusable_keygen(error) from error


def _read(signature: Signature) -> SshSig:
    if not signature.tier.keyed:
        raise SignatureRefused("unsigned", f"it is {signature.tier}: no key signed", "nothing can be verified")
    try:
        inside = read_sshsig(signature.armored)
    except WireError as error:
        raise SignatureRefused("malformed", f"it is no SSH signature: {visible(str(error))}") from error
    if inside.key.certificate:
        raise SignatureRefused(
            "certificate",
            "it was made with a certificate; people are known by their plain keys",
            "sign with the key",
        )
    return inside


def _refuse_claims(signature: Signature, inside: SshSig, role: Role) -> None:
    """Refuse what a signature says of itself where the bytes in it say something else."""
    if inside.namespace != role.namespace:
        raise SignatureRefused(
            "wrong-namespace",
            f"it was made for '{visible(shortened(inside.namespace, 60))}', not for '{role.namespace}'",
        )
    if inside.key.fingerprint != signature.fingerprint:
        raise SignatureRefused(
            "misattributed",
            f"it names the key {visible(shortened(signature.fingerprint, 60)) or 'none'} and was made with "
            f"{inside.key.fingerprint}",
        )
    if not inside.tier.satisfies(signature.tier):
        why = "no touch is in it" if inside.key.hardware else f"{inside.key.type} keys lie in no security key"
        raise SignatureRefused("weak-tier", f"it claims to be {signature.tier}, and is only {inside.tier}: {why}")
    if inside.tier is not signature.tier:
        raise SignatureRefused("misattributed", f"it claims to be {signature.tier}, and is {inside.tier}")


def _signatory(signers: Signers, signature: Signature, inside: SshSig, role: Role, at: dt.datetime) -> Person:
    """Return the person whose key it is and who could sign so at that time."""
    lines = [entry.person for entry in signers.entries if entry.key.blob == inside.key.blob]
    if not lines:
        raise SignatureRefused(
            "unknown-key",
            f"nobody of the allowed signers has the key {inside.key.fingerprint}",
            "a person's line is never removed, only retired: restore the file",
        )
    if lines[0].principal != signature.principal:
        raise SignatureRefused(
            "misattributed",
            f"it claims to be by {visible(shortened(signature.principal, 60)) or 'nobody'}, and the key is "
            f"{lines[0].principal}'s",
        )
    able = [each for each in lines if role in each.roles]
    valid = next((each for each in able if each.is_valid(at)), None)
    if valid is not None:
        return valid
    name, moment = lines[0].name, f"{at:%Y-%m-%d %H:%M:%SZ}"
    if not able or any(each.is_valid(at) for each in lines):
        raise SignatureRefused("wrong-role", f"{name} is no {role} at {moment}")
    if all(each.valid_after is not None and at < each.valid_after for each in able):
        raise SignatureRefused("not-valid-yet", f"{name} could not sign yet at {moment}: {_window(able[0])}")
    raise SignatureRefused("retired", f"{name} could not sign any more at {moment}: {_window(able[-1])}")


def _window(person: Person) -> str:
    after, before = person.valid_after, person.valid_before
    words = [f"from {after:%Y-%m-%d %H:%M:%SZ}"] if after is not None else []
    words += [f"until {before:%Y-%m-%d %H:%M:%SZ}"] if before is not None else []
    return f"the key is valid {' '.join(words)}"
