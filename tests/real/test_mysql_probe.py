"""The probe `mysql` on a real MariaDB: what it reads, what it refuses, and that nothing is left running."""

import asyncio
import contextlib
import datetime as dt
import random
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opsconsole.checks._mysql import MysqlConnection
from opsconsole.checks._mysqlsource import connected, place_of
from opsconsole.checks._pganswers import Bounds
from opsconsole.checks.mysql import KIND, MysqlOptions, MysqlProbe
from opsconsole.contracts.probe import Environment, ProbeError, Source
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem
from opsconsole.model.redaction import redacted
from opsconsole.model.values import Moment, Number, Unit, number
from support.judged import outcome
from support.mariadb import MariaDb, until_async
from support.sql import Asking

pytestmark = pytest.mark.xdist_group("mariadb")

SCRIPT = """
create table seen (
  id int primary key, ts timestamp(3) null, at datetime, exact decimal(10, 2), bits bit(9), doc json, raw blob,
  large bigint unsigned, day date, name varchar(40) collate utf8mb4_unicode_ci,
  old varchar(20) character set latin1, kind enum('a', 'b'), ratio double, year year
);
set sql_mode = '';
insert into seen values
  (1, '2026-01-01 00:00:00.5', '2026-01-01 10:00:00', 12.30, b'100000001', '{"a": 1}', x'00ff',
   18446744073709551615, '2026-01-31', 'O''Neil \\\\ Söhne', 'bär', 'b', 0.25, 2026),
  (2, null, '0000-00-00 00:00:00', null, null, null, null, null, '0000-00-00', null, null, null, null, null);
create table many as select seq as id from seq_1_to_5000;
create table unsafe (id int) engine = myisam;
"""


@contextlib.asynccontextmanager
async def asking(source: Source) -> AsyncIterator[Asking]:
    """Open a pass."""
    opened = Asking(MysqlProbe(Environment(sources={"db": source})), MysqlOptions)
    try:
        yield opened
    finally:
        await opened.probe.aclose()


@pytest.fixture(scope="module")
def database(mariadb: MariaDb) -> str:
    """Make a database."""
    return mariadb.create_database(SCRIPT)


@pytest.fixture(scope="module")
def account(mariadb: MariaDb, database: str) -> str:
    """Make an account that may only read it."""
    return mariadb.create_account(f"select on {database}.*")


@pytest.fixture
async def db(mariadb: MariaDb, database: str, account: str) -> AsyncIterator[Asking]:
    """Open a pass over a run."""
    async with asking(mariadb.source(account, database)) as opened:
        yield opened


# --- values ------------------------------------------------------------------------------------------


async def test_every_type_becomes_the_value_it_means(db: Asking) -> None:
    """Exact numbers stay exact, moments have a zone, and what has none is not taken for one."""
    reading = await db.read("select * from seen order by id", units={"exact": "B"})
    first, second = (dict(zip(reading.columns, row, strict=True)) for row in reading.rows)
    assert first == {
        "id": number(1),
        "ts": Moment(dt.datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=dt.UTC)),
        "at": "2026-01-01 10:00:00",
        "exact": Number(Decimal("12.30"), Unit.BYTES),
        "bits": number(257),
        "doc": '{"a": 1}',
        "raw": "0x00ff",
        "large": number(18446744073709551615),
        "day": "2026-01-31",
        "name": "O'Neil \\ Söhne",
        "old": "bär",
        "kind": "b",
        "ratio": number("0.25"),
        "year": number(2026),
    }
    assert {name for name, value in second.items() if value is not None} == {"id"}


async def test_zones_make_moments_of_clock_readings(db: Asking) -> None:
    """A DATETIME that is said to be Chicago's time is the moment that it was there."""
    reading = await db.read("select at from seen where id = 1", zones={"at": "America/Chicago"})
    assert reading.rows == ((Moment(dt.datetime(2026, 1, 1, 16, tzinfo=dt.UTC)),),)
    problem = await db.problem("select ts as at from seen", zones={"at": "UTC"})
    assert problem.reason == "bad-query"


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("select timediff('10:00:00', '12:30:00.5') as it", Number(Decimal("-9000.5"), Unit.SECONDS)),
        ("select cast(null as date) as it", None),
        ("select true as it", number(1)),
        ("select @@session.time_zone as it", "+00:00"),
        ("select 'a\\'b' as it", "a'b"),
        ('select "text" as it', "text"),
        ("(select 5 as it)", number(5)),
        ("with x as (select 7 as it) select it from x", number(7)),
        ("select 1 -- to the end\n + /* and */ 1 # here\n as it", number(2)),
    ],
)
async def test_what_a_query_can_be(db: Asking, query: str, value: Any) -> None:
    """The usual ways of writing a query work, in the session's time zone UTC and with MySQL's plain quoting."""
    assert await db.cell(query) == value


async def test_parameters_are_bound_and_never_read_as_sql(db: Asking) -> None:
    """The target of an item can be any text; it is compared, with an index, in the collation of its column."""
    name = "O'Neil \\ Söhne"
    assert await db.cell("select id from seen where name = :target and old <> :target", target=name) == number(1)
    for hostile in ("' or '1'='1", "\\' or 1=1 #", "'; drop table seen; -- ", "%s :now ?", "é\n\t"):
        assert await db.cell("select count(*) as it from seen where name = :target", target=hostile) == number(0)
        assert await db.cell("select :target as it", target=hostile) == hostile
    assert await db.cell("select count(*) as it from seen where ts < :now - interval 1 hour") == number(1)
    assert await db.cell("select :business_date + interval 1 day > :business_date as it") == number(1)


async def test_the_line_of_evidence_can_be_run(db: Asking, mariadb: MariaDb, account: str) -> None:
    """Whoever reads the record can ask the same by hand."""
    reading = await db.read("select id from seen where name = :target", target="O'Neil \\ Söhne")
    assert redacted(reading.command) == reading.command, "nothing in it looks like a secret"
    argv = [each for each in shlex.split(reading.command) if each != "--password"]
    done = await asyncio.to_thread(
        subprocess.run, [*argv, "-N", "-B"], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


async def test_green_and_red(db: Asking) -> None:
    """An item of the probe passes and fails by its rows, and by how long the server took."""
    reading = await db.read("select count(*) as it, sleep(0.05) as slept from seen")
    assert outcome(reading, "it == 2", "latency < 5 s") is Outcome.PASS
    assert outcome(reading, "it > 2") is Outcome.FAIL
    assert outcome(reading, "latency < 50 ms") is Outcome.FAIL
    empty = await db.read("select id from seen where id > 99")
    assert outcome(empty, "every id < 5") is Outcome.ERROR
    zero = await db.read("select day from seen where id = 2")
    assert outcome(zero, "day != '2026-01-01'") is Outcome.ERROR


async def test_a_long_answer_is_cut_off_and_not_judged(db: Asking, mariadb: MariaDb, account: str) -> None:
    """A query that forgot to aggregate says so, and the next one works."""
    reading = await db.read("select a.id from many a join many b", max_rows=100)
    assert (reading.truncated, len(reading.rows)) == (True, 100)
    assert outcome(reading, "every id > 0") is Outcome.ERROR
    assert await db.cell("select 1 as it") == number(1)
    await until_async(lambda: mariadb.sessions(account, "command = 'Query'") == 0, "the end of the query")
    wide = await db.read("select repeat('x', 20000) as it")
    assert wide.truncated
    problem = await db.problem("select repeat('x', 6000000) as it")
    assert problem.reason == "too-large"


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("select nope from seen", "not-found"),
        ("select * from nowhere", "not-found"),
        ("select * from mysql.user", "no-permission"),
        ("select from where", "bad-query"),
        ("select id, id from seen", "bad-query"),
        ("select sum(id), name from seen group by nonsense", "not-found"),
        ("insert into seen values (1)", "bad-query"),
        ("select 1; select 2", "bad-query"),
        ("select 1 into outfile '/tmp/x'", "bad-query"),
        ("select * from seen for update", "bad-query"),
        ("select /*! 1; drop table seen */ 1", "bad-query"),
        ("select @x := 1", "bad-query"),
        ("select :nonsense", "bad-query"),
        ("select ?", "bad-query"),
        ("select 'open", "bad-query"),
        ("", "bad-query"),
    ],
)
async def test_what_cannot_be_asked_is_told(db: Asking, query: str, reason: str) -> None:
    """Each mistake in a query has its cause, and the connection goes on."""
    assert (await db.problem(query)).reason == reason
    assert await db.cell("select 1 as it") == number(1)


ESCAPES = [
    "select 1; insert into seen (id) values (9)",
    "insert into seen (id) values (9)",
    "insert into unsafe values (9)",
    "commit",
    "set session transaction read write",
    "drop table seen",
    "select 1 from seen into outfile '{place}/out'",
    "with x as (select 1) delete from seen",
    "call sys.nothing()",
    "select 1\\G",
    "DELIMITER ;; drop table seen ;;",
]


async def test_the_server_lets_nothing_be_written(mariadb: MariaDb, database: str) -> None:
    """Even statements that were let through by mistake change nothing, sent by an account that may write."""
    writer = mariadb.create_account(f"all on {database}.*")
    before = mariadb.run("select * from seen; select * from unsafe; show tables", database)
    for query in ESCAPES:
        connection = await _connection(mariadb.source(writer, database))
        with contextlib.suppress(Exception):
            await connection.query(query.replace("{place}", str(mariadb.place / "tmp")), [], _BOUNDS)
        if connection.usable:
            with pytest.raises(Exception, match=r"READ ONLY|read only"):
                await connection.query("insert into seen (id) values (10)", [], _BOUNDS)
        await connection.aclose()
    assert mariadb.run("select * from seen; select * from unsafe; show tables", database) == before


_BOUNDS = Bounds(seconds=10, rows=10, bytes=1000)


async def _connection(source: Source) -> MysqlConnection:
    sources = {"db": source}
    return await connected("db", place_of("db", sources), source, 10)


@pytest.mark.parametrize("grants", ["all on *.*", "select, super on *.*", "select, file on *.*"])
async def test_an_account_that_may_do_anything_is_refused(mariadb: MariaDb, grants: str) -> None:
    """A check must not be able to change what it watches."""
    mighty = mariadb.create_account(grants)
    async with asking(mariadb.source(mighty)) as db:
        problem = await db.problem("select 1 as it")
        assert problem.reason == "superuser"
        assert mighty in problem.cause
        assert (await db.problem("select 1 as it", item="other")).reason == "superuser"
    await until_async(lambda: mariadb.sessions(mighty) == 0, "the end of the session")


async def test_ways_not_to_be_let_in(mariadb: MariaDb, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password, a missing secret, an unknown database and a closed port are told apart."""
    locked = mariadb.create_account(f"select on {database}.*", "correct-horse-not-real")
    monkeypatch.setenv("DB_GOOD", "correct-horse-not-real")
    monkeypatch.setenv("DB_BAD", "hunter2-not-real")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        closed = bound.getsockname()[1]
        cases = [
            (mariadb.source(locked, database, password="env:DB_GOOD"), None),
            (mariadb.source(locked, database, password="env:DB_BAD"), "refused"),
            (mariadb.source(locked, database, password="env:DB_NOWHERE"), "no-secret"),
            (mariadb.source(locked, database), "refused"),
            (mariadb.source(locked, "nowhere", password="env:DB_GOOD"), "no-permission"),
            (Source(kind="mysql", dsn=f"mysql://a@127.0.0.1:{closed}/x"), "source-down"),
            (Source(kind="mysql", dsn="mysql://a@/x?socket=/nowhere/socket"), "source-down"),
            (Source(kind="mysql", dsn="mysql://a@nowhere.invalid/x"), "source-down"),
            (Source(kind="mysql", dsn="mysql://a:hunter2@db/x"), "bad-source"),
            (Source(kind="postgresql", dsn="host=db"), "bad-source"),
        ]
        for source, reason in cases:
            async with asking(source) as db:
                if reason is None:
                    assert await db.cell("select 1 as it") == number(1)
                    continue
                problem = await db.problem("select 1 as it")
                assert problem.reason == reason, problem
                assert "hunter2" not in str(problem)
    async with asking(mariadb.source(locked)) as db:
        assert (await db.problem("select 1 as it", source="other")).reason == "unknown-source"


async def test_tls_is_checked(mariadb: MariaDb, database: str, account: str, tmp_path: Path) -> None:
    """With `ca` the connection is encrypted, and to the server whose certificate it is."""
    query = "select variable_value as it from information_schema.session_status where variable_name = 'SSL_CIPHER'"
    ca = str(mariadb.ca)
    async with asking(mariadb.source(account, database, tcp=True, host="localhost", ca=ca)) as db:
        assert await db.cell(query)
    async with asking(mariadb.source(account, database, tcp=True)) as db:
        assert await db.cell(query) == ""
    async with asking(mariadb.source(account, database, tcp=True, ca=ca)) as db:  # made out to localhost
        assert (await db.problem(query)).reason == "tls"
    (tmp_path / "no.pem").write_text("nothing")
    async with asking(mariadb.source(account, database, tcp=True, ca=str(tmp_path / "no.pem"))) as db:
        assert (await db.problem(query)).reason == "tls"


# --- time --------------------------------------------------------------------------------------------


async def test_one_session_for_all_items_and_none_afterwards(db: Asking, mariadb: MariaDb, account: str) -> None:
    """A checklist of many queries is one session of the database."""
    found = await asyncio.gather(*(db.cell("select connection_id() as it", item=str(n)) for n in range(20)))
    assert len(set(found)) == 1
    assert mariadb.sessions(account) == 1
    await db.probe.aclose()
    await until_async(lambda: mariadb.sessions(account) == 0, "the end of the session")


async def test_a_slow_query_ends_in_time(db: Asking, mariadb: MariaDb, account: str) -> None:
    """The server ends it by itself, and the connection goes on."""
    problem = await db.problem("select count(*) as it from many a join many b join many c", timeout=0.4)
    assert problem.reason == "timeout"
    assert await db.cell("select 1 as it") == number(1)
    assert mariadb.sessions(account, "command = 'Query'") == 0


async def test_cancelling_ends_the_query_in_the_server(db: Asking, mariadb: MariaDb, account: str) -> None:
    """Leaving the console while a query runs leaves nothing running in the database."""
    task = asyncio.create_task(db.read("select count(*) as it from many a join many b join many c", timeout=60))
    await until_async(lambda: mariadb.sessions(account, "command = 'Query'") == 1, "the query")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_async(lambda: mariadb.sessions(account) == 0, "the end of the session", 5)
    assert await db.cell("select 1 as it") == number(1)


async def test_a_session_that_was_killed_is_told_and_made_again(db: Asking, mariadb: MariaDb, account: str) -> None:
    """What an administrator ended is an error of that item, not of the next."""
    task = asyncio.create_task(db.problem("select count(*) as it from many a join many b join many c", timeout=60))
    running = "command = 'Query'"
    await until_async(lambda: mariadb.sessions(account, running) == 1, "the query")
    mariadb.run(f"kill user {account}")
    assert (await task).reason in {"source-down", "failed"}
    assert await db.cell("select 1 as it") == number(1)


async def test_a_server_that_is_stopped(mariadb: MariaDb, database: str, account: str) -> None:
    """A pass goes on through a restart of the server."""
    async with asking(mariadb.source(account, database)) as db:
        assert await db.cell("select 1 as it") == number(1)
        mariadb.stop()
        try:
            assert (await db.problem("select 1 as it")).reason == "source-down"
            assert (await db.problem("select 1 as it")).reason == "source-down"
        finally:
            mariadb.start()
        assert await db.cell("select 1 as it") == number(1)


@contextlib.asynccontextmanager
async def talking(*said: bytes, received: bytearray | None = None) -> AsyncIterator[int]:
    """Serve whoever connects these messages, one after each of theirs, and then nothing more; keep theirs."""
    heard = bytearray() if received is None else received

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    for message in said:
                        connection.sendall(message)
                        theirs = connection.recv(65536)
                        heard.extend(theirs)
                        if not theirs:
                            break
                    connection.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        await asyncio.to_thread(thread.join, 10)


def packet(number: int, payload: bytes) -> bytes:
    """Return one message of the protocol."""
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def greeting(plugin: bytes = b"mysql_native_password") -> bytes:
    """Return what a server says first: "Protocol::HandshakeV10"."""
    head = b"\x0a8.4.0\0" + (7).to_bytes(4, "little") + b"12345678\0" + b"\xff\xf7" + b"\xff\x02\0\xff\xdf"
    return packet(0, head + b"\x15" + bytes(10) + b"123456789012\0" + plugin + b"\0")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ((b"",), "source-down"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), None),
        ((packet(0, b"\xff\x10\x04Too many connections"),), "too-many-connections"),
        ((packet(0, b""),), None),
        ((b"\xff\xff\xff\0" + b"x" * 100_000,), "too-large"),
        ((greeting(), packet(2, b"\xfe" + b"mysql_clear_password\0")), "refused"),
        ((greeting(), packet(2, b"\xfe" + b"dialog\0\x05Password: ")), "refused"),
        ((greeting(b"sha256_password"),), "refused"),
        ((greeting(b"caching_sha2_password"), packet(2, b"\x01\x04")), "refused"),
        ((greeting(), packet(2, b"\xfe" + b"mysql_native_password\0" + b"1" * 20), packet(4, b"\0" * 7)), None),
    ],
)
async def test_a_server_that_is_none(
    said: tuple[bytes, ...], reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever answers at the port: no password is given away, nothing hangs, nothing is green."""
    monkeypatch.setenv("DB_SECRET", "hunter2-not-real")
    async with talking(*said) as port:
        source = Source(kind="mysql", dsn=f"mysql://a@127.0.0.1:{port}/x", password="env:DB_SECRET")
        async with asking(source) as db:
            problem = await db.problem("select 1 as it", timeout=1.0)
    assert problem.reason == reason or reason is None, problem
    assert "hunter2" not in str(problem)


async def test_no_file_is_given_to_a_server_that_asks_for_one(tmp_path: Path) -> None:
    """A server may answer any query by asking for a file of the client's: it gets none, and that is an error."""
    (tmp_path / "private").write_text("the-content-of-a-file")
    received = bytearray()
    said = [greeting(), packet(2, b"\0\0\0\2\0\0\0"), *[packet(1, b"\xfb" + bytes(tmp_path / "private"))] * 9]
    async with talking(*said, received=received) as port:
        source = Source(kind="mysql", dsn=f"mysql://a@127.0.0.1:{port}/x")
        problem = await _asked_once(source)
    assert b"SELECT VERSION()" in received
    assert b"the-content" not in received
    assert problem.reason == "bad-answer", problem


async def _asked_once(source: Source) -> Problem:
    async with asking(source) as db:
        return await db.problem("select 1 as it", timeout=1.0)


@contextlib.asynccontextmanager
async def spoiling(server: MariaDb, choice: random.Random) -> AsyncIterator[int]:
    """Stand between client and server, and spoil one piece of what the server says."""
    writers: list[asyncio.StreamWriter] = []
    tasks: set[asyncio.Task[None]] = set()
    spoil_at = choice.randrange(14)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, spoiled: bool) -> None:
        pieces = 0
        with contextlib.suppress(OSError):
            while data := bytearray(await reader.read(65536)):
                if spoiled and pieces == spoil_at:
                    _spoil(data, choice)
                pieces += 1
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(server.socket)
        writers.extend((writer, up_writer))
        for source, sink, spoiled in ((reader, up_writer, False), (up_reader, writer, True)):
            task = asyncio.create_task(pump(source, sink, spoiled=spoiled))
            tasks.add(task)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)


def _spoil(data: bytearray, choice: random.Random) -> None:
    match choice.randrange(4):
        case 0:
            data[choice.randrange(len(data))] = choice.randrange(256)
        case 1:
            del data[choice.randrange(len(data)) :]
        case 2:
            data[:3] = b"\xff\xff\x7f"
        case _:
            at = choice.randrange(len(data))
            data[at:at] = choice.randbytes(choice.randrange(1, 9))


@pytest.mark.parametrize("seed", range(0, 24, 8))
async def test_a_spoiled_conversation(mariadb: MariaDb, database: str, account: str, seed: int) -> None:
    """Whatever becomes of the server's words on their way, there is a reading or a cause, and in time."""
    for number_ in range(seed, seed + 8):
        async with spoiling(mariadb, random.Random(number_)) as port:
            source = Source(kind="mysql", dsn=f"mysql://{account}@127.0.0.1:{port}/{database}", connect_timeout=1)
            async with asking(source) as db:
                for _ in range(2):
                    with contextlib.suppress(ProbeError):
                        await asyncio.wait_for(db.read("select * from seen", timeout=0.3), 5)


def test_a_missing_driver_is_told(mariadb: MariaDb, account: str) -> None:
    """Without the extra an item says what to install."""
    script = f"""
import asyncio, sys
sys.modules["asyncmy"] = None
from opsconsole.checks.mysql import MysqlOptions, MysqlProbe
from opsconsole.contracts.probe import Environment, ProbeError, Source
from support.systemd import context
async def main():
    probe = MysqlProbe(Environment(sources={{"db": Source(kind="mysql", dsn={mariadb.dsn(account)!r})}}))
    try:
        await probe.measure(MysqlOptions(source="db", query="select 1"), context())
    except ProbeError as error:
        print(error.problem.reason, error.problem.hint)
asyncio.run(main())
"""
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.stdout.startswith("missing-driver"), done.stderr
    assert "pip install 'opsconsole[mysql]'" in done.stdout


def test_the_driver_is_not_loaded_to_lint() -> None:
    """Mistakes are found without the extra, each with its key."""
    options = MysqlOptions(source="db", query="delete from x", zones={"at": "Mars/Phobos"})
    assert [key for key, _ in KIND.validate(options)] == ["query", "zones"]
    assert KIND.validate(MysqlOptions(source="db", query="show status")) == []
