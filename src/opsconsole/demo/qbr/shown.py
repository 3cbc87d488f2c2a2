"""What the demo shows of the QBR collection: the morning, and what its qualification of nine days asks for."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from opsconsole.contracts.probe import Source
from opsconsole.demo.qbr.faults import Fault
from opsconsole.demo.qbr.running import running_demo
from opsconsole.demo.system import DemoFault, DemoSystem, Past, Running

SKIPS = frozenset(
    (kind, reason)
    for kind in ("journal", "timer", "unit")
    for reason in ("not-booted-with-systemd", "not-found", "no-permission", "missing-program")
)
"""Its collectors are no units of the host."""

MORNINGS = 8
"""Mornings before today's that are in the record of a new demo: today is the ninth day of its qualification."""

_ABOUT_ENTRIES = (
    "there is no ConnectWise or NinjaOne here to read the two entries from: the numbers that agree are in the "
    "items' readings"
)


def _about_units() -> str:
    if Path("/run/systemd/system").is_dir():
        return "the demo installs no units: items about the timer and the journal of its collectors are skipped"
    return "this host was not booted with systemd: items about units, timers and the journal are skipped"


@contextlib.contextmanager
def _run(directory: Path, now: dt.datetime, fault: DemoFault | None) -> Iterator[Running]:
    with running_demo(directory, now=now, fault=fault if isinstance(fault, Fault) else None) as demo:
        sources = {"inventory": Source(kind="postgresql", dsn=demo.dsn)}
        yield Running(sources, (*demo.notices, _about_units(), _ABOUT_ENTRIES))


SYSTEM = DemoSystem(
    faults=Fault,
    run=_run,
    checklists=("qbr-daily", "qbr-final-review", "host-daily"),
    first="qbr-daily",
    last="qbr-final-review",
    past=(Past("qbr-daily", MORNINGS),),
    faulty_past=False,
    qualifications=("qbr-9day",),
    skips=SKIPS,
)
