"""The services of the demo: the same, on a system of its own and with records of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.config.checklists import LoadedChecklist, LoadedChecklists, load_checklists
from opsconsole.contracts.store import Store
from opsconsole.demo.system import DemoFault, DemoSystem, Past, Running
from opsconsole.demo.systems import SystemName, demo_system
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.model.checklists import Checklist, Item
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.conditions import Condition
from opsconsole.model.events import Actor, Via
from opsconsole.model.redaction import redacted
from opsconsole.model.runs import RunState, fold
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.configuration import configured
from opsconsole.wiring.definitions import (
    Definitions,
    shipped_checklists,
    shipped_qualifications,
    with_qualifications,
)
from opsconsole.wiring.demo_past import COLLEAGUE, lived_through, missed_since, whole_past
from opsconsole.wiring.demo_watch import CRON, watched
from opsconsole.wiring.kinds import probe_kinds
from opsconsole.wiring.secrets import known_secrets
from opsconsole.wiring.services import Services, engine_of
from opsconsole.wiring.signing import signing_of, verifier_of

_ABOUT_PAST = (
    "the runs before the present ones were made by the demo itself when it was first opened: they show what a past "
    "looks like, and are no evidence of anything"
)
_A_DAY_AND_A_HALF = timedelta(hours=36)


def demo_store(path: Path, last: str) -> SqliteStore:
    """Open the records of one kind of demo.

    Records in which the visitor has signed the `last` checklist that there is, and those of another day, are set
    aside: there is one to sign.
    """
    store = SqliteStore(path)
    return _set_aside(store, path) if _is_done(store, last) else store


def _set_aside(store: SqliteStore, path: Path) -> SqliteStore:
    """Keep records under another name, and return new ones."""
    store.close()
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path.rename(path.with_name(f"{path.stem}-until-{stamp}.db"))
    return SqliteStore(path)


def _is_done(store: SqliteStore, last: str) -> bool:
    states = [state for state in _latest_states(store) if state is not None]
    visited = [each for each in states if each.opened.actor.login != COLLEAGUE.login]
    if any(each.signed is not None and each.definition.id == last for each in visited):
        return True
    latest = max((each.opened.at for each in states), default=None)
    return latest is not None and datetime.now(UTC) - latest > _A_DAY_AND_A_HALF


def _latest_states(store: SqliteStore) -> Iterator[RunState | None]:
    for key in store.runs(limit=6):
        yield fold(store.events(key.id))


def _with_past(
    store: SqliteStore,
    path: Path,
    make: Callable[[Store, Actor], Engine],
    definitions: Definitions,
    past: Sequence[Past],
    at: Callable[[datetime], None],
) -> SqliteStore:
    """Return the records with the past that there has to be: new ones where too much of it is missing by now."""

    def engine_at(clock: Callable[[], datetime]) -> Engine:
        return _with_clock(partial(make, store, COLLEAGUE), clock)

    try:
        lives = None
        if store.runs(limit=1):
            lives = missed_since(engine_at, definitions, past, partial(_latest_period, store))
        if lives is None:
            store = _set_aside(store, path) if store.runs(limit=1) else store
            lives = whole_past(engine_at, definitions, past)
        lived_through(engine_at, definitions, lives, at)
    except BaseException:
        store.close()
        raise
    return store


def _latest_period(store: SqliteStore, checklist: str) -> str:
    keys = store.runs(checklist, limit=1)
    return keys[0].period if keys else ""


def _with_clock(make: Callable[[], Engine], clock: Callable[[], datetime]) -> Engine:
    engine = make()
    engine.clock = clock
    return engine


# --- the shipped checklists, on the demo's own places ------------------------------------------------


def demo_definitions(system: DemoSystem, running: Running) -> Definitions:
    """Return the shipped checklists of a system, with the paths and options of the one that runs."""
    paths = [shipped_checklists() / f"{name}.toml" for name in system.checklists]
    loaded = load_checklists(paths, probe_kinds(), check_trust=False)
    found = tuple(_adapted(each, running) for each in loaded.found)
    definitions = Definitions(LoadedChecklists(found, loaded.problems), trusted=False)
    return with_qualifications(
        definitions, [shipped_qualifications() / f"{name}.toml" for name in system.qualifications]
    )


def _adapted(loaded: LoadedChecklist, running: Running) -> LoadedChecklist:
    if loaded.checklist is None:
        return loaded
    return msgspec.structs.replace(loaded, checklist=_on(loaded.checklist, running))


def _on(checklist: Checklist, running: Running) -> Checklist:
    def changed(item: Item) -> Item:
        other = running.options.get(f"{checklist.id}/{item.id}", {})
        return msgspec.structs.replace(
            item,
            options={**_placed(item.options, running.places), **other},
            require=_worded(item.require, running.words),
            target=_worded(item.target, running.words),
        )

    sections = tuple(
        msgspec.structs.replace(section, items=tuple(map(changed, section.items))) for section in checklist.sections
    )
    return msgspec.structs.replace(checklist, sections=sections)


def _worded(conditions: tuple[Condition, ...], words: Mapping[str, str]) -> tuple[Condition, ...]:
    def said(condition: Condition) -> Condition:
        text = condition.text
        for shipped, own in words.items():
            text = text.replace(shipped, own)
        return condition if text == condition.text else parse_condition(text)

    return tuple(map(said, conditions))


def _placed(value: Any, places: Mapping[str, Path]) -> Any:
    """Return an option with each path in it that is in one of the places moved to where that is."""
    match value:
        case dict():
            return {key: _placed(each, places) for key, each in value.items()}
        case list() | tuple():
            return type(value)(_placed(each, places) for each in value)
        case str():
            for shipped, own in places.items():
                if value == shipped or value.startswith(f"{shipped}/"):
                    return f"{own}{value.removeprefix(shipped)}"
    return value


# --- all of it ---------------------------------------------------------------------------------------


@contextmanager
def demo_services(
    name: SystemName, config: Path | None, state: Path | None, fault: DemoFault | None, via: Via
) -> Iterator[Services]:
    """Open everything on a system of the demo's own, with records of its own."""
    system = demo_system(name)
    found, _ = configured(config, state)
    directory = found.state / "demo" / name
    actor = current_actor(via)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.now(UTC)
    with system.run(directory, now, fault) as running:
        definitions = demo_definitions(system, running)
        secrets = known_secrets(
            msgspec.structs.replace(found, sources=dict(running.sources)), definitions.checklists.values()
        )
        options = MeasuringOptions(skip=system.skips, secrets=secrets)

        def make(store: Store, actor: Actor) -> Engine:
            return engine_of(
                store, running.sources, actor, state=directory, options=options, definitions=definitions
            )

        path, past = directory / "records" / f"{fault or 'good'}.db", system.past_of(fault)
        store = _with_past(demo_store(path, system.last_of(fault)), path, make, definitions, past, running.at)
        seen = () if fault is None else (f"the fault '{fault}' is seen by {system.first_of(fault)}",)
        notices = (*seen, *running.notices, *system.notices)
        lists = [definitions.checklist(each.checklist) for each in past if each.unbroken and via is Via.CONSOLE]
        with closing(store):
            running.at(now)
            parts = Services(
                engine=make(store, actor),
                definitions=definitions,
                notices=(*notices, _ABOUT_PAST) if past else notices,
                problems=definitions.problems,
                export_directory=directory / "day-logs",
                crash_directory=directory / "crashes",
                signing=signing_of(found, store),
                console=found.console,
                verifier=partial(verifier_of, found),
                redact=partial(redacted, known=secrets),
            )
            with watched(partial(SqliteStore, path), partial(make, actor=CRON), lists):
                yield parts
