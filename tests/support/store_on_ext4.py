"""Cuts the power of an ext4 at each write of a SQLite record, and starts again: `store_on_ext4 DIRECTORY APPENDS`.

The file system lies in a file behind a loop device, so that the file holds just what ext4 has handed to its disk.
At each call with which SQLite changes something, and after each event, the file is copied; the copy is mounted,
which replays ext4's journal, and the record on it has to hold what was acknowledged. To be run as root in a mount
namespace of its own. Prints how many copies there were, and how many acknowledged events they had to hold.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from opsconsole.model.events import Event
from opsconsole.store.sqlite import SqliteStore
from support.events import measurement, note, opening
from support.power import look_after
from support.syscalls import decided_by

_SIZE = 8 * 2**20
_NAME = "records.db"


@contextmanager
def _mounted(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def _write(path: Path, events: Sequence[Event], say: TextIO, go: TextIO) -> None:
    """Append the events; say each step and wait until its copy was made."""

    def told(what: str) -> None:
        say.write(f"{what}\n")
        say.flush()
        go.readline()

    def fate(_name: str, _before: int) -> int:
        told("writes")
        return 0

    with decided_by(fate), SqliteStore(path) as store:
        for event in events:
            told("tried")
            store.append([event])
            told("acknowledged")


def _writer(path: Path, events: Sequence[Event]) -> tuple[int, TextIO, TextIO]:
    """Fork a process that writes; return its id, what it says, and what lets it go on."""
    (hear, say), (heed, go) = os.pipe(), os.pipe()
    child = os.fork()
    if child:
        os.close(say)
        os.close(heed)
        return child, os.fdopen(hear), os.fdopen(go, "w")
    status = 1
    try:
        os.close(hear)
        os.close(go)
        with os.fdopen(say, "w") as saying, os.fdopen(heed) as heeding:
            _write(path, events, saying, heeding)
        status = 0
    finally:
        os._exit(status)


def main(where: str, appends: str) -> None:
    """Do what the module says."""
    directory = Path(where)
    image, copy = directory / "disk.img", directory / "copy.img"
    with image.open("wb") as disk:
        disk.truncate(_SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    events = [opening(), *(measurement(rows=9) if each % 3 else note(f"{each}") for each in range(int(appends)))]
    told = {"writes": 0, "tried": 0, "acknowledged": 0}
    copies = held = 0
    with _mounted(image, directory / "disk") as place:
        child, heard, go = _writer(place / _NAME, events)
        with heard, go:
            for line in heard:
                told[line.strip()] += 1
                if line != "tried\n":
                    shutil.copyfile(image, copy)
                    with _mounted(copy, directory / "copy") as after:
                        look_after(after / _NAME, events, told["tried"], told["acknowledged"])
                    copies += 1
                    held += told["acknowledged"]
                go.write("go\n")
                go.flush()
        assert os.waitpid(child, 0)[1] == 0, "the writer failed"
    assert told["acknowledged"] == len(events)
    sys.stdout.write(f"{copies} {held}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
