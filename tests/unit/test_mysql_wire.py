"""What is replaced of the driver for MySQL is what this version of it has: a later one must not pass unguarded."""

import inspect

import pytest
from asyncmy.connection import Connection

from opsconsole.checks._mysqlwire import GUARDED, GuardedConnection, refuse_unguarded


def test_the_driver_has_what_is_guarded() -> None:
    """If this fails, asyncmy was changed inside: read `_mysqlwire` again, and what replaces its methods now."""
    refuse_unguarded(Connection)
    replaced = {name for name, each in vars(GuardedConnection).items() if inspect.isfunction(each)}
    assert replaced - {"__init__"} == set(GUARDED)
    for name in GUARDED:
        assert name in vars(Connection), f"asyncmy has {name} somewhere else than in Connection"


@pytest.mark.parametrize("gone", GUARDED)
def test_a_driver_without_it_is_not_used(gone: str) -> None:
    """A version that would send a password unguarded cannot be loaded, and the message names it."""
    other = type("Connection", (), {name: print for name in GUARDED if name != gone})
    with pytest.raises(ImportError, match=rf"version [0-9.]+ of it has no {gone}"):
        refuse_unguarded(other)
