"""A run is the fold of its events."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.checklists import Checklist, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.encoding import canonical, decoded, definition_hash
from opsconsole.model.events import (
    Amended,
    Amendment,
    AmendmentKind,
    Body,
    Entered,
    Event,
    Filled,
    Meaning,
    Noted,
    Redefined,
    Restored,
    Signature,
    Signed,
    Skipped,
    Ticked,
    Unticked,
    Waived,
)
from opsconsole.model.outcomes import Outcome, Result, result_of, worst
from opsconsole.model.readings import Judgement
from opsconsole.model.runs import FoldError, fold
from opsconsole.model.signoff import count_words, hurdles, statement_of
from opsconsole.model.tiers import Tier
from opsconsole.model.values import number
from support.runs import CHECKLIST, MORNING, OPERATOR, Chain

EXPIRES = dt.date(2026, 11, 28)


def entered(outcome: Outcome) -> Entered:
    """Return an entry that was judged so."""
    return Entered("tickets", number(1234), "1234", Judgement(outcome, "1,234 entered"))


def green() -> Chain:
    """Return a run in which everything is done."""
    return (
        Chain()
        .measured("collectors", Outcome.PASS)
        .measured("disk", Outcome.PASS, target="/")
        .measured("disk", Outcome.PASS, target="/var")
        .measured("tickets", Outcome.PENDING)
        .add(entered(Outcome.PASS))
        .add(Ticked("look"))
    )


def test_a_fresh_run_is_pending() -> None:
    """Nothing is green before it was seen."""
    state = Chain().state()
    assert {each.outcome for each in state.items.values()} == {Outcome.PENDING}
    assert state.result is Result.OPEN
    assert state.signed is None


def test_a_green_run_can_be_signed() -> None:
    """With everything seen, nothing stands between the run and its sign-off."""
    state = green().state()
    assert state.counts == {Outcome.PASS: 4}
    assert state.result is Result.PASS
    assert hurdles(state) == ()
    assert [each.login for each in state.operators] == ["operator"]


def test_the_latest_measurement_counts_and_every_one_is_kept() -> None:
    """Measured again, an item shows what was seen last; the attempts before stay in the record."""
    state = green().measured("collectors", Outcome.FAIL, "one is missing").state()
    item = state.items["collectors"]
    assert (item.outcome, item.summary) == (Outcome.FAIL, "one is missing")
    assert [each.body.judgement.outcome for each in item.attempts] == [Outcome.PASS, Outcome.FAIL]
    assert state.result is Result.FAIL


def test_targets_are_judged_apart() -> None:
    """An item over several targets is as bad as its worst, and pending while one is unseen."""
    chain = Chain().measured("disk", Outcome.PASS, target="/")
    assert chain.state().items["disk"].outcome is Outcome.PENDING
    item = chain.measured("disk", Outcome.WARN, "used is 85 %", target="/var").state().items["disk"]
    assert (item.outcome, item.summary) == (Outcome.WARN, "/var: used is 85 %")
    item = chain.measured("disk", Outcome.PASS, target="/var").state().items["disk"]
    assert (item.outcome, item.summary) == (Outcome.PASS, "all 2 pass")


def test_a_tick_can_be_taken_back() -> None:
    """A manual item is green while it is ticked."""
    chain = Chain().add(Ticked("look"))
    assert chain.state().items["look"].outcome is Outcome.PASS
    assert chain.add(Unticked("look")).state().items["look"].outcome is Outcome.PENDING


def test_an_entry_needs_both_sides() -> None:
    """An entry waits for its value, and is an error where there is nothing to compare it with."""
    chain = Chain().measured("tickets", Outcome.PENDING)
    assert chain.state().items["tickets"].summary == "to be entered: Tickets"
    assert chain.add(entered(Outcome.FAIL)).state().items["tickets"].outcome is Outcome.FAIL
    item = chain.measured("tickets", Outcome.ERROR, "the database is down").state().items["tickets"]
    assert (item.outcome, item.summary) == (Outcome.ERROR, "the database is down")


def test_skips_and_waivers() -> None:
    """A skip or waiver covers what is not green, never a pass, and can be taken back."""
    chain = green().measured("collectors", Outcome.FAIL, "one is missing")
    chain.add(Waived("collectors", "known, being repaired", EXPIRES))
    item = chain.state().items["collectors"]
    assert (item.outcome, item.measured_outcome) == (Outcome.WAIVED, Outcome.FAIL)
    assert item.summary == "waived until 2026-11-28: known, being repaired (one is missing)"
    assert chain.state().result is Result.PASS
    assert chain.measured("collectors", Outcome.PASS).state().items["collectors"].outcome is Outcome.PASS
    chain.measured("collectors", Outcome.FAIL).add(Restored("collectors"))
    assert chain.state().items["collectors"].outcome is Outcome.FAIL
    assert (
        chain.add(Skipped("collectors", "no collection today")).state().items["collectors"].outcome
        is Outcome.SKIPPED
    )


def test_what_stands_before_the_sign_off() -> None:
    """Unseen items and greens that are none have to be dealt with; a note, skip or waiver does."""
    chain = (
        Chain()
        .measured("collectors", Outcome.FAIL, "one is missing")
        .measured("disk", Outcome.ERROR, "gone", target="/")
        .measured("disk", Outcome.PASS, target="/var")
    )
    assert [(each.item, each.field) for each in hurdles(chain.state())] == [
        ("collectors", ""),
        ("disk", ""),
        ("tickets", ""),
        ("look", ""),
        ("", "issues"),
    ]
    chain.add(Noted("collectors", "restarted")).add(Waived("disk", "being replaced", EXPIRES))
    chain.add(Skipped("tickets", "no access today")).add(Ticked("look")).add(Filled("issues", "a disk"))
    assert hurdles(chain.state()) == ()
    assert chain.state().result is Result.FAIL
    assert count_words(chain.state().counts) == "1 pass, 1 fail, 1 waived, 1 skipped"


def test_a_blocked_item_is_explained_by_what_it_needs() -> None:
    """One note on the dead database is enough for the thirteen items that it blocks; a stale block is not."""
    needy = msgspec.structs.replace(CHECKLIST.items[1], for_each=(), requires=("collectors",))
    definition = msgspec.structs.replace(
        CHECKLIST, sections=(Section("Collection", (CHECKLIST.items[0], needy)),), fields=()
    )
    chain = (
        Chain(definition).measured("collectors", Outcome.FAIL, "one is missing").measured("disk", Outcome.BLOCKED)
    )
    assert [each.item for each in hurdles(chain.state())] == ["collectors", "disk"]
    assert hurdles(chain.add(Noted("collectors", "restarted")).state()) == ()
    chain.measured("collectors", Outcome.PASS)
    assert [each.item for each in hurdles(chain.state())] == ["disk"]


def test_an_edited_checklist_shows() -> None:
    """An edit keeps what still means the same, asks anew for what changed, and loses nothing."""
    chain = green().add(Noted("collectors", "all well"))
    first, second = CHECKLIST.sections
    changed = msgspec.structs.replace(first.items[0], require=(parse_condition("count == 3"),))
    edited: Checklist = msgspec.structs.replace(CHECKLIST, sections=(Section("Collection", (changed,)), second))
    chain.add(Redefined(definition=edited, definition_hash=definition_hash(edited)))
    state = chain.state()
    assert state.definition_hash != definition_hash(CHECKLIST)
    assert state.items["collectors"].outcome is Outcome.PENDING
    assert [note.text for note in state.items["collectors"].notes] == ["all well"]
    assert state.items["look"].outcome is Outcome.PASS
    assert list(state.items) == ["collectors", "tickets", "look"]
    assert list(state.retired) == ["disk"]


def test_a_signed_run_says_what_was_signed() -> None:
    """The statement binds the run, its definition, its last event, its counts and its signer."""
    chain = green()
    statement = statement_of(chain.state(), OPERATOR, store_id="store", signed_at=MORNING)
    assert (statement.result, statement.counts, statement.head_seq) == (Result.PASS, {Outcome.PASS: 4}, 7)
    assert (statement.head_hash, statement.utc_offset) == (chain.events[-1].hash, "-0600")
    signed = chain.add(Signed(statement=statement, signature=Signature(Tier.ATTRIBUTED))).state()
    assert signed.signed is not None
    assert signed.result is Result.PASS


@pytest.mark.parametrize(
    ("said", "result", "passed"),
    [
        ([Result.PASS], Result.PASS, True),
        ([Result.FAIL], Result.FAIL, False),
        ([Result.PASS, Result.PASS], Result.PASS, True),
        ([Result.PASS, Result.FAIL], Result.FAIL, False),
        ([Result.FAIL, Result.PASS], Result.PASS, False),
        ([Result.PASS, Result.FAIL, Result.PASS], Result.FAIL, False),
        ([Result.FAIL, Result.PASS, Result.FAIL], Result.FAIL, False),
        ([Result.FAIL, Result.PASS, Result.FAIL, Result.PASS], Result.FAIL, False),
    ],
)
def test_a_run_that_an_amendment_failed_stays_failed(said: list[Result], result: Result, passed: bool) -> None:
    """The sign-off and its amendments say in turn what the run came to: from a pass there is no way back to one."""
    chain = green()
    note = Amendment(kind=AmendmentKind.NOTE, reason="because", text="x")
    for place, each in enumerate(said):
        plain = statement_of(chain.state(), OPERATOR, store_id="store", signed_at=MORNING)
        statement = msgspec.structs.replace(plain, result=each)
        if place:
            statement = msgspec.structs.replace(statement, meaning=Meaning.AMENDED, amendment=note)
        body = Amended if place else Signed
        chain.add(body(statement=statement, signature=Signature(Tier.ATTRIBUTED)))
    reviewed = msgspec.structs.replace(plain, meaning=Meaning.REVIEWED, result=Result.PASS)
    chain.add(Signed(statement=reviewed, signature=Signature(Tier.ATTRIBUTED)))
    assert (chain.state().result, chain.state().passed) == (result, passed)


def test_events_of_another_run_are_refused() -> None:
    """A fold over mixed or headless events raises instead of showing a run that never was."""
    one, other = Chain(), Chain(date=dt.date(2026, 11, 20))
    with pytest.raises(FoldError):
        fold([*one.events, *other.events])
    with pytest.raises(FoldError):
        fold(green().events[1:])
    with pytest.raises(FoldError):
        Chain().add(Ticked("nothing")).state()
    assert fold([]) is None


_bodies: st.SearchStrategy[Body] = st.one_of(
    st.sampled_from(["collectors", "look"]).flatmap(
        lambda item: st.sampled_from(
            [
                Ticked(item),
                Unticked(item),
                Restored(item),
                Noted(item, "n"),
                Skipped(item, "r"),
                Waived(item, "w", EXPIRES),
            ]
        )
    ),
    st.just(Noted("", "run")),
    st.sampled_from([Outcome.PASS, Outcome.FAIL]).map(entered),
    st.just(Filled("issues", "none")),
)


@given(st.lists(_bodies, max_size=12))
def test_folding_is_the_same_in_one_go_and_event_by_event(bodies: list[Body]) -> None:
    """A console that was open all morning shows what one that is opened now shows, also after encoding."""
    chain = Chain()
    live = chain.state()
    for body in bodies:
        chain.add(body)
        live.apply(chain.events[-1])
    again = fold(
        msgspec.structs.replace(each, event=decoded(canonical(each.event), Event)) for each in chain.events
    )
    assert again == live
    assert result_of(each.outcome for each in live.items.values()) is live.result


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1))
def test_the_worst_outcome_wins(outcomes: list[Outcome]) -> None:
    """One failure makes the whole a failure; a pass needs nothing worse beside it."""
    result = worst(outcomes)
    assert result in outcomes
    if Outcome.FAIL in outcomes:
        assert result is Outcome.FAIL
    if result is Outcome.PASS:
        assert set(outcomes) <= {Outcome.PASS, Outcome.SKIPPED}


def test_floats_never_reach_a_record() -> None:
    """A float in an option is refused where it would be hashed."""
    item = msgspec.structs.replace(CHECKLIST.items[0], options={"ratio": 0.1})
    with pytest.raises(ValueError, match="float"):
        canonical(item)
