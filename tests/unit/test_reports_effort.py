"""The time that people spent is what the record can show of it, counted once and never guessed."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.events import Actor, Ticked, Via
from opsconsole.model.report_effort import LONGEST_PAUSE, Act, active_times, acts_of, planned_minutes
from support.runs import Chain

START = dt.datetime(2026, 11, 21, 14, 0, tzinfo=dt.UTC)


def act(minute: float, run: str = "a@1", person: str = "jane") -> Act:
    """Return something done so many minutes after two."""
    return Act(START + dt.timedelta(minutes=minute), person, run)


def minutes(*acts: Act) -> dict[tuple[str, str], float]:
    """Return the minutes by run and person."""
    found = active_times(acts)
    return {(run, who): spent / 60e6 for run, people in found.items() for who, spent in people.items() if spent}


def test_a_long_pause_is_no_work() -> None:
    """Whoever leaves for a meeting and signs after it did not work on the list for two hours."""
    assert minutes(act(0), act(3), act(120), act(121)) == {("a@1", "jane"): 4}
    assert minutes(act(0), act(10), act(20.5)) == {("a@1", "jane"): 10}
    assert minutes(act(0)) == {}


def test_going_back_and_forth_between_lists_is_counted_once() -> None:
    """Two lists that are open side by side cost the time of one person, not of two."""
    found = minutes(act(0), act(2, "b@1"), act(4), act(6, "b@1"))
    assert found == {("b@1", "jane"): 4, ("a@1", "jane"): 2}


def test_two_people_work_at_the_same_time() -> None:
    """Each person's time is their own."""
    assert minutes(act(0), act(1, person="ravi"), act(2), act(5, person="ravi")) == {
        ("a@1", "jane"): 2,
        ("a@1", "ravi"): 4,
    }


@given(st.lists(st.tuples(st.integers(0, 600), st.sampled_from("ab"), st.sampled_from("jr")), max_size=30))
def test_nobody_works_longer_than_from_first_to_last(found: list[tuple[int, str, str]]) -> None:
    """The time of a person is never more than lies between the first and the last thing they did."""
    acts = [act(minute, run, person) for minute, run, person in found]
    spent = minutes(*acts)
    for person in {each.person for each in acts}:
        own = [each.at for each in acts if each.person == person]
        total = sum(count for (_, who), count in spent.items() if who == person)
        assert total <= (max(own) - min(own)) / dt.timedelta(minutes=1) + 1e-6
        assert total <= LONGEST_PAUSE / dt.timedelta(minutes=1) * (len(own) - 1) + 1e-6


def test_what_cron_measured_is_nobodys_time() -> None:
    """A headless run costs no person anything."""
    cron = Actor("cron", "", "ops01", Via.HEADLESS)
    chain = Chain().add(Ticked("look"), cron).add(Ticked("look"))
    by_people = [each.person for each in acts_of(chain.events)]
    assert "cron" not in by_people[1:]
    assert by_people[-1] == "Day Operator (operator)"


def test_planned_is_what_a_person_had_to_do() -> None:
    """The minutes of measured items are not planned for people."""
    assert planned_minutes(Chain().state()) == 0
