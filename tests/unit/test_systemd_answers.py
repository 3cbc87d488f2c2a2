"""Whatever systemctl prints is a value, nothing, or an error with a cause: never a traceback."""

import contextlib
import datetime as dt
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _systemd, timer, unit
from opsconsole.checks._unittables import COLUMNS, parsed_units
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.values import Moment, Number, Unit
from support.systemd import context

NOW = dt.datetime(2026, 11, 21, 6, tzinfo=dt.UTC)
_VALUES = (
    st.sampled_from(
        [
            "",
            "0",
            "1",
            "[not set]",
            "n/a",
            "infinity",
            "18446744073709551615",
            "99999999999999999999999999",
            "²",
            "١٢",
            "active",
            "failed",
            "not-found",
            "yes",
            "Sat 2026-11-21 05:00:00 UTC",
            "Sat 2026-11-21 05:00:00.123456 UTC",
            "Sat 9999-99-99 99:99:99 UTC",
            "Sat 2026-11-21 05:00:00 CET",
            "1h 30min 6.741605s",
            "99999999999999999999y",
            "1month 1us",
        ]
    )
    | st.text(max_size=30)
    | st.integers().map(str)
)
_NAMES = st.sampled_from(sorted({*unit._PROPERTIES, *timer._PROPERTIES, "Id", "LoadState"}))
_SHOWN = st.dictionaries(_NAMES, _VALUES)


@given(_VALUES)
def test_single_values(value: str) -> None:
    """Numbers, times and spans are read or refused; what is no ASCII digit is no number."""
    for read in (_systemd.whole, _systemd.monotonic, _systemd.moment, _systemd.span):
        with contextlib.suppress(ProbeError):
            found = read(value)
            assert found is None or isinstance(found, Number | Moment | Decimal)


@pytest.mark.parametrize("span", ["99999999999999999999y", "9999y", "99999999999999999999s"])
def test_a_timer_that_elapses_after_the_end_of_time(span: str) -> None:
    """A span that no calendar has room for is an error."""
    with pytest.raises(ProbeError):
        timer.next_elapse({"NextElapseUSecMonotonic": span}, NOW)


@given(_SHOWN)
def test_properties_of_a_unit(shown: dict[str, str]) -> None:
    """Properties in any state make a reading or an error, and what is not said is missing from it."""
    with contextlib.suppress(ProbeError):
        state = unit._state_of(shown, context(now=NOW))
        assert set(state) == set(unit.ONE)
        assert (state["active"] is None) is (shown.get("ActiveState", "") in _systemd._UNSET)
    with contextlib.suppress(ProbeError):
        timer.next_elapse(shown, NOW)


_LINES = st.dictionaries(st.text(max_size=5), _VALUES).map(lambda each: "\n".join(map("=".join, each.items())))


@given(st.text() | _LINES)
def test_lines_of_properties(text: str) -> None:
    """Lines without an equals sign are none."""
    for name, value in _systemd.parsed_properties(text).items():
        assert f"{name}={value}" in text


_CELLS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
_UNITS = st.lists(st.dictionaries(st.sampled_from(COLUMNS) | st.text(max_size=3), _CELLS, max_size=6) | _CELLS)


@given(_UNITS.map(json.dumps) | st.text() | st.text().map(lambda each: f"[{each}"))
def test_lists_of_units(text: str) -> None:
    """A list has whole rows of texts, or is an error."""
    with contextlib.suppress(ProbeError):
        for row in parsed_units(text):
            assert len(row) == len(COLUMNS)
            assert all(isinstance(cell, str) for cell in row)


@pytest.mark.parametrize("text", ["[" * 100_000, '[{"unit":' * 50_000])
def test_lists_nested_without_end(text: str) -> None:
    """Nor do nested lists without end break it."""
    with pytest.raises(ProbeError):
        parsed_units(text)


def test_what_an_older_systemd_does_not_tell() -> None:
    """An answer that leaves out whether a unit's file has changed does not say that it has not."""
    for shown, expected in (({}, None), ({"NeedDaemonReload": "no"}, False), ({"NeedDaemonReload": "yes"}, True)):
        assert unit._state_of(shown, context(now=NOW))["needs_reload"] is expected
    assert all(value in {None, False} for value in unit._state_of({}, context(now=NOW)).values())


def test_memory_against_its_limit() -> None:
    """The share of memory is that of the limit that counts; without a limit, or a figure, there is none."""
    gib = str(1 << 30)
    shown = {"MemoryCurrent": str(1 << 29), "MemoryMax": gib, "MemoryPeak": gib}
    state = unit._state_of(shown, context(now=NOW))
    assert state["memory_used"] == Number(Decimal(50), Unit.PERCENT)
    assert state["memory_peak"] == state["memory_limit"] == Number(Decimal(1 << 30), Unit.BYTES)
    effective = unit._state_of(shown | {"EffectiveMemoryMax": str(1 << 31)}, context(now=NOW))
    assert effective["memory_used"] == Number(Decimal(25), Unit.PERCENT)
    for change in ({"MemoryMax": "infinity"}, {"MemoryMax": "0"}, {"MemoryCurrent": "[not set]"}):
        assert unit._state_of(shown | change, context(now=NOW))["memory_used"] is None
