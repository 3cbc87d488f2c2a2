"""Writing a document: whole or not at all, for its owner only, and with a clear word where it cannot be done."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.export.files import NotWritten, OutputRefused, file_name, write_atomically
from opsconsole.model.errors import OpsconsoleError
from support.needs import missing


def only(directory: Path) -> list[str]:
    """Return the names in a directory."""
    return sorted(each.name for each in directory.iterdir())


def test_a_new_file_is_the_owners_alone(tmp_path: Path) -> None:
    """The day log is readable by its owner only, whatever the umask, and nothing lies beside it."""
    before = os.umask(0)
    try:
        write_atomically(tmp_path / "day.md", "Grüße 例\n")
    finally:
        os.umask(before)
    assert (tmp_path / "day.md").read_bytes() == "Grüße 例\n".encode()
    assert stat.S_IMODE((tmp_path / "day.md").stat().st_mode) == 0o600
    assert only(tmp_path) == ["day.md"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    """Exporting again gives the new document, readable by its owner only even if the old one was open to all."""
    path = tmp_path / "day.md"
    path.write_text("old and much longer\n" * 100)
    path.chmod(0o644)
    write_atomically(path, "new\n")
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_relative_name_is_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--output day.md` writes into the current directory."""
    monkeypatch.chdir(tmp_path)
    write_atomically(Path("day.md"), "x\n")
    assert only(tmp_path) == ["day.md"]


def test_a_reader_never_sees_half_a_document(tmp_path: Path) -> None:
    """Whoever reads the file while it is written again and again finds one of the whole documents."""
    path = tmp_path / "day.md"
    documents = {letter * 200_000 for letter in "ab"}
    write_atomically(path, "a" * 200_000)
    seen = set()
    done = threading.Event()

    def write() -> None:
        for index in range(12):
            write_atomically(path, "ba"[index % 2] * 200_000)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        seen.add(path.read_text())
    writer.join(30)
    assert seen <= documents


def test_a_text_that_is_no_text_is_written(tmp_path: Path) -> None:
    """A lone surrogate is spelled out instead of ending the export."""
    write_atomically(tmp_path / "x", "a\udc80b")
    assert (tmp_path / "x").read_text() == "a\\udc80b"


def _directory(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("kept")
    path.symlink_to(path.parent / "elsewhere")


def _dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_directory, "is a directory"),
        (_link, "is a symbolic link"),
        (_dangling, "is a symbolic link"),
        (_pipe, "is no regular file"),
    ],
)
def test_only_regular_files_are_replaced(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    """A directory, a link or a pipe of that name is refused and stays as it was."""
    path = tmp_path / "day.md"
    make(path)
    names, kind = only(tmp_path), path.lstat().st_mode
    with pytest.raises(OutputRefused, match=message):
        write_atomically(path, "x\n")
    assert only(tmp_path) == names
    assert path.lstat().st_mode == kind
    if (tmp_path / "elsewhere").exists():
        assert (tmp_path / "elsewhere").read_text() == "kept"


@pytest.mark.parametrize("name", ["missing/day.md", "file/day.md", "a\0b", "x" * 300, "."])
def test_what_cannot_be_a_file_is_an_error_in_words(tmp_path: Path, name: str) -> None:
    """A missing directory, a file in the middle of the path, an impossible name: an error, never a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OpsconsoleError) as caught:
        write_atomically(tmp_path / name, "x\n")
    assert str(caught.value)
    assert only(tmp_path) == ["file"]


def test_missing_directories_are_made_where_asked(tmp_path: Path) -> None:
    """The console's own place for day logs comes into being with the first one, closed to others."""
    path = tmp_path / "state" / "day-logs" / "day.md"
    before = os.umask(0o022)
    try:
        write_atomically(path, "x\n", make_directory=True)
    finally:
        os.umask(before)
    assert path.read_text() == "x\n"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("step", ["mkstemp", "fsync", "replace"])
def test_a_failing_disk_leaves_the_old_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int, message: str
) -> None:
    """Wherever writing fails, the old document is whole, nothing is left beside it, and the cause is named."""
    path = tmp_path / "day.md"
    path.write_text("old\n")

    def fail(*_args: object, **_more: object) -> None:
        raise OSError(code, os.strerror(code))

    where = {"mkstemp": "tempfile.mkstemp", "fsync": "os.fsync", "replace": "pathlib.Path.replace"}[step]
    monkeypatch.setattr(where, fail)
    with pytest.raises(NotWritten, match=message):
        write_atomically(path, "new\n")
    monkeypatch.undo()
    assert path.read_text() == "old\n"
    assert only(tmp_path) == ["day.md"]


def test_a_rename_that_was_not_confirmed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the directory cannot be synced the document is there, and its owner is told that it may not last."""
    real = os.fsync

    def fail_on_directories(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail_on_directories)
    with pytest.raises(NotWritten, match="did not confirm it"):
        write_atomically(tmp_path / "day.md", "new\n")
    assert (tmp_path / "day.md").read_text() == "new\n"


_ON_A_FULL_DISK = """
mount -t tmpfs -o size=64k,mode=0700 tmpfs "$1" || exit 77
exec "$2" - "$1" <<'END'
import sys
from pathlib import Path
from opsconsole.export.files import NotWritten, write_atomically
directory = Path(sys.argv[1])
write_atomically(directory / "day.md", "old")
try:
    write_atomically(directory / "day.md", "x" * 1_000_000)
except NotWritten as error:
    print(error, [each.name for each in directory.iterdir()], (directory / "day.md").read_text())
END
"""


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """On a file system without room the old document stays, and the reason is said. Needs a mount of its own."""
    unshare = shutil.which("unshare")
    if unshare is None:
        missing("NO unshare: a full disk was not tried.")
    isolated = [unshare, "--mount"] if os.getuid() == 0 else [unshare, "--user", "--map-root-user", "--mount"]
    done = subprocess.run(
        [*isolated, "sh", "-c", _ON_A_FULL_DISK, "sh", str(tmp_path), sys.executable],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode in {1, 77}:
        missing(f"THIS ACCOUNT CANNOT MOUNT A FILE SYSTEM OF ITS OWN: {done.stderr.strip()}")
    assert done.stdout == f"{tmp_path}/day.md: the disk is full ['day.md'] old\n"


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("qbr-daily@2026-11-21", "qbr-daily-2026-11-21.md"),
        ("services@2026-W47", "services-2026-W47.md"),
        ("pool@2026-11-21T1415Z", "pool-2026-11-21T1415Z.md"),
        ("audit_1@2026-Q4", "audit_1-2026-Q4.md"),
        ("review@2026-11", "review-2026-11.md"),
    ],
)
def test_the_name_of_a_day_log(run: str, name: str) -> None:
    """A day log is found by checklist and period."""
    assert file_name(run, ".md") == name


@given(
    st.text()
    | st.sampled_from(["../x@2026-11-21", "a@../../etc/passwd", "a@2026-11-21/..", "-x@2026-11", "@", "a@"])
)
def test_no_name_leads_elsewhere(run: str) -> None:
    """A run that is named in no usual way names no file: neither another directory nor an option of a command."""
    try:
        name = file_name(run, ".md")
    except OutputRefused:
        return
    assert "/" not in name
    assert name.isascii()
    assert name[0].isalnum()
