"""Secrets by reference: where they are kept is told, what they are never."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.config.references import UnresolvedError, is_reference, reference_problem, resolved

SECRET = "s3cret-not-a-real-one"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A file that keeps a secret as editors write it."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text(f"{SECRET}\n")
    return path


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("env:NAME", True),
        ("env:_a1", True),
        ("file:/etc/token", True),
        ("file:~/token", True),
        ("file:%CREDENTIALS%/token", True),
        ("env:", False),
        ("env:1A", False),
        ("env:A B", False),
        ("env:A\n", False),
        ("file:", False),
        ("file:token", False),
        ("file:../token", False),
        ("file:/a\0b", False),
        ("file:%CREDENTIALS%", False),
        ("ENV:NAME", False),
        (SECRET, False),
        ("", False),
    ],
)
def test_what_a_reference_is(text: str, good: bool) -> None:
    """Only the two forms are references; what is none may be the secret itself, and is not repeated."""
    assert is_reference(text) is good
    problem = reference_problem(text)
    assert (problem is None) is good
    assert SECRET not in str(problem)
    if not good:
        with pytest.raises(UnresolvedError):
            resolved(text)


def test_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable gives its value; one that is not set, or is empty, is told by its name."""
    monkeypatch.setenv("KEPT", SECRET)
    assert resolved("env:KEPT") == SECRET
    monkeypatch.setenv("KEPT", "")
    with pytest.raises(UnresolvedError, match="KEPT is empty"):
        resolved("env:KEPT")
    monkeypatch.delenv("KEPT")
    with pytest.raises(UnresolvedError, match="no variable KEPT"):
        resolved("env:KEPT")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file(kept: Path, ending: str) -> None:
    """A file gives its content without the line feed that editors add, and keeps blanks that belong to it."""
    kept.write_bytes(f" {SECRET} {ending}".encode())
    assert resolved(f"file:{kept}") == f" {SECRET} "


def test_a_file_of_the_credentials_of_a_service(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What systemd hands to a service is found in its directory; without one that is told."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(kept.parent))
    assert resolved("file:%CREDENTIALS%/token") == SECRET
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(UnresolvedError, match="CREDENTIALS_DIRECTORY") as caught:
        resolved("file:%CREDENTIALS%/token")
    assert "LoadCredential=" in caught.value.hint


def test_a_file_at_home(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in the home directory is that of the account that runs the console."""
    monkeypatch.setenv("HOME", str(kept.parent))
    assert resolved("file:~/token") == SECRET


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o606, 0o644, 0o666, 0o777])
def test_a_file_that_everybody_can_read_is_refused(kept: Path, mode: int) -> None:
    """A secret that every account of the host can read, or change, is none."""
    kept.chmod(mode)
    with pytest.raises(UnresolvedError, match="everybody") as caught:
        resolved(f"file:{kept}")
    assert "chmod o-rwx" in caught.value.hint


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o660, 0o440])
def test_a_file_of_the_account_or_its_group_is_taken(kept: Path, mode: int) -> None:
    """A file for the account, or for a group that it belongs to, keeps a secret."""
    kept.chmod(mode)
    assert resolved(f"file:{kept}") == SECRET


def test_what_is_no_file(tmp_path: Path) -> None:
    """A FIFO does not make it wait, a directory and a device are no files, and what is missing is told."""
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "directory").mkdir(mode=0o700)
    for place, says in (
        (tmp_path / "fifo", "is no file"),
        (tmp_path / "directory", "is no file|Is a directory"),
        (Path("/dev/zero"), "is no file"),
        (tmp_path / "missing", "No such file"),
    ):
        with pytest.raises(UnresolvedError, match=says):
            resolved(f"file:{place}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (f"{SECRET}\nsecond\n".encode(), "several lines"),
        (f"{SECRET}\0".encode(), "several lines"),
        (b"\xff\xfe" + SECRET.encode(), "is no text"),
        (SECRET.encode() * 10_000, "too long"),
    ],
)
def test_a_file_that_keeps_no_single_secret(kept: Path, content: bytes, says: str) -> None:
    """What is in it is told in words that repeat nothing of it."""
    kept.write_bytes(content)
    with pytest.raises(UnresolvedError, match=says) as caught:
        resolved(f"file:{kept}")
    assert SECRET not in f"{caught.value} {caught.value.hint}"


def test_a_file_of_another_account(kept: Path) -> None:
    """A file that the account may not read is told by its path."""
    kept.chmod(0)
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)  # nobody, to whom the directory of the test is closed
    try:
        with pytest.raises(UnresolvedError, match="Permission denied"):
            resolved(f"file:{kept}")
    finally:
        os.seteuid(own)


@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    """No text that is taken for a reference ends in another error than its own."""
    try:
        resolved(text)
    except UnresolvedError:
        return
    assert is_reference(text)
