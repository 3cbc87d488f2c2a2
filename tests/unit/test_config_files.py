"""What is read from a path: text of reasonable size, and nothing that could wait, cost or do harm."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsconsole.config.checklists import load_checklist
from opsconsole.config.diagnostics import MOST, Report
from opsconsole.config.textfiles import MAX_BYTES, is_directory, is_file, read_text
from opsconsole.config.tomlfiles import MAX_KEY_PARTS, parse_toml
from support.fake_kinds import KINDS


def refused(path: Path) -> str:
    """Return the one reason why a path is not read."""
    report = Report("it")
    assert read_text(path, report, check_trust=False) is None
    (diagnostic,) = report.diagnostics()
    return str(diagnostic)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "it: is a directory, not a file"),
        (_fifo, "it: is a pipe, not a file"),
        (_socket, "it: is a socket, not a file"),
        (lambda path: path.symlink_to("/dev/null"), "it: is a device, not a file"),
        (_loop, "it: cannot be read: Too many levels of symbolic links"),
        (lambda path: path.symlink_to("nowhere"), "it: there is no such file"),
        (lambda _path: None, "it: there is no such file"),
        (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), "it: is larger than 256 kB, so it is not read"),
    ],
)
def test_what_is_no_text_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    """Nothing waits for a writer, opens a device or fills the memory; the reason is named."""
    path = tmp_path / "x.toml"
    make(path)
    assert refused(path) == reason


def test_below_a_file_there_is_nothing(tmp_path: Path) -> None:
    """A path through a file, or with a NUL byte in it, is a missing file and no crash."""
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file" / "x.toml") == "it: there is no such file"
    assert "null" in refused(tmp_path / "a\0b")
    assert not is_file(tmp_path / "a\0b")
    assert not is_directory(tmp_path / "file" / "x")


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Give up root for one test; does nothing for an ordinary user."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    yield
    os.seteuid(was)


def test_no_permission_is_named(tmp_path: Path, unprivileged: None) -> None:
    """Who may not read a file is told so, and not that it is missing or empty."""
    path = tmp_path / "x.toml"
    if os.access(tmp_path, os.W_OK, effective_ids=True):
        path.write_text("a = 1")
        path.chmod(0)
    assert refused(path) == "it: may not be read: permission denied"


def test_files_without_a_size_are_bounded(tmp_path: Path) -> None:
    """A file that says it has no bytes and gives many (as in /proc) is cut off like any other."""
    path = tmp_path / "x.toml"
    path.symlink_to("/proc/self/environ")
    report = Report("it")
    read_text(path, report, check_trust=False)
    assert len(report.diagnostics()) <= 1


def _lines(line: str, number: int) -> str:
    return "\n".join(line.replace("%", str(index)) for index in range(number))


BOMBS = {
    "dotted key": ".".join("a" * 1000) + " = 1\n",
    "dotted keys on many lines": _lines(".".join(["a"] * 900) + ".k% = 1", 130),
    "quoted dotted keys": _lines(".".join(['"a"'] * 400) + ".k% = 1", 130),
    "spaced dotted keys": _lines(" . ".join(["a"] * 400) + " . k% = 1", 130),
    "dotted headers": _lines("[" + ".".join(["a"] * 900) + ".k%]", 130),
    "dotted keys in braces": "a = {" + ".".join(["a"] * 900) + " = 1}",
    "lists in lists": "a = " + "[" * 1900,
    "lists on lines": "a = " + "[\n" * 100_000,
    "braces in braces": "a = " + "{a=" * 600,
    "as many parts as may be": _lines(".".join(["a"] * (MAX_KEY_PARTS - 1)) + ".k% = 1", 5000),
    "unknown keys": _lines("key% = 1", 20_000),
    "sections": "[[section]]\n" * 20_000,
    "items": "[[section]]\n" + "[[section.item]]\n" * 14_000,
    "long keys": _lines("k" * 1900 + "% = 1", 130),
    "open quotes": 'a = """' + '\\"""' * 60_000,
    "words without end": _lines("x" * 1990, 130),
    "comments": "#\n" * 120_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_parse_bomb_is_refused_quickly(tmp_path: Path, name: str) -> None:
    """A file made to cost time (40 kB of dotted keys once took seconds and all memory) costs next to none."""
    path = tmp_path / "bomb.toml"
    path.write_text(BOMBS[name])
    began = time.process_time()
    loaded = load_checklist(path, KINDS, check_trust=False)
    told = [str(each) for each in loaded.problems]
    assert loaded.checklist is None
    assert 0 < len(told) <= MOST + 1
    assert time.process_time() - began < 5  # the slowest takes half a second


def test_too_many_problems_are_counted(tmp_path: Path) -> None:
    """A file that is something else altogether does not scroll the terminal away."""
    path = tmp_path / "other.toml"
    path.write_text(BOMBS["unknown keys"])
    loaded = load_checklist(path, KINDS, check_trust=False)
    assert str(loaded.problems[-1]).endswith("and 19902 more problems")


def test_messages_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Names and values of a file appear in messages with every control character spelled out."""
    path = tmp_path / "hostile.toml"
    path.write_text('title = "x"\n"\\u001b[31m\\u202e" = 1\n[[section]]\ntitle = "\\u001b]0;x\\u0007"\n')
    loaded = load_checklist(path, KINDS, check_trust=False)
    text = "\n".join(map(str, loaded.problems))
    assert "unknown key '\\x1b[31m\\u202e'" in text
    assert "\x1b" not in text


def test_windows_line_ends_count_once() -> None:
    """A file from Windows is read, and its lines are counted as an editor counts them."""
    report = Report("x", "a = 1\r\nb = [\r\n")
    assert parse_toml("a = 1\r\nb = [\r\n", report) is None
    assert report.diagnostics()[0].line == 2
