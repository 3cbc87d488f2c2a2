"""A process that writes to a store until a real limit stops it: `store_confined LIMIT DIRECTORY`.

LIMIT is `limit` (of the size of files: any user), or `full` or `read-only` (of a small file system that is mounted
on the directory: root, in a mount namespace). It says the name of the error, `kept` when all that was acknowledged
is there, and `went on` when the refused event is stored after the limit is gone.
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from opsconsole.contracts.store import StoreError
from opsconsole.model.events import Event
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, measurement, opening

_LIMIT = 200_000
_BALLAST = 65_536


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _limit_size(_directory: Path) -> Callable[[], None]:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LIMIT, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def _mount(directory: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], check=True)


def _fill(directory: Path) -> Callable[[], None]:
    _mount(directory, "size=320k,mode=700")
    ballast = directory / "ballast"
    ballast.write_bytes(b"\0" * _BALLAST)
    return ballast.unlink


def _forbid(directory: Path) -> Callable[[], None]:
    _mount(directory, "size=4m,mode=700")
    with SqliteStore(directory / "records.db"):
        pass
    _mount(directory, "remount,ro")
    return lambda: _mount(directory, "remount,rw")


LIMITS: dict[str, Callable[[Path], Callable[[], None]]] = {
    "limit": _limit_size,
    "full": _fill,
    "read-only": _forbid,
}
"""Each sets its limit and returns what lifts it."""


def main(limit: str, where: str) -> None:
    """Do what the module says."""
    directory = Path(where)
    lift = LIMITS[limit](directory)
    attempts = [opening(), *(measurement(rows=20) for _ in range(1_000))]
    acknowledged: list[Event] = []
    with SqliteStore(directory / "records.db") as store:
        try:
            for attempt in attempts:
                store.append([attempt])
                acknowledged.append(attempt)
        except StoreError as error:
            _say(type(error).__name__)
        assert [each.event for each in store.events(RUN)] == acknowledged
        assert store.verify().broken is None
        _say("kept")
    lift()
    with SqliteStore(directory / "records.db") as store:
        refused = attempts[len(acknowledged)]
        store.append([refused])
        assert [each.event for each in store.events(RUN)] == [*acknowledged, refused]
        assert store.verify().broken is None
        _say("went on")


if __name__ == "__main__":
    main(*sys.argv[1:])
