"""How a run is signed: with which keys, over which bytes, and what is noted outside of the record afterwards."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from opsconsole.contracts.anchor import Anchor, AnchorError, Noted
from opsconsole.contracts.signer import Authenticator, Candidate, Signer, SigningError
from opsconsole.contracts.store import Head, Store, StoreError
from opsconsole.engine.session import RunSession
from opsconsole.model.events import Meaning, Signature, Statement, Stored
from opsconsole.model.tiers import Tier


class Offer(msgspec.Struct, frozen=True):
    """The keys that could sign now; where there is none, why, and what to do about it."""

    candidates: tuple[Candidate, ...] = ()
    refused: SigningError | None = None


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

    async def offer(self, session: RunSession, meaning: Meaning) -> Offer:
        """Return the keys that could sign the run with a meaning now, the best one first."""
        if self._signer is None:
            return Offer()
        try:
            return Offer(tuple(await asyncio.to_thread(self._signer.candidates, meaning, session.clock())))
        except SigningError as error:
            return Offer(refused=error)

    async def sign(self, session: RunSession, statement: Statement, candidate: Candidate) -> tuple[str, ...]:
        """Sign `statement` with a key and store it; return what anchors could not keep.

        Raises SigningError where the key does not sign, Conflict where the run has changed meanwhile.
        """
        if self._signer is None:
            raise SigningError("no-people", "nobody may sign with a key here", "add one: opsconsole people add")
        payload = await asyncio.to_thread(session.payload, statement)
        signature = await asyncio.to_thread(self._signer.sign, payload, statement.meaning, candidate)
        return await self._stored(session, statement, signature)

    async def attribute(
        self, session: RunSession, statement: Statement, password: str | None = None
    ) -> tuple[str, ...]:
        """Store `statement` without a key: attributed to the login, or reauthenticated by its `password`."""
        tier = Tier.ATTRIBUTED
        if password is not None:
            if self.authenticator is None:
                raise SigningError("no-pam", "passwords cannot be asked for here", "set signing.pam_service")
            await asyncio.to_thread(self.authenticator.authenticate, statement.login, password)
            tier = Tier.REAUTHENTICATED
        return await self._stored(session, statement, Signature(tier))

    async def _stored(self, session: RunSession, statement: Statement, signature: Signature) -> tuple[str, ...]:
        stored = await session.sign(statement, signature)
        return await asyncio.to_thread(self._anchored, statement, signature, stored)

    def _anchored(self, statement: Statement, signature: Signature, stored: Stored) -> tuple[str, ...]:
        who = f"{statement.name} ({statement.login})"
        noted = Noted(
            store_id=self._store.store_id,
            store_location=self._store.location,
            head=Head(stored.seq, stored.hash),
            run=statement.run,
            what=f"{statement.meaning} {statement.result} by {who}, {signature.tier}",
            at=statement.signed_at,
        )
        failures: list[str] = []
        record: Path | None = None
        if self._export_record is not None:
            try:
                record = self._export_record(statement.run)
            except (StoreError, OSError) as error:
                failures.append(f"the record was not exported: {error}")
        for anchor in self._anchors:
            try:
                anchor.keep(noted, record)
            except AnchorError as error:
                failures.append(f"{anchor.name}: {error}")
        return tuple(failures)
