"""What the probes that ask databases have in common: sources, parameters, columns, and connections that failed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from opsconsole.checks._pgvalues import shortened
from opsconsole.checks._statements import PARAMETERS
from opsconsole.contracts.probe import Context, ProbeError, Source
from opsconsole.model.readings import Evidence, Problem
from opsconsole.model.values import Value

C = TypeVar("C")
R = TypeVar("R")


class Asked(Protocol):
    """A query with named parameters."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it cannot be sent."""
        ...

    def values(self, context: Context) -> list[str]:
        """Return the values of its parameters; raise ValueError naming the first that there is none for."""
        ...


def source_of(name: str, sources: Mapping[str, Source]) -> Source:
    """Return the source of that name; raise ProbeError where the configuration has none."""
    source = sources.get(name)
    if source is None:
        known = ", ".join(sorted(sources)) or "none"
        raise ProbeError(
            "unknown-source",
            f"config.toml names no source '{name}'",
            f"add `[sources.{name}]` to it; known are: {known}",
        )
    return source


def refuse_query(problems: Sequence[str], hint: str = "") -> None:
    """Raise ProbeError where something is wrong with a query."""
    if problems:
        raise ProbeError("bad-query", "; ".join(problems), hint)


def values_of(statement: Asked, context: Context) -> list[str]:
    """Return the values of a query's parameters; raise ProbeError where it cannot be sent, or one has none."""
    refuse_query(statement.problems, "`opsconsole lint` shows it before the morning")
    try:
        return statement.values(context)
    except ValueError as error:
        parameter = PARAMETERS[str(error)]
        raise ProbeError(
            "bad-query", f"the query asks for ':{error}', {parameter.meaning}, and there is none", parameter.missing
        ) from error


def refuse_columns(names: Sequence[str], named: Mapping[str, Iterable[str]]) -> None:
    """Raise ProbeError where columns have no names of their own, or an option (by its key) names one in vain."""
    if not names:
        raise ProbeError("bad-query", "the query returns no columns", "name what it is to return")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ProbeError("bad-query", f"the query returns two columns called '{twice[0]}'", "rename one with `as`")
    has = f"the query returns {', '.join(names)}"
    for key, columns in named.items():
        for name in columns:
            if name not in names:
                raise ProbeError("bad-query", f"`{key}` names a column '{name}', which there is not", has)


def rows_of(
    rows: Sequence[Sequence[R]], columns: Sequence[C], value: Callable[[R, C], Value]
) -> tuple[tuple[tuple[Value, ...], ...], bool]:
    """Return the cells as values, and whether one of them was too long to be kept whole."""
    found, cut = [], False
    for cells in rows:
        pairs = [shortened(value(cell, column)) for cell, column in zip(cells, columns, strict=True)]
        cut = cut or any(short for _, short in pairs)
        found.append(tuple(each for each, _ in pairs))
    return tuple(found), cut


def cut_off(rows: int) -> Evidence:
    """Return what a person has to know of an answer of which only so many rows were read."""
    text = f"Only {rows} rows were read, or a cell was too long: let the query aggregate, or raise `max_rows`."
    return Evidence("cut off", text, truncated=True)


class Refusal:
    """That a source could not be connected to in this pass: others are told at once, who tried may try again."""

    def __init__(self) -> None:
        self._known: tuple[tuple[str, str], Problem] | None = None

    def tell(self, context: Context) -> None:
        """Raise what is known, unless it is the item itself that found it."""
        if self._known is not None and self._known[0] != (context.item, context.target):
            problem = self._known[1]
            raise ProbeError(problem.reason, problem.cause, problem.hint)

    def remember(self, context: Context, problem: Problem | None) -> None:
        """Keep why the item could not connect, None where it could."""
        self._known = None if problem is None else ((context.item, context.target), problem)
