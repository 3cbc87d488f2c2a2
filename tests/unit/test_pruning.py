"""What becomes too old goes, and is told; what is signed, foreign or doubtful stays."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.store import Conflict, Head, Store, StoreError
from opsconsole.engine.exports import ExportsDirectory
from opsconsole.engine.pruning import BrokenRecord, Plan, Pruning, Spared
from opsconsole.export.recognising import DayLog, recognised
from opsconsole.model.events import Event, Meaning, Measured, Noted, Pruned, Stored
from opsconsole.model.runs import fold
from opsconsole.store.sqlite import SqliteStore
from support.events import event, measurement, note, opening, sign_off
from support.needs import missing
from support.runs import CHECKLIST, MORNING, OPERATOR

DAY = dt.timedelta(days=1)
OLD, YOUNG = dt.date(2026, 8, 1), dt.date(2026, 11, 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A record on a disk."""
    with SqliteStore(tmp_path / "records.db") as found:
        yield found


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A directory of exports, in which nothing is yet."""
    path = tmp_path / "day-logs"
    path.mkdir()
    return path


def measured(store: Store, date: dt.date, *, texts: int = 2, signed: bool = False) -> str:
    """Put a run into the store, with so many pieces of evidence; return its name."""
    opened = opening(date)
    events = [opened, *(measurement(opened.run, rows=number + 1) for number in range(texts))]
    *_, last = store.append(events)
    if signed:
        store.append([sign_off(store, last)])
    return opened.run


def read(name: str, content: bytes) -> DayLog | None:
    """Recognise a log of these tests: run, store and head in one line."""
    words = content.decode().split()
    if len(words) != 4 or not name.endswith(".md"):
        return None
    return DayLog(words[0], words[1], Head(int(words[2]), words[3]))


def logged(exports: Path, store: Store, run: str, *, days: int = 30, name: str = "") -> Path:
    """Write a log so many days ago."""
    path = exports / (name or f"{run.replace('@', '-')}.md")
    head = store.head()
    path.write_text(f"{run} {store.store_id} {head.seq} {head.hash}")
    when = (MORNING - days * DAY).timestamp()
    os.utime(path, (when, when))
    return path


def pruning(store: Store, exports: Path) -> Pruning:
    """Return what prunes this store and directory."""
    return Pruning(store, OPERATOR, ExportsDirectory(exports, read))


def carried_out(found: Pruning, *, evidence_days: int = 30, export_days: int = 7) -> tuple[Plan, list[object]]:
    """Do all that is planned; return the plan and what became of each part."""
    plan = found.plan(MORNING, evidence_days=evidence_days, export_days=export_days)
    done: list[object] = [found.remove_evidence(plan, each, MORNING) for each in plan.evidence]
    done += [found.remove_file(plan, each, MORNING) for each in plan.files]
    return plan, done


def texts_of(store: Store, run: str) -> list[str]:
    """Return the evidence texts of a run, as a reader gets them."""
    bodies = [each.event.body for each in store.events(run)]
    readings = [body.reading for body in bodies if isinstance(body, Measured) and body.reading]
    return [evidence.text for reading in readings for evidence in reading.evidence]


def pruned(store: Store, run: str) -> list[Pruned]:
    """Return the events of a run that tell what was removed."""
    return [each.event.body for each in store.events(run) if isinstance(each.event.body, Pruned)]


# --- evidence ---------------------------------------------------------------------------------------


def test_old_evidence_of_unsigned_runs_goes_and_is_told(store: Store, exports: Path) -> None:
    """Of the old run nobody signed, the texts go; hashes, readings, the young run and the signed one stay."""
    old, young = measured(store, OLD), measured(store, YOUNG)
    signed = measured(store, OLD + DAY, signed=True)
    before = {run: [link.document for link in store.links(run)] for run in (old, young, signed)}
    plan, done = carried_out(pruning(store, exports))
    assert [(each.run, each.texts) for each in plan.evidence] == [(old, 2)]
    assert done == [2]
    assert texts_of(store, old) == ["", ""]
    assert all(texts_of(store, young) + texts_of(store, signed))
    (told,) = pruned(store, old)
    assert (told.texts, told.through_seq) == (2, 3)
    assert told.characters == sum(map(len, texts_of(store, signed)))
    assert told.older_than == MORNING - 30 * DAY
    after = {run: [link.document for link in store.links(run)] for run in before}
    assert after[old][:-1] == before[old]
    assert (after[young], after[signed]) == (before[young], before[signed])
    assert store.verify().broken is None


def test_pruning_again_finds_nothing(store: Store, exports: Path) -> None:
    """What was pruned is no work any more, and no second event; evidence measured since is again."""
    old = measured(store, OLD)
    carried_out(pruning(store, exports))
    plan, _ = carried_out(pruning(store, exports))
    assert plan.evidence == ()
    assert len(pruned(store, old)) == 1
    store.append([measurement(old)])
    plan, done = carried_out(pruning(store, exports))
    assert ([each.texts for each in plan.evidence], done) == ([1], [1])
    assert [each.through_seq for each in pruned(store, old)] == [3, 5]
    assert store.verify().broken is None


@pytest.mark.parametrize(("days", "gone"), [(19, True), (20, True), (21, False)])
def test_age_counts_from_the_end_of_the_period_in_its_own_zone(
    store: Store, exports: Path, days: int, gone: bool
) -> None:
    """A run of 1 November in Chicago is over at 06:00 UTC on the 2nd; it is old so many days after that instant."""
    run = measured(store, YOUNG)
    over = dt.datetime(2026, 11, 2, 6, tzinfo=dt.UTC)
    found = pruning(store, exports)
    for now, expected in ((over + 20 * DAY, gone), (over + 20 * DAY - dt.timedelta(seconds=1), days < 20)):
        plan = found.plan(now, evidence_days=days, export_days=0)
        assert [each.run for each in plan.evidence] == ([run] if expected else [])


def test_nothing_is_planned_where_nothing_is_asked_for(store: Store, exports: Path) -> None:
    """Zero days keep for ever."""
    logged(exports, store, measured(store, OLD), days=4000)
    plan, done = carried_out(pruning(store, exports), evidence_days=0, export_days=0)
    assert (plan.evidence, plan.files, plan.spared, done) == ((), (), (), [])


def test_an_interrupted_removal_is_finished(store: Store, exports: Path) -> None:
    """The event was stored and the texts were not removed: the next time removes them, without a second event."""
    old = measured(store, OLD)
    store.append([event(Pruned(through_seq=3, texts=2, characters=9, older_than=MORNING), old)])
    assert all(texts_of(store, old))
    plan, done = carried_out(pruning(store, exports))
    assert ([each.is_told for each in plan.evidence], done) == ([True], [2])
    assert texts_of(store, old) == ["", ""]
    assert len(pruned(store, old)) == 1


class Meddled:
    """A store in which somebody does something just before or just after an event is appended."""

    def __init__(self, inner: Store, before: list[Event], after: list[Event]) -> None:
        self._inner, self._before, self._after = inner, before, after

    def append(self, events: list[Event], *, after: int | None = None) -> list[Stored]:
        """Append, with what the others do."""
        if self._before:
            self._inner.append([self._before.pop(0)])
        stored = self._inner.append(events, after=after)
        if self._after:
            self._after.pop()
            self._inner.append([sign_off(self._inner, stored[-1])])
        return stored

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_a_run_that_changes_at_this_moment_is_spared(store: Store, exports: Path) -> None:
    """Somebody signs, or works on, the run between the look at it and the event: nothing of it is removed."""
    signs, works = measured(store, OLD), measured(store, OLD + DAY)
    last = store.events(signs)[-1]
    meddled = Meddled(store, [sign_off(store, last), note("late", works)], [])
    _, done = carried_out(pruning(meddled, exports))  # type: ignore[arg-type]
    assert done == [Spared(run, "somebody works on it just now") for run in (signs, works)]
    assert all(texts_of(store, signs) + texts_of(store, works))
    assert (pruned(store, signs), pruned(store, works)) == ([], [])


def test_a_run_signed_between_the_event_and_the_removal_keeps_its_evidence(store: Store, exports: Path) -> None:
    """The event is stored, then the sign-off: the store refuses the removal, and the record still verifies."""
    run = measured(store, OLD)
    meddled = Meddled(store, [], [note("a sign-off instead")])
    _, done = carried_out(pruning(meddled, exports))  # type: ignore[arg-type]
    assert done == [Spared(run, "it was signed just now, so its evidence is kept")]
    assert all(texts_of(store, run))
    assert store.verify().broken is None
    plan, _ = carried_out(pruning(store, exports))
    assert plan.evidence == ()


def test_a_store_that_refuses_is_told(store: Store, exports: Path) -> None:
    """A role without the right to remove says so before anything is written; no fault is taken for a sign-off."""
    run = measured(store, OLD)

    class Powerless(Meddled):
        def remove_evidence(self, run: str, through_seq: int) -> int:
            raise StoreError(f"permission denied for table evidence ({run} to {through_seq})")

    found = pruning(Powerless(store, [], []), exports)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="permission denied"):
        found.refuse_powerless()
    assert pruned(store, run) == []
    with pytest.raises(StoreError, match="permission denied"):
        carried_out(found)


def test_the_store_removes_only_what_is_told_and_never_of_a_signed_run(store: Store) -> None:
    """Whoever calls it: without the event, beyond it, or after a sign-off nothing is removed."""
    run = measured(store, OLD)
    with pytest.raises(StoreError):
        store.remove_evidence(run, 3)
    store.append([event(Pruned(through_seq=2, older_than=MORNING, files=('"through_seq":9',)), run)])
    with pytest.raises(StoreError):
        store.remove_evidence(run, 3)
    assert all(texts_of(store, run))
    assert store.remove_evidence(run, 2) == 1
    assert store.verify().broken is None
    signed = measured(store, OLD + DAY, signed=True)
    store.append([event(Pruned(through_seq=99, older_than=MORNING), signed)])
    with pytest.raises(StoreError):
        store.remove_evidence(signed, 99)
    assert all(texts_of(store, signed))


def test_a_pruned_run_can_still_be_signed_and_its_signature_covers_the_hashes(store: Store, exports: Path) -> None:
    """Late, but possible: the hashes are what is signed, and what is left of the evidence is kept from then on."""
    run = measured(store, OLD)
    carried_out(pruning(store, exports))
    store.append([sign_off(store, store.events(run)[-1])])
    assert store.verify().broken is None
    with pytest.raises(Conflict):
        store.append([sign_off(store, store.events(run)[1], meaning=Meaning.REVIEWED)])


def test_nothing_is_removed_from_a_broken_record(tmp_path: Path, exports: Path) -> None:
    """Evidence that could explain what happened stays until somebody has looked."""
    with SqliteStore(tmp_path / "records.db") as store:
        measured(store, OLD)
        pruning(store, exports).refuse_broken()
    path = tmp_path / "records.db"
    content = path.read_bytes()
    at = content.index(b"success \x1b")
    path.write_bytes(content[:at] + b"failure" + content[at + 7 :])
    with SqliteStore(path) as store, pytest.raises(BrokenRecord, match="broken at event"):
        pruning(store, exports).refuse_broken()


# --- exported files ---------------------------------------------------------------------------------


def test_old_logs_go_and_are_told(store: Store, exports: Path) -> None:
    """A log beyond its age is removed, of a signed run too: the record is in the store. A younger one stays."""
    signed, other = measured(store, OLD, signed=True), measured(store, OLD + DAY)
    old, young = logged(exports, store, signed, days=8), logged(exports, store, other, days=6)
    _, done = carried_out(pruning(store, exports), evidence_days=0)
    assert done == [True]
    assert (old.exists(), young.exists()) == (False, True)
    assert [each.files for each in pruned(store, signed)] == [(old.name,)]
    assert pruned(store, other) == []
    assert store.verify().broken is None


def test_a_log_whose_removal_was_interrupted_is_told_once(store: Store, exports: Path) -> None:
    """Told and still there: removed without a second event. Written anew since: told anew."""
    run = measured(store, OLD)
    path = logged(exports, store, run, days=30)
    store.append([event(Pruned(files=(path.name,), older_than=MORNING), run, at=MORNING - 20 * DAY)])
    assert carried_out(pruning(store, exports), evidence_days=0)[1] == [True]
    assert len(pruned(store, run)) == 1
    logged(exports, store, run, days=10)
    assert carried_out(pruning(store, exports), evidence_days=0)[1] == [True]
    assert len(pruned(store, run)) == 2


def test_what_the_program_did_not_write_there_is_never_touched(store: Store, exports: Path, tmp_path: Path) -> None:
    """Links, directories, pipes, foreign files, hidden ones, logs of other records and unreadable ones all stay."""
    run = measured(store, OLD)
    outside = logged(tmp_path, store, run)
    (exports / outside.name).symlink_to(outside)
    (exports / "link-to-nothing.md").symlink_to(tmp_path / "nothing")
    (exports / "linked").symlink_to(tmp_path, target_is_directory=True)
    (exports / "below").mkdir()
    inner = logged(exports / "below", store, run)
    os.mkfifo(exports / "pipe.md")
    for name in ("notes.md", ".opsconsole-half.md", "binary.md"):
        (exports / name).write_bytes(b"mine" if name == "notes.md" else b"")
    foreign = logged(exports, store, run, name="foreign.md")
    foreign.write_text(f"{run} 00000000-0000-4000-8000-000000000000 1 {'0' * 64}")
    os.utime(foreign, (1, 1))
    unknown = logged(exports, store, "qbr-daily@1999-01-01")
    names = sorted(each.name for each in exports.iterdir())
    plan, done = carried_out(pruning(store, exports), evidence_days=0)
    assert (plan.files, done) == ((), [])
    assert sorted(each.name for each in exports.iterdir()) == names
    assert outside.exists()
    assert inner.exists()
    assert [(each.what, each.is_contradiction) for each in plan.spared] == [
        (foreign.name, False),
        (unknown.name, True),
    ]


def test_a_log_that_contradicts_the_record_is_kept(store: Store, exports: Path) -> None:
    """It says that the chain had another event there: it is the proof that somebody changed one of them."""
    run = measured(store, OLD)
    path = logged(exports, store, run)
    path.write_text(f"{run} {store.store_id} 2 {'ab' * 32}")
    os.utime(path, (1, 1))
    plan, _ = carried_out(pruning(store, exports), evidence_days=0)
    (spared,) = plan.spared
    assert spared.is_contradiction
    assert "does not hold event 2" in spared.why
    assert path.exists()


def test_a_file_put_in_its_place_meanwhile_is_not_removed(store: Store, exports: Path) -> None:
    """Between the look and the removal the log was written anew, or a link put there: that is another file."""
    run = measured(store, OLD)
    path = logged(exports, store, run)
    found = pruning(store, exports)
    plan = found.plan(MORNING, evidence_days=0, export_days=7)
    path.rename(exports / "kept-aside")
    path.write_text("another")
    assert found.remove_file(plan, plan.files[0], MORNING) is False
    assert path.read_text() == "another"
    path.unlink()
    assert found.remove_file(plan, plan.files[0], MORNING) is False


def test_no_directory_is_no_exports(store: Store, tmp_path: Path) -> None:
    """Before the first export there is nothing to look at."""
    measured(store, OLD)
    plan, _ = carried_out(pruning(store, tmp_path / "missing"), evidence_days=0)
    assert plan.files == ()


def test_others_files_stay(store: Store, exports: Path) -> None:
    """Of a shared directory only one's own logs are removed."""
    if os.geteuid():
        missing("NOT ROOT: only root can give a file to somebody else.")
    path = logged(exports, store, measured(store, OLD))
    os.chown(path, 65534, 65534)
    plan, _ = carried_out(pruning(store, exports), evidence_days=0)
    assert plan.files == ()
    assert path.exists()


def test_only_real_day_logs_are_recognised() -> None:
    """Neither the name nor the content alone makes a day log."""
    hash_ = "ab" * 32
    anchor = f"- Anchor: 00000000-0000-4000-8000-000000000000 7 {hash_}"
    log = f"# Title\n\n| Run   | {CHECKLIST.id}@2026-11-21 |\n\n{anchor}\n".encode()
    name = f"{CHECKLIST.id}-2026-11-21.md"
    found = recognised(name, log)
    assert found is not None
    assert (found.run, found.head) == (f"{CHECKLIST.id}@2026-11-21", Head(7, hash_))
    assert recognised(f"{CHECKLIST.id}-2026-11-22.md", log) is None
    assert recognised(name.replace(".md", ".txt"), log) is None
    assert recognised(name, log.replace(b"| Run", b"| Ran")) is None
    assert recognised(name, log.replace(b"- Anchor", b"Anchor")) is None
    assert recognised(name, b"text before " + log) is None
    assert recognised(name, b"\xff" + log) is None
    assert recognised(name, log.replace(b"@2026-11-21 |", b"@../../x |")) is None


def test_a_pruned_event_is_no_operators(store: Store, exports: Path) -> None:
    """Whoever started `prune` has not worked on the run."""
    run = measured(store, OLD)
    carried_out(pruning(store, exports))
    state = fold(store.events(run))
    assert state is not None
    assert (state.operators, len(state.pruned)) == ([], 1)
    store.append([event(Noted("", "seen"), run)])
