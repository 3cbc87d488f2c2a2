"""Two stores that hold the same collections, as the lists `sync-*` look at them.

PocketBase is real, and so are the backups. QuestDB has no package that tests could start: a double speaks its
protocol, and has queries answered by a real PostgreSQL, whose tables are those of a QuestDB with its `tables()`.
That shows what comes of a query; not that QuestDB takes it, though the lists keep to what both languages share.
"""

import asyncio
import contextlib
import datetime as dt
import gzip
import hashlib
import io
import json
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import pq

from opsconsole.config.checklists import load_checklist
from opsconsole.contracts.probe import Environment, Source
from opsconsole.engine.engine import Engine, opened
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.readings import Reading
from opsconsole.model.runs import RunState
from opsconsole.model.values import Unit, Value, number, seconds
from opsconsole.wiring.definitions import shipped_checklists
from opsconsole.wiring.kinds import probe_kinds
from support.httpd import Httpd, says_text, serving
from support.logs import written
from support.mornings import measures
from support.pocketbase import PocketBase, running_pocketbase
from support.postgres import Postgres
from support.questdb import QuestDb, Table
from support.webapp import DAY, HOUR, MINUTE, NOW, YESTERDAY, Planned, Record, planned_kinds

LISTS = ("sync-15min", "sync-daily", "sync-weekly", "sync-monthly")
COLLECTIONS = ("devices", "measurements", "alarms")
TOKEN = "POCKETBASE_TOKEN"
"""The variable that the lists take the token from."""
YOUNG = NOW - 2 * MINUTE
"""Younger than the cut-off of the quarter-hourly list."""

SCHEMA = """
CREATE TABLE devices (recorded_at timestamp, name text);
CREATE TABLE measurements (recorded_at timestamp, device text, reading double precision);
CREATE TABLE alarms (recorded_at timestamp, device text, severity text);
CREATE TABLE sync_log (finished_at timestamp, collection text, status text);
CREATE FUNCTION tables() RETURNS TABLE (id bigint, table_name text) LANGUAGE sql
AS $$ SELECT row_number() OVER (), tablename::text FROM pg_tables WHERE schemaname = 'public' $$;
"""
FIELDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "devices": (("name", "text"),),
    "measurements": (("device", "text"), ("reading", "number")),
    "alarms": (("device", "text"), ("severity", "text")),
}
SAMPLES: Mapping[str, Mapping[str, object]] = {
    "devices": {"name": "north"},
    "measurements": {"device": "north", "reading": 20.5},
    "alarms": {"device": "north", "severity": "warning"},
}
"""A valid record of each."""
USUAL = tuple((name, when) for name in COLLECTIONS for when in (NOW - 40 * DAY, YESTERDAY, YESTERDAY + HOUR))
"""The records that both have."""


def disk_requests(wait: float = 0.002, queue: float = 0.5, busy: float = 12) -> Reading:
    """Return what is read of a disk that keeps up, or does not."""
    return measures(wait=seconds(wait), queue=number(queue), busy=number(busy, Unit.PERCENT))


HOST: Mapping[str, Planned] = {
    "cpu": lambda _: measures(used=number(30, Unit.PERCENT), iowait=number(2, Unit.PERCENT)),
    "memory": lambda _: measures(used_percent=number(50, Unit.PERCENT)),
    "disk": lambda _: measures(used=number(50, Unit.PERCENT), inodes_used=number(9, Unit.PERCENT), read_only=False),
    "backup-disk": lambda _: measures(
        used=number(50, Unit.PERCENT), inodes_used=number(9, Unit.PERCENT), read_only=False
    ),
    "disk-io": lambda _: disk_requests(),
    "network": lambda _: measures(
        up=True,
        error_rate=number(0),
        drop_rate=number(0),
        rx_rate=number(9_000, Unit.BYTES),
        tx_rate=number(9_000, Unit.BYTES),
    ),
}
"""Figures of the host that runs the tests, which is not what is tested."""
SHORT: Mapping[str, Planned] = {
    "cpu": lambda _: measures(used=number(99, Unit.PERCENT), iowait=number(2, Unit.PERCENT)),
    "memory": lambda _: measures(used_percent=number(97, Unit.PERCENT)),
    "disk": lambda _: measures(used=number(93, Unit.PERCENT), inodes_used=number(9, Unit.PERCENT), read_only=False),
    "backup-disk": lambda _: measures(
        used=number(85, Unit.PERCENT), inodes_used=number(9, Unit.PERCENT), read_only=True
    ),
    "disk-io": lambda _: disk_requests(wait=0.9, queue=40, busy=100),
    "network": lambda _: measures(
        up=True,
        error_rate=number(12),
        drop_rate=number(0),
        rx_rate=number(9_000, Unit.BYTES),
        tx_rate=number(9_000, Unit.BYTES),
    ),
}
"""The same of a host that is short of everything."""
HOST_KINDS = ("cpu", "memory", "disk", "diskio", "network")


def compared(*, good: bool) -> Reading:
    """Return what a comparison of both stores reads when they are the same, or are not."""
    wrong = number(0 if good else 1)
    rows = tuple((name, number(0 if good else 40, Unit.PERCENT), good) for name in COLLECTIONS)
    found: dict[str, Value] = {"missing_left": wrong, "missing_right": wrong, "same_cutoff": True}
    return Reading(measures=found, columns=("key", "share", "same"), rows=rows, label="key")


class _Backed(QuestDb):
    """A double whose answers are those of a PostgreSQL."""

    def __init__(self, dsn: str) -> None:
        super().__init__({})
        self._connection = psycopg.connect(dsn, autocommit=True)

    def answer_of(self, query: str) -> Table | None:
        found = self._connection.pgconn.exec_(query.encode())
        if found.status != pq.ExecStatus.TUPLES_OK:
            assert b"does not exist" in found.error_message, found.error_message.decode()
            return None
        columns = [((found.fname(each) or b"").decode(), found.ftype(each)) for each in range(found.nfields)]
        cells = [[found.get_value(row, each) for each in range(found.nfields)] for row in range(found.ntuples)]
        return columns, [[None if cell is None else cell.decode() for cell in row] for row in cells]

    async def aclose(self) -> None:
        await super().aclose()
        self._connection.close()


@contextlib.contextmanager
def running_questdb(dsn: str) -> Iterator[int]:
    """Serve a double in a thread of its own, and yield its port."""
    ready, loops = threading.Event(), list[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]]()

    async def run() -> None:
        double, end = _Backed(dsn), asyncio.Event()
        server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
        loops.append((asyncio.get_running_loop(), end, server.sockets[0].getsockname()[1]))
        ready.set()
        await end.wait()
        server.close()
        await double.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="questdb", daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the double did not start"
        yield loops[0][2]
    finally:
        for loop, end, _ in loops:
            loop.call_soon_threadsafe(end.set)
        thread.join(10)


class Site:
    """Both stores, what copies the one to the other, and their backups: in good order until a test changes that."""

    def __init__(self, root: Path, postgres: Postgres, pocketbase: PocketBase, health: Httpd) -> None:
        self.root, self.backups = root, root / "backups"
        self.pocketbase, self.health = pocketbase, health
        self._postgres = postgres
        role = postgres.create_role()
        self._database = postgres.create_database(SCHEMA)
        self.run(f'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "{role}"')
        self.run(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"')
        self.dsn = postgres.dsn(self._database, role)
        """Where the double has its answers from."""
        self.port = 0
        """The port of the double."""
        self.token = pocketbase.create_monitor()
        self.lists: dict[str, Checklist] = {}

    def adapt(self) -> None:
        """Fill the places of this site into the shipped lists, as a person would."""
        shutil.copytree(shipped_checklists() / "runbooks", self.root / "checklists" / "runbooks")
        self.lists = {name: self.edited(name) for name in LISTS}

    def edited(self, name: str, shipped: str = "", own: str = "") -> Checklist:
        """Return a list with the places of this site, and another change; lint has nothing to say of it."""
        path = self.root / "checklists" / f"{name}.toml"
        text = (shipped_checklists() / f"{name}.toml").read_text(encoding="utf-8")
        assert shipped in text
        text = text.replace("/srv/backups", str(self.backups)).replace(shipped, own, 1)
        path.write_text(text, encoding="utf-8")
        loaded = load_checklist(path, probe_kinds(), sources=self.sources, check_trust=False)
        assert loaded.checklist is not None, loaded.problems
        assert (loaded.problems, loaded.warnings) == ((), ())
        return loaded.checklist

    @property
    def sources(self) -> dict[str, Source]:
        """What `config.toml` says of them."""
        return {
            "questdb": Source(kind="questdb", dsn=f"host=127.0.0.1 port={self.port} user=readonly dbname=qdb"),
            "questdb-health": Source(kind="http", url=self.health.url),
            "pocketbase": Source(kind="http", url=self.pocketbase.url),
        }

    @property
    def nowhere(self) -> dict[str, Source]:
        """The same where nothing listens."""
        socket = str(self.root / "nothing")
        return {
            "questdb": Source(kind="questdb", dsn=f"host={socket} user=readonly dbname=qdb"),
            "questdb-health": Source(kind="http", url=f"unix:{socket}"),
            "pocketbase": Source(kind="http", url=f"unix:{socket}"),
        }

    # --- how it is ---------------------------------------------------------------------------------

    def run(self, script: str) -> None:
        """Change what QuestDB holds."""
        self._postgres.run(script, self._database)

    def set_up(self) -> None:
        """Put everything in good order."""
        self.health.on("/", says_text(""))
        self.run("DROP TABLE IF EXISTS devices, measurements, alarms, sync_log; DROP FUNCTION IF EXISTS tables()")
        self.run(SCHEMA + "".join(_insert(*each) for each in USUAL) + _runs())
        for name in COLLECTIONS:
            self.pocketbase.drop(name)
            self.create(name)
        for name, when in USUAL:
            self.copy(name, when)
        self.write_backups()

    def create(self, name: str) -> None:
        """Create a collection in PocketBase."""
        fields = [
            {"name": "recorded_at", "type": "date"},
            *({"name": each, "type": kind} for each, kind in FIELDS[name]),
        ]
        self.pocketbase.create(name, fields)

    def record(self, collection: str, when: dt.datetime, **changes: object) -> None:
        """Add a record to QuestDB."""
        self.run(_insert(collection, when, **changes))

    def copy(self, name: str, when: dt.datetime) -> None:
        """Add a record to PocketBase."""
        self.pocketbase.add(name, {"recorded_at": f"{when:%Y-%m-%d %H:%M:%S.000Z}", **SAMPLES[name]})

    def write_backups(self, days: int = 30) -> None:
        """Write a backup of each for every one of the last days, with its checksum; the newest is larger."""
        shutil.rmtree(self.backups, ignore_errors=True)
        for store, suffix, make in (("questdb", "tar.gz", _tar), ("pocketbase", "zip", zip_of)):
            (self.backups / store).mkdir(parents=True)
            before, newest = make(*COLLECTIONS), make(*COLLECTIONS, "users")
            for back in range(days):
                when, data = NOW - back * DAY - 5 * HOUR, before if back else newest
                self.write_backup(f"{store}/{store}-{when:%Y-%m-%d}.{suffix}", data, when)

    def write_backup(self, name: str, data: bytes, when: dt.datetime) -> None:
        """Write one."""
        path = written(self.backups / name, data, when)
        text = f"{hashlib.sha256(data).hexdigest()}  {path.name}\n"
        written(path.with_name(f"{path.name}.sha256"), text.encode(), when)

    def newest(self, store: str) -> Path:
        """Return the newest backup."""
        found = (each for each in (self.backups / store).iterdir() if each.suffix != ".sha256")
        return max(found, key=lambda path: path.stat().st_mtime)


def _insert(collection: str, when: dt.datetime, **changes: object) -> str:
    values = {"recorded_at": f"{when:%Y-%m-%d %H:%M:%S.%f}", **SAMPLES[collection]} | changes
    literals = ", ".join("NULL" if each is None else f"'{each}'" for each in values.values())
    return f"INSERT INTO {collection} ({', '.join(values)}) VALUES ({literals});\n"


def _runs() -> str:
    """Return yesterday's runs of each collection, one an hour, and one of the last half hour."""
    return "".join(
        f"INSERT INTO sync_log SELECT at, '{name}', 'success' FROM generate_series("
        f"'{YESTERDAY:%Y-%m-%d} 00:10'::timestamp, '{YESTERDAY:%Y-%m-%d} 23:50', '1 hour') AS at\n"
        f"UNION ALL SELECT '{NOW - 20 * MINUTE:%Y-%m-%d %H:%M}', '{name}', 'success';\n"
        for name in COLLECTIONS
    )


def _tar(*collections: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in collections:
            content = hashlib.shake_256(name.encode()).digest(500)
            member = tarfile.TarInfo(f"db/{name}/2026-12-06/recorded_at.d")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(made.getvalue(), mtime=0)


def zip_of(*collections: str) -> bytes:
    """Return an archive with exports of some collections."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in collections:
            archive.writestr(f"{name}.json", json.dumps([SAMPLES.get(name, {})] * 20))
    return made.getvalue()


async def entered(site: Site, record: Record, name: str, entries: Mapping[str, str]) -> RunState:
    """Measure a list on a host that has room, and type in what a person found."""
    engine = Engine(
        record.store,
        planned_kinds(HOST, HOST_KINDS),
        Environment(sources=site.sources),
        Actor("ann", "Ann Archer", "ops01", Via.COMMAND),
        record.state,
        clock=lambda: NOW,
        checklists=site.lists,
    )
    async with opened(engine, site.lists[name]) as session:
        await engine.measure(session)
        for item, text in entries.items():
            await session.enter(item, text)
        return session.state


@contextlib.contextmanager
def running_site(root: Path, postgres: Postgres) -> Iterator[Site]:
    """Start both stores, and a service whose health can be asked."""
    with running_pocketbase(root) as pocketbase, serving() as health:
        site = Site(root, postgres, pocketbase, health)
        with running_questdb(site.dsn) as site.port:
            site.adapt()
            yield site


@contextlib.contextmanager
def recorded(site: Site, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """Put a site in good order, and open an empty record of it."""
    monkeypatch.setenv(TOKEN, site.token)
    monkeypatch.setenv("PGPASSWORD", "quest-not-real")
    site.set_up()
    record = Record(place, site.lists, site.sources)
    yield record
    record.store.close()
