"""Copies of the record, made while it is in use."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from opsconsole.contracts.store import Head, StoreError, StoreUnavailable
from opsconsole.store.connection import connect
from opsconsole.store.faults import explained
from opsconsole.store.files import publish
from opsconsole.store.rows import last_link


@contextlib.contextmanager
def unpublished(target: Path) -> Iterator[Path]:
    """Give the path of a new file (mode 0600) for the length of a block, at the end of which it is called `target`.

    Where the block raises, or its process ends, nothing has that name. Raises StoreError where something has it
    already, StoreUnavailable where nothing can be written there.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        yield partial
        publish(partial, target)
    except FileExistsError as error:
        raise StoreError(f"{target} exists already", "Choose another name") from error
    except OSError as error:
        raise StoreUnavailable(f"the backup {target} cannot be written: {error.strerror}") from error
    except sqlite3.Error as error:
        raise explained(error, target) from error
    finally:
        for leftover in (partial, partial.with_name(f"{partial.name}-journal")):
            with contextlib.suppress(OSError):
                leftover.unlink()


def copy_database(path: Path, target: Path, *, lock_timeout: float) -> Head:
    """Copy a database to the new file `target` (mode 0600), check the copy, and return the end of its chain.

    The copy is one moment of the original, also while others write to it, and has its name only once it is
    complete. Raises StoreError where `target` exists, StoreUnavailable where it cannot be written.
    """
    with unpublished(target) as partial:
        return _copied(path, partial, lock_timeout)


def _copied(path: Path, partial: Path, lock_timeout: float) -> Head:
    with (
        contextlib.closing(connect(path, lock_timeout=lock_timeout)) as source,
        contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as copy,
    ):
        copy.execute("PRAGMA synchronous = FULL")
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        problems = [text for (text,) in copy.execute("PRAGMA quick_check")]
        if problems != ["ok"]:
            raise StoreError(f"the backup of {path} would be damaged: {problems[0]}", "Check the record first")
        return last_link(copy)
