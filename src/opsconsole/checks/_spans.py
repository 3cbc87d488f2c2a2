"""The stretch of time that an item looks at: so far back, since its job was to start, or the run's own window."""

import datetime as dt

import msgspec

from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.model.values import Duration, UnitError

SCHEDULED, WINDOW = "scheduled", "window"


class Span(msgspec.Struct, frozen=True):
    """From one instant to another, in UTC."""

    begins: dt.datetime
    ends: dt.datetime
    live: bool
    """It ends now, and not with a period that is over."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.ends - self.begins).total_seconds()

    def words(self) -> str:
        """Return it for reading."""
        return f"from {self.begins:%Y-%m-%d %H:%M:%SZ} to {self.ends:%Y-%m-%d %H:%M:%SZ}"


def span_of(since: str, context: Context) -> Span:
    """Return the stretch of time that `since` means in this run; raise ProbeError where there is none."""
    if since == WINDOW:
        window = context.times.window
        if window.begins_at >= context.now:
            raise _too_early(f"the run looks back over the time since {window.begins_at:%Y-%m-%d %H:%M} UTC")
        live = window.ends_at > context.now
        return Span(window.begins_at, context.now if live else window.ends_at, live)
    if since != SCHEDULED:
        return Span(context.now - Duration.parse(since).timedelta(), context.now, live=True)
    scheduled = context.times.scheduled
    if scheduled is None:
        raise ProbeError(
            "no-schedule",
            "the checklist has no scheduled job, so 'since = \"scheduled\"' means no time",
            "give the checklist a 'schedule', or write how far to look back: since = \"24 h\"",
        )
    if scheduled >= context.now:
        raise _too_early(f"the job is scheduled for {scheduled:%Y-%m-%d %H:%M} UTC")
    return Span(scheduled, context.now, live=True)


def since_problem(since: str) -> str | None:
    """Return what is wrong with the option `since`, None where nothing is."""
    if since in {SCHEDULED, WINDOW}:
        return None
    try:
        length = Duration.parse(since).seconds
    except UnitError as error:
        others = "'scheduled' for the time of the checklist's job, or 'window' for what the run looks back over"
        return f"{error}; or write {others}"
    if length < 1:
        return f"nothing lies within '{since}'; write how far to look back, like '24 h'"
    return None if length <= _LONGEST else f"'{since}' is longer than ten years"


_LONGEST = 10 * 366 * 86400


def _too_early(what: str) -> ProbeError:
    return ProbeError("too-early", f"{what}, which is still to come", "measure again after that")
