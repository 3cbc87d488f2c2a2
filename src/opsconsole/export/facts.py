"""What all formats say about a run in the same words: dates, people, nearness, and how strong a signature is."""

import datetime as dt
from zoneinfo import ZoneInfo

from opsconsole.model.calendar import Times, zone
from opsconsole.model.deeds import Corrected
from opsconsole.model.events import Actor, Amended, AmendmentKind, Via
from opsconsole.model.holidays import CalendarError
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Finding, Judgement, Level, Verdict
from opsconsole.model.runs import RunState, SignOff
from opsconsole.model.tiers import Tier

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""Not from `strftime`, which speaks the language of the process."""

_MINUTE = 60
ADDING = frozenset({AmendmentKind.NOTE, AmendmentKind.RESET, AmendmentKind.EXCLUDED})
"""Amendments that replace nothing."""


def weekday(date: dt.date) -> str:
    """Return `Saturday`."""
    return _WEEKDAYS[date.weekday()]


def day(date: dt.date) -> str:
    """Return `Saturday 2026-11-21`."""
    return f"{weekday(date)} {date.isoformat()}"


def period(times: Times) -> str:
    """Return the day of a daily run, of an interval its times too; else the period with its first and last day."""
    if times.period.key.endswith("Z") and times.ends_at is not None:
        begins, ends = (each.astimezone(zone_of(times)) for each in (times.begins_at, times.ends_at))
        zone_then = "" if begins.tzname() == ends.tzname() else f" {begins:%Z}"
        return f"{day(times.business_date)}, {begins:%H:%M}{zone_then} to {ends:%H:%M} {ends:%Z}"
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
    return f"{who(actor)} on {actor.host}" if actor.host else who(actor)


def who(actor: Actor) -> str:
    """Return who it was, with the SSH key that logged in where that is known: accounts may be shared."""
    return f"{actor.shown}, logged in with {actor.key}" if actor.key else actor.shown


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
    return tuple(target for target in state.targets if target not in latest)


def verdict_word(finding: Finding) -> str:
    """Return in a word what became of a condition; a broken target is only missed."""
    if finding.verdict is Verdict.BROKEN and finding.level is Level.TARGET:
        return "missed"
    if finding.verdict is Verdict.NO_HISTORY:
        return "no past"
    if finding.verdict is Verdict.NAN:
        return "NaN"
    if finding.verdict is Verdict.UNREAD:
        return "not measured"
    return finding.verdict.value


def binding(tier: Tier) -> str:
    """Return how strongly a signature binds its signer, so that nobody takes a login for a proof."""
    match tier:
        case Tier.ATTRIBUTED:
            return "attributed to the login, not cryptographically signed"
        case Tier.REAUTHENTICATED:
            return "attributed to the login, reauthenticated by its password, not cryptographically signed"
        case Tier.SIGNED:
            return "signed with an SSH key"
        case Tier.HARDWARE:
            return "hardware-signed: with an SSH key in a security key that was touched"


def principal_of(signature: SignOff) -> str:
    """Return whom the key belongs to: as the signed statement says, or else as was noted beside it."""
    return signature.body.statement.principal or signature.body.signature.principal


def sign_off_at(state: RunState, seq: int) -> SignOff | None:
    """Return the signature that stands at a place of the chain."""
    return next((each for each in state.signatures if each.seq == seq), None)


def downfall(state: RunState) -> SignOff | None:
    """Return the amendment with which a run that was not signed as FAIL failed after all, None where none did."""
    signed = state.signed
    if signed is None or not state.amended_to_fail or signed.body.statement.result is Result.FAIL:
        return None
    before: Result = signed.body.statement.result
    for each in state.signatures:
        statement = each.body.statement
        if isinstance(each.body, Amended) and statement.amendment is not None:
            found = statement.amendment.kind is AmendmentKind.FAILED
            if found or (before is Result.PASS and statement.result is not Result.PASS):
                return each
            before = statement.result
    return None


def amended_first(state: RunState, where: ZoneInfo) -> str:
    """Return what must be read before all else of a run that was amended; nothing of others."""
    if not state.amendments or state.signed is None:
        return ""
    fallen = downfall(state)
    if fallen is None:
        count = len(state.amendments)
        last = exact_moment(state.amendments[-1].by.at, where)
        times = "once" if count == 1 else f"{count} times"
        signed = state.signed.body.statement.result
        came_to = f"still {signed}" if signed is state.result else f"{state.result}, signed as {signed}"
        return f"{times} after the sign-off, last {last}; the result is {came_to}"
    statement = fallen.body.statement
    reason = statement.amendment.reason if statement.amendment is not None else ""
    when = f"{exact_moment(statement.signed_at, where)} by {statement.signer}"
    return f"to {Result.FAIL} after it was signed as {state.signed.body.statement.result}, {when}: {reason}"


def amended_what(corrected: Corrected) -> str:
    """Return in a few words what an amendment did, such as `entry of tickets corrected`."""
    amendment = corrected.amendment
    match amendment.kind:
        case AmendmentKind.NOTE:
            return f"note added to {amendment.item}" if amendment.item else "note added to the run"
        case AmendmentKind.ENTRY:
            return f"entry of {amendment.item} corrected"
        case AmendmentKind.FIELD:
            return f"'{amendment.field}' corrected"
        case AmendmentKind.RESET:
            return f"reset of {amendment.about} documented"
        case AmendmentKind.EXCLUDED:
            return f"exclusion from {amendment.qualification} asked for"
        case AmendmentKind.FAILED:
            return f"{amendment.item} found to have failed"


def amended_to(corrected: Corrected) -> str:
    """Return what stands there since an amendment, as `Corrected.was` tells what stood there before."""
    amendment = corrected.amendment
    if amendment.kind is AmendmentKind.FAILED:
        return Outcome.FAIL.value
    if amendment.judgement is not None:
        return f"{amendment.text} ({amendment.judgement.outcome})"
    return amendment.text
