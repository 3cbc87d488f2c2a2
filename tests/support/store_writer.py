"""A process that writes to a store and says what was acknowledged: `store_writer KIND WHERE DEED RUN [COUNT]`.

It says `ready`, waits until its input ends, and then, for each event, `try ID` and after its append `done ID`, or
the name of the error. DEED is `note` (COUNT times), `same` (COUNT notes that are those of every other process that
does the same), `open`, or `sign`.
"""

import sys
import uuid

import msgspec

from opsconsole.contracts.store import Store, StoreError
from opsconsole.model.events import Event
from support.events import note, opening, sign_off
from support.stores import open_store


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def _append(store: Store, event: Event, after: int | None = None) -> None:
    _say("try", event.id)
    try:
        store.append([event], after=after)
    except StoreError as error:
        _say(type(error).__name__, event.id)
    else:
        _say("done", event.id)


def main(kind: str, where: str, deed: str, run: str, count: str = "1") -> None:
    """Do what the module says."""
    store = open_store(kind, where)
    _say("ready")
    sys.stdin.read()
    if deed == "note":
        for number in range(int(count)):
            _append(store, note(f"note {number}", run))
    elif deed == "same":
        for number in range(int(count)):
            name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run} {number}"))
            _append(store, msgspec.structs.replace(note(f"note {number}", run), id=name))
    elif deed == "open":
        _append(store, opening(), 0)
    elif deed == "sign":
        last = store.events(run)[-1]
        _append(store, sign_off(store, last), last.seq)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
