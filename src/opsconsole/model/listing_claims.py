"""Whether the targets that a record says were found out are those that the reading beside them names."""

from collections.abc import Iterator

from opsconsole.model.checklists import ForEach, Item
from opsconsole.model.deeds import Attempt
from opsconsole.model.events import Listed, Measured, Stored
from opsconsole.model.item_state import ItemState
from opsconsole.model.listing import named_targets
from opsconsole.model.outcomes import Outcome
from opsconsole.model.runs import RunState
from opsconsole.model.verification import Finding, Weight

_NOT_GREEN = frozenset({Outcome.FAIL, Outcome.ERROR})
_NAMED = 5


def listing_findings(before: RunState, stored: Stored) -> Iterator[Finding]:
    """Yield what is wrong with the targets of an event as the next one of the run `before`.

    A target that is left out is not measured, and what is not measured cannot fail: so a list has to be the one
    that was read, and a measurement one of the list.
    """
    body, seq = stored.event.body, stored.seq
    if isinstance(body, Listed):
        found = [*_unlike_the_reading(before, body), *_dropped(before, body)]
    elif isinstance(body, Measured):
        found = list(_beside_the_list(before, body))
    else:
        return
    yield from (Finding(weight, code, f"event {seq}: {text}", seq) for weight, code, text in found)


def _item(before: RunState, name: str, definition_hash: str) -> Item | None:
    definition = before.definitions.get(definition_hash or before.definition_hash)
    return next((each for each in definition.items if each.id == name), None) if definition is not None else None


def _unlike_the_reading(before: RunState, body: Listed) -> Iterator[tuple[Weight, str, str]]:
    item = _item(before, body.item, body.definition_hash)
    if item is None:
        return  # by a definition that the run has never followed, which is told
    if not isinstance(item.for_each, ForEach) or item.listed_by != body.by:
        yield Weight.FAULT, "false-targets", f"{item.title} does not take its targets from '{body.by}'"
        return
    lister = before.items.get(body.by) or before.retired.get(body.by)
    if lister is None or not lister.attempts:
        text = f"{item.title} was given {len(body.targets)} targets, and there is no reading of '{body.by}' before"
        edited = body.definition_hash != before.definition_hash
        yield Weight.FLAG if edited else Weight.FAULT, "false-targets", text
        return
    *earlier, latest = [_named(item.for_each, lister, attempt) for attempt in lister.attempts]
    if body.targets == latest:
        return
    told = f"{item.title} was given the targets of '{lister.item.title}'{_difference(body.targets, latest)}"
    if body.targets in earlier:
        yield Weight.FLAG, "older-targets", f"{told}: they are those of an earlier reading"
    else:
        yield Weight.FAULT, "false-targets", told


def _named(for_each: ForEach, lister: ItemState, attempt: Attempt) -> tuple[str, ...]:
    """Return the targets that one reading names; none where it names no list."""
    if attempt.body.reading is None or attempt.body.problem is not None:
        return ()
    found = named_targets(for_each, attempt.body.reading, lister.item.title)
    return found if isinstance(found, tuple) else ()


def _difference(told: tuple[str, ...], own: tuple[str, ...]) -> str:
    """Return in words how a list differs from the one that was read."""
    left_out = [name for name in own if name not in told]
    added = [name for name in told if name not in own]
    parts = [f" without {_few(left_out)}"] if left_out else []
    parts += [f" with {_few(added)}, which it does not name"] if added else []
    return ",".join(parts) or " in another order"


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + more


def _dropped(before: RunState, body: Listed) -> Iterator[tuple[Weight, str, str]]:
    state = before.items.get(body.item)
    if state is None:
        return
    gone = [
        target
        for target, attempt in state.latest.items()
        if target and target not in body.targets and attempt.body.judgement.outcome in _NOT_GREEN
    ]
    if gone:
        text = f"the targets of {state.item.title} were found out anew without {_few(gone)}, not green until then"
        yield Weight.FLAG, "dropped-failure", text


def _beside_the_list(before: RunState, body: Measured) -> Iterator[tuple[Weight, str, str]]:
    item, state = _item(before, body.item, body.definition_hash), before.items.get(body.item)
    if item is None or state is None or item != state.item:
        return
    known = state.listed if item.listed_by else item.targets
    if not known and not item.listed_by and not body.target:
        return
    if item.listed_by and not body.target and body.problem is not None:
        return  # its targets could not be found out
    if body.target in known:
        return
    what = f"for '{body.target}', which is none of its targets" if body.target else "for none of its targets"
    weight = Weight.FLAG if body.target or not item.listed_by else Weight.FAULT
    yield weight, "foreign-target", f"{item.title} was measured {what}"
