"""Makes the report of a period of what the record tells of each checklist: pure, and the same for every format."""

import datetime as dt
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.model.actions import Action
from opsconsole.model.calendar import Period
from opsconsole.model.checklists import Cadence
from opsconsole.model.report_effort import Act, efforts_of
from opsconsole.model.report_runs import Told, checklist_line, run_line, signers_of, tally_of
from opsconsole.model.report_series import accuracy_of, nearest_first, series_of
from opsconsole.model.report_spells import in_order, skips_of, troubles_of, waivers_of, warnings_of
from opsconsole.model.report_summary import Gist, overall_of, summary_of
from opsconsole.model.report_written import action_lines, amendments_of, written_in
from opsconsole.model.reports import INTACT, PeriodReport, Provenance, QualificationLine, Span


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which report is wanted, and when it is made."""

    cadence: Cadence
    period: Period
    before: Period
    now: dt.datetime
    where: ZoneInfo
    """The zone of whoever makes it: the present date, and when people raised or did something."""
    system: str = ""
    checklist: str = ""

    @property
    def today(self) -> dt.date:
        """The present date."""
        return self.now.astimezone(self.where).date()


def span_of(period: Period) -> Span:
    """Return the dates of a period."""
    return Span(key=period.key, start=period.start, end=period.end)


def period_report(
    asked: Asked,
    tellings: Sequence[Told],
    *,
    acts: Iterable[Act],
    actions: Iterable[Action],
    qualifications: Sequence[QualificationLine],
    provenance: Provenance,
) -> PeriodReport:
    """Return the report; `tellings` are of the checklists that it is about, in their order."""
    span, today = span_of(asked.period), asked.today
    lines = {
        id(told): [run_line(each, asked.now, signed=told.checklist.needs_signature) for each in told.present]
        for told in tellings
    }
    checklists = tuple(checklist_line(told, lines[id(told)]) for told in tellings)
    tally = tally_of(each for told in tellings for each in lines[id(told)])
    troubles = in_order(each for told in tellings for each in troubles_of(told, asked.now))
    warnings = tuple(each for told in tellings for each in warnings_of(told))
    open_until = min(span.end, today)
    about = action_lines(actions, span, asked.where, today)
    signers = signers_of(state for told in tellings for state in told.states)
    gist = Gist(
        over=today > span.end,
        tally=tally,
        checklists=checklists,
        troubles=troubles,
        warnings=len(warnings),
        actions=about,
        qualifications=qualifications,
        signers=signers,
        faults=[each.run for each in provenance.checks if each.faults],
        doubted=_doubted(provenance),
        unverified=provenance.unchecked,
        unread=provenance.unread,
    )
    return PeriodReport(
        cadence=asked.cadence,
        period=span,
        before=span_of(asked.before),
        over=gist.over,
        system=asked.system,
        checklist=asked.checklist,
        made_at=asked.now,
        timezone=str(asked.where),
        overall=overall_of(gist),
        summary=summary_of(gist),
        tally=tally,
        checklists=checklists,
        troubles=troubles,
        warnings=warnings,
        waivers=tuple(each for told in tellings for each in waivers_of(told, open_until)),
        skips=tuple(each for told in tellings for each in skips_of(told)),
        series=nearest_first(each for told in tellings for each in series_of(told)),
        accuracy=tuple(each for told in tellings for each in accuracy_of(told)),
        effort=efforts_of(tellings, acts),
        actions=about,
        amendments=tuple(each for told in tellings for each in amendments_of(told, span)),
        qualifications=tuple(qualifications),
        signers=signers,
        written=tuple(each for told in tellings for state in told.states for each in written_in(state)),
        provenance=provenance,
    )


def _doubted(source: Provenance) -> str:
    """Return what verifying found to be wrong with the record as a whole."""
    if source.chain not in {"", INTACT}:
        return f"its chain is {source.chain}"
    return f"{len(source.lost)} of the heads kept outside are not in it" if source.lost else ""
