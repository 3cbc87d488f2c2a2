"""What is signed of an open run: exactly what would be, its bytes, and what is refused to be."""

from opsconsole.contracts.store import Conflict
from opsconsole.engine.clocks import clock_state
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.session import RunSession
from opsconsole.model.events import (
    DECIDING,
    Amended,
    Amendment,
    Approval,
    Meaning,
    Signature,
    Signed,
    Statement,
    Stored,
)
from opsconsole.model.foureyes import Signatory, own_work, signatory_now, signatory_with
from opsconsole.model.people import Person
from opsconsole.model.record import record_bytes, statement_document
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import hurdles, statement_of
from opsconsole.model.tiers import Tier


def statement_now(
    session: RunSession,
    meaning: Meaning = Meaning.PERFORMED,
    signatory: Person | None = None,
    amendment: Amendment | None = None,
    approval: Approval | None = None,
) -> Statement:
    """Return exactly what would be signed now; raise ActionRefused where something is still to be done.

    `signatory` is whose key signs, None where none does. With the meaning AMENDED an amendment is due, with
    APPROVED and REFUSED an approval (see qualifying.py, which also knows who may not give it).
    """
    _refuse_early(session, meaning, signatory_now(session.actor, signatory), amendment, approval)
    return statement_of(
        session.state,
        session.actor,
        store_id=session.store.store_id,
        signed_at=session.clock(),
        meaning=meaning,
        signatory=signatory,
        clock=clock_state(),
        amendment=amendment,
        approval=approval,
    )


def payload_of(session: RunSession, statement: Statement) -> bytes:
    """Return the bytes that a signature of `statement` is over (see model/record.py). Reads the store."""
    links = session.store.links(session.state.run)
    documents = [each.document for each in links if each.seq <= statement.head_seq]
    return record_bytes(documents, statement_document(statement))


async def sign_statement(session: RunSession, statement: Statement, signature: Signature | None = None) -> Stored:
    """Sign exactly `statement`; raises Conflict where the run has changed since it was made.

    Without a `signature` it is attributed to the login, which is no proof of who it was. Raises ActionRefused
    where the checklist asks for a stronger one, or the statement is not the signer's to sign.
    """
    given = signature or Signature(Tier.ATTRIBUTED)
    run = session.state
    refuse_weak(run, given.tier)
    if statement.head_seq != run.last_seq:
        raise Conflict(f"{run.run} has changed since it was shown: look at it again")
    if statement.principal != (given.principal if given.tier.keyed else ""):
        raise ActionRefused(f"the signature is not that of {statement.principal or 'a login without a key'}")
    signatory = signatory_with(session.actor, given)
    _refuse_early(session, statement.meaning, signatory, statement.amendment, statement.approval)
    return await session.record_signed(_signing(statement, given))


def refuse_weak(run: RunState, tier: Tier) -> None:
    """Raise ActionRefused where the checklist asks for signatures that are stronger than `tier`."""
    wanted = run.definition.sign_off.tier
    if not tier.satisfies(wanted):
        raise ActionRefused(
            f"{run.definition.id} asks for a sign-off that is {wanted}; this one would be {tier}",
            "an SSH key in an agent or file does it: `opsconsole people list` shows whose keys may sign",
        )


def _refuse_early(
    session: RunSession,
    meaning: Meaning,
    signatory: Signatory,
    amendment: Amendment | None,
    approval: Approval | None,
) -> None:
    """Refuse what cannot be signed now, or not by this person."""
    run = session.state
    if session.unsaved:
        raise ActionRefused(f"{session.unsaved} events are not saved yet: nothing can be signed before they are")
    if (meaning is Meaning.AMENDED) is not (amendment is not None):
        raise ActionRefused("an amendment is signed as one, and nothing else is")
    if (meaning in DECIDING) is not (approval is not None):
        raise ActionRefused("what is decided of a qualification is signed as that, and nothing else is")
    if meaning is Meaning.PERFORMED:
        _refuse_unready(run)
    elif run.signed is None:
        raise ActionRefused(f"{run.run} is not signed yet: there is nothing to be {meaning}")
    else:
        _refuse_own_work(run, meaning, signatory, approval)


def _refuse_unready(run: RunState) -> None:
    if run.signed is not None:
        raise ActionRefused(f"{run.run} is signed already")
    open_hurdles = hurdles(run)
    if open_hurdles:
        raise ActionRefused("\n".join(each.text for each in open_hurdles))


def _refuse_own_work(run: RunState, meaning: Meaning, signatory: Signatory, approval: Approval | None) -> None:
    """Hold four eyes: nobody reviews or approves what they performed or amended, nor the same thing twice."""
    found = own_work(run.signatures, meaning, signatory, approval)
    if found is not None:
        who, said = found
        raise ActionRefused(f"{who} has {said} {run.run}: another person has to sign it")


def _signing(statement: Statement, signature: Signature) -> Signed | Amended:
    if statement.meaning is Meaning.AMENDED:
        return Amended(statement=statement, signature=signature)
    return Signed(statement=statement, signature=signature)
