"""The corpus of bad files: each has one mistake, and says in its first line what its author is to be told."""

import shutil
from pathlib import Path

import pytest

from opsconsole.config.checklists import load_checklist
from opsconsole.config.configfile import read_settings
from opsconsole.config.diagnostics import Diagnostic
from opsconsole.config.linting import lint_paths
from support.fake_kinds import KINDS, SOURCE_KINDS

CORPUS = Path(__file__).parent.parent / "corpus" / "bad"
FILES = sorted(CORPUS.glob("*.toml"))
MARK = "# expect: "


def expected(path: Path) -> str:
    """Return what the first line of a file says that it has to be told."""
    first = path.read_bytes().split(b"\n", 1)[0].decode(errors="ignore")
    return first[first.index(MARK) + len(MARK) :]


def found(path: Path) -> tuple[Diagnostic, ...]:
    """Return the problems and warnings of a file, which is a configuration if its name says so."""
    if path.stem.startswith("config-"):
        return read_settings(path, SOURCE_KINDS, check_trust=False)[2].diagnostics()
    loaded = load_checklist(path, KINDS, sources={"inventory"}, check_trust=False)
    assert loaded.checklist is None
    return (*loaded.problems, *loaded.warnings)


def test_the_corpus_is_there() -> None:
    """Nobody notices a mistake in the tests themselves: at least sixty bad files are looked at."""
    assert len(FILES) >= 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_mistake_is_told_once_and_in_words(path: Path) -> None:
    """Who makes this mistake is told exactly this, with file and line, and nothing that follows from it."""
    told = [str(each).removeprefix(f"{CORPUS}/") for each in found(path)]
    assert told == [expected(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_says_where(path: Path) -> None:
    """The line that is named exists, and what is quoted as unknown stands on it."""
    (diagnostic,) = found(path)
    lines = path.read_bytes().split(b"\n")
    assert 0 <= diagnostic.line <= len(lines)
    if diagnostic.message.startswith("unknown key '"):
        key = diagnostic.message.split("'")[1]
        assert key.encode() in lines[diagnostic.line - 1]


def test_lint_finds_the_same(tmp_path: Path) -> None:
    """`opsconsole lint` of the whole directory tells the same as loading each file does."""
    directory = tmp_path / "checklists"
    shutil.copytree(CORPUS, directory)
    told = {str(each) for each in lint_paths([directory], KINDS, SOURCE_KINDS, check_trust=False)}
    # a configuration that is no TOML, or says nothing a configuration says, cannot be told from a checklist
    wanted = {expected(path) for path in FILES if not path.stem.startswith("config-")}
    missing = {each for each in wanted if f"{directory}/{each}" not in told}
    assert {each.split(":")[0] for each in missing} <= {"comment-only.toml"}
