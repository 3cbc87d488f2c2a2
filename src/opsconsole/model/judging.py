"""Judges a reading by its conditions: pure, and the same for every kind of probe.

What was not seen is never a pass: a missing cell, NaN, a cut-off table, an empty one whose conditions speak of
rows, and the comparison of unlike units all end in ERROR.
"""

from collections.abc import Sequence
from decimal import Decimal

from opsconsole.model.checklists import Item
from opsconsole.model.comparing import Seen, Unknown, held_against, verdict_of
from opsconsole.model.conditions import Condition
from opsconsole.model.explaining import explained
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Finding, Judgement, Level, Reading, Verdict
from opsconsole.model.values import Number, Value, shown

ENTRY = "entry"
"""The subject that holds what the operator typed."""


def judge(
    reading: Reading,
    require: Sequence[Condition],
    target: Sequence[Condition] = (),
    *,
    on_empty: Outcome | None = None,
    entry: Value = None,
) -> Judgement:
    """Judge `reading`, with the operator's `entry` if there is one.

    A broken requirement is FAIL, a condition that cannot be judged ERROR, a broken target WARN. An empty table
    has the outcome `on_empty`; without one, conditions on measures such as `count` are judged, and any that
    speaks of rows is ERROR.
    """
    if on_empty is not None and reading.tabular and not reading.rows and not reading.truncated:
        return Judgement(on_empty, "no rows")
    findings = tuple(
        _finding(condition, level, reading, entry)
        for level, conditions in ((Level.REQUIRE, require), (Level.TARGET, target))
        for condition in conditions
    )
    return Judgement(_outcome(findings), _summary(findings), findings)


def judge_entry(item: Item, reading: Reading, value: Value) -> Judgement:
    """Judge what was entered for an item, held against a reading; without conditions anything passes."""
    if not item.require and not item.target:
        return Judgement(Outcome.PASS, str(value))
    return judge(reading, item.require, item.target, entry=value)


def _outcome(findings: Sequence[Finding]) -> Outcome:
    verdicts = {(each.level, each.verdict) for each in findings}
    if (Level.REQUIRE, Verdict.BROKEN) in verdicts:
        return Outcome.FAIL
    if not findings or any(verdict is Verdict.UNKNOWN for _, verdict in verdicts):
        return Outcome.ERROR
    return Outcome.WARN if (Level.TARGET, Verdict.BROKEN) in verdicts else Outcome.PASS


_TELLING = (
    (Level.REQUIRE, Verdict.BROKEN),
    (Level.REQUIRE, Verdict.UNKNOWN),
    (Level.TARGET, Verdict.UNKNOWN),
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


def _finding(condition: Condition, level: Level, reading: Reading, entry: Value) -> Finding:
    try:
        seen = _compared(condition, reading, entry)
        verdict = verdict_of(condition, seen)
        text = explained(condition, level, verdict, seen, measures_of(reading, entry))
    except Unknown as unknown:
        verdict, text = Verdict.UNKNOWN, str(unknown)
    return Finding(condition.text, level, verdict, text)


def measures_of(reading: Reading, entry: Value = None) -> dict[str, Value]:
    """Return the named single values of a reading, with `count` and `value` where its table gives them."""
    found = dict(reading.measures)
    if reading.tabular:
        if not reading.truncated:
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
    return [(_row_name(reading, index), row[at]) for index, row in enumerate(reading.rows)]


def _row_name(reading: Reading, index: int) -> str:
    """Return what a row is called: its label, else its first text, else its number where there are several."""
    row = reading.rows[index]
    if reading.label in reading.columns:
        return shown(row[reading.columns.index(reading.label)])
    text = next((cell for cell in row if isinstance(cell, str)), None)
    if text is not None:
        return text
    return f"row {index + 1}" if len(reading.rows) > 1 else ""


def _compared(condition: Condition, reading: Reading, entry: Value) -> list[Seen]:
    measures = measures_of(reading, entry)
    return [held_against(condition, who, value, measures) for who, value in _subjects(condition, reading, entry)]
