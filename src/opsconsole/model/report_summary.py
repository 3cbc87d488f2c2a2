"""The first lines of a report, for the person who reads no further: how it was, and what is asked of whom."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.model.calendar import zone
from opsconsole.model.events import ActionState
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.reports import (
    DONE,
    WANTING,
    ActionLine,
    ChecklistLine,
    Kept,
    News,
    Overall,
    QualificationLine,
    Signer,
    Tally,
    Trouble,
)
from opsconsole.model.text import counted, shortened

_NAMED = 3
_LONGEST = 60
_NOT_SEEN = (Outcome.ERROR, Outcome.BLOCKED)


class Gist(msgspec.Struct, frozen=True, kw_only=True):
    """What the summary is made of."""

    over: bool
    tally: Tally
    checklists: Sequence[ChecklistLine]
    troubles: Sequence[Trouble]
    warnings: int
    actions: Sequence[ActionLine]
    qualifications: Sequence[QualificationLine]
    signers: Sequence[Signer]
    faults: Sequence[str] = ()
    """Records that do not hold, as far as anybody looked."""
    doubted: str = ""
    """What is wrong with the record as a whole."""
    unverified: Sequence[str] = ()
    """Records that could not be verified although that was asked for."""
    unread: Sequence[str] = ()
    """Places that keep heads outside and could not be looked at."""


def overall_of(gist: Gist) -> Overall:
    """Return the verdict: what is not known to be good is not called so."""
    now = [each for each in gist.troubles if each.news in {News.NEW, News.AGAIN}]
    failed = any(each.runs.get(Outcome.FAIL) for each in now) or _failed_once(now)
    if failed or _failed_runs(gist.tally) or gist.tally.kept[Kept.MISSED] or gist.faults or gist.doubted:
        return Overall.BAD
    unsure = any(gist.tally.kept[each] for each in (*WANTING, Kept.EXPLAINED)) or bool(now)
    unsure = unsure or bool(gist.unverified) or bool(gist.unread)
    unseen = gist.tally.results[Result.OPEN] - gist.tally.kept[Kept.OPEN] + gist.tally.unseen
    if unsure or unseen > 0 or any(each.news is News.UNSEEN for each in gist.troubles):
        return Overall.INCOMPLETE
    if not gist.tally.due and not gist.tally.extra:
        return Overall.NOTHING
    return Overall.GOOD


def _failed_runs(tally: Tally) -> int:
    """Return how many runs failed, but for those in which nothing was seen at all."""
    return tally.results[Result.FAIL] - tally.unseen


def _failed_once(troubles: Sequence[Trouble]) -> bool:
    return any(Outcome.FAIL in spell.outcomes for each in troubles for spell in each.spells)


def summary_of(gist: Gist) -> tuple[str, ...]:
    """Return the verdict in a sentence, then a line each: what was done, failed, is new, is needed, who signed."""
    lines = [_verdict(gist), _done(gist.tally), _failed(gist), _news(gist)]
    return tuple(each for each in (*lines, _needs(gist), _signed(gist.signers)) if each)


def _verdict(gist: Gist) -> str:
    so_far = "" if gist.over else " so far"
    done = sum(gist.tally.kept[each] for each in DONE)
    match overall_of(gist):
        case Overall.NOTHING:
            return f"Nothing was due{so_far}."
        case Overall.GOOD if gist.tally.kept[Kept.OPEN]:
            return (
                f"Good so far: nothing failed, and {counted(gist.tally.kept[Kept.OPEN], 'run')} can still be done."
            )
        case Overall.GOOD:
            warned = f", {counted(gist.warnings, 'item')} with warnings" if gist.warnings else ""
            return f"Good{so_far}: nothing failed, and everything that was due was done{warned}."
        case Overall.INCOMPLETE:
            return (
                f"Incomplete{so_far}: nothing is known to have failed, "
                f"but {_short_of(gist, done) or 'not everything was seen'}."
            )
        case Overall.BAD:
            return f"Not good{so_far}: {_worst(gist)}."


def _short_of(gist: Gist, done: int) -> str:
    lost = gist.tally.due - gist.tally.kept[Kept.OPEN] - done
    parts = [f"{lost} of {gist.tally.due} due were not done"] if lost else []
    blind = [each for each in gist.troubles if each.news in {News.NEW, News.AGAIN} and not each.is_over]
    if blind:
        parts.append(
            f"{counted(len(blind), 'item')} could not be seen or {'is' if len(blind) == 1 else 'are'} waived"
        )
    if gist.tally.unseen:
        parts.append(f"{counted(gist.tally.unseen, 'run')} saw nothing, with every item skipped")
    if gist.unverified:
        parts.append(f"{counted(len(gist.unverified), 'record')} could not be verified")
    if gist.unread:
        parts.append(f"{unread_words(gist.unread)} could not be checked")
    return " and ".join(parts)


def _worst(gist: Gist) -> str:
    parts = []
    now = [each for each in gist.troubles if each.news in {News.NEW, News.AGAIN}]
    failed = [each for each in now if _has_failed(each)]
    still = [each for each in failed if not each.is_over]
    if gist.doubted:
        parts.append(f"the record cannot be trusted, {gist.doubted}")
    if gist.faults:
        parts.append(f"{counted(len(gist.faults), 'record')} cannot be trusted")
    if failed:
        stands = "all of them over" if not still else f"{len(still)} of them not over"
        if len(failed) == 1:
            stands = "which is over" if not still else "which is not over"
        parts.append(f"{counted(len(failed), 'item')} failed, {stands}")
    elif _failed_runs(gist.tally):
        parts.append(f"{counted(_failed_runs(gist.tally), 'run')} failed")
    missed = gist.tally.kept[Kept.MISSED]
    if missed:
        parts.append(f"{counted(missed, 'run')} {'was' if missed == 1 else 'were'} missed without an explanation")
    return "; ".join(parts)


def _has_failed(trouble: Trouble) -> bool:
    return bool(trouble.runs.get(Outcome.FAIL)) or any(Outcome.FAIL in each.outcomes for each in trouble.spells)


def _done(tally: Tally) -> str:
    if not tally.due:
        return "Done: nothing was due." + (
            f" {counted(tally.extra, 'run')} without being due." if tally.extra else ""
        )
    done = sum(tally.kept[each] for each in DONE)
    parts = [f"{done} of {tally.due} due"]
    rest = (Kept.LATE, Kept.MISSED, Kept.EXPLAINED, Kept.UNSIGNED, Kept.UNFINISHED, Kept.OPEN)
    words = {Kept.LATE: "of them late", Kept.EXPLAINED: "missed with an explanation", Kept.OPEN: "still open"}
    parts += [f"{tally.kept[each]} {words.get(each, str(each))}" for each in rest if tally.kept[each]]
    parts += [f"{tally.extra} more without being due"] if tally.extra else []
    seen = sum(tally.outcomes[each] for each in Outcome if each not in {Outcome.SKIPPED, Outcome.PENDING})
    blind = sum(tally.outcomes[each] for each in _NOT_SEEN)
    unseen = f" {blind} of {seen} readings could not be taken, and count as no good ones." if blind else ""
    return f"Done: {', '.join(parts)}; {tally.passed} passed.{unseen}"


def _failed(gist: Gist) -> str:
    now = [each for each in gist.troubles if each.news in {News.NEW, News.AGAIN}]
    if not now:
        seen = overall_of(gist) in {Overall.GOOD, Overall.NOTHING}
        return "Failed: nothing." if seen else "Failed: nothing that was seen."
    where = {each.id: zone(each.timezone) for each in gist.checklists}
    return f"Not good: {named([_trouble_words(each, where[each.checklist]) for each in now])}."


def _trouble_words(trouble: Trouble, where: ZoneInfo) -> str:
    if not trouble.spells:
        return f"{_title(trouble)} (not seen)"
    days = sum(count for outcome, count in trouble.runs.items() if outcome not in {Outcome.PASS, Outcome.WARN})
    first, last = trouble.spells[0], trouble.spells[-1]
    since = f"{first.began_at.astimezone(where).date()}{' or earlier' if first.earlier else ''}"
    if last.ended_at is None:
        state = "still"
    elif last.ended_after:
        state = f"over only since {last.ended_at.astimezone(where).date()}"
    else:
        state = f"over since {last.ended_at.astimezone(where).date()}"
    times = f", {counted(len(trouble.spells), 'time')}" if len(trouble.spells) > 1 else ""
    runs = f" in {counted(days, 'run')}" if days else ""
    return f"{_title(trouble)}{runs}{times} (from {since}, {state})"


def _title(trouble: Trouble) -> str:
    return shortened(trouble.title, _LONGEST)


def _news(gist: Gist) -> str:
    found = {kind: [_title(each) for each in gist.troubles if each.news is kind] for kind in News}
    parts = [f"new: {named(found[News.NEW]) or 'nothing'}"]
    parts += [f"{kind}: {named(found[kind])}" for kind in (News.RECOVERED, News.UNSEEN) if found[kind]]
    return f"Against the period before: {'; '.join(parts)}."


def _needs(gist: Gist) -> str:
    parts = [*_wanting(gist.checklists), *_decisions(gist.qualifications), *_actions(gist.actions)]
    parts += [f"{counted(len(gist.faults), 'record')} to be looked into"] if gist.faults else []
    return f"Needed: {'; '.join(parts)}." if parts else "Needed: nothing."


def _wanting(checklists: Sequence[ChecklistLine]) -> Iterator[str]:
    missed = [each for line in checklists for each in line.runs if each.due and each.kept is Kept.MISSED]
    unsigned = [each for line in checklists for each in line.runs if each.due and each.kept is Kept.UNSIGNED]
    if missed:
        yield f"an explanation of {named([each.run for each in missed])}"
    if unsigned:
        yield f"a signature of {named([each.run for each in unsigned])}"
    never = [each.id for each in checklists if each.awaited]
    if never:
        yield f"a first run of {named(never)}"


def _decisions(qualifications: Sequence[QualificationLine]) -> Iterator[str]:
    for each in qualifications:
        if each.waiting:
            yield f"{each.id}: {each.waiting}"


def _actions(actions: Sequence[ActionLine]) -> Iterator[str]:
    waiting = [each for each in actions if each.state is ActionState.OPEN]
    late = sum(each.late for each in waiting)
    if waiting:
        yield f"{counted(len(waiting), 'open action item')}{f', {late} of them late' if late else ''}"


def _signed(signers: Sequence[Signer]) -> str:
    if not signers:
        return "Signed by: nobody."
    return f"Signed by: {named([f'{each.name} ({each.runs}, {each.tier})' for each in signers])}."


def named(words: Sequence[str]) -> str:
    """Return the first few, and how many more there are."""
    shown = ", ".join(words[:_NAMED])
    return f"{shown} and {len(words) - _NAMED} more" if len(words) > _NAMED else shown


def unread_words(places: Sequence[str]) -> str:
    """Return `1 place that keeps heads outside`, or how many there are."""
    return (
        "1 place that keeps heads outside" if len(places) == 1 else f"{len(places)} places that keep heads outside"
    )
