"""What `sign` and `amend` are about to have signed: found, checked, and signed once somebody agreed to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from opsconsole.cli.common import UsageError
from opsconsole.contracts.signer import Candidate, SigningError
from opsconsole.contracts.store import Conflict, RunKey, StoreUnavailable
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.signing import Offer, tier_of
from opsconsole.engine.signoff import refuse_weak, statement_now
from opsconsole.model.deeds import By, Corrected
from opsconsole.model.events import Amendment, AmendmentKind, Meaning, Statement
from opsconsole.model.runs import RunState, SignOff
from opsconsole.model.signoff import amended_state, hurdles, says_the_same
from opsconsole.model.tiers import Tier

if TYPE_CHECKING:
    from opsconsole.engine.approving import Case
    from opsconsole.engine.session import RunSession
    from opsconsole.wiring.services import Services


@dataclass(frozen=True)
class Correction:
    """What an amendment is to say (see amendment_now)."""

    kind: AmendmentKind
    reason: str
    item: str = ""
    field: str = ""
    text: str = ""
    qualification: str = ""
    about: str = ""
    """The run that a reset is documented for, where that is another one than the amended."""


@dataclass(frozen=True)
class Means:
    """With what it is to be signed."""

    key: str = ""
    """Fingerprint or principal; the best key there is where it is empty."""
    without_key: Tier | None = None
    """Attributed or reauthenticated, where that was asked for."""


@dataclass(frozen=True)
class Proposal:
    """What would be signed now, and with what."""

    state: RunState
    statement: Statement
    tier: Tier
    candidate: Candidate | None
    notices: tuple[str, ...] = ()
    case: "Case | None" = None
    """The qualification that is decided on, where it is that."""
    is_seen: bool = False
    """Whether the case was shown a moment ago, just as it is."""

    @property
    def corrected(self) -> Corrected | None:
        """The amendment with what it replaces, where it is one that is signed."""
        amendment = self.statement.amendment
        if amendment is None:
            return None
        by = By(self.state.opened.actor, self.statement.signed_at)
        return amended_state(self.state, amendment, by).amendments[-1]


class Matter(Protocol):
    """Something that a person may sign: shown as a proposal first, and signed as it was shown or not at all."""

    @property
    def name(self) -> str:
        """What it is called: a run or a qualification."""
        ...

    async def proposed(self, parts: "Services") -> Proposal:
        """Return what would be signed now; raises ActionRefused and SigningError with all that is in the way."""
        ...

    async def signed(
        self, parts: "Services", proposal: Proposal, password: str | None
    ) -> tuple[SignOff, tuple[str, ...]]:
        """Sign what was shown, at the present moment; return the signature and what anchors could not keep.

        Raises Conflict where it is not as it was shown.
        """
        ...


def run_named(parts: "Services", name: str) -> str:
    """Return the run that is meant by its name or its checklist's; raises UsageError where there is none."""
    run = name if "@" in name else parts.engine.key_of(parts.checklist(name)).id
    if not parts.engine.store.last_seq(run):
        raise UsageError(f"there is no record of {run}", "`opsconsole history` lists the runs there are")
    return run


@asynccontextmanager
async def resumed(parts: "Services", run: str) -> AsyncIterator["RunSession"]:
    """Work on a run that there is; an unsigned one by its checklist as that is now, as the console does."""
    key = RunKey.parse(run)
    state = await asyncio.to_thread(parts.engine.load, run)
    checklist = parts.checklists.get(key.checklist)
    period = parts.engine.period_named(checklist, key.period) if checklist is not None else None
    if checklist is None or period is None or state is None or state.signed is not None:
        session = await parts.engine.resume(run)
    else:
        session = await parts.engine.open(checklist, period)
    try:
        yield session
    finally:
        await session.aclose()


@dataclass(frozen=True)
class SignedRun:
    """A Matter: a run that is performed, reviewed or amended."""

    name: str
    meaning: Meaning
    means: Means
    correction: Correction | None = None

    async def proposed(self, parts: "Services") -> Proposal:
        """Return what would be signed now."""
        async with resumed(parts, self.name) as session:
            refuse_unsaved(session)
            _refuse_unready(session.state, self.meaning)
            amendment = self._amendment(session)

            def stated(candidate: Candidate | None, tier: Tier) -> Statement:
                refuse_weak(session.state, tier)
                return statement_now(session, self.meaning, candidate.person if candidate else None, amendment)

            wanted = session.state.definition.sign_off.tier
            return await best_proposal(parts, session, self.meaning, self.means, stated, wanted)

    def _amendment(self, session: "RunSession") -> Amendment | None:
        wanted = self.correction
        if wanted is None:
            return None
        return amendment_now(
            session,
            wanted.kind,
            wanted.reason,
            item=wanted.item,
            field=wanted.field,
            text=wanted.text,
            qualification=wanted.qualification,
            about=wanted.about,
        )

    async def signed(
        self, parts: "Services", proposal: Proposal, password: str | None
    ) -> tuple[SignOff, tuple[str, ...]]:
        """Sign what was shown, at the present moment."""
        async with resumed(parts, self.name) as session:
            if session.state.last_seq != proposal.statement.head_seq:
                raise Conflict(f"{self.name} has changed since it was shown")
            person = proposal.candidate.person if proposal.candidate else None
            statement = statement_now(session, self.meaning, person, proposal.statement.amendment)
            if not says_the_same(statement, proposal.statement):
                raise Conflict(f"{self.name} has changed since it was shown")
            if proposal.candidate is not None:
                failures = await parts.signing.sign(session, statement, proposal.candidate)
            else:
                failures = await parts.signing.attribute(session, statement, password)
            return next(each for each in session.state.signatures if each.body.statement == statement), failures


async def best_proposal(
    parts: "Services",
    session: "RunSession",
    meaning: Meaning,
    means: Means,
    stated: Callable[[Candidate | None, Tier], Statement],
    weakest: Tier,
) -> Proposal:
    """Return what the best key that may sign it would sign; raises ActionRefused and SigningError where none may.

    `stated` makes the statement for a key, or for none; `weakest` is the tier that the policy asks for.
    """
    refused: ActionRefused | None = None
    for candidate in await _candidates(parts, session, meaning, means, weakest):
        tier = means.without_key or tier_of(candidate)
        try:
            statement = stated(candidate, tier)
        except ActionRefused as error:  # another key may be of somebody who may sign this
            refused = refused or error
        else:
            return Proposal(session.state, statement, tier, candidate, session.notices)
    raise refused or ActionRefused(f"nobody can sign {session.state.run} now")


def refuse_unsaved(session: "RunSession") -> None:
    """Refuse to sign what is not all in the store; raises StoreUnavailable."""
    if session.unsaved:
        raise StoreUnavailable(
            f"{session.unsaved} events of {session.state.run} are not saved yet: nothing is signed before they are",
            "make room for the record, then try again",
        )


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


async def _candidates(
    parts: "Services", session: "RunSession", meaning: Meaning, means: Means, weakest: Tier
) -> Sequence[Candidate | None]:
    """Return the keys to sign with, the best first, or None alone for a signature without any.

    Raises SigningError where a key is wanted that is not there.
    """
    if means.without_key is Tier.REAUTHENTICATED and parts.signing.authenticator is None:
        raise SigningError("no-pam", "passwords cannot be asked for here", "set signing.pam_service")
    if means.without_key is not None:
        return (None,)
    offer = await parts.signing.offer(session, meaning)
    if offer.refused is not None:
        raise _with_way_on(offer.refused, weakest)
    if means.key:
        return (_named_key(offer, means.key),)
    return offer.candidates or (None,)


def _with_way_on(refused: SigningError, weakest: Tier) -> SigningError:
    """Tell how to go on without a key, where the policy takes that; it is never done unasked."""
    if not Tier.ATTRIBUTED.satisfies(weakest):
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
