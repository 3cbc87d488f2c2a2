"""docs/hostile-input.md says what the code does: its bounds, what is tried, and what is fuzzed."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from opsconsole.wiring.kinds import BUILT_IN
from support.hostile_cases import CASES

ROOT = Path(__file__).parents[2]
_TRUSTED = frozenset({"compare", "cpu", "disk", "diskio", "history", "load", "memory", "network", "ratio"})
"""Kinds that ask the kernel or the record, as the page says."""


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """Return tools/hostile_docs.py."""
    spec = importlib.util.spec_from_file_location("hostile_docs", ROOT / "tools" / "hostile_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator: ModuleType) -> None:
    """Whoever changes a bound, a case or a test of foreign answers writes the page anew: `make docs`."""
    text = (ROOT / "docs" / "hostile-input.md").read_text(encoding="utf-8")
    assert text == generator.page(text)


def test_every_probe_has_its_hostile_sources() -> None:
    """A kind that is added is tried, too, or the page says whom it trusts."""
    page = (ROOT / "docs" / "hostile-input.md").read_text(encoding="utf-8")
    assert {case.kind for case in CASES} | _TRUSTED >= set(BUILT_IN)
    assert all(f"`{kind}`" in page for kind in BUILT_IN)


def test_cases_are_told_apart() -> None:
    """Each has a name of its own, by which it can be run alone."""
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_every_fuzz_test_is_one(generator: ModuleType) -> None:
    """The tests that the page names are there, and hypothesis feeds them."""
    for test in generator.FUZZED.values():
        path, _, name = test.partition("::")
        source = (ROOT / "tests" / path).read_text(encoding="utf-8")
        found = re.search(rf"def {name}\(", source)
        assert found, test
        head = source[: found.start()].rpartition("\n\n\n")[2]
        body = source[found.start() :].partition("\n\n\n")[0]
        assert "@given" in head or "@given" in body, test
