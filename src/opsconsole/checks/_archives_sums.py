r"""Finds the checksum that was written beside a file, and holds it against the file.

Formats: coreutils, "md5sum invocation" (`HEX  NAME`, `HEX *NAME`, a leading `\` where the name is escaped), and
the BSD style of `--tag`, `SHA256 (NAME) = HEX`; besides a file of its own with nothing but the digits.
"""

import hashlib
import os
import re
from collections.abc import Iterator

import msgspec

from opsconsole.checks._archives import UntestableError
from opsconsole.checks._files import CHUNK, Stop, is_absent, open_regular, refused
from opsconsole.checks._mounts import presentable

LARGEST = 16 << 20
"""Bytes of a file of checksums that is read."""

ALGORITHMS = ("sha512", "sha384", "sha256", "sha224", "sha1", "md5")
_BY_LENGTH = {hashlib.new(each, usedforsecurity=False).digest_size * 2: each for each in ALGORITHMS}
ENDINGS = tuple(f".{each}{more}" for each in ALGORITHMS for more in ("", "sum", "sums"))
"""What the checksum of one file is called, after its own name."""
LISTS = (*(f"{each.upper()}SUM{more}" for each in ALGORITHMS for more in ("S", "")), "CHECKSUMS")
"""What a list for a directory is called; in small letters and as `.txt` too."""

_PLAIN = re.compile(r"(?P<escaped>\\)?(?P<digest>[0-9A-Fa-f]{32,128}) [ *](?P<name>.+)\Z")
_BSD = re.compile(r"(?P<escaped>\\)?(?P<kind>[A-Z0-9-]+) ?\((?P<name>.+)\) ?= ?(?P<digest>[0-9A-Fa-f]{32,128})\Z")
_BARE = re.compile(r"(?P<digest>[0-9A-Fa-f]{32,128})\Z")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


class Sum(msgspec.Struct, frozen=True):
    """A checksum that somebody wrote."""

    algorithm: str
    digest: str
    """Hexadecimal, small letters."""
    name: str
    """The file that it is of; empty where the line does not say."""


class Verified(msgspec.Struct, frozen=True):
    """What became of the checksum of a file."""

    verdict: str
    """`ok`, `differs`, or `absent` where none was written."""
    told: str
    """In words, for the evidence."""


def parsed_sum(line: str) -> Sum | None:
    """Read one line of a file of checksums; None for what is none: an empty line, a comment, a signature."""
    line = line.strip("\r\n ").removeprefix("\ufeff")
    match = _PLAIN.match(line) or _BSD.match(line) or _BARE.match(line)
    if match is None:
        return None
    groups = match.groupdict()
    digest = match["digest"].lower()
    algorithm = _BY_LENGTH.get(len(digest))
    said = (groups.get("kind") or "").lower().replace("-", "")
    if algorithm is None or said not in {"", algorithm}:
        return None
    name = groups.get("name") or ""
    if groups.get("escaped"):
        name = re.sub(r"\\[\\nr]", lambda found: _ESCAPES[found[0]], name)
    return Sum(algorithm, digest, name)


def is_checksum(name: str) -> bool:
    """Whether a file is called like one that holds checksums, and is no backup itself."""
    base = name.rpartition("/")[2]
    return base.lower().endswith(ENDINGS) or base.lower().removesuffix(".txt").upper() in LISTS


def verified(path: str, beside: str, stop: Stop) -> Verified:
    """Hold the checksum of the file at `path` against it; `beside` names the file of checksums, if not `""`.

    Raises ProbeError where a file of checksums is there and cannot be read or says nothing of the file, OSError
    where the file cannot be read, GivenUpError in time.
    """
    directory, _, name = path.rpartition("/")
    directory = directory or "/"
    candidates = [beside] if beside else _candidates(path, directory)
    unsaid = []
    for candidate in candidates:
        try:
            sums = [each for each in _sums(candidate, stop) if _is_of(each, candidate, path)]
        except OSError as error:
            if is_absent(error) and not beside:
                continue
            raise refused(candidate, error) from error
        if sums:
            exact = [each for each in sums if _located(each, candidate) == path]
            best = min(exact or sums, key=lambda each: ALGORITHMS.index(each.algorithm))
            return _held(path, best, presentable(candidate), stop)
        unsaid.append(candidate)
    own = [each for each in unsaid if each == beside or each.startswith(f"{path}.")]
    if own:
        raise UntestableError(
            f"{presentable(own[0])} has no checksum of {presentable(name)}",
            "write it anew: sha256sum NAME > NAME.sha256",
        )
    return Verified("absent", f"{presentable(name)}: no checksum was written for it")


def _candidates(path: str, directory: str) -> list[str]:
    """Return where the checksum may be, the strongest first, those that are there only."""
    present = {each.name for each in os.scandir(directory) if is_checksum(each.name)}
    base = path.rpartition("/")[2]
    own = [base + ending for ending in ENDINGS]
    lists = [each for each in sorted(present, key=_strength) if not each.lower().endswith(ENDINGS)]
    return [f"{directory.rstrip('/')}/{name}" for name in (*own, *lists) if name in present]


def _strength(name: str) -> int:
    return next((index for index, each in enumerate(ALGORITHMS) if name.lower().startswith(each)), len(ALGORITHMS))


def _sums(path: str, stop: Stop) -> Iterator[Sum]:
    with open_regular(path, stop) as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise UntestableError(
            f"{presentable(path)} is larger than {LARGEST >> 20} MiB", "name another file", "too-large"
        )
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        found = parsed_sum(line)
        if found is not None:
            yield found


def _is_of(found: Sum, where: str, path: str) -> bool:
    """Whether a line is of the file: by its name, or because the file of checksums is called after it."""
    base = path.rpartition("/")[2]
    if found.name:
        return found.name.rpartition("/")[2] == base
    return where.startswith(f"{path}.")


def _located(found: Sum, where: str) -> str:
    """Return the path that the name of a line means, seen from the file of checksums."""
    return os.path.normpath(os.path.join(where.rpartition("/")[0] or "/", found.name))  # noqa: PTH118 - a text stays a text here


def _held(path: str, expected: Sum, where: str, stop: Stop) -> Verified:
    shown = presentable(path.rpartition("/")[2])
    hashed = hashlib.new(expected.algorithm, usedforsecurity=False)
    stop.doing = f"reading {shown} for its checksum"
    with open_regular(path, stop) as file:
        while chunk := file.read(CHUNK):
            hashed.update(chunk)
    if hashed.hexdigest() == expected.digest:
        return Verified("ok", f"{shown}: {expected.algorithm} is that in {where}")
    return Verified("differs", f"{shown}: {expected.algorithm} is another than that in {where}")
