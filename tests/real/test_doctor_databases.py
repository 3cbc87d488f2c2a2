"""What `opsconsole doctor` finds out about MySQL, MariaDB and QuestDB sources."""

import asyncio

import pytest

from opsconsole.checks.dbdoctor import inspect_database, writes_of
from opsconsole.contracts.probe import Source
from opsconsole.model.outcomes import Outcome
from opsconsole.wiring.doctor_databases import database_findings
from support.mariadb import MariaDb
from support.questdb import questdb

pytestmark = pytest.mark.xdist_group("mariadb")


async def test_a_source_as_it_should_be(mariadb: MariaDb) -> None:
    """An account that may only read is reported with version, way and time, and nothing to object to."""
    database = mariadb.create_database("create table seen (id int)")
    account = mariadb.create_account(f"select on {database}.*")
    report = await inspect_database("shop", mariadb.source(account, database))
    assert (report.problem, report.writes, report.transport) == (None, (), "socket")
    assert report.product.startswith("MariaDB 1")
    assert report.account == f"{account}@%"
    assert report.latency is not None
    source = mariadb.source(account, database, tcp=True, host="localhost", ca=str(mariadb.ca))
    assert (await inspect_database("shop", source)).transport == "encrypted"


def test_the_words_of_the_doctor(mariadb: MariaDb) -> None:
    """What is well, what an account could change, and what cannot be reached stand beside each other."""
    database = mariadb.create_database("create table seen (id int)")
    good = mariadb.create_account(f"select on {database}.*")
    writer = mariadb.create_account(f"select, insert, delete on {database}.*")
    mighty = mariadb.create_account("all on *.*")
    sources = {
        "good": mariadb.source(good, database),
        "writer": mariadb.source(writer, database),
        "mighty": mariadb.source(mighty),
        "gone": Source(kind="mysql", dsn="mysql://a@/x?socket=/nowhere/socket"),
        "wrong": Source(kind="mysql", dsn="mysql://a:hunter2@db/x"),
        "other": Source(kind="http", url="http://127.0.0.1:1"),
    }
    found = [(each.subject, each.outcome) for each in database_findings(sources)]
    assert found == [
        ("source good", Outcome.PASS),
        ("source writer", Outcome.PASS),
        ("source writer", Outcome.WARN),
        ("source mighty", Outcome.FAIL),
        ("source mighty", Outcome.PASS),
        ("source gone", Outcome.FAIL),
        ("source wrong", Outcome.FAIL),
    ]
    said = " ".join(each.text + each.hint for each in database_findings(sources))
    assert f"INSERT, DELETE on `{database}`.*" in said
    assert "hunter2" not in said


async def test_questdb(monkeypatch: pytest.MonkeyPatch) -> None:
    """QuestDB is reached and named; that its rights cannot be asked is said."""
    monkeypatch.setenv("PGPASSWORD", "quest-not-real")
    async with questdb({"select 1": ((("1", 23),), (("1",),))}) as (double, port):
        source = Source(kind="questdb", dsn=f"host=127.0.0.1 port={port} user=user dbname=qdb")
        report = await inspect_database("ticks", source)
        assert (report.problem, report.product, report.tells_rights) == (None, "QuestDB", False)
        findings = await asyncio.to_thread(lambda: list(database_findings({"ticks": source})))
        assert [each.outcome for each in findings] == [Outcome.PASS, Outcome.WARN]
        assert double.asked == ["select 1", "select 1"]


@pytest.mark.parametrize(
    ("grant", "writes"),
    [
        ("GRANT SELECT, SHOW VIEW ON `shop`.* TO `a`@`%`", ()),
        (
            "GRANT SELECT (`id`, `name`), UPDATE (`name`) ON `shop`.`x` TO `a`@`%`",
            ("UPDATE (`name`) on `shop`.`x`",),
        ),
        ("GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*0'", ()),
        ("GRANT PROCESS, REPLICATION CLIENT ON *.* TO `a`@`%`", ()),
        ("GRANT `role` TO `a`@`%`", ()),
        ("GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`", ("ALL PRIVILEGES on `shop`.*",)),
    ],
)
def test_rights_that_change_things_are_told_from_others(grant: str, writes: tuple[str, ...]) -> None:
    """Reading, and looking at the server's state, is no objection."""
    assert writes_of((grant,)) == writes
