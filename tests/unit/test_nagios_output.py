"""What plugins of Nagios print is taken apart as its guidelines say, and nothing they print breaks it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._nagios import COLUMNS, MOST, Perf, measures, parsed
from opsconsole.model.values import Number, Unit, Value, number

GIB = 1 << 30


def _perf(text: str) -> tuple[Perf, ...]:
    said = parsed(f"OK | {text}")
    assert said.unread == ()
    return said.perf


@pytest.mark.parametrize(
    ("datum", "expected"),
    [
        ("load1=0.450;5.000;10.000;0;", {"value": number("0.450"), "warn": number(5), "crit": number(10)}),
        ("time=0.012s;;;0.000;10.000", {"value": number("0.012", Unit.SECONDS), "high": number(10, Unit.SECONDS)}),
        ("rta=41.5ms;100;200", {"value": number("0.0415", Unit.SECONDS), "warn": number("0.1", Unit.SECONDS)}),
        ("t=250us", {"value": number("0.00025", Unit.SECONDS)}),
        ("pl=0%;20;60;0;100", {"value": number(0, Unit.PERCENT), "crit": number(60, Unit.PERCENT)}),
        ("size=2KB", {"value": number(2000, Unit.BYTES)}),
        ("size=2KiB", {"value": number(2048, Unit.BYTES)}),
        ("size=3MB;4;5", {"value": number(3_000_000, Unit.BYTES), "warn": number(4_000_000, Unit.BYTES)}),
        ("size=1GiB", {"value": number(GIB, Unit.BYTES)}),
        ("size=-1.5e3B", {"value": number(-1500, Unit.BYTES)}),
        ("octets=17c", {"value": number(17), "unit": "c"}),
        ("volts=11.9V", {"value": number("11.9"), "unit": "V"}),
        ("users=U;5;10", {"value": None, "warn": number(5)}),
        ("procs=84;1:500;;0;", {"value": number(84), "warn": "1:500", "crit": None, "low": number(0)}),
        ("free=9;10:;5:", {"value": number(9), "warn": number(10), "crit": number(5)}),
        ("x=9;~:10;@10:20", {"warn": number(10), "crit": "@10:20"}),
        ("x=9;0:10;:7", {"warn": number(10), "crit": number(7)}),
        ("x=9;@10;~:", {"warn": "@10", "crit": "~:"}),
        ("x=9;-5:5;10:20", {"warn": "-5:5", "crit": "10:20"}),
    ],
)
def test_one_datum(datum: str, expected: dict[str, Any]) -> None:
    """Values, units, thresholds of every form, minimum and maximum are what the plugin says."""
    (perf,) = _perf(datum)
    assert {name: getattr(perf, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a=1 b=2", ["a", "b"]),
        ("a=1;;;; 'b'=2", ["a", "b"]),
        ("'C:\\ %'=9% /var=1", ["C:\\ %", "/var"]),
        ("'it''s'=1 '='=2 'a b=c'=3", ["it's", "=", "a b=c"]),
        ("''''=1", ["'"]),
        ("a=1\tb=2   c=3", ["a", "b", "c"]),
    ],
)
def test_labels(text: str, labels: list[str]) -> None:
    """Labels in quotes hold spaces, equals signs and doubled quotes."""
    assert [each.label for each in _perf(text)] == labels


LONG = """DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968
/ 15272 MB (77%);
/boot 68 MB (69%); | /boot=68MB;88;93;0;98
/home=69357MB;253404;253409;0;253414
/var/log=818MB;970;975;0;980
"""


def test_text_in_many_lines() -> None:
    """The guidelines' own example: data after the first bar of the first line, and after that of the others."""
    said = parsed(LONG)
    assert said.text == "DISK OK - free space: / 3326 MB (56%);"
    assert [each.label for each in said.perf] == ["/", "/boot", "/home", "/var/log"]
    assert said.perf[1].used == number("69.39", Unit.PERCENT)


@pytest.mark.parametrize("output", ["", "\n", "|", "OK", "OK |", "OK\nlong\n", "|\n|\n|"])
def test_no_data(output: str) -> None:
    """A plugin need not have performance data."""
    said = parsed(output)
    assert (said.perf, said.more) == ((), False)
    assert set(said.unread) <= {"|"}


@pytest.mark.parametrize(
    "datum",
    ["x", "x=", "x=;5", "x=1,5", "x=five", "=5", "x=1;low", "x=1;2;3;4;5;6", "'open=1", "x=1e999", "x=--1", "''=1"],
)
def test_what_cannot_be_read_is_named(datum: str) -> None:
    """A broken datum is no value, and the next one is read; only an open quote swallows the rest."""
    said = parsed(f"OK | {datum} good=1")
    labels = [each.label for each in said.perf]
    assert labels == ([] if datum.startswith("'open") else ["good"])
    assert len(said.unread) == 1


@pytest.mark.parametrize("value", ["nan", "-NaN", "inf", "-Infinity"])
def test_not_a_number(value: str) -> None:
    """A value that is none goes into the reading as such, and the item's `on_nan` decides."""
    (perf,) = _perf(f"x={value}%;80")
    assert perf.value is not None
    assert perf.value.value.is_nan()
    assert perf.value.unit is Unit.PERCENT
    assert perf.used is None


def test_measures() -> None:
    """Each value goes by its label; its thresholds and the share that is used beside it; nothing hides another."""
    said = parsed("OK | /=25B;80;90;0;100 state=7 a=1;2 a_warn=9 twice=1 twice=2")
    found, twice = measures(said, ("state", "exit_code"))
    expected: dict[str, Value] = {
        "/": number(25, Unit.BYTES),
        "/_warn": number(80, Unit.BYTES),
        "/_crit": number(90, Unit.BYTES),
        "/_min": number(0, Unit.BYTES),
        "/_max": number(100, Unit.BYTES),
        "/_used": number("25.00", Unit.PERCENT),
        "perf_state": number(7),
        "a": number(1),
        "a_warn": number(9),
        "twice": None,
    }
    assert found == expected
    assert twice == ["twice"]


def test_too_many_data() -> None:
    """A plugin with thousands of data shows the first, and that there were more."""
    said = parsed("OK |" + " x=1" * (MOST + 1))
    assert (len(said.perf), said.more) == (MOST, True)


_PIECES = st.lists(
    st.sampled_from(
        ["'", "=", ";", " ", "|", "\n", "1", "0.5", "U", "s", "%", "MB", "@", "~", ":", "a", "nan", "²", "e9"]
    ),
    max_size=40,
).map("".join)


@given(_PIECES | st.text())
def test_nothing_breaks_it(output: str) -> None:
    """Whatever is printed has a text and data whose values are numbers or nothing, all of it accounted for."""
    said = parsed(output)
    for perf in said.perf:
        assert perf.label
        assert len(perf.row()) == len(COLUMNS)
        assert perf.value is None or isinstance(perf.value.value, Decimal)
    found, _ = measures(said, ("state",))
    assert "state" not in found
    assert all(value is None or isinstance(value, Number | str) for value in found.values())


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\n|"), min_size=1, max_size=20),
            st.decimals(-(10**9), 10**9, allow_nan=False, places=3),
        ),
        max_size=10,
        unique_by=lambda pair: pair[0],
    )
)
def test_what_is_written_is_read(data: list[tuple[str, Decimal]]) -> None:
    """Labels of any characters and their values come back as they were written."""
    text = " ".join("'{}'={}".format(label.replace("'", "''"), value) for label, value in data)
    assert [(each.label, each.value) for each in _perf(text)] == [(label, Number(value)) for label, value in data]
