"""Qualifications over a real record: worked on through real sessions, decided, forged, and verified."""

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from opsconsole.contracts.anchor import AnchorError, Kept
from opsconsole.contracts.probe import Environment
from opsconsole.contracts.store import Head
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.engine import Engine
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.evidence import Evidence
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.engine.verifying import Verifying
from opsconsole.model.approving import blockers
from opsconsole.model.calendar import period_of, times_of
from opsconsole.model.checklists import Cadence, Checklist, Due, Item, Section, SignOffPolicy
from opsconsole.model.counting import Phase, QualificationState
from opsconsole.model.events import Actor, AmendmentKind, Approval, Event, Meaning, Opened, Signature, Signed
from opsconsole.model.qualifications import Effect, Qualification
from opsconsole.model.runs import fold
from opsconsole.model.signoff import statement_of
from opsconsole.model.tiers import Tier
from opsconsole.model.verification import CheckedRun, Weight
from support.signed_runs import CHECKLIST, JANE, RAVI, Place, done

EVA = msgspec.structs.replace(JANE, login="eva", name="Eva Ege")
FIRST = dt.date(2026, 11, 21)
REVIEW = Checklist(
    id="final",
    title="Final review",
    cadence=Cadence.ONCE,
    due=Due(timezone="UTC", after="two"),
    sections=(Section("All", (Item(id="look", title="Look back", manual=True),)),),
)
NOTHING = Evidence()
"""Nothing was found to be wrong."""
RULES = Qualification(id="two", title="Two days", checklist=CHECKLIST.id, days=2, review=REVIEW.id)


class House:
    """A record, the people who work on it, and a qualification."""

    def __init__(self, directory: Path, rules: Qualification = RULES) -> None:
        self.place = Place(directory)
        self.rules = rules
        self.checklist = CHECKLIST
        self.serial = 0

    def at(self, step: int, hour: int) -> None:
        """Set the clock."""
        self.place.now = dt.datetime.combine(FIRST, dt.time(hour), dt.UTC) + dt.timedelta(days=step)

    def engine(self, actor: Actor = JANE) -> Engine:
        """Return an engine as a process of `actor` has it."""
        return Engine(
            self.place.store,
            {},
            Environment(),
            actor,
            self.place.directory / actor.login,
            clock=self.place.clock,
            checklists={CHECKLIST.id: self.checklist, REVIEW.id: REVIEW},
            qualifications={self.rules.id: self.rules},
        )

    async def morning(self, step: int, actor: Actor = JANE) -> None:
        """Do and sign the run of a day."""
        self.at(step, 9)
        session = await self.engine(actor).open(self.checklist)
        await done(session)
        await sign_statement(session, statement_now(session))
        await session.aclose()

    async def reviewed(self, actor: Actor = JANE) -> None:
        """Do and sign the final review."""
        session = await self.engine(actor).open(REVIEW)
        await session.tick("look")
        await sign_statement(session, statement_now(session))
        await session.aclose()

    def state(self, **given: Any) -> QualificationState:
        """Return the state as it is now."""
        return self.engine().qualifying.state("two", **given)

    def blockers(self, known: Evidence = NOTHING) -> tuple[str, ...]:
        """Return what stands against an approval now, with what verifying found."""
        qualifying = self.engine().qualifying
        state = self.state(faults=known.faults, unchecked=known.unchecked)
        review = qualifying.review(state, known.faults, known.unchecked)
        return blockers(state, review, self.place.now, known.record)

    def approval(self, *, complete: bool = True, ready: bool = True) -> Approval:
        """Return what would be decided on."""
        qualifying = self.engine().qualifying
        return qualifying.approval(qualifying.state("two"), complete=complete, ready=ready)

    async def decide(self, actor: Actor = EVA, meaning: Meaning = Meaning.APPROVED) -> None:
        """Decide in the final review's record, as a session does."""
        session = await self.engine(actor).resume(f"final@{FIRST + dt.timedelta(days=1)}")
        approval = self.approval(ready=meaning is Meaning.APPROVED)
        await sign_statement(session, statement_now(session, meaning, None, None, approval))
        await session.aclose()

    def forge(self, run: str, approval: Approval, actor: Actor = EVA, meaning: Meaning = Meaning.APPROVED) -> None:
        """Store a decision past the session that would have refused it."""
        state = fold(self.place.store.events(run))
        assert state is not None
        at = self.place.clock()
        statement = statement_of(
            state, actor, store_id=self.place.store.store_id, signed_at=at, meaning=meaning, approval=approval
        )
        self.serial += 1
        body = Signed(statement=statement, signature=Signature(Tier.ATTRIBUTED))
        event_id = f"00000000-0000-4000-8000-{self.serial:012}"
        self.place.store.append([Event(id=event_id, run=run, at=at, actor=actor, body=body)])

    def checked(self, run: str) -> CheckedRun:
        """Verify a run."""
        (found,) = Verifying(self.place.store, None, clock=self.place.clock).runs([run])
        return found

    def verified(self) -> Evidence:
        """Verify what the qualification rests on."""
        return self.engine().qualifying.verified("two", Verifying(self.place.store, None, clock=self.place.clock))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a house with an empty record."""
    found = House(tmp_path)
    yield found
    found.place.store.close()


LAST = f"final@{FIRST + dt.timedelta(days=1)}"
DAY = f"morning@{FIRST}"
NEXT = f"morning@{FIRST + dt.timedelta(days=1)}"


def faults(found: CheckedRun) -> list[str]:
    """Return the codes of what does not hold."""
    return [each.code for each in found.findings if each.weight is Weight.FAULT]


async def test_two_days_a_review_and_an_approval(house: House) -> None:
    """The whole way through real sessions: day 1, day 2, reached, reviewed, approved; and all of it verifies."""
    assert house.state().phase is Phase.NOT_BEGUN
    with pytest.raises(ActionRefused, match="0 of 2 days have passed"):
        await house.reviewed()
    await house.morning(0)
    assert str(house.engine().day_of_monitoring(_loaded(house, DAY))) == "day 1 of 2"
    with pytest.raises(ActionRefused, match="1 of 2 days have passed: nothing to decide"):
        house.approval()
    await house.morning(1)
    assert house.state().phase is Phase.REACHED
    assert house.blockers() == (f"the final review {LAST} was not done",)
    await house.reviewed()
    assert house.blockers() == ()
    await house.decide()
    state = house.state()
    assert state.phase is Phase.APPROVED
    assert state.current.decision is not None
    assert (state.current.decision.by, state.current.decision.ready) == ("Eva Ege (eva)", True)
    assert faults(house.checked(LAST)) == []
    assert house.verified() == Evidence()
    assert set(house.engine().qualifying.rests_on(state)) == {DAY, NEXT, LAST}


def _loaded(house: House, run: str) -> Any:
    found = house.engine().load(run)
    assert found is not None
    return found


async def test_a_run_that_is_measured_again_is_looked_at_again(house: House) -> None:
    """What is kept between two looks is never old: a tick, a signature and an amendment each show at once."""
    engine = house.engine()
    house.at(0, 9)
    session = await engine.open(CHECKLIST)
    assert engine.qualifying.state("two").current.days[0].fact.counts == {"PENDING": 2}
    await session.tick("look")
    assert engine.qualifying.state("two").current.days[0].fact.counts == {"PASS": 1, "PENDING": 1}
    await session.enter("tickets", "3")
    await sign_statement(session, statement_now(session))
    assert engine.qualifying.state("two").current.passed == 1
    amendment = amendment_now(session, AmendmentKind.FAILED, "it was not so", item="look")
    await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=amendment))
    assert engine.qualifying.state("two").resets[0].cause == "it failed: Look at the dashboard"
    await session.aclose()


async def test_the_state_of_a_moment_knows_nothing_that_came_later(house: House) -> None:
    """`list --at` and the daily report of last week show the day of monitoring as it was then."""
    await house.morning(0)
    then = house.place.now + dt.timedelta(minutes=1)
    await house.morning(1)
    await house.reviewed()
    await house.decide()
    state = house.state(now=then)
    assert (state.current.passed, state.phase, state.overturned) == (1, Phase.RUNNING, ())
    assert house.state().phase is Phase.APPROVED


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"complete": False}, "approves what it calls incomplete"),
        ({"first": FIRST + dt.timedelta(days=1)}, "says that the count went from 2026-11-22 to 2026-11-22"),
        ({"last": FIRST}, "says that the count went from 2026-11-21 to 2026-11-21"),
        ({"days": ()}, "says that the count went from 2026-11-21 to 2026-11-22"),
        ({"qualification": "other"}, "neither a final review of other nor one of its days"),
    ],
)
async def test_a_decision_that_contradicts_itself_does_not_hold(
    house: House, changes: dict[str, Any], said: str
) -> None:
    """`verify` finds an approval that was made by something else than the rules: it is broken, and says why."""
    await _ready(house)
    house.forge(LAST, msgspec.structs.replace(house.approval(), **changes))
    found = house.checked(LAST)
    assert set(faults(found)) == {"false-approval"}
    assert any(said in each.text for each in found.findings)


async def _ready(house: House) -> None:
    await house.morning(0)
    await house.morning(1)
    await house.reviewed()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hash": "ab" * 32}, f"of {DAY} with the hash abababababababab; that was settled by event"),
        ({"seq": 1}, f"rests on event 1 of {DAY}"),
        ({"signer": "Mallory"}, f"says that Mallory signed {DAY}; by the record it was Jane Doe (jane)"),
        ({"state": "fine"}, f"calls {DAY} 'fine'"),
        ({"run": "morning@2026-11-20"}, "gives morning@2026-11-20 the date 2026-11-21"),
        ({"run": "evening@2026-11-21"}, "names days of several checklists"),
        ({"run": "evening@2026-11-21"}, "names a signature of evening@2026-11-21 that is not in the record"),
        ({"date": dt.date(2026, 11, 23)}, "names its days out of order"),
    ],
)
async def test_a_decision_on_other_days_than_the_recorded_ones_does_not_hold(
    house: House, changes: dict[str, Any], said: str
) -> None:
    """Each day of an approval is held against the record: event, hash, signer, date and result."""
    await _ready(house)
    approval = house.approval()
    first = msgspec.structs.replace(approval.days[0], **changes)
    house.forge(LAST, msgspec.structs.replace(approval, days=(first, *approval.days[1:])))
    found = house.checked(LAST)
    assert "false-approval" in faults(found)
    assert any(said in each.text for each in found.findings)


async def test_a_refusal_that_calls_it_ready_does_not_hold(house: House) -> None:
    """What is refused is not ready for production."""
    await _ready(house)
    house.forge(LAST, house.approval(), meaning=Meaning.REFUSED)
    assert any("refuses what it calls ready for production" in each.text for each in house.checked(LAST).findings)


async def test_a_day_that_failed_cannot_be_called_passed(house: House) -> None:
    """An approval that names a failed day as passed is found, though its hash is that of the record."""
    await _ready(house)
    approval = house.approval()
    session = await house.engine().resume(DAY)
    amendment = amendment_now(session, AmendmentKind.FAILED, "it was not so", item="look")
    stored = await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=amendment))
    await session.aclose()
    house.forge(LAST, approval)
    assert any("that was settled by event" in each.text for each in house.checked(LAST).findings)
    amended = msgspec.structs.replace(approval.days[0], seq=stored.seq, hash=stored.hash)
    house.forge(LAST, msgspec.structs.replace(approval, days=(amended, approval.days[1])), actor=RAVI)
    texts = [each.text for each in house.checked(LAST).findings]
    assert any(f"calls {DAY} passed, which was signed as FAIL" in each for each in texts)


async def test_nobody_decides_on_their_own_days(house: House) -> None:
    """By the record: a decision of somebody who signed a day, or the review, is a fault; the rules can lift it."""
    await house.morning(0, RAVI)
    await house.morning(1)
    await house.reviewed(EVA)
    for who in (RAVI, EVA):
        house.forge(LAST, house.approval(), who)
    found = house.checked(LAST)
    texts = [each.text for each in found.findings if each.code == "own-work"]
    assert any(f"ravi had signed {DAY}, and it was approved by the same person" in each for each in texts)
    assert any("eva" in each for each in texts)


async def test_own_work_that_the_rules_allow_is_shown(house: House) -> None:
    """A house of one may lift it, and everybody who verifies the record sees that."""
    await _ready(house)
    house.forge(LAST, msgspec.structs.replace(house.approval(), own_work_allowed=True), JANE)
    found = house.checked(LAST)
    assert faults(found) == []
    assert "own-work-allowed" in {each.code for each in found.findings if each.weight is Weight.FLAG}


async def test_a_day_that_is_amended_after_the_decision_is_flagged(house: House) -> None:
    """The approval holds, and whoever verifies it is told that its grounds are not what they were."""
    await _ready(house)
    await house.decide()
    session = await house.engine().resume(DAY)
    amendment = amendment_now(session, AmendmentKind.NOTE, "I forgot", text="a word")
    await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=amendment))
    await session.aclose()
    found = house.checked(LAST)
    assert faults(found) == []
    assert [each.text for each in found.findings if each.code == "amended-since"] == [
        f"{DAY}, on which it was decided, was amended since"
    ]
    assert house.state().phase is Phase.APPROVED


async def test_a_tampered_day_resets_what_was_approved(house: House) -> None:
    """Somebody with the database's password changes a reading: the next verification takes the approval away."""
    await _ready(house)
    await house.decide()
    house.place.store.close()
    path = house.place.directory / "records.db"
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER events_are_never_changed")
        connection.execute(
            """UPDATE events SET document = CAST(replace(CAST(document AS TEXT), '"3"', '"4"') AS BLOB)
                WHERE run = ? AND kind = 'entered'""",
            (DAY,),
        )
    connection.close()
    house.place = _reopened(house.place)
    assert house.state().phase is Phase.APPROVED  # nobody has looked yet
    evidence = house.verified()
    assert DAY in evidence.faults
    state = house.state(faults=evidence.faults, unchecked=evidence.unchecked)
    assert state.phase is Phase.RUNNING
    assert len(state.overturned) == 1
    assert any("the chain of the record is broken" in each for each in evidence.record)


def _reopened(place: Place) -> Place:
    again = Place(place.directory)
    again.now = place.now
    return again


async def test_what_a_state_rests_on_is_what_is_verified(house: House) -> None:
    """The failed day that began it, the days that count, those since; after a decision no more: not years."""
    house.at(0, 9)
    session = await house.engine().open(CHECKLIST)
    await done(session, "12")
    await session.note("tickets", "many")
    await sign_statement(session, statement_now(session))
    await session.aclose()
    for step in (1, 2, 3):
        await house.morning(step)
    names = [f"morning@{FIRST + dt.timedelta(days=step)}" for step in range(5)]
    review = f"final@{FIRST + dt.timedelta(days=2)}"
    await house.reviewed()
    qualifying = house.engine().qualifying
    assert set(qualifying.rests_on(qualifying.state("two"))) == {*names[:4], review}
    house.forge(review, house.approval())
    await house.morning(4)
    state = qualifying.state("two")
    assert state.phase is Phase.APPROVED
    assert set(qualifying.rests_on(state)) == {*names[:3], review}


async def test_what_cannot_be_checked_blocks_and_resets_nothing(house: House) -> None:
    """Without the file of allowed signers nobody knows whether a key's signature holds: said in its own words."""
    await _ready(house)
    evidence = Evidence(unchecked={NEXT: "no allowed signers are configured"})
    assert house.state(unchecked=evidence.unchecked).phase is Phase.REACHED
    assert house.blockers(evidence) == (
        f"{NEXT}: its record could not be checked: no allowed signers are configured",
    )


class Notebook:
    """Keeps one head outside, or cannot be read."""

    name = "notebook"

    def __init__(self, store_id: str, failure: AnchorError | None = None) -> None:
        self.store_id = store_id
        self.failure = failure

    def kept(self) -> Iterator[Kept]:
        """Yield a head that the record has not."""
        if self.failure is not None:
            raise self.failure
        yield Kept(store_id=self.store_id, head=Head(1, "ab" * 32), where="page 1")


async def test_heads_kept_outside_stand_against_an_approval(house: House) -> None:
    """A record that was put back from an old copy cannot be approved on, nor one whose anchors nobody can read."""
    await _ready(house)
    store = house.place.store
    for failure, said in (
        (None, "notebook: event 1"),
        (AnchorError("gone"), "notebook could not be checked: gone"),
    ):
        verifying = Verifying(store, None, [Notebook(store.store_id, failure)], clock=house.place.clock)  # type: ignore[list-item]
        evidence = house.engine().qualifying.verified("two", verifying)
        (told,) = evidence.record
        assert told.startswith(said)
        assert house.blockers(evidence) == (told,)


async def test_a_console_can_verify_in_a_thread_while_the_run_is_worked_on(house: House) -> None:
    """The screen asks in the background: nothing is shared that another thread could trip over."""
    await _ready(house)
    engine = house.engine()
    results: list[object] = []

    def work() -> None:
        for _ in range(5):
            evidence = engine.qualifying.verified("two", Verifying(house.place.store, None))
            results.append((evidence == Evidence(), engine.qualifying.state("two").phase))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert results == [(True, Phase.REACHED)] * 15


async def test_an_unknown_name_is_answered_with_those_there_are(house: House) -> None:
    """A typing mistake is told with what could have been meant."""
    with pytest.raises(ActionRefused, match="there is no qualification 'tow'; there are: two"):
        house.engine().qualifying.state("tow")


# --- days that are made up for ----------------------------------------------------------------------


async def test_a_day_that_is_made_up_for_with_a_clock_set_back_counts_for_no_approval(house: House) -> None:
    """Opened, done and signed with yesterday's date, it looks clean; the chain has it behind the next morning."""
    await house.morning(0)
    await house.morning(2)
    await house.morning(1)
    house.at(2, 12)
    assert house.state().current.reached == FIRST + dt.timedelta(days=1)
    found = house.verified()
    assert found.holds
    assert not found.is_whole
    assert list(found.unchecked) == [NEXT]
    assert "it may have been made up for" in found.unchecked[NEXT]
    assert "made-up-for" in {each.code for each in house.checked(NEXT).findings}
    assert any(NEXT in each for each in house.blockers(found))


async def test_a_day_in_doubt_can_be_excluded_by_two_persons(house: House) -> None:
    """A clock may have been ahead on another host: the doubt goes with the day, and the count goes on."""
    await house.morning(0)
    await house.morning(2)
    await house.morning(1)
    house.at(2, 12)
    session = await house.engine().resume(NEXT)
    excluded = amendment_now(session, AmendmentKind.EXCLUDED, "the clock of ops02 was ahead", qualification="two")
    await sign_statement(session, statement_now(session, Meaning.AMENDED, None, excluded))
    assert list(house.verified().unchecked) == [NEXT]
    other = await house.engine(RAVI).resume(NEXT)
    await sign_statement(other, statement_now(other, Meaning.REVIEWED))
    assert house.verified().is_whole
    assert house.state().current.reached == FIRST + dt.timedelta(days=2)


async def test_a_sign_off_that_is_dated_back_into_its_time_is_in_doubt(house: House) -> None:
    """It may be signed for a day after its end: two days later somebody sets the clock to the day before."""
    await house.morning(0)
    house.at(1, 9)
    session = await house.engine().open(CHECKLIST)
    await done(session)
    await house.morning(2)
    await house.morning(3)
    house.at(2, 10)
    await sign_statement(session, statement_now(session))
    house.at(3, 12)
    found = house.verified()
    assert "stands behind an event of 2026-11-24 09:00Z" in found.unchecked[NEXT]


async def test_a_missed_day_that_is_written_down_as_opened_does_not_hold(house: House) -> None:
    """Whoever may sign and can write into the file makes up a day honestly dated: it was over, and not missed."""
    await house.morning(0)
    await house.morning(2)
    first, when = fold(house.place.store.events(DAY)), FIRST + dt.timedelta(days=1)
    assert first is not None
    house.at(2, 10)
    times = times_of(CHECKLIST, period_of(when, Cadence.DAILY), ZoneInfo("UTC"), when)
    body = Opened(
        times=times, definition=first.definition, definition_hash=first.definition_hash, version="0", missed=False
    )
    event_id = "00000000-0000-4000-8000-0000000000ff"
    house.place.store.append([Event(id=event_id, run=NEXT, at=house.place.now, actor=JANE, body=body)])
    session = await house.engine().resume(NEXT)
    await done(session)
    await sign_statement(session, statement_now(session))
    assert faults(house.checked(NEXT)) == ["opened-late"]
    assert list(house.verified().faults) == [NEXT]


async def test_a_reset_that_nobody_can_sign_any_more_is_documented_in_a_later_run(tmp_path: Path) -> None:
    """Where nobody is asked to sign, a run that failed without a note is over for good: no note can follow."""
    house = House(tmp_path, msgspec.structs.replace(RULES, unsigned=Effect.COUNT))
    house.checklist = msgspec.structs.replace(CHECKLIST, sign_off=SignOffPolicy(needed=False))
    house.at(0, 9)
    session = await house.engine().open(house.checklist)
    await session.enter("tickets", "40")
    await session.tick("look")
    house.at(3, 9)
    with pytest.raises(ActionRefused, match="is FAIL"):
        statement_now(session)
    with pytest.raises(ActionRefused, match="is over"):
        await session.note("tickets", "the vendor changed its API")
    state = house.state()
    qualifying = house.engine().qualifying
    assert [each.run for each in state.resets][:1] == [DAY]
    with pytest.raises(ActionRefused, match="takes no amendment: it is over"):
        qualifying.documented_in(state, state.resets[0])
    await house.morning(3)
    later = f"morning@{FIRST + dt.timedelta(days=3)}"
    assert qualifying.documented_in(house.state(), state.resets[0]) == later
    session = await house.engine().resume(later)
    said = amendment_now(session, AmendmentKind.RESET, "the vendor changed its API", qualification="two", about=DAY)
    await sign_statement(session, statement_now(session, Meaning.AMENDED, None, said))
    assert DAY not in [each.run for each in house.state().unexplained]
    with pytest.raises(ActionRefused, match="cannot be amended to say something of final"):
        amendment_now(session, AmendmentKind.RESET, "why", qualification="two", about="final@2026-11-21")
    house.place.store.close()
