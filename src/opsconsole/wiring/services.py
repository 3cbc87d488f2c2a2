"""What a front end works with: the engine over the configured store, checklists and sources."""

import importlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from opsconsole.config.settings import ConsoleSettings
from opsconsole.contracts.probe import Environment, Source
from opsconsole.contracts.store import Store
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.engine.signing import Signing
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.runs import RunState
from opsconsole.model.version import VERSION
from opsconsole.wiring.configuration import configured
from opsconsole.wiring.definitions import Definitions, definitions_of
from opsconsole.wiring.kinds import probe_kinds
from opsconsole.wiring.signing import signing_of
from opsconsole.wiring.stores import open_store

if TYPE_CHECKING:
    from opsconsole.contracts.exporter import Exporter

PATIENCE = {Via.CONSOLE: 5.0, Via.HEADLESS: 30.0, Via.COMMAND: 30.0}
"""Seconds to wait for a store that somebody else writes to: at the console, before an action shows as not saved."""

EXPORTERS = {
    "text": ("opsconsole.export.text", "TextExporter"),
    "json": ("opsconsole.export.json", "JsonExporter"),
    "markdown": ("opsconsole.export.markdown", "MarkdownExporter"),
}
"""What `--format` names; each is imported when it is asked for."""


@dataclass(frozen=True)
class Services:
    """What a front end works with."""

    engine: Engine
    definitions: Definitions
    notices: tuple[str, ...]
    """What the operator should know, such as that the demo's host has no systemd."""
    problems: tuple[str, ...]
    """What is wrong with the configuration or with checklists, a line each."""
    export_directory: Path
    signing: Signing
    console: ConsoleSettings
    reread: Callable[[], Definitions] | None = None
    """Reads the checklists again; None where they cannot have changed."""

    @property
    def checklists(self) -> Mapping[str, Checklist]:
        """The usable checklists by id, in their order."""
        return self.definitions.checklists

    @property
    def actor(self) -> Actor:
        """Who works here."""
        return self.engine.actor

    def checklist(self, name: str) -> Checklist:
        """Return the checklist called `name`; raises ChecklistError."""
        return self.definitions.checklist(name)

    def current(self, name: str) -> Checklist:
        """Return the checklist called `name` as its file is now: a console may have been open since yesterday."""
        return (self.reread() if self.reread is not None else self.definitions).checklist(name)

    def runbook(self, checklist: str, name: str) -> str | None:
        """Return the text of a runbook, None where it cannot be read."""
        return self.definitions.runbook(checklist, name)

    def rendered(self, state: RunState, form: str, *, colour: bool = False) -> str:
        """Return a run as `text`, `json` or `markdown`."""
        from opsconsole.contracts.exporter import Report

        exporter = _exporter(form)
        head = self.engine.store.head()
        report = Report(
            state=state,
            head=head,
            store_id=self.engine.store.store_id,
            exported_at=self.engine.clock(),
            version=VERSION,
            monitoring=self.engine.day_of_monitoring(state),
            events=tuple(self.engine.store.events(state.run)),
            colour=colour,
        )
        return exporter.render(report)

    def write_day_log(self, state: RunState) -> Path:
        """Write a run's day log as markdown, in one step, and return where it is."""
        from opsconsole.export.files import file_name, write_atomically

        path = self.export_directory / file_name(state.run, ".md")
        write_atomically(path, self.rendered(state, "markdown"), make_directory=True)
        return path


def _exporter(form: str) -> "Exporter":
    module, name = EXPORTERS[form]
    exporter: Exporter = getattr(importlib.import_module(module), name)()
    return exporter


def engine_of(
    store: Store,
    sources: Mapping[str, Source],
    actor: Actor,
    state: Path,
    options: MeasuringOptions,
) -> Engine:
    """Return an engine over a store and sources."""
    return Engine(
        store,
        probe_kinds(),
        Environment(sources=sources),
        actor,
        state,
        options=options,
        spill_directories=_spill_directories(),
    )


def _spill_directories() -> tuple[Path, ...]:
    """Return where events go that neither the store nor the state directory can take."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path(runtime)] if runtime else []
    return tuple(each / f"opsconsole-unsaved-{os.getuid()}" for each in (*places, Path(tempfile.gettempdir())))


def known_secrets() -> tuple[str, ...]:
    """Return the values of this process's environment that must not reach a record."""
    return tuple(filter(None, (os.environ.get("PGPASSWORD", ""),)))


@contextmanager
def services(config: Path | None, state: Path | None, via: Via) -> Iterator[Services]:
    """Open everything that a front end needs for the length of the block; raises OpsconsoleError."""
    found, warnings = configured(config, state)
    definitions = definitions_of(found)
    options = MeasuringOptions(concurrency=found.run.concurrency, secrets=known_secrets())
    store = open_store(found.store, lock_timeout=PATIENCE[via])
    try:
        yield Services(
            engine=engine_of(store, found.sources, current_actor(via), found.state, options),
            definitions=definitions,
            notices=(),
            problems=(*warnings, *definitions.problems),
            export_directory=found.exports,
            signing=signing_of(found, store),
            console=found.console,
            reread=partial(definitions_of, found),
        )
    finally:
        store.close()
