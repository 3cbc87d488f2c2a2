"""Random damage to good files: whatever an editor, a merge or a bad disk does, loading says so and goes on."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.config.checklists import load_checklist
from opsconsole.config.configfile import read_settings
from support.damaged import MUTATIONS, check
from support.fake_kinds import KINDS, SOURCE_KINDS

ROOT = Path(__file__).parent.parent.parent
CHECKLIST = (ROOT / "tests" / "corpus" / "good" / "everything.toml").read_text()
CONFIG = (ROOT / "config.toml").read_text()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the damaged files are written; one for all examples, which are loaded one after another."""
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), times=st.integers(1, 3))
def test_a_damaged_checklist_never_raises(directory: Path, seed: int, times: int) -> None:
    """A checklist with up to three accidents in it is loaded or refused with reasons, and never both."""
    pick, text = random.Random(seed), CHECKLIST
    for _ in range(times):
        text = pick.choice(MUTATIONS)(text, pick)
    path = directory / "damaged.toml"
    path.write_text(text, encoding="utf-8")
    loaded = load_checklist(path, KINDS, sources={"inventory"}, check_trust=False)
    check((*loaded.problems, *loaded.warnings), text)
    assert (loaded.checklist is None) == bool(loaded.problems)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), times=st.integers(1, 3))
def test_a_damaged_configuration_never_raises(directory: Path, seed: int, times: int) -> None:
    """So it is with the configuration."""
    pick, text = random.Random(seed), CONFIG
    for _ in range(times):
        text = pick.choice(MUTATIONS)(text, pick)
    path = directory / "config.toml"
    path.write_text(text, encoding="utf-8")
    found, _, report = read_settings(path, SOURCE_KINDS, check_trust=False)
    check(report.diagnostics(), text)
    assert (found is None) == bool(report.diagnostics())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_bytes_never_raise(directory: Path, content: bytes) -> None:
    """A file that is no text at all is refused."""
    path = directory / "bytes.toml"
    path.write_bytes(content)
    loaded = load_checklist(path, KINDS, check_trust=False)
    assert loaded.checklist is None
    assert loaded.problems
