"""`list`: the checklists, when each is due and how it stands, now or at any other moment."""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from opsconsole.cli.common import UsageError, emit, narrate, opened_services, options_of, plain_json
from opsconsole.cli.tables import table
from opsconsole.model.calendar import FIRST_DATE, LAST_DATE, Standing, midnight, zone
from opsconsole.model.events import Via
from opsconsole.model.signoff import count_words

if TYPE_CHECKING:
    from opsconsole.engine.overview import Gap, Today

SCHEMA = "opsconsole.list.v1"

_HEAD = ("CHECKLIST", "CADENCE", "DUE", "STANDS", "BEFORE", "TITLE")
_OVER = frozenset({Standing.SIGNED, Standing.EXPLAINED, Standing.DONE})


class Moment(msgspec.Struct, frozen=True):
    """The instant that is asked about, and the zone that it is told in."""

    at: dt.datetime
    where: ZoneInfo

    def __str__(self) -> str:
        local = self.at.astimezone(self.where)
        return f"{local.replace(tzinfo=None).isoformat(' ', 'seconds')} {local.tzname()} ({self.where})"


def list_checklists(
    context: typer.Context,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Another moment, past or future: 2026-11-21T08:00 in this host's zone, 2026-11-21T14:00Z, or a "
            "date for its end.",
            show_default="now",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help=f"Print them as JSON ({SCHEMA}).")] = False,
) -> None:
    """List the checklists, when each is due and how it stands.

    Of earlier periods it tells how many were missed among the last 31 that were due, 288 of an interval. At another
    moment each stands as it did by what had been recorded until then; at a later one as it will if nobody does
    anything. Nothing is measured or changed.
    """
    options = options_of(context)
    with opened_services(options, Via.COMMAND) as parts:
        from opsconsole.engine.identity import local_zone
        from opsconsole.engine.overview import today

        where, now = zone(local_zone()), parts.engine.clock()
        asked = Moment(moment_of(at, where) if at else now, where)
        views = [today(parts.engine, each, asked.at if at else None) for each in parts.checklists.values()]
        for problem in parts.problems:
            narrate(problem)
        if as_json:
            emit(_document(asked, views), None)
            return
        if at:
            later = "; nothing is known of what will be done until then" if asked.at > now else ""
            narrate(f"as of {asked}{later}")
        if not views:
            narrate('there is no checklist; name a directory of them in config.toml: checklists = ["checklists"]')
            return
        emit(table([_HEAD, *map(_row, views)]), None)


def moment_of(text: str, where: ZoneInfo) -> dt.datetime:
    """Return an instant that is written as ISO 8601 has it, in UTC; without a zone it is one of `where`.

    Of a date its last instant is meant. Raises UsageError for what is no moment, or one that no checklist knows.
    """
    example = "write it like 2026-11-21T08:00, 2026-11-21T14:00Z or 2026-11-21"
    if "W" in text:  # a week is no moment, though ISO 8601 lets one write a day by it
        raise UsageError(f"'{text}' is no moment", example)
    try:
        written = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"'{text}' is no moment", example) from error
    if not FIRST_DATE < written.date() < LAST_DATE:
        raise UsageError(f"'{text}' is no moment that a checklist knows: from {FIRST_DATE} to {LAST_DATE}")
    if _is_date(text):
        return midnight(written.date() + dt.timedelta(days=1), where) - dt.timedelta(seconds=1)
    return (written if written.tzinfo is not None else written.replace(tzinfo=where)).astimezone(dt.UTC)


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


# --- as a table --------------------------------------------------------------------------------------


def _row(view: "Today") -> tuple[str, ...]:
    checklist = view.checklist
    return checklist.id, str(checklist.cadence), _due(view), _stands(view), _before(view), checklist.title


def _due(view: "Today") -> str:
    if view.times is None:
        return "not yet"
    if view.next_due_at is None and view.standing in _OVER:
        return "-"
    where = ZoneInfo(view.times.timezone)
    at = (view.next_due_at or view.times.due_at).astimezone(where)
    return f"{'next ' if view.next_due_at else ''}{at:%Y-%m-%d %H:%M %Z}"


def _stands(view: "Today") -> str:
    return ", ".join(_standing_words(view))


def _standing_words(view: "Today") -> Iterator[str]:
    if view.times is None:
        yield view.waits_for
        return
    run = view.current
    yield str(view.standing)
    if run is None:
        if view.standing in {Standing.DUE, Standing.OVERDUE}:
            yield "not opened"
    elif view.waiting:
        yield f"waiting for signature, {count_words(run.counts)}"
    else:
        yield str(run.result) if view.standing in _OVER else f"opened, {count_words(run.counts)}"
    if view.monitoring is not None:
        yield str(view.monitoring)


def _before(view: "Today") -> str:
    """Return how many earlier periods were missed: nobody opened them, or nobody signed them."""
    found = [each for each in view.gaps if each.standing is Standing.MISSED]
    missed, unsigned = [each for each in found if not each.unsigned], [each for each in found if each.unsigned]
    explained = len(view.gaps) - len(found)
    words = [
        *_counted(missed, "missed"),
        *_counted(unsigned, "unsigned" if view.checklist.needs_signature else "unfinished"),
        *([f"{explained} explained"] if explained else []),
    ]
    return "; ".join(words) or "-"


def _counted(gaps: list["Gap"], word: str) -> Iterator[str]:
    if gaps:
        yield f"{len(gaps)} {word}, last {gaps[0].period}"


# --- as JSON -----------------------------------------------------------------------------------------


def _document(asked: Moment, views: list["Today"]) -> str:
    """Return the same for programs; `docs/formats.md` describes the keys."""
    document = {
        "schema": SCHEMA,
        "at": asked.at,
        "timezone": str(asked.where),
        "checklists": [_listed(each) for each in views],
    }
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode("utf-8")
    return f"{plain_json(text)}\n"


def _listed(view: "Today") -> dict[str, object]:
    checklist, times, run = view.checklist, view.times, view.current
    return {
        "checklist": checklist.id,
        "title": checklist.title,
        "system": checklist.system,
        "cadence": checklist.cadence,
        "run": view.run,
        "period": None if times is None else times.period.key,
        "timezone": None if times is None else times.timezone,
        "begins_at": None if times is None else times.begins_at,
        "due_at": None if times is None else times.due_at,
        "overdue_at": None if times is None else times.overdue_at,
        "ends_at": None if times is None else times.ends_at,
        "next_due_at": None if view.next_due_at is None else view.next_due_at.astimezone(dt.UTC),
        "standing": view.standing if times is not None else "waits",
        "waits_for": view.waits_for,
        "waiting_for_signature": view.waiting,
        "opened": run is not None,
        "result": None if run is None else run.result,
        "counts": {} if run is None else run.counts,
        "signed_by": "" if run is None else run.signed_by,
        "signed_at": None if run is None else run.signed_at,
        "monitoring": None
        if view.monitoring is None
        else {"day": view.monitoring.day, "length": view.monitoring.length},
        "gaps": [
            {
                "run": each.run,
                "period": each.period,
                "due_at": each.due_at,
                "standing": each.standing,
                "unsigned": each.unsigned,
                "why": each.why,
            }
            for each in view.gaps
        ],
        "open_actions": len(view.actions),
    }
