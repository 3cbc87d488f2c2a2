"""The services of the demo: the same, on a PostgreSQL of its own and with records of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from opsconsole.config.checklists import load_checklists
from opsconsole.contracts.probe import Source
from opsconsole.demo.faults import Fault
from opsconsole.demo.qbr import running_demo
from opsconsole.engine.identity import current_actor
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.model.events import Via
from opsconsole.model.redaction import redacted
from opsconsole.model.runs import RunState, fold
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.configuration import configured
from opsconsole.wiring.definitions import OFFERED, Definitions, shipped_checklists
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


_ABOUT_ENTRIES = (
    "there is no ConnectWise or NinjaOne here to read the two entries from: the numbers that agree are in the "
    "items' readings"
)


def _about_units() -> str:
    if Path("/run/systemd/system").is_dir():
        return "the demo installs no units: items about the timer and the journal of its collectors are skipped"
    return "this host was not booted with systemd: items about units, timers and the journal are skipped"


def demo_store(path: Path) -> SqliteStore:
    """Open the records of one kind of morning; signed ones are set aside, so that there is one to sign."""
    store = SqliteStore(path)
    if not any(state is not None and state.signed for state in _latest_states(store)):
        return store
    store.close()
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path.rename(path.with_name(f"{path.stem}-signed-{stamp}.db"))
    return SqliteStore(path)


def _latest_states(store: SqliteStore) -> Iterator[RunState | None]:
    for key in store.runs(limit=2):
        yield fold(store.events(key.id))


@contextmanager
def demo_services(config: Path | None, state: Path | None, fault: Fault | None, via: Via) -> Iterator[Services]:
    """Open everything on a PostgreSQL of the demo's own, with records of its own."""
    found, _ = configured(config, state)
    directory = found.state / "demo"
    actor = current_actor(via)
    with running_demo(directory, now=datetime.now(UTC), fault=fault) as demo:
        notices = (*demo.notices, _about_units(), _ABOUT_ENTRIES)
        definitions = Definitions(
            load_checklists(
                [shipped_checklists() / f"{name}.toml" for name in ("qbr-daily", OFFERED)],
                probe_kinds(),
                check_trust=False,
            ),
            trusted=False,
        )
        source = Source(kind="postgresql", dsn=demo.dsn)
        secrets = known_secrets(found)
        store = demo_store(directory / "records" / f"{fault or 'good'}.db")
        try:
            yield Services(
                engine=engine_of(
                    store,
                    {"inventory": source},
                    actor,
                    directory,
                    MeasuringOptions(skip=DEMO_SKIPS, secrets=secrets),
                ),
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
