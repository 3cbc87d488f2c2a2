"""The record of a run: the bytes that a signature is over, for anybody who has `ssh-keygen` and nothing else.

    record = document(1) LF document(2) LF … document(n) LF statement LF

The documents are the run's events exactly as they were stored (canonical JSON, one line each), from its opening to
the last one before the signature, earlier signatures and amendments among them. The statement is the last line:
exactly the bytes that stand in the signing event. So a signature covers every reading, condition, attempt, tick,
note and waiver, and the hash of each evidence text.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from opsconsole.model.encoding import canonical
from opsconsole.model.events import Statement

LINE_FEED = b"\n"


class _Signing(msgspec.Struct, frozen=True):
    statement: msgspec.Raw


class _Event(msgspec.Struct, frozen=True):
    body: _Signing


def record_bytes(documents: Iterable[bytes], statement: bytes) -> bytes:
    """Return what is signed: `documents` of the run's events before the signature, then the statement."""
    return b"".join(each + LINE_FEED for each in (*documents, statement))


def statement_bytes(document: bytes) -> bytes:
    """Return the exact bytes of the statement in a stored signing event; raises MsgspecError for others."""
    return bytes(msgspec.json.decode(document, type=_Event).body.statement)


def statement_document(statement: Statement) -> bytes:
    """Return the bytes of a statement that is not stored yet; once it is, `statement_bytes` gives the same."""
    return canonical(statement)


def sha256_of(text: str) -> str:
    """Return what an event keeps of an evidence text: SHA-256 of its UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
