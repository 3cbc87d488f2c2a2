"""What is said of a run after its sign-off: nothing that was signed is changed, and no failure becomes a pass."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.contracts.store import AlreadySigned, Conflict, StoreError
from opsconsole.engine.amending import amendment_now, amendment_of
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.signoff import payload_of, sign_statement, statement_now
from opsconsole.model.checklists import Section
from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.events import (
    Amended,
    Amendment,
    AmendmentKind,
    Entered,
    Event,
    Meaning,
    Noted,
    Signature,
    Signed,
    Ticked,
)
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Judgement
from opsconsole.model.record import record_bytes, statement_bytes
from opsconsole.model.runs import RunState, fold
from opsconsole.model.signoff import statement_of
from opsconsole.model.tiers import Tier
from opsconsole.model.values import number
from support.events import event
from support.runs import MORNING, OPERATOR, Chain
from support.signed_runs import CHECKLIST, JANE, LOOK, NOW, RAVI, RUN, Place, done

BY_LOGIN = Signature(Tier.ATTRIBUTED)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A store of its own."""
    found = Place(tmp_path)
    yield found
    found.store.close()


# --- every sequence of amendments -------------------------------------------------------------------


def signed_chain(tickets: str) -> Chain:
    """Return a run that was signed with this entry."""
    outcome = Outcome.FAIL if int(tickets) >= 10 else Outcome.PASS
    chain = Chain(CHECKLIST)
    chain.add(Entered("tickets", number(int(tickets)), tickets, Judgement(outcome, f"{tickets} entered")))
    chain.add(Ticked("look")).add(Noted("tickets", "counted twice"))
    statement = statement_of(chain.state(), OPERATOR, store_id="store", signed_at=MORNING)
    return chain.add(Signed(statement=statement, signature=BY_LOGIN))


def amended(chain: Chain, step: tuple[AmendmentKind, str, str]) -> Amendment | None:
    """Amend a run as a session does; return the amendment, None where it was refused."""
    kind, item, text = step
    state = chain.state()
    try:
        why = "looked again"
        amendment = amendment_of(state, kind, why, item=item, field="notes", text=text, qualification="four")
    except ActionRefused:
        return None
    statement = statement_of(
        state, OPERATOR, store_id="store", signed_at=MORNING, meaning=Meaning.AMENDED, amendment=amendment
    )
    chain.add(Amended(statement=statement, signature=BY_LOGIN))
    return amendment


_steps = st.tuples(
    st.sampled_from(AmendmentKind),
    st.sampled_from(["tickets", "look", "", "nothing"]),
    st.sampled_from(["1", "3", "7", "12", "40", "a word", ""]),
)


def before_of(state: RunState, amendment: Amendment) -> str:
    """Return what stood in the run where the amendment goes, by the run alone."""
    match amendment.kind:
        case AmendmentKind.FIELD:
            return state.fields["notes"].text if "notes" in state.fields else ""
        case AmendmentKind.ENTRY:
            typed = state.items["tickets"].typed
            assert typed is not None
            return f"{typed.body.text} ({typed.body.judgement.outcome})"
        case AmendmentKind.FAILED:
            item = state.items[amendment.item]
            return f"{item.outcome}: {item.summary}"
        case AmendmentKind.NOTE | AmendmentKind.RESET | AmendmentKind.EXCLUDED:
            return ""


@given(st.sampled_from(["3", "12"]), st.lists(_steps, max_size=8))
def test_no_amendment_hides_what_stood_there_or_makes_a_failure_a_pass(
    tickets: str, steps: list[tuple[AmendmentKind, str, str]]
) -> None:
    """Whatever is amended in whatever order: old values can be read, FAIL is for good, and only entries judge."""
    chain = signed_chain(tickets)
    signed = chain.state().signed
    has_fallen = False
    for step in steps:
        before = chain.state()
        amendment = amended(chain, step)
        state = chain.state()
        if amendment is None:
            assert state == before
            continue
        corrected = state.amendments[-1]
        assert (corrected.amendment, corrected.was) == (amendment, before_of(before, amendment))
        assert corrected.seq == chain.events[-1].seq
        has_fallen |= amendment.kind is AmendmentKind.FAILED
        has_fallen |= before.result is Result.PASS and state.result is not Result.PASS
        for name, item in state.items.items():
            became_green = item.outcome is Outcome.PASS and before.items[name].outcome is not Outcome.PASS
            assert not became_green or (amendment.kind is AmendmentKind.ENTRY and name == amendment.item)
        if has_fallen:
            assert (state.result, state.computed_result, state.passed) == (Result.FAIL, Result.FAIL, False)
        assert state.signed == signed
        assert state.passed <= (tickets == "3")
        assert state.signatures[-1].body.statement.result is state.result
        assert {each.body.statement.amends for each in state.signatures[1:]} == {chain.events[4].hash}
    assert_nothing_lost(chain)


def assert_nothing_lost(chain: Chain) -> None:
    """Check that the fold of the stored form is the same, and that it has each amendment there was, in order."""
    again = fold(
        msgspec.structs.replace(each, event=decoded(canonical(each.event), Event)) for each in chain.events
    )
    assert again == chain.state()
    bodies = [each.event.body for each in chain.events]
    told = [each.statement.amendment for each in bodies if isinstance(each, Amended)]
    assert [each.amendment for each in chain.state().amendments] == told


def test_an_item_found_failed_fails_the_run_for_good() -> None:
    """A pass that was none is FAIL from now on, with the reason, and a corrected entry of it does not help."""
    chain = signed_chain("3")
    assert chain.state().passed
    assert amended(chain, (AmendmentKind.FAILED, "tickets", "")) is not None
    state = chain.state()
    assert (state.result, state.passed, state.counts) == (Result.FAIL, False, {Outcome.FAIL: 1, Outcome.PASS: 1})
    assert state.items["tickets"].summary == "amended to FAIL: looked again"
    assert state.amendments[0].was == "PASS: 3 entered"
    assert amended(chain, (AmendmentKind.FAILED, "tickets", "")) is None
    assert amended(chain, (AmendmentKind.ENTRY, "tickets", "1")) is not None
    assert chain.state().items["tickets"].outcome is Outcome.FAIL


def test_a_mistyped_entry_of_a_failed_run_can_be_corrected() -> None:
    """The entry is judged anew and the run follows; as a day of monitoring it does not count all the same."""
    chain = signed_chain("12")
    assert chain.state().result is Result.FAIL
    assert amended(chain, (AmendmentKind.ENTRY, "tickets", "1")) is not None
    state = chain.state()
    assert (state.result, state.passed) == (Result.PASS, False)
    assert state.amendments[0].was == "12 (FAIL)"


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        (AmendmentKind.NOTE, {"item": "nothing", "text": "x"}, "has no item 'nothing'; it has tickets, look"),
        (AmendmentKind.NOTE, {"text": "  "}, "some words are needed"),
        (AmendmentKind.NOTE, {"text": "x" * 10_001}, "characters are too many"),
        (AmendmentKind.FIELD, {"field": "nothing", "text": "x"}, "has no field 'nothing'; it has notes, issues"),
        (AmendmentKind.ENTRY, {"item": "look", "text": "3"}, "takes no entry that could be corrected"),
        (AmendmentKind.ENTRY, {"text": "3"}, "name the item"),
        (AmendmentKind.ENTRY, {"item": "tickets", "text": "3"}, "has that entry already"),
        (AmendmentKind.ENTRY, {"item": "tickets", "text": "many"}, "many"),
        (AmendmentKind.ENTRY, {"item": "tickets", "text": "3 GiB"}, "cannot be judged"),
        (AmendmentKind.FAILED, {}, "name the item"),
        (AmendmentKind.FAILED, {"item": "nothing"}, "has no item 'nothing'"),
    ],
)
def test_an_amendment_that_makes_no_sense_is_refused(kind: AmendmentKind, more: dict[str, str], said: str) -> None:
    """The refusal says what there is."""
    with pytest.raises(ActionRefused, match=said):
        amendment_of(signed_chain("3").state(), kind, "because", **more)


def test_an_amendment_needs_a_reason() -> None:
    """Nobody amends a signed run without saying why."""
    with pytest.raises(ActionRefused, match="some words are needed"):
        amendment_of(signed_chain("3").state(), AmendmentKind.FAILED, " \n", item="look")


# --- in a store -------------------------------------------------------------------------------------


async def test_an_unsigned_run_is_changed_and_not_amended(place: Place) -> None:
    """Before the sign-off there is nothing to amend: not for the session, and not for the store."""
    async with place.session() as session:
        with pytest.raises(ActionRefused, match="change it as usual"):
            amendment_now(session, AmendmentKind.NOTE, "because", text="x")
        await done(session)
        note = Amendment(kind=AmendmentKind.NOTE, reason="because", text="x")
        with pytest.raises(ActionRefused, match="nothing to be amended"):
            statement_now(session, Meaning.AMENDED, amendment=note)
        statement = statement_of(
            session.state,
            JANE,
            store_id=place.store.store_id,
            signed_at=NOW,
            meaning=Meaning.AMENDED,
            amendment=note,
        )
        with pytest.raises(StoreError, match="nothing to amend"):
            place.store.append([event(Amended(statement=statement, signature=BY_LOGIN), RUN)])
        assert session.state.amendments == []


async def test_a_statement_says_whether_it_amends(place: Place) -> None:
    """An amendment is never signed as something else, nor anything else as an amendment."""
    async with place.signed() as session:
        note = amendment_now(session, AmendmentKind.NOTE, "because", text="x")
        with pytest.raises(ActionRefused, match="signed as one"):
            statement_now(session, Meaning.REVIEWED, amendment=note)
        with pytest.raises(ActionRefused, match="signed as one"):
            statement_now(session, Meaning.AMENDED)


async def test_after_the_sign_off_the_store_takes_nothing_else(place: Place) -> None:
    """A tick or a note that arrives late is refused, before an amendment and after it."""
    async with place.signed() as session:
        for body in (Noted("", "late"), Ticked("look")):
            with pytest.raises(AlreadySigned):
                place.store.append([event(body, RUN)])
        note = amendment_now(session, AmendmentKind.NOTE, "forgotten", text="the rack was opened")
        await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=note))
        with pytest.raises(AlreadySigned):
            place.store.append([event(Noted("", "late"), RUN)])
        assert [each.text for each in session.state.notes] == ["the rack was opened"]


async def test_of_two_amendments_at_once_both_are_kept(place: Place) -> None:
    """The second is refused because it was made of an older run, shown anew, made again, and kept."""
    async with place.signed() as one, place.session(RAVI) as other:
        first = statement_now(
            one, Meaning.AMENDED, amendment=amendment_now(one, AmendmentKind.FAILED, "x", item="look")
        )
        entry = amendment_now(other, AmendmentKind.ENTRY, "misread", item="tickets", text="4")
        stale = statement_now(other, Meaning.AMENDED, amendment=entry)
        assert stale.result is Result.PASS
        await sign_statement(one, first)
        with pytest.raises(Conflict):
            await sign_statement(other, stale)
        assert other.state.result is Result.FAIL
        again = statement_now(other, Meaning.AMENDED, amendment=entry)
        assert again.result is Result.FAIL
        await sign_statement(other, again)
        await one.refresh()
        assert [each.amendment.kind for each in one.state.amendments] == ["failed", "entry"]
        assert one.state.amendments[1].was == "3 (PASS)"


async def test_eight_people_amend_at_once(place: Place) -> None:
    """However many do it at the same moment, each amendment is there once, and covers those before it."""
    async with place.signed():
        pass

    async def amend(number: int) -> None:
        async with place.session(RAVI) as session:
            note = amendment_now(session, AmendmentKind.NOTE, "all at once", text=f"note {number}")
            while True:
                try:
                    await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=note))
                except Conflict:
                    continue
                return

    await asyncio.gather(*map(amend, range(8)))
    state = place.engine().load(RUN)
    assert state is not None
    assert sorted(each.text for each in state.notes) == [f"note {number}" for number in range(8)]
    heads = [(each.body.statement.head_seq, each.seq) for each in state.signatures]
    assert all(head == seq - 1 for head, seq in heads)
    assert place.store.verify().broken is None


async def test_an_item_that_an_edit_removed_takes_notes_only(place: Place) -> None:
    """It does not count any more, so that it can neither fail the run nor be corrected; what it was can be told."""
    without = msgspec.structs.replace(CHECKLIST, sections=(Section("All", (LOOK,)),))
    async with place.session() as session:
        await session.enter("tickets", "3")
    async with place.session(checklist=without) as session:
        await session.tick("look")
        await sign_statement(session, statement_now(session))
        for kind in (AmendmentKind.FAILED, AmendmentKind.ENTRY):
            with pytest.raises(ActionRefused, match="so it does not count"):
                amendment_now(session, kind, "because", item="tickets", text="4")
        note = amendment_now(session, AmendmentKind.NOTE, "because", item="tickets", text="counted by hand")
        await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=note))
        assert [each.text for each in session.state.retired["tickets"].notes] == ["counted by hand"]
        assert session.state.passed


async def test_what_is_signed_is_what_a_reader_puts_together(place: Place) -> None:
    """The payload of each signature equals the stored lines before it and its statement, byte for byte."""
    payloads = []
    async with place.session() as session:
        await done(session)
        for step in range(4):
            amendment = None
            if step:
                text = f"n\u00f6te {step} \u2028 \x1b[31m"
                amendment = amendment_now(session, AmendmentKind.NOTE, "because", item="look", text=text)
            meaning = Meaning.AMENDED if step else Meaning.PERFORMED
            statement = statement_now(session, meaning, amendment=amendment)
            payloads.append(payload_of(session, statement))
            await sign_statement(session, statement)
    links = list(place.store.links(RUN))
    assert len(links) == 7
    assert payloads == [
        record_bytes([each.document for each in links[:at]], statement_bytes(links[at].document))
        for at in range(3, 7)
    ]
    for payload in payloads:
        *lines, last = payload.split(b"\n")
        assert last == b""
        assert lines[:-1] == [each.document for each in links[: len(lines) - 1]]
        assert msgspec.json.decode(lines[-1])["schema"] == "opsconsole.statement.v1"
    state = place.engine().load(RUN)
    assert state is not None
    assert state.signed is not None
    amends = [each.body.statement.amends for each in state.signatures]
    assert amends == ["", *[state.signed.hash] * 3]
    assert state.signed.hash == links[3].hash


async def test_a_day_amended_to_fail_starts_the_monitoring_anew(place: Place) -> None:
    """Three passes make day 4; once the second of them is found failed, the fourth day is day 2."""
    days = [dt.date(2026, 11, 18 + step) for step in range(4)]
    for day in days:
        place.now = dt.datetime.combine(day, dt.time(8), tzinfo=dt.UTC)
        async with place.session(date=day) as session:
            await done(session)
            await sign_statement(session, statement_now(session))
    engine = place.engine()

    def day_of_last() -> int:
        state = engine.load(RUN)
        assert state is not None
        found = engine.day_of_monitoring(state)
        assert found is not None
        return found.day

    assert day_of_last() == 4
    async with place.session(date=days[1]) as session:
        failed = amendment_now(session, AmendmentKind.FAILED, "the log shows it", item="look")
        await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=failed))
    assert day_of_last() == 2


async def test_amendments_go_on_without_the_checklist(place: Place) -> None:
    """Years later the file may be gone: the run is resumed by its own definition; one nobody opened is not."""
    async with place.signed():
        pass
    engine = place.engine(RAVI)
    session = await engine.resume(RUN)
    note = amendment_now(session, AmendmentKind.NOTE, "an audit", text="seen by the auditor")
    await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=note))
    await session.aclose()
    with pytest.raises(ActionRefused, match="no record"):
        await engine.resume("morning@2020-01-01")
    assert place.store.last_seq("morning@2020-01-01") == 0


def test_an_amendment_before_any_sign_off_makes_no_result() -> None:
    """What a foreign program may have written before the sign-off neither signs a run nor makes it a pass."""
    chain = Chain(CHECKLIST)
    note = Amendment(kind=AmendmentKind.NOTE, reason="x", text="x")
    state = chain.state()
    statement = statement_of(
        state, OPERATOR, store_id="store", signed_at=MORNING, meaning=Meaning.AMENDED, amendment=note
    )
    forged = msgspec.structs.replace(statement, result=Result.PASS)
    state = chain.add(Amended(statement=forged, signature=BY_LOGIN)).state()
    assert (state.result, state.passed, state.signed) == (Result.OPEN, False, None)
