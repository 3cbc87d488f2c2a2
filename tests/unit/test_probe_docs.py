"""docs/probes.md is what the option structs say."""

import importlib.util
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from opsconsole.wiring.kinds import BUILT_IN, probe_kinds

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """Return tools/probe_docs.py."""
    spec = importlib.util.spec_from_file_location("probe_docs", ROOT / "tools" / "probe_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator: ModuleType) -> None:
    """Whoever changes an option writes the page anew: `make docs`."""
    assert (ROOT / "docs" / "probes.md").read_text(encoding="utf-8") == generator.page()


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_option_is_explained(generator: ModuleType, name: str) -> None:
    """No option is without a sentence."""
    kind = probe_kinds()[name]
    docs = generator.field_docs(kind.options)
    assert all(docs.get(field.name) for field in msgspec.structs.fields(kind.options))
    assert kind.name == name
