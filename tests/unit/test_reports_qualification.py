"""The monitoring report of a qualification: at every phase it says how far it is, and holds what it rests on."""

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from opsconsole.contracts.anchor import AnchorError, Kept
from opsconsole.contracts.store import Head
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.qualification_reporting import report_of
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.engine.verifying import Verifying
from opsconsole.export.report_html import html
from opsconsole.export.report_json import report_json
from opsconsole.export.report_markdown import markdown
from opsconsole.export.report_qualification import qualification_blocks, title_of
from opsconsole.model.checklists import Cadence
from opsconsole.model.counting import DayState, Phase
from opsconsole.model.events import AmendmentKind, Meaning
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualification_reports import QualificationReport
from opsconsole.model.readings import Reading
from opsconsole.model.reports import Overall
from support.markdown import PLAIN_TOKENS, parse
from support.report_pages import PLAIN_TAGS, page_of
from support.reported import DAILY, JANE, RAVI, REVIEW, Company, measured

FIRST = dt.date(2026, 11, 1)
KIM = msgspec.structs.replace(JANE, login="kim", name="Kim Novak")


def readable(what: str, target: str, date: dt.date) -> Reading:
    """Return what there is to be read; the memory is always readable and never low."""
    return measured(what, target, FIRST if what == "memory" else date)


async def morning(company: Company, date: dt.date) -> None:
    """Do and sign one morning."""
    company.at(date, 8)
    session = await company.opened(DAILY, JANE)
    await session.enter("tickets", str(1000 + 10 * (date - FIRST).days))
    await session.tick("look")
    for name, item in session.state.items.items():
        if item.outcome is not Outcome.PASS:
            await session.note(name, "a slow night")
            await session.raise_action("Ask the vendor", "Ravi", item=name)
    await sign_statement(session, statement_now(session))
    await session.aclose()


async def until(company: Company, last: int) -> None:
    """Live from the 1st to a day of November: on the 5th and 6th the collectors fail, on the 9th they are slow."""
    for day in range(1, last + 1):
        await morning(company, FIRST.replace(day=day))


async def explained(company: Company) -> None:
    """Document the reasons of the two resets."""
    for day in (5, 6):
        session = await company.engine(RAVI).resume(f"qbr-daily@2026-11-{day:02}")
        reason = "the vendor had moved a server"
        amendment = amendment_now(session, AmendmentKind.RESET, reason, qualification="qbr-9day")
        await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=amendment))
        await session.aclose()


async def reviewed(company: Company) -> None:
    """Do the final review."""
    company.now += dt.timedelta(hours=1)
    session = await company.engine(JANE).open(REVIEW)
    await session.tick("gaps")
    await session.fill("recommendations", "Collect twice a night")
    await sign_statement(session, statement_now(session))
    await session.aclose()


async def decided(company: Company, meaning: Meaning, reason: str = "") -> None:
    """Approve or refuse as a third person."""
    engine = company.engine(KIM)
    state = engine.qualifying.state("qbr-9day")
    approves = meaning is Meaning.APPROVED
    approval = engine.qualifying.approval(state, complete=approves, ready=approves, reason=reason)
    session = await engine.resume(engine.qualifying.review_run(state.definition, state.current))
    await sign_statement(session, statement_now(session, meaning, approval=approval))
    await session.aclose()


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A company that begins on the first of November."""
    found = Company(tmp_path, now=dt.datetime(2026, 11, 1, 13, 0, tzinfo=dt.UTC), play=readable)
    yield found
    found.store.close()


def made(company: Company, *, verify: bool = True) -> QualificationReport:
    """Make the report."""
    engine = company.engine(KIM)
    verifying = Verifying(company.store, None, clock=company.clock) if verify else None
    return report_of(engine, company.checklists, "qbr-9day", verifying)


class Notebook:
    """Keeps a head that the record has not, or cannot be read."""

    name = "notebook"

    def __init__(self, store_id: str, failure: AnchorError | None = None) -> None:
        self.store_id = store_id
        self.failure = failure

    def kept(self) -> Iterator[Kept]:
        """Yield it."""
        if self.failure is not None:
            raise self.failure
        yield Kept(store_id=self.store_id, head=Head(1, "ab" * 32), where="page 1")


def test_it_knows_what_status_knows(company: Company) -> None:
    """A head that is kept outside and not in the record stands against an approval, in the report as well."""
    asyncio.run(until(company, 2))
    engine = company.engine(KIM)
    verifying = Verifying(company.store, None, [Notebook(company.store.store_id)], clock=company.clock)  # type: ignore[list-item]
    known = engine.qualifying.verified("qbr-9day", verifying)
    report = report_of(engine, company.checklists, "qbr-9day", verifying)
    assert len(known.record) == 1
    assert known.record[0] in report.blockers


def test_what_could_not_be_checked_is_not_called_right(company: Company) -> None:
    """A place that keeps heads cannot be read: the first lines say so, and never that nothing is wrong."""
    asyncio.run(until(company, 2))
    notebook = Notebook(company.store.store_id, AnchorError("gone"))
    verifying = Verifying(company.store, None, [notebook], clock=company.clock)  # type: ignore[list-item]
    report = report_of(company.engine(KIM), company.checklists, "qbr-9day", verifying)
    assert report.summary[-1] == (
        "Records: the chain is intact, and nothing is known to be wrong; "
        "1 place that keeps heads outside could not be checked."
    )
    assert report.provenance.holds
    assert not report.provenance.is_whole
    assert report.provenance.unread == ("notebook: gone",)
    assert "notebook: gone" in markdown(qualification_blocks(report))
    month = company.reporting(verifying=verifying).report(Cadence.MONTHLY)
    assert month.overall is Overall.INCOMPLETE
    assert "1 place that keeps heads outside could not be checked" in month.summary[0]


def test_before_anything_happened(company: Company) -> None:
    """A report can be asked for on the first morning, and promises nothing."""
    report = made(company)
    assert (report.phase, report.finished, report.days) == (Phase.NOT_BEGUN, False, ())
    assert report.summary[0] == "Not begun: no day has counted."
    assert markdown(qualification_blocks(report)).startswith(
        "# Monitoring report: Nine clean days (not finished)\n"
    )


def test_while_it_runs(company: Company) -> None:
    """After seven mornings with two failures: not finished, one day of nine, two resets without a reason."""
    asyncio.run(until(company, 7))
    report = made(company)
    assert report.summary[:2] == (
        "Not finished: 1 of 9 consecutive days have passed.",
        "Days: 1 of 9 passed, from 2026-11-07 to 2026-11-07; 2 resets, 2 of them without a documented reason.",
    )
    assert "a documented reason of 2 resets" in report.summary[4]
    assert [(each.number, each.state) for each in report.days] == [
        (1, DayState.PASSED),
        (2, DayState.PASSED),
        (3, DayState.PASSED),
        (4, DayState.PASSED),
        (0, DayState.RESET),
        (0, DayState.RESET),
        (1, DayState.PASSED),
    ]
    assert (report.review, report.decisions) == (None, ())


def test_the_report_of_the_month_says_what_it_waits_for(company: Company) -> None:
    """A full count waits for the reasons of its resets first, then for its review, and only then for a decision."""

    def awaited() -> str:
        (line,) = company.reporting().report(Cadence.MONTHLY).qualifications
        assert line.phase == Phase.REACHED
        return line.waiting

    asyncio.run(until(company, 16))
    assert awaited() == "2 resets without a reason"
    asyncio.run(explained(company))
    assert awaited().startswith("the final review ")
    assert awaited().endswith(" is to be done")
    asyncio.run(reviewed(company))
    assert awaited() == "it is to be approved or refused"


def test_when_it_is_approved(company: Company) -> None:
    """The whole of it: days, resets with reasons, issues and actions, performance, accuracy, approval."""
    asyncio.run(until(company, 15))
    asyncio.run(explained(company))
    assert made(company).summary[0].startswith("Reached, and not decided")
    asyncio.run(reviewed(company))
    asyncio.run(decided(company, Meaning.APPROVED, "well done"))
    report = made(company)
    assert (report.phase, report.summary[0]) == (Phase.APPROVED, "Approved by Kim Novak (kim): ready for Phase 5.")
    assert len([each for each in report.days if each.attempt == 3 and each.number]) == 9
    assert [(each.passed, each.reason) for each in report.attempts] == [
        (4, "the vendor had moved a server"),
        (0, "the vendor had moved a server"),
        (9, ""),
    ]
    slow = [each for each in report.issues if each.outcome is Outcome.FAIL]
    assert [(each.date.day, each.said, each.actions) for each in slow] == [
        (5, ("a slow night",), ("Ask the vendor: open",)),
        (6, ("a slow night",), ("Ask the vendor: open",)),
    ]
    assert {each.good_again_at.date() for each in slow if each.good_again_at} == {dt.date(2026, 11, 7)}
    told = {(each.row, each.subject): each for each in report.performance}
    assert set(told) == {(who, what) for who in ("NinjaOne", "ConnectWise") for what in ("duration", "records")}
    duration = told["ConnectWise", "duration"]
    assert (duration.readings, duration.greatest.value, duration.median.value) == (9, Decimal(22), Decimal(13))
    assert told["NinjaOne", "records"].readings == 9
    assert (report.measured_from, report.measured_to) == (dt.date(2026, 11, 7), dt.date(2026, 11, 15))
    assert [each.item for each in report.resources] == ["disk", "disk", "memory"]
    assert len(report.accuracy[0].days) == 9
    assert report.accuracy[0].greatest_percent == 0
    assert report.review is not None
    assert (report.review.passed, report.review.outcomes[0][1]) == (True, Outcome.PASS)
    assert [each.text for each in report.recommendations] == ["Collect twice a night"]
    (decision,) = report.decisions
    assert (decision.approved, decision.ready, decision.by, decision.reason) == (
        True,
        True,
        "Kim Novak (kim)",
        "well done",
    )
    assert {each.run for each in report.provenance.checks} >= {each.run for each in report.days}
    assert {each.standing for each in report.provenance.checks} == {"attributed"}
    assert report.summary[-1] == "Records: the chain is intact, and nothing is wrong with 16 records."


def test_when_it_is_refused(company: Company) -> None:
    """A refusal stands first, with its reason."""
    asyncio.run(until(company, 15))
    asyncio.run(reviewed(company))
    asyncio.run(decided(company, Meaning.REFUSED, "the disk fills up"))
    report = made(company)
    assert report.summary[0] == "Refused by Kim Novak (kim): the disk fills up"
    assert (report.decisions[0].approved, report.decisions[0].ready) == (False, False)


def test_an_amendment_after_the_approval_overturns_it(company: Company) -> None:
    """A day that is found to have failed later takes the approval with it, and the report says so."""
    asyncio.run(until(company, 15))
    asyncio.run(explained(company))
    asyncio.run(reviewed(company))
    asyncio.run(decided(company, Meaning.APPROVED))

    async def fail() -> None:
        session = await company.engine(RAVI).resume("qbr-daily@2026-11-10")
        amendment = amendment_now(session, AmendmentKind.FAILED, "it was the day before", item="look")
        await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=amendment))
        await session.aclose()

    asyncio.run(fail())
    report = made(company)
    assert not report.finished
    assert [each.overturned for each in report.decisions] == [True]
    assert "overturned" in markdown(qualification_blocks(report))


def test_unverified_is_said(company: Company) -> None:
    """A report that was made without verifying claims nothing of the records."""
    asyncio.run(until(company, 2))
    report = made(company, verify=False)
    assert report.summary[-1] == "Records: not verified for this report."
    assert not report.provenance.verified


def test_formats(company: Company) -> None:
    """Markdown and HTML are well-formed and plain, and the JSON is read back as the same report."""
    asyncio.run(until(company, 7))
    report = made(company)
    assert parse(markdown(qualification_blocks(report))).kinds <= PLAIN_TOKENS
    page = page_of(html(qualification_blocks(report), title_of(report)))
    assert page.tags <= PLAIN_TAGS
    for each in report.days:
        assert str(each.date) in page.shown
    document = json.loads(report_json(report))
    assert document["schema"] == "opsconsole.qualification-report.v1"
    assert msgspec.convert(document, QualificationReport, strict=False) == report


def test_an_unknown_name_is_refused(company: Company) -> None:
    """The refusal names the qualifications there are."""
    with pytest.raises(ActionRefused, match="qbr-9day"):
        report_of(company.engine(), company.checklists, "qbr", None)
    with pytest.raises(ActionRefused, match="no such checklist"):
        report_of(company.engine(), {}, "qbr-9day", None)


def test_every_key_is_documented() -> None:
    """docs/reports.md names every key of the document."""
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    own = page[page.index("### `opsconsole.qualification-report.v1`") :]
    for name in QualificationReport.__struct_fields__:
        assert f"`{name}`" in own, name
