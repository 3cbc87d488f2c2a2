"""How a run is signed: with which keys, over which bytes, and what is noted outside of the record afterwards."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from opsconsole.contracts.anchor import Anchor, Noted
from opsconsole.contracts.signer import Authenticator, Candidate, Signer, SigningError
from opsconsole.contracts.store import Head, Store
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import payload_of, sign_statement
from opsconsole.engine.threads import in_daemon_thread
from opsconsole.model.events import Meaning, Signature, Statement, Stored
from opsconsole.model.tiers import Tier

T = TypeVar("T")

NO_PEOPLE = "no-people"
"""The reason of a SigningError that says that nobody may sign with a key at all."""


class Offer(msgspec.Struct, frozen=True):
    """The keys that could sign now; where there is none, why, and what to do about it."""

    candidates: tuple[Candidate, ...] = ()
    refused: SigningError | None = None


def tier_of(candidate: Candidate | None) -> Tier:
    """Return how strongly a signature with this key would bind; without one it is attributed to the login."""
    if candidate is None:
        return Tier.ATTRIBUTED
    return Tier.HARDWARE if candidate.person.hardware else Tier.SIGNED


class Signing:
    """Signs statements for one operator. `signer` is None where no people are known: then nobody can use a key."""

    def __init__(
        self,
        store: Store,
        signer: Signer | None = None,
        authenticator: Authenticator | None = None,
        anchors: Sequence[Anchor] = (),
        export_record: Callable[[str], Path] | None = None,
    ) -> None:
        """`export_record` writes the record of a run into a directory, for the anchors that keep it whole."""
        self._store = store
        self._signer = signer
        self.authenticator = authenticator
        self._anchors = tuple(anchors)
        self._export_record = export_record
        self._nobody = signer is None

    @property
    def has_people(self) -> bool:
        """Whether anybody may sign with a key here, as far as the last offer told."""
        return not self._nobody

    async def offer(self, session: RunSession, meaning: Meaning) -> Offer:
        """Return the keys that could sign the run with a meaning now, the best one first.

        Where nobody was ever named who may sign with a key, the offer is empty and there is nothing to mend.
        """
        if self._signer is None:
            return Offer()
        find = partial(self._signer.candidates, meaning, session.clock())
        try:
            found = await in_daemon_thread("keys", find)
        except SigningError as error:
            self._nobody = error.reason == NO_PEOPLE
            return Offer() if self._nobody else Offer(refused=error)
        self._nobody = False
        return Offer(tuple(found))

    async def sign(
        self,
        session: RunSession,
        statement: Statement,
        candidate: Candidate,
        still_so: Callable[[], None] | None = None,
    ) -> tuple[str, ...]:
        """Sign `statement` with a key and store it; return what anchors could not keep.

        Raises SigningError where the key does not sign, Conflict where the run has changed meanwhile. `still_so`
        raises Conflict where something else that `statement` speaks of has changed by the time the key has
        signed; it is called from a thread. Cancelled while the key is waited for, nothing is stored; once the
        signature is there, it is stored in any case.
        """
        if self._signer is None:
            raise SigningError(NO_PEOPLE, "nobody may sign with a key here", "add one: opsconsole people add")
        payload = await asyncio.to_thread(payload_of, session, statement)
        make = partial(self._signer.sign, payload, statement.meaning, candidate)
        try:
            signature = await in_daemon_thread("key", make)
        except asyncio.CancelledError:
            self._signer.give_up()
            raise
        if still_so is not None:
            await asyncio.to_thread(still_so)
        return await _to_its_end(self._stored(session, statement, signature))

    async def attribute(
        self,
        session: RunSession,
        statement: Statement,
        password: str | None = None,
        still_so: Callable[[], None] | None = None,
    ) -> tuple[str, ...]:
        """Store `statement` without a key: attributed to the login, or reauthenticated by its `password`.

        `still_so` as in `sign`.
        """
        tier = Tier.ATTRIBUTED
        if password is not None:
            if self.authenticator is None:
                raise SigningError("no-pam", "passwords cannot be asked for here", "set signing.pam_service")
            check = partial(self.authenticator.authenticate, statement.login, password)
            await in_daemon_thread("password", check)
            tier = Tier.REAUTHENTICATED
        if still_so is not None:
            await asyncio.to_thread(still_so)
        return await _to_its_end(self._stored(session, statement, Signature(tier)))

    async def _stored(self, session: RunSession, statement: Statement, signature: Signature) -> tuple[str, ...]:
        stored = await sign_statement(session, statement, signature)
        return await asyncio.to_thread(self._anchored, statement, signature, stored)

    def _anchored(self, statement: Statement, signature: Signature, stored: Stored) -> tuple[str, ...]:
        """Note the new head outside of the record; what is signed stays signed, whatever becomes of that."""
        noted = Noted(
            store_id=self._store.store_id,
            store_location=self._store.location,
            head=Head(stored.seq, stored.hash),
            run=statement.run,
            what=f"{_said(statement)} by {statement.name} ({statement.login}), {signature.tier}",
            at=statement.signed_at,
        )
        failures: list[str] = []
        record: Path | None = None
        if self._export_record is not None:
            try:
                record = self._export_record(statement.run)
            except Exception as error:  # noqa: BLE001 - the run is signed already: whatever it was is told
                failures.append(f"the record was not exported: {error}")
        for anchor in self._anchors:
            try:
                anchor.keep(noted, record)
            except Exception as error:  # noqa: BLE001 - the boundary of a plug-in, and the others have their turn
                failures.append(f"{anchor.name}: {error}")
        return tuple(failures)


def _said(statement: Statement) -> str:
    """Return what was signed in a few words: what became of the run, or of a qualification."""
    approval = statement.approval
    if approval is None:
        return f"{statement.meaning} {statement.result}"
    return f"{statement.meaning} {approval.qualification} {approval.first} to {approval.last}"


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, also where this task is cancelled meanwhile.

    A transaction that is under way cannot be called back: the operator must hear that the run is signed, and the
    anchors must keep it.
    """
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
        except Exception:  # noqa: BLE001 - raised by the line below
            break
    return task.result()
