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

from opsconsole.config.settings import Config, ConsoleSettings
from opsconsole.contracts.probe import Environment, Source
from opsconsole.contracts.signer import Verifier
from opsconsole.contracts.store import Store
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.engine.signing import Signing
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.qualifications import Qualification
from opsconsole.model.redaction import redacted
from opsconsole.model.runs import RunState
from opsconsole.model.tiers import Tier
from opsconsole.model.version import VERSION
from opsconsole.wiring.anchors import Outside, outside_of
from opsconsole.wiring.configuration import configured
from opsconsole.wiring.definitions import Definitions, definitions_of
from opsconsole.wiring.kinds import probe_kinds
from opsconsole.wiring.secrets import known_secrets
from opsconsole.wiring.signing import signing_of, verifier_of
from opsconsole.wiring.stores import open_store

if TYPE_CHECKING:
    from opsconsole.contracts.exporter import Exporter
    from opsconsole.engine.approving import Approving
    from opsconsole.engine.verifying import Verifying

PATIENCE = {Via.CONSOLE: 5.0, Via.HEADLESS: 30.0, Via.COMMAND: 30.0}
"""Seconds to wait for a store that somebody else writes to: at the console, before an action shows as not saved."""

EXPORTERS = {
    "text": ("opsconsole.export.text", "TextExporter"),
    "json": ("opsconsole.export.json", "JsonExporter"),
    "markdown": ("opsconsole.export.markdown", "MarkdownExporter"),
    "toml": ("opsconsole.export.toml", "TomlExporter"),
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
    """What is wrong with the configuration, and why checklists or qualifications cannot be used, a line each."""
    export_directory: Path
    crash_directory: Path
    """Where reports of unexpected errors go."""
    signing: Signing
    console: ConsoleSettings
    reread: Callable[[], Definitions] | None = None
    """Reads the checklists again; None where they cannot have changed."""
    redact: Callable[[str], str] = redacted
    """Takes known secrets out of a text that is not part of the record: a report of a crash, a message."""
    verifier: Callable[[], Verifier | None] = lambda: None
    """Returns what checks signatures, None where no allowed signers are configured."""
    alarms: tuple[str, ...] = ()
    """What must not be overlooked: the record is not the one that this account saw before."""
    outside: Outside | None = None
    """What keeps heads of the chain outside of the record; None for records that are thrown away."""

    @property
    def checklists(self) -> Mapping[str, Checklist]:
        """The usable checklists by id, in their order."""
        return self.definitions.checklists

    @property
    def actor(self) -> Actor:
        """Who works here."""
        return self.engine.actor

    @property
    def qualifications(self) -> Mapping[str, Qualification]:
        """The usable qualifications by id, in their order."""
        return self.definitions.qualifications

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
        """Return a run as `text`, `json`, `markdown` or `toml`."""
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

    def write_record(self, run: str, target: Path | None = None, *, force: bool = False) -> Path:
        """Write the record of a run into a directory, or a tar, of its own, and return where it is.

        Without a `target` it lies beside the day logs. See `wiring.records.write_record`.
        """
        from opsconsole.export.files import file_name
        from opsconsole.wiring.records import write_record

        return write_record(
            self.engine.store,
            run,
            target or self.export_directory / file_name(run, ""),
            monitoring=self.engine.day_of_monitoring,
            verifier=self.verifier(),
            force=force,
            make_directory=target is None,
        )

    def verifying(self, required: Tier = Tier.ATTRIBUTED) -> "Verifying":
        """Return what verifies the record; a sign-off that is weaker than `required` counts as broken."""
        from opsconsole.engine.verifying import Verifying

        outside = self.outside
        return Verifying(
            self.engine.store,
            self.verifier(),
            outside.read if outside is not None else (),
            required=required,
            accepted=outside.accepted if outside is not None else lambda _: "",
        )

    def approving(self) -> "Approving":
        """Return what decides on qualifications, over records that are verified for it."""
        from opsconsole.engine.approving import Approving

        return Approving(self.engine, self.checklists, self.verifying, self.redact)


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
    definitions: Definitions,
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
        checklists=definitions.checklists,
        qualifications=definitions.qualifications,
    )


def _spill_directories() -> tuple[Path, ...]:
    """Return where events go that neither the store nor the state directory can take."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path(runtime)] if runtime else []
    return tuple(each / f"opsconsole-unsaved-{os.getuid()}" for each in (*places, Path(tempfile.gettempdir())))


@contextmanager
def services(config: Path | None, state: Path | None, via: Via) -> Iterator[Services]:
    """Open everything that a front end needs for the length of the block; raises OpsconsoleError."""
    found, warnings = configured(config, state)
    definitions = definitions_of(found)
    secrets = known_secrets(found, definitions.checklists.values())
    options = MeasuringOptions(concurrency=found.run.concurrency, secrets=secrets)
    store = open_store(found.store, lock_timeout=PATIENCE[via])
    try:
        engine = engine_of(store, found.sources, current_actor(via), found.state, options, definitions)
        outside = outside_of(found, store, engine.actor)
        alarms = outside.alarms()
        try:
            yield Services(
                engine=engine,
                definitions=definitions,
                alarms=alarms,
                notices=outside.notices,
                problems=(*warnings, *definitions.problems),
                export_directory=found.exports,
                crash_directory=found.state / "crashes",
                signing=signing_of(found, store, outside.kept_at_sign_off, _exported_for_git(found, engine)),
                console=found.console,
                outside=outside,
                verifier=partial(verifier_of, found),
                reread=partial(definitions_of, found),
                redact=partial(redacted, known=secrets),
            )
        finally:
            outside.look()
    finally:
        store.close()


def _exported_for_git(config: Config, engine: Engine) -> Callable[[str], Path] | None:
    """Return what exports the record that a sign-off commits; None where there is no repository for it."""
    if config.git is None:
        return None

    def exported(run: str) -> Path:
        from opsconsole.export.files import file_name
        from opsconsole.wiring.records import write_record

        return write_record(
            engine.store,
            run,
            config.exports / file_name(run, ""),
            monitoring=engine.day_of_monitoring,
            verifier=verifier_of(config),
            make_directory=True,
        )

    return exported
