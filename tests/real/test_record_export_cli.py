"""`opsconsole export` as operators and scripts use it."""

import json
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from support.command import MANUAL, Installation, installed

RUN = "morning@2026-11-21"
NAME = "morning-2026-11-21"


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with one run that nobody has signed."""
    found = installed(tmp_path, morning=MANUAL)
    done = found.run("run", "morning", "--headless", "--quiet", "--date", "2026-11-21")
    assert done.code == 0, done.err
    return found


def test_a_record_is_written_here(place: Installation) -> None:
    """Without more words the record is a directory named after the run, whose path a script can read."""
    done = place.run("export", RUN)
    assert (done.code, done.out) == (0, f"{NAME}\n")
    assert done.err == "this run is not signed: its record proves nothing\n"
    record = place.directory / NAME
    assert {each.name for each in record.iterdir()} >= {"README", "SHA256SUMS", "events.jsonl", "record.md"}
    sums = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS.sha256", "SHA256SUMS"],
        cwd=record,
        check=False,
        capture_output=True,
    )
    assert sums.returncode == 0
    assert [each.name for each in place.directory.iterdir() if each.name.startswith(".")] == []


def test_again_is_no_error(place: Installation) -> None:
    """A job that exports each day what it exported yesterday ends well."""
    assert place.run("export", RUN).code == 0
    assert place.run("export", RUN).code == 0
    place.run("run", "morning", "--headless", "--quiet", "--date", "2026-11-21")
    assert place.run("export", RUN).code == 0


def test_a_tar(place: Installation) -> None:
    """A name that ends in .tar gives one file."""
    done = place.run("export", RUN, "--output", "x.tar")
    assert (done.code, done.out) == (0, "x.tar\n")
    with tarfile.open(place.directory / "x.tar") as archive:
        assert f"{NAME}/README" in archive.getnames()


@pytest.mark.parametrize("form", ["json", "toml", "markdown", "text"])
def test_one_document(place: Installation, form: str) -> None:
    """A document is printed, or written where asked; both are the same but for their time."""
    done = place.run("export", RUN, "--format", form)
    assert done.code == 0
    if form in {"json", "toml"}:
        read = json.loads if form == "json" else tomllib.loads
        assert read(done.out)["run"] == RUN
    else:
        assert RUN in done.out
    again = place.run("export", RUN, "--format", form, "--output", "document")
    assert (again.code, again.out) == (0, "")
    assert len((place.directory / "document").read_text()) == pytest.approx(len(done.out), abs=40)


def test_headless_toml(place: Installation) -> None:
    """`run --headless` prints TOML too."""
    done = place.run("run", "morning", "--headless", "--quiet", "--date", "2026-11-21", "--format", "toml")
    assert tomllib.loads(done.out)["schema"] == "opsconsole.run.v1"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--output", "config.toml"), 2, "is no directory"),
        (("--output", "config.toml", "--force"), 2, "is no directory"),
        (("--output", "checklists"), 2, "is there already"),
        (("--output", "checklists", "--force"), 2, "is there already"),
        (("--output", "nowhere/record"), 2, "there is no directory"),
        (("--format", "json", "--force"), 2, "--force is about records"),
        (("--format", "yaml"), 2, "yaml"),
    ],
)
def test_nothing_else_is_written_over(place: Installation, words: tuple[str, ...], code: int, said: str) -> None:
    """What is no record is never replaced, not even by force, and what makes no sense is told."""
    before = sorted(str(each) for each in place.directory.rglob("*"))
    done = place.run("export", RUN, *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert sorted(str(each) for each in place.directory.rglob("*")) == before


def test_a_full_disk_is_told(place: Installation) -> None:
    """Where the record cannot be written the command ends with 4, and leaves nothing half there."""
    line = place.arguments("export", RUN)
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *line],
        cwd=place.directory,
        env=place.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "not written" in done.stderr
    assert [each for each in place.directory.iterdir() if each.name.startswith((NAME, ".opsconsole"))] == []
