"""Reads one item of a checklist: its common keys, what its probe is told, and the conditions it is judged by."""

import contextlib
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec

from opsconsole.config.crossings import Asking
from opsconsole.config.decoding import BAD, Decoder, keys_of
from opsconsole.config.diagnostics import Place
from opsconsole.config.doubts import Sources, emptiness_doubt, source_doubt
from opsconsole.config.formats import ITEM_KEYS
from opsconsole.config.needs import FOR_EACH
from opsconsole.config.subjects import Judged, uses_entry
from opsconsole.config.words import guess, kind_of, quoted
from opsconsole.contracts.probe import ProbeKind, Subjects, Use
from opsconsole.model.checklists import Baseline, Entry, EntryKind, Escalation, Item, substituted
from opsconsole.model.conditions import Condition
from opsconsole.model.encoding import dec_hook
from opsconsole.model.errors import OpsconsoleError

DESCRIPTIVE = frozenset({"help", "minutes", "priority"})
"""Keys that nothing acts upon: a probe may have an option of such a name (the journal's priority), which then takes
the place of the item's. Any other key of an item keeps its meaning, whatever the probe."""

_NATURES = ("probe", "entry", "manual")
_OF_PROBES = (
    "on_empty",
    "on_timeout",
    "on_connect_error",
    "on_nan",
    "on_too_few",
    "skip_when",
    "for_each",
    "retry",
    "timeout",
)
_OF_CONDITIONS = ("require", "target")
_OF_PAST = ("on_no_history", "baseline")
_FOUND_OUT = "target"
"""Stands for targets that are found out when it is measured."""
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "busybox", "fish", "python", "python3", "perl"})
_SHELL_TEXT = re.compile(r"-[A-Za-z]*[ce]\Z")
"""The option that the text of a script follows, in a shell and in the interpreters."""
_SCHEDULED = re.compile(r"(?<![:\w]):scheduled\b")


class ItemReader:
    """Reads the items of one checklist."""

    def __init__(
        self,
        decoder: Decoder,
        kinds: Mapping[str, ProbeKind],
        missing_runbook: Callable[[str], str | None],
        sources: Sources | None,
        *,
        has_schedule: bool,
        needs_condition: bool = True,
    ) -> None:
        """Without `needs_condition` an item may have none: it is only measured."""
        self.decoder = decoder
        self.kinds = kinds
        self.missing_runbook = missing_runbook
        self.sources = sources
        self.has_schedule = has_schedule
        self.needs_condition = needs_condition

    def read(self, table: Mapping[str, Any], place: Place) -> Item | None:
        """Return the item, or None with everything that is wrong with it in the report."""
        return _Reading(self, table, place).item()

    def inputs(self, item: Item) -> dict[str, str]:
        """Return the items that a good one takes its targets from or computes with, by the key that names each."""
        found = {FOR_EACH: item.listed_by} if item.listed_by else {}
        with contextlib.suppress(Exception):  # a third party's probe; what is wrong with one is reported already
            return {**found, **self.kinds[item.probe].inputs(self._options(item))}
        return found

    def asking(self, item: Item, place: Place) -> Asking:
        """Return a good item with what its readings hold, and what it asks of those of others."""
        subjects: Subjects | None = None
        uses: tuple[Use, ...] = ()
        with contextlib.suppress(Exception):  # as above
            kind = self.kinds[item.probe]
            of_targets = [kind.subjects(self._options(item, each)) for each in item.targets or (_FOUND_OUT,)]
            if None not in of_targets:
                subjects = {name: unit for each in of_targets if each for name, unit in each.items()}
            uses = tuple(kind.uses(self._options(item)))
        return Asking(item=item, place=place, subjects=subjects, uses=uses)

    def _options(self, item: Item, target: str = "") -> Any:
        raw = substituted(item.options, target or (item.targets[0] if item.targets else _FOUND_OUT))
        return msgspec.convert(raw, self.kinds[item.probe].options, strict=False, dec_hook=dec_hook)


class _Reading:
    """One item while it is read."""

    def __init__(self, reader: ItemReader, table: Mapping[str, Any], place: Place) -> None:
        self._decoder = reader.decoder
        self._report = reader.decoder.report
        self._kinds = reader.kinds
        self._missing_runbook = reader.missing_runbook
        self._sources = reader.sources
        self._has_schedule = reader.has_schedule
        self._needs_condition = reader.needs_condition
        self._table = table
        self._place = place
        self._kind = self._found_kind()
        self._options = frozenset(keys_of(self._kind.options)) if self._kind else frozenset[str]()
        self._meant: frozenset[str] = frozenset()
        """Keys that unknown ones were probably meant to be: not missing, but misspelt."""

    def item(self) -> Item | None:
        """Read everything, whatever is found to be wrong on the way."""
        self._meant = self._unknown_keys()
        values = self._decoder.fields(
            Item,
            self._table,
            self._place,
            without={"options", *_OF_CONDITIONS, *self._options},
            excused=self._meant,
        )
        self._check_nature()
        conditions = {key: self._conditions(key) for key in _OF_CONDITIONS}
        for key, placed in conditions.items():
            values[key] = BAD if BAD in placed.values() else tuple(placed.values())
        known = self._check_options()
        if self._kind is not None:
            values["options"] = BAD if known is None else json_safe(self._given())
        self._check_on_fail(values.get("on_fail"))
        self._warn()
        good = [
            (where, each) for placed in conditions.values() for where, each in placed.items() if each is not BAD
        ]
        entry = values.get("entry")
        if known is not None and entry is not BAD:
            self._check_subjects(good, known, entry)
        if len(good) == sum(map(len, conditions.values())):
            self._check_past(values.get("baseline"), [each for _, each in good])
            if isinstance(entry, Entry):
                self._check_entry(entry, [each for _, each in good])
        return self._decoder.build(Item, values, self._place)

    def _error(self, key: str, message: str) -> None:
        self._report.error(self._place.at(*key.split(".")) if key else self._place, message)

    # --- what kind of item it is ---------------------------------------------------------------------

    def _found_kind(self) -> ProbeKind | None:
        name = self._table.get("probe")
        if not isinstance(name, str):
            return None
        if name not in self._kinds:
            self._error("probe", f"unknown probe {quoted(name)}{guess(name, self._kinds, 'there are')}")
            return None
        try:
            kind = self._kinds[name]
        except OpsconsoleError as error:  # a third party's probe that cannot be imported
            self._error("probe", str(error))
            return None
        taken = sorted(set(keys_of(kind.options)) & set(ITEM_KEYS) - DESCRIPTIVE)
        if taken:
            self._error("probe", f"the probe '{name}' has an option '{taken[0]}', which is a key of every item")
            return None
        return kind

    def _unknown_keys(self) -> frozenset[str]:
        """Report unknown keys, unless it is the probe that is not known, and so which keys there may be."""
        if "probe" in self._table and self._kind is None:
            return frozenset()
        known = {*ITEM_KEYS, *self._options}
        table = self._table
        if "probe" not in table and not table.keys() <= known:
            options = frozenset[str]().union(*self._keys_of_probes().values()) - known
            for key in table.keys() & options if any(nature in table for nature in _NATURES) else ():
                self._error(key, "is an option of probes, and the item has no probe")
            table = {key: value for key, value in table.items() if key not in options}
        listed = f"the probe '{self._kind.name}' knows" if self._kind else "known here"
        return self._decoder.unknown_keys(Item, table, known, self._place, named=self._options, listed=listed)

    def _check_nature(self) -> None:
        has_probe, has_entry = "probe" in self._table, "entry" in self._table
        manual = self._table.get("manual") is True
        if manual and (has_probe or has_entry):
            other = "probe" if has_probe else "entry"
            self._error("manual", f"an item is ticked by a person or judged; leave out 'manual' or '{other}'")
        elif manual:
            self._refuse((*_OF_CONDITIONS, *_OF_PROBES, *_OF_PAST), "means nothing for a manual item")
        elif has_probe and has_entry:
            self._refuse(("for_each",), "does not go with an entry, which is a single value")
        elif has_entry:
            self._refuse(_OF_PROBES, "means nothing without a probe")
        elif not has_probe and not self._meant & {*_NATURES}:
            probe = self._likely_probe()
            told = f'; probe = "{probe}" is probably missing' if probe else ""
            self._error("", f"nothing says how it is checked: give it a probe, an entry, or manual = true{told}")
        conditions = [self._table.get(key) for key in _OF_CONDITIONS]
        needed = self._needs_condition and (has_probe or has_entry) and not manual
        if needed and not any(conditions) and not self._meant & {*_OF_CONDITIONS}:
            self._error(
                "require" if "require" in self._table else "",
                "a check without a condition could never fail; add one: require = [...]",
            )

    def _keys_of_probes(self) -> dict[str, frozenset[str]]:
        """Return the options of every probe that can be loaded."""
        found = {}
        for name in self._kinds:
            with contextlib.suppress(OpsconsoleError):
                found[name] = frozenset(keys_of(self._kinds[name].options))
        return found

    def _likely_probe(self) -> str:
        """Return the one probe that has options of the names that the item gives."""
        told = self._table.keys() - {*ITEM_KEYS}
        names = [name for name, keys in self._keys_of_probes().items() if told and told <= keys]
        return names[0] if len(names) == 1 else ""

    def _refuse(self, keys: tuple[str, ...], message: str) -> None:
        for key in keys:
            if key in self._table and key not in self._options:
                self._error(key, message)

    def _check_on_fail(self, on_fail: Any) -> None:
        if isinstance(on_fail, Escalation) and on_fail.runbook:
            message = self._missing_runbook(on_fail.runbook)
            if message is not None:
                self._error("on_fail.runbook", message)

    # --- what the probe is told ----------------------------------------------------------------------

    def _given(self) -> dict[str, Any]:
        return {key: value for key, value in self._table.items() if key in self._options}

    def _check_options(self) -> list[Subjects | None] | None:
        """Return what the readings of all targets will hold, or None where the options are not to be trusted."""
        if self._kind is None:
            return None if "probe" in self._table else [{}]
        given = self._given()
        targets = self._table.get("for_each")
        names = [each for each in targets if isinstance(each, str)] if isinstance(targets, list) else []
        if isinstance(targets, dict):
            names = [_FOUND_OUT]
            self._check_argv(given.get("argv"))
        if ("for_each" in self._table and not names) or not self._targets_are_used(given, names):
            return None
        known: list[Subjects | None] = []
        options = None
        for each in [substituted(given, name) for name in names] or [given]:
            values = self._decoder.fields(self._kind.options, each, self._place, excused=self._meant)
            options = self._decoder.build(self._kind.options, values, self._place)
            if options is None or not self._accepted(self._kind, options, known):
                return None
        doubt = None if options is None else emptiness_doubt(self._table.get("on_empty"), self._kind, options)
        if doubt is not None:
            self._warn_at("on_empty", doubt)
        return known

    def _check_argv(self, argv: Any) -> None:
        """Refuse names that another item finds out where they would be run: no source may choose what that is."""
        words = [each for each in argv if isinstance(each, str)] if isinstance(argv, list) else []
        if words and "{target}" in words[0]:
            self._error("argv", "{target} may not be the program: another item finds out the targets")
        is_shell = any(each.rpartition("/")[2] in _SHELLS for each in words)
        for before, each in pairwise(words):
            if is_shell and _SHELL_TEXT.match(before) and "{target}" in each:
                self._error(
                    "argv",
                    "{target} may not stand in the text that a shell runs, for another item finds out the targets; "
                    'give it as an argument: ["sh", "-c", "... "$1"", "sh", "{target}"]',
                )

    def _targets_are_used(self, given: Mapping[str, Any], names: list[str]) -> bool:
        filled = substituted(given, "\0") != given
        in_query = ":target" in str(given.get("query", ""))
        if "{target}" in str(given.get("query", "")):
            self._error("query", "{target} is not put into a query; write :target, which is passed as a parameter")
        elif names and not filled and not in_query and not self._computes(given):
            self._error("for_each", "nothing uses the targets; write {target} where each is to stand")
        elif filled and "for_each" not in {*self._table, *self._meant}:
            key = next(key for key, value in given.items() if substituted(value, "\0") != value)
            self._error(key, "{target} stands for a target of for_each, which the item does not have")
        else:
            return True
        return False

    def _computes(self, given: Mapping[str, Any]) -> bool:
        """Return whether it computes with what other items have read, which it takes of the same target."""
        with contextlib.suppress(Exception):  # a third party's probe, and options that are reported elsewhere
            kind = self._kind
            return kind is not None and bool(kind.inputs(msgspec.convert(given, kind.options, dec_hook=dec_hook)))
        return False

    def _accepted(self, kind: ProbeKind, options: msgspec.Struct, known: list[Subjects | None]) -> bool:
        """Add what a reading with these options will hold to `known`, if the probe itself accepts them."""
        try:
            problems = [each for each in kind.validate(options) if not self._hangs_on_the_target(each[0])]
            subjects = None if problems else kind.subjects(options)
        except Exception as error:  # noqa: BLE001 - a probe may come from a third party, and must not stop the loading
            self._error(
                "probe", f"the probe '{kind.name}' cannot check its options: {type(error).__name__}: {error}"
            )
            return False
        for key, message in problems:
            self._error(key, message)
        if not problems and subjects not in known:
            known.append(subjects)
        return not problems

    def _hangs_on_the_target(self, key: str) -> bool:
        """Return whether an option begins with what another item finds out: it is looked at once that is known."""
        value = self._table.get(key)
        begins = isinstance(value, str) and value.startswith("{target}")
        return begins and isinstance(self._table.get("for_each"), dict)

    def _warn(self) -> None:
        """Warn of what will not work although the file by itself is right."""
        given = self._given()
        source, query = given.get("source"), given.get("query")
        if self._sources is not None and isinstance(source, str):
            doubt = source_doubt(source, self._sources, self._kind)
            if doubt is not None:
                self._report.warn(self._place.at("source"), doubt)
        if not self._has_schedule and isinstance(query, str) and _SCHEDULED.search(query):
            message = 'asks for :scheduled; add a schedule = { at = "02:00" } to the checklist'
            self._report.warn(self._place.at("query"), message)

    # --- what it is judged by ------------------------------------------------------------------------

    def _conditions(self, key: str) -> dict[Place, Any]:
        """Return the conditions under a key by their places, BAD for those that cannot be understood."""
        raw = self._table.get(key, [])
        place = self._place.at(key)
        if not isinstance(raw, list):
            remedy = "; put it in brackets" if isinstance(raw, str) else ""
            self._report.error(place, f"must be a list of conditions in quotes, not {kind_of(raw)}{remedy}")
            return {place: BAD}
        found: dict[Place, Any] = {}
        for index, text in enumerate(raw):
            condition = self._decoder.condition(text, place.at(index))
            if condition in found.values() and condition is not BAD:
                self._report.error(place.at(index), "this condition is there twice")
            found[place.at(index)] = condition
        return found

    def _check_subjects(
        self, conditions: list[tuple[Place, Condition]], known: list[Subjects | None], entry: Entry | None
    ) -> None:
        if "probe" not in self._table and entry is None:
            return
        judged = [Judged(subjects, entry, self._kind.name if self._kind else "") for subjects in known]
        for place, condition in conditions:
            objection = next(filter(None, (each.objection(condition) for each in judged)), None)
            if objection is not None:
                self._report.error(place, objection)

    def _check_past(self, baseline: Any, conditions: list[Condition]) -> None:
        """Tell what is said of the past where no condition asks for it."""
        asked = {each.past() for each in conditions} - {""}
        if isinstance(baseline, Baseline) and baseline.least > baseline.readings:
            self._error("baseline", f"of {baseline.readings} readings there are never {baseline.least}")
        elif "baseline" in self._table and "baseline" not in asked and conditions:
            self._warn_at("baseline", "no condition compares with the baseline: value < baseline * 1.5")
        looks_back = self._table.get("probe") == "history"  # which itself tells that there is too little to look at
        if "on_no_history" in self._table and not asked and not looks_back and conditions:
            self._warn_at("on_no_history", "no condition compares with the past, so it is never asked for")

    def _warn_at(self, key: str, message: str) -> None:
        if key not in self._options:
            self._report.warn(self._place.at(key), message)

    def _check_entry(self, entry: Entry, conditions: list[Condition]) -> None:
        if conditions and not any(map(uses_entry, conditions)):
            self._error("entry", "no condition speaks of 'entry', so what is typed in would not be judged")
        if entry.kind is EntryKind.TEXT and "unit" in self._table["entry"]:
            self._error("entry.unit", "a text has no unit")


def json_safe(value: Any) -> Any:
    """Return what TOML gave as JSON can hold it, the same before and after a record was read back."""
    match value:
        case dict():
            return {key: json_safe(each) for key, each in value.items()}
        case list():
            return [json_safe(each) for each in value]
        case bool() | int() | str():
            return value
        case Decimal():
            return str(value)
        case _:
            return value.isoformat()
