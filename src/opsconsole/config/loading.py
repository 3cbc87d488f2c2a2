"""Finds the configuration and lays its layers: the command line over the environment, the file and the defaults.

Every value remembers where it came from, for `config show`.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from opsconsole.config.configfile import SETTINGS_RULES, SourceKinds, read_settings
from opsconsole.config.decoding import BAD, Decoder, fields_of
from opsconsole.config.diagnostics import Diagnostic, Place, Report, Severity, key_text
from opsconsole.config.places import (
    CONFIG_VARIABLE,
    STATE_VARIABLE,
    NoHomeError,
    config_file,
    config_home,
    current_directory,
    state_directory,
)
from opsconsole.config.settings import (
    Config,
    ConsoleSettings,
    LoadedConfig,
    RetentionSettings,
    RunSettings,
    Setting,
    Settings,
    SigningSettings,
    StorePlace,
)
from opsconsole.config.words import guess
from opsconsole.contracts.probe import Source, SourceKind
from opsconsole.model.redaction import redacted

STORE_NAME = "opsconsole.db"
PREFIX = "OPSCONSOLE_"

_DSN = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|[a-z_]+\s*=)", re.IGNORECASE)
"""What a store that is no file begins with: any URL, or `service=NAME` and the like."""

_PATHS = (
    "store",
    "exports",
    "checklists",
    "qualifications",
    "people.allowed_signers",
    "people.revoked_keys",
    "signing.key",
    "anchors.git",
)
"""Settings that name files."""


class _Scalar(msgspec.Struct, frozen=True):
    """One setting that the command line and the environment may give as well."""

    key: str
    owner: type[msgspec.Struct]
    field: inspect.Field

    @property
    def variable(self) -> str:
        return PREFIX + self.key.upper().replace(".", "_")

    def of_text(self, text: str) -> Any:
        """Return what a text from the environment would be in TOML."""
        match self.field.type:
            case inspect.IntType() if _WHOLE.fullmatch(text.strip()):
                return int(text)
            case inspect.BoolType():
                return _TRUTHS.get(text.strip().lower(), text)
            case inspect.VarTupleType():
                return [each for each in text.split(os.pathsep) if each]
            case _:
                return text


_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_TRUTHS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _scalars() -> list[_Scalar]:
    found = []
    for field in fields_of(Settings):
        if isinstance(field.type, inspect.StructType):
            owner = field.type.cls
            found += [_Scalar(f"{field.name}.{each.name}", owner, each) for each in fields_of(owner)]
        elif not isinstance(field.type, inspect.DictType):
            found.append(_Scalar(field.name, Settings, field))
    return found


def load_config(
    option: Path | None = None,
    *,
    source_kinds: SourceKinds,
    state: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    check_trust: bool = True,
) -> LoadedConfig:
    """Find and read the configuration.

    `option` and `state` are the options of those names, `overrides` other values from the command line by key
    (`console.ascii`; None where an option was not given). `environ` and `directory` are those of the process where
    they are left out. Never raises for what it finds.
    """
    layers = _Layers(
        dict(os.environ if environ is None else environ),
        directory or current_directory(),
        source_kinds.get("postgresql", SourceKind(name="postgresql", keys=("dsn",))),
    )
    layers.default()
    found = config_file(option, layers.environ, layers.directory)
    layers.note("config", str(found.path) if found else "none", found.origin if found else "default")
    layers.file = found.path if found else None
    sources = layers.of_file(found.path, source_kinds, check_trust=check_trust) if found else {}
    layers.of_environment()
    layers.of_command_line(overrides or {})
    return LoadedConfig(
        path=found.path if found else None,
        config=layers.config(state, sources),
        settings=tuple(layers.settings),
        problems=tuple(each for each in layers.diagnostics if each.severity is Severity.ERROR),
        warnings=tuple(each for each in layers.diagnostics if each.severity is Severity.WARNING),
    )


def is_dsn(store: str) -> bool:
    """Return whether a `store` setting names a database server and no file."""
    return _DSN.match(store) is not None


class _Layers:
    """The settings while one layer is put over the other."""

    def __init__(self, environ: Mapping[str, str], directory: Path, postgresql: SourceKind) -> None:
        self.environ = environ
        self.directory = directory
        self.file: Path | None = None
        self._postgresql = postgresql
        self.diagnostics: list[Diagnostic] = []
        self.settings: list[Setting] = []
        self._scalars = _scalars()
        self._values: dict[str, Any] = {}
        self._origins: dict[str, str] = {}
        self._bases: dict[str, Path] = {}
        self._of_sources: list[Setting] = []
        self._is_refused = False
        """Whether the store's connection string is, which must not be repeated then."""

    def note(self, key: str, value: str, origin: str) -> None:
        """Remember one value for `config show`."""
        self.settings.append(Setting(key, redacted(value), origin))

    def _put(self, key: str, value: Any, origin: str, base: Path) -> None:
        self._values[key] = value
        self._origins[key] = origin
        self._bases[key] = base

    def default(self) -> None:
        """Lay the defaults."""
        for scalar in self._scalars:
            self._put(scalar.key, scalar.field.default, "default", self.directory)

    def of_file(self, path: Path, kinds: SourceKinds, *, check_trust: bool) -> Mapping[str, Source]:
        """Lay what the file says over it, and return its sources."""
        shown = str(path.relative_to(self.directory) if path.is_relative_to(self.directory) else path)
        settings, tables, report = read_settings(path, kinds, shown=shown, check_trust=check_trust)
        self.diagnostics += report.diagnostics()
        if settings is None:
            return {}
        for scalar in self._scalars:
            keys = tuple(scalar.key.split("."))
            if _at(tables, keys) is not None:
                origin = f"{shown}:{report.line(Place(keys))}"
                self._put(scalar.key, _field(settings, keys), origin, path.parent)
        for name, source in settings.sources.items():
            for key in msgspec.structs.asdict(source):
                keys = ("sources", name, key)
                given = _at(tables, keys) is not None
                if not given and key != "connect_timeout":
                    continue
                origin = f"{shown}:{report.line(Place(keys))}" if given else "default"
                value = redacted(str(getattr(source, key)))
                self._of_sources.append(Setting(key_text(keys), value, origin))
        return settings.sources

    def of_environment(self) -> None:
        """Lay what the environment says over it; NO_COLOR is what no-color.org says it is."""
        known = {CONFIG_VARIABLE, STATE_VARIABLE}
        if self.environ.get("NO_COLOR"):
            self._put("console.color", value=False, origin="NO_COLOR", base=self.directory)
        for scalar in self._scalars:
            known.add(scalar.variable)
            text = self.environ.get(scalar.variable)
            if text:
                self._decode(scalar, scalar.of_text(text), Report(scalar.variable), Place(named_from=1))
        for name in sorted(self.environ):
            if name.startswith(PREFIX) and name not in known:
                message = f"there is no such setting{guess(name, known)}"
                self.diagnostics.append(Diagnostic(name, message, severity=Severity.WARNING))

    def of_command_line(self, overrides: Mapping[str, Any]) -> None:
        """Lay what the command line says over it."""
        for scalar in self._scalars:
            raw = overrides.get(scalar.key)
            if raw is not None:
                place = Place(tuple(scalar.key.split("."))[:-1])
                self._decode(scalar, raw, Report("command line"), place)

    def _decode(self, scalar: _Scalar, raw: Any, report: Report, place: Place) -> None:
        name = scalar.field.name
        value = Decoder(report, SETTINGS_RULES).fields(scalar.owner, {name: raw}, place)[name]
        self.diagnostics += report.diagnostics()
        if value is not BAD:
            self._put(scalar.key, value, report.file, self.directory)

    def config(self, state: Path | None, sources: Mapping[str, Source]) -> Config | None:
        """Return the result, None where anything was wrong."""
        place = self._state(state)
        self._check_store()
        paths = {key: self._paths(key) for key in _PATHS}
        if self._is_dsn:
            paths["store"] = []
        defaults = self._defaults(place) if place is not None else {}
        for scalar in self._scalars:
            value = self._values[scalar.key]
            shown: list[Any] = list(paths.get(scalar.key, [value])) or [defaults.get(scalar.key, value)]
            text = os.pathsep.join(str(each).lower() if isinstance(each, bool) else str(each) for each in shown)
            if scalar.key == "store" and self._is_dsn:
                text = "(refused)" if self._is_refused else value
            self.note(scalar.key, text if text and text != "()" else "none", self._origins[scalar.key])
        self.settings += self._of_sources
        if place is None or any(each.severity is Severity.ERROR for each in self.diagnostics):
            return None

        def path(key: str) -> Path | None:
            return next(iter(paths[key]), defaults.get(key))

        signing = self._section("signing")
        return Config(
            state=place,
            store=StorePlace(dsn=self._values["store"]) if self._is_dsn else StorePlace(path("store")),
            exports=path("exports") or place,
            allowed_signers=path("people.allowed_signers") or place,
            revoked_keys=path("people.revoked_keys"),
            signing=SigningSettings(**{**signing, "key": str(path("signing.key") or "")}),
            journal=self._values["anchors.journal"],
            git=path("anchors.git"),
            retention=RetentionSettings(**self._section("retention")),
            checklists=tuple(paths["checklists"]),
            qualifications=tuple(paths["qualifications"]),
            run=RunSettings(**self._section("run")),
            console=ConsoleSettings(**self._section("console")),
            sources=sources,
        )

    @property
    def _is_dsn(self) -> bool:
        """Whether the store is a database server and no file."""
        return is_dsn(self._values["store"])

    def _check_store(self) -> None:
        """Refuse a connection string as that of a source is refused: it holds a password, or is none."""
        store = Source(kind="postgresql", dsn=self._values["store"]) if self._is_dsn else None
        refused = next((message for _, message in self._postgresql.check(store)), None) if store else None
        if refused is not None:
            self.diagnostics.append(Diagnostic(self._origins["store"], f"store: {refused}"))
            self._is_refused = True

    def _defaults(self, state: Path) -> dict[str, Path]:
        beside = self.file.parent if self.file is not None else config_home() or state
        return {
            "store": state / STORE_NAME,
            "exports": state / "day-logs",
            "people.allowed_signers": beside / "allowed_signers",
        }

    def _state(self, option: Path | None) -> Path | None:
        try:
            found = state_directory(option, self.environ, self.directory)
        except NoHomeError as error:
            self.diagnostics.append(Diagnostic(STATE_VARIABLE, str(error)))
            return None
        self.note("state", str(found.path), found.origin)
        return found.path

    def _section(self, name: str) -> dict[str, Any]:
        prefix = f"{name}."
        return {key.removeprefix(prefix): value for key, value in self._values.items() if key.startswith(prefix)}

    def _paths(self, key: str) -> list[Path]:
        """Return the paths of a setting, relative ones taken from where they were given, `~` filled in."""
        value = self._values[key]
        found = []
        for text in [value] if isinstance(value, str) else value:
            try:
                found += [self._bases[key] / Path(text).expanduser()] if text else []
            except RuntimeError:  # no home directory
                self.diagnostics.append(Diagnostic(self._origins[key], f"'~' means nothing here: {text}"))
        return found


def _at(tables: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    value: Any = tables
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _field(settings: Settings, keys: tuple[str, ...]) -> Any:
    value: Any = settings
    for key in keys:
        value = getattr(value, key)
    return value
