"""Judges a reading by its conditions: pure, and the same for every kind of probe.

What was not seen is never a pass: a missing cell, NaN, a cut-off table, an empty one whose conditions speak of
rows, and the comparison of unlike units all end in ERROR. What is known to be wrong outweighs what is not known,
and that outweighs what the item says an empty table, NaN or too little of a past means.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial

import msgspec

from opsconsole.model.bounds import bounded, uncounted
from opsconsole.model.checklists import Item
from opsconsole.model.comparing import (
    NoHistory,
    NotANumber,
    Seen,
    Unknown,
    held_against,
    named,
    refuse_unseen,
    verdict_of,
)
from opsconsole.model.conditions import Condition, Quantifier
from opsconsole.model.explaining import explained
from opsconsole.model.outcomes import Outcome, worst
from opsconsole.model.readings import Finding, Judgement, Level, Reading, Verdict
from opsconsole.model.values import Number, Value, shown

ENTRY = "entry"
"""The subject that holds what the operator typed."""


_Unproven = Mapping[Verdict, Outcome]
"""What it comes to that a condition could not be judged, for the reasons of which the item says that itself."""


class Unread(msgspec.Struct, frozen=True):
    """Why there is nothing to hold an entry against: what it is compared with could not be measured."""

    cause: str
    outcome: Outcome
    """What the item says that means."""


def judge(
    reading: Reading,
    require: Sequence[Condition],
    target: Sequence[Condition] = (),
    *,
    on_empty: Outcome | None = None,
    on_no_history: Outcome = Outcome.ERROR,
    on_nan: Outcome = Outcome.ERROR,
    entry: Value = None,
    unread: Unread | None = None,
) -> Judgement:
    """Judge `reading`, with the operator's `entry` if there is one; `unread` says why there is nothing but that.

    A broken requirement is FAIL, a condition that cannot be judged ERROR, a broken target WARN. For an empty table
    `on_empty` answers the conditions that speak of its rows, their number among them; without it those on measures
    such as `count` are judged, and any that speaks of rows is ERROR. Where all that is wrong is that there are too
    few earlier readings to compare with, it is `on_no_history`; where it is that a number is NaN, `on_nan`; of
    several such the worst.
    """
    unproven = {
        Verdict.NO_HISTORY: _unproven(on_no_history),
        Verdict.NAN: _unproven(on_nan),
        Verdict.UNREAD: _unproven(unread.outcome if unread is not None else Outcome.ERROR),
    }
    is_empty = on_empty is not None and reading.tabular and not reading.rows and not reading.truncated
    findings = tuple(
        Finding(condition.text, level, Verdict.UNREAD, unread.cause)
        if unread is not None and _needs_reading(condition)
        else _finding(condition, level, reading, entry, unproven)
        for level, conditions in ((Level.REQUIRE, require), (Level.TARGET, target))
        for condition in conditions
        if not (is_empty and _speaks_of_rows(condition, reading))
    )
    outcome = _outcome(findings, unproven)
    if is_empty and on_empty is not None:
        weighed = worst({on_empty, *({outcome} if findings else ())} - {Outcome.PASS} or {on_empty})
        if outcome is Outcome.PASS or weighed is not outcome or not findings:
            return Judgement(weighed, "no rows", findings)
    return Judgement(outcome, _summary(findings), findings)


def _speaks_of_rows(condition: Condition, reading: Reading) -> bool:
    """Return whether a condition asks an empty table for a cell, for the number of rows, or what they come to."""
    measures = measures_of(reading)
    values = [measures.get(name) for name in (condition.subject, *condition.names())]
    if condition.quantifier is not None or None in values:
        return True
    is_count = condition.subject == "count" and condition.subject not in reading.lower_bounds
    return is_count and values[0] == Number(Decimal(0))


def _needs_reading(condition: Condition) -> bool:
    return {condition.subject, *condition.names()} != {ENTRY}


def judge_item(item: Item, reading: Reading, entry: Value = None) -> Judgement:
    """Judge the reading of an item by its conditions."""
    return judge(
        reading,
        item.require,
        item.target,
        on_empty=item.on_empty if entry is None else None,
        on_no_history=item.on_no_history,
        on_nan=item.on_nan,
        entry=entry,
    )


def without_history(item: Item) -> Outcome:
    """Return what an item comes to that has too little of a past: never a pass, whatever its definition says."""
    return _unproven(item.on_no_history)


def judge_entry(item: Item, reading: Reading, value: Value, unread: Unread | None = None) -> Judgement:
    """Judge what was entered for an item, held against a reading; without conditions anything passes.

    Where there is no reading (`unread`), only the conditions that speak of the entry alone can be judged.
    """
    if not item.require and not item.target:
        return Judgement(Outcome.PASS, str(value))
    return judge(
        reading,
        item.require,
        item.target,
        on_no_history=item.on_no_history,
        on_nan=item.on_nan,
        entry=value,
        unread=unread,
    )


_COMES_TO = {
    (Level.REQUIRE, Verdict.BROKEN): Outcome.FAIL,
    (Level.TARGET, Verdict.BROKEN): Outcome.WARN,
    (Level.REQUIRE, Verdict.UNKNOWN): Outcome.ERROR,
    (Level.TARGET, Verdict.UNKNOWN): Outcome.ERROR,
}


def _outcome(findings: Sequence[Finding], unproven: _Unproven) -> Outcome:
    """Return the worst of what the findings come to; those that hold never outweigh one that was not seen."""
    if not findings:
        return Outcome.ERROR
    verdicts = {(each.level, each.verdict) for each in findings}
    found = [_COMES_TO.get(each) or unproven.get(each[1]) for each in verdicts]
    amiss = [each for each in found if each is not None]
    return worst(amiss) if amiss else Outcome.PASS


def _unproven(outcome: Outcome) -> Outcome:
    return outcome if outcome in {Outcome.FAIL, Outcome.WARN, Outcome.SKIPPED} else Outcome.ERROR


_TELLING = (
    (Level.REQUIRE, Verdict.BROKEN),
    (Level.REQUIRE, Verdict.UNKNOWN),
    (Level.TARGET, Verdict.UNKNOWN),
    (Level.REQUIRE, Verdict.UNREAD),
    (Level.TARGET, Verdict.UNREAD),
    (Level.REQUIRE, Verdict.NAN),
    (Level.TARGET, Verdict.NAN),
    (Level.REQUIRE, Verdict.NO_HISTORY),
    (Level.TARGET, Verdict.NO_HISTORY),
    (Level.TARGET, Verdict.BROKEN),
    (Level.REQUIRE, Verdict.NEAR),
    (Level.TARGET, Verdict.NEAR),
)


def _summary(findings: Sequence[Finding]) -> str:
    for level, verdict in _TELLING:
        telling = [each.text for each in findings if (each.level, each.verdict) == (level, verdict)]
        if telling:
            return "; ".join(dict.fromkeys(telling))
    required = [each.text for each in findings if each.level is Level.REQUIRE]
    return "; ".join(dict.fromkeys(required or [each.text for each in findings]))


def _finding(condition: Condition, level: Level, reading: Reading, entry: Value, unproven: _Unproven) -> Finding:
    try:
        seen, missing = _compared(condition, reading, entry)
        verdict = verdict_of(condition, seen) if seen else Verdict.UNKNOWN
        if missing and not _settled(condition, verdict, missing):
            raise _weightiest(missing, unproven)
        text = explained(condition, level, verdict, seen, partial(_limits_of, condition, reading, entry))
    except NoHistory as unknown:
        verdict, text = Verdict.NO_HISTORY, str(unknown)
    except NotANumber as unknown:
        verdict, text = Verdict.NAN, str(unknown)
    except Unknown as unknown:
        verdict, text = Verdict.UNKNOWN, str(unknown)
    return Finding(condition.text, level, verdict, text)


def _weightiest(missing: Sequence[Unknown], unproven: _Unproven) -> Unknown:
    """Return the reason that comes to the worst outcome, so that a mild one among several rows hides no other."""

    def outcome(why: Unknown) -> Outcome:
        return unproven[Verdict.NO_HISTORY if isinstance(why, NoHistory) else Verdict.NAN]

    weight = worst(map(outcome, missing))
    return next(why for why in missing if outcome(why) is weight)


def _settled(condition: Condition, verdict: Verdict, missing: Sequence[Unknown]) -> bool:
    """Return whether the rows that can be compared decide by themselves, whatever the others would come to.

    A number that is none settles nothing for the good: where one row is NaN, what counted it may be broken.
    """
    if condition.quantifier is Quantifier.ANY:
        good = verdict in {Verdict.HOLDS, Verdict.NEAR}
        return good and not any(isinstance(why, NotANumber) for why in missing)
    return verdict is Verdict.BROKEN


def measures_of(reading: Reading, entry: Value = None) -> dict[str, Value]:
    """Return the named single values of a reading, with `count` and `value` where its table gives them."""
    found = dict(reading.measures)
    if reading.tabular and not reading.truncated:
        found.setdefault("count", Number(Decimal(len(reading.rows))))
        if len(reading.rows) == 1 and len(reading.columns) == 1:
            found.setdefault("value", reading.rows[0][0])
    if entry is not None:
        found[ENTRY] = entry
    return found


def _names(columns: Sequence[str]) -> str:
    return ", ".join(columns) or "none"


def _subjects(condition: Condition, reading: Reading, entry: Value) -> list[tuple[str, Value]]:
    """Return the values that the condition speaks of, each with the name of its row (empty for a measure)."""
    measures = measures_of(reading, entry)
    if condition.quantifier is None and condition.subject in measures:
        return [("", measures[condition.subject])]
    if condition.subject not in reading.columns:
        if condition.subject == "count" and reading.truncated:
            raise Unknown("the result was cut off, so its rows cannot be counted")
        if condition.subject == "value" and reading.truncated:
            raise Unknown("the result was cut off, so no single value was seen whole")
        known = _names((*measures, *reading.columns))
        raise Unknown(f"the reading has no '{condition.subject}'; it has {known}")
    if condition.quantifier is None and len(reading.rows) > 1:
        raise Unknown(
            f"{len(reading.rows)} rows have a '{condition.subject}'; the condition must say every, any or no"
        )
    if reading.truncated:
        raise Unknown("the result was cut off, so not every row was seen")
    if not reading.rows:
        raise Unknown(f"the result is empty, so no '{condition.subject}' was seen")
    at = reading.columns.index(condition.subject)
    return [(row_name(reading, index), row[at]) for index, row in enumerate(reading.rows)]


def row_name(reading: Reading, index: int) -> str:
    """Return what a row is called: its label, else its first text, else its number where there are several."""
    row = reading.rows[index]
    if reading.label in reading.columns:
        return shown(row[reading.columns.index(reading.label)])
    text = next((cell for cell in row if isinstance(cell, str)), None)
    if text is not None:
        return text
    return f"row {index + 1}" if len(reading.rows) > 1 else ""


def row_names(reading: Reading) -> list[str]:
    """Return what each row is called."""
    return [row_name(reading, index) for index in range(len(reading.rows))]


def _compared(condition: Condition, reading: Reading, entry: Value) -> tuple[list[Seen], list[Unknown]]:
    """Return the rows that were held against the limit, and why others could not be: no past, or no number.

    A value that was not seen at all is another matter: it raises Unknown before.
    """
    subjects = _subjects(condition, reading, entry)
    for who, value in subjects:
        with suppress(NotANumber):
            refuse_unseen(condition, who, value)
    seen, missing = [], []
    for who, value in subjects:
        try:
            refuse_unseen(condition, who, value)  # a number that is none is no lack of a past
            held = held_against(condition, who, value, _limits_of(condition, reading, entry, who))
        except (NoHistory, NotANumber) as why:
            if not who and condition.subject in reading.lower_bounds:  # what was not seen in full weighs more
                raise uncounted(condition, value) from why
            missing.append(why)
            continue
        seen.append(bounded(condition, held, reading.lower_bounds, measures_of(reading, entry)))
    return seen, sorted(missing, key=lambda why: isinstance(why, NoHistory))


def _limits_of(condition: Condition, reading: Reading, entry: Value, who: str) -> dict[str, Value]:
    """Return what the limit of one row may refer to: measures, and the row's own past.

    Raises NoHistory where that is missing, and Unknown where the reason is another than a lack of readings.
    """
    measures = measures_of(reading, entry)
    name = condition.past()
    if not name:
        return measures
    own = next((each for each in reading.past if (each.subject, each.row) == (condition.subject, who)), None)
    value = own.values.get(name) if own is not None else None
    if own is None or value is None:
        told = f"{named(condition, who)} cannot be compared with '{name}'"
        if own is not None and own.problem:
            raise Unknown(f"{told}: {own.problem}")
        why = own.missing.get(name, "") if own is not None else ""
        raise NoHistory(f"{told}: {why or 'nothing was read before'}")
    return {**measures, name: value}


def past_subjects(conditions: Sequence[Condition], reading: Reading) -> list[tuple[str, str, str]]:
    """Return what `conditions` compare with the past of a reading: subject, row (empty for a measure) and name."""
    found: dict[tuple[str, str, str], None] = {}
    for condition in conditions:
        if condition.past() and condition.subject == ENTRY:
            found[ENTRY, "", condition.past()] = None
        elif condition.past():
            try:
                rows = _subjects(condition, reading, None)
            except Unknown:  # which judging says
                continue
            found |= dict.fromkeys((condition.subject, who, condition.past()) for who, _ in rows)
    return list(found)


def value_at(reading: Reading, subject: str, row: str) -> Value:
    """Return the value of a measure, or of a column in the row of that name; None where the reading has none."""
    if not row:
        measures = measures_of(reading)
        if subject in measures:
            return measures[subject]
    if subject not in reading.columns or reading.truncated:
        return None
    at = reading.columns.index(subject)
    named = [each[at] for index, each in enumerate(reading.rows) if row_name(reading, index) == row]
    return named[0] if len(named) == 1 else None
