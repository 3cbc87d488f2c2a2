"""What all formats say about a run in the same words: dates, people, nearness, and how strong a signature is."""

import datetime as dt
from zoneinfo import ZoneInfo

from opsconsole.model.calendar import CalendarError, Times, zone
from opsconsole.model.events import Actor, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Finding, Judgement, Level, Verdict
from opsconsole.model.runs import ItemState, RunState
from opsconsole.model.tiers import Tier

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""Not from `strftime`, which speaks the language of the process."""

_MINUTE = 60


def weekday(date: dt.date) -> str:
    """Return `Saturday`."""
    return _WEEKDAYS[date.weekday()]


def day(date: dt.date) -> str:
    """Return `Saturday 2026-11-21`."""
    return f"{weekday(date)} {date.isoformat()}"


def period(times: Times) -> str:
    """Return the day of a daily run, otherwise the period with its first and last day."""
    if times.period.start == times.period.end:
        return day(times.business_date)
    return f"{times.period.key}, {day(times.period.start)} to {day(times.period.end)}"


def zone_of(times: Times) -> ZoneInfo:
    """Return the zone that a run lives in; UTC where this host does not know it, which every time then says."""
    try:
        return zone(times.timezone)
    except CalendarError:
        return ZoneInfo("UTC")


def moment(at: dt.datetime, where: ZoneInfo) -> str:
    """Return `2026-11-21 08:12:03 CST`."""
    local = at.astimezone(where)
    return f"{local.replace(tzinfo=None).isoformat(' ', 'seconds')} {local.tzname()}"


def exact_moment(at: dt.datetime, where: ZoneInfo) -> str:
    """Return `2026-11-21 08:12:03 CST (UTC-06:00)`: plain also to somebody who does not know the zone."""
    offset = at.astimezone(where).utcoffset() or dt.timedelta()
    sign = "-" if offset < dt.timedelta() else "+"
    minutes = abs(offset) // dt.timedelta(minutes=1)
    return f"{moment(at, where)} (UTC{sign}{minutes // _MINUTE:02}:{minutes % _MINUTE:02})"


def rfc3339(at: dt.datetime) -> str:
    """Return an instant in UTC as RFC 3339 has it, `2026-11-21T14:12:03Z`; a fraction only where there is one."""
    return at.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"


def person(actor: Actor) -> str:
    """Return who it was and on which host."""
    return f"{actor.shown} on {actor.host}" if actor.host else actor.shown


def monitored_by(state: RunState) -> tuple[str, ...]:
    """Return everybody who worked on the run by hand, each once, in order of appearance."""
    by_hand = (actor.shown for actor in state.operators if actor.via is not Via.HEADLESS)
    return tuple(dict.fromkeys(by_hand))


def telling(judgement: Judgement) -> tuple[Finding, ...]:
    """Return the findings that are not plainly fulfilled."""
    return tuple(each for each in judgement.findings if each.verdict is not Verdict.HOLDS)


def near(state: ItemState) -> bool:
    """Return whether an item passed with a value that has almost used up its limit."""
    findings = (finding for judgement in state.judgements.values() for finding in judgement.findings)
    return state.outcome is Outcome.PASS and any(each.verdict is Verdict.NEAR for each in findings)


def unmeasured_targets(state: ItemState) -> tuple[str, ...]:
    """Return the targets of an item that nobody has measured yet."""
    latest = state.latest
    return tuple(target for target in state.item.for_each if target not in latest)


def verdict_word(finding: Finding) -> str:
    """Return one word for what became of a condition; a broken target is only missed."""
    if finding.verdict is Verdict.BROKEN and finding.level is Level.TARGET:
        return "missed"
    return finding.verdict.value


def binding(tier: Tier) -> str:
    """Return how strongly a signature binds its signer, so that nobody takes a login for a proof."""
    match tier:
        case Tier.ATTRIBUTED:
            return "attributed to the login, not cryptographically signed"
        case Tier.REAUTHENTICATED:
            return "attributed to the login after its password was given again, not cryptographically signed"
        case Tier.SIGNED:
            return "signed with an SSH key"
        case Tier.HARDWARE:
            return "signed with an SSH key in hardware"
