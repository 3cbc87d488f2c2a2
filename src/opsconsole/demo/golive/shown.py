"""What the demo shows of a system that went live: its four lists, on parts that answer as the real ones do."""

import contextlib
import datetime as dt
import secrets
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opsconsole.contracts.probe import Source
from opsconsole.demo.files import written
from opsconsole.demo.golive.certificate import certified
from opsconsole.demo.golive.database import running_database
from opsconsole.demo.golive.docker import Docker
from opsconsole.demo.golive.faults import Fault
from opsconsole.demo.golive.loki import Loki
from opsconsole.demo.golive.prometheus import Prometheus
from opsconsole.demo.golive.services import Services, public_page
from opsconsole.demo.golive.system import Site
from opsconsole.demo.system import DemoFault, DemoSystem, Past, Running
from opsconsole.demo.web import serving

ROUNDS = 9
"""Rounds of the watch before the present one: three quarters of an hour."""
_LEAST_PORT, _LAST_PORT = 1024, 65535

_NOTICES = (
    (
        "small programs of the demo stand for Prometheus, Loki, Docker, the registry and its 28 services: they "
        "speak the real ones' APIs, and work out their answers from made-up curves and lines when they are asked"
    ),
    "its PostgreSQL is a real one without pg_stat_statements: a table of made-up statements stands for that",
    (
        "the watch has run for three quarters of an hour: that is what the weekly and monthly lists look back on "
        "in the record, not a week or month; lines that are drawn out for ninety days need more of it, and warn"
    ),
    "while the console is open the demo runs golive-5min itself every five minutes, as cron would",
    "disks, memory and processors of this host are its own, and may be red where it is full or busy",
)


def _since_begun(*items: str) -> dict[str, dict[str, Any]]:
    """Return options for items that look back over a week or month: from an hour before its end until now."""
    return {item: {"over": "1 h"} for item in items}


_LEVELS = ("levels", "level-backend", "level-frontend", "level-model", "level-database")
_OPTIONS: dict[str, dict[str, Any]] = {
    # What serves and what measures are one process here: the median of more round trips is past the first rush.
    "golive-5min/database": {"round_trips": 15},
    "golive-weekly/mornings": {"over": "3 d"},
    **_since_begun(*(f"golive-weekly/{each}" for each in (*_LEVELS, "connections"))),
    **_since_begun(*(f"golive-monthly/{each}" for each in (*_LEVELS, "watched", "noise"))),
}


@contextlib.contextmanager
def _run(directory: Path, now: dt.datetime, fault: DemoFault | None) -> Iterator[Running]:
    wrong = fault if isinstance(fault, Fault) else None
    site = Site(now, wrong)
    services = Services(site)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(running_database(directory))  # only one demo at a time gets further
        tls, authority = certified(directory, now)
        web = stack.enter_context(serving(services.answer, port=_last_port(directory)))
        services.address = urllib.parse.urlsplit(web).netloc
        _remember(directory, services.address)
        metrics = stack.enter_context(serving(Prometheus(site).answer))
        logs = stack.enter_context(serving(Loki(site).answer))
        docker = stack.enter_context(serving(Docker(site).answer))
        public = stack.enter_context(serving(public_page, tls=tls))
        urls = {
            **{f"golive-{name}": f"{web}/{name}" for name in ("registry", "backend", "frontend", "model")},
            "golive-metrics": metrics,
            "golive-logs": logs,
            "golive-docker": docker,
        }
        sources = {name: Source(kind="http", url=url) for name, url in urls.items()}
        sources["golive-public"] = Source(kind="http", url=public, ca=str(authority))
        sources["golive-database"] = Source(kind="postgresql", dsn=database.dsn)

        def at(moment: dt.datetime) -> None:
            site.at(moment)
            if moment >= now:
                database.spoil(wrong)

        places = {"/srv/golive": _secret_files(directory / "srv", now)}
        yield Running(sources, (*database.notices, *_NOTICES), places=places, options=_OPTIONS, at=at)


def _last_port(directory: Path) -> int:
    """Return the port of the demo before: the addresses of the services are the names of their past."""
    with contextlib.suppress(OSError, ValueError):
        port = int((directory / "port").read_text(encoding="ascii"))
        return port if _LEAST_PORT <= port <= _LAST_PORT else 0
    return 0


def _remember(directory: Path, address: str) -> None:
    (directory / "port").write_text(address.rpartition(":")[2], encoding="ascii")


def _secret_files(directory: Path, now: dt.datetime) -> Path:
    """Write what looks like the configuration of the system; nothing uses its passwords."""
    directory.mkdir(mode=0o750, exist_ok=True)
    passwords = (f"{name}_PASSWORD={secrets.token_urlsafe(18)}\n" for name in ("DATABASE", "QUEUE", "MAIL"))
    written(directory / ".env", "".join(passwords).encode(), now, 0o600)
    written(directory / "model" / "model.env", f"TOKEN={secrets.token_urlsafe(18)}\n".encode(), now, 0o640)
    return directory


SYSTEM = DemoSystem(
    faults=Fault,
    run=_run,
    checklists=("golive-daily", "golive-5min", "golive-weekly", "golive-monthly"),
    first="golive-daily",
    last="golive-monthly",
    past=(
        Past("golive-weekly", 1),
        Past("golive-daily", 1),
        Past("golive-5min", ROUNDS, unmeasured=("own-cpu",), unbroken=True),
    ),
)
