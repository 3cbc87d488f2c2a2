"""`report` and `qualification report`: what a day, a week, a month, a quarter or a qualification came to."""

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import emit, narrate, opened_services, options_of
from opsconsole.cli.exits import Exit
from opsconsole.model.events import Via

if TYPE_CHECKING:
    import msgspec

    from opsconsole.export.report_blocks import Block
    from opsconsole.model.reports import Provenance


class Reported(StrEnum):
    """What there are reports of."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


class ReportFormat(StrEnum):
    """How a report is written."""

    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


FormatOption = Annotated[ReportFormat, typer.Option("--format", help="How the report is written.")]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output", metavar="PATH", help="Write it there, in one step, mode 0600.", show_default="printed"
    ),
]
VerifyOption = Annotated[
    bool,
    typer.Option("--verify", help="Verify the chain and the records of its runs first, and say what was found."),
]


def report(
    context: typer.Context,
    kind: Annotated[Reported, typer.Argument(help="Of which period.")],
    system: Annotated[
        str, typer.Option("--system", metavar="S", help="Only checklists of this system.", show_default=False)
    ] = "",
    checklist: Annotated[
        str, typer.Option("--checklist", metavar="ID", help="Only this checklist.", show_default=False)
    ] = "",
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="DATE",
            help="A date in the period, its name (2026-W47, 2026-11, 2026-Q4), or 'last' for the one before.",
            show_default="the present one, so far",
        ),
    ] = "",
    form: FormatOption = ReportFormat.MARKDOWN,
    output: OutputOption = None,
    verify: VerifyOption = False,
) -> None:
    """Report what was due in a period, what failed and for how long, what is new, and what is to be done.

    Computed from the record: nothing is measured or changed. The first lines say what matters most.
    """
    options = options_of(context)
    with opened_services(options, Via.COMMAND) as parts:
        from opsconsole.engine.reporting import Reporting
        from opsconsole.export.report_words import blocks_of, title_of
        from opsconsole.model.checklists import Cadence

        reporting = Reporting(parts.engine, parts.checklists, parts.verifying() if verify else None)
        found = reporting.report(Cadence(kind.value), at, system=system, checklist=checklist)
        for problem in parts.problems:
            narrate(problem)
        plain = _plain(options.ascii_only, output)
        emit(_written(found, form, blocks_of(found), title_of(found), plain=plain), output)
        _end(found.provenance)


NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A qualification.")]


def qualification_report(
    context: typer.Context,
    name: NameArgument,
    form: FormatOption = ReportFormat.MARKDOWN,
    output: OutputOption = None,
) -> None:
    """Report what a qualification came to so far: its days, resets, issues, performance, accuracy and approval.

    Every record that it rests on is verified for it. Nothing is measured or changed.
    """
    options = options_of(context)
    with opened_services(options, Via.COMMAND) as parts:
        from opsconsole.engine.qualification_reporting import report_of
        from opsconsole.export.report_qualification import qualification_blocks, title_of

        found = report_of(parts.engine, parts.checklists, name, parts.verifying())
        for problem in parts.problems:
            narrate(problem)
        plain = _plain(options.ascii_only, output)
        emit(_written(found, form, qualification_blocks(found), title_of(found), plain=plain), output)
        _end(found.provenance)


def _written(
    found: "msgspec.Struct", form: ReportFormat, blocks: "Iterable[Block]", title: str, *, plain: bool
) -> str:
    """Return a report in the format asked for."""
    match form:
        case ReportFormat.JSON:
            from opsconsole.export.report_json import report_json

            return report_json(found)
        case ReportFormat.HTML:
            from opsconsole.export.report_html import html

            return html(blocks, title)
        case ReportFormat.MARKDOWN:
            from opsconsole.export.report_markdown import markdown

            return markdown(blocks, ascii_only=plain)


def _end(source: "Provenance") -> None:
    """End with 1 where the record was verified and does not hold, with 3 where not all of it could be checked."""
    if not source.holds:
        narrate("the record does not hold: the end of the report says what of it")
        raise typer.Exit(Exit.FAILED)
    if source.verified and not source.is_whole:
        narrate("not everything could be checked: the end of the report says what")
        raise typer.Exit(Exit.UNMEASURED)


def _plain(asked: bool, output: Path | None) -> bool:
    """Return whether charts have to do without Unicode: asked for, or printed where there is none."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return asked or (output is None and encoding not in {"utf8", "utf16", "utf32"})
