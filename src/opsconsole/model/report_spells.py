"""What was not good in a period: since when, for how long, how often, and what of it is new or over."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome, worst
from opsconsole.model.report_runs import Expected, Told
from opsconsole.model.reports import News, SkipLine, Spell, Trouble, WaiverLine, Warned
from opsconsole.model.runs import RunState

BAD = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED})
"""What was not seen to be good: a reading that could not be taken is never counted as a good one."""
GOOD = frozenset({Outcome.PASS, Outcome.WARN})
"""What ends a spell: a skip, a waiver or a missed run has seen nothing."""


class Observation(msgspec.Struct, frozen=True):
    """What an item was seen to be at one moment."""

    at: dt.datetime
    run: str
    outcome: Outcome
    cause: str


def observations(state: RunState, item: ItemState) -> Iterator[Observation]:
    """Yield what a run saw of an item by itself, in order of time: attempts, an entry, a tick, an amendment.

    Of an item with targets it is the worst of the latest readings, and it is good only when all of them were read.
    Attempts that another follows because the item asks for retries are no reading of their own.
    """
    if item.failed is not None:  # it was bad when it was seen, whenever somebody found that out
        at = max((each.body.started_at for each in item.latest.values()), default=state.opened.at)
        yield Observation(at, state.run, Outcome.FAIL, item.failed.amendment.reason)
        return
    latest: dict[str, Outcome] = {}
    for attempt in item.attempts:
        if not attempt.body.final:
            continue
        judgement = attempt.body.judgement
        latest[attempt.body.target] = judgement.outcome
        outcome = worst(latest.values())
        whole = item.item.entry is None and all(each in latest for each in item.targets)
        if whole or outcome in BAD:
            yield Observation(attempt.body.started_at, state.run, outcome, item_cause(item, judgement.summary))
    if item.typed is not None:
        judged = item.typed.body.judgement
        yield Observation(item.typed.by.at, state.run, judged.outcome, judged.summary)
    if item.ticked is not None:
        yield Observation(item.ticked.at, state.run, Outcome.PASS, "")


def item_cause(item: ItemState, summary: str) -> str:
    """Return why an item is not good, never nothing."""
    return summary or f"{item.item.title}: no cause was recorded"


@dataclass
class _Open:
    """A spell that is being followed."""

    first: Observation
    earlier: bool
    last: Observation
    readings: int = 1
    outcomes: dict[Outcome, None] = field(default_factory=dict)

    def ended(self, good: Observation | None) -> Spell:
        return Spell(
            began_at=self.first.at,
            began_run=self.first.run,
            earlier=self.earlier,
            last_bad_at=self.last.at,
            readings=self.readings,
            outcomes=tuple(self.outcomes),
            cause=self.last.cause,
            ended_at=good.at if good is not None else None,
            ended_run=good.run if good is not None else "",
        )


def spells_of(observed: Iterable[Observation]) -> list[Spell]:
    """Fold observations, in order of time, into the stretches that were not good."""
    found: list[Spell] = []
    current: _Open | None = None
    seen_good = False
    for each in observed:
        if each.outcome in BAD and current is None:
            current = _Open(each, earlier=not seen_good, last=each, outcomes={each.outcome: None})
        elif each.outcome in BAD and current is not None:
            current.last = each
            current.readings += 1
            current.outcomes[each.outcome] = None
        elif each.outcome in GOOD:
            seen_good = True
            if current is not None:
                found.append(current.ended(each))
                current = None
    if current is not None:
        found.append(current.ended(None))
    return found


def bad_items(state: RunState) -> set[str]:
    """Return the ids of items that a run saw bad at any time."""
    return {
        name
        for name, item in state.items.items()
        if item.outcome in BAD or any(each.outcome in BAD for each in observations(state, item))
    }


def unsettled(states: Sequence[RunState], *, backwards: bool = False) -> set[str]:
    """Return the items that the first run (`backwards`) or the last one leaves bad, so that one has to look on.

    A run that has not seen an item says nothing of it: the nearest one that has decides.
    """
    found: dict[str, bool] = {}
    for state in states if backwards else reversed(states):
        if state.missed:
            continue
        for name, item in state.items.items():
            seen = [each.outcome for each in observations(state, item) if each.outcome in BAD | GOOD]
            if seen and name not in found:
                found[name] = seen[0 if backwards else -1] in BAD
    return {name for name, bad in found.items() if bad}


def saw_good(state: RunState, name: str) -> bool:
    """Return whether a run saw an item good at any time."""
    return any(each.outcome in GOOD for each in _seen_of(state, name))


# --- troubles --------------------------------------------------------------------------------------


def _outcomes(expected: Iterable[Expected], item: str, now: dt.datetime) -> dict[Outcome, int]:
    """Count what an item came to in the runs of a period that saw it or should have."""
    found: Counter[Outcome] = Counter()
    for each in expected:
        state = each.state
        if state is None or state.missed or item not in state.items:
            continue
        outcome = state.items[item].outcome
        if outcome is not Outcome.PENDING or state.times.over(now):
            found[outcome] += 1
    return {outcome: found[outcome] for outcome in Outcome if found[outcome]}


_NOT_GREEN = BAD | {Outcome.WAIVED, Outcome.PENDING}


def troubles_of(told: Told, now: dt.datetime) -> list[Trouble]:
    """Return every item that was not good in the period, and those of the period before that it has news of."""
    everything = [*told.earlier, *told.states_before, *told.states, *told.later]
    own = {state.run for state in told.states}
    names = dict.fromkeys(name for state in (*told.states, *told.states_before) for name in state.items)
    ended_by = told.states[-1].times.ends_at if told.states else None
    bad_before = {name for state in told.states_before for name in bad_items(state)}
    found = []
    for name in names:
        observed = [each for state in everything for each in _seen_of(state, name)]
        spells = [each for each in spells_of(observed) if _touches(each, own, observed)]
        now_runs = _outcomes(told.present, name, now)
        before = {
            outcome: count
            for outcome, count in _outcomes(told.before, name, now).items()
            if outcome in _NOT_GREEN - {Outcome.PENDING}
        }
        troubled = bool(spells) or bool(_NOT_GREEN & now_runs.keys())
        news = _news(observed, own, troubled=troubled, before=name in bad_before)
        if news is not None:
            after = [_dated(each, own, ended_by) for each in spells]
            found.append(_trouble(told, name, news, now_runs, before, after))
    return found


def _seen_of(state: RunState, name: str) -> Iterator[Observation]:
    if name in state.items and not state.missed:
        yield from observations(state, state.items[name])


def _touches(spell: Spell, own: set[str], observed: Sequence[Observation]) -> bool:
    """Return whether a run of the period saw the item bad in this spell."""
    return any(
        each.run in own and each.outcome in BAD and spell.began_at <= each.at <= spell.last_bad_at
        for each in observed
    )


def _dated(spell: Spell, own: set[str], ended_by: dt.datetime | None) -> Spell:
    """Return the spell, with whether it ended only after the period."""
    after = spell.ended_at is not None and spell.ended_run not in own
    if after and ended_by is not None and spell.ended_at is not None and spell.ended_at < ended_by:
        after = False
    return msgspec.structs.replace(spell, ended_after=after)


def _news(observed: Sequence[Observation], own: set[str], *, troubled: bool, before: bool) -> News | None:
    """Return how an item stands against the period before; None for one that was good in both."""
    if troubled:
        return News.AGAIN if before else News.NEW
    if not before:
        return None
    seen = any(each.run in own and each.outcome in GOOD for each in observed)
    return News.RECOVERED if seen else News.UNSEEN


def _trouble(
    told: Told,
    name: str,
    news: News,
    runs: dict[Outcome, int],
    before: dict[Outcome, int],
    spells: Sequence[Spell],
) -> Trouble:
    last = _last_of(name, [*told.states_before, *told.states])
    item = last.items[name]
    bad = [
        state.items[name].summary
        for state in told.states or told.states_before
        if name in state.items and not state.missed and state.items[name].outcome in _NOT_GREEN
    ]
    cause = spells[-1].cause if spells else bad[-1] if bad else ""
    return Trouble(
        checklist=told.checklist.id,
        item=name,
        title=item.item.title,
        priority=item.item.priority,
        news=news,
        runs=runs,
        runs_before=before,
        spells=tuple(spells),
        cause=cause,
        runbook=item.item.on_fail.runbook,
        escalate=item.item.on_fail.escalate,
    )


def _last_of(name: str, states: Sequence[RunState]) -> RunState:
    return next(each for each in reversed(states) if name in each.items)


def in_order(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Return them with what matters first: what is not over, then what failed most often, recoveries last."""
    rank = {News.RECOVERED: 2, News.UNSEEN: 1}
    return tuple(
        sorted(
            troubles,
            key=lambda each: (
                rank.get(each.news, 0),
                each.is_over,
                -each.runs.get(Outcome.FAIL, 0),
                -sum(each.runs.get(outcome, 0) for outcome in _NOT_GREEN),
                each.checklist,
            ),
        )
    )


# --- warnings, waivers, skips ----------------------------------------------------------------------


def warnings_of(told: Told) -> list[Warned]:
    """Return every item that came to WARN in a run of the period."""
    found: dict[str, list[RunState]] = {}
    for state in told.states:
        for name, item in state.items.items():
            if item.outcome is Outcome.WARN and not state.missed:
                found.setdefault(name, []).append(state)
    return [
        Warned(
            checklist=told.checklist.id,
            item=name,
            title=states[-1].items[name].item.title,
            runs=len(states),
            last=states[-1].times.business_date,
            summary=states[-1].items[name].summary,
        )
        for name, states in found.items()
    ]


def waivers_of(told: Told, today: dt.date) -> list[WaiverLine]:
    """Return the waivers that runs of the period hold; `today` is the last date that counts for an expiry."""
    found: dict[tuple[str, str, str, dt.date, str], list[RunState]] = {}
    for state in told.states:
        for name, item in state.items.items():
            if item.waiver is not None:
                body = item.waiver.body
                key = (name, item.waiver.author, body.reason, body.expires, body.origin or state.run)
                found.setdefault(key, []).append(state)
    return [
        WaiverLine(
            checklist=told.checklist.id,
            item=name,
            title=states[-1].items[name].item.title,
            author=author,
            reason=reason,
            expires=expires,
            origin=origin,
            runs=sum(state.items[name].outcome is Outcome.WAIVED for state in states),
            expired=expires < today,
        )
        for (name, author, reason, expires, origin), states in found.items()
    ]


def skips_of(told: Told) -> list[SkipLine]:
    """Return what people declared not applicable."""
    return [
        SkipLine(
            run=state.run,
            date=state.times.business_date,
            item=name,
            title=item.item.title,
            author=item.skipped.by.actor.shown,
            reason=item.skipped.text,
        )
        for state in told.states
        for name, item in state.items.items()
        if item.skipped is not None
    ]
