"""Fixtures of the scenarios that hold for every implementation of a contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores import KINDS, Stores

from opsconsole.contracts.store import Store


@pytest.fixture(params=KINDS)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """A place for one record, to be opened as often as a scenario wants."""
    place = Stores(request.param, tmp_path)
    yield place
    place.close()


@pytest.fixture
def store(stores: Stores) -> Store:
    """An empty store."""
    return stores.open()
