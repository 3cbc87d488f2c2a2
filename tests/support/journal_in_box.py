"""Keeps heads in the journal of a boxed machine, and reads them back; runs inside (see systemd.py).

journal_in_box.py keep < NOTED    journal_in_box.py kept
"""

import os
import sys

import msgspec

from opsconsole.anchors.journal import JournalAnchor
from opsconsole.contracts.anchor import AnchorError, Kept, Noted


class Read(msgspec.Struct, frozen=True):
    """What could be read, and why not all."""

    kept: list[Kept]
    unseen: str = ""


def main(what: str, uid: int = 0) -> None:
    """Do it, as an account without groups where one is named, and print what came of it as JSON."""
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    anchor = JournalAnchor()
    if what == "keep":
        anchor.keep(msgspec.json.decode(sys.stdin.buffer.read(), type=Noted), None)
        return
    found: list[Kept] = []
    unseen = ""
    try:
        found.extend(anchor.kept())
    except AnchorError as error:
        unseen = str(error)
    sys.stdout.buffer.write(msgspec.json.encode(Read(found, unseen)))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
