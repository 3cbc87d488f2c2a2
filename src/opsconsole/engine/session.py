"""One open run: its state, what a person can do to it, and who wants to hear of it."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from opsconsole.contracts.store import Conflict, Store, StoreError, StoreUnavailable
from opsconsole.engine.changes import Change, Changed, Unsaved
from opsconsole.engine.entering import ActionRefused, judged_entry, owner_named, typed_value, written
from opsconsole.engine.past import pasts
from opsconsole.engine.recorder import NotSaved, Recorder
from opsconsole.engine.spill import Spill
from opsconsole.model.checklists import EntryKind
from opsconsole.model.events import (
    ActionState,
    Actor,
    Amended,
    Body,
    Entered,
    Event,
    Filled,
    Handled,
    Measured,
    Noted,
    Raised,
    Restored,
    Signed,
    Skipped,
    Stored,
    Ticked,
    Unticked,
    Waived,
)
from opsconsole.model.item_state import ItemState
from opsconsole.model.past import looks_back
from opsconsole.model.readings import Past, Reading
from opsconsole.model.redaction import redacted
from opsconsole.model.runs import FoldError, RunState, fold
from opsconsole.model.text import storable

if TYPE_CHECKING:
    from opsconsole.contracts.past import History


_TOKEN = 12
"""Hexadecimal digits that tell an action item from the others of its run."""


def utc_now() -> dt.datetime:
    """Return the present instant, to the microsecond, in UTC."""
    return dt.datetime.now(dt.UTC)


class RunSession:
    """A run that this process works on. Made by `Engine.open`; end it with `aclose`.

    Every action returns when its event is durable, and only then does `state` show it. What is signed of it is in
    signoff.py.
    """

    def __init__(
        self,
        store: Store,
        events: Sequence[Stored],
        actor: Actor,
        spill: Spill,
        clock: Callable[[], dt.datetime] = utc_now,
        *,
        redact: Callable[[str], str] = redacted,
        history: "History | None" = None,
    ) -> None:
        """`redact` takes secrets out of what a person writes: a record cannot be cleaned afterwards."""
        state = fold(events)
        if state is None:
            raise FoldError("a session needs a run that was opened")
        self.state: RunState = state
        self.actor = actor
        self.clock = clock
        self.store = store
        self.redact = redact
        self._recorder = Recorder(store, state.run, spill)
        self._history = history
        self._refreshing = asyncio.Lock()
        self._listeners: list[Callable[[Change], None]] = []
        self._own: set[str] = set()
        self._unanswered: Signed | Amended | None = None
        """What was given to the store to be signed, of which nobody knows whether it is stored."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know of this run beside its items: a front end shows it."""
        times = self.state.times
        if self.state.signed is None and self.state.missed:
            missed = f"{self.state.run} was missed: nothing is measured any more; a note can say why, and be signed"
            return (missed, *self._recorder.notices)
        if self.state.signed is None and self.state.lapsed(self.clock()):
            lapsed = f"{self.state.run} is over, and nobody signs it: nothing is measured any more"
            return (lapsed, *self._recorder.notices)
        if self.state.signed is None and times.over(self.clock()):
            over = f"{self.state.run} was over on {times.period.end}: what is measured now is how things are now"
            return (over, *self._recorder.notices)
        return self._recorder.notices

    @property
    def unsaved(self) -> int:
        """How many events could not be saved so far."""
        return len(self._recorder.unsaved)

    @property
    def unsaved_cause(self) -> str:
        """Why they could not be saved, and where they are kept meanwhile."""
        return self._recorder.unsaved_cause

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
        event = Event(id=str(uuid.uuid4()), run=self.state.run, at=self.clock(), actor=self.actor, body=body)
        self._own.add(event.id)
        return event

    async def record(self, body: Body) -> None:
        """Store one event, fold it, and announce it; raises NotSaved where it is not on disk yet."""
        event = self._event(body)
        try:
            await self._recorder.append(event)
        except NotSaved:
            self.announce(Unsaved(self.unsaved))
            raise
        async with self._refreshing:
            if event.id in self._own:  # else it was taken in with those that were stored together with it
                await self._read_on()

    async def measured(self, body: Measured) -> None:
        """Record one attempt of a measurement."""
        await self.record(body)

    async def refresh(self) -> None:
        """Take in what this and other processes have stored since.

        One after another: events that were stored together would otherwise be read anew by each that waits for one.
        """
        async with self._refreshing:
            await self._read_on()

    async def _read_on(self) -> None:
        self._take_in(await self._recorder.read(self.state.last_seq))

    def _take_in(self, stored: Sequence[Stored]) -> None:
        touched = set()
        fresh = False
        others = []
        for each in stored:
            if each.seq <= self.state.last_seq:
                continue
            self.state.apply(each)
            fresh = True
            touched.add(getattr(each.event.body, "item", ""))
            if each.event.id not in self._own:
                others.append(each.event)
            self._own.discard(each.event.id)
        if fresh:
            self.announce(Changed(frozenset(touched - {""}), tuple(others)))

    async def record_signed(self, body: Signed | Amended) -> Stored:
        """Store what is signed of the run as it is now; raises Conflict where another event came before it.

        Where the store became unavailable nobody knows whether it is stored: `signed_after_all` tells it later.
        """
        self._unanswered = body
        event = self._event(body)
        try:
            (stored,) = await self._recorder.append_after([event], body.statement.head_seq)
        except StoreUnavailable:
            raise  # the answer may be all that was lost
        except StoreError as error:
            self._unanswered = None
            if isinstance(error, Conflict):
                await self.refresh()
            raise
        self._unanswered = None
        await self.refresh()
        return stored

    def signed_after_all(self) -> bool:
        """Return, once, whether what seemed not to be signed turned out to be stored: only the answer was lost."""
        found = self._unanswered is not None and any(
            each.body == self._unanswered for each in self.state.signatures
        )
        if found:
            self._unanswered = None
        return found

    async def retry_unsaved(self) -> int:
        """Try again to save what could not be saved; return how many events are left.

        Raises NotKept, once, for what the store refuses for good.
        """
        before = self.unsaved
        try:
            return await self._recorder.retry_unsaved()
        finally:
            if before or self.unsaved:
                self.announce(Unsaved(self.unsaved))
            await self.refresh()

    async def hasten(self) -> None:
        """Keep what is being written out of harm's way: the process is about to end."""
        await self._recorder.hasten()

    async def aclose(self) -> None:
        """Finish what is being written."""
        await self._recorder.aclose()

    # --- what a person does ------------------------------------------------------------------------

    def _open_item(self, item: str) -> ItemState:
        if self.state.signed is not None:
            raise ActionRefused(f"{self.state.run} is signed: nothing about it can change")
        if self.state.missed:
            raise ActionRefused(
                f"{self.state.run} was missed: what nobody saw then cannot be filled in now",
                "write a note that says why, and sign that",
            )
        if self.state.lapsed(self.clock()):
            raise ActionRefused(
                f"{self.state.run} is over: what nobody saw then cannot be filled in now",
                "a note on the run can say why",
            )
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
        typed = self.redact(text) if state.item.entry.kind is EntryKind.TEXT else text
        value = typed_value(state.item.entry, typed)
        past = await self._past_of(state)
        judgement = judged_entry(state, value, past)
        text, followed = storable(typed.strip()), self.state.definition_hash
        await self.record(Entered(item, value, text, judgement, followed, past))

    async def _past_of(self, state: ItemState) -> tuple[Past, ...]:
        """Return the earlier entries of an item; where it was read, the reading has them already."""
        latest = state.latest.get("")
        was_read = latest is not None and latest.body.reading is not None
        if self._history is None or was_read or not looks_back(state.item):
            return ()
        run, definition, times = self.state.run, self.state.definition, self.state.times
        read = partial(pasts, self._history, run, definition, times, state.item, Reading())
        return tuple(
            msgspec.structs.replace(each, problem=self.redact(each.problem))
            for each in await asyncio.to_thread(read)
        )

    async def note(self, item: str, text: str) -> None:
        """Write a note on an item, or on the run where `item` is empty."""
        if item:
            self._open_item(item)
        elif self.state.signed is not None:
            raise ActionRefused(f"{self.state.run} is signed: nothing about it can change")
        await self.record(Noted(item, written(self.redact(text))))

    async def skip(self, item: str, reason: str) -> None:
        """Declare an item not applicable."""
        self._open_item(item)
        await self.record(Skipped(item, written(self.redact(reason))))

    async def waive(self, item: str, reason: str, expires: dt.date) -> None:
        """Accept an item that is not green, until and including the business date `expires`."""
        self._open_item(item)
        if expires < self.state.times.business_date:
            raise ActionRefused(f"a waiver until {expires} has already expired")
        await self.record(Waived(item, written(self.redact(reason)), expires))

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
        await self.record(Filled(field, written(self.redact(text))))

    async def raise_action(self, text: str, owner: str = "", due: dt.date | None = None, item: str = "") -> str:
        """Note something that is to be done, also after the sign-off; return its number within the run."""
        if item and item not in self.state.items:
            raise ActionRefused(f"{self.state.run} has no item '{item}'")
        token = uuid.uuid4().hex[:_TOKEN]
        said, whose = written(self.redact(text)), owner_named(self.redact(owner))
        await self.record(Raised(action=token, text=said, owner=whose, due=due, item=item))
        return next(number for number, each in self.state.actions.items() if each.raised.action == token)

    async def handle_action(
        self,
        action: str,
        state: ActionState,
        text: str = "",
        owner: str | None = None,
        due: dt.date | None = None,
    ) -> None:
        """Say what became of the action item of this run with the number `action`; dropping it needs a reason."""
        known = self.state.actions.get(action)
        if known is None:
            raise ActionRefused(f"{self.state.run} has no action item '{action}'")
        if known.state is state and state is not ActionState.OPEN:
            raise ActionRefused(f"{known.id} is {state} already")
        said = written(self.redact(text)) if text.strip() or state is ActionState.DROPPED else ""
        whose = None if owner is None else owner_named(self.redact(owner))
        new_owner = None if whose == known.owner else whose
        new_due = None if due == known.due else due
        if known.state is state and not said and new_owner is None and new_due is None:
            raise ActionRefused(f"{known.id} is so already: nothing would change")
        body = Handled(action=known.raised.action, state=state, text=said, owner=new_owner, due=new_due)
        await self.record(body)
