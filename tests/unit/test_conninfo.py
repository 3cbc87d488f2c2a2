"""Connection strings: read as libpq reads them, and never with a password in them."""

import socket
import string
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from opsconsole.checks._conninfo import (
    SECRETS,
    DsnError,
    connection_parameters,
    dsn_problem,
    parameters_of,
    psql_line,
    setting,
)

SECRET = "hunter2-not-a-real-one"


def _said(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return what is not left open: an empty value is none, and a list of nothing neither."""
    return {keyword: value for keyword, value in parameters.items() if str(value).strip(",")}


@pytest.mark.parametrize(
    ("dsn", "parameters"),
    [
        ("", {}),
        ("host=db dbname=qbr", {"host": "db", "dbname": "qbr"}),
        (" host = db\tport=5433 ", {"host": "db", "port": "5433"}),
        ("host='/a b' user='it\\'s' dbname=a\\ b", {"host": "/a b", "user": "it's", "dbname": "a b"}),
        ("host='' user=", {"host": "", "user": ""}),
        ("postgresql://", {}),
        ("postgres://db.example", {"host": "db.example"}),
        ("postgresql://ops@db:5433/qbr", {"user": "ops", "host": "db", "port": "5433", "dbname": "qbr"}),
        ("postgresql:///qbr?host=/run/pg", {"dbname": "qbr", "host": "/run/pg"}),
        ("postgresql://a,b:5433/qbr", {"host": "a,b", "port": ",5433", "dbname": "qbr"}),
        ("postgresql://[::1]:5432/qbr", {"host": "::1", "port": "5432", "dbname": "qbr"}),
        ("postgresql://o%40ps@db/q%20r?sslmode=require&application_name=x%26y",
         {"user": "o@ps", "host": "db", "dbname": "q r", "sslmode": "require", "application_name": "x&y"}),
    ],
)  # fmt: skip
def test_what_libpq_reads_is_read_alike(dsn: str, parameters: dict[str, str]) -> None:
    """The forms of the manual mean what they mean to psql."""
    assert dsn_problem(dsn) is None
    assert _said(parameters_of(dsn)) == _said(conninfo_to_dict(dsn))
    assert parameters_of(dsn) == parameters


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        (f"host=db password={SECRET}", "('password')"),
        (f"host=db password = '{SECRET}'", "('password')"),
        (f"sslpassword={SECRET} host=db", "('sslpassword')"),
        (f"postgresql://ops:{SECRET}@db/qbr", "('password')"),
        (f"postgresql://ops:{SECRET}@/qbr", "('password')"),
        (f"postgresql://db/qbr?password={SECRET}", "('password')"),
        (f"postgresql://db/qbr?pass%77ord={SECRET}", "('password')"),
        (f"postgresql://ops:{SECRET}/with@db/qbr", "no URL"),
        (f"postgresql://ops:{SECRET}/with/slash@db", "no URL"),
        (f"postgresql://{SECRET}:{SECRET}", "port is not a number"),
        (f"host=db {SECRET}", "no list of keywords"),
        (f"host=db dbname='{SECRET}", "no list of keywords"),
        (f"host=db port={SECRET}", "port is not a number"),
        ("host=db port=0", "port is not a number"),
        ("host=db port=65536", "port is not a number"),
        (f"mysql://ops:{SECRET}@db/qbr", "no list of keywords"),
        (f"postgresql://db/qbr?{SECRET}", "no '='"),
        (f"postgresql://[{SECRET}/qbr", "host cannot be read"),
        (f"{SECRET}", "no list of keywords"),
        (f"postgresql://ops @db/{SECRET}", "no URL"),
    ],
)
def test_what_is_refused_is_not_repeated(dsn: str, words: str) -> None:
    """A password or a broken string is refused in words that hold nothing of it."""
    problem = dsn_problem(dsn)
    assert problem is not None
    assert words in problem
    assert SECRET not in problem


WORDS = st.text(string.ascii_letters + string.digits + "/:@?&=%' \\.-_#\"[]", max_size=12)


@given(
    st.sampled_from(["host=db password={}", "postgresql://ops:{}@db/qbr", "postgresql://db/qbr?password={}"]), WORDS
)
@example("postgresql://ops:{}@db/qbr", "a/b@c:1")
def test_no_password_gets_through(form: str, word: str) -> None:
    """Whatever characters a password has, written where passwords are written, it is refused and not repeated."""
    secret = f"Zq7{word}X9w"
    problem = dsn_problem(form.format(secret))
    assert problem is not None
    assert "Zq7" not in problem
    assert "X9w" not in problem


@given(
    st.text(string.ascii_lowercase + "=:/@?&%' \\,[]5", max_size=25),
    st.sampled_from(["", "postgresql://", "host="]),
)
def test_what_is_accepted_libpq_reads_alike(text: str, start: str) -> None:
    """Nothing that is accepted means another thing to libpq, above all no password."""
    try:
        ours = parameters_of(start + text)
    except DsnError:
        return
    try:
        theirs = conninfo_to_dict(start + text)
    except Exception:  # noqa: BLE001 - libpq knows more rules, such as the names of keywords
        return
    assert _said(ours) == _said(theirs)
    assert not SECRETS & theirs.keys()


async def test_defaults_can_be_overruled() -> None:
    """The connection keeps itself alive and has a name, unless the source says otherwise."""
    plain = await connection_parameters("host=/run/pg", 7)
    assert (plain["connect_timeout"], plain["keepalives"], plain["application_name"]) == ("7", "1", "opsconsole")
    own = await connection_parameters("host=/run/pg connect_timeout=3 application_name=mine", 7)
    assert (own["connect_timeout"], own["application_name"]) == ("3", "mine")


async def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts are looked up before libpq does, addresses and sockets are left as they are."""
    known = {"one.example": ["10.0.0.1", "fd00::1"], "two.example": ["10.0.0.2"]}

    def look_up(host: str, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if host not in known:
            raise OSError(-2, "Name or service not known")
        return [(2, 1, 6, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    found = await connection_parameters("host=one.example,two.example,gone.example port=1,2,3", 5)
    assert found["host"] == "one.example,one.example,two.example"
    assert found["hostaddr"] == "10.0.0.1,fd00::1,10.0.0.2"
    assert found["port"] == "1,1,2"
    found = await connection_parameters("host=one.example,/run/pg,127.0.0.1", 5)
    assert found["hostaddr"] == "10.0.0.1,fd00::1,,127.0.0.1"
    assert found["port"] == "5432,5432,5432,5432"
    for dsn in ("host=127.0.0.1", "host=/run/pg", "host=one.example hostaddr=10.0.0.9"):
        assert (await connection_parameters(dsn, 5)).get("hostaddr") == parameters_of(dsn).get("hostaddr")


def test_settings_come_from_where_libpq_takes_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host is that of the string, else of its service, else of the environment."""
    services = tmp_path / "services"
    services.write_text("# none\nhost=early\n[qbr]\nhost = served\n\n[other]\nhost=wrong\n", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGHOST", "from-environment")
    assert setting({"host": "given", "service": "qbr"}, "host", "PGHOST") == "given"
    assert setting({"service": "qbr"}, "host", "PGHOST") == "served"
    assert setting({"service": "nothing"}, "host", "PGHOST") == "from-environment"
    monkeypatch.setenv("PGSERVICE", "qbr")
    assert setting({}, "host", "PGHOST") == "served"
    monkeypatch.delenv("PGHOST")
    monkeypatch.delenv("PGSERVICE")
    assert setting({}, "port", "PGPORT", "5432") == "5432"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("select 'a' as b", "\"select 'a' as b\""),
        ("select 1", "'select 1'"),
        ("select '$1'", "'select '\"'\"'$1'\"'\"''"),
    ],
)
def test_the_line_to_run_by_hand(query: str, shown: str) -> None:
    """What reproduces a reading can be pasted into a shell, and cannot write."""
    line = psql_line({"host": "/run/my pg", "dbname": "qbr"}, query)
    assert line == (
        "PGOPTIONS='-c default_transaction_read_only=on -c row_security=off' "
        f"psql --no-psqlrc \"host='/run/my pg' dbname=qbr\" --command {shown}"
    )
