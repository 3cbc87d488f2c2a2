"""Recognises a day log that this program wrote, by what stands in it."""

import re

import msgspec

from opsconsole.contracts.store import Head
from opsconsole.export.anchors import anchor_of
from opsconsole.export.files import OutputRefused, file_name

SUFFIX = ".md"
_TITLE = "# "
_RUN = re.compile(r"^\| Run +\| (\S+) +\|$", re.MULTILINE)


class DayLog(msgspec.Struct, frozen=True):
    """What a day log says of itself."""

    run: str
    store_id: str
    head: Head
    """The end of the chain when it was written."""


def recognised(name: str, content: bytes) -> DayLog | None:
    """Return what the file called `name` says where it is a day log, under the name that it was written under.

    Exported records are none: they stand on their own, and nobody but a person removes them.
    """
    if not name.endswith(SUFFIX):
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    run, anchor = _RUN.search(text), anchor_of(text) if text.startswith(_TITLE) else None
    if run is None or anchor is None:
        return None
    try:
        expected = file_name(run[1], SUFFIX)
    except OutputRefused:
        return None
    return DayLog(run[1], anchor.store_id, Head(anchor.seq, anchor.hash)) if name == expected else None
