"""Opens the record where the configuration says it is."""

from opsconsole.config.settings import StorePlace
from opsconsole.contracts.store import Store
from opsconsole.store.sqlite import SqliteStore


def open_store(place: StorePlace, *, lock_timeout: float, create: bool = True) -> Store:
    """Open the record, making it where it is missing unless `create` is false; raises StoreError.

    `lock_timeout`: seconds that a call waits for others who write.
    """
    if place.path is None:
        raise NotImplementedError
    return SqliteStore(place.path, create=create, lock_timeout=lock_timeout)


def is_made(place: StorePlace) -> bool:
    """Return whether there is a record already; a database server is asked when it is opened."""
    return place.path is None or place.path.exists()
