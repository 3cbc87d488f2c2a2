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
_COUNT, _PERCENT, _BYTES, _SECONDS = Unit.COUNT, Unit.PERCENT, Unit.BYTES, Unit.SECONDS


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One set of figures, in the order in which its query brings them."""

    sql: str
    measures: Names
    columns: Names = {}
    """Of its table; the first names a row."""


FIGURES = {
    About.CONNECTIONS: Figures(
        sql=_pgstatsql.CONNECTIONS,
        measures={
            **dict.fromkeys(("used", "max", "reserved"), _COUNT),
            "share": _PERCENT,
            **dict.fromkeys(("active", "idle", "idle_in_transaction", "waiting"), _COUNT),
        },
        columns={"role": None, "database": None, "state": None, "connections": _COUNT},
    ),
    About.ACTIVITY: Figures(
        sql=_pgstatsql.ACTIVITY,
        measures={
            **dict.fromkeys(("active", "idle_in_transaction", "waiting"), _COUNT),
            **dict.fromkeys(
                ("longest_query", "longest_transaction", "longest_idle_in_transaction", "oldest_prepared"), _SECONDS
            ),
        },
        columns={
            "session": None,
            "state": None,
            **dict.fromkeys(("running", "transaction", "idle"), _SECONDS),
            "blocked": None,
            "query": None,
        },
    ),
    About.LOCKS: Figures(
        sql=_pgstatsql.LOCKS,
        measures={"waiting": _COUNT, "longest_wait": _SECONDS},
        columns={
            "session": None,
            "waited": _SECONDS,
            "blocked_by": None,
            "lock": None,
            "mode": None,
            "query": None,
        },
    ),
    About.DATABASE: Figures(
        sql=_pgstatsql.DATABASE,
        measures={
            "cache_hit": _PERCENT,
            **dict.fromkeys(("blocks", "deadlocks", "temp_files"), _COUNT),
            "temp_bytes": _BYTES,
            **dict.fromkeys(("conflicts", "commits", "rollbacks", "checksum_failures"), _COUNT),
            "since": None,
            "age": _SECONDS,
        },
    ),
    About.SIZES: Figures(
        sql=_pgstatsql.SIZES,
        measures={"value": _BYTES, "total": _BYTES, "count": _COUNT},
        columns={"database": None, "size": _BYTES},
    ),
    About.TABLES: Figures(
        sql=_pgstatsql.TABLES,
        measures={"count": _COUNT, "total": _BYTES, "largest": _BYTES},
        columns={"table": None, "size": _BYTES, "indexes": _BYTES, "rows": _COUNT},
    ),
    About.STATEMENTS: Figures(
        sql=_pgstatsql.STATEMENTS,
        measures={
            "count": _COUNT,
            "slowest": _SECONDS,
            "longest": _SECONDS,
            "largest_share": _PERCENT,
            "since": None,
        },
        columns={
            "statement": None,
            "role": None,
            "calls": _COUNT,
            **dict.fromkeys(("mean", "max", "total"), _SECONDS),
            "share": _PERCENT,
            "rows": _COUNT,
            "cache_hit": _PERCENT,
        },
    ),
    About.VACUUM: Figures(
        sql=_pgstatsql.VACUUM,
        measures={
            "count": _COUNT,
            "worst": _PERCENT,
            "never_vacuumed": _COUNT,
            "oldest_vacuum": _SECONDS,
            "xid_age": _COUNT,
            "xid_share": _PERCENT,
        },
        columns={
            "table": None,
            "rows": _COUNT,
            "dead": _COUNT,
            "dead_share": _PERCENT,
            "vacuumed": None,
            "since_vacuum": _SECONDS,
            "since_analyze": _SECONDS,
        },
    ),
    About.REPLICATION: Figures(
        sql=_pgstatsql.REPLICATION,
        measures={
            "in_recovery": None,
            "standbys": _COUNT,
            "streaming": _COUNT,
            "lag": _SECONDS,
            "lag_bytes": _BYTES,
            "receiving": None,
            "last_message": _SECONDS,
            "paused": None,
            "slots_inactive": _COUNT,
            "retained": _BYTES,
        },
        columns={"standby": None, "state": None, "sync": None, "behind": _SECONDS, "behind_bytes": _BYTES},
    ),
    About.INVALID: Figures(
        sql=_pgstatsql.INVALID,
        measures=dict.fromkeys(("value", "indexes", "constraints", "building"), _COUNT),
        columns={"name": None, "kind": None, "relation": None, "in_progress": None},
    ),
}
"""All but `response`, which is measured and not asked for."""

LATENCY: Names = {"latency": _SECONDS}
RESPONSE: Names = dict.fromkeys(("value", "least", "most", "connecting"), _SECONDS)

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
    if why != "standby":
        return ProbeError("bad-answer", f"{place} answers with other figures than were asked for")
    return ProbeError(
        "failed",
        f"{place} is a standby, which does not know when its primary vacuumed",
        "ask the primary: name it as the source",
    )
