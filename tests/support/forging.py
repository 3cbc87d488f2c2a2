"""What somebody does to a record who knows how it is made, and has no key of the people in it."""

import re
import sqlite3

from opsconsole.store.chain import link
from support.tampering import Attack

_ARMORED = re.compile(rb'"armored":"((?:[^"\\]|\\.)*)"')


def rewritten(*changes: Attack) -> Attack:
    """Make the changes, then hash every event anew, and put the new hashes into what was signed, too."""

    def attack(connection: sqlite3.Connection) -> None:
        for change in changes:
            change(connection)
        ((prev,),) = connection.execute("SELECT hash FROM meta")
        rows = connection.execute("SELECT seq, hash, document FROM events ORDER BY seq").fetchall()
        connection.execute("UPDATE events SET prev = 'x' || seq, hash = 'y' || seq")
        renamed: dict[bytes, bytes] = {}
        for seq, before, document in rows:
            fresh = bytes(document)
            for old, new in renamed.items():
                fresh = fresh.replace(old, new)
            own = link(prev, fresh)
            renamed[before.encode()] = own.encode()
            connection.execute(
                "UPDATE events SET prev = ?, hash = ?, document = ? WHERE seq = ?", (prev, own, fresh, seq)
            )
            prev = own

    return attack


def replaced(seq: int, old: bytes, new: bytes) -> Attack:
    """Change some bytes of a document."""

    def attack(connection: sqlite3.Connection) -> None:
        ((document,),) = connection.execute("SELECT document FROM events WHERE seq = ?", (seq,))
        assert old in document
        connection.execute("UPDATE events SET document = ? WHERE seq = ?", (bytes(document).replace(old, new), seq))

    return attack


def signature_moved(source: int, target: int) -> Attack:
    """Put the signature of one event into another."""

    def attack(connection: sqlite3.Connection) -> None:
        documents = dict(connection.execute("SELECT seq, document FROM events"))
        theirs, own = (_ARMORED.search(bytes(documents[seq])) for seq in (source, target))
        assert theirs is not None
        assert own is not None
        replaced(target, own[1], theirs[1])(connection)

    return attack
