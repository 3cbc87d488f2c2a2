"""The report of a month says what its runs say: everything that failed, nothing that was not seen as good."""

import asyncio
import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.engine.entering import ActionRefused
from opsconsole.export.report_html import STYLE, html, style_hash
from opsconsole.export.report_json import report_json
from opsconsole.export.report_markdown import markdown
from opsconsole.export.report_words import blocks_of, title_of
from opsconsole.model.checklists import Cadence
from opsconsole.model.events import ActionState
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.report_summary import Gist, overall_of, summary_of
from opsconsole.model.reports import Kept, News, Overall, PeriodReport
from opsconsole.model.runs import RunState, fold
from opsconsole.model.trends import Trend
from support.markdown import PLAIN_TOKENS, parse
from support.report_pages import FETCHING, PLAIN_TAGS, page_of
from support.reported import HOSTILE, Company, play_month


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The month, and its books on the morning after."""
    found = Company(tmp_path_factory.mktemp("company"))
    asyncio.run(play_month(found))
    found.at(dt.date(2026, 12, 1), 9)
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def november(company: Company) -> PeriodReport:
    """The report of the month."""
    return company.reporting().report(Cadence.MONTHLY, "2026-11")


def states_of(company: Company, checklist: str, month: str = "2026-11") -> list[RunState]:
    """Return the runs of a month, read without the reports."""
    keys = [each for each in company.store.runs(checklist) if each.period.startswith(month)]
    found = [fold(company.store.events(each.id)) for each in reversed(keys)]
    return [each for each in found if each is not None]


# --- counts ----------------------------------------------------------------------------------------


def test_the_days_add_up(november: PeriodReport) -> None:
    """Every due day is one of done in time, late, missed, explained, unsigned and open, and counted once."""
    for each in (november.tally, *(line.tally for line in november.checklists)):
        assert each.due == sum(each.kept.values())
    assert november.tally.due == sum(line.tally.due for line in november.checklists)
    daily = november.checklists[0]
    assert (daily.id, daily.tally.due, len(daily.runs)) == ("qbr-daily", 30, 30)
    told = {kind: count for kind, count in daily.tally.kept.items() if count}
    assert told == {Kept.IN_TIME: 26, Kept.LATE: 1, Kept.EXPLAINED: 1, Kept.MISSED: 1, Kept.UNSIGNED: 1}


def test_the_month_equals_what_its_runs_say(company: Company, november: PeriodReport) -> None:
    """Results and outcomes are those of the runs, whoever counts them."""
    states = states_of(company, "qbr-daily")
    daily = november.checklists[0]
    assert {kind: count for kind, count in daily.tally.results.items() if count} == Counter(
        each.result for each in states
    )
    outcomes: Counter[Outcome] = Counter()
    for each in states:
        outcomes.update(each.counts)
    assert {kind: count for kind, count in daily.tally.outcomes.items() if count} == outcomes
    assert [each.run for each in daily.runs if each.result is not None] == [each.run for each in states]


def test_every_item_that_was_not_green_appears(company: Company, november: PeriodReport) -> None:
    """Nothing that failed, could not be read or was waived on any day is left out, with as many runs."""
    told = {(each.checklist, each.item): each for each in november.troubles if each.news is not News.RECOVERED}
    bad = {Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED, Outcome.WAIVED}
    seen: Counter[tuple[str, str, Outcome]] = Counter()
    for checklist in company.checklists:
        for state in states_of(company, checklist):
            for name, item in state.items.items():
                if not state.missed and item.outcome in bad:
                    seen[checklist, name, item.outcome] += 1
    assert {(checklist, item) for checklist, item, _ in seen} == set(told)
    for (checklist, name, outcome), count in seen.items():
        assert told[checklist, name].runs[outcome] == count


def test_what_nobody_looked_at_is_not_called_seen(november: PeriodReport) -> None:
    """Where days were missed no item failed on them: neither the summary nor the page claims that all was seen."""
    silent = msgspec.structs.replace(november, troubles=(), overall=Overall.INCOMPLETE)
    page = markdown(blocks_of(silent))
    assert "everything could be seen" not in page
    assert "Nothing failed in what was seen." in page
    done = msgspec.structs.replace(november.tally, kept={**dict.fromkeys(Kept, 0), Kept.IN_TIME: 30})
    for tally, overall, said in (
        (november.tally, Overall.BAD, "Failed: nothing that was seen."),
        (done, Overall.GOOD, "Failed: nothing."),
    ):
        passed = msgspec.structs.replace(tally, results=dict.fromkeys(Result, 0), unseen=0)
        gist = Gist(
            over=True,
            tally=passed,
            checklists=november.checklists,
            troubles=(),
            warnings=0,
            actions=(),
            qualifications=(),
            signers=(),
        )
        assert overall_of(gist) is overall
        assert said in summary_of(gist)
    whole = msgspec.structs.replace(silent, tally=done, overall=Overall.GOOD)
    assert "Nothing failed, and everything could be seen." in markdown(blocks_of(whole))


def test_how_long_it_lasted(november: PeriodReport) -> None:
    """The collectors were slow for two days and are over; the disk is still full, and said to be."""
    told = {each.item: each for each in november.troubles}
    (slow,) = told["collectors"].spells
    assert slow.ended_at is not None
    assert (slow.ended_at - slow.began_at) // dt.timedelta(hours=1) in {47, 48}
    assert (slow.readings, slow.earlier, slow.cause) == (4, False, "ConnectWise took 41.5 s, limit 30 s")
    (full,) = told["disk"].spells
    assert (full.ended_at, full.readings) == (None, 15)
    assert not told["disk"].is_over
    assert november.troubles[0].item == "disk"


def test_what_could_not_be_read_is_no_good_day(november: PeriodReport) -> None:
    """The memory that was waived because nobody could read it counts as bad until it was read again."""
    (memory,) = [each for each in november.troubles if each.item == "memory"]
    assert memory.runs == {Outcome.PASS: 26, Outcome.WAIVED: 2}
    assert [each.outcomes for each in memory.spells] == [(Outcome.ERROR,), (Outcome.FAIL,)]


def test_new_and_recovered_against_the_month_before(november: PeriodReport) -> None:
    """October's disagreement is over; what November brought is new."""
    news = {each.item: each.news for each in november.troubles}
    assert news == {
        **dict.fromkeys(("disk", "collectors", "look", "page", "memory"), News.NEW),
        "tickets": News.RECOVERED,
    }


def test_an_item_that_nobody_looked_at_since_has_not_recovered(company: Company) -> None:
    """A failure of Sunday is no recovery on a Monday that nobody worked: it is said to be unseen."""
    report = company.reporting().report(Cadence.DAILY, "2026-11-15", checklist="qbr-daily")
    assert {each.item: each.news for each in report.troubles} == {"look": News.UNSEEN}
    assert report.overall is Overall.BAD
    assert report.tally.kept[Kept.MISSED] == 1


def test_a_failure_that_went_on_after_the_period_says_when_it_ended(company: Company) -> None:
    """Last Thursday's report, made weeks later, knows that the failure was over on Saturday, and not before."""
    report = company.reporting().report(Cadence.DAILY, "2026-11-06", checklist="qbr-daily")
    (trouble,) = report.troubles
    (spell,) = trouble.spells
    assert (trouble.news, spell.began_run, spell.ended_run, spell.ended_after) == (
        News.AGAIN,
        "qbr-daily@2026-11-05",
        "qbr-daily@2026-11-07",
        True,
    )
    assert "over only since 2026-11-07" in report.summary[2]


# --- the rest of it --------------------------------------------------------------------------------


def test_numbers_against_their_limits(november: PeriodReport) -> None:
    """The manager sees which number is nearest to its limit, and which one moves."""
    told = {(each.item, each.target, each.row): each for each in november.series}
    assert next(iter(told)) == ("collectors", "", "ConnectWise")
    disk = told["disk", "/var", ""]
    assert (disk.least.value, disk.greatest.value, disk.readings, len(disk.points)) == (
        Decimal(70),
        Decimal("81.6"),
        28,
        30,
    )
    assert disk.trend is not None
    assert disk.trend.direction is Trend.RISING
    assert disk.trend.per_day.value == Decimal("0.4")
    assert [each.run for each in disk.points if each.value is None] == [
        "qbr-daily@2026-11-10",
        "qbr-daily@2026-11-15",
    ]
    assert sum(each.beyond for each in disk.points) == 5
    flat = told["disk", "/", ""]
    assert flat.trend is not None
    assert flat.trend.direction is Trend.STEADY
    assert flat.change is not None
    assert flat.change.value == 0


def test_entries_against_readings(november: PeriodReport) -> None:
    """The difference of each day stands there, not only whether it was small enough."""
    (accuracy,) = november.accuracy
    assert len(accuracy.days) == 28
    assert accuracy.greatest_percent == Decimal("0.100")
    assert accuracy.days[0].percent == Decimal("0.100")


def test_people(november: PeriodReport) -> None:
    """Who signed, what is to be done, what was corrected, accepted and written."""
    assert [(each.name, each.runs) for each in november.signers] == [
        ("Jane Doe (jane)", 40),
        ("Ravi Rao (ravi)", 8),
    ]
    assert [(each.text, each.state, each.late) for each in november.actions] == [
        ("Make room on /var", ActionState.OPEN, True),
        ("Ask the vendor why it is slow", ActionState.DONE, False),
    ]
    assert november.actions[1].outcome == "they had moved a server"
    (amended,) = november.amendments
    assert (amended.run, amended.was) == ("qbr-daily@2026-11-14", "PASS: ticked by Ravi Rao (ravi)")
    assert [(each.author, each.expires.day, each.expired) for each in november.waivers] == [
        ("Jane Doe (jane)", 13, True),
        ("Jane Doe (jane)", 24, True),
    ]
    assert HOSTILE in {each.text for each in november.written}


def test_time_spent_against_the_minutes_planned(november: PeriodReport) -> None:
    """Three minutes each morning are seen, of five that were planned; cron's pass costs nobody anything."""
    daily = next(each for each in november.effort if each.checklist == "qbr-daily")
    assert (daily.runs, daily.planned_minutes) == (28, 28 * 5)
    assert 28 * 3 < daily.active_seconds / 60 < 28 * 4
    assert sum(seconds for _, seconds in daily.people) == daily.active_seconds
    assert all("cron" not in who for who, _ in daily.people)


def test_the_qualification_stands_beside_it(november: PeriodReport) -> None:
    """The report says how far the nine days are, and what they wait for."""
    (line,) = november.qualifications
    assert (line.id, line.passed, line.length, line.resets, line.resets_in_period) == ("qbr-9day", 0, 9, 12, 11)
    assert line.waiting == "12 resets without a reason"


# --- the first ten lines ---------------------------------------------------------------------------


def test_the_first_ten_lines_are_for_who_reads_no_further(november: PeriodReport) -> None:
    """Verdict, days, what failed and whether it is over, what is new, what is needed, who signed: in ten lines."""
    first = markdown(blocks_of(november)).splitlines()[:10]
    assert first[0] == "# Monthly report 2026-11"
    assert first[2].startswith("**Not good: 5 items failed, 1 of them not over; 2 runs were missed")
    assert [each.split(":")[0] for each in first[4:9]] == [
        "- Done",
        "- Not good",
        "- Against the period before",
        "- Needed",
        "- Signed by",
    ]
    text = "\n".join(first)
    for told in (
        "47 of 51 due",
        "from 2026-11-26, still",
        "recovered: Tickets agree",
        "1 open action item, 1 of them",
    ):
        assert told in text


@pytest.mark.parametrize(
    ("cadence", "at", "overall", "verdict"),
    [
        (Cadence.DAILY, "2026-11-02", Overall.GOOD, "Good: nothing failed, and everything that was due was done."),
        (
            Cadence.DAILY,
            "2026-11-09",
            Overall.GOOD,
            "Good: nothing failed, and everything that was due was done, 1 item with warnings.",
        ),
        (Cadence.DAILY, "2026-11-05", Overall.BAD, "Not good: 1 item failed, which is over."),
        (
            Cadence.DAILY,
            "2026-11-10",
            Overall.INCOMPLETE,
            "Incomplete: nothing is known to have failed, but 1 of 2 due were not done.",
        ),
        (
            Cadence.DAILY,
            "2026-11-18",
            Overall.INCOMPLETE,
            "Incomplete: nothing is known to have failed, but 1 of 2 due were not done.",
        ),
        (Cadence.WEEKLY, "2026-W45", Overall.BAD, "Not good: 1 item failed, which is over."),
        (Cadence.MONTHLY, "2026-09", Overall.NOTHING, "Nothing was due."),
    ],
)
def test_verdicts(company: Company, cadence: Cadence, at: str, overall: Overall, verdict: str) -> None:
    """One sentence says how it was; a day that nobody did is never called good."""
    report = company.reporting().report(cadence, at)
    assert (report.overall, report.summary[0]) == (overall, verdict)


def test_a_period_that_is_not_over_says_so(company: Company) -> None:
    """This morning's report is of a day so far, whose lists can still be done."""
    report = company.reporting().report(Cadence.DAILY)
    assert (report.period.key, report.over, report.tally.kept[Kept.OPEN]) == ("2026-12-01", False, 2)
    assert title_of(report) == "Daily report 2026-12-01, so far"
    assert report.tally.kept[Kept.MISSED] == 0


@pytest.mark.parametrize(
    ("cadence", "at", "key"),
    [
        (Cadence.MONTHLY, "last", "2026-11"),
        (Cadence.MONTHLY, "2026-11-07", "2026-11"),
        (Cadence.WEEKLY, "last", "2026-W48"),
        (Cadence.WEEKLY, "2026-11-07", "2026-W45"),
        (Cadence.QUARTERLY, "2026-Q4", "2026-Q4"),
        (Cadence.QUARTERLY, "", "2026-Q4"),
        (Cadence.DAILY, "last", "2026-11-30"),
    ],
)
def test_periods(company: Company, cadence: Cadence, at: str, key: str) -> None:
    """A date, a name or `last` says which one."""
    assert company.reporting().period(cadence, at).key == key


@pytest.mark.parametrize(
    ("cadence", "at", "why"),
    [
        (Cadence.WEEKLY, "2026-11", "names no week"),
        (Cadence.MONTHLY, "soon", "names no month"),
        (Cadence.MONTHLY, "2027-01", "has not come yet"),
    ],
)
def test_what_names_no_period_is_refused(company: Company, cadence: Cadence, at: str, why: str) -> None:
    """A slip of the keyboard does not end in an empty report."""
    with pytest.raises(ActionRefused, match=why):
        company.reporting().report(cadence, at)


def test_only_one_system_or_checklist(company: Company) -> None:
    """The report of a system is about its checklists and their action items alone."""
    report = company.reporting().report(Cadence.MONTHLY, "2026-11", system="web")
    assert [each.id for each in report.checklists] == ["web-daily", "audit"]
    assert (report.tally.results[Result.FAIL], report.actions, report.qualifications) == (1, (), ())
    for wrong in ({"system": "wbe"}, {"checklist": "qbr"}):
        with pytest.raises(ActionRefused):
            company.reporting().report(Cadence.MONTHLY, "2026-11", **wrong)


def test_a_checklist_that_was_removed_is_reported_all_the_same(company: Company) -> None:
    """Deleting the file of a checklist takes none of its failures out of the report."""
    kept = dict(company.checklists)
    try:
        del company.checklists["web-daily"]
        report = company.reporting().report(Cadence.MONTHLY, "2026-11")
    finally:
        company.checklists = kept
    (web,) = [each for each in report.checklists if each.id == "web-daily"]
    assert (web.removed, web.tally.due, web.tally.results[Result.FAIL]) == (True, 15, 1)
    assert "page" in {each.item for each in report.troubles}


# --- formats ---------------------------------------------------------------------------------------


def leaves(value: Any) -> Iterator[str]:
    """Yield every text of a plain document."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in {"timezone", "type", "scale", "condition"}:
                yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif isinstance(value, str):
        yield value


def plain(text: str) -> str:
    """Return words as a reader of any format sees them: in one line, control characters spelled out."""
    return " ".join(text.replace("\x1b", "\\x1b").replace("\\x0a", " ").split())


def test_all_formats_say_the_same(november: PeriodReport) -> None:
    """Whoever reads the page finds every run, person, cause, reason and note that a program finds in the JSON."""
    parsed = parse(markdown(blocks_of(november)))
    everything = [
        *(text for _, text in parsed.headings),
        *parsed.paragraphs,
        *parsed.bullets,
        *parsed.quotes,
        *parsed.fences,
        *(cell for table in parsed.tables for row in table for cell in row),
    ]
    read = plain(" ".join(everything))
    shown = plain(page_of(html(blocks_of(november), title_of(november))).shown)
    document = json.loads(report_json(november))
    skipped = {"schema", "cadence", "overall", "system"}
    told = {text for name, each in document.items() if name not in skipped for text in leaves(each)}
    for text in told:
        if re.fullmatch(r"[\d:.TZ+-]*|[a-z0-9_-]+|[A-Z]+|%|B|s", text) or re.match(r"\d{4}-\d\d-\d\dT", text):
            continue  # instants, numbers and units are shown for reading; ids stand in sentences
        assert plain(text) in read, text
        assert plain(text) in shown, text
    for line in november.checklists:
        for run in line.runs:
            assert run.run in read
            assert run.run in shown


def test_the_page_stands_alone(november: PeriodReport) -> None:
    """Opened from a mail years later it fetches nothing, runs nothing, and hostile text is text."""
    document = html(blocks_of(november), title_of(november))
    page = page_of(document)
    assert page.tags <= PLAIN_TAGS
    assert not page.comments
    names = {name for _, name, _ in page.attributes}
    assert not names & FETCHING
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value)
    assert policy == (f"default-src 'none'; style-src '{style_hash()}'; base-uri 'none'; form-action 'none'")
    assert "<script" not in document.lower()
    assert "\x1b" not in document
    assert plain(HOSTILE) in plain(page.shown)


def test_the_markdown_holds_hostile_text_as_text(november: PeriodReport) -> None:
    """No link, picture, HTML or heading comes from what a source or a person wrote."""
    document = markdown(blocks_of(november))
    parsed = parse(document)
    assert parsed.kinds <= PLAIN_TOKENS
    assert "\x1b" not in document
    assert not [text for _, text in parsed.headings if text.startswith("not a heading")]


def test_charts_can_do_without_unicode(november: PeriodReport) -> None:
    """A terminal that knows ASCII only still gets its charts, with digits for heights."""
    fences = parse(markdown(blocks_of(november), ascii_only=True)).fences
    assert len(fences) == len(november.series)
    assert all(each.isascii() for each in fences)


def test_the_json_is_read_back_as_the_same_report(november: PeriodReport) -> None:
    """A program that knows the structs reads the document without loss."""
    document = report_json(november)
    assert document.isascii()
    assert "\x1b" not in document
    assert json.loads(document)["schema"] == "opsconsole.report.v1"
    assert msgspec.convert(json.loads(document), PeriodReport, strict=False) == november


def test_a_month_is_reported_at_once(company: Company) -> None:
    """A month over several checklists takes well under a second: it is made while somebody waits."""
    import time

    begun = time.process_time()
    company.reporting().report(Cadence.MONTHLY, "2026-11")
    assert time.process_time() - begun < 1


def test_every_key_is_documented(november: PeriodReport) -> None:
    """docs/reports.md names every key of the document."""
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    for name in type(november).__struct_fields__:
        assert f"`{name}`" in page, name
