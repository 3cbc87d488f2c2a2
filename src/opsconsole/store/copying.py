"""Moves a whole chain from one store to another, of whichever kinds: exactly, or not at all."""

from typing import Protocol

from opsconsole.contracts.store import Head, Link, Store, StoreError, Verified


class Intake(Protocol):
    """A new record, born as the one it becomes a copy of, that nobody sees before it is published.

    Left in any other way than by `publish`, the end of this process included, it leaves nothing that looks whole.
    """

    @property
    def place(self) -> str:
        """Where it will be, for a person."""
        ...

    def add(self, link: Link) -> None:
        """Add the next event exactly as the other store has it; raises StoreError."""
        ...

    def verified(self) -> Verified:
        """Walk what was added so far."""
        ...

    def publish(self) -> None:
        """Make it a record; raises StoreError where it cannot be any more."""
        ...


def copy_chain(source: Store, intake: Intake) -> Head:
    """Copy all events and what evidence there still is, check the copy, publish it, and return its end.

    What is stored in `source` meanwhile is copied too. Raises StoreError where `source` does not hold together, or
    the copy would not be the same.
    """
    broken = source.verify().broken
    if broken is not None:
        where = f"event {broken.seq}" if broken.seq else "the record itself"
        raise StoreError(
            f"{source.location} is broken at {where} and was not copied: {broken.why}",
            "A copy must not look sounder than it is: keep it with the tools of its database (pg_dump, cp)",
        )
    last = 0
    while source.head().seq > last:
        for link in source.links(after=last, evidence=True):
            intake.add(link)
            last = link.seq
    found, head = intake.verified(), source.head()
    if found.broken is not None:
        raise StoreError(f"the copy in {intake.place} would be broken: {found.broken.why}")
    if not source.holds(found.head):
        raise StoreError(f"the copy in {intake.place} would end in another hash than {source.location}")
    if found.head != head:
        raise StoreError(
            f"{source.location} is still written to: event {head.seq} came in at the end",
            "End every opsconsole that uses it, and copy again",
        )
    intake.publish()
    return found.head
