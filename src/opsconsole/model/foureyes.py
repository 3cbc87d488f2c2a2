"""Four eyes: whether two signatures may come from one person, as far as anybody can tell."""

from collections.abc import Iterable

import msgspec

from opsconsole.model.events import DECIDING, Actor, Approval, Meaning, Signature
from opsconsole.model.people import Person
from opsconsole.model.runs import SignOff


class Signatory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of whoever signs or has signed. A key proves something; a login only tells."""

    login: str
    principal: str = ""
    """Of the allowed-signers file; empty where no key signs."""
    key: str = ""
    """Fingerprint of the key that signs; empty where none does."""
    login_key: str = ""
    """Fingerprint of the key that logged in, where sshd told it."""


def signatory_now(actor: Actor, person: Person | None) -> Signatory:
    """Return who would sign now, with the key of `person` or without one."""
    if person is None:
        return Signatory(login=actor.login, login_key=actor.key)
    return Signatory(login=actor.login, principal=person.principal, key=person.fingerprint, login_key=actor.key)


def signatory_with(actor: Actor, signature: Signature) -> Signatory:
    """Return who signs as `actor` with a signature that is made already."""
    keyed = signature.tier.keyed
    return Signatory(
        login=actor.login,
        principal=signature.principal if keyed else "",
        key=signature.fingerprint if keyed else "",
        login_key=actor.key,
    )


def signatory_of(signature: SignOff) -> Signatory:
    """Return who has signed."""
    return signatory_with(signature.by.actor, signature.body.signature)


def own_work(
    signatures: Iterable[SignOff], meaning: Meaning, new: Signatory, approval: Approval | None = None
) -> tuple[str, Meaning] | None:
    """Return who would sign their own work, or the same thing twice, and what they have said of it before.

    None where it is another person, and for other meanings: whoever performed a run may amend it. The rules of a
    qualification may allow it for its `approval`, which says so itself.
    """
    if meaning is not Meaning.REVIEWED and meaning not in DECIDING:
        return None
    if approval is not None and approval.own_work_allowed:
        return None
    done: list[SignOff] = []
    for each in signatures:
        said = each.body.statement.meaning
        if said is Meaning.AMENDED:  # what was reviewed before it is another thing now
            done = [kept for kept in done if kept.body.statement.meaning is not meaning]
        if said in {Meaning.PERFORMED, Meaning.AMENDED, meaning}:
            done.append(each)
    for each in done:
        who = in_common(signatory_of(each), new)
        if who:
            return who, each.body.statement.meaning
    return None


def in_common(one: Signatory, other: Signatory) -> str:
    """Return in words what says that two signatories are one person; nothing where they can be two.

    A person is a principal, whatever keys they have, and a key is one person's. Between two keys of two principals
    a common login says nothing: it may be a shared account. Where one of the two signed without a key, the login is
    all there is, and so a common one is taken for one person; so is a key that signed or logged in for both.
    """
    if one.principal and one.principal == other.principal:
        return one.principal
    if one.key and one.key == other.key:
        return f"the key {one.key}"
    if one.key and other.key:
        return ""
    if one.login == other.login:
        return one.login
    shared = ({one.key, one.login_key} & {other.key, other.login_key}) - {""}
    return f"the key {min(shared)}" if shared else ""
