"""Secrets made up for one test run, put where people put theirs, and the search for them in what is left behind.

A canary is random and in no file of the repository, so that every place it turns up in is a leak.
"""

import base64
import gzip
import json
import secrets
import sqlite3
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path

import msgspec

_LEAST = 12
"""Characters of a canary that are enough of it to be a leak."""


@cache
def canary(place: str) -> str:
    """Return the secret of one place: the same for the whole test run, and never on disk before it is put there."""
    return f"Cn{secrets.token_hex(3)}-{place.replace(' ', '-')}-{secrets.token_hex(12)}"


class Leak(msgspec.Struct, frozen=True):
    """A secret where none belongs."""

    place: str
    """Which canary."""
    sink: str
    """Where it was found."""

    def __str__(self) -> str:
        return f"the secret of {self.place} is in {self.sink}"


def forms(secret: str) -> frozenset[bytes]:
    """Return what a secret may look like in a sink: as it is, in a URL, in JSON, in base64, in hexadecimal.

    The random end of it alone counts too: a part is a leak.
    """
    tail = secret.rpartition("-")[2]
    parts = {secret, secret[-_LEAST:]}
    if len(tail) >= _LEAST:
        parts.add(tail)
    found = {
        form
        for part in parts
        for form in (
            part.encode(),
            part.encode("utf-16-le"),
            urllib.parse.quote(part, safe="").encode(),
            json.dumps(part)[1:-1].encode(),
        )
    }
    found.add(secret.encode().hex().encode())
    # Base64 depends on where the text begins: the part that does not, for each of the three ways.
    found |= {base64.b64encode(b"x" * shift + secret.encode())[4:-4] for shift in range(3)}
    return frozenset(found)


def leaks(content: bytes, sink: str, planted: Mapping[str, str]) -> list[Leak]:
    """Return the secrets (by place) that are in some bytes, also where those are compressed."""
    views = [content, *_unpacked(content)]
    return [
        Leak(place, sink)
        for place, secret in planted.items()
        if any(form in view for form in forms(secret) for view in views)
    ]


def leaks_below(directory: Path, planted: Mapping[str, str], *, except_for: Iterable[Path] = ()) -> list[Leak]:
    """Return the secrets in names and contents of everything below `directory`, databases cell by cell too."""
    found: list[Leak] = []
    spared = {each.resolve() for each in except_for}
    for path in sorted(directory.rglob("*")):
        if path.resolve() in spared:
            continue
        sink = str(path.relative_to(directory))
        found += leaks(sink.encode("utf-8", "surrogateescape"), f"the name {sink}", planted)
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        found += leaks(content, sink, planted)
        if content.startswith(b"SQLite format 3\0"):
            found += leaks(_cells(path), f"{sink} (cells)", planted)
    return found


def _cells(path: Path) -> bytes:
    """Return all values of a database: one that is longer than a page is in several pieces in the file."""
    with closing(sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        rows = (row for name in names for row in connection.execute(f'select * from "{name}"'))
        cells = (cell for row in rows for cell in row if isinstance(cell, str | bytes))
        return b"\n".join(cell.encode() if isinstance(cell, str) else cell for cell in cells)


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    elif content.startswith(b"x"):
        try:
            yield zlib.decompress(content)
        except zlib.error:
            return
