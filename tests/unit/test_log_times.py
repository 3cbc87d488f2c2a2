"""The timestamps of log entries: read right in every format, and never invented."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._logtimes import PATTERNS, Format, Stamp, Zone, custom_pattern, formats, recognised

CHICAGO = Zone(ZoneInfo("America/Chicago"))
UTC = Zone(dt.UTC)
REFERENCE = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC).timestamp()

LINES = {
    "2026-11-20T08:00:00.5Z starting": ("iso", "2026-11-20 08:00:00.500"),
    "2026-11-20 08:00:00,123 ERROR views failed": ("iso", "2026-11-20 08:00:00.123"),
    "ERROR 2026-11-20 08:00:00,123 views 12 140 failed": ("iso", "2026-11-20 08:00:00.123"),
    "[2026-11-20 08:00:00 +0100] [12] [INFO] Booting": ("iso", "2026-11-20 07:00:00"),
    "2026-11-20 08:00:00.123 UTC [812] LOG:  checkpoint": ("iso", "2026-11-20 08:00:00.123"),
    "2026-11-20 08:00:00+00 [812] LOG": ("iso", "2026-11-20 08:00:00"),
    "2026-11-20T08:00:00-06:00 host app[1]: x": ("iso", "2026-11-20 14:00:00"),
    "<165>1 2026-11-20T08:00:00.003Z host app - - x": ("iso", "2026-11-20 08:00:00.003"),
    "2026-11-20 08:00 minutes only": ("iso", "2026-11-20 08:00:00"),
    "2026/11/20 08:00:00 [error] 31#31: *7 open() failed": ("nginx", "2026-11-20 08:00:00"),
    '10.0.0.1 - ann [20/Nov/2026:08:00:00 -0600] "GET / HTTP/1.1" 500 12': ("access", "2026-11-20 14:00:00"),
    '[20/Nov/2026 08:00:00] "GET / HTTP/1.1" 200 12': ("django", "2026-11-20 08:00:00"),
    "[Fri Nov 20 08:00:00.123456 2026] [core:error] [pid 1] x": ("apache", "2026-11-20 08:00:00.123456"),
    "Nov 20 08:00:00 host sshd[1]: Accepted": ("syslog", "2026-11-20 08:00:00"),
    "Nov  2 08:00:00 host sshd[1]: Accepted": ("syslog", "2026-11-02 08:00:00"),
    "Dec 31 23:59:59 host sshd[1]: of last year": ("syslog", "2025-12-31 23:59:59"),
    "Feb 29 10:00:00 host x: of the last leap year": ("syslog", "2024-02-29 10:00:00"),
    "1795161600 started": ("epoch", "2026-11-20 08:00:00"),
    "1795161600.250   45 10.0.0.1 TCP_MISS/200": ("epoch", "2026-11-20 08:00:00.250"),
    "1795161600250 started": ("epoch", "2026-11-20 08:00:00.250"),
    '{"level": "error", "time": "2026-11-20T08:00:00Z", "msg": "x"}': ("json", "2026-11-20 08:00:00"),
    '{"level":"error","ts":1795161600.25,"msg":"x"}': ("json", "2026-11-20 08:00:00.250"),
    '{"@timestamp":1795161600250,"message":"x"}': ("json", "2026-11-20 08:00:00.250"),
    'level=info ts=2026-11-20T08:00:00.1Z msg="a b"': ("logfmt", "2026-11-20 08:00:00.100"),
    'time="2026-11-20T08:00:00Z" level=error msg=x': ("logfmt", "2026-11-20 08:00:00"),
}


def _read(form: Format, line: str) -> Stamp | None:
    return form.at(line.encode(), 0, REFERENCE)


@pytest.mark.parametrize(("line", "expected"), LINES.items())
def test_formats_are_recognised_and_read(line: str, expected: tuple[str, str]) -> None:
    """A log of each well-known kind is understood without a word in the checklist."""
    name, when = expected
    form = recognised([f"{line}\n  and more\n{line}\n".encode()], formats("auto", UTC))
    assert form is not None
    assert form.name == name
    instant = dt.datetime.fromisoformat(when).replace(tzinfo=dt.UTC).timestamp()
    assert _read(form, line) == pytest.approx((instant, instant), abs=1e-6)
    assert _read(form, "\0\0\0" + line) is not None, "a truncated file may begin with NULs"


@pytest.mark.parametrize(
    "line",
    [
        "no time at all",
        "",
        "    at 2026-11-20 08:00:00 in the middle of a traceback",
        "2026-13-41 08:00:00 x",
        "2026-02-30 08:00:00 x",
        "31/Nov/2026",
        "12345 short",
        "17951616001 eleven digits",
        "1.2.3.4 - - [99/Nov/2026:08:00:00 +0000]",
        "Nov 31 08:00:00 host x",
    ],
)
def test_what_is_no_time_is_not_taken_for_one(line: str) -> None:
    """Days that never were and numbers of another kind give no time."""
    assert [form.name for form in formats("auto", UTC) if _read(form, line) is not None] == []


@pytest.mark.parametrize(
    ("text", "line", "when"),
    [
        ("%d.%m.%Y %H:%M:%S", "20.11.2026 08:00:00 x", "2026-11-20 08:00:00"),
        ("[%m/%d/%y %I:%M:%S %p]", "[11/20/26 08:00:00 PM] x", "2026-11-20 20:00:00"),
        ("%s", "1795161600 x", "2026-11-20 08:00:00"),
        ("%Y%%%m%%%d %H.%M", "2026%11%20 08.00 x", "2026-11-20 08:00:00"),
        ("%d %b %H:%M:%S", "20 Nov 08:00:00 x", "2026-11-20 08:00:00"),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2026-11-20T08:00:00.5+02:00 x", "2026-11-20 06:00:00.5"),
    ],
)
def test_declared_formats(text: str, line: str, when: str) -> None:
    """A format of one's own is written with the directives that everybody knows."""
    (form,) = formats(text, UTC)
    found = _read(form, line)
    assert found is not None
    assert dt.datetime.fromtimestamp(found[0], dt.UTC).replace(tzinfo=None) == dt.datetime.fromisoformat(when)


@pytest.mark.parametrize("text", ["%Q", "%d.%m.%Y", "%H:%M", "%Y%Y", "%", "plain"])
def test_formats_that_mean_no_time_are_refused(text: str) -> None:
    """Half a time, an unknown directive and one given twice are told when the checklist is loaded."""
    with pytest.raises(ValueError, match=r".+"):
        custom_pattern(text)


def test_times_without_an_offset_are_of_their_zone() -> None:
    """What the host's zone says decides, summer and winter."""
    (form,) = formats("iso", CHICAGO)
    for line, when in (("2026-11-20 08:00:00", "14:00"), ("2026-07-20 08:00:00", "13:00")):
        found = _read(form, line)
        assert found is not None
        assert f"{dt.datetime.fromtimestamp(found[1], dt.UTC):%H:%M}" == when
    assert _read(form, "2026-11-20 08:00:00Z") == _read(formats("iso", UTC)[0], "2026-11-20 08:00:00")


def test_the_hour_that_comes_twice_may_be_either() -> None:
    """When the clock is put back a time says two things, and both are kept; one that never was is one instant."""
    (form,) = formats("iso", CHICAGO)
    early, late = _read(form, "2026-11-01 01:30:00") or (0.0, 0.0)
    assert late - early == 3600
    assert f"{dt.datetime.fromtimestamp(early, dt.UTC):%H:%M}" == "06:30"
    gap = _read(form, "2026-03-08 02:30:00")
    assert gap is not None
    assert gap[0] == gap[1]


def test_the_zones_that_are_hard() -> None:
    """Half an hour of daylight saving, and offsets of three quarters, come out right."""
    (form,) = formats("iso", Zone(ZoneInfo("Australia/Lord_Howe")))
    early, late = _read(form, "2026-04-05 01:45:00") or (0.0, 0.0)
    assert late - early == 1800
    nepal = _read(form, "2026-11-20 08:00:00+05:45")
    assert nepal is not None
    assert f"{dt.datetime.fromtimestamp(nepal[0], dt.UTC):%H:%M}" == "02:15"


@given(st.datetimes(dt.datetime(2001, 1, 1), dt.datetime(2033, 1, 1)), st.sampled_from(["iso", "nginx", "apache"]))
def test_what_is_written_is_read_back(when: dt.datetime, name: str) -> None:
    """Every instant survives being written into a log."""
    shape = {"iso": "%Y-%m-%d %H:%M:%S,%f", "nginx": "%Y/%m/%d %H:%M:%S", "apache": "[%a %b %d %H:%M:%S.%f %Y]"}[
        name
    ]
    (form,) = formats(name, UTC)
    found = _read(form, f"{when:{shape}} x")
    precise = when if name != "nginx" else when.replace(microsecond=0)
    assert found is not None
    assert found[0] == pytest.approx(precise.replace(tzinfo=dt.UTC).timestamp(), abs=1e-5)


@given(st.binary(max_size=300))
def test_hostile_lines_never_break_it(data: bytes) -> None:
    """Whatever stands in a file, there is a time or there is none."""
    for form in formats("auto", CHICAGO):
        for match in form.head.finditer(data):
            stamp = form.stamp(match, REFERENCE)
            assert stamp is None or stamp[0] <= stamp[1]
    recognised([data], formats("auto", UTC))


@given(st.text(max_size=30))
def test_any_declared_format_is_used_or_refused(text: str) -> None:
    """A format of one's own is compiled, or the mistake is told."""
    try:
        custom_pattern(text)
    except ValueError:
        return
    assert formats(text, UTC)[0].name == text or text in PATTERNS
