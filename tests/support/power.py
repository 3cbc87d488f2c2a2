"""What a disk may hold when the power fails, worked out from everything that SQLite asked of it.

A write is certain only once its file was synced after it, the name of a file only once its directory was. Whatever
else was under way may have reached the disk or not, in any order and torn at any sector: more than a journaling
file system would do, and what SQLite has to stand.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opsconsole.model.events import Event
from opsconsole.store.sqlite import SqliteStore
from support.recording import Recording, Step

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""

Choice = Callable[[Step], Sequence[Step]]
"""What of a step that was under way has reached the disk."""


@dataclass
class _Disk:
    """What is certain, and what is under way, after some of the steps."""

    content: dict[int, bytes]
    names: dict[str, int]
    of_files: list[Step] = field(default_factory=list)
    of_directory: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        """Go one step on."""
        match step.deed:
            case "write" | "truncate":
                self.of_files.append(step)
            case "named" | "unnamed":
                self.of_directory.append(step)
            case "sync":
                for each in self.of_files:
                    if each.file == step.file:
                        _change(self.content, each)
                self.of_files = [each for each in self.of_files if each.file != step.file]
            case "directory synced":
                for each in self.of_directory:
                    _name(self.names, each)
                self.of_directory = []

    def after_crash(self, choice: Choice) -> dict[str, bytes]:
        """Return the files by name if of what is under way just that has arrived."""
        content, names = dict(self.content), dict(self.names)
        for step in self.of_files:
            for part in choice(step):
                _change(content, part)
        for step in self.of_directory:
            if choice(step):
                _name(names, step)
        return {name: content.get(number, b"") for name, number in names.items()}


def _change(content: dict[int, bytes], step: Step) -> None:
    now = content.get(step.file, b"")
    if step.deed == "truncate":
        content[step.file] = now[: step.at].ljust(step.at, b"\0")
        return
    end = step.at + len(step.data)
    content[step.file] = now[: step.at].ljust(step.at, b"\0") + step.data + now[end:]


def _name(names: dict[str, int], step: Step) -> None:
    if step.deed == "named":
        names[step.name] = step.file
    elif names.get(step.name) == step.file:
        del names[step.name]


@dataclass(frozen=True)
class State:
    """The files that a crash may leave, and what the program had done by then."""

    files: Mapping[str, bytes]
    tried: tuple[str, ...]
    acknowledged: tuple[str, ...]


def states(recording: Recording, shuffled: int, dice: random.Random) -> Iterator[State]:
    """Yield the unlike states that a crash after each step may leave.

    Those in which nothing, or everything, or only names, or only contents that were under way have arrived, and
    `shuffled` more with parts of them.
    """
    disk = _Disk(dict(enumerate(recording.before.values())), {name: at for at, name in enumerate(recording.before)})
    seen: set[int] = set()
    told: dict[str, list[str]] = {"tried": [], "acknowledged": []}
    for step in recording.steps:
        disk.take(step)
        if step.deed in told:
            told[step.deed].append(step.name)
        for choice in (_nothing, _everything, _names, _contents, *(_some(dice) for _ in range(shuffled))):
            files = disk.after_crash(choice)
            mark = hash((frozenset(files.items()), len(told["acknowledged"])))
            if mark not in seen:
                seen.add(mark)
                yield State(files, tuple(told["tried"]), tuple(told["acknowledged"]))


def _nothing(_step: Step) -> Sequence[Step]:
    return ()


def _everything(step: Step) -> Sequence[Step]:
    return (step,)


def _names(step: Step) -> Sequence[Step]:
    return (step,) if step.deed in {"named", "unnamed"} else ()


def _contents(step: Step) -> Sequence[Step]:
    return () if step.deed in {"named", "unnamed"} else (step,)


def _some(dice: random.Random) -> Choice:
    def chosen(step: Step) -> Sequence[Step]:
        fate = dice.random()
        if fate < 0.4:
            return ()
        if step.deed != "write" or fate < 0.8:
            return (step,)
        return [part for part in _sectors(step) if dice.random() < 0.5]

    return chosen


def _sectors(step: Step) -> Iterator[Step]:
    at, end = step.at, step.at + len(step.data)
    while at < end:
        stop = min(end, at - at % SECTOR + SECTOR)
        yield Step("write", step.file, at=at, data=step.data[at - step.at : stop - step.at])
        at = stop


# --- what has to hold afterwards ---------------------------------------------------------------------


def look_after(path: Path, events: Sequence[Event], tried: int, acknowledged: int) -> None:
    """Start again on a SQLite record of one run that a crash has left.

    Of `events`, which one writer has tried one after another, those acknowledged are there, and nothing but those
    tried. The chain is whole. What is sent again is stored once, whether somebody had acknowledged it or not.
    """
    with SqliteStore(path) as store:
        found = [each.event for each in store.events(events[0].run)]
        assert acknowledged <= len(found) <= tried, (
            f"{acknowledged} acknowledged, {tried} tried, {len(found)} there"
        )
        assert found == events[: len(found)]
        assert store.verify().broken is None
        for event in events[max(0, acknowledged - 1) : tried]:
            store.append([event])
        assert [each.event for each in store.events(events[0].run)] == events[:tried]
        assert store.verify().broken is None
