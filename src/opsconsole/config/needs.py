"""Checks what the items of a checklist require of each other: known, unique, and without going in circles."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from opsconsole.config.diagnostics import Place, Report
from opsconsole.config.words import guess, quoted

FOR_EACH = "for_each.item"
"""The key that names the item which finds out the targets of another."""
_MOST_CIRCLES = 20


class Needs(msgspec.Struct, frozen=True):
    """What the file says of one item."""

    id: str
    requires: Any
    """As it stands in the file; anything but a list of texts is reported elsewhere."""
    place: Place
    inputs: Mapping[str, str] = {}
    """Items that it takes its targets from or computes with, by the key that names each."""
    measured: bool = False
    targeted: bool = False
    """Whether it is measured for several targets, each by itself."""


def check_needs(items: Sequence[Needs], report: Report) -> None:
    """Report ids that are given twice, requirements and inputs that do not exist, and circles of them."""
    first: dict[str, Needs] = {}
    for item in items:
        taken = first.setdefault(item.id, item)
        if taken is not item:
            report.error(item.place.at("id"), f"the item on line {report.line(taken.place)} has this id too")
    required: dict[str, list[str]] = {}
    for item in first.values():
        required[item.id] = [name for name in (*_listed(item), *item.inputs.values()) if name in first]
        for index, name in enumerate(_listed(item)):
            if name not in first:
                told = guess(name, first, "there are")
                report.error(item.place.at("requires", index), f"there is no item {quoted(name)}{told}")
        for key, name in item.inputs.items():
            if name not in first:
                told = guess(name, first, "there are")
                report.error(item.place.at(*way_of(key)), f"there is no item {quoted(name)}{told}")
            elif not first[name].measured:
                report.error(item.place.at(*way_of(key)), f"'{name}' is not measured, so it has no reading")
            elif key == FOR_EACH and name != item.id and first[name].targeted:
                told = f"'{name}' is itself measured for several targets, so it is no single list"
                report.error(item.place.at(*way_of(key)), told)
    for circle in _circles(required):
        way = " -> ".join((*circle, circle[0]))
        item = first[circle[0]]
        key = next((each for each, name in item.inputs.items() if name == circle[1 % len(circle)]), "requires")
        report.error(item.place.at(*way_of(key)), f"the item requires itself: {way}")


def way_of(key: str) -> list[str | int]:
    """Return the parts of a key such as `left.item`; numbers are places in a list."""
    return [int(each) if each.isdecimal() else each for each in key.split(".")]


def _listed(item: Needs) -> list[str]:
    if not isinstance(item.requires, list):
        return []
    return [name if isinstance(name, str) else "" for name in item.requires]


def _circles(required: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """Return circles, at least one where there are any, each from its item that stands first in the file."""
    order = {name: number for number, name in enumerate(required)}
    circles: list[tuple[str, ...]] = []
    finished: set[str] = set()
    for start, names in required.items():
        way: dict[str, Iterator[str]] = {} if start in finished else {start: iter(names)}
        while way and len(circles) < _MOST_CIRCLES:
            name = next(reversed(way))
            step = next((each for each in way[name] if each not in finished), None)
            if step is None:
                finished.add(name)
                del way[name]
            elif step in way:
                circles.append(_turned(list(way)[list(way).index(step) :], order))
            else:
                way[step] = iter(required[step])
    return circles


def _turned(circle: list[str], order: dict[str, int]) -> tuple[str, ...]:
    first = circle.index(min(circle, key=order.__getitem__))
    return (*circle[first:], *circle[:first])
