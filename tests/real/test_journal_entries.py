"""Entries as journalctl prints them in JSON: every form a field can have."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _journal
from opsconsole.checks._journal import parsed_entry

AT = {"__REALTIME_TIMESTAMP": "1795233156763282"}


def _entry(**fields: Any) -> _journal.Entry:
    return parsed_entry(json.dumps(AT | fields).encode())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        ([104, 105, 0], "hi\0"),
        ([255, 254], "\\xff\\xfe"),
        ([], ""),
        (["one", [116, 119, 111]], "one\ntwo"),
        (["one", None], "one"),
        ([[104], [105]], "h\ni"),
        (None, "(a message too long to be shown)"),
        ([None], "(a message too long to be shown)"),
        (42, "42"),
        ("\ud800", "\\ud800"),
    ],
)
def test_forms_of_a_message(value: Any, text: str) -> None:
    """A text, bytes, several values, one too long: an operator reads what was written, or why not."""
    assert _entry(MESSAGE=value).message == text


def test_no_message_at_all() -> None:
    """An entry without a message is shown as one."""
    assert _entry().message == "(an entry without a message)"


def test_a_very_long_message_is_cut() -> None:
    """A message of a megabyte does not fill the record."""
    message = _entry(MESSAGE="x" * 1_000_000).message
    assert len(message) == _journal.MESSAGE_CHARACTERS
    assert message.endswith("...")


@pytest.mark.parametrize(
    ("fields", "unit"),
    [
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": "a.service"}, "a.service"),
        ({"_SYSTEMD_UNIT": "b.service", "UNIT": "a.service"}, "b.service"),
        ({"_SYSTEMD_UNIT": "init.scope"}, "init.scope"),
        ({}, None),
    ],
)
def test_the_unit_of_an_entry(fields: dict[str, str], unit: str | None) -> None:
    """Process 1 speaks for the unit it names; no other process can put its words in another unit's mouth."""
    assert _entry(**fields).unit == unit


@pytest.mark.parametrize(
    ("value", "name"), [("0", "emerg"), ("3", "err"), ("7", "debug"), ("8", "8"), (None, None)]
)
def test_priorities_have_names(value: str | None, name: str | None) -> None:
    """Priorities read as words; what is none stays what it is."""
    assert _entry(PRIORITY=value).priority == name


def test_the_line_of_an_entry() -> None:
    """A line of evidence says when in UTC, how bad, who and what."""
    entry = _entry(MESSAGE="cannot bind", PRIORITY="3", SYSLOG_IDENTIFIER="sh", _PID="73")
    assert entry.line() == "2026-11-21 03:52:36Z err sh[73]: cannot bind"
    assert entry.at == dt.datetime(2026, 11, 21, 3, 52, 36, 763282, tzinfo=dt.UTC)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.lists(st.integers(0, 255)),
    max_leaves=20,
)
names = st.sampled_from(
    ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "_COMM", "_PID", "_SYSTEMD_UNIT", "UNIT", "N_DROPPED"]
)


@given(st.dictionaries(names, values))
def test_no_entry_is_a_crash(fields: dict[str, Any]) -> None:
    """Whatever a program sends to the journal, the entry comes back as text that can be stored."""
    entry = _entry(**fields)
    assert len(entry.message) <= _journal.MESSAGE_CHARACTERS
    for text in (entry.message, entry.source, entry.unit or "", entry.priority or "", entry.line()):
        text.encode("utf-8")
