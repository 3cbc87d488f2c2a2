"""A qualification in words for a terminal: its days, resets, review, and what stands against an approval."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opsconsole.cli.tables import table
from opsconsole.export.facts import moment, weekday
from opsconsole.model.counting import Attempt, Day, DayState, Decision, Phase, QualificationState, Reset
from opsconsole.model.qualifications import DayFact, Said
from opsconsole.model.text import visible, visible_lines

if TYPE_CHECKING:
    from opsconsole.engine.approving import Case

_HEAD = ("DAY", "DATE", "STATE", "RESULT", "SIGNED BY", "WHY")


def case_lines(case: "Case", *, all_counts: bool = False) -> Iterator[str]:
    """Yield everything that somebody who decides is shown; texts of people and sources in it are harmless.

    The days of the last count, of every count with `all_counts`.
    """
    state, definition = case.state, case.state.definition
    yield visible(f"{definition.title} ({definition.id})")
    yield visible(f"{definition.days} days of {definition.checklist}; then {definition.phase}")
    if definition.start is not None:
        yield f"start      {definition.start}: nothing counts before it"
    yield f"as of      {moment(case.at, case.where)}"
    yield visible(f"stands     {standing_words(state)}")
    yield f"records    {_records(case)}"
    yield from (f"  {visible(each)}" for each in _record_lines(case))
    for attempt in state.attempts if all_counts else [state.current]:
        yield from _count_lines(attempt)
    yield from _section("Resets", (line for each in state.resets for line in _reset_lines(case, each)))
    yield from _section("Days on which not everything passed", _issues(state.current))
    yield from _section("Decisions that do not stand", _overturned(state))
    yield from _section(
        "Changed since the decision", state.current.decision.changed if state.current.decision else ()
    )
    yield from _review_lines(case)
    yield from _section("Who may not decide, because it is their own work", _excluded_lines(case))
    yield from _section("To be done", case.missing)
    if state.current.decision is None:
        yield from _section("Against an approval", case.blockers)


def standing_words(state: QualificationState) -> str:
    """Return how far it is, such as `running: day 5 of 9, 4 passed since 2026-11-17`."""
    attempt, decision = state.current, state.current.decision
    since = f" since {attempt.first}" if attempt.first is not None else ""
    if decision is not None:
        return decision_words(decision, state.definition.phase)
    match state.phase:
        case Phase.NOT_BEGUN:
            return f"{state.phase}: no run of {state.definition.checklist} counts yet"
        case Phase.REACHED:
            return f"{state.phase}: {attempt.length} days, {attempt.first} to {attempt.reached}"
        case _:
            return f"{state.phase}: {day_words(attempt)}{since}"


def day_words(attempt: Attempt) -> str:
    """Return `day 5 of 9, 4 passed`."""
    return f"{attempt.present}, {attempt.passed} passed"


def decision_words(decision: Decision, phase: str) -> str:
    """Return who decided what and when, and whether the system is ready for `phase`."""
    said = "approved" if decision.approved else "refused"
    ready = f", {'ready' if decision.ready else 'NOT ready'} for {phase}" if decision.approved else ""
    reason = f": {' '.join(decision.reason.split())}" if decision.reason else ""
    anew = "" if decision.approved else f"; the days after {decision.date} count anew"
    return f"{said} by {decision.by} at {decision.at:%Y-%m-%d %H:%MZ} in {decision.run}{ready}{anew}{reason}"


def reset_words(reset: Reset) -> str:
    """Return why a count ended, and after how many days."""
    return f"{reset.date} after {_days(reset.reached)}: {reset.cause}"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _records(case: "Case") -> str:
    evidence = case.evidence
    if evidence is None:
        return "NOT VERIFIED: what follows is what is stored"
    if not evidence.holds:
        return "BROKEN: not all of them hold"
    return "verified, and they hold" if evidence.is_whole else "NOT EVERYTHING COULD BE CHECKED"


def _record_lines(case: "Case") -> Iterator[str]:
    if case.evidence is None:
        return
    yield from (f"BROKEN: {run}: {why}" for run, why in case.evidence.faults.items())
    yield from (f"NOT CHECKED: {run}: {why}" for run, why in case.evidence.unchecked.items())
    yield from case.evidence.record


def _count_lines(attempt: Attempt) -> Iterator[str]:
    rows = [_day_row(each) for each in attempt.days if each.state is not DayState.AFTER or _has_failed(each)]
    if not rows:
        return
    yield ""
    yield f"Count {attempt.number}"
    yield from (f"  {line}" for line in table([_HEAD, *rows]).splitlines())


def _has_failed(day: Day) -> bool:
    """Return whether a day after the last one speaks against the count all the same."""
    return bool(day.fact.fault) or (day.fact.signed_at is not None and not day.fact.passed)


def _day_row(day: Day) -> tuple[str, ...]:
    fact = day.fact
    shown = str(fact.result) if fact.result is not None else ""
    signed = f"{fact.signer}, {fact.tier}" if fact.signed_at is not None else ""
    if fact.amendments:
        signed += f", amended {'once' if fact.amendments == 1 else f'{fact.amendments} times'}"
    return (
        str(day.number) if day.number else "-",
        f"{weekday(fact.date)[:3]} {fact.date}",
        str(day.state).upper() if day.state is DayState.RESET else str(day.state),
        shown,
        signed,
        day.cause,
    )


def _reset_lines(case: "Case", reset: Reset) -> Iterator[str]:
    yield reset_words(reset)
    if reset.reason is not None:
        yield from _said_lines(reset.reason)
        return
    day = case.state.day_of(reset.run)
    if day is not None and day.fact.fault:
        yield f"  first: opsconsole verify {reset.run}"
    own = next(each for each in case.open_resets if each.reset == reset)
    first = before_amending(day.fact) if day is not None and own.holder == reset.run else ""
    command = f"opsconsole qualification reset {case.name} {reset.date} --reason TEXT"
    yield f"  OPEN: {own.why or first or command}"


def before_amending(fact: DayFact) -> str:
    """Return the command that comes before anything can be documented about a day; nothing where its run is signed.

    A day that nobody ran is explained, one that nobody signed is signed: what is documented is an amendment.
    """
    if fact.signed_at is not None:
        return ""
    if fact.missed or not fact.opened:
        return f"opsconsole explain {fact.run} --reason TEXT"
    return f"opsconsole sign {fact.run}"


def _said_lines(said: Said) -> Iterator[str]:
    first, *rest = visible_lines(said.text)
    yield f"  {said.who} at {said.at:%Y-%m-%d %H:%MZ}: {first}"
    yield from (f"    {line}" for line in rest)


def _issues(attempt: Attempt) -> Iterator[str]:
    for day in attempt.days:
        counts = ", ".join(
            f"{count} {outcome.lower()}"
            for outcome, count in day.fact.counts.items()
            if str(outcome) not in {"PASS", "PENDING"}
        )
        if counts:
            titles = f": {', '.join(day.fact.not_passed)}" if day.fact.not_passed else ""
            yield f"{day.fact.run}  {counts}{titles}"


def _overturned(state: QualificationState) -> Iterator[str]:
    for each in state.overturned:
        yield f"on the count to {each.last}: {decision_words(each, state.definition.phase)}"
        yield f"  {each.void}"


def _review_lines(case: "Case") -> Iterator[str]:
    review, definition = case.review, case.state.definition
    if review is None:
        return
    if not review.opened:
        said = f"not done: opsconsole qualification review {definition.id}"
    elif review.signed_at is None:
        said = "not signed"
    else:
        result = "passed" if review.passed else "DID NOT PASS"
        said = f"{result}, signed by {review.signer}, {review.tier}, at {review.signed_at:%Y-%m-%d %H:%MZ}"
    yield from _section("Final review", [f"{review.run}  {said}", *_item_lines(case)])


def _item_lines(case: "Case") -> Iterator[str]:
    for each in case.review_items:
        yield f"{each.outcome:8} {each.title}: {each.summary}"
        for note in each.notes:
            yield from (f"         note: {line}" for line in visible_lines(note))


def _excluded_lines(case: "Case") -> Iterator[str]:
    if case.state.current.reached is None or case.state.current.decision is not None:
        return
    if case.state.definition.approval.own_work:
        yield "(the definition allows it all the same: own_work = true)"
    for each in case.excluded:
        runs = each.signed[0] if len(each.signed) == 1 else f"{len(each.signed)} runs, {each.signed[0]} the first"
        yield f"{each.who}: signed {runs}"


def _section(title: str, lines: Iterator[str] | tuple[str, ...] | list[str]) -> Iterator[str]:
    """Yield a titled section; nothing where there is nothing in it."""
    found = [part for line in lines for part in visible_lines(line)]
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)
