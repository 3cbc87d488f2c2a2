"""Runs in a real store that several people sign, with keys that are played: for what the engine makes of it."""

import datetime as dt
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.probe import Environment
from opsconsole.contracts.signer import Candidate, KeyPlace, SigningError
from opsconsole.contracts.store import Store
from opsconsole.engine.engine import Engine
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.checklists import (
    Checklist,
    Due,
    Entry,
    Field,
    Item,
    Section,
    SignOffPolicy,
)
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Actor, Meaning, Signature, Via
from opsconsole.model.people import Person, Role
from opsconsole.model.qualifications import Qualification
from opsconsole.model.tiers import Tier
from opsconsole.store.sqlite import SqliteStore

NOW = dt.datetime(2026, 11, 21, 14, 5, tzinfo=dt.UTC)
JANE = Actor("jane", "Jane Doe", "ops01", Via.COMMAND)
RAVI = Actor("ravi", "Ravi Rao", "ops01", Via.COMMAND)
SHARED = Actor("ops", "Operations", "ops01", Via.COMMAND)
RUN = "morning@2026-11-21"

TICKETS = Item(
    id="tickets",
    title="Tickets",
    entry=Entry("Tickets"),
    require=(parse_condition("entry < 10"),),
    target=(parse_condition("entry < 5"),),
)
LOOK = Item(id="look", title="Look at the dashboard", manual=True)

CHECKLIST = Checklist(
    id="morning",
    title="Morning",
    due=Due(timezone="UTC"),
    sections=(Section("All", (TICKETS, LOOK)),),
    fields=(Field("notes", "Notes"), Field("issues", "Issues found")),
)
QUALIFICATION = Qualification(id="nine", title="Nine mornings", checklist=CHECKLIST.id, days=9)


def asking_for(tier: Tier) -> Checklist:
    """Return the checklist with a policy for its signatures."""
    return msgspec.structs.replace(CHECKLIST, sign_off=SignOffPolicy(tier))


def person(principal: str, key: str = "", *, hardware: bool = False) -> Person:
    """Return a person with a key of that name."""
    return Person(
        principal=principal,
        name=principal.partition("@")[0].capitalize(),
        roles=(Role.OPERATOR, Role.REVIEWER),
        fingerprint=f"SHA256:{key or principal}",
        key_type="sk-ssh-ed25519@openssh.com" if hardware else "ssh-ed25519",
        public_key="ssh-ed25519 AAAA",
    )


def candidate(who: Person) -> Candidate:
    """Return a key of a person that an agent holds."""
    return Candidate(person=who, place=KeyPlace.AGENT, path="/run/agent", comment="played")


@dataclass
class PlayedSigner:
    """Signs with keys that are none: what it was given to sign stands in the signature."""

    people: Sequence[Person] = ()
    refusal: SigningError | None = None
    signed: list[tuple[bytes, Meaning]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    """Called before the signature is made, in the thread that makes it."""

    def candidates(self, meaning: Meaning, at: dt.datetime) -> list[Candidate]:  # noqa: ARG002 - the contract's
        """Return everybody."""
        if not self.people:
            raise self.refusal or SigningError("no-agent", "no agent answers", "start one")
        return [candidate(each) for each in self.people]

    def sign(self, payload: bytes, meaning: Meaning, candidate: Candidate) -> Signature:
        """Sign, or refuse as told."""
        self.before()
        if self.refusal is not None:
            raise self.refusal
        self.signed.append((payload, meaning))
        who = candidate.person
        tier = Tier.HARDWARE if who.hardware else Tier.SIGNED
        return Signature(tier, who.principal, who.fingerprint, f"played signature {len(self.signed)}")

    def give_up(self) -> None:
        """Do nothing: no process waits for it."""


class PlayedAuthenticator:
    """Knows one password."""

    def authenticate(self, login: str, password: str) -> None:
        """Take `correct horse` for everybody."""
        if password != "correct horse":
            raise SigningError("wrong-password", f"this is not the password of {login}")


@dataclass
class PlayedAnchor:
    """Keeps heads in memory, or fails as told."""

    failure: Exception | None = None
    noted: list[tuple[Noted, Path | None]] = field(default_factory=list)
    name: str = "played"

    def keep(self, noted: Noted, record: Path | None) -> None:
        """Keep, or fail."""
        if self.failure is not None:
            raise self.failure
        self.noted.append((noted, record))

    def kept(self) -> Iterator[Kept]:
        """Yield nothing: heads are not read back here."""
        yield from ()


FAILURES = (
    AnchorError("the journal does not answer"),
    OSError(28, "No space left on device"),
    ZeroDivisionError("a fault of the plug-in"),
)
"""Ways in which an anchor fails, those that it must not have among them."""


class Place:
    """A store, and people who work on its runs; the clock goes on by a second for each look at it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store: Store = SqliteStore(directory / "records.db")
        self.now = NOW
        self._ticking = threading.Lock()

    def clock(self) -> dt.datetime:
        """Return the next second."""
        with self._ticking:
            self.now += dt.timedelta(seconds=1)
            return self.now

    def engine(self, actor: Actor = JANE) -> Engine:
        """Return an engine as a process of `actor` has it."""
        return Engine(
            self.store,
            {},
            Environment(),
            actor,
            self.directory / actor.login,
            clock=self.clock,
            checklists={CHECKLIST.id: CHECKLIST},
            qualifications={QUALIFICATION.id: QUALIFICATION},
        )

    @asynccontextmanager
    async def session(
        self, actor: Actor = JANE, checklist: Checklist = CHECKLIST, date: dt.date | None = None
    ) -> AsyncIterator[RunSession]:
        """Work on a run as `actor`."""
        session = await self.engine(actor).open(checklist, date)
        try:
            yield session
        finally:
            await session.aclose()

    @asynccontextmanager
    async def signed(self, actor: Actor = JANE, checklist: Checklist = CHECKLIST) -> AsyncIterator[RunSession]:
        """Work on a run that `actor` has done and signed with the login alone."""
        async with self.session(actor, checklist) as session:
            await done(session)
            await sign_statement(session, statement_now(session))
            yield session


async def done(session: RunSession, tickets: str = "3") -> None:
    """Do everything that stands before the sign-off."""
    await session.enter("tickets", tickets)
    await session.tick("look")
