"""What both stores hold, what goes on while the demo is open, and what a fault does to them."""

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources

from opsconsole.demo.cluster import Cluster
from opsconsole.demo.sync.faults import Fault
from opsconsole.demo.sync.pocketbase import PocketBase
from opsconsole.demo.sync.records import DAY, FIELDS, Record, records_between, runs_between

DATABASE, ROLE = "qdb", "readonly"
HISTORY = 34 * DAY
"""Since when there are records: some are of the month before, on any day of a month."""
_RUNS_SINCE = 18 * DAY
AHEAD = 2 * DAY
"""How long the demo can stay open before nothing more is recorded."""
_STOPPED = dt.timedelta(minutes=70)
_STEP_SECONDS = 3.0
_BACKED_UP_MINUTES = 10
"""Backups are made at whole tens of minutes."""


def schema(records: Iterable[Record], now: dt.datetime) -> str:
    """Return the script that sets up what stands for QuestDB, with records and the runs that copied them."""
    script = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    rows: dict[str, list[str]] = {name: [] for name in FIELDS}
    for each in records:
        rows[each.collection].append("\t".join((_stamp(each.at), *map(str, each.values))))
    rows["sync_log"] = [
        f"{_stamp(each.at)}\t{each.collection}\tsuccess" for each in runs_between(now - _RUNS_SINCE, now + AHEAD)
    ]
    return script + "".join(_copied(table, found) for table, found in rows.items())


def _copied(table: str, rows: Sequence[str]) -> str:
    return "\n".join((f"COPY kept.{table} FROM STDIN;", *rows, "\\.", ""))


def _stamp(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"


# --- what goes on ------------------------------------------------------------------------------------


@contextlib.contextmanager
def going_on(
    pocketbase: PocketBase, since: dt.datetime, fault: Fault | None, back_up: Callable[[dt.datetime], None]
) -> Iterator[None]:
    """Copy what is recorded from an instant on to PocketBase, and back up, for the length of the block."""
    over = threading.Event()

    def keep() -> None:
        until = since
        while not over.wait(_STEP_SECONDS):
            begin, until = until, dt.datetime.now(dt.UTC)
            for each in records_between(begin, until):
                if over.is_set():
                    return
                if fault is not Fault.ALARMS_STOPPED or each.collection != "alarms":
                    with contextlib.suppress(OSError):  # it has ended: what is lost is lost
                        pocketbase.add(each)
            if begin.minute // _BACKED_UP_MINUTES != until.minute // _BACKED_UP_MINUTES:
                with contextlib.suppress(OSError):  # the disk is full: there is no backup, as with real ones
                    back_up(until)

    thread = threading.Thread(target=keep, name="demo-sync", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# --- what a fault does -------------------------------------------------------------------------------

_BROKEN_SENSOR = """
    UPDATE measurements SET reading = -327.68
    WHERE device = 'boiler-2' AND recorded_at >= :begin AND recorded_at < :end
"""
_CHANGES: Mapping[Fault, tuple[str, str]] = {
    Fault.ALARMS_STOPPED: (
        """
        DELETE FROM alarms WHERE recorded_at >= :stopped AND recorded_at < :now;
        DELETE FROM sync_log WHERE collection = 'alarms' AND finished_at >= :stopped
        """,
        "DELETE FROM alarms WHERE recorded_at >= :stopped",
    ),
    Fault.LOST_RECORDS: (
        "",
        """
        DELETE FROM measurements WHERE id IN
        (SELECT id FROM measurements WHERE recorded_at >= :begin ORDER BY recorded_at LIMIT 40)
        """,
    ),
    Fault.DOUBLED_ALARM: (
        "",
        """
        INSERT INTO alarms (id, recorded_at, device, severity)
        SELECT 'doubled12345678', recorded_at, device, severity FROM alarms
        WHERE recorded_at >= :begin AND recorded_at < :end ORDER BY recorded_at LIMIT 1
        """,
    ),
    Fault.BROKEN_SENSOR: (
        _BROKEN_SENSOR,
        _BROKEN_SENSOR,
    ),
    Fault.UNNAMED_DEVICE: (
        """
        UPDATE alarms SET device = NULL WHERE recorded_at IN
        (SELECT recorded_at FROM alarms WHERE recorded_at >= :begin ORDER BY recorded_at LIMIT 6)
        """,
        """
        UPDATE alarms SET device = '' WHERE recorded_at IN
        (SELECT recorded_at FROM alarms WHERE recorded_at >= :begin ORDER BY recorded_at LIMIT 6)
        """,
    ),
    Fault.FAILED_RUNS: (
        """
        UPDATE sync_log SET status = 'failed' WHERE collection = 'measurements' AND finished_at IN
        (SELECT finished_at FROM sync_log WHERE collection = 'measurements' AND finished_at >= :begin
         ORDER BY finished_at LIMIT 31)
        """,
        "",
    ),
}
"""What is done to the records in QuestDB and in PocketBase; yesterday is from `:begin` to `:end`."""


def spoil(cluster: Cluster, pocketbase: PocketBase, now: dt.datetime, fault: Fault | None) -> None:
    """Let a fault happen to the stores, which are well until then; nothing happens for one that is not theirs."""
    match fault:
        case Fault.QUESTDB_STUCK:
            cluster.stop()
        case Fault.NO_SYNC_LOG:
            cluster.run_script("DROP VIEW sync_log;", DATABASE)
        case Fault.POCKETBASE_DOWN:
            pocketbase.stop()
        case Fault.TOKEN_REVOKED:
            pocketbase.change("UPDATE monitors SET tokenKey = lower(hex(randomblob(25)))")
        case Fault.COLLECTION_LOST:
            pocketbase.call("DELETE", "/api/collections/measurements", {})
        case Fault.OPEN_COLLECTION:
            pocketbase.call("PATCH", "/api/collections/alarms", {"listRule": ""})
        case Fault() if fault in _CHANGES:
            in_questdb, in_pocketbase = (_dated(each, now) for each in _CHANGES[fault])
            cluster.run_script(f"SET search_path TO kept;\n{in_questdb};", DATABASE)
            pocketbase.change(in_pocketbase)


def _dated(statement: str, now: dt.datetime) -> str:
    """Return a statement with instants in place of their names, as both stores compare them."""
    today = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for name, moment in {"begin": today - DAY, "end": today, "stopped": now - _STOPPED, "now": now}.items():
        statement = statement.replace(f":{name}", f"'{_stamp(moment)}'")
    return statement
