"""Judges readings in tests of probes, to say what the operator would see."""

from typing import Any

from opsconsole.contracts.probe import ProbeKind
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number


def outcome(reading: Reading, *conditions: str) -> Outcome:
    """Return what an item with these requirements becomes."""
    return judge(reading, [parse_condition(each) for each in conditions]).outcome


def assert_declared(kind: ProbeKind, options: Any, reading: Reading) -> None:
    """Check that a reading has no subject but the declared ones, in the declared units."""
    declared = kind.subjects(options)
    assert declared is not None
    assert set(reading.measures) | set(reading.columns) <= set(declared)
    for name, value in reading.measures.items():
        unit = value.unit if isinstance(value, Number) else None
        assert value is None or unit == declared[name], name
    assert all(len(row) == len(reading.columns) for row in reading.rows)
