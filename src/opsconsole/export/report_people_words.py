"""What people did and wrote as blocks, and where a report comes from."""

import datetime as dt
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from opsconsole.export.facts import moment
from opsconsole.export.report_blocks import (
    Block,
    Bullets,
    Heading,
    Paragraph,
    Quote,
    table,
)
from opsconsole.model.calendar import is_slot, zone
from opsconsole.model.events import ActionState
from opsconsole.model.holidays import CalendarError
from opsconsole.model.report_summary import unread_words
from opsconsole.model.reports import (
    ActionLine,
    AmendmentLine,
    Provenance,
    RecordCheck,
    Written,
)
from opsconsole.model.verification import Standing


def place(name: str) -> ZoneInfo:
    """Return a zone; UTC where this host does not know it, which every time then says."""
    try:
        return zone(name)
    except CalendarError:
        return ZoneInfo("UTC")


def action_blocks(actions: Sequence[ActionLine], where: ZoneInfo) -> Iterator[Block]:
    """Yield the action items: open ones first, late before all."""
    yield Heading(2, "Action items")
    rows = [
        (
            each.text,
            f"{'LATE, ' if each.late else ''}{each.state}",
            each.owner or "nobody",
            f"{each.due}" if each.due is not None else "-",
            f"{each.raised_by}, {moment(each.raised_at, where)}",
            f"{each.ended_by}, {moment(each.ended_at, where)}" if each.ended_at is not None else "-",
            each.outcome,
            each.id,
        )
        for each in actions
    ]
    yield table(("What", "State", "Owner", "Due", "Raised", "Ended", "Said last", "Name"), rows)
    waiting = sum(each.state is ActionState.OPEN for each in actions)
    if rows:
        late = sum(each.late for each in actions)
        yield Paragraph(f"{waiting} open, {late} of them late; {len(actions) - waiting} ended.")


def amendment_blocks(amendments: Sequence[AmendmentLine], where: ZoneInfo) -> Iterator[Block]:
    """Yield what was corrected after a sign-off."""
    yield Heading(2, "Amendments")
    rows = [
        (each.run, str(each.kind), each.subject, each.was, each.now, each.reason, each.by, moment(each.at, where))
        for each in amendments
    ]
    yield table(("Run", "Kind", "About", "Was", "Is", "Reason", "By", "At"), rows)


def written_blocks(
    written: Sequence[Written], where: dict[str, ZoneInfo], title: str = "What was written"
) -> Iterator[Block]:
    """Yield what people wrote, word for word."""
    yield Heading(2, title)
    if not written:
        yield Paragraph("Nothing.")
    for each in written:
        own = where.get(each.run.partition("@")[0], ZoneInfo("UTC"))
        about = f"{each.run}{f', {each.place}' if each.place else ''}: {each.by}, {moment(each.at, own)}"
        yield Quote(about, each.text)


def provenance_blocks(source: Provenance, made_at: dt.datetime, where: ZoneInfo) -> Iterator[Block]:
    """Yield where the report comes from, and what was and was not verified for it."""
    yield Heading(2, "How this report was made")
    verified = (
        "not verified for this report; 'opsconsole verify' walks the chain and checks the signatures"
        if not source.verified
        else _verified_words(source)
    )
    computed = (
        f"Computed by opsconsole {source.version} at {moment(made_at, where)} from {source.runs} runs of "
        "the record, those around the period included; nothing was measured or typed in for it."
    )
    yield Bullets(
        (
            computed,
            f"Record: {source.store_id}, {source.location}",
            f"Head of its chain: event {source.head_seq}, {source.head_hash}",
            f"Verification: {verified}",
        )
    )
    if source.lost:
        yield Bullets(source.lost)
    if source.unread:
        yield Bullets(tuple(f"could not be checked: {each}" for each in source.unread))
    rows = [(each.run, each.standing, "; ".join(each.faults)) for each in source.checks if not _is_plain(each)]
    if rows:
        yield table(("Run", "Verification", "What does not hold"), rows)


def _is_plain(check: RecordCheck) -> bool:
    """Return whether a run is one of the many of an interval, unsigned, with nothing wrong: those are counted."""
    return check.standing == Standing.UNSIGNED and is_slot(check.run.partition("@")[2])


def _verified_words(source: Provenance) -> str:
    standings = [each.standing for each in source.checks]
    found = ", ".join(f"{standings.count(each)} {each}" for each in dict.fromkeys(standings))
    lost = f"; {len(source.lost)} of the heads kept outside are not in it" if source.lost else ""
    unread = f"; {unread_words(source.unread)} could not be checked" if source.unread else ""
    return f"the chain is {source.chain}{lost}{unread}; of {len(standings)} runs: {found or 'none'}"
