"""One open run: its state, what a person can do to it, and who wants to hear of it."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Sequence

from opsconsole.contracts.store import Conflict, Store
from opsconsole.engine.changes import Change, Changed, Unsaved
from opsconsole.engine.clocks import clock_state
from opsconsole.engine.recorder import NotSaved, Recorder
from opsconsole.engine.spill import Spill
from opsconsole.model.checklists import Entry, EntryKind, Item
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import (
    Actor,
    Amended,
    Amendment,
    AmendmentKind,
    Body,
    Entered,
    Event,
    Filled,
    Meaning,
    Measured,
    Noted,
    Restored,
    Signature,
    Signed,
    Skipped,
    Statement,
    Stored,
    Ticked,
    Unticked,
    Waived,
)
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.people import Person
from opsconsole.model.readings import Judgement, Reading
from opsconsole.model.record import record_bytes, statement_document
from opsconsole.model.runs import FoldError, ItemState, RunState, fold
from opsconsole.model.signoff import hurdles, statement_of
from opsconsole.model.text import storable
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Number, UnitError, Value, decimal_of, parse_quantity

MAX_TEXT = 10_000
"""Characters of a note, a reason or a field."""


class ActionRefused(OpsconsoleError):
    """The action makes no sense here; the message says why."""

    title = "not done"


def utc_now() -> dt.datetime:
    """Return the present instant, to the microsecond, in UTC."""
    return dt.datetime.now(dt.UTC)


class RunSession:
    """A run that this process works on. Made by `Engine.open`; end it with `aclose`.

    Every action returns when its event is durable, and only then does `state` show it.
    """

    def __init__(
        self,
        store: Store,
        events: Sequence[Stored],
        actor: Actor,
        spill: Spill,
        clock: Callable[[], dt.datetime] = utc_now,
        *,
        today: dt.date | None = None,
    ) -> None:
        state = fold(events)
        if state is None:
            raise FoldError("a session needs a run that was opened")
        self.state: RunState = state
        self.actor = actor
        self.clock = clock
        self._store = store
        self._recorder = Recorder(store, state.run, spill)
        self._today = today
        self._refreshing = asyncio.Lock()
        self._listeners: list[Callable[[Change], None]] = []

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know of this run beside its items: a front end shows it."""
        end = self.state.times.period.end
        if self.state.signed is None and self._today is not None and self._today > end:
            over = f"{self.state.run} was over on {end}: what is measured now is how things are now"
            return (over, *self._recorder.notices)
        return self._recorder.notices

    @property
    def unsaved(self) -> int:
        """How many events could not be saved so far."""
        return len(self._recorder.unsaved)

    @property
    def unsaved_items(self) -> frozenset[str]:
        """Ids of the items that those events are about."""
        return frozenset(getattr(each.body, "item", "") for each in self._recorder.unsaved.values()) - {""}

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` in the event loop for every change; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def announce(self, change: Change) -> None:
        """Tell everybody who subscribed."""
        for listener in tuple(self._listeners):
            listener(change)

    # --- events ------------------------------------------------------------------------------------

    def _event(self, body: Body) -> Event:
        return Event(id=str(uuid.uuid4()), run=self.state.run, at=self.clock(), actor=self.actor, body=body)

    async def record(self, body: Body) -> None:
        """Store one event, fold it, and announce it; raises NotSaved where it is not on disk yet."""
        try:
            await self._recorder.append(self._event(body))
        except NotSaved as error:
            self.announce(Unsaved(self.unsaved, str(error)))
            raise
        await self.refresh()

    async def refresh(self) -> None:
        """Take in what this and other processes have stored since.

        One after another: events that were stored together would otherwise be read anew by each that waits for one.
        """
        async with self._refreshing:
            stored = await self._recorder.read(self.state.last_seq)
            self._take_in(stored)

    def _take_in(self, stored: Sequence[Stored]) -> None:
        touched = set()
        fresh = False
        for each in stored:
            if each.seq <= self.state.last_seq:
                continue
            self.state.apply(each)
            fresh = True
            touched.add(getattr(each.event.body, "item", ""))
        if fresh:
            self.announce(Changed(frozenset(touched - {""})))

    async def retry_unsaved(self) -> int:
        """Try again to save what could not be saved; return how many events are left.

        Raises NotKept, once, for what the store refuses for good.
        """
        before = self.unsaved
        try:
            return await self._recorder.retry_unsaved()
        finally:
            if before or self.unsaved:
                self.announce(Unsaved(self.unsaved, ""))
            await self.refresh()

    async def aclose(self) -> None:
        """Finish what is being written."""
        await self._recorder.aclose()

    # --- what a person does ------------------------------------------------------------------------

    def _open_item(self, item: str) -> ItemState:
        if self.state.signed is not None:
            raise ActionRefused(f"{self.state.run} is signed: nothing about it can change")
        state = self.state.items.get(item)
        if state is None:
            raise ActionRefused(f"{self.state.run} has no item '{item}'")
        return state

    async def tick(self, item: str) -> None:
        """Confirm a manual item."""
        state = self._open_item(item)
        if not state.item.manual:
            raise ActionRefused(f"{state.item.title} is measured, not ticked")
        if state.ticked is None:
            await self.record(Ticked(item, self.state.definition_hash))

    async def untick(self, item: str) -> None:
        """Take a tick back."""
        if self._open_item(item).ticked is not None:
            await self.record(Unticked(item))

    async def enter(self, item: str, text: str) -> None:
        """Enter a value as typed; it is judged against the latest reading."""
        state = self._open_item(item)
        if state.item.entry is None:
            raise ActionRefused(f"{state.item.title} takes no entry")
        value = typed_value(state.item.entry, text)
        judgement = self._judged_entry(state, value)
        await self.record(Entered(item, value, storable(text.strip()), judgement, self.state.definition_hash))

    def _judged_entry(self, state: ItemState, value: Value) -> Judgement:
        item: Item = state.item
        reading = Reading()
        if item.measured:
            latest = state.latest.get("")
            if latest is None:
                raise ActionRefused(f"{item.title} has nothing to compare with yet: measure it first")
            reading = latest.body.reading or reading
        if not item.require and not item.target:
            return Judgement(Outcome.PASS, str(value))
        return judge(reading, item.require, item.target, entry=value)

    async def note(self, item: str, text: str) -> None:
        """Write a note on an item, or on the run where `item` is empty."""
        if item:
            self._open_item(item)
        elif self.state.signed is not None:
            raise ActionRefused(f"{self.state.run} is signed: nothing about it can change")
        await self.record(Noted(item, written(text)))

    async def skip(self, item: str, reason: str) -> None:
        """Declare an item not applicable."""
        self._open_item(item)
        await self.record(Skipped(item, written(reason)))

    async def waive(self, item: str, reason: str, expires: dt.date) -> None:
        """Accept an item that is not green, until and including the business date `expires`."""
        self._open_item(item)
        if expires < self.state.times.business_date:
            raise ActionRefused(f"a waiver until {expires} has already expired")
        await self.record(Waived(item, written(reason), expires))

    async def restore(self, item: str) -> None:
        """Take a skip or a waiver back."""
        state = self._open_item(item)
        if state.skipped is not None or state.waiver is not None:
            await self.record(Restored(item))

    async def fill(self, field: str, text: str) -> None:
        """Write one of the free texts of the day's sheet."""
        if self.state.signed is not None:
            raise ActionRefused(f"{self.state.run} is signed: nothing about it can change")
        if field not in {each.id for each in self.state.definition.fields}:
            raise ActionRefused(f"{self.state.run} has no field '{field}'")
        await self.record(Filled(field, written(text)))

    # --- sign-off ----------------------------------------------------------------------------------

    def statement(
        self,
        meaning: Meaning = Meaning.PERFORMED,
        signatory: Person | None = None,
        amendment: Amendment | None = None,
    ) -> Statement:
        """Return exactly what would be signed now; raise ActionRefused where something is still to be done.

        `signatory` is whose key signs, None where none does. With the meaning AMENDED an amendment is due.
        """
        if self.unsaved:
            raise ActionRefused(f"{self.unsaved} events are not saved yet: nothing can be signed before they are")
        if meaning is Meaning.PERFORMED:
            self._refuse_unready()
        else:
            self._refuse_out_of_turn(meaning, signatory)
        return statement_of(
            self.state,
            self.actor,
            store_id=self._store.store_id,
            signed_at=self.clock(),
            meaning=meaning,
            signatory=signatory,
            clock=clock_state(),
            amendment=amendment,
        )

    def _refuse_unready(self) -> None:
        if self.state.signed is not None:
            raise ActionRefused(f"{self.state.run} is signed already")
        open_hurdles = hurdles(self.state)
        if open_hurdles:
            raise ActionRefused("\n".join(each.text for each in open_hurdles))

    def _refuse_out_of_turn(self, meaning: Meaning, signatory: Person | None) -> None:
        signed = self.state.signed
        if signed is None:
            raise ActionRefused(f"{self.state.run} is not signed yet: there is nothing to be {meaning}")
        if meaning is Meaning.AMENDED:
            return
        first = signed.body
        if signatory is not None and signatory.principal == first.statement.principal:
            raise ActionRefused(f"{signatory.name} has performed {self.state.run}: another person has to sign it")
        if signatory is not None and signatory.fingerprint == first.signature.fingerprint:
            raise ActionRefused(f"this key has signed {self.state.run} already: another person has to sign it")
        if self.actor.login == first.statement.login and (signatory is None or not first.statement.principal):
            raise ActionRefused(f"{self.actor.login} has performed {self.state.run}: another person has to sign it")

    def amendment(
        self, kind: AmendmentKind, reason: str, *, item: str = "", field: str = "", text: str = ""
    ) -> Amendment:
        """Return an amendment of the signed run as it would be made; raises ActionRefused where it makes none."""
        if self.state.signed is None:
            raise ActionRefused(f"{self.state.run} is not signed: change it as usual")
        state = self.state.items.get(item) if item else None
        if item and state is None:
            raise ActionRefused(f"{self.state.run} has no item '{item}'")
        why = written(reason)
        match kind:
            case AmendmentKind.NOTE:
                return Amendment(kind=kind, reason=why, item=item, text=written(text))
            case AmendmentKind.FIELD:
                if field not in {each.id for each in self.state.definition.fields}:
                    raise ActionRefused(f"{self.state.run} has no field '{field}'")
                return Amendment(kind=kind, reason=why, field=field, text=written(text))
            case AmendmentKind.ENTRY if state is not None and state.item.entry is not None:
                value = typed_value(state.item.entry, text)
                judged = self._judged_entry(state, value)
                clean = storable(text.strip())
                return Amendment(kind=kind, reason=why, item=item, text=clean, value=value, judgement=judged)
            case AmendmentKind.FAILED if state is not None:
                if state.failed is not None:
                    raise ActionRefused(f"{state.item.title} was amended to FAIL already")
                return Amendment(kind=kind, reason=why, item=item)
            case AmendmentKind.ENTRY:
                raise ActionRefused(f"'{item}' takes no entry that could be corrected")
            case AmendmentKind.FAILED:
                raise ActionRefused("name the item that failed")

    def payload(self, statement: Statement) -> bytes:
        """Return the bytes that a signature of `statement` is over (see model/record.py). Reads the store."""
        links = self._store.links(self.state.run)
        documents = [each.document for each in links if each.seq <= statement.head_seq]
        return record_bytes(documents, statement_document(statement))

    async def sign(self, statement: Statement, signature: Signature | None = None) -> Stored:
        """Sign exactly `statement`; raises Conflict where the run has changed since it was made.

        Without a `signature` it is attributed to the login, which is no proof of who it was. Raises ActionRefused
        where the checklist asks for a stronger one.
        """
        given = signature or Signature(Tier.ATTRIBUTED)
        self._refuse_weak(given.tier)
        if statement.meaning is Meaning.PERFORMED:
            self.statement()
        event = self._event(_signing(statement, given))
        try:
            (stored,) = await self._recorder.append_after([event], statement.head_seq)
        except Conflict:
            await self.refresh()
            raise
        await self.refresh()
        return stored

    def _refuse_weak(self, tier: Tier) -> None:
        wanted = self.state.definition.sign_off.tier
        if not tier.satisfies(wanted):
            raise ActionRefused(
                f"{self.state.definition.id} asks for a sign-off that is {wanted}; this one would be {tier}",
                "an SSH key in an agent or file does it: `opsconsole people list` shows whose keys may sign",
            )

    async def measured(self, body: Measured) -> None:
        """Record one attempt of a measurement."""
        await self.record(body)


def _signing(statement: Statement, signature: Signature) -> Signed | Amended:
    if statement.meaning is Meaning.AMENDED:
        return Amended(statement=statement, signature=signature)
    return Signed(statement=statement, signature=signature)


def written(text: str) -> str:
    """Return `text` without surrounding white space; raise ActionRefused where nothing or too much is left."""
    clean = storable(text.strip())
    if not clean:
        raise ActionRefused("some words are needed here")
    if len(clean) > MAX_TEXT:
        raise ActionRefused(f"{len(clean):,} characters are too many; {MAX_TEXT:,} are kept")
    return clean


def typed_value(entry: Entry, text: str) -> Value:
    """Return what `text` means for `entry`: a bare number has the entry's own unit."""
    clean = written(text)
    if entry.kind is EntryKind.TEXT:
        return clean
    bare = decimal_of(clean)
    if bare is not None:
        return Number(bare, entry.unit)
    try:
        return parse_quantity(clean).number
    except UnitError as error:
        raise ActionRefused(str(error)) from error
