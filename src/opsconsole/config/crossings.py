"""Checks what items ask of each other's readings: columns that name targets, values that others compute with."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from opsconsole.config.diagnostics import Diagnostic, Place, Report, Severity
from opsconsole.config.needs import FOR_EACH, way_of
from opsconsole.config.subjects import kind_words
from opsconsole.config.words import guess, quoted
from opsconsole.contracts.probe import Subjects, Use
from opsconsole.model.checklists import ForEach, Item
from opsconsole.model.judging import ENTRY

_ELAPSED = "elapsed"
"""How long measuring took, which the past of every item that is measured has (probe `history`)."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A good item, and what it asks of others."""

    item: Item
    place: Place
    subjects: Subjects | None
    """What its readings hold; None where only its source knows."""
    uses: tuple[Use, ...] = ()


class PastUse(msgspec.Struct, frozen=True, kw_only=True):
    """What an item looks back at, and where the file says so."""

    checklist: str
    """The one whose past is meant."""
    use: Use
    place: Place
    report: Report
    """Of the file, which knows the line of a place; that is looked for only where there is a doubt."""

    def doubt(self, message: str) -> Diagnostic:
        """Return a warning at this place."""
        line = self.report.line(self.place)
        return Diagnostic(self.report.file, message, line, self.place.item, self.place.key, Severity.WARNING)


def check_crossings(asking: Sequence[Asking], report: Report) -> None:
    """Report targets and values that an item takes from another one of the file, which does not have them."""
    known = {each.item.id: each for each in asking}
    for each in asking:
        listing = each.item.for_each
        if isinstance(listing, ForEach) and listing.item in known:
            objection = _no_list(listing, known[listing.item])
            if objection is not None:
                key, told = objection
                report.error(each.place.at(*way_of(key)), told)
        for use in each.uses:
            if not use.of_past and use.item in known:
                message = _no_value(use, known[use.item], each.item)
                if message is not None:
                    report.error(each.place.at(*way_of(use.key)), message)


def _no_list(listing: ForEach, named: Asking) -> tuple[str, str] | None:
    """Return the key and why no targets can come from there: a target is named by a text."""
    known = named.subjects
    if known is None:
        return None
    texts = [name for name, unit in known.items() if unit is None]
    if not texts:
        return FOR_EACH, f"'{named.item.id}' measures numbers only, and a target is named by a text"
    if not listing.column:
        return None
    if listing.column not in known:
        told = guess(listing.column, texts, "it has")
        return "for_each.column", f"'{named.item.id}' has no column {quoted(listing.column)}{told}"
    unit = known[listing.column]
    if unit is None:
        return None
    told = f"'{listing.column}' of '{named.item.id}' is {kind_words(unit)}, and a target is named by a text"
    return "for_each.column", f"{told}: {', '.join(texts)}"


def _no_value(use: Use, named: Asking, asking: Item) -> str | None:
    """Return why a value of another item cannot be had."""
    is_targeted = bool(named.item.for_each)
    if use.targets and not is_targeted:
        return f"'{use.item}' has no targets (for_each) that could be the keys"
    if is_targeted and not use.targets and not asking.for_each:
        return f"'{use.item}' is measured for several targets, and none of them is meant here"
    return _unknown_name(use, named)


def _unknown_name(use: Use, named: Asking) -> str | None:
    if named.subjects is None or not use.name or use.name in named.subjects:
        return None
    return f"'{use.item}' does not measure {quoted(use.name)}{guess(use.name, named.subjects, 'it measures')}"


# --- looking back ------------------------------------------------------------------------------------


def past_uses(asking: Iterable[Asking], own: str, report: Report) -> Iterator[PastUse]:
    """Yield what the items of the checklist called `own` look back at."""
    for each in asking:
        for use in each.uses:
            if use.of_past:
                place = each.place.at(*way_of(use.key))
                yield PastUse(checklist=use.checklist or own, use=use, place=place, report=report)


def past_doubts(
    uses: Iterable[PastUse], checklists: Mapping[str, Sequence[Asking] | None], *, complete: bool
) -> list[Diagnostic]:
    """Return warnings of pasts that there is nothing to add to any more, mostly because a name was mistyped.

    `checklists` are the items of those there are, None for one that cannot be read; unless they are `complete`,
    nothing is said of others.
    """
    return [
        each.doubt(message)
        for each in uses
        if (message := _past_doubt(each, checklists, complete=complete)) is not None
    ]


def _past_doubt(asked: PastUse, checklists: Mapping[str, Sequence[Asking] | None], *, complete: bool) -> str | None:
    use = asked.use
    if asked.checklist not in checklists:
        if not complete or use.item:
            return None  # of several keys that name something of it, the first tells
        return f"there is no checklist {quoted(asked.checklist)}{guess(asked.checklist, checklists, 'there are')}"
    items = checklists[asked.checklist]
    if items is None or not use.item:
        return None
    known = {each.item.id: each for each in items}
    if use.item not in known:
        told = guess(use.item, known, "it has")
        return None if use.name else f"'{asked.checklist}' has no item {quoted(use.item)}{told}"
    named = known[use.item]
    if use.name == ENTRY:
        return None if named.item.entry is not None else f"nothing is typed in for '{use.item}'"
    if not named.item.measured and use.name:
        entered = f"; what is typed in is called '{ENTRY}'" if named.item.entry is not None else ""
        return f"'{use.item}' is not measured, so it has no {quoted(use.name)}{entered}"
    return None if use.name == _ELAPSED else _unknown_name(use, named)
