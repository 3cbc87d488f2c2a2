"""`opsconsole` and `opsconsole run`: the console, and the same run without one."""

import datetime as dt
import os
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.actions import late_words
from opsconsole.cli.common import UsageError, emit, narrate, opened_services, options_of
from opsconsole.cli.exits import Exit, exit_code
from opsconsole.cli.looping import Interrupted, finished
from opsconsole.cli.opening import console
from opsconsole.contracts.store import RunKey
from opsconsole.model.calendar import FIRST_DATE, LAST_DATE
from opsconsole.model.events import Via
from opsconsole.model.outcomes import Outcome

if TYPE_CHECKING:
    from opsconsole.engine.changes import Change
    from opsconsole.engine.session import RunSession
    from opsconsole.model.calendar import Period
    from opsconsole.model.checklists import Checklist
    from opsconsole.model.runs import RunState
    from opsconsole.wiring.services import Services


class Format(StrEnum):
    """How a run is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    TOML = "toml"


class AlsoFailOn(StrEnum):
    """What else makes the exit code 1."""

    WARN = "warn"
    PENDING = "pending"


FormatOption = Annotated[Format, typer.Option("--format", help="How the run is printed.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write it there, in one step, mode 0600.", show_default=False),
]
FailOnOption = Annotated[
    list[AlsoFailOn] | None, typer.Option("--fail-on", help="End with 1 for these too.", show_default=False)
]
OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", metavar="ITEM", help="Measure these items only.", show_default=False)
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Say nothing on stderr unless something is wrong.")]
DateOption = Annotated[
    str, typer.Option("--date", metavar="YYYY-MM-DD", help="The business date.", show_default="the present one")
]


class Headless:
    """How a headless run is made and printed."""

    def __init__(
        self,
        form: Format = Format.TEXT,
        output: Path | None = None,
        only: list[str] | None = None,
        fail_on: list[AlsoFailOn] | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        self.form = form
        self.output = output
        self.only = tuple(only or ())
        self.fail_on = frozenset(fail_on or ())
        self.quiet = quiet

    @property
    def colour(self) -> bool:
        """Whether the text goes to a terminal that may show colours (see https://no-color.org)."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
        return self.output is None and sys.stdout.isatty() and not plain

    def say(self, text: str) -> None:
        """Narrate, unless quiet was asked for."""
        if not self.quiet:
            narrate(text)

    def code(self, state: "RunState") -> Exit:
        """Return the exit code for a run, of which what was to be measured must have been; a missed one failed."""
        if state.missed:
            return Exit.FAILED
        unseen = any(
            item.outcome is Outcome.PENDING and item.item.entry is None
            for name, item in state.items.items()
            if item.item.measured and (not self.only or name in self.only)
        )
        return exit_code(
            state.counts | ({Outcome.ERROR: 1} if unseen else {}),
            fail_on_warn=AlsoFailOn.WARN in self.fail_on,
            fail_on_pending=AlsoFailOn.PENDING in self.fail_on,
        )


def run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="A checklist, or a run such as qbr-daily@2026-11-21.")],
    headless: Annotated[
        bool, typer.Option("--headless", help="Measure, print and end; never open the console.")
    ] = False,
    date: DateOption = "",
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    only: OnlyOption = None,
    fail_on: FailOnOption = None,
    quiet: QuietOption = False,
) -> None:
    """Open the console on a run, or measure it headless.

    Exit codes: 0 passed, warned or waiting for a person; 1 an item failed; 2 wrong usage, configuration or
    checklist; 3 nothing failed but something could not be measured; 4 the result could not be saved.
    """
    options = options_of(context)
    if not headless:
        raise typer.Exit(console(options, name, date))
    with opened_services(options, Via.HEADLESS) as parts:
        raise typer.Exit(run_headless(parts, name, date, Headless(form, output, only, fail_on, quiet=quiet)))


def named(parts: "Services", name: str, date: str = "") -> "tuple[Checklist, Period | None]":
    """Return the checklist and the period that a checklist's or a run's name and `--date` mean."""
    wanted, at, period = name.partition("@")
    checklist = parts.checklist(wanted)
    if at:
        if date:
            raise UsageError(f"'{name}' names its period; leave --date away")
        return checklist, period_called(parts, checklist, period, name)
    return checklist, parts.engine.period(checklist, parsed_date(date)) if date else None


def parsed_date(text: str) -> dt.date:
    """Read a date as it is written in a run's name."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"'{text}' is no date; write it like 2026-11-21") from error
    if not FIRST_DATE <= date <= LAST_DATE:
        raise UsageError(f"there are no runs of {date}: only from {FIRST_DATE} to {LAST_DATE}")
    return date


def period_called(parts: "Services", checklist: "Checklist", period: str, name: str) -> "Period":
    """Return the period called so (`2026-11-21`, `2026-W47`, `2026-11`, `2026-Q4`, `2026-11-21T1415Z`)."""
    found = parts.engine.period_named(checklist, period)
    if found is None:
        example = RunKey(checklist.id, "2026-11-21").id
        raise UsageError(f"'{name}' names no run of a {checklist.cadence} checklist; write it like {example}")
    return found


def run_headless(parts: "Services", name: str, date: str, how: Headless) -> Exit:
    """Measure a run, print it, and return its exit code. SIGTERM and Ctrl-C leave a run that can be resumed."""
    for each in parts.notices:
        how.say(each)
    checklist, period = named(parts, name, date)
    unknown = sorted(set(how.only) - {item.id for item in checklist.items})
    if unknown:
        known = ", ".join(item.id for item in checklist.items)
        raise UsageError(f"{checklist.id} has no item '{unknown[0]}'; it has {known}")
    try:
        state, measured = finished(_measured(parts, checklist, period, how))
    except Interrupted as ending:
        narrate("ended before everything was measured; the run can be resumed")
        raise typer.Exit(128 + ending.number) from None
    if not measured and state.signed is not None and not state.missed:
        how.say(f"{state.run} was signed by {state.signed.by.actor.shown}: what is measured now is no part of it")
    emit(parts.rendered(state, how.form, colour=how.colour), how.output)
    late = late_words(parts, checklist.id)
    if late:
        how.say(late)
    return how.code(state)


async def _measured(
    parts: "Services", checklist: "Checklist", period: "Period | None", how: Headless
) -> "tuple[RunState, bool]":
    from opsconsole.engine.engine import opened
    from opsconsole.engine.missed import refuse_never_due

    if period is not None and parts.engine.load(parts.engine.key_of(checklist, period).id) is None:
        refuse_never_due(parts.engine, checklist, period)
    async with opened(parts.engine, checklist, period) as session:
        for each in session.notices:
            narrate(each)
        if sys.stderr.isatty() and not how.quiet:
            session.subscribe(_Narrator(session).hear)
        measured = await parts.engine.measure(
            session,
            how.only,
            waiting=lambda: how.say(f"{session.state.run} is being measured by another process; waiting for it"),
            given_up=lambda: narrate(f"the process that measures {session.state.run} does not end; measuring too"),
        )
        return session.state, measured


class _Narrator:
    """Says on a terminal how far the measuring is: one line, written over."""

    def __init__(self, session: "RunSession") -> None:
        self._session = session

    def hear(self, change: "Change") -> None:
        from opsconsole.engine.changes import Progress

        if isinstance(change, Progress) and not change.measuring:
            end = "\n" if change.done == change.total else ""
            with suppress(OSError):  # the terminal may be gone, which is no reason to stop measuring
                sys.stderr.write(f"\rmeasured {change.done} of {change.total}{end}")
                sys.stderr.flush()
