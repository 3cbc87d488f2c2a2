"""Commands that are imported when they are called: a run in cron pays for none of the others."""

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group


class Commands(MutableMapping[str, Any]):
    """Commands by name, each made when it is asked for. `places` say where: `package.module:attribute`."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _made(name, self._places[name])
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command
        self._places.setdefault(name, "")

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._made.pop(name, None)


def _made(name: str, place: str) -> Any:
    """Return the command that stands at a place: a function, or a group of commands."""
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        found.rich_markup_mode = None  # help is plain text, as that of the group around it
        command: Any = get_group(found)
        command.name = name
        return command
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    alone.command(name, context_settings=getattr(found, "context_settings", None))(found)
    return get_command(alone)


def group_of(places: Mapping[str, str]) -> type[TyperGroup]:
    """Return the class of a group that has the commands at `places`, in their order."""

    class Group(TyperGroup):
        """Imports a command when it is called, and all of them for its help."""

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.commands = Commands(places)

        def get_command(self, _context: Any, name: str) -> Any:
            return self.commands.get(name)

    return Group
