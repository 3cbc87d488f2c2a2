"""Loads checklists: from TOML to the model, with every problem of a file told at once."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.config.cadences import check_cadence
from opsconsole.config.crossings import Asking, PastUse, check_crossings, past_doubts, past_uses
from opsconsole.config.decoding import Decoder, keys_of
from opsconsole.config.diagnostics import WHOLE, Diagnostic, Place, Report, Severity
from opsconsole.config.doubts import Sources
from opsconsole.config.formats import CHECKLIST_RULES
from opsconsole.config.items import ItemReader
from opsconsole.config.limits import an_id
from opsconsole.config.needs import Needs, check_needs
from opsconsole.config.places import CONFIG_NAME
from opsconsole.config.runbooks import missing_runbook
from opsconsole.config.secrets import refuse_secrets
from opsconsole.config.textfiles import is_directory
from opsconsole.config.tomlfiles import read_toml
from opsconsole.config.trust import untrusted
from opsconsole.config.words import kind_of, quoted
from opsconsole.contracts.probe import ProbeKind
from opsconsole.model.checklists import Checklist, Field, Item, Section

SUFFIX = ".toml"

_READ_HERE = ("id", "sections", "fields")
_KEYS = (*(key for key in keys_of(Checklist) if key not in _READ_HERE), "section", "field")


class LoadedChecklist(msgspec.Struct, frozen=True, kw_only=True):
    """A checklist as it was found, usable or not."""

    path: Path
    id: str
    checklist: Checklist | None
    problems: tuple[Diagnostic, ...] = ()
    """Why it cannot be used, by line; empty where it can."""
    warnings: tuple[Diagnostic, ...] = ()
    asking: tuple[Asking, ...] = ()
    """Its items, with what they hold and ask of each other; empty where it cannot be used."""
    pasts: tuple[PastUse, ...] = ()
    """What they look back at, in this checklist or another."""


class LoadedChecklists(msgspec.Struct, frozen=True):
    """All that was found in the places of checklists."""

    found: tuple[LoadedChecklist, ...] = ()
    """In the order of the places, and by name within a directory; ids are unique."""
    problems: tuple[Diagnostic, ...] = ()
    """What is wrong with the places themselves, and checklists left out because of their names."""


def load_checklist(
    path: Path,
    kinds: Mapping[str, ProbeKind],
    *,
    sources: Sources | None = None,
    check_trust: bool = True,
) -> LoadedChecklist:
    """Read one file, whose name without `.toml` is the checklist's id.

    `kinds` are the probes by name, `sources` the names of connections that items may use (not looked at where it is
    None). Never raises for what a file holds.
    """
    tables, report = read_toml(path, check_trust=check_trust)
    reading = None if tables is None else _Reading(path, report, kinds, sources, tables)
    checklist = None if reading is None else reading.checklist()
    is_usable = checklist is not None and not report.failed
    asking = tuple(reading.asking) if reading is not None and is_usable else ()
    return LoadedChecklist(
        path=path,
        id=path.stem,
        checklist=checklist if is_usable else None,
        problems=report.diagnostics(Severity.ERROR),
        warnings=report.diagnostics(Severity.WARNING),
        asking=asking,
        pasts=tuple(past_uses(asking, path.stem, report)),
    )


def doubtful_pasts(loaded: Iterable[LoadedChecklist], *, complete: bool = True) -> list[Diagnostic]:
    """Return warnings of what these checklists look back at and nobody measures, if they are all there are."""
    found = tuple(loaded)
    items = {each.id: each.asking if each.checklist is not None else None for each in found}
    return [doubt for each in found for doubt in past_doubts(each.pasts, items, complete=complete)]


def load_checklists(
    places: Iterable[Path],
    kinds: Mapping[str, ProbeKind],
    *,
    sources: Sources | None = None,
    check_trust: bool = True,
) -> LoadedChecklists:
    """Read the checklists of directories (their `*.toml`, without those below them) and single files."""
    found: dict[str, LoadedChecklist] = {}
    problems: list[Diagnostic] = []
    for place in places:
        report = Report(str(place))
        for path in checklist_files(place, report, check_trust=check_trust):
            loaded = load_checklist(path, kinds, sources=sources, check_trust=check_trust)
            other = found.setdefault(loaded.id, loaded)
            if other.path != path:
                message = f"left out, because {other.path} is called '{loaded.id}' too"
                problems.append(Diagnostic(str(path), message))
        problems += report.diagnostics()
    doubts = doubtful_pasts(found.values())
    for name, each in found.items():
        of_file = tuple(doubt for doubt in doubts if doubt.file == str(each.path))
        found[name] = msgspec.structs.replace(each, warnings=(*each.warnings, *of_file))
    return LoadedChecklists(tuple(found.values()), tuple(problems))


def checklist_files(place: Path, report: Report, *, check_trust: bool = True) -> list[Path]:
    """Return the checklist files that a directory holds, or `place` itself where it is no directory."""
    if not is_directory(place):
        return [place]
    return [path for path in toml_files(place, report, check_trust=check_trust) if path.name != CONFIG_NAME]


def toml_files(directory: Path, report: Report, *, check_trust: bool = True) -> list[Path]:
    """Return the TOML files of a directory by name, without hidden ones (an editor's lock or copy)."""
    if check_trust and (reason := untrusted(directory)) is not None:
        report.error(WHOLE, reason)
        return []
    try:
        return sorted(each for each in directory.iterdir() if each.suffix == SUFFIX and each.name[0] != ".")
    except OSError as error:
        report.error(WHOLE, f"the directory cannot be read: {error.strerror or error}")
        return []


class _Reading:
    """One checklist while it is read."""

    def __init__(
        self,
        path: Path,
        report: Report,
        kinds: Mapping[str, ProbeKind],
        sources: Sources | None,
        tables: Mapping[str, Any],
    ) -> None:
        self._path = path
        self._report = report
        self._decoder = Decoder(report, CHECKLIST_RULES)
        self._items = ItemReader(
            self._decoder,
            kinds,
            lambda name: missing_runbook(path, name),
            sources,
            has_schedule="schedule" in tables,
        )
        self._top = tables
        self._needs: list[Needs] = []
        self.asking: list[Asking] = []
        """Its items, as far as they are good."""

    def checklist(self) -> Checklist | None:
        """Read everything, whatever is found to be wrong on the way."""
        tables = self._top
        if not tables:
            self._report.error(WHOLE, "the file is empty")
            return None
        wrong_name = an_id(self._path.stem)
        if wrong_name:
            self._report.error(WHOLE, f"the file is named after the id of its checklist, and {wrong_name}")
        meant = self._decoder.unknown_keys(Checklist, tables, _KEYS, WHOLE)
        values = self._decoder.fields(Checklist, tables, WHOLE, without=_READ_HERE, excused=meant)
        sections = [self._section(*each) for each in self._tables(tables, "section", WHOLE)]
        if "section" not in tables and "section" not in meant:
            self._report.error(WHOLE, "a checklist needs a [[section]] with a [[section.item]]")
        fields = self._fields()
        check_needs(self._needs, self._report)
        if not self._report.failed:
            check_crossings(self.asking, self._report)
        refuse_secrets(tables, self._report)
        if self._report.failed:
            return None
        read = {"id": self._path.stem, "sections": tuple(sections), "fields": tuple(fields)}
        checklist = self._decoder.build(Checklist, values | read, WHOLE)
        if checklist is not None:
            check_cadence(checklist, tables, self._report)
        return checklist

    def _tables(self, table: Mapping[str, Any], key: str, place: Place) -> list[tuple[dict[str, Any], Place]]:
        """Return the tables of an array of tables, and report anything else that stands in its place."""
        raw = table.get(key, [])
        name = ".".join(each for each in (*place.keys, key) if isinstance(each, str))
        if not isinstance(raw, list):
            self._report.error(place.at(key), f"is written [[{name}]], in double brackets, once for each")
            return []
        for index, each in enumerate(raw):
            if not isinstance(each, dict):
                self._report.error(place.at(key, index), f"must be a table [[{name}]], not {kind_of(each)}")
        return [(each, place.at(key, index)) for index, each in enumerate(raw) if isinstance(each, dict)]

    def _section(self, table: dict[str, Any], place: Place) -> Section | None:
        meant = self._decoder.unknown_keys(Section, table, ("title", "item"), place)
        values = self._decoder.fields(Section, table, place, without={"items"}, excused=meant)
        items = [self._item(*each) for each in self._tables(table, "item", place)]
        if not table.get("item") and "item" not in meant:
            self._report.error(place, "the section has no items: add a [[section.item]]")
        return None if None in items else self._decoder.build(Section, values | {"items": tuple(items)}, place)

    def _item(self, table: dict[str, Any], place: Place) -> Item | None:
        name = table.get("id")
        named = place.of_item(name) if isinstance(name, str) and name else place
        item = self._items.read(table, named)
        if isinstance(name, str):
            inputs = self._items.inputs(item) if item is not None else {}
            measured, targeted = "probe" in table, "for_each" in table
            self.asking += [] if item is None else [self._items.asking(item, named)]
            self._needs.append(Needs(name, table.get("requires"), named, inputs, measured, targeted))
        return item

    def _fields(self) -> list[Field | None]:
        seen: set[str] = set()
        fields: list[Field | None] = []
        for table, place in self._tables(self._top, "field", WHOLE):
            field = self._decoder.struct(Field, table, place)
            if field is not None and field.id in seen:
                self._report.error(place.at("id"), f"another field has the id {quoted(field.id)}")
            seen |= {field.id} if field is not None else set()
            fields.append(field)
        return fields
