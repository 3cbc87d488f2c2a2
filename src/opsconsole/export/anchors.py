"""Reads back which head of which chain an exported document, or a record, was made at.

Every format carries it (docs/formats.md): a document that was kept elsewhere shows a record that was changed, cut
off or replaced since.
"""

import json
import re
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_HASH = r"[0-9a-f]{64}"
_SEQ = r"\d{1,15}"
_TOO_MANY = 10**15
"""What no seq comes near, in a number as in a text: no store could be asked for it."""

_TEXT = re.compile(rf"^Record   ({_SEQ})\s+({_HASH})\nStore    ({_UUID})$", re.MULTILINE)
_MARKDOWN = re.compile(rf"^- Anchor: ({_UUID}) ({_SEQ}) ({_HASH})$", re.MULTILINE)
_README = re.compile(rf"^Anchor:  ({_UUID}) ({_SEQ}) ({_HASH})$", re.MULTILINE)
_SHA256 = re.compile(rf"{_HASH}\Z")

RUN_SCHEMA = "opsconsole.run.v"
STATEMENT_SCHEMA = "opsconsole.statement.v"

LARGEST = 64 * 1024 * 1024
"""Bytes of one file that are looked at."""


class Anchored(NamedTuple):
    """A head of a chain as a document tells it."""

    store_id: str
    seq: int
    hash: str


def anchor_of(text: str) -> Anchored | None:
    """Return the head that a document was made at, whatever its format; None where `text` is none of ours.

    JSON and TOML tell it in `chain`, the day log and the text in a line of their own (of several the last one: what
    sources and people wrote stands before it), a signed file in its last line, which is the statement.
    """
    start = text.lstrip()[:1]
    if start == "{":
        return _of_json(text)
    if text.startswith("schema = "):
        return _of_toml(text)
    for pattern in (_MARKDOWN, _README):
        if found := pattern.findall(text):
            store_id, seq, own = found[-1]
            return Anchored(store_id, int(seq), own)
    if found := _TEXT.findall(text):
        seq, own, store_id = found[-1]
        return Anchored(store_id, int(seq), own)
    return None


def anchors_in(path: Path) -> Iterator[tuple[str, Anchored]]:
    """Yield the heads that a file, a `.tar` or a directory of records and documents holds, and where each stood.

    Directories are looked through to any depth, without following links; what is not ours is passed over. Raises
    OSError for the first file that cannot be read, after all others were.
    """
    if path.is_dir():
        unread: list[OSError] = []
        for each in sorted(path.rglob("*")):
            try:
                if each.is_file() and not each.is_symlink() and _may_hold(each.name):
                    yield from _anchors_of_file(each, str(each))
            except OSError as error:
                unread.append(error)
        if unread:
            raise unread[0]
    else:
        yield from _anchors_of_file(path, str(path))


_SUFFIXES = (".md", ".json", ".toml", ".txt", ".record", ".tar")


def _may_hold(name: str) -> bool:
    return name.endswith(_SUFFIXES) or name == "README"


def _anchors_of_file(path: Path, where: str) -> Iterator[tuple[str, Anchored]]:
    if path.stat().st_size > LARGEST:
        return
    if path.suffix == ".tar":
        yield from _anchors_of_tar(path, where)
        return
    found = anchor_of(path.read_bytes().decode("utf-8", "replace"))
    if found is not None:
        yield where, found


def _anchors_of_tar(path: Path, where: str) -> Iterator[tuple[str, Anchored]]:
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() and member.size <= LARGEST else None
                if file is None or not _may_hold(Path(member.name).name):
                    continue
                found = anchor_of(file.read().decode("utf-8", "replace"))
                if found is not None:
                    yield f"{where}:{member.name}", found
    except tarfile.TarError:
        return


def _of_json(text: str) -> Anchored | None:
    try:
        return _of_document(json.loads(text))
    except (ValueError, RecursionError):
        return _of_record(text)


def _of_record(text: str) -> Anchored | None:
    """Return the head in the statement at the end of what was signed."""
    _, _, last = text.rstrip("\n").rpartition("\n")
    try:
        return _of_document(json.loads(last))
    except (ValueError, RecursionError):
        return None


def _of_toml(text: str) -> Anchored | None:
    try:
        return _of_document(tomllib.loads(text))
    except (ValueError, RecursionError):
        return None


def _of_document(document: Any) -> Anchored | None:
    if not isinstance(document, dict) or not isinstance(schema := document.get("schema"), str):
        return None
    holder = document.get("chain") if schema.startswith(RUN_SCHEMA) else document
    if not isinstance(holder, dict) or not schema.startswith((RUN_SCHEMA, STATEMENT_SCHEMA)):
        return None
    store_id, seq, own = (holder.get(key) for key in ("store_id", "head_seq", "head_hash"))
    if not (isinstance(store_id, str) and isinstance(own, str) and isinstance(seq, int) and _SHA256.match(own)):
        return None
    return Anchored(store_id, seq, own) if 0 <= seq < _TOO_MANY else None
