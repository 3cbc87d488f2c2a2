"""What a run takes next and what it refuses, whichever kind of store holds it."""

from collections.abc import Callable, Sequence

import msgspec

from opsconsole.contracts.store import AlreadyOpen, AlreadySigned, Conflict, Head, StoreError
from opsconsole.store.chain import claim_fault
from opsconsole.store.documents import AMENDED, OPENED, Entry, claim_of


class Standing(msgspec.Struct, frozen=True):
    """How far a run is."""

    last_seq: int
    opened: bool
    closed: bool
    """Signed off."""


def refuse_mixture(entries: Sequence[Entry]) -> None:
    """Raise StoreError where the events are not of one run."""
    if len({entry.facts.run for entry in entries}) > 1:
        raise StoreError("events of several runs cannot be appended together")


def refuse_unfit(standing: Standing, fresh: Sequence[Entry], after: int | None) -> None:
    """Refuse what the run does not take, or what was decided on an older state of it than it has."""
    run, opened, closed = fresh[0].facts.run, standing.opened, standing.closed
    for entry in fresh:
        if entry.facts.kind == OPENED and opened:
            raise AlreadyOpen(f"{run} is open already")
        if entry.facts.kind != OPENED and not opened:
            raise StoreError(f"{run} was never opened in this record", "Open it first: opsconsole run")
        if entry.facts.kind == AMENDED and not closed:
            raise StoreError(f"{run} is not signed: there is nothing to amend")
        if closed and not entry.facts.may_follow_sign_off:
            raise AlreadySigned(f"{run} is signed: only amendments can be added")
        opened = opened or entry.facts.kind == OPENED
        closed = closed or entry.facts.closes
    if after is not None and after != standing.last_seq:
        raise Conflict(f"{run} has changed in the meantime: its last event is {standing.last_seq}, not {after}")


def refuse_unbound(
    entry: Entry, head: Head, last_of_run: int, store_id: str, hash_at: Callable[[int], str | None]
) -> None:
    """Refuse a signature over something else than this run as it stands in this chain, which ends with `head`.

    `last_of_run` is the seq of the run's last event, and `hash_at` gives the hash of the link with a seq.
    """
    if not entry.facts.claims:
        return
    run, claim = entry.facts.run, claim_of(entry.document)
    fault = claim_fault(claim, entry.facts, store_id, head.seq + 1, hash_at)
    if fault:
        raise StoreError(f"the signature of {run} was not stored: {fault}")
    if last_of_run > claim.head_seq:
        raise Conflict(f"{run} has changed in the meantime: what was signed does not cover its event {last_of_run}")
