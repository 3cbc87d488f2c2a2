"""The ready-made figures of the probe `postgres`: what each is called, in which unit, and how an answer is read."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from opsconsole.checks import _pgstatsql
from opsconsole.checks._pganswers import Answer
from opsconsole.checks._pgproblems import Place, identifier
from opsconsole.checks._pgvalues import shortened, value_of
from opsconsole.checks._statements import without_literals
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.values import Unit, Value

MAX_TEXT = 2_000
"""Characters of a statement that are read."""


class About(StrEnum):
    """What the figures are about."""

    CONNECTIONS = "connections"
    ACTIVITY = "activity"
    LOCKS = "locks"
    RESPONSE = "response"
    DATABASE = "database"
    SIZES = "sizes"
    TABLES = "tables"
    STATEMENTS = "statements"
    VACUUM = "vacuum"
    REPLICATION = "replication"
    INVALID = "invalid"


Names = Mapping[str, Unit | None]


class Figures(msgspec.Struct, frozen=True):
    """One set of figures, in the order in which its query brings them."""

    sql: str
    measures: Names
    columns: Names = {}
    """Of its table; the first names a row."""


def _names(text: str) -> Names:
    """Return names with their units, written as `used count, share %, state`."""
    parts = (each.split() for each in text.split(","))
    return {part[0]: Unit(part[1]) if len(part) > 1 else None for part in parts}


FIGURES = {
    About.CONNECTIONS: Figures(
        _pgstatsql.CONNECTIONS,
        _names(
            "used count, max count, reserved count, share %, active count, idle count, idle_in_transaction count,"
            "waiting count"
        ),
        _names("role, database, state, connections count"),
    ),
    About.ACTIVITY: Figures(
        _pgstatsql.ACTIVITY,
        _names(
            "active count, idle_in_transaction count, waiting count, longest_query s, longest_transaction s,"
            "longest_idle_in_transaction s, oldest_prepared s"
        ),
        _names("session, state, running s, transaction s, idle s, blocked, query"),
    ),
    About.LOCKS: Figures(
        _pgstatsql.LOCKS,
        _names("waiting count, longest_wait s"),
        _names("session, waited s, blocked_by, lock, mode, query"),
    ),
    About.DATABASE: Figures(
        _pgstatsql.DATABASE,
        _names(
            "cache_hit %, blocks count, deadlocks count, temp_files count, temp_bytes B, conflicts count,"
            "commits count, rollbacks count, checksum_failures count, since, age s"
        ),
    ),
    About.SIZES: Figures(_pgstatsql.SIZES, _names("value B, total B, count count"), _names("database, size B")),
    About.TABLES: Figures(
        _pgstatsql.TABLES,
        _names("count count, total B, largest B"),
        _names("table, size B, indexes B, rows count"),
    ),
    About.STATEMENTS: Figures(
        _pgstatsql.STATEMENTS,
        _names("count count, slowest s, longest s, largest_share %, since"),
        _names("statement, role, calls count, mean s, max s, total s, share %, rows count, cache_hit %"),
    ),
    About.VACUUM: Figures(
        _pgstatsql.VACUUM,
        _names("count count, worst %, never_vacuumed count, oldest_vacuum s, xid_age count, xid_share %"),
        _names("table, rows count, dead count, dead_share %, vacuumed, since_vacuum s, since_analyze s"),
    ),
    About.REPLICATION: Figures(
        _pgstatsql.REPLICATION,
        _names(
            "in_recovery, standbys count, streaming count, lag s, lag_bytes B, receiving, last_message s, paused,"
            "slots_inactive count, retained B"
        ),
        _names("standby, state, sync, behind s, behind_bytes B"),
    ),
    About.INVALID: Figures(
        _pgstatsql.INVALID,
        _names("value count, indexes count, constraints count, building count"),
        _names("name, kind, relation, in_progress"),
    ),
}
"""All but `response`, which is measured and not asked for."""

LATENCY = _names("latency s")
RESPONSE = _names("value s, least s, most s, connecting s")

_LOST = "lost: "

_TEXTS = frozenset({"query", "statement"})
"""Columns with SQL of others in them: its texts may be anybody's data, and are left out."""


class Found(msgspec.Struct, frozen=True):
    """What an answer says."""

    measures: dict[str, Value]
    rows: tuple[tuple[Value, ...], ...]


def found(figures: Figures, answer: Answer, place: Place, role: str) -> Found:
    """Return measures and table of an answer; raise ProbeError where the server showed less than there is."""
    if not answer.rows or answer.truncated:
        raise ProbeError("bad-answer", f"{place} answers with no figures, or with more than were asked for")
    width = 2 + len(figures.measures) + len(figures.columns)
    if any(len(row) != width for row in answer.rows):
        raise ProbeError("bad-answer", f"{place} answers with other columns than were asked for")
    blind = answer.rows[0][0]
    if blind is not None:
        raise _blind(blind.decode("utf-8", "replace"), place, role)
    names = (*figures.measures.items(), *figures.columns.items())
    types = [column.type for column in answer.columns]
    cells = [
        [
            _cell(name, raw, kind, unit)
            for (name, unit), raw, kind in zip(names, row[1:-1], types[1:-1], strict=True)
        ]
        for row in answer.rows
    ]
    at = len(figures.measures)
    return Found(
        dict(zip(figures.measures, cells[0][:at], strict=True)),
        tuple(tuple(row[at:]) for row, raw in zip(cells, answer.rows, strict=True) if raw[-1] is not None),
    )


def _cell(name: str, raw: bytes | None, kind: int, unit: Unit | None) -> Value:
    value = value_of(raw, kind, unit)
    if name in _TEXTS and isinstance(value, str):
        value = without_literals(value)
    return shortened(value)[0]


def _blind(why: str, place: Place, role: str) -> ProbeError:
    if why == "role":
        return ProbeError(
            "no-permission",
            f"{role} may not see what other sessions do, nor how far standbys are, so nothing can be said of them",
            f"`grant pg_monitor to {identifier(role)};`, which only lets it read statistics",
        )
    if why == "untracked":
        return ProbeError(
            "no-permission",
            f"{place}: some sessions have `track_activities` switched off, so their state cannot be seen",
            "switch it on for all: it is meant to be",
        )
    if why == "uncounted":
        return ProbeError(
            "failed",
            f"{place} counts nothing: `track_counts` is off there, and autovacuum does not work either",
            "switch it on: it is meant to be",
        )
    if why.startswith(_LOST):
        return ProbeError(
            "failed",
            f"{place} has lost its statistics of {shortened(why.removeprefix(_LOST))[0]}, by a crash or a reset",
            "`analyze;` counts the rows anew, as autovacuum will in time",
        )
    if why != "standby":
        return ProbeError("bad-answer", f"{place} answers with other figures than were asked for")
    return ProbeError(
        "failed",
        f"{place} is a standby, which does not know when its primary vacuumed",
        "ask the primary: name it as the source",
    )
