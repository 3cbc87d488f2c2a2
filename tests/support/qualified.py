"""Years of runs in memory, chained and encoded as a store has them: for what a qualification makes of a record."""

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Iterator
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.store import Extract, Head, Link, RunKey
from opsconsole.engine.qualifying import Qualifying
from opsconsole.model.calendar import period_of, times_of
from opsconsole.model.checklists import Cadence, Checklist, Due, Item, Schedule, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.encoding import definition_hash
from opsconsole.model.events import (
    Actor,
    Amended,
    Amendment,
    AmendmentKind,
    Approval,
    Body,
    Event,
    Meaning,
    Measured,
    Opened,
    Signature,
    Signed,
    Stored,
    Ticked,
)
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualifications import Qualification
from opsconsole.model.readings import Judgement
from opsconsole.model.runs import RunState, fold
from opsconsole.model.signoff import statement_of
from opsconsole.model.tiers import Tier
from opsconsole.model.values import seconds
from opsconsole.store.chain import link
from opsconsole.store.documents import entry_of

ZONE = ZoneInfo("America/Chicago")
ANN, BEN, EVA, JOB = (Actor(name, name.capitalize(), "ops01") for name in ("ann", "ben", "eva", "cron"))
DAYS = Checklist(
    id="qbr-daily",
    title="QBR daily monitoring",
    due=Due(timezone="America/Chicago"),
    schedule=Schedule("02:00"),
    sections=(
        Section(
            "All",
            (
                Item(id="collectors", title="Collectors", probe="sql", require=(parse_condition("count == 2"),)),
                Item(id="look", title="Look", manual=True),
            ),
        ),
    ),
)
REVIEW = Checklist(
    id="qbr-review",
    title="QBR final review",
    cadence=Cadence.ONCE,
    due=Due(timezone="America/Chicago", after="qbr"),
    sections=(Section("All", (Item(id="audit", title="Audit", manual=True),)),),
)
RULES = Qualification(id="qbr", title="Three days", checklist="qbr-daily", days=3)


def edited(version: int) -> Checklist:
    """Return the daily checklist as it was first (0), judged in another way (1), or with another title only (2)."""
    if version == 1:
        first, second = DAYS.sections[0].items
        strict = msgspec.structs.replace(first, require=(parse_condition("count == 3"),))
        return msgspec.structs.replace(DAYS, sections=(Section("All", (strict, second)),))
    return DAYS if version == 0 else msgspec.structs.replace(DAYS, title="QBR every morning")


def run_of(date: dt.date, checklist: str = DAYS.id) -> str:
    """Return the name of the run of a day."""
    return RunKey(checklist, date.isoformat()).id


class Ledger:
    """What a store has, as far as a qualification asks for it, and how events come into it."""

    store_id = str(uuid.UUID(int=1))
    location = "memory"

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.documents: list[bytes] = []
        self.kinds: list[str] = []
        self.states: dict[str, RunState] = {}
        self.keys: dict[str, RunKey] = {}
        self.asked = 0
        """How many whole runs were read."""

    # --- writing -----------------------------------------------------------------------------------

    def add(self, run: str, body: Body, at: dt.datetime, actor: Actor = ANN) -> Stored:
        """Append an event as a store does."""
        seq = len(self.stored) + 1
        entry = entry_of(Event(id=str(uuid.UUID(int=seq)), run=run, at=at, actor=actor, body=body))
        prev = self.stored[-1].hash if self.stored else "0" * 64
        stored = Stored(seq=seq, event=entry.event, prev=prev, hash=link(prev, entry.document))
        if run in self.states:
            self.states[run].apply(stored)
        else:
            opened = fold([stored])
            assert opened is not None
            self.states[run], self.keys[run] = opened, RunKey.parse(run)
        self.stored.append(stored)
        self.documents.append(entry.document)
        self.kinds.append(entry.facts.kind)
        return stored

    def open(self, date: dt.date, at: dt.datetime, checklist: Checklist = DAYS, *, missed: bool = False) -> str:
        """Open the run of a date."""
        run = run_of(date, checklist.id)
        times = times_of(checklist, period_of(date, checklist.cadence), ZONE, date)
        body = Opened(
            times=times,
            definition=checklist,
            definition_hash=definition_hash(checklist),
            version="0",
            missed=missed,
        )
        self.add(run, body, at, JOB)
        return run

    def see(
        self, run: str, at: dt.datetime, outcome: Outcome = Outcome.PASS, ticked: dt.datetime | None = None
    ) -> None:
        """Measure the collectors, and look at the dashboard."""
        judgement = Judgement(outcome, "seen")
        self.add(run, Measured(item="collectors", judgement=judgement, started_at=at, elapsed=seconds(1)), at, JOB)
        self.add(run, Ticked("look"), ticked or at)

    def sign(
        self,
        run: str,
        at: dt.datetime,
        meaning: Meaning = Meaning.PERFORMED,
        actor: Actor = ANN,
        *,
        tier: Tier = Tier.ATTRIBUTED,
        amendment: Amendment | None = None,
        approval: Approval | None = None,
        said: dt.datetime | None = None,
    ) -> Stored:
        """Sign a run as it is, at the instant that is `said`; a key's owner is called after the login."""
        statement = statement_of(
            self.states[run],
            actor,
            store_id=self.store_id,
            signed_at=said or at,
            meaning=meaning,
            amendment=amendment,
            approval=approval,
        )
        keyed = tier.keyed
        principal = f"{actor.login}@example.org" if keyed else ""
        statement = msgspec.structs.replace(statement, principal=principal)
        signature = Signature(tier, principal, f"SHA256:{actor.login}" if keyed else "", "played" if keyed else "")
        kind: Callable[..., Signed | Amended] = Amended if meaning is Meaning.AMENDED else Signed
        return self.add(run, kind(statement=statement, signature=signature), at, actor)

    def amend(
        self, run: str, at: dt.datetime, kind: AmendmentKind, actor: Actor = ANN, *, tier: Tier = Tier.ATTRIBUTED
    ) -> Stored:
        """Amend a signed run."""
        item = "collectors" if kind is AmendmentKind.FAILED else ""
        about = RULES.id if kind in {AmendmentKind.RESET, AmendmentKind.EXCLUDED} else ""
        text = "a word" if kind is AmendmentKind.NOTE else ""
        amendment = Amendment(kind=kind, reason="because", item=item, text=text, qualification=about)
        return self.sign(run, at, Meaning.AMENDED, actor, tier=tier, amendment=amendment)

    def day(self, date: dt.date, outcome: Outcome = Outcome.PASS, *, actor: Actor = ANN, version: int = 0) -> str:
        """Do a whole day: open, see and sign it in the morning."""
        run = self.open(date, hour(date, 8), edited(version))
        self.see(run, hour(date, 8.5), outcome)
        self.sign(run, hour(date, 9), actor=actor)
        return run

    # --- reading -----------------------------------------------------------------------------------

    def events(self, run: str, *, after: int = 0) -> list[Stored]:
        """Return the events of a run."""
        self.asked += 1
        return [each for each in self.stored if each.event.run == run and each.seq > after]

    def last_seq(self, run: str) -> int:
        """Return the seq of a run's last event."""
        return max((each.seq for each in self.stored if each.event.run == run), default=0)

    def runs(self, checklist: str = "", *, limit: int = 0, with_actions: bool = False) -> list[RunKey]:
        """Return the runs there are, the latest first."""
        found = [key for key in self.keys.values() if checklist in {"", key.checklist} and not with_actions]
        return sorted(found, reverse=True)[: limit or None]

    def extracts(self, checklist: str, kinds: Collection[str], *, after: int = 0) -> Iterator[Extract]:
        """Yield the events of some kinds."""
        for stored, kind, document in zip(
            self.stored[after:], self.kinds[after:], self.documents[after:], strict=True
        ):
            if kind in kinds and self.keys[stored.event.run].checklist == checklist:
                sound = link(stored.prev, document) == stored.hash
                yield Extract(stored.seq, stored.event.run, kind, stored.hash, document, sound)

    def links(self, run: str = "", *, after: int = 0, evidence: bool = False) -> Iterator[Link]:  # noqa: ARG002 - as stores have it
        """Yield events as they are stored."""
        for stored, document in zip(self.stored, self.documents, strict=True):
            if run in {"", stored.event.run} and stored.seq > after:
                yield Link(stored.seq, stored.prev, stored.hash, document)

    def holds(self, head: Head) -> bool:
        """Return whether the chain has this link."""
        return 0 < head.seq <= len(self.stored) and self.stored[head.seq - 1].hash == head.hash


class Desk:
    """An engine as far as a qualification knows it: a store, a clock and a zone."""

    def __init__(self, ledger: Ledger, now: dt.datetime) -> None:
        self.store = ledger
        self.now = now

    def clock(self) -> dt.datetime:
        """Return the present."""
        return self.now

    def zone_of(self, _checklist: Checklist) -> ZoneInfo:
        """Return the zone."""
        return ZONE


def qualifying(
    ledger: Ledger, now: dt.datetime, rules: Qualification = RULES, checklist: Checklist = DAYS
) -> Qualifying:
    """Return what computes a qualification over a ledger."""
    checklists = {checklist.id: checklist, REVIEW.id: REVIEW}
    return Qualifying(Desk(ledger, now), {rules.id: rules}, checklists)  # type: ignore[arg-type]


def hour(date: dt.date, at: float) -> dt.datetime:
    """Return an instant by the wall clock of a date; hours beyond 24 are of later dates."""
    days, rest = divmod(at, 24)
    day = date + dt.timedelta(days=int(days))
    moment = dt.time(int(rest), round(rest % 1 * 60))
    return dt.datetime.combine(day, moment, tzinfo=ZONE).astimezone(dt.UTC)
