r"""Tests dumps in SQL, which have no checksum, by the line that their program writes when it is done.

The lines are those of pg_dump and pg_dumpall, mysqldump and mariadb-dump. Since the releases of August 2025 pg_dump
writes `\unrestrict KEY` after its line. What pg_dumpall writes has such a line for each database as well, so that
one which broke off between two of them ends with it.
"""

import re
from typing import BinaryIO

from opsconsole.checks._archives import HEAD, DamagedError
from opsconsole.checks._files import CHUNK

TAIL = 4096
"""Bytes at the end in which the line is looked for."""

_DONE = re.compile(
    rb"^-- (?:PostgreSQL database (?:cluster )?dump complete|Dump completed(?: on [0-9: -]+)?)\r?$", re.MULTILINE
)
_CLUSTER = b"-- PostgreSQL database cluster dump"
_CLUSTER_DONE = re.compile(rb"^-- PostgreSQL database cluster dump complete\r?$", re.MULTILINE)
_AFTER = re.compile(rb"(?:--|\\unrestrict [A-Za-z0-9]+|\s*)\r?\Z")


def read_sql(file: BinaryIO) -> int:
    """Return how many bytes it has; raise DamagedError where its last line is not that of a complete dump.

    Only the end of a plain file is read; of a compressed one everything is, to get there.
    """
    head = file.read(HEAD)
    size, tail = _tail(file, head)
    if not size:
        raise DamagedError("it is empty")
    done = _CLUSTER_DONE if _CLUSTER in head else _DONE
    found = list(done.finditer(tail))
    if not found:
        raise DamagedError("the line that a dump ends with is not there: it was cut off, or its program failed")
    rest = tail[found[-1].end() :].split(b"\n")
    if not all(_AFTER.match(line) for line in rest):
        raise DamagedError("something follows the line that a dump ends with")
    return size


def _tail(file: BinaryIO, head: bytes) -> tuple[int, bytes]:
    if file.seekable():
        size = file.seek(0, 2)
        file.seek(max(size - TAIL, 0))
        return size, file.read(TAIL) or b""
    size, tail = len(head), head
    while part := file.read(CHUNK):
        size += len(part)
        tail = (tail + part)[-TAIL:]
    return size, tail
