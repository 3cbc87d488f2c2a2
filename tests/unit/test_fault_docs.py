"""docs/faults.md tells of every kind of fault that is tried."""

from pathlib import Path

import pytest

from support.faults import ROWS, Row

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_the_page_tells_of_the_row(row: Row) -> None:
    """Whoever adds a fault counts it too: `make faults-page`."""
    text = PAGE.read_text(encoding="utf-8")
    assert f"| {row.title} " in text
    assert f"| {row.passes_when} " in text
