"""What differs between PostgreSQL and servers that speak its protocol, but are another database.

QuestDB: https://questdb.com/docs/query/pgwire/overview (no TLS, no settings, one kind of time), and what its server
reports when somebody logs in. A query there is bounded by this side alone, which cancels it.
"""

import re
from collections.abc import Sequence

import msgspec

from opsconsole.checks._statements import PARAMETERS, Statement, parse

TIMESTAMP, TIMESTAMPTZ = 1114, 1184


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is spoken to."""

    kind: str
    """The kind of its sources in config.toml."""
    name: str
    transactional: bool = True
    """Whether a query goes into a READ ONLY transaction with settings of its own. Where that cannot be had, queries
    follow one another, and nothing but the account keeps them from writing."""
    utc: bool = False
    """Whether its `timestamp` is a moment, always in UTC."""

    def shown_as(self, column_type: int) -> int:
        """Return the type, as PostgreSQL has it, that values of a column are read as."""
        return TIMESTAMPTZ if self.utc and column_type == TIMESTAMP else column_type


POSTGRESQL = Dialect(kind="postgresql", name="PostgreSQL")
QUESTDB = Dialect(kind="questdb", name="QuestDB", transactional=False, utc=True)
DIALECTS = {each.kind: each for each in (POSTGRESQL, QUESTDB)}

_OPENINGS = re.compile(r"\s*(?:--[^\n]*\n\s*)*(?:select|with|show)\b", re.IGNORECASE)
_PLAIN = re.compile(r"[^'\\;\x00-\x1f]*\Z")


def questdb_problems(statement: Statement) -> list[str]:
    """Return why a query cannot be sent to QuestDB, beside what is wrong with it anywhere.

    Quotes and comments are not quite PostgreSQL's there, so a semicolon inside of either could be taken for the end
    of a first statement: none is let through.
    """
    found = []
    if ";" in statement.source.rstrip().removesuffix(";"):
        found.append("a ';' inside of the query is not sent to QuestDB, which may read another statement behind it")
    if not _OPENINGS.match(statement.source):
        found.append("a query to QuestDB begins with `select`, `with` or `show`")
    return found


def questdb_statement(statement: Statement, values: Sequence[str]) -> Statement:
    """Return a statement with the values of its parameters in it, as QuestDB writes them.

    Instants are `2026-11-21T08:00:00.000000Z`, which it compares with its timestamps. Raises ValueError with the
    name of a parameter whose value could be read as more than a text.
    """
    found = []
    for name, value in zip(statement.names, values, strict=True):
        if not _PLAIN.match(value):
            raise ValueError(name)
        found.append(_instant(value) if PARAMETERS[name].oid == TIMESTAMPTZ else value)
    return parse(statement.literal(found, typed=False))


def _instant(value: str) -> str:
    moment = value.replace(" ", "T").removesuffix("+00:00")
    return f"{moment}{'' if '.' in moment else '.000000'}Z"
