"""The settings of the program, as a file may say them and as the program works with them."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from opsconsole.config.diagnostics import Diagnostic
from opsconsole.contracts.probe import Source


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the records are."""

    path: str = ""
    """The SQLite file; `opsconsole.db` in the state directory where it is left out."""


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How runs are measured."""

    concurrency: int = 16
    """So many items are measured at once, at most."""


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the console draws."""

    ascii: bool = False
    """ASCII characters only, also where the terminal could show others."""
    color: bool = True
    """Colours; NO_COLOR in the environment turns them off as well."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a configuration file may say."""

    checklists: tuple[str, ...] = ()
    """Directories with checklists, or single files; those that come with the program where it is left out."""
    store: StoreSettings = StoreSettings()
    run: RunSettings = RunSettings()
    console: ConsoleSettings = ConsoleSettings()
    sources: dict[str, Source] = {}
    """Connections by name, as the items of checklists name them."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What the program works with; all paths are absolute."""

    state: Path
    """The directory of everything that is kept."""
    store: Path
    """The SQLite file of the records."""
    checklists: tuple[Path, ...] = ()
    """Empty where nothing is configured: then those that come with the program are offered."""
    run: RunSettings = RunSettings()
    console: ConsoleSettings = ConsoleSettings()
    sources: Mapping[str, Source] = {}


class Setting(msgspec.Struct, frozen=True):
    """One value as `config show` tells it."""

    key: str
    value: str
    origin: str
    """`config.toml:12`, the name of an environment variable, `command line` or `default`."""


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration as it was found, usable or not."""

    path: Path | None
    """The file, None where there is none."""
    config: Config | None
    settings: tuple[Setting, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
