"""The versions of a schema, in whichever kind of store: what leads to one, and what has to stay the same."""

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable, Mapping

import msgspec

from opsconsole.contracts.store import StoreError
from opsconsole.store.chain import birth_document


class Migration(msgspec.Struct, frozen=True):
    """What leads to one version of the schema from the one before."""

    version: int
    statements: tuple[str, ...]


def newborn() -> bytes:
    """Return the birth document of a new store, made now."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return birth_document(str(uuid.uuid4()), now)


def refuse_newer(place: object, version: int, newest: int) -> None:
    """Raise StoreError for a record that a newer program has upgraded."""
    if version > newest:
        raise StoreError(
            f"{place} was written by a newer opsconsole (schema {version}; this one knows {newest})",
            "Upgrade opsconsole on this host",
        )


def refuse_unfaithful(before: str, after: str, version: int) -> None:
    """Raise StoreError where an upgrade from a version has changed the fingerprint of the chain."""
    if before != after:
        raise StoreError(
            f"the upgrade of the record from schema {version} would change its events; it was left as it is",
            "This is a mistake in opsconsole; stay with the version you had",
        )


def fingerprint_of(rows: Iterable[tuple[int, str, str, bytes]]) -> str:
    """Return a hash over links (seq, prev, hash, document) as they are stored."""
    digest = hashlib.sha256()
    for seq, prev, own, document in rows:
        digest.update(f"{seq} {prev} {own} {len(document)} ".encode())
        digest.update(document)
    return digest.hexdigest()


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return how a schema, definitions by name, is not as it was made; nothing where it is."""
    for name, definition in expected.items():
        if name not in found:
            return f"'{name}', which guards the record, was removed"
        if found[name] != definition:
            return f"'{name}', which guards the record, was changed"
    added = sorted(set(found) - set(expected))
    return f"'{added[0]}' was added by somebody else" if added else ""
