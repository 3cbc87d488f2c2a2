"""Fixtures of the scenarios that every store has to live through."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.store import Store
from support.postgres import Postgres
from support.stores import KINDS, Stores


def server_of(kind: str, request: pytest.FixtureRequest) -> Postgres | None:
    """Return the server that a kind of store needs, which is started for the first test that asks."""
    if kind != "postgresql":
        return None
    found: Postgres = request.getfixturevalue("postgres")
    return found


@pytest.fixture(params=KINDS)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Give a place for one record, to be opened as often as a scenario wants."""
    place = Stores(request.param, tmp_path, server_of(request.param, request))
    yield place
    place.close()


@pytest.fixture
def store(stores: Stores) -> Store:
    """Open an empty store."""
    return stores.open()
