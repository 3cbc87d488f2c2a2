"""A qualification in a record on a PostgreSQL server, from its first day to the approval and what overturns it."""

from pathlib import Path

import pytest

from opsconsole.store.postgres_roles import OWNER, WRITER
from support.command import Done
from support.deciding import Office, ago
from support.postgres import Postgres
from support.stores import shared_database


@pytest.fixture
def office(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Two clean days, one that failed, a clean one, one that nobody ran, and two more clean ones."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/.local/state"))
    monkeypatch.setenv("PGUSER", WRITER)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    found = Office(tmp_path)
    shared = postgres.dsn(shared_database(postgres), "").replace("user=''", "").replace("'", "")
    found.place.config.write_text(f'store = "{shared}"\n{found.place.config.read_text()}')
    found.place.config.chmod(0o600)
    assert found.place.run("store", "init", env={**found.environment, "PGUSER": OWNER}).code == 0
    found.day(ago(6))
    found.day(ago(5), tickets="40")
    found.days(4, 2, 1)
    return found


def commanded(office: Office, *words: str, who: str = "") -> Done:
    """Run a command as somebody whose account may only add to the record, with the key of `who`."""
    keyed = ("--key", office.keys[who].fingerprint, "--yes") if who else ()
    return office.place.run(*words, *keyed, env={**office.environment, "PGUSER": WRITER})


def test_the_whole_story(office: Office) -> None:
    """Failed and missed days are documented, one is excluded, the count is approved, and the approval falls."""
    missed = f"morning@{ago(3)}"
    for words, who in (
        (("explain", missed, "--reason", "the office was closed"), "jane"),
        (("qualification", "exclude", "clean", str(ago(3)), "--reason", "the office was closed"), "jane"),
        (("sign", missed, "--as", "reviewed"), "ravi"),
        (("qualification", "reset", "clean", str(ago(5)), "--reason", "INC-1"), "jane"),
    ):
        done = commanded(office, *words, who=who)
        assert done.code == 0, done.err
    office.review()
    shown = commanded(office, "qualification", "status", "clean")
    assert shown.code == 0, shown.out
    assert f"reached: 3 days, {ago(4)} to {ago(1)}" in shown.out
    refused = commanded(office, "qualification", "approve", "clean", "--ready", who="ravi")
    assert refused.code == 1
    assert "another person has to decide" in refused.err
    assert commanded(office, "qualification", "approve", "clean", "--ready", who="ann").code == 0
    assert "ready for Phase 2" in commanded(office, "qualification", "status", "clean").out
    assert commanded(office, "verify", "--all").code == 0
    office.fail(ago(2))
    overturned = commanded(office, "qualification", "status", "clean")
    assert overturned.code == 1
    assert "Decisions that do not stand" in overturned.out
