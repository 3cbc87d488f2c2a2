"""Reads entries back from the journal with journalctl: https://systemd.io/JOURNAL_EXPORT_FORMATS/ (JSON)."""

import json
from collections.abc import Iterator
from typing import Any

from opsconsole.anchors.programs import environment, lines
from opsconsole.contracts.anchor import AnchorError

_TIMEOUT = 60.0
_FIELDS = (
    "OPSCONSOLE_STORE,OPSCONSOLE_LOCATION,OPSCONSOLE_SEQ,OPSCONSOLE_HASH,OPSCONSOLE_RUN,"
    "_HOSTNAME,_UID,__REALTIME_TIMESTAMP"
)
_NOT_SEEN = {
    "not seeing messages from other users": "the journal shows this account its own entries only, and no others",
    "insufficient permissions": "this account may not read the journal",
    "No journal files were found": "there is no journal on this host",
}
"""What journalctl says, and exits with 0, where it showed less than there is."""


def entries(message_id: str) -> Iterator[dict[str, str]]:
    """Yield the fields of every entry with a MESSAGE_ID that this account may see, the oldest first.

    Raises AnchorError, after what could be read, where that is not everything there is.
    """
    said: list[str] = []
    argv = ["journalctl", "--no-pager", "--output=json", "--all", f"--output-fields={_FIELDS}"]
    try:
        for line in lines([*argv, f"MESSAGE_ID={message_id}"], environ=environment(), timeout=_TIMEOUT, said=said):
            if line.startswith(b"{"):
                yield _fields(line)
    except AnchorError as error:
        raise AnchorError(_unseen("".join(said)) or f"the journal cannot be read: {error}") from error
    unseen = _unseen("".join(said))
    if unseen:
        raise AnchorError(unseen)


def _fields(line: bytes) -> dict[str, str]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise AnchorError(f"the journal cannot be read: {error}") from error
    return {name: _text(value) for name, value in found.items()}


def _text(value: Any) -> str:
    """Return a field as text: of several values the last one, of bytes (a list of numbers) what they spell."""
    if isinstance(value, list) and value and all(isinstance(each, int) for each in value):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, list):
        return _text(value[-1]) if value else ""
    return "" if value is None else str(value)


def _unseen(said: str) -> str:
    for words, meaning in _NOT_SEEN.items():
        if words in said:
            return meaning
    complaint = next((line.strip() for line in said.splitlines() if line.strip()), "")
    return f"the journal was not read whole: {complaint}" if complaint else ""
