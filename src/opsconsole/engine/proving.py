"""Proves on the last readings of a record that a checklist can go red."""

import msgspec

from opsconsole.contracts.store import Store
from opsconsole.engine.inputs import was_read
from opsconsole.model.checklists import Checklist, Item
from opsconsole.model.past import method_of
from opsconsole.model.proving import Proof, prove_item
from opsconsole.model.readings import Reading
from opsconsole.model.runs import fold

RUNS = 30
"""So many of the latest runs are looked at for a reading."""


class ItemProof(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the conditions of one item."""

    item: Item
    run: str
    """Where its readings are from, empty where there are none."""
    proofs: tuple[Proof, ...]


def proved(store: Store, checklist: Checklist) -> list[ItemProof]:
    """Return the proof of each item with conditions, on the latest readings taken as it is defined now."""
    latest = _latest_readings(store, checklist)
    return [
        ItemProof(item=item, run=run, proofs=tuple(prove_item(item, readings)))
        for item in checklist.items
        if item.require or item.target
        for run, readings in [latest.get(item.id, ("", ()))]
    ]


def _latest_readings(store: Store, checklist: Checklist) -> dict[str, tuple[str, tuple[Reading, ...]]]:
    found: dict[str, tuple[str, tuple[Reading, ...]]] = {}
    wanted = {item.id: method_of(item) for item in checklist.items if item.measured}
    for key in store.runs(checklist.id, limit=RUNS):
        if found.keys() >= wanted.keys():
            break
        state = fold(store.events(key.id))
        for name, item in state.items.items() if state is not None else ():
            if name in found or wanted.get(name) != method_of(item.item):
                continue
            attempts = [each.body.reading for each in item.latest.values() if was_read(each.body)]
            readings = tuple(each for each in attempts if each is not None)
            if readings:
                found[name] = (key.id, readings)
    return found
