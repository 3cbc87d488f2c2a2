"""What will not work although a file by itself is right, or says the opposite of what was meant: warnings."""

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from opsconsole.config.words import guess, quoted
from opsconsole.contracts.probe import ProbeKind, Source

Sources = Collection[str] | Mapping[str, Source | None]
"""The names of the sources there are, or the sources by name; None for one of which nothing else is known."""


def source_doubt(name: str, sources: Sources, kind: ProbeKind | None) -> str | None:
    """Return why an item cannot ask the source that it names, None where nothing is known to speak against it."""
    if name not in sources:
        return f"the configuration names no source {quoted(name)}{guess(name, sources, 'it names')}"
    wanted = kind.sources if kind is not None else ()
    known = {each: found.kind for each, found in _by_name(sources).items() if found is not None}
    if not wanted or name not in known or known[name] in wanted:
        return None
    usable = sorted(each for each, found in known.items() if found in wanted)
    told = f": {', '.join(usable)}" if usable else ""
    return f"{quoted(name)} is a source of the kind {known[name]}, and one of {' or '.join(wanted)} is needed{told}"


def _by_name(sources: Sources) -> Mapping[str, Source | None]:
    return sources if isinstance(sources, Mapping) else {}


def emptiness_doubt(meant: Any, kind: ProbeKind, options: msgspec.Struct) -> str | None:
    """Return that an empty table is good where `on_empty` says it is not."""
    what = ""
    with contextlib.suppress(Exception):  # a third party's probe, which must not stop the loading
        what = kind.amiss(options) if meant in ("fail", "error", "warn") else ""
    return f"the rows are {what}, so an empty table is a good one, which '{meant}' calls bad" if what else None
