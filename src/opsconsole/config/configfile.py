"""Reads a configuration file: from TOML to its settings, with every problem told at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.config.decoding import Decoder, Rules, keys_of
from opsconsole.config.diagnostics import WHOLE, Place, Report
from opsconsole.config.limits import unique, whole
from opsconsole.config.places import STATE_VARIABLE
from opsconsole.config.references import reference_problem
from opsconsole.config.settings import RetentionSettings, RunSettings, Settings, SigningSettings
from opsconsole.config.tomlfiles import read_toml
from opsconsole.config.words import guess, quoted
from opsconsole.contracts.probe import Source, SourceKind
from opsconsole.model.checklists import ID

SourceKinds = Mapping[str, SourceKind]
"""Kinds of sources by name."""


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
        (Source, "connections"): whole(1, 256),
    },
    hints={
        (Settings, "state"): f"the directory of the records is named by --state or {STATE_VARIABLE}",
        **{
            (Source, key): f'it belongs to the connection string: dsn = "{key}=..."'
            for key in ("host", "port", "dbname", "service", "sslmode")
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
    """Check what depends on the kind of a source; no message repeats a value, which may hold a secret."""
    place = Place(("sources", name))
    if ID.fullmatch(name) is None:
        report.error(place, f"{quoted(name)} is no name: lower-case letters, digits, '-' and '_', 64 at most")
    kind = source.get("kind") if isinstance(source, dict) else None
    if not isinstance(kind, str):
        return
    if kind not in kinds:
        report.error(place.at("kind"), f"there are no sources of the kind {quoted(kind)}{guess(kind, kinds)}")
        return
    known = kinds[kind]
    for key in source:
        if key in keys_of(Source) and key not in {*known.keys, "kind", "connect_timeout"}:
            report.error(place.at(key), f"means nothing for the kind '{kind}'{_instead(kind, key, known)}")
    if known.keys[0] not in source:
        report.error(place.at(known.keys[0]), "is missing")
        return
    try:
        decoded = msgspec.convert(source, Source)
    except msgspec.ValidationError:
        return  # which is reported by its type
    for key in ("password", "bearer"):
        problem = reference_problem(getattr(decoded, key)) if key in source and key in known.keys else None
        if problem is not None:
            report.error(place.at(key), problem)
    for key, message in known.check(decoded):
        report.error(place.at(*key.split(".")), message)


def _instead(kind: str, key: str, known: SourceKind) -> str:
    if (kind, key) == ("postgresql", "password"):
        return "; PGPASSFILE (~/.pgpass), PGSERVICE or PGPASSWORD give it"
    if (kind, key) == ("postgresql", "user"):
        return '; it belongs to the connection string: dsn = "user=..."'
    return f"; it knows {', '.join(known.keys)}"
