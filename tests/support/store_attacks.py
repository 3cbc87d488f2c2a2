"""What the chain finds by itself, in whichever kind of store: attacks on one record, and what is said of each."""

from opsconsole.contracts.store import Head, Store
from opsconsole.model.outcomes import Outcome
from support import tampering
from support.events import measurement, note, opening, sign_off
from support.tampering import Attack

HOST = "host-daily@2026-11-21"
NOTE, FAILED, SIGNED, LAST = 2, 3, 5, 8
"""Where in the record that `fill` writes the events stand that the attacks are made on."""


def fill(store: Store) -> Head:
    """Write a signed run and an open one; return the head that somebody noted."""
    stored = store.append([opening(), note("a note of the day"), measurement(outcome=Outcome.FAIL), note("a note")])
    store.append([sign_off(store, stored[-1])])
    store.append([opening(checklist="host-daily"), measurement(HOST), note("a note for tomorrow", HOST)])
    return store.head()


FOUND_BY_THE_CHAIN: dict[str, tuple[Attack, int, str]] = {
    "edited": (tampering.edit(FAILED), FAILED, "changed after it was stored"),
    "edited, hashed anew": (tampering.edit_and_hash(FAILED), FAILED + 1, "does not follow event 3"),
    "last one edited": (tampering.edit(LAST), LAST, "changed after it was stored"),
    "deleted": (tampering.delete(FAILED), FAILED, "event 3 is missing"),
    "deleted, renumbered": (tampering.delete_and_close_up(FAILED), FAILED, "does not follow event 2"),
    "first one deleted": (tampering.delete(1), 1, "event 1 is missing"),
    "swapped": (tampering.swap(FAILED), FAILED, "does not follow event 2"),
    "inserted": (tampering.insert_before(NOTE), NOTE + 1, "does not follow event 2"),
    "moved to another run": (tampering.column(FAILED, "run", HOST), FAILED, "its column 'run' says"),
    "another kind": (tampering.column(FAILED, "kind", "noted"), FAILED, "its column 'kind' says"),
    "another id": (tampering.column(FAILED, "id", "0" * 36), FAILED, "its column 'id' says"),
    "another meaning": (tampering.column(SIGNED, "meaning", "reviewed"), SIGNED, "its column 'meaning' says"),
    "another day": (tampering.column(1, "period_end", "2026-11-20"), 1, "its column 'period_end' says"),
    "another hash": (tampering.column(LAST, "hash", "ab" * 32), LAST, "changed after it was stored"),
    "text for bytes": (tampering.column(LAST, "hash", "é" * 64), LAST, "changed after it was stored"),
    "all hashed anew below a signature": (tampering.edit_and_chain(FAILED), SIGNED, "is not what was signed"),
    "deleted, all hashed anew below a signature": (tampering.delete_and_chain(FAILED), SIGNED - 1, "not before it"),
    "an opening deleted, all hashed anew": (tampering.delete_and_chain(SIGNED + 1), SIGNED + 1, "never opened"),
    "evidence edited": (tampering.evidence(FAILED, "all is well"), FAILED, "evidence beside it was changed"),
    "evidence removed": (tampering.evidence(FAILED, None), FAILED, "no event tells that it was removed"),
    "evidence added": (tampering.evidence(NOTE, "all is well"), NOTE, "knows nothing of"),
    "another birth": (tampering.other_birth("made-up", and_chain=False), 1, "does not follow the store's birth"),
    "another birth, all hashed anew": (tampering.other_birth("made-up", and_chain=True), SIGNED, "another store"),
}
"""Attack, the first event that is found not to fit, and why."""
