"""Who may sign what: the roles of people, and the SSHSIG namespace that each signs in."""

import datetime as dt
from enum import StrEnum

import msgspec

from opsconsole.model.events import Meaning


class Role(StrEnum):
    """What a person may sign; in an allowed-signers file it is given by a namespace, so that OpenSSH holds it."""

    OPERATOR = "operator"
    """Performs runs, and amends them."""
    REVIEWER = "reviewer"
    APPROVER = "approver"

    @property
    def namespace(self) -> str:
        """What `ssh-keygen -Y sign -n` is told: a signature of one role is never one of another."""
        return _NAMESPACES[self]


_NAMESPACES = {
    Role.OPERATOR: "run@opsconsole.v1",
    Role.REVIEWER: "review@opsconsole.v1",
    Role.APPROVER: "approve@opsconsole.v1",
}


def role_for(meaning: Meaning) -> Role:
    """Return the role that a signature with this meaning asks for."""
    match meaning:
        case Meaning.PERFORMED | Meaning.AMENDED:
            return Role.OPERATOR
        case Meaning.REVIEWED:
            return Role.REVIEWER
        case Meaning.APPROVED | Meaning.REFUSED:
            return Role.APPROVER


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One key of one person, as a line of the allowed-signers file tells."""

    principal: str
    """Names the person for ever, such as an address; it is never given to another."""
    name: str
    """Printed name: the comment at the end of the line; the principal where there is none."""
    roles: tuple[Role, ...]
    fingerprint: str
    """`SHA256:…`, as ssh-keygen prints it."""
    key_type: str
    """Such as `ssh-ed25519`, or `sk-ssh-ed25519@openssh.com` for a hardware key."""
    public_key: str
    """Type and base64, as in a `.pub` file, without its comment."""
    valid_after: dt.datetime | None = None
    valid_before: dt.datetime | None = None
    """The end of the key's validity, exclusive; what was signed before it stays good."""
    line: int = 0
    """Where it stands in the file, from 1."""

    @property
    def hardware(self) -> bool:
        """Whether the private key lies in a security key (FIDO)."""
        return self.key_type.startswith("sk-")

    def is_valid(self, at: dt.datetime) -> bool:
        """Return whether the key may sign at an instant."""
        after, before = self.valid_after, self.valid_before
        return (after is None or at >= after) and (before is None or at < before)
