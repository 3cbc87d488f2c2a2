"""Writing several files as one: whole or not at all, the same each time, and never over something else."""

import datetime as dt
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from opsconsole.export import bundles
from opsconsole.export.bundles import Bundle, write_bundle
from opsconsole.export.files import NotWritten, OutputRefused

STAMP = dt.datetime(2026, 11, 21, 14, 12, 3, 250_000, tzinfo=dt.UTC)
BUNDLE = {"README": b"read me\n", "evidence/" + "a" * 64: b"\x00\xff", "z.md": b""}

both = pytest.mark.parametrize("name", ["record", "record.tar"])


def write(path: Path, bundle: Bundle = BUNDLE, *, replace: bool = False) -> bool:
    """Write a bundle; replace what is there only where asked."""
    return write_bundle(path, bundle, STAMP, lambda _: replace, root="qbr-daily-2026-11-21")


def read(path: Path) -> dict[str, bytes]:
    """Return what is in a bundle, read by other means than its own."""
    if path.suffix == ".tar":
        with tarfile.open(path) as archive:
            files = [each for each in archive if each.isfile()]
            found = {each.name: archive.extractfile(each) for each in files}
            return {name.removeprefix("qbr-daily-2026-11-21/"): file.read() for name, file in found.items() if file}
    files_there = [each for each in path.rglob("*") if each.is_file()]
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in files_there}


@both
def test_everything_is_in_it(tmp_path: Path, name: str) -> None:
    """Each file has its bytes, and nothing else lies around."""
    assert write(tmp_path / name)
    assert read(tmp_path / name) == BUNDLE
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_directory_is_the_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask, others read nothing of it; every file carries the time of the signature."""
    before = os.umask(0)
    try:
        write(tmp_path / "record")
    finally:
        os.umask(before)
    for each in (tmp_path / "record", *(tmp_path / "record").rglob("*")):
        status = each.stat()
        assert stat.S_IMODE(status.st_mode) == (0o700 if each.is_dir() else 0o600)
        assert status.st_mtime == int(STAMP.timestamp())


def test_a_tar_is_the_same_everywhere(tmp_path: Path) -> None:
    """Two tars of one record are equal byte for byte: names sorted, nobody's ids, one time, modes of its own."""
    write(tmp_path / "a.tar")
    write(tmp_path / "b.tar", dict(reversed(BUNDLE.items())))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        members = archive.getmembers()
    assert [each.name for each in members if each.isdir()] == [
        "qbr-daily-2026-11-21",
        "qbr-daily-2026-11-21/evidence",
    ]
    assert {each.mode for each in members} == {0o600, 0o700}
    assert {(each.uid, each.gid, each.uname, each.gname) for each in members} == {(0, 0, "", "")}
    assert {each.mtime for each in members} == {int(STAMP.timestamp())}
    assert stat.S_IMODE((tmp_path / "a.tar").stat().st_mode) == 0o600


@both
def test_the_same_again_changes_nothing(tmp_path: Path, name: str) -> None:
    """Exporting twice leaves the first one where it is, and is no error."""
    write(tmp_path / name)
    before = (tmp_path / name).stat()
    assert not write(tmp_path / name)
    assert (tmp_path / name).stat().st_ino == before.st_ino


@both
def test_something_else_stays(tmp_path: Path, name: str) -> None:
    """What is there already is not written over unless that was asked for, and then all of it."""
    write(tmp_path / name)
    other = {"README": b"another\n"}
    with pytest.raises(OutputRefused, match="is there already"):
        write(tmp_path / name, other)
    assert read(tmp_path / name) == BUNDLE
    assert write(tmp_path / name, other, replace=True)
    assert read(tmp_path / name) == other
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    """A directory that was made for the record is used."""
    (tmp_path / "record").mkdir()
    assert write(tmp_path / "record")
    assert read(tmp_path / "record") == BUNDLE


def _file(path: Path) -> None:
    path.write_text("mine")


def _link(path: Path) -> None:
    path.symlink_to(path.parent)


def _directory_with_link(path: Path) -> None:
    path.mkdir()
    (path / "link").symlink_to("/etc/passwd")


def _directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("record", _file, "is no directory"),
        ("record", _link, "is a symbolic link"),
        ("record", _directory_with_link, "holds 'link', which is of no record"),
        ("record.tar", _file, "is no record"),
        ("record.tar", _directory, "is no record"),
        ("record.tar", _link, "is a symbolic link"),
        ("nowhere/record", lambda _: None, "there is no directory"),
        ("nowhere/record.tar", lambda _: None, "there is no directory"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, name: str, make: Callable[[Path], None], said: str) -> None:
    """A file, a link or somebody's directory is never replaced, not even by force; a typing error is told."""
    make(tmp_path / name)
    before = sorted(each.name for each in tmp_path.rglob("*"))
    with pytest.raises(OutputRefused, match=said):
        write(tmp_path / name, replace=True)
    assert sorted(each.name for each in tmp_path.rglob("*")) == before


@both
@pytest.mark.parametrize("fails", ["fsync", "utime", "rename"])
def test_a_failing_disk_leaves_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fails: str
) -> None:
    """A disk that fails at any step leaves what was there before, whole, and says so."""
    write(tmp_path / name)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if fails == "rename":
        monkeypatch.setattr(Path, "rename", fail)
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, fails, fail)
    with pytest.raises(NotWritten, match="the disk is full"):
        write(tmp_path / name, {"README": b"other"}, replace=True)
    monkeypatch.undo()
    assert read(tmp_path / name) == BUNDLE
    assert [each.name for each in tmp_path.iterdir() if each.name != name] == []


def test_the_old_one_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new directory cannot get its name, the one that was moved away for it has its own again."""
    write(tmp_path / "record")
    renamed = Path.rename

    def second_fails(self: Path, target: Path) -> Path:
        if target == tmp_path / "record" and (self / "other").exists():
            raise OSError(28, "No space left on device")
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(NotWritten):
        write(tmp_path / "record", {"other": b"x"}, replace=True)
    assert read(tmp_path / "record") == BUNDLE
    assert [each.name for each in tmp_path.iterdir()] == ["record"]


def test_a_missing_directory_is_made_where_asked(tmp_path: Path) -> None:
    """Records beside the day logs need no directory made by hand."""
    path = tmp_path / "exports" / "record"
    assert write_bundle(path, BUNDLE, STAMP, lambda _: False, root="x", make_directory=True)
    assert read(path) == BUNDLE


def test_a_huge_directory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's data directory named by mistake is refused before all of it is read."""
    monkeypatch.setattr(bundles, "_LARGEST", 10)
    (tmp_path / "record").mkdir()
    (tmp_path / "record" / "big").write_bytes(b"x" * 11)
    with pytest.raises(OutputRefused, match="of no record"):
        write(tmp_path / "record", replace=True)
    shutil.rmtree(tmp_path / "record")
