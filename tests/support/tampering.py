"""What somebody with a database tool and bad intentions, or a bad disk, can do to a SQLite record."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from opsconsole.store.chain import ZEROS, birth_document, link

Attack = Callable[[sqlite3.Connection], None]


def tampered(path: Path, attack: Attack) -> None:
    """Do it with every guard taken away first and put back afterwards, so that only the chain can tell."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        guards = connection.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL"
        ).fetchall()
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for kind, name, _ in guards:
            connection.execute(f"DROP {kind} {name}")
        attack(connection)
        for _, _, sql in guards:
            connection.execute(sql)


def _document(connection: sqlite3.Connection, seq: int) -> bytes:
    ((document,),) = connection.execute("SELECT document FROM events WHERE seq = ?", (seq,))
    return bytes(document)


def _changed(connection: sqlite3.Connection, seq: int) -> bytes:
    document = _document(connection, seq)
    changed = document.replace(b"FAIL", b"PASS").replace(b"a note", b"a nope")
    assert changed != document
    return changed


def edit(seq: int) -> Attack:
    """Change an event's document."""
    return lambda connection: _set(connection, seq, document=_changed(connection, seq))


def edit_and_hash(seq: int) -> Attack:
    """Change an event's document and give it a fitting hash."""

    def attack(connection: sqlite3.Connection) -> None:
        document = _changed(connection, seq)
        ((prev,),) = connection.execute("SELECT prev FROM events WHERE seq = ?", (seq,))
        _set(connection, seq, document=document, hash=link(prev, document))

    return attack


def edit_and_chain(seq: int) -> Attack:
    """Change an event's document and hash it and all after it anew."""

    def attack(connection: sqlite3.Connection) -> None:
        _set(connection, seq, document=_changed(connection, seq))
        chain_anew(connection)

    return attack


def evidence(seq: int, text: str | None) -> Attack:
    """Change, add or (None) remove the text beside an event."""

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM evidence WHERE seq = ?", (seq,))
        if text is not None:
            connection.execute("INSERT INTO evidence (seq, place, text) VALUES (?, 0, ?)", (seq, text))

    return attack


def chain_anew(connection: sqlite3.Connection) -> None:
    """Give every event the hash that fits what stands there now."""
    ((prev,),) = connection.execute("SELECT hash FROM meta")
    rows = connection.execute("SELECT seq, document FROM events ORDER BY seq").fetchall()
    connection.execute("UPDATE events SET prev = 'x' || seq")
    for seq, document in rows:
        own = link(prev, document)
        _set(connection, seq, prev=prev, hash=own)
        prev = own


def _set(connection: sqlite3.Connection, seq: int, **columns: object) -> None:
    for column, value in columns.items():
        connection.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (value, seq))


def column(seq: int, name: str, value: object) -> Attack:
    """Change a column and leave the document alone."""
    return lambda connection: _set(connection, seq, **{name: value})


def delete(seq: int) -> Attack:
    """Remove an event."""
    return lambda connection: _run(connection, f"DELETE FROM events WHERE seq = {seq}")


def delete_and_close_up(seq: int) -> Attack:
    """Remove an event and renumber those after it."""
    return lambda connection: _run(
        connection,
        f"DELETE FROM events WHERE seq = {seq}",
        f"UPDATE events SET seq = -seq WHERE seq > {seq}",
        "UPDATE events SET seq = -seq - 1 WHERE seq < 0",
        f"DELETE FROM evidence WHERE seq = {seq}",
        f"UPDATE evidence SET seq = seq - 1 WHERE seq > {seq}",
    )


def delete_and_chain(seq: int) -> Attack:
    """Remove an event, renumber those after it, and hash them anew."""

    def attack(connection: sqlite3.Connection) -> None:
        delete_and_close_up(seq)(connection)
        chain_anew(connection)

    return attack


def swap(seq: int) -> Attack:
    """Exchange an event with the next one."""
    return lambda connection: _run(
        connection,
        f"UPDATE events SET seq = -1 WHERE seq = {seq}",
        f"UPDATE events SET seq = {seq} WHERE seq = {seq + 1}",
        f"UPDATE events SET seq = {seq + 1} WHERE seq = -1",
    )


def insert_before(seq: int) -> Attack:
    """Put a forged event, hashed well, in the place of another and move that and the rest back."""

    def attack(connection: sqlite3.Connection) -> None:
        forged = _changed(connection, seq)
        row = connection.execute("SELECT prev, run, kind FROM events WHERE seq = ?", (seq,)).fetchone()
        _run(
            connection,
            f"UPDATE events SET seq = -seq WHERE seq >= {seq}",
            "UPDATE events SET seq = -seq + 1 WHERE seq < 0",
            f"UPDATE events SET prev = 'moved' WHERE seq = {seq + 1}",
        )
        prev, run, kind = row
        identity = forged.split(b'"id":"')[1][:36].decode()
        connection.execute("UPDATE events SET id = 'x' || id WHERE id = ?", (identity,))
        connection.execute(
            "INSERT INTO events (seq, id, run, kind, prev, hash, document) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (seq, identity, run, kind, prev, link(prev, forged), forged),
        )

    return attack


def cut_off(seq: int) -> Attack:
    """Remove an event and all after it."""
    return lambda connection: _run(connection, f"DELETE FROM events WHERE seq >= {seq}")


def other_birth(store_id: str, *, and_chain: bool) -> Attack:
    """Give the store another id, with the rest of the chain hashed anew or not."""

    def attack(connection: sqlite3.Connection) -> None:
        document = birth_document(store_id, "2020-01-01T00:00:00Z")
        values = (store_id, link(ZEROS, document), document)
        connection.execute("UPDATE meta SET store_id = ?, hash = ?, document = ?", values)
        if and_chain:
            chain_anew(connection)

    return attack


def _run(connection: sqlite3.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement)
