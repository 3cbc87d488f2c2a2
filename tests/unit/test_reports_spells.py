"""Since when, for how long and how often something was not good: never longer, shorter or better than was seen."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.events import Ticked
from opsconsole.model.outcomes import Outcome
from opsconsole.model.report_spells import BAD, GOOD, Observation, bad_items, observations, spells_of
from support.runs import Chain

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
outcomes = st.lists(st.sampled_from(sorted(Outcome)), max_size=40)


def seen(*found: Outcome) -> list[Observation]:
    """Return observations an hour apart."""
    return [
        Observation(START + dt.timedelta(hours=at), f"run@{at}", each, f"cause {at}")
        for at, each in enumerate(found)
    ]


P, W, F, E, B, S = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED, Outcome.SKIPPED
TABLE = {
    "nothing was seen": ((), []),
    "all good": ((P, W, P), []),
    "once": ((P, F, P), [(1, 2, 1, False)]),
    "still": ((P, F, F), [(1, None, 2, False)]),
    "it may have begun before": ((F, P), [(0, 1, 1, True)]),
    "a skip sees nothing": ((P, F, S, P), [(1, 3, 1, False)]),
    "a skip ends nothing": ((P, F, S), [(1, None, 1, False)]),
    "what could not be seen is not good": ((P, F, E, B, P), [(1, 4, 3, False)]),
    "a missed target is no failure": ((P, F, W), [(1, 2, 1, False)]),
    "twice": ((P, F, P, E, P), [(1, 2, 1, False), (3, 4, 1, False)]),
}


@pytest.mark.parametrize("case", TABLE)
def test_spells(case: str) -> None:
    """A failure lasts from its first bad reading to the first good one after it."""
    found, expected = TABLE[case]
    hour = dt.timedelta(hours=1)
    assert [
        (
            (each.began_at - START) // hour,
            (each.ended_at - START) // hour if each.ended_at is not None else None,
            each.readings,
            each.earlier,
        )
        for each in spells_of(seen(*found))
    ] == expected


@given(outcomes)
def test_spells_account_for_every_bad_reading(found: list[Outcome]) -> None:
    """No bad reading is left out or counted twice, no good one lies within a spell, and spells never overlap."""
    observed = seen(*found)
    spells = spells_of(observed)
    assert sum(each.readings for each in spells) == sum(each.outcome in BAD for each in observed)
    for spell in spells:
        until = spell.ended_at or dt.datetime.max.replace(tzinfo=dt.UTC)
        inside = [each for each in observed if spell.began_at <= each.at < until]
        assert inside[0].outcome in BAD
        assert not any(each.outcome in GOOD for each in inside)
        assert spell.last_bad_at == max(each.at for each in inside if each.outcome in BAD)
    ends = [each.ended_at for each in spells]
    assert None not in ends[:-1]
    assert [each.began_at for each in spells] == sorted(each.began_at for each in spells)


def test_targets_are_good_only_together() -> None:
    """One disk that is read well in the morning does not end the failure of the other."""
    chain = Chain().measured("disk", F, target="/var").measured("disk", P, target="/")
    state = chain.state()
    assert [each.outcome for each in observations(state, state.items["disk"])] == [F, F]
    state = Chain().measured("disk", P, target="/").state()
    assert [each.outcome for each in observations(state, state.items["disk"])] == []


def test_a_failure_that_was_over_within_its_run_is_told() -> None:
    """A service that failed at seven and ran at eight was down for an hour, although the run passed."""
    state = Chain().measured("collectors", F).measured("collectors", P).state()
    assert state.items["collectors"].outcome is P
    assert bad_items(state) == {"collectors"}


def test_a_tick_is_a_good_reading_and_its_absence_none() -> None:
    """Nobody having looked is neither good nor bad."""
    chain = Chain()
    assert list(observations(chain.state(), chain.state().items["look"])) == []
    state = chain.add(Ticked("look")).state()
    assert [each.outcome for each in observations(state, state.items["look"])] == [P]
