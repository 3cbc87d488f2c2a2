"""What every store does with events, one writer at a time."""

import datetime as dt
import uuid
from collections.abc import Callable

import msgspec
import pytest

from opsconsole.contracts.store import (
    AlreadyOpen,
    AlreadySigned,
    Conflict,
    Head,
    RunKey,
    Store,
    StoreError,
)
from opsconsole.model.checklists import Checklist, Item, Section
from opsconsole.model.encoding import canonical
from opsconsole.model.events import Event, Meaning, Noted, Redefined, Stored
from opsconsole.model.outcomes import Outcome
from opsconsole.store.chain import link
from opsconsole.store.documents import detached
from support.events import RUN, TODAY, event, measurement, note, opening, sign_off
from support.runs import MORNING
from support.stores import Stores


def test_a_new_store_is_empty_and_sound(store: Store) -> None:
    """A fresh store has a name, a place and a head of its own, and nothing to complain about."""
    assert str(uuid.UUID(store.store_id)) == store.store_id
    assert store.location
    head = store.head()
    assert head.seq == 0
    assert len(head.hash) == 64
    found = store.verify()
    assert (found.events, found.runs, found.head, found.broken) == (0, 0, head, None)
    assert store.runs() == []
    assert store.events(RUN) == []
    assert store.last_seq(RUN) == 0


def test_no_two_stores_are_alike_from_their_first_link(stores: Stores) -> None:
    """A head noted from one record can never be that of another, not even of an empty one."""
    one, other = stores.open(), stores.another().open()
    assert one.store_id != other.store_id
    assert one.head().hash != other.head().hash
    assert not other.holds(one.head())


def test_events_come_back_in_order_and_chained(store: Store) -> None:
    """Whatever happened in a run is read back whole, in order, each event bound to the one before."""
    before = store.head()
    written = [opening(), measurement(), note("both collectors were late")]
    stored = store.append(written[:2]) + store.append(written[2:])
    assert stored == store.events(RUN)
    assert [each.event for each in stored] == written
    assert [each.seq for each in stored] == [1, 2, 3]
    for each, document in zip(stored, [each.document for each in store.links(RUN)], strict=True):
        assert document == canonical(detached(each.event)[0])
        assert each.prev == before.hash
        assert each.hash == link(each.prev, document)
        before = Head(each.seq, each.hash)
    assert store.head() == before
    assert store.verify().head == before


def test_everything_is_there_after_opening_again(stores: Stores) -> None:
    """What was recorded yesterday is there today, under the same store id."""
    first = stores.open()
    stored = first.append([opening(), measurement()])
    first.close()
    again = stores.open()
    assert again.events(RUN) == stored
    assert again.store_id == first.store_id
    assert again.head() == Head(2, stored[-1].hash)


def test_what_one_opener_appends_the_other_reads(stores: Stores) -> None:
    """Two consoles on one record see each other's events, and only the news where they ask for those."""
    one, other = stores.open(), stores.open()
    one.append([opening()])
    other.append([note("from the other")])
    one.append([note("and back")])
    assert one.events(RUN) == other.events(RUN)
    assert [each.seq for each in other.events(RUN, after=1)] == [2, 3]
    assert other.last_seq(RUN) == 3


def test_runs_share_the_chain_and_nothing_else(store: Store) -> None:
    """Each run has its own events, although all stand in one chain."""
    other = opening(checklist="host-daily")
    store.append([opening()])
    store.append([other])
    store.append([note("here")])
    assert [each.seq for each in store.events(RUN)] == [1, 3]
    assert [each.seq for each in store.events(other.run)] == [2]
    assert store.last_seq(other.run) == 2
    assert store.verify().runs == 2


def test_nothing_appended_is_nothing_done(store: Store) -> None:
    """An empty batch is no event."""
    assert store.append([]) == []
    assert store.head().seq == 0


def test_a_long_run_is_exported_whole(store: Store) -> None:
    """The export of a run with more events than are read at once leaves none out."""
    store.append([opening(), *(note(f"{n}") for n in range(1_200))])
    assert [each.document for each in store.links(RUN)] == [canonical(each.event) for each in store.events(RUN)]
    assert store.verify().events == 1_201


# --- the same event again ----------------------------------------------------------------------------


def test_an_event_sent_again_is_stored_once(store: Store) -> None:
    """A tick whose acknowledgement was lost can be sent again without becoming two."""
    store.append([opening()])
    tick = note("sent twice")
    first = store.append([tick])
    assert store.append([tick]) == first
    assert store.append([tick], after=1) == first
    assert store.last_seq(RUN) == 2


def test_a_batch_sent_again_with_news_stores_the_news(store: Store) -> None:
    """Events that waited in a spill file go in together with those that were saved after all."""
    store.append([opening()])
    old, new = note("old"), note("new")
    (stored_old,) = store.append([old])
    assert store.append([old, new, old]) == [stored_old, store.events(RUN)[-1], stored_old]
    assert [each.event for each in store.events(RUN, after=1)] == [old, new]


def test_an_event_twice_in_a_batch_is_stored_once(store: Store) -> None:
    """A batch that holds an event twice does not double it either."""
    tick = note("twice")
    stored = store.append([opening(), tick, tick])
    assert [each.seq for each in stored] == [1, 2, 2]
    assert store.last_seq(RUN) == 2


def test_an_opening_sent_again_is_no_second_opening(store: Store) -> None:
    """The engine's retry of an opening that went through is not told that somebody else was faster."""
    first = opening()
    assert store.append([first], after=0) == store.append([first], after=0)


def test_another_event_under_the_same_id_is_refused(store: Store) -> None:
    """An id that is reused by mistake does not make an event vanish silently."""
    first = note("one")
    store.append([opening(), first])
    second = msgspec.structs.replace(first, body=Noted("", "two"))
    with pytest.raises(StoreError, match="stored already, with another content"):
        store.append([second])
    third = note("three")
    with pytest.raises(StoreError, match="two unlike events"):
        store.append([third, msgspec.structs.replace(third, body=Noted("", "four"))])
    assert store.last_seq(RUN) == 2


# --- compare-and-append ------------------------------------------------------------------------------


def test_what_was_decided_on_an_older_state_is_refused(store: Store) -> None:
    """A decision is stored where the run is as it was seen, and not where somebody else's event came in between."""
    store.append([opening()], after=0)
    store.append([note("in between")], after=1)
    with pytest.raises(Conflict, match="last event is 2, not 1"):
        store.append([note("too late")], after=1)
    with pytest.raises(Conflict):
        store.append([note("far too early")], after=3)
    store.append([opening(checklist="host-daily")])
    store.append([note("other runs do not matter")], after=2)
    assert store.last_seq(RUN) == 4


def test_a_run_is_opened_once(store: Store) -> None:
    """A second opening of a day is refused as what it is, whatever else was wrong with it, and leaves nothing."""
    store.append([opening()], after=0)
    for after in (None, 0, 1):
        with pytest.raises(AlreadyOpen, match="is open already"):
            store.append([opening(), note("with it")], after=after)
    with pytest.raises(AlreadyOpen):
        store.append([opening(), opening()])
    assert store.last_seq(RUN) == 1
    store.append([opening(TODAY - dt.timedelta(days=1))], after=0)


# --- sign-off ----------------------------------------------------------------------------------------


def test_a_signed_run_takes_no_more_events(store: Store) -> None:
    """After the sign-off nothing can be slipped into a run, alone or in a batch, nor can it be signed again."""
    (opened,) = store.append([opening()])
    (signed,) = store.append([sign_off(store, opened)])
    late = [note("late"), measurement(), sign_off(store, signed), opening()]
    for each in late:
        with pytest.raises((AlreadySigned, AlreadyOpen)):
            store.append([each])
    assert [each.seq for each in store.events(RUN)] == [1, 2]
    store.append([opening(TODAY - dt.timedelta(days=1))])


def test_a_batch_cannot_reach_past_its_own_sign_off(store: Store) -> None:
    """A batch with something behind the signature is refused as a whole."""
    (opened,) = store.append([opening()])
    with pytest.raises(AlreadySigned):
        store.append([sign_off(store, opened), note("behind")])
    assert store.last_seq(RUN) == 1


def test_a_signed_run_can_be_reviewed_and_approved(store: Store) -> None:
    """Signatures with another meaning follow the sign-off, each covering what was there."""
    (opened,) = store.append([opening()])
    (last,) = store.append([sign_off(store, opened)])
    for meaning in (Meaning.REVIEWED, Meaning.APPROVED):
        (last,) = store.append([sign_off(store, last, meaning=meaning, login="blake")])
    assert store.last_seq(RUN) == 4
    assert store.verify().broken is None


def test_a_signature_may_come_with_what_it_covers(store: Store) -> None:
    """An opening and a signature over exactly it can be stored together; over anything else they cannot."""
    first = opening()
    covered = link(store.head().hash, canonical(first))
    expected = Stored(seq=1, event=first, prev=store.head().hash, hash=covered)
    stored = store.append([first, sign_off(store, expected)])
    assert [each.seq for each in stored] == [1, 2]
    assert stored[0] == expected
    assert store.verify().broken is None


def test_a_review_alone_does_not_close_a_run(store: Store) -> None:
    """Only the sign-off of who performed it ends a run."""
    (opened,) = store.append([opening()])
    store.append([sign_off(store, opened, meaning=Meaning.REVIEWED)])
    store.append([note("still open")])


def test_a_sign_off_sent_again_is_one(store: Store) -> None:
    """Signing again after a lost answer finds the first signature instead of an error."""
    (opened,) = store.append([opening()])
    signature = sign_off(store, opened)
    assert store.append([signature], after=1) == store.append([signature], after=1)


def test_what_was_not_seen_is_not_signed(store: Store) -> None:
    """An event that came in after the signer looked makes the signature a conflict, asked for or not."""
    (opened,) = store.append([opening()])
    store.append([measurement(outcome=Outcome.FAIL)])
    with pytest.raises(Conflict, match="does not cover its event 2"):
        store.append([sign_off(store, opened)])
    assert store.last_seq(RUN) == 2


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda store, last: sign_off(store, last, store_id=str(uuid.uuid4())), "of another store"),
        (lambda store, last: sign_off(store, last, run="qbr-daily@2026-11-20"), "of another run"),
        (lambda store, last: sign_off(store, last, head=Head(last.seq, "ab" * 32)), "is not what was signed"),
        (lambda store, last: sign_off(store, last, head=Head(9, last.hash)), "not before it"),
        (lambda store, last: sign_off(store, last, head=Head(0, store.head().hash)), "not before it"),
    ],
    ids=["store", "run", "hash", "future", "nothing"],
)
def test_a_signature_over_something_else_is_refused(store: Store, made: Callable[..., Event], message: str) -> None:
    """A signature that was moved from elsewhere never becomes part of a record."""
    (opened,) = store.append([opening()])
    with pytest.raises(StoreError, match=message):
        store.append([made(store, opened)])
    assert store.last_seq(RUN) == 1


# --- what is no event --------------------------------------------------------------------------------


def _redefined(options: dict[str, object]) -> Redefined:
    item = Item(id="disk", title="Disk", probe="disk", options=options)
    definition = Checklist(id="qbr-daily", title="QBR", sections=(Section("All", (item,)),))
    return Redefined(definition=definition, definition_hash="0" * 64)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": "tick-1"}, "misshapen"),
        ({"id": str(uuid.uuid4()).upper()}, "not a UUID in its usual spelling"),
        ({"run": "qbr-daily"}, "misshapen"),
        ({"at": MORNING.replace(tzinfo=None)}, "not UTC"),
        ({"at": MORNING.astimezone(dt.timezone(dt.timedelta(hours=-6)))}, "not UTC"),
        ({"body": Noted("", "half a character: \ud800")}, "cannot be written down"),
        ({"body": _redefined({"limit": 0.1})}, "0.1 is a float"),
        ({"body": _redefined({"limit": 2**53 + 1})}, "cannot be written down"),
    ],
    ids=["id", "spelling", "run", "naive", "zone", "surrogate", "float", "integer"],
)
def test_what_could_not_be_read_back_is_refused(store: Store, wrong: dict[str, object], message: str) -> None:
    """A mistake of the program is an error at once, and not a record that nobody can read years later."""
    store.append([opening()])
    misshapen = msgspec.structs.replace(note("well"), **wrong)
    with pytest.raises(StoreError, match=message):
        store.append([note("this one is fine"), misshapen])
    assert store.last_seq(RUN) == 1


def test_an_opening_belongs_to_the_run_it_names(store: Store) -> None:
    """A run cannot be opened with the definition of another."""
    with pytest.raises(StoreError, match="is that of qbr-daily@2026-11-21"):
        store.append([msgspec.structs.replace(opening(), run="qbr-daily@2026-11-20")])


def test_a_run_begins_with_its_opening(store: Store) -> None:
    """A stray event cannot get ahead of the opening, which would make the run unreadable for ever."""
    for early in ([note("early")], [note("early"), opening()]):
        with pytest.raises(StoreError, match="was never opened"):
            store.append(early)
    store.append([opening()], after=0)


def test_a_batch_is_of_one_run(store: Store) -> None:
    """Events of two runs are never one transaction: each run's writer decides for itself."""
    with pytest.raises(StoreError, match="several runs"):
        store.append([opening(), opening(checklist="host-daily")])
    assert store.head().seq == 0


def test_hostile_text_is_kept_as_it_is(store: Store) -> None:
    """Evidence with control characters, quotes and foreign scripts comes back exactly, whatever it looks like."""
    texts = ["\x00\x1b]8;;x\x07", "'; DROP TABLE events; --", "\u202egnp.exe \u2028 \U0001f600 é", "\ufeff", "\r\n"]
    store.append([opening(), *(note(text) for text in texts)])
    assert [each.event.body for each in store.events(RUN, after=1)] == [Noted("", text) for text in texts]
    assert store.verify().broken is None


# --- time and lists ----------------------------------------------------------------------------------


def test_order_is_that_of_storing_whatever_the_clocks_say(store: Store) -> None:
    """A clock that goes back an hour, or a year ahead, changes no order."""
    steps = (0, -60, 365 * 24 * 60, -1)
    store.append([opening()])
    for minutes in steps:
        store.append([note(f"{minutes}", at=MORNING + dt.timedelta(minutes=minutes))])
    assert [each.event.body for each in store.events(RUN, after=1)] == [Noted("", f"{each}") for each in steps]
    assert store.verify().broken is None


def test_runs_are_listed_latest_first(store: Store) -> None:
    """History begins with the last day, names each run once, and can be asked for one checklist or a few."""
    days = [TODAY - dt.timedelta(days=back) for back in (3, 0, 1)]
    for day in days:
        store.append([opening(day)])
        store.append([note("busy", opening(day).run)])
    store.append([opening(days[0], checklist="host-daily")])
    shown = ["qbr-daily@2026-11-21", "qbr-daily@2026-11-20", "host-daily@2026-11-18", "qbr-daily@2026-11-18"]
    assert [key.id for key in store.runs()] == shown
    assert [key.id for key in store.runs(limit=2)] == shown[:2]
    assert store.runs("host-daily") == [RunKey("host-daily", "2026-11-18")]
    assert store.runs("no-such-list") == []


def test_a_closed_store_says_so(store: Store) -> None:
    """Using a store after its end is an error with words, and ending it twice is none."""
    store.close()
    store.close()
    with pytest.raises(StoreError, match="was closed"):
        store.append([event(Noted("", "late"))])
