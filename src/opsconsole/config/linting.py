"""`opsconsole lint`: every problem of checklists, qualifications, runbooks and configurations."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from opsconsole.config.checklists import (
    SUFFIX,
    LoadedChecklist,
    doubtful_pasts,
    load_checklist,
    toml_files,
)
from opsconsole.config.configfile import SourceKinds, read_settings
from opsconsole.config.diagnostics import Diagnostic, Report, Severity
from opsconsole.config.doubts import Sources
from opsconsole.config.places import CONFIG_NAME, current_directory
from opsconsole.config.qualifications import load_qualification
from opsconsole.config.runbooks import DIRECTORY, load_runbook, runbook_path
from opsconsole.config.textfiles import is_directory, is_file
from opsconsole.config.tomlfiles import read_toml
from opsconsole.contracts.probe import ProbeKind, Source
from opsconsole.model.checklists import Checklist

_OF_CHECKLISTS = frozenset({"section", "field", "title", "cadence", "due", "schedule", "sign_off"})
_OF_CONFIG = frozenset({"sources", "store", "run", "console", "checklists", "qualifications"})
_OF_QUALIFICATIONS = frozenset({"checklist", "days"})
"""Keys that every qualification has, and no checklist or configuration."""


def lint_paths(
    paths: Iterable[Path],
    kinds: Mapping[str, ProbeKind],
    source_kinds: SourceKinds,
    *,
    sources: Sources | None = None,
    check_trust: bool = True,
) -> list[Diagnostic]:
    """Return every problem and warning of `paths`: directories, checklists, qualifications, runbooks, settings.

    A directory is searched for TOML files and its `runbooks`, a configuration for the checklists and qualifications
    that it names. Sources are looked up in the configuration that is linted along, else in `sources` (None: not at
    all); the checklists of a qualification among those that are linted along, where there are any.
    """
    lint = _Lint(kinds, source_kinds, sources, check_trust=check_trust)
    for path in paths:
        lint.add(_near(path), named=True)
    return lint.run()


def _near(path: Path) -> Path:
    """Return a path in the current directory relative to it, as a person would write it."""
    here = current_directory()
    return path.relative_to(here) if path.is_relative_to(here) and path != here else path


class _Lint:
    """Finds out which file is which, and lets those that know it check it: configurations first."""

    def __init__(
        self,
        kinds: Mapping[str, ProbeKind],
        source_kinds: SourceKinds,
        sources: Sources | None,
        *,
        check_trust: bool,
    ) -> None:
        self._kinds = kinds
        self._source_kinds = source_kinds
        self._sources = sources
        self._check_trust = check_trust
        self._seen: set[Path] = set()
        self._configs: list[Path] = []
        self._checklists: list[Path] = []
        self._qualifications: list[Path] = []
        self._usable: dict[str, Checklist] = {}
        self._runbooks: list[Path] = []
        self._loaded: list[LoadedChecklist] = []
        self._whole = False
        """Whether a directory was searched, and not only single files named."""
        self._found: list[Diagnostic] = []

    def add(self, path: Path, *, named: bool, key: str = "") -> None:
        """Sort a file or directory in; one that was `named`, and not only found, has to be something.

        `key` is the setting that names it: all that stands there is read as that, whatever it looks like.
        """
        if path.absolute() in self._seen:
            return
        self._seen.add(path.absolute())
        if is_directory(path):
            self._add_directory(path, key)
        elif path.suffix == ".md":
            self._runbooks.append(path)
        elif path.suffix != SUFFIX and not is_file(path):
            self._say(path, "there is no such file or directory")
        elif path.suffix != SUFFIX:
            self._say(path, "is neither a checklist, qualification or configuration (.toml) nor a runbook (.md)")
        else:
            self._add_toml(path, named=named, key=key)

    def _say(self, path: Path, message: str, severity: Severity = Severity.ERROR) -> None:
        self._found.append(Diagnostic(str(path), message, severity=severity))

    def _add_directory(self, path: Path, key: str) -> None:
        report = Report(str(path))
        self._whole = True
        for each in toml_files(path, report, check_trust=self._check_trust):
            self.add(each, named=False, key=key if each.name != CONFIG_NAME else "")
        runbooks = path if path.name == DIRECTORY else path / DIRECTORY
        for each in sorted(runbooks.glob("*.md")):
            self.add(each, named=False)
        self._found += report.diagnostics()

    def _add_toml(self, path: Path, *, named: bool, key: str) -> None:
        tables, report = read_toml(path, check_trust=self._check_trust)
        if tables is None:
            self._found += report.diagnostics()
        elif key == "qualifications" or (not key and path.name != CONFIG_NAME and _is_qualification(tables)):
            self._qualifications.append(path)
        elif not key and self._is_config(path, tables):
            self._configs.append(path)
        elif named or key or tables.keys() & _OF_CHECKLISTS:
            self._checklists.append(path)
        else:
            message = "looks like neither a checklist, a qualification nor a configuration; left out"
            self._say(path, message, Severity.WARNING)

    def _is_config(self, path: Path, tables: Mapping[str, Any]) -> bool:
        checklist, config = len(tables.keys() & _OF_CHECKLISTS), len(tables.keys() & _OF_CONFIG)
        return path.name == CONFIG_NAME if checklist == config else config > checklist

    def run(self) -> list[Diagnostic]:
        """Return everything that was found."""
        for path in self._configs:
            self._config(path)
        ids: dict[str, Path] = {}
        for path in self._checklists:
            other = ids.setdefault(path.stem, path)
            if other is not path:
                self._say(path, f"{other} is called '{path.stem}' too; the id of a checklist must be its own")
            self._checklist(path)
        self._found += doubtful_pasts(self._loaded, complete=bool(self._configs) or self._whole)
        self._check_qualifications()
        for path in self._runbooks:
            self._found += load_runbook(path, check_trust=self._check_trust).problems
        return self._found

    def _config(self, path: Path) -> None:
        settings, _, report = read_settings(path, self._source_kinds, check_trust=self._check_trust)
        self._found += report.diagnostics()
        if settings is None:
            return
        self._sources = {**_by_name(self._sources or ()), **settings.sources}
        for key in ("checklists", "qualifications"):
            for place in getattr(settings, key):
                try:
                    self.add(path.parent / Path(place).expanduser(), named=True, key=key)
                except RuntimeError:
                    self._say(path, f"{key}: '~' means nothing without a home directory: {place}")

    def _checklist(self, path: Path) -> None:
        loaded = load_checklist(path, self._kinds, sources=self._sources, check_trust=self._check_trust)
        self._found += sorted((*loaded.problems, *loaded.warnings), key=lambda each: each.line)
        self._loaded.append(loaded)
        if loaded.checklist is not None:
            self._usable.setdefault(path.stem, loaded.checklist)
        for item in loaded.checklist.items if loaded.checklist else ():
            if item.on_fail.runbook:
                self.add(runbook_path(path, item.on_fail.runbook), named=True)

    def _check_qualifications(self) -> None:
        """Check qualifications, by the checklists that could be read; one that is broken is not called missing."""
        ids: dict[str, Path] = {}
        broken = {each.stem for each in self._checklists} - self._usable.keys()
        for path in self._qualifications:
            other = ids.setdefault(path.stem, path)
            if other is not path:
                self._say(path, f"{other} is called '{path.stem}' too; the id of a qualification must be its own")
            looked_up = self._usable if self._checklists and not broken else None
            loaded = load_qualification(path, looked_up, check_trust=self._check_trust)
            self._found += loaded.problems


def _by_name(sources: Sources) -> dict[str, Source | None]:
    return dict(sources) if isinstance(sources, Mapping) else dict.fromkeys(sources)


def _is_qualification(tables: Mapping[str, Any]) -> bool:
    return tables.keys() >= _OF_QUALIFICATIONS or bool(
        tables.keys() & _OF_QUALIFICATIONS and not tables.keys() & (_OF_CHECKLISTS | _OF_CONFIG) - {"title"}
    )
