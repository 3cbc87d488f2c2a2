"""Reads one item of a checklist: its common keys, what its probe is told, and the conditions it is judged by."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from opsconsole.config.decoding import BAD, Decoder, keys_of
from opsconsole.config.diagnostics import Place
from opsconsole.config.formats import ITEM_KEYS
from opsconsole.config.subjects import Judged, uses_entry
from opsconsole.config.words import guess, kind_of, nearest, quoted
from opsconsole.contracts.probe import ProbeKind, Subjects
from opsconsole.model.checklists import Entry, EntryKind, Item, substituted
from opsconsole.model.conditions import Condition

DESCRIPTIVE = frozenset({"help", "minutes", "priority"})
"""Keys that nothing acts upon: a probe may have an option of that name (the journal's priority), which then takes
its place. Any other key of an item keeps its meaning, whatever the probe."""

_OF_PROBES = ("on_empty", "on_timeout", "skip_when", "for_each", "retry", "timeout")
_OF_CONDITIONS = ("require", "target")

Placed = tuple[Condition, Place]


class ItemReader:
    """Reads the items of one checklist."""

    def __init__(
        self, decoder: Decoder, kinds: Mapping[str, ProbeKind], missing_runbook: Callable[[str], str | None]
    ) -> None:
        self._decoder = decoder
        self._report = decoder.report
        self._kinds = kinds
        self._missing_runbook = missing_runbook

    def read(self, table: Mapping[str, Any], place: Place) -> Item | None:
        """Return the item, or None with everything that is wrong with it in the report."""
        kind = self._kind(table, place)
        own = frozenset(keys_of(kind.options)) if kind else frozenset[str]()
        common = frozenset(ITEM_KEYS) - own
        excused = self._unknown_keys(table, own, kind, place)
        values = self._decoder.fields(
            Item, table, place, without={"options", *_OF_CONDITIONS, *own}, excused=excused
        )
        self._nature(table, place, excused)
        conditions = {key: self._conditions(table, key, place) for key in _OF_CONDITIONS}
        values |= {key: BAD if found is None else tuple(each for each, _ in found) for key, found in conditions.items()}
        entry = values.get("entry")
        placed = [each for found in conditions.values() for each in found or ()]
        self._entry(table, entry, conditions, place)
        self._on_fail(values, place)
        given = {key: each for key, each in table.items() if key not in common and key in own}
        subjects: Subjects | None = {}
        if kind is not None:
            options = self._options(kind, given, table, place, excused)
            values["options"] = BAD if options is None else json_safe(given)
            if options is not None:
                subjects = self._subjects(kind, options, place)
        if "probe" not in table or values.get("options", BAD) is not BAD:
            self._subjects_known(placed, subjects, entry, kind, place)
        return self._decoder.build(Item, values, place)
