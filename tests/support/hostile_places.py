"""What stands in places where probes look for files, and is none, or too much."""

import contextlib
import functools
import gzip
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from support.hostile_stage import ROOM, Arrange, Case, Stage

Make = Callable[[Path], object]
"""Puts something into a directory."""
_MIB = b"y" * (1 << 20)


def _made(make: Make) -> Arrange:
    def arrange(stage: Stage) -> dict[str, str]:
        directory = stage.directory / "place"
        directory.mkdir()
        make(directory)
        return {"DIR": str(directory)}

    return arrange


def _pipe(name: str) -> Make:
    return lambda place: os.mkfifo(place / name)


def _socket(name: str) -> Make:
    def make(place: Path) -> None:
        with socket.socket(socket.AF_UNIX) as unix, contextlib.chdir(place):  # whose names are short
            unix.bind(name)

    return make


def _device(name: str) -> Make:
    return lambda place: (place / name).symlink_to("/dev/zero")


def _circle(name: str) -> Make:
    return lambda place: (place / name).symlink_to(name)


def _directory(name: str) -> Make:
    return lambda place: (place / name).mkdir()


def _written(name: str, block: bytes, times: int = 1) -> Make:
    def make(place: Path) -> None:
        with (place / name).open("wb") as file:
            for _ in range(times):
                file.write(block)

    return make


def _sparse(name: str, mode: int = 0o644) -> Make:
    def make(place: Path) -> None:
        (place / name).touch(mode)
        os.truncate(place / name, 10 << 30)

    return make


def _bomb(name: str) -> Make:
    """A gibibyte of zeros."""
    return lambda place: (place / name).write_bytes(_packed() * 16)


@functools.cache
def _packed() -> bytes:
    return gzip.compress(bytes(1 << 26), 6)


IN_PLACE_OF: tuple[tuple[str, Callable[[str], Make]], ...] = (
    ("a pipe", _pipe),
    ("a socket", _socket),
    ("a device", _device),
    ("a link in circles", _circle),
    ("a directory", _directory),
)


def _failed(what: str, otherwise: str, *more: str) -> tuple[str, ...]:
    """Return the reason where something else is there than a file: what cannot be opened at all has `failed`."""
    return ("failed",) if what in {"a link in circles", *more} else (otherwise,)


def of_places() -> Iterator[Case]:
    """What may be where a file should be."""
    yield from _logs()
    yield from _files()
    yield from _backups()
    yield from _lists_of_backups()
    yield from _small_files()


def _logs() -> Iterator[Case]:
    log = 'path = "@DIR@/a.log"\nsince = "all"\npatterns = { x = "ERROR" }\nrequire = ["x == 0"]'

    def case(does: str, reasons: tuple[str, ...], make: Make, timeout: float = 2.0) -> Case:
        return Case("logfile", does, reasons, log, _made(make), timeout)

    for what, make in IN_PLACE_OF:
        yield case(f"{what} in place of the log", _failed(what, "no-file"), make("a.log"))
    yield case("a log of one line of 100 MB", ("not judged",), _written("a.log", _MIB, 100), 8.0)
    yield case("a rotated log that is a gzip bomb (1 GB)", ("timeout", "not judged"), _bomb_of_logs, 1.0)
    hostile = b"2026-11-20 11:50:00 ERROR \x1b[2J\x1b]0;x\x07\xff\0\n"
    yield case("escapes of a terminal", ("red",), _written("a.log", hostile))


def _bomb_of_logs(place: Path) -> None:
    (place / "a.log").write_bytes(b"2026-11-20 11:50:00 INFO x\n")
    _bomb("a.log.1.gz")(place)


def _files() -> Iterator[Case]:
    def case(does: str, item: str, make: Make, timeout: float = 2.0) -> Case:
        return Case("file", does, ("red",), item, _made(make), timeout)

    one = 'path = "@DIR@/a"\nrequire = ["type == \'file\'"]'
    many = 'path = "@DIR@"\npattern = "*"\n'
    secrets = many + 'secrets = true\nscan_limit = "1 MiB"\n'
    secrets += 'require = ["secrets == 0", "unscanned == 0", "count > 0"]'
    for what, make in IN_PLACE_OF:
        yield case(f"{what} in place of the file", one, make("a"))
        yield case(f"{what} where secrets are looked for", secrets, make("a"))
    yield case("a line of 100 MB where secrets are looked for", secrets, _written("a", _MIB, 100), 5.0)
    yield case("a gzip bomb where secrets are looked for", secrets, _bomb("a.gz"), 5.0)
    deep = many + 'recursive = true\nfollow = true\nrequire = ["count > 5"]'
    yield case("a directory that links lead back into", deep, lambda place: (place / "again").symlink_to(place))


def _backups() -> Iterator[Case]:
    test = 'path = "@DIR@"\npattern = "b*"\ntest = true\nrequire = ["archive == \'ok\'"]\n'
    for what, make in IN_PLACE_OF:
        yield Case("backup", f"{what} in place of the backup", ("not judged",), test, _made(make("b.tar.gz")))
    for ending in ("gz", "tar.gz"):
        yield Case("backup", f"a bomb of 1 GB in a .{ending}", ("timeout",), test, _made(_bomb(f"b.{ending}")), 1.0)
    dump = test + 'pg_restore = "@DIR@/restore"'
    stubborn, endless = _dump("trap '' TERM; setsid sleep 300 & sleep 300"), _dump("yes ';'")
    for does, make_ in (("that ignores SIGTERM and forks", stubborn), ("whose list never ends", endless)):
        yield Case("backup", f"a `pg_restore` {does}", ("timeout",), dump, _made(make_), 1.0, ROOM + 48)


def _dump(script: str) -> Make:
    def make(place: Path) -> None:
        (place / "restore").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (place / "restore").chmod(0o755)
        (place / "b.dump").write_bytes(b"PGDMP" + bytes(2000))

    return make


def _lists_of_backups() -> Iterator[Case]:
    path = 'path = "@DIR@"\npattern = "b*"\n'
    manifest = path + 'test = true\nmanifest = "@DIR@/m"\nrequire = ["archive == \'ok\'"]'
    checksum = path + 'checksum = true\nchecksum_file = "@DIR@/m"\nrequire = ["checksum == \'ok\'"]'

    def case(does: str, reasons: tuple[str, ...], item: str, make: Make) -> Case:
        def both(place: Path) -> None:
            (place / "b.gz").write_bytes(gzip.compress(b"all"))
            make(place)

        return Case("backup", does, reasons, item, _made(both))

    for what, make in IN_PLACE_OF:
        reasons = _failed(what, "bad-answer")
        yield case(f"{what} in place of the list of names", reasons, manifest, make("m"))
        yield case(f"{what} in place of the checksums", reasons, checksum, make("m"))
    nested = _written("m", b"[" * 1_000_000)
    yield case("a list of names that is nested without an end", ("bad-answer",), manifest, nested)
    yield case("a list of names of 100 MB", ("too-large",), manifest, _written("m", b"name\n" * 200_000, 105))
    yield case("checksums of 100 MB", ("too-large",), checksum, _written("m", _MIB, 100))


def _small_files() -> Iterator[Case]:
    pid = 'pidfile = "@DIR@/p"\nwindow = "0.1 s"\nrequire = ["count == 1"]'
    bearer = 'url = "http://127.0.0.1:1"\nbearer = "file:@DIR@/t"\nrequire = ["latency < 1 s"]'
    for what, make in IN_PLACE_OF:
        reasons = _failed(what, "bad-answer", "a socket")
        yield Case("process", f"{what} in place of the pid file", reasons, pid, _made(make("p")))
        yield Case("http", f"{what} in place of a secret", ("no-secret",), bearer, _made(make("t")))
    yield Case("process", "a pid file of 10 GB", ("bad-answer",), pid, _made(_sparse("p")))
    digits = _made(_written("p", b"9" * 60))
    yield Case("process", "a pid file with a number of 60 digits", ("bad-answer",), pid, digits)
    yield Case("http", "a secret of 10 GB", ("no-secret",), bearer, _made(_sparse("t", 0o600)))
