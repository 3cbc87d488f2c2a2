"""Versions of the SQLite schema that never were, to go through what a later one will."""

from opsconsole.store.migrations import MIGRATIONS, statements_of
from opsconsole.store.versions import Migration

_ADD_A_COLUMN = """
DROP TRIGGER events_are_never_changed;
ALTER TABLE events ADD COLUMN login TEXT;
UPDATE events SET login = 'unknown' WHERE kind <> 'opened';
CREATE INDEX events_of_login ON events (login) WHERE login IS NOT NULL;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events BEGIN
  SELECT RAISE(ABORT, 'opsconsole: an event is never changed; not even now');
END;
"""

_ADD_A_TABLE = """
CREATE TABLE heads (seen_at TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
-- A comment; with a semicolon.
INSERT INTO heads SELECT '2026-11-21', seq, hash FROM events;
"""

HISTORY = (
    *MIGRATIONS,
    Migration(2, statements_of(_ADD_A_COLUMN)),
    Migration(3, statements_of(_ADD_A_TABLE)),
)
"""What a version two releases later would bring."""


def broken_by(statement: str) -> tuple[Migration, ...]:
    """Return a history whose last version ends in this statement."""
    return (*HISTORY, Migration(4, (*statements_of(_ADD_A_TABLE.replace("heads", "tails")), statement)))
