"""Fixtures of the fault tests."""

from support.store_fixtures import store, stores

__all__ = ["store", "stores"]
