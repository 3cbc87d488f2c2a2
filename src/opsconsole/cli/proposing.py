"""What `sign` and `amend` are about to have signed: found, checked, and signed once somebody agreed to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opsconsole.cli.common import UsageError
from opsconsole.contracts.signer import Candidate, SigningError
from opsconsole.contracts.store import Conflict, RunKey, StoreUnavailable
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.signing import Offer, tier_of
from opsconsole.model.events import AmendmentKind, Meaning, Statement
from opsconsole.model.runs import By, Corrected, RunState, SignOff
from opsconsole.model.signoff import amended_state, hurdles, says_the_same
from opsconsole.model.tiers import Tier

if TYPE_CHECKING:
    from opsconsole.engine.session import RunSession
    from opsconsole.wiring.services import Services


@dataclass(frozen=True)
class Correction:
    """What an amendment is to say (see RunSession.amendment)."""

    kind: AmendmentKind
    reason: str
    item: str = ""
    field: str = ""
    text: str = ""


@dataclass(frozen=True)
class Wanted:
    """What is to be signed, and with what."""

    run: str
    meaning: Meaning
    key: str = ""
    """Fingerprint or principal; the best key there is where it is empty."""
    without_key: Tier | None = None
    """Attributed or reauthenticated, where that was asked for."""
    correction: Correction | None = None


@dataclass(frozen=True)
class Proposal:
    """What would be signed now, and with what."""

    state: RunState
    statement: Statement
    tier: Tier
    candidate: Candidate | None
    notices: tuple[str, ...] = ()

    @property
    def corrected(self) -> Corrected | None:
        """The amendment with what it replaces, where it is one that is signed."""
        amendment = self.statement.amendment
        if amendment is None:
            return None
        by = By(self.state.opened.actor, self.statement.signed_at)
        return amended_state(self.state, amendment, by).amendments[-1]


def run_named(parts: "Services", name: str) -> str:
    """Return the run that is meant by its name or its checklist's; raises UsageError where there is none."""
    run = name if "@" in name else parts.engine.key_of(parts.checklist(name)).id
    if not parts.engine.store.last_seq(run):
        raise UsageError(f"there is no record of {run}", "`opsconsole history` lists the runs there are")
    return run


@asynccontextmanager
async def resumed(parts: "Services", run: str) -> AsyncIterator["RunSession"]:
    """Work on a run that there is; an unsigned one by its checklist as that is now, as the console does."""
    from opsconsole.model.calendar import period_named

    key = RunKey.parse(run)
    state = await asyncio.to_thread(parts.engine.load, run)
    checklist = parts.checklists.get(key.checklist)
    period = period_named(key.period, checklist.cadence) if checklist is not None else None
    if checklist is None or period is None or state is None or state.signed is not None:
        session = await parts.engine.resume(run)
    else:
        session = await parts.engine.open(checklist, period.start)
    try:
        yield session
    finally:
        await session.aclose()


async def proposed(parts: "Services", wanted: Wanted) -> Proposal:
    """Return what would be signed now; raises ActionRefused and SigningError with everything that is in the way."""
    async with resumed(parts, wanted.run) as session:
        if session.unsaved:
            raise StoreUnavailable(
                f"{session.unsaved} events of {wanted.run} are not saved yet: nothing is signed before they are",
                "make room for the record, then try again",
            )
        _refuse_unready(session.state, wanted.meaning)
        correction = wanted.correction
        amendment = None
        if correction is not None:
            amendment = session.amendment(
                correction.kind,
                correction.reason,
                item=correction.item,
                field=correction.field,
                text=correction.text,
            )
        refused: ActionRefused | None = None
        for candidate in await _candidates(parts, session, wanted):
            tier = wanted.without_key or tier_of(candidate)
            try:
                session.refuse_weak(tier)
                statement = session.statement(wanted.meaning, candidate.person if candidate else None, amendment)
            except ActionRefused as error:  # another key may be of somebody who may sign this
                refused = refused or error
            else:
                return Proposal(session.state, statement, tier, candidate, session.notices)
        raise refused or ActionRefused(f"nobody can sign {wanted.run} now")


async def signed(
    parts: "Services", wanted: Wanted, proposal: Proposal, password: str | None
) -> tuple[SignOff, tuple[str, ...]]:
    """Sign what was shown, at the present moment; return the signature and what anchors could not keep.

    Raises Conflict where the run is not as it was shown.
    """
    async with resumed(parts, wanted.run) as session:
        if session.state.last_seq != proposal.statement.head_seq:
            raise Conflict(f"{wanted.run} has changed since it was shown")
        person = proposal.candidate.person if proposal.candidate else None
        statement = session.statement(wanted.meaning, person, proposal.statement.amendment)
        if not says_the_same(statement, proposal.statement):
            raise Conflict(f"{wanted.run} has changed since it was shown")
        if proposal.candidate is not None:
            failures = await parts.signing.sign(session, statement, proposal.candidate)
        else:
            failures = await parts.signing.attribute(session, statement, password)
        return next(each for each in session.state.signatures if each.body.statement == statement), failures


def _refuse_unready(state: RunState, meaning: Meaning) -> None:
    """Refuse what no key could mend, before keys are spoken of."""
    if meaning is not Meaning.PERFORMED:
        if state.signed is None:
            raise ActionRefused(f"{state.run} is not signed yet: there is nothing to be {meaning}")
        return
    if state.signed is not None:
        by = state.signed.by.actor.shown
        raise ActionRefused(f"{state.run} was signed by {by} already", "`opsconsole amend` adds to it")
    found = hurdles(state)
    if found:
        things = "1 thing is" if len(found) == 1 else f"{len(found)} things are"
        listed = "\n".join(f"- {each.text}" for each in found)
        raise ActionRefused(f"{things} to be done before {state.run} can be signed\n{listed}")


async def _candidates(parts: "Services", session: "RunSession", wanted: Wanted) -> Sequence[Candidate | None]:
    """Return the keys to sign with, the best first, or None alone for a signature without any.

    Raises SigningError where a key is wanted that is not there.
    """
    if wanted.without_key is Tier.REAUTHENTICATED and parts.signing.authenticator is None:
        raise SigningError("no-pam", "passwords cannot be asked for here", "set signing.pam_service")
    if wanted.without_key is not None:
        return (None,)
    offer = await parts.signing.offer(session, wanted.meaning)
    if offer.refused is not None:
        raise _with_way_on(offer.refused, session.state)
    if wanted.key:
        return (_named_key(offer, wanted.key),)
    return offer.candidates or (None,)


def _with_way_on(refused: SigningError, state: RunState) -> SigningError:
    """Tell how to go on without a key, where the checklist takes that; it is never done unasked."""
    if not Tier.ATTRIBUTED.satisfies(state.definition.sign_off.tier):
        return refused
    hint = f"{refused.hint}\n" if refused.hint else ""
    return SigningError(refused.reason, str(refused), f"{hint}or sign without a key: --attributed")


def _named_key(offer: Offer, key: str) -> Candidate:
    names = {key, f"SHA256:{key}"}
    for each in offer.candidates:
        if names & {each.person.principal, each.person.fingerprint}:
            return each
    can = ", ".join(f"{each.person.principal} {each.person.fingerprint}" for each in offer.candidates)
    raise SigningError("no-such-key", f"no key of '{key}' can sign now", f"these can: {can or 'none'}")
