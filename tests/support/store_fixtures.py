"""Fixtures of the scenarios that every store has to live through."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.store import Store
from support.stores import KINDS, Stores


@pytest.fixture(params=KINDS)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Give a place for one record, to be opened as often as a scenario wants."""
    place = Stores(request.param, tmp_path)
    yield place
    place.close()


@pytest.fixture
def store(stores: Stores) -> Store:
    """Open an empty store."""
    return stores.open()
