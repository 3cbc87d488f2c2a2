"""The reports of a rich month, byte for byte: what a manager and a program get."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator

import msgspec
import pytest

from opsconsole.engine.qualification_reporting import report_of
from opsconsole.export.report_html import html
from opsconsole.export.report_json import report_json
from opsconsole.export.report_markdown import markdown
from opsconsole.export.report_qualification import qualification_blocks
from opsconsole.export.report_qualification import title_of as title_of_qualification
from opsconsole.export.report_words import blocks_of, title_of
from opsconsole.model.checklists import Cadence
from opsconsole.model.qualification_reports import QualificationReport
from opsconsole.model.reports import PeriodReport, Provenance
from support.reported import Company, play_month


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The month, and its books on the morning after."""
    found = Company(tmp_path_factory.mktemp("company"))
    asyncio.run(play_month(found))
    yield found
    found.store.close()


def settled(source: Provenance) -> Provenance:
    """Return it without what every record has of its own."""
    return msgspec.structs.replace(
        source,
        store_id="0d9d9f0e-6f0a-4c51-9f2e-3a8f5b1c2d3e",
        location="/var/lib/opsconsole/opsconsole.db",
        head_hash="0123456789abcdef" * 4,
        version="0.0.0",
    )


@pytest.fixture
def november(company: Company) -> PeriodReport:
    """The report of the month, made the next morning."""
    company.now = dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC)
    found = company.reporting().report(Cadence.MONTHLY, "2026-11")
    return msgspec.structs.replace(found, provenance=settled(found.provenance))


@pytest.fixture
def nine_days(company: Company) -> QualificationReport:
    """The report of its qualification."""
    company.now = dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC)
    found = report_of(company.engine(), company.checklists, "qbr-9day", None)
    return msgspec.structs.replace(found, provenance=settled(found.provenance))


def test_month(november: PeriodReport, golden: Callable[[str, str], None]) -> None:
    """The month reads as it read with the version before, in every format."""
    golden("report-month.md", markdown(blocks_of(november)))
    golden("report-month.json", report_json(november))
    golden("report-month.html", html(blocks_of(november), title_of(november)))


def test_month_in_ascii(november: PeriodReport, golden: Callable[[str, str], None]) -> None:
    """So it does where there is no Unicode."""
    golden("report-month-ascii.md", markdown(blocks_of(november), ascii_only=True))


def test_qualification(nine_days: QualificationReport, golden: Callable[[str, str], None]) -> None:
    """And so does the monitoring report."""
    golden("report-qualification.md", markdown(qualification_blocks(nine_days)))
    golden("report-qualification.json", report_json(nine_days))
    page = html(qualification_blocks(nine_days), title_of_qualification(nine_days))
    golden("report-qualification.html", page)
