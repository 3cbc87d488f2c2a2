"""Probe `sql`: one query to a PostgreSQL or QuestDB source, which it can only read."""

from typing import Annotated

import msgspec

from opsconsole.checks._conninfo import psql_line
from opsconsole.checks._pganswers import Answer
from opsconsole.checks._pgdialects import QUESTDB, Dialect, questdb_problems, questdb_statement
from opsconsole.checks._pglink import DEPTH, Links
from opsconsole.checks._pgvalues import INTERVAL, NUMERIC, value_of
from opsconsole.checks._sqlanswers import cut_off, refuse_columns, refuse_query, rows_of, values_of
from opsconsole.checks._statements import Statement, parse
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Unit, seconds


class SqlOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `sql`."""

    source: str
    """The connection to ask, by its name in `config.toml`."""
    query: str
    """One statement that begins with `select`, `with`, `values`, `table` or `show`. It may name the parameters of
    the run that are listed below. It runs in a READ ONLY transaction with the time zone UTC; a column of the type
    `timestamp` names no moment, `x at time zone 'America/Chicago'` makes it one. Besides the rows there is
    `latency`, the seconds that the server needed.

    A source of the kind `questdb` has neither transactions nor settings: there the account has to be one that may
    only read (`pg.readonly.user`), the values of parameters are written into the query, its `timestamp` is a moment
    in UTC, and `latency` is counted with the way there and back."""
    units: dict[str, Unit] = {}
    """Units of numeric columns: `{ size = "B", share = "%", took = "s" }`. Intervals are seconds by themselves."""
    label: str = ""
    """The column that names a row in explanations; the first text column where it is left out."""
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    """More rows are not read, and a result with more is not judged. No row may have more than 16 MiB."""


class SqlProbe:
    """Asks over the connection to each source that is kept for one pass over a run."""

    def __init__(self, environment: Environment) -> None:
        self._sources = environment.sources
        self._links = environment.shared(Links)

    async def measure(self, options: SqlOptions, context: Context) -> Reading:
        """Send the query and return its rows, with the server's time for it as `latency`.

        Its time counts while it connects and while its query runs, not while others of the same source are ahead.
        """
        statement = parse(options.query)
        values = values_of(statement, context)
        link = self._links.link(options.source, self._sources)
        line = statement.literal(values)
        if link.dialect is QUESTDB:
            statement, values = _for_questdb(statement, values), []
            line = statement.text.strip()
        answer = await link.asked(statement, values, options.max_rows, context)
        return _reading(options, answer, psql_line(link.place.parameters, line), link.dialect)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._links.aclose()


def _for_questdb(statement: Statement, values: list[str]) -> Statement:
    refuse_query(questdb_problems(statement))
    try:
        return questdb_statement(statement, values)
    except ValueError as error:
        raise ProbeError(
            "bad-query",
            f"the value of ':{error}' has a quote, a semicolon or a control character in it",
            "QuestDB is not asked with such a value, because it could be read as more than a text",
        ) from error


def _reading(options: SqlOptions, answer: Answer, command: str, dialect: Dialect) -> Reading:
    names = tuple(column.name for column in answer.columns)
    _refuse_columns(options, answer, names)
    rows, cut = rows_of(
        answer.rows,
        answer.columns,
        lambda cell, column: value_of(cell, dialect.shown_as(column.type), options.units.get(column.name)),
    )
    truncated = answer.truncated or cut
    return Reading(
        measures={"latency": seconds(answer.seconds)},
        columns=names,
        rows=rows,
        label=options.label,
        truncated=truncated,
        evidence=_evidence(answer, truncated=truncated),
        command=command,
    )


def _refuse_columns(options: SqlOptions, answer: Answer, names: tuple[str, ...]) -> None:
    """Raise ProbeError where the columns are not what the item takes them for."""
    refuse_columns(names, {"label": [options.label] if options.label else [], "units": options.units})
    for column in answer.columns:
        unit = options.units.get(column.name)
        fits = column.type in NUMERIC or (column.type == INTERVAL and unit is Unit.SECONDS)
        if unit is not None and not fits:
            raise ProbeError(
                "bad-query",
                f"`units` gives the column '{column.name}' the unit '{unit}', but it is no number",
                "cast it, such as `x::numeric`, or take it out of `units`; an interval is seconds by itself",
            )


def _evidence(answer: Answer, *, truncated: bool) -> tuple[Evidence, ...]:
    found = [cut_off(len(answer.rows))] if truncated else []
    if answer.notices:
        found.append(Evidence("messages of the server", "\n".join(answer.notices)))
    return tuple(found)


KIND = ProbeKind(
    name="sql",
    summary="Asks a PostgreSQL or QuestDB source one query, which can only read, and brings back its rows.",
    options=SqlOptions,
    subjects=lambda _options: None,
    open=SqlProbe,
    lane=lambda options: str(options.source),
    depth=DEPTH,
    in_line=True,
    validate=lambda options: [("query", problem) for problem in parse(options.query).problems],
    sources=("postgresql", "questdb"),
)
