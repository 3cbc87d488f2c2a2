"""What became of due days, over random months: each counted once, and every bad item in the report."""

import asyncio
import datetime as dt
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.export.report_words import blocks_of
from opsconsole.model.calendar import period_of, times_of
from opsconsole.model.checklists import Cadence, Checklist, Due, Item, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Reading
from opsconsole.model.report_period import Asked, period_report
from opsconsole.model.report_runs import Expected, Told, tally_of
from opsconsole.model.reports import Kept, News, Overall, PeriodReport, Provenance
from opsconsole.model.values import Duration, number
from support.reported import Company
from support.runs import CHECKLIST, Chain

CHICAGO = ZoneInfo("America/Chicago")
MONTH = period_of(dt.date(2026, 11, 1), Cadence.MONTHLY)
SOURCE = Provenance(store_id="", location="", head_seq=0, head_hash="", runs=0, version="", verified=False)
OUTCOMES = (Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED, Outcome.SKIPPED)
days = st.lists(st.one_of(st.none(), st.sampled_from(OUTCOMES)), min_size=1, max_size=30)


def expected(date: dt.date, outcome: Outcome | None) -> Expected:
    """Return a due day on which the collectors came to that outcome, None where nobody opened the list."""
    times = times_of(CHECKLIST, period_of(date, Cadence.DAILY), CHICAGO)
    state = Chain(date=date).measured("collectors", outcome).state() if outcome is not None else None
    return Expected(f"qbr-daily@{date}", date, times, due=True, state=state)


def reported(found: list[Outcome | None], now: dt.datetime) -> PeriodReport:
    """Return the report of a month of such days."""
    present = [expected(MONTH.start + dt.timedelta(days=at), each) for at, each in enumerate(found)]
    asked = Asked(
        cadence=Cadence.MONTHLY,
        period=MONTH,
        before=period_of(dt.date(2026, 10, 1), Cadence.MONTHLY),
        now=now,
        where=CHICAGO,
    )
    told = Told(CHECKLIST, CHICAGO, present)
    return period_report(asked, [told], acts=[], actions=[], qualifications=[], provenance=SOURCE)


@given(days)
@settings(max_examples=60, deadline=None)
def test_random_months(found: list[Outcome | None]) -> None:
    """Counts add up, a bad day is never lost, and a month that was not wholly seen is never called good."""
    report = reported(found, dt.datetime(2026, 12, 24, tzinfo=dt.UTC))
    assert report.tally.due == sum(report.tally.kept.values()) == len(found)
    assert report.tally.kept[Kept.MISSED] == found.count(None)
    assert report.tally.kept[Kept.UNSIGNED] == len(found) - found.count(None)
    bad = Counter(each for each in found if each in {Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED})
    told = {each.item: each for each in report.troubles}
    assert ("collectors" in told) is bool(bad)
    if bad:
        assert {kind: told["collectors"].runs.get(kind, 0) for kind in bad} == bad
        assert told["collectors"].news is News.NEW
        assert sum(each.readings for each in told["collectors"].spells) == bad.total()
    assert report.overall in {Overall.BAD, Overall.INCOMPLETE}
    failed = Outcome.FAIL in bad or Outcome.BLOCKED in bad or None in found
    assert (report.overall is Overall.BAD) is failed
    assert list(blocks_of(report))


def test_the_day_that_is_not_over_is_open() -> None:
    """Nobody has missed what can still be done."""
    report = reported([Outcome.PASS, None], dt.datetime(2026, 11, 2, 15, tzinfo=dt.UTC))
    assert {kind: count for kind, count in report.tally.kept.items() if count} == {Kept.UNSIGNED: 1, Kept.OPEN: 1}
    assert not report.over


def test_nothing_is_counted_where_nothing_was_due() -> None:
    """An empty month has all its zeros."""
    tally = tally_of([])
    assert (tally.due, set(tally.kept.values()), set(tally.results.values())) == (0, {0}, {0})
    assert reported([], dt.datetime(2026, 12, 1, tzinfo=dt.UTC)).overall is Overall.NOTHING


HOURLY = Checklist(
    id="hourly",
    title="Hourly",
    cadence=Cadence.INTERVAL,
    due=Due(timezone="UTC", every=Duration.parse("1 h"), grace=Duration.parse("10 min")),
    sections=(
        Section(
            "All",
            (
                Item(
                    id="up",
                    title="Up",
                    probe="played",
                    options={"what": "up"},
                    require=(parse_condition("value == 1"),),
                ),
            ),
        ),
    ),
)


def test_a_list_that_nobody_signs(tmp_path: Path) -> None:
    """An hourly list is done when it was measured; a failed hour, a late one and two that were missed are told."""
    begun = dt.datetime(2026, 11, 20, 0, 1, tzinfo=dt.UTC)
    company = Company(tmp_path, now=begun, checklists={"hourly": HOURLY})
    company.play = lambda *_: Reading(measures={"value": number(0 if company.now.hour == 7 else 1)})

    async def day() -> None:
        for hour in range(24):
            if hour in {3, 4}:
                continue
            company.now = begun + dt.timedelta(hours=hour, minutes=20 if hour == 9 else 0)
            await (await company.opened(HOURLY)).aclose()

    asyncio.run(day())
    company.now = begun + dt.timedelta(days=1)
    report = company.reporting().report(Cadence.DAILY, "2026-11-20")
    (line,) = report.checklists
    assert {kind: count for kind, count in line.tally.kept.items() if count} == {
        Kept.IN_TIME: 21,
        Kept.LATE: 1,
        Kept.MISSED: 2,
    }
    assert (line.tally.due, line.tally.passed, line.tally.results[Result.FAIL]) == (24, 21, 1)
    assert [each.run[-5:-3] for each in line.runs] == ["03", "04", "07", "09"]
    (trouble,) = report.troubles
    (spell,) = trouble.spells
    assert spell.ended_at is not None
    assert (spell.ended_at - spell.began_at) // dt.timedelta(minutes=50) == 1
    company.store.close()
