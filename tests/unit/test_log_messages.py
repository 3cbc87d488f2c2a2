"""What log entries say: their severity, and the message that stays the same."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _logtally
from opsconsole.checks._logmessages import LEVELS, hints_of, level_of, message_of, normalised
from opsconsole.checks._logtimes import Zone, formats, recognised


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("ERROR 2026-11-20 08:00:00,123 views 12 failed", "error"),
        ("2026-11-20 08:00:00,123 WARNING views slow", "warning"),
        ("2026-11-20 08:00:00,123 - app - CRITICAL - database gone", "critical"),
        ("2026-11-20 08:00:00 INFO no ERROR was found", "info"),
        ("2026/11/20 08:00:00 [error] 31#31: *7 open() failed", "error"),
        ("2026/11/20 08:00:00 [crit] 31#31: *7 no room", "critical"),
        ("[Fri Nov 20 08:00:00 2026] [core:warn] [pid 1] x", "warning"),
        ('{"level": "error", "time": "x", "msg": "INFO"}', "error"),
        ("ts=2026-11-20T08:00:00Z level=warn msg=x", "warning"),
        ("<3>Nov 20 08:00:00 host app: x", "error"),
        ("<165>1 2026-11-20T08:00:00Z host app - - x", "notice"),
        ("2026-11-20 08:00:00.123 UTC [812] FATAL:  password authentication failed", "critical"),
        ("2026-11-20 08:00:00 the error of my ways", ""),
        ("2026-11-20 08:00:00 TERRORS and DEBUGGER", ""),
        ("2026-11-20 08:00:00 nothing\nERROR on the second line", ""),
    ],
)
def test_the_severity_is_what_the_entry_names(line: str, level: str) -> None:
    """A word of the message is no severity, and the first that is named counts."""
    assert level_of(line.encode(), access=False) == level


@pytest.mark.parametrize(("status", "level"), [(200, "info"), (301, "info"), (404, "warning"), (503, "error")])
def test_the_severity_of_an_access_log_is_its_status(status: int, level: str) -> None:
    """A failed request is an error, whatever its address says."""
    line = f'10.0.0.1 - - [20/Nov/2026:08:00:00 +0000] "GET /ERROR HTTP/1.1" {status} 12'
    assert level_of(line.encode(), access=True) == level


@given(
    st.sampled_from(LEVELS[3:]), st.binary(max_size=80), st.sampled_from([b"ERROR", b"[crit]", b"level=Warn", b""])
)
def test_hints_leave_no_entry_out(level: str, text: bytes, word: bytes) -> None:
    """What is passed over without a look is never of the severity asked for."""
    entry = text + b" " + word + b" " + text
    found = level_of(entry, access=False)
    if entry.lstrip(b"\0").startswith(b"<") or not found or LEVELS.index(found) < LEVELS.index(level):
        return
    assert any(hint in entry.upper() for hint in hints_of(level))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("request 4711 took 12 ms", "request 9 took 3.5 ms"),
        ("user 'ann' unknown", "user 'bob' unknown"),
        ('no such table "a"', 'no such table "b c"'),
        ("cannot open /var/lib/app/x.db", "cannot open /srv/y.db"),
        ("GET https://a.example/x?id=1 failed", "GET https://b.example/y failed"),
        ("job 6ba7b810-9dad-11d1-80b4-00c04fd430c8 lost", "job 6ba7b811-9dad-11d1-80b4-00c04fd430c9 lost"),
        ("object at 0x7f3a2c is gone", "object at 0xdeadbeef is gone"),
        ("commit deadbe3f rejected", "commit 0123abcd rejected"),
        ("since 2026-11-20 08:00:00,123 nothing", "since 2025-01-01T00:00:00Z nothing"),
        ("from 10.0.0.1 port 22", "from 192.168.2.200 port 2200"),
        ("worker-3 died", "worker-12 died"),
        ("a   b", "a b"),
    ],
)
def test_the_same_message_is_known_again(one: str, other: str) -> None:
    """Numbers, ids, paths, quoted texts and times do not make another error of it."""
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("connection refused", "connection reset"),
        ("cannot open /a/b", "cannot read /a/b"),
        ("ValueError: bad", "KeyError: bad"),
        ("don't do that", "don't do this"),
    ],
)
def test_different_messages_stay_different(one: str, other: str) -> None:
    """What is said in words is what tells errors apart."""
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    "line",
    [
        '{"time": "T", "level": "error", "msg": "MESSAGE"}',
        '{"msg": "MESSAGE", "level": "error", "time": "T"}',
        'ts=T level=error msg="MESSAGE" n=7',
        'T {"severity":"error","message":"MESSAGE","request":{"id":"q-1"}}',
    ],
)
def test_the_message_of_an_object_is_what_its_key_says(line: str) -> None:
    """Two errors of a log of JSON or logfmt are told apart, wherever in the line their time stands."""
    known = formats("auto", Zone(dt.UTC))
    found = []
    for message in ("cannot reach db", 'user \\"ann\\" lost', "took 7 s", "took 12 s"):
        entry = line.replace("MESSAGE", message).replace("T", "2026-11-20T08:00:00Z", 1).encode()
        form = recognised([entry], known)
        assert form is not None
        match = form.head.match(entry)
        assert match is not None
        found.append(_logtally.message(entry, match.end(), keyed=form.is_keyed(match)))
    assert len(set(found)) == 3
    assert found[2] == found[3]
    assert found[2] in {"error took <n> s", "took <n> s error"}


def test_a_traceback_is_told_by_its_error() -> None:
    """The same view that fails in another way is a new type of error."""
    trace = (
        ' views Internal Server Error: /x/1\nTraceback (most recent call last):\n  File "a.py", line 1\n%s: no\n'
    )
    key, value = (
        normalised(message_of("ERROR 2026-11-20 08:00:00", trace % each)) for each in ("KeyError", "ValueError")
    )
    assert key == "ERROR views Internal Server Error: <path> | KeyError: no"
    assert key != value


@given(st.text(max_size=2000))
def test_any_text_is_normalised(text: str) -> None:
    """Whatever a message holds, it comes to an end, and to one line."""
    assert "\n" not in normalised(message_of("", text))
