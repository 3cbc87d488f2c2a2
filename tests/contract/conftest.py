"""Fixtures of the scenarios that hold for every implementation of a contract, and their golden files.

A golden file is what a user gets, kept byte for byte; `make golden` accepts the present output.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.store_fixtures import store, stores

__all__ = ["golden", "pytest_addoption", "store", "stores"]

GOLDEN = Path(__file__).parent.parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-golden`."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing them"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares a document with the golden file of that name, or writes it."""
    update = request.config.getoption("--update-golden", default=False)

    def compare(name: str, document: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(document.encode())
            return
        assert path.exists(), f"{path} is missing; write it with --update-golden"
        kept = path.read_bytes().decode()
        assert document == kept, f"{name} has changed; accept it with --update-golden"

    return compare
