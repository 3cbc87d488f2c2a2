"""The kinds of probes: those of this program, and those that others registered."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property

from opsconsole.contracts.probe import ProbeKind
from opsconsole.model.errors import OpsconsoleError

BUILT_IN = (
    "backup",
    "clock",
    "command",
    "compare",
    "container",
    "cpu",
    "disk",
    "diskio",
    "dns",
    "file",
    "history",
    "http",
    "journal",
    "load",
    "logfile",
    "loki",
    "memory",
    "mysql",
    "network",
    "postgres",
    "process",
    "prometheus",
    "ratio",
    "sql",
    "tcp",
    "timer",
    "unit",
)
ENTRY_POINTS = "opsconsole.probes"
"""Where third parties name their kinds: `name = "package.module:KIND"`."""


class ProbeKinds(Mapping[str, ProbeKind]):
    """Every kind of probe by name; each is imported when it is asked for."""

    @cached_property
    def _foreign(self) -> dict[str, str]:
        from importlib.metadata import entry_points  # brings the whole of `email` for what hardly any host has

        return {each.name: each.value for each in entry_points(group=ENTRY_POINTS)}

    def __getitem__(self, name: str) -> ProbeKind:
        if name in BUILT_IN:
            kind = importlib.import_module(f"opsconsole.checks.{name}").KIND
        else:
            kind = _loaded(name, self._foreign[name])
        if not isinstance(kind, ProbeKind):
            raise OpsconsoleError(f"the probe '{name}' is no ProbeKind", "tell whoever maintains it")
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*BUILT_IN, *self._foreign)))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in BUILT_IN or name in self._foreign


def probe_kinds() -> ProbeKinds:
    """Return every kind of probe that is installed, without importing any."""
    return ProbeKinds()


def _loaded(name: str, where: str) -> object:
    """Import a kind of a third party, whose faults must say whose they are."""
    module, _, attribute = where.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # importing somebody else's module may raise anything
        raise OpsconsoleError(f"the probe '{name}' ({where}) cannot be loaded: {error}") from error
