"""What all formats say in the same words: dates, people, nearness."""

import datetime as dt
import locale
from zoneinfo import ZoneInfo

import msgspec
import pytest

from opsconsole.export.facts import (
    binding,
    day,
    exact_moment,
    moment,
    monitored_by,
    near,
    period,
    rfc3339,
    verdict_word,
    zone_of,
)
from opsconsole.model.calendar import period_at, times_of
from opsconsole.model.checklists import Cadence, Due
from opsconsole.model.events import Actor, Noted, Via
from opsconsole.model.readings import Finding, Level, Verdict
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Duration
from support.runs import CHECKLIST
from support.states import CRON, OPERATOR, STATES, Telling, pending

CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        ("2026-11-21T14:12:03Z", "2026-11-21 08:12:03 CST (UTC-06:00)"),
        ("2026-07-01T13:00:00Z", "2026-07-01 08:00:00 CDT (UTC-05:00)"),
        ("2026-11-01T06:30:00Z", "2026-11-01 01:30:00 CDT (UTC-05:00)"),
        ("2026-11-01T07:30:00Z", "2026-11-01 01:30:00 CST (UTC-06:00)"),
    ],
)
def test_a_time_names_its_zone(instant: str, shown: str) -> None:
    """A time of the night when the clocks go back says which of the two it was."""
    at = dt.datetime.fromisoformat(instant)
    assert exact_moment(at, CHICAGO) == shown
    assert moment(at, CHICAGO) == shown.partition(" (")[0]


def test_an_interval_in_the_night_of_the_change_names_both_zones() -> None:
    """The hour before the clocks go back does not seem to end when it begins."""
    hourly = msgspec.structs.replace(
        CHECKLIST, cadence=Cadence.INTERVAL, due=Due(timezone=str(CHICAGO), every=Duration.parse("1 h"))
    )

    def shown(instant: str) -> str:
        slot = period_at(hourly, dt.datetime.fromisoformat(instant), CHICAGO)
        return period(times_of(hourly, slot, CHICAGO))

    assert shown("2026-11-01T06:30Z") == "Sunday 2026-11-01, 01:00 CDT to 01:00 CST"
    assert shown("2026-11-01T07:30Z") == "Sunday 2026-11-01, 01:00 to 02:00 CST"
    assert shown("2026-03-08T07:30Z") == "Sunday 2026-03-08, 01:00 CST to 03:00 CDT"


def test_half_hours_east_of_greenwich() -> None:
    """Offsets are whole minutes with their sign."""
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert exact_moment(at, ZoneInfo("Asia/Kolkata")).endswith("05:30:00 IST (UTC+05:30)")
    assert exact_moment(at, ZoneInfo("America/St_Johns")).endswith("(UTC-03:30)")
    assert exact_moment(at, ZoneInfo("UTC")).endswith("UTC (UTC+00:00)")


def test_instants_for_programs() -> None:
    """RFC 3339 in UTC, with a fraction only where there is one, whatever zone the instant came in."""
    at = dt.datetime(2026, 11, 21, 8, 0, tzinfo=CHICAGO)
    assert rfc3339(at) == "2026-11-21T14:00:00Z"
    assert rfc3339(at.replace(microsecond=250_000)) == "2026-11-21T14:00:00.250000Z"


def test_weekdays_do_not_speak_the_language_of_the_process() -> None:
    """A day log written under another locale is the same document."""
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("de_DE.UTF-8", "C.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert day(dt.date(2026, 11, 21)) == "Saturday 2026-11-21"
    finally:
        locale.setlocale(locale.LC_TIME, before)


def test_periods() -> None:
    """A weekly run names its week with both ends, a daily one its day."""
    assert period(STATES["targets"]().times) == "2026-W47, Monday 2026-11-16 to Sunday 2026-11-22"
    assert period(STATES["green"]().times) == "Saturday 2026-11-21"


def test_an_unknown_zone_is_shown_in_utc() -> None:
    """A record from a host with zones that this one lacks can still be exported, with times that say their zone."""
    times = msgspec.structs.replace(STATES["green"]().times, timezone="Mars/Olympus")
    assert moment(dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC), zone_of(times)) == "2026-11-21 08:00:00 UTC"


def test_who_monitored() -> None:
    """Everybody who did something by hand, once, however they were connected; cron is nobody."""
    telling = pending().by(OPERATOR).add(Noted("", "a"))
    telling.by(msgspec.structs.replace(OPERATOR, via=Via.COMMAND)).add(Noted("", "b"))
    telling.by(Actor("late", "", "other-host", Via.CONSOLE)).add(Noted("", "c")).by(CRON).add(Noted("", "d"))
    assert monitored_by(telling.state) == ("Morning Operator (morning)", "late")


def test_only_a_pass_is_near() -> None:
    """The mark of a value near its limit stands at green items only; a failure needs no second warning."""
    for name, expected in (("bad", ["disk"]), ("green", []), ("targets", ["mirrors"])):
        telling: Telling = STATES[name]()
        assert [key for key, item in telling.state.items.items() if near(item)] == expected


def test_words_of_verdicts_and_signatures() -> None:
    """A target that was not reached is missed, not broken; a login is never called a signature."""
    missed = Finding("x < 1", Level.TARGET, Verdict.BROKEN, "")
    assert verdict_word(missed) == "missed"
    assert verdict_word(msgspec.structs.replace(missed, level=Level.REQUIRE)) == "broken"
    assert "not cryptographically signed" in binding(Tier.ATTRIBUTED)
    assert all("not" not in binding(tier) for tier in (Tier.SIGNED, Tier.HARDWARE))
