"""The services of the demo: the same, on a PostgreSQL of its own and with records of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from opsconsole.config.checklists import load_checklists
from opsconsole.contracts.probe import Source
from opsconsole.demo.faults import Fault
from opsconsole.demo.qbr import running_demo
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.model.events import Via
from opsconsole.model.redaction import redacted
from opsconsole.model.runs import RunState, fold
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.configuration import configured
from opsconsole.wiring.definitions import (
    OFFERED,
    Definitions,
    shipped_checklists,
    shipped_qualifications,
    with_qualifications,
)
from opsconsole.wiring.demo_past import COLLEAGUE, lived_through
from opsconsole.wiring.kinds import probe_kinds
from opsconsole.wiring.secrets import known_secrets
from opsconsole.wiring.services import Services, engine_of
from opsconsole.wiring.signing import signing_of, verifier_of

DEMO_SKIPS = frozenset(
    (kind, reason)
    for kind in ("journal", "timer", "unit")
    for reason in ("not-booted-with-systemd", "not-found", "no-permission", "missing-program")
)
"""What the demo counts as SKIPPED: its collectors are no units of the host."""


MORNINGS = 8
"""Mornings before today's that are in the record of a new demo: today is the ninth day of its qualification."""
_ABOUT_PAST = (
    f"the {MORNINGS} mornings before today were run by the demo itself when it was first opened: they show what a "
    "qualification looks like, and are no evidence of anything"
)
_A_DAY_AND_A_HALF = timedelta(hours=36)

_ABOUT_ENTRIES = (
    "there is no ConnectWise or NinjaOne here to read the two entries from: the numbers that agree are in the "
    "items' readings"
)


def _about_units() -> str:
    if Path("/run/systemd/system").is_dir():
        return "the demo installs no units: items about the timer and the journal of its collectors are skipped"
    return "this host was not booted with systemd: items about units, timers and the journal are skipped"


def demo_store(path: Path, last: str) -> SqliteStore:
    """Open the records of one kind of morning.

    Records in which the visitor has signed the `last` checklist that there is, and those of another day, are set
    aside: there is one to sign.
    """
    store = SqliteStore(path)
    if not _is_done(store, last):
        return store
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


def _shown() -> list[Path]:
    """Return the checklists that the demo shows: the morning, the review of nine of them, and that of any host."""
    return [shipped_checklists() / f"{name}.toml" for name in ("qbr-daily", "qbr-final-review", OFFERED)]


def _latest_states(store: SqliteStore) -> Iterator[RunState | None]:
    for key in store.runs(limit=6):
        yield fold(store.events(key.id))


def _with_clock(make: Callable[[], Engine], clock: Callable[[], datetime]) -> Engine:
    engine = make()
    engine.clock = clock
    return engine


@contextmanager
def demo_services(config: Path | None, state: Path | None, fault: Fault | None, via: Via) -> Iterator[Services]:
    """Open everything on a PostgreSQL of the demo's own, with records of its own."""
    found, _ = configured(config, state)
    directory = found.state / "demo"
    actor = current_actor(via)
    with running_demo(directory, now=datetime.now(UTC), fault=fault) as demo:
        notices = (*demo.notices, _about_units(), _ABOUT_ENTRIES)
        definitions = with_qualifications(
            Definitions(load_checklists(_shown(), probe_kinds(), check_trust=False), trusted=False),
            [shipped_qualifications() / "qbr-9day.toml"],
        )
        source = Source(kind="postgresql", dsn=demo.dsn)
        secrets = known_secrets(found)
        last = "qbr-final-review" if fault is None else "qbr-daily"
        store = demo_store(directory / "records" / f"{fault or 'good'}.db", last)
        options = MeasuringOptions(skip=DEMO_SKIPS, secrets=secrets)
        make = partial(engine_of, store, {"inventory": source}, state=directory, options=options)
        try:
            if fault is None and not store.runs(limit=1):
                past = partial(make, COLLEAGUE, definitions=definitions)
                lived_through(partial(_with_clock, past), definitions.checklist("qbr-daily"), MORNINGS)
            if fault is None:
                notices = (*notices, _ABOUT_PAST)
            yield Services(
                engine=make(actor, definitions=definitions),
                definitions=definitions,
                notices=notices,
                problems=definitions.problems,
                export_directory=directory / "day-logs",
                crash_directory=directory / "crashes",
                signing=signing_of(found, store),
                console=found.console,
                verifier=partial(verifier_of, found),
                redact=partial(redacted, known=secrets),
            )
        finally:
            store.close()
