"""Probes that are only declared: what loading a checklist needs to know of them, and no more.

The real ones are loaded with the shipped checklists; these keep the corpus of bad files independent of their words.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from opsconsole.contracts.probe import Environment, Probe, ProbeKind, Source, SourceKind
from opsconsole.model.values import Duration, Unit


class SqlOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A query of a source, whose columns only the source knows."""

    source: str
    query: str
    units: dict[str, Unit] = {}
    label: str = ""
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000


class DiskOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One path, or all file systems."""

    path: str = ""
    all: bool = False


class HttpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every type that an option may have."""

    url: str
    method: Literal["GET", "HEAD"] = "GET"
    accept: tuple[int, ...] = (200,)
    headers: dict[str, str] = {}
    body: str | tuple[str, ...] = ""
    weight: Decimal = Decimal(1)
    max_age: Duration | None = None
    extra: dict[str, Any] = {}


class JournalOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One whose option has the name of a key that items have."""

    unit: str = ""
    priority: Literal["err", "warning"] = "err"


class GreedyOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One that takes the name of a key that the engine acts upon."""

    timeout: int = 1


def _open(_environment: Environment) -> Probe:
    raise NotImplementedError


def _disk_problems(options: DiskOptions) -> list[tuple[str, str]]:
    if bool(options.path) == options.all:
        return [("path", "give one path, or all = true")]
    if options.path and not options.path.startswith("/"):
        return [("path", f"'{options.path}' must begin with /")]
    return []


def _broken(_options: object) -> list[tuple[str, str]]:
    raise RuntimeError("out of order")


KINDS = {
    kind.name: kind
    for kind in (
        ProbeKind(name="sql", summary="", options=SqlOptions, subjects=lambda _: None, open=_open),
        ProbeKind(
            name="disk",
            summary="",
            options=DiskOptions,
            subjects=lambda _: {"used": Unit.PERCENT, "free": Unit.BYTES, "files": Unit.COUNT, "mount": None},
            open=_open,
            validate=_disk_problems,
        ),
        ProbeKind(
            name="http",
            summary="",
            options=HttpOptions,
            subjects=lambda _: {"status": Unit.COUNT, "latency": Unit.SECONDS, "text": None, "value": None},
            open=_open,
        ),
        ProbeKind(
            name="journal", summary="", options=JournalOptions, subjects=lambda _: {"count": Unit.COUNT}, open=_open
        ),
        ProbeKind(name="greedy", summary="", options=GreedyOptions, subjects=lambda _: {}, open=_open),
        ProbeKind(
            name="broken", summary="", options=DiskOptions, subjects=lambda _: {}, open=_open, validate=_broken
        ),
    )
}


def _refused(source: Source) -> list[tuple[str, str]]:
    """Refuse a password, as the real source does."""
    return [("dsn", "it holds a secret")] if "password" in source.dsn else []


SOURCE_KINDS = {"postgresql": SourceKind(name="postgresql", keys=("dsn",), check=_refused)}
