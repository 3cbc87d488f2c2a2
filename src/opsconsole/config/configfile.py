"""Reads a configuration file: from TOML to its settings, with every problem told at once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from opsconsole.config.decoding import Decoder, Rules
from opsconsole.config.diagnostics import WHOLE, Place, Report
from opsconsole.config.limits import unique, whole
from opsconsole.config.places import STATE_VARIABLE
from opsconsole.config.settings import RetentionSettings, RunSettings, Settings, SigningSettings
from opsconsole.config.tomlfiles import read_toml
from opsconsole.config.words import guess, quoted
from opsconsole.contracts.probe import Source
from opsconsole.model.checklists import ID

SourceKinds = Mapping[str, Callable[[str], str | None]]
"""Kinds of sources by name, each with what says why a connection string is refused (it holds a password …)."""


def _no_blank(texts: tuple[str, ...]) -> str | None:
    return None if all(each.strip() for each in texts) else "a name in the list is empty"


SETTINGS_RULES = Rules(
    checks={
        (Settings, "checklists"): unique(_no_blank),
        (Settings, "qualifications"): unique(_no_blank),
        (SigningSettings, "timeout"): whole(1, 600),
        (RetentionSettings, "evidence"): whole(0, 36_500),
        (RetentionSettings, "exports"): whole(0, 36_500),
        (RunSettings, "concurrency"): whole(1, 256),
        (Source, "connect_timeout"): whole(1, 600),
    },
    hints={
        (Settings, "state"): f"the directory of the records is named by --state or {STATE_VARIABLE}",
        (
            Source,
            "password",
        ): "a secret does not belong here: PGPASSFILE (~/.pgpass), PGSERVICE or PGPASSWORD give it",
        **{
            (Source, key): f'it belongs to the connection string: dsn = "{key}=..."'
            for key in ("host", "port", "user", "dbname", "service", "sslmode")
        },
        (Source, "database"): 'it belongs to the connection string: dsn = "dbname=..."',
    },
)


def read_settings(
    path: Path, source_kinds: SourceKinds, *, shown: str = "", check_trust: bool = True
) -> tuple[Settings | None, Mapping[str, Any], Report]:
    """Read a configuration file; return what it says, its tables, and what is wrong with it.

    `shown` is what messages call the file. `source_kinds` are the kinds of connections that there are.
    """
    tables, report = read_toml(path, shown=shown, check_trust=check_trust)
    if tables is None:
        return None, {}, report
    settings = Decoder(report, SETTINGS_RULES).struct(Settings, tables, WHOLE)
    sources = tables.get("sources")
    for name, source in sources.items() if isinstance(sources, dict) else ():
        _check_source(name, source, source_kinds, report)
    return None if report.failed else settings, tables, report


def _check_source(name: str, source: Any, kinds: SourceKinds, report: Report) -> None:
    """Check what depends on the kind of a source; no message repeats its dsn, which may hold a password."""
    place = Place(("sources", name))
    if ID.fullmatch(name) is None:
        report.error(place, f"{quoted(name)} is no name: lower-case letters, digits, '-' and '_', 64 at most")
    kind, dsn = (source.get("kind"), source.get("dsn")) if isinstance(source, dict) else (None, None)
    if not isinstance(kind, str):
        return
    if kind not in kinds:
        report.error(place.at("kind"), f"there are no sources of the kind {quoted(kind)}{guess(kind, kinds)}")
    elif isinstance(dsn, str) and (problem := kinds[kind](dsn)) is not None:
        report.error(place.at("dsn"), problem)
