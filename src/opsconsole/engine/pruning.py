"""Removes what has become older than it is to be kept: evidence of runs that nobody signed, and exported files.

Never an event, and nothing of a signed run's record. What is removed is told by a `pruned` event of its run first;
if the program ends between the two, the next time finds the event and does what it tells. Nothing is removed from a
record that does not verify.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from opsconsole.contracts.store import Conflict, Store, StoreError, StoreUnavailable
from opsconsole.engine.exports import ExportedFile, ExportsDirectory
from opsconsole.model.events import Actor, Event, Meaning, Pruned


class OldEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence texts of one run that was never signed."""

    run: str
    last_seq: int
    """The run's last event when it was looked at."""
    through_seq: int
    """The last event with evidence."""
    texts: int
    characters: int
    is_told: bool
    """Whether an event tells it already, and only the removal was interrupted."""


class OldFile(msgspec.Struct, frozen=True, kw_only=True):
    """An exported file whose run is in the record."""

    file: ExportedFile
    run: str
    is_told: bool


class Spared(msgspec.Struct, frozen=True):
    """What is old enough, and stays nevertheless."""

    what: str
    why: str
    is_contradiction: bool = False
    """Whether the record does not hold what a file says: somebody changed one of them."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What has become too old."""

    evidence: tuple[OldEvidence, ...] = ()
    files: tuple[OldFile, ...] = ()
    spared: tuple[Spared, ...] = ()
    evidence_before: dt.datetime
    files_before: dt.datetime


class BrokenRecord(StoreError):
    """The chain does not hold, so nothing that could explain it is removed."""


class _Period(msgspec.Struct):
    end: dt.date


class _Times(msgspec.Struct):
    period: _Period
    timezone: str


class _Hashed(msgspec.Struct):
    sha256: str


class _Reading(msgspec.Struct):
    evidence: tuple[_Hashed, ...] = ()


class _Statement(msgspec.Struct):
    meaning: str


class _Body(msgspec.Struct):
    """What pruning needs to know of any event."""

    type: str
    times: _Times | None = None
    reading: _Reading | None = None
    statement: _Statement | None = None
    through_seq: int = 0
    files: tuple[str, ...] = ()


class _Document(msgspec.Struct):
    run: str
    at: dt.datetime
    body: _Body


_DOCUMENT = msgspec.json.Decoder(_Document)


class _Run(msgspec.Struct):
    """What the events of a run say about it, as far as it matters here."""

    last_seq: int = 0
    over_at: dt.datetime | None = None
    """The first instant after its period."""
    is_signed: bool = False
    evidence_through: int = 0
    """The last event with evidence, whether its texts are still there or not."""
    told_through: int = 0
    told_files: dict[str, dt.datetime] = {}


class Pruning:
    """Finds and removes what is too old, in one store and one directory of exports. Synchronous."""

    def __init__(self, store: Store, actor: Actor, exports: ExportsDirectory) -> None:
        self._store = store
        self._actor = actor
        self._exports = exports

    def plan(self, now: dt.datetime, *, evidence_days: int, export_days: int) -> Plan:
        """Return what is too old at `now`; 0 days keep everything. Reads every event of the store once."""
        evidence_before, files_before = (now - dt.timedelta(days=days) for days in (evidence_days, export_days))
        runs = self._surveyed() if evidence_days or export_days else {}
        evidence = tuple(self._old_evidence(runs, evidence_before)) if evidence_days else ()
        files, spared = self._old_files(runs, files_before) if export_days else ((), ())
        return Plan(
            evidence=evidence,
            files=files,
            spared=spared,
            evidence_before=evidence_before,
            files_before=files_before,
        )

    def refuse_broken(self) -> None:
        """Raise BrokenRecord where the chain does not hold."""
        broken = self._store.verify().broken
        if broken is not None:
            raise BrokenRecord(
                f"nothing is removed from a record that is broken at event {broken.seq}: {broken.why}",
                "Check it: opsconsole verify --all",
            )

    def refuse_powerless(self) -> None:
        """Raise StoreError where this account may not remove evidence: it is asked to remove none."""
        self._store.remove_evidence("", 0)

    def remove_evidence(self, plan: Plan, each: OldEvidence, now: dt.datetime) -> int | Spared:
        """Remove the evidence of a run after an event that tells it; return how many texts there were.

        A run that somebody works on, or signs, at this moment is spared.
        """
        try:
            if not each.is_told:
                body = Pruned(
                    through_seq=each.through_seq,
                    texts=each.texts,
                    characters=each.characters,
                    older_than=plan.evidence_before,
                )
                self._append(each.run, body, now, after=each.last_seq)
            return self._store.remove_evidence(each.run, each.through_seq)
        except Conflict:
            return Spared(each.run, "somebody works on it just now")
        except StoreUnavailable:
            raise
        except StoreError:
            if self._is_signed(each.run):
                return Spared(each.run, "it was signed just now, so its evidence is kept")
            raise

    def remove_file(self, plan: Plan, each: OldFile, now: dt.datetime) -> bool | Spared:
        """Remove an exported file after an event that tells it; return whether it was still there."""
        if not each.is_told:
            self._append(each.run, Pruned(files=(each.file.name,), older_than=plan.files_before), now)
        try:
            return self._exports.remove(each.file)
        except OSError as error:
            return Spared(each.file.name, f"it cannot be removed: {error.strerror}")

    # --- looking -----------------------------------------------------------------------------------

    def _surveyed(self) -> dict[str, _Run]:
        """Return what there is to know about every run, in one pass over the store."""
        runs: dict[str, _Run] = {}
        for link in self._store.links():
            try:
                document = _DOCUMENT.decode(link.document)
            except msgspec.MsgspecError:  # `refuse_broken` tells it before anything is removed
                continue
            run = runs.setdefault(document.run, _Run())
            run.last_seq = link.seq
            _take_in(run, link.seq, document)
        return runs

    def _old_evidence(self, runs: dict[str, _Run], before: dt.datetime) -> Sequence[OldEvidence]:
        found = []
        for name, run in runs.items():
            if run.is_signed or not run.evidence_through or run.over_at is None or run.over_at > before:
                continue
            texts = [
                text
                for link in self._store.links(name, evidence=True)
                for text in link.evidence
                if text is not None and link.seq <= run.evidence_through
            ]
            if texts:
                found.append(
                    OldEvidence(
                        run=name,
                        last_seq=run.last_seq,
                        through_seq=run.evidence_through,
                        texts=len(texts),
                        characters=sum(map(len, texts)),
                        is_told=run.told_through >= run.evidence_through,
                    )
                )
        return found

    def _old_files(
        self, runs: dict[str, _Run], before: dt.datetime
    ) -> tuple[tuple[OldFile, ...], tuple[Spared, ...]]:
        files, spared = [], []
        for file in self._exports.older_than(before):
            said = file.said
            run = runs.get(said.run)
            if said.store_id != self._store.store_id:
                spared.append(Spared(file.name, f"it is of another record, {said.store_id}"))
            elif run is None or not self._store.holds(said.head):
                why = f"the record does not hold event {said.head.seq} as this file says: one of them was changed"
                spared.append(Spared(file.name, why, is_contradiction=True))
            else:
                told = run.told_files.get(file.name)
                files.append(OldFile(file=file, run=said.run, is_told=told is not None and told >= file.written_at))
        return tuple(files), tuple(spared)

    # --- telling -----------------------------------------------------------------------------------

    def _append(self, run: str, body: Pruned, now: dt.datetime, *, after: int | None = None) -> None:
        event = Event(id=str(uuid.uuid4()), run=run, at=now, actor=self._actor, body=body)
        self._store.append([event], after=after)

    def _is_signed(self, run: str) -> bool:
        found = _Run()
        for link in self._store.links(run):
            _take_in(found, link.seq, _DOCUMENT.decode(link.document))
        return found.is_signed


def _take_in(run: _Run, seq: int, document: _Document) -> None:
    body = document.body
    match body.type:
        case "opened" if body.times is not None:
            run.over_at = _over_at(body.times)
        case "measured" if body.reading is not None and body.reading.evidence:
            run.evidence_through = seq
        case "signed" if body.statement is not None and body.statement.meaning == Meaning.PERFORMED:
            run.is_signed = True
        case "pruned":
            run.told_through = max(run.told_through, body.through_seq)
            run.told_files |= dict.fromkeys(body.files, document.at)


def _over_at(times: _Times) -> dt.datetime:
    """Return the first instant after a period, in the zone of its checklist; UTC where this host lacks that."""
    try:
        where: dt.tzinfo = ZoneInfo(times.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        where = dt.UTC
    return dt.datetime.combine(times.period.end + dt.timedelta(days=1), dt.time(), tzinfo=where)
