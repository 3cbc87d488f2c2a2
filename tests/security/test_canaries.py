"""Secrets that were put where people put them turn up nowhere: not in a record, a file, a process list, a terminal.

One whole morning of the real program, on a real PostgreSQL, leaves everything that is searched here. The same
morning with the masking taken away proves that each secret did come by, and would have been found.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.engine.engine import opened
from opsconsole.engine.recorder import NotSaved
from support.canaries import Leak, leaks, leaks_below
from support.console import BY_HAND, Morning
from support.planted import ARGUED, KNOWN, PLACES, SHAPED, TYPED, Sinks, morning, planted
from support.postgres import Postgres, open_directory
from support.report_pages import page_of

pytestmark = [pytest.mark.xdist_group("canaries"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def sinks(postgres: Postgres) -> Iterator[Sinks]:
    """Give what a morning left behind."""
    with open_directory() as directory, morning(directory / "it", postgres) as found:
        yield found


@pytest.fixture(scope="module")
def unmasked(postgres: Postgres) -> Iterator[Sinks]:
    """Give what it would leave behind without the masking."""
    with open_directory() as directory, morning(directory / "it", postgres, gate_open=True) as found:
        yield found


def one(place: str) -> dict[str, str]:
    """Return one place with its secret."""
    return {place: planted()[place]}


def said_by(sinks: Sinks, place: str) -> list[Leak]:
    """Return where a secret was printed."""
    return [leak for name, text in sinks.said.items() for leak in leaks(text, name, one(place))]


def left_by(sinks: Sinks, place: str) -> list[Leak]:
    """Return in which files a secret is."""
    return [
        leak
        for leak in leaks_below(sinks.place.directory, one(place))
        if not leak.sink.startswith(("host/", "checklists/"))
    ]


@pytest.mark.parametrize("place", PLACES)
def test_no_file_holds_it(sinks: Sinks, place: str) -> None:
    """Databases, journals, day logs, exports, locks, reports of crashes and temporary files are free of it."""
    assert left_by(sinks, place) == []


@pytest.mark.parametrize("place", PLACES)
def test_nothing_printed_holds_it(sinks: Sinks, place: str) -> None:
    """No command and no terminal showed it, crashing included."""
    assert said_by(sinks, place) == []


@pytest.mark.parametrize("place", [each for each in PLACES if each not in ARGUED])
def test_no_process_shows_it(sinks: Sinks, place: str) -> None:
    """It was never among the arguments of a process, which every user of the host can read."""
    assert leaks(b"\n".join(sinks.command_lines), "a command line", one(place)) == []


@pytest.mark.parametrize("place", KNOWN)
def test_no_child_inherits_it(sinks: Sinks, place: str) -> None:
    """A program that is started gets no secret but those that its item names."""
    found = [leak for each in sinks.environments.values() for leak in leaks(each, "an environment", one(place))]
    wanted = 1 if place == "passed on" else 0
    assert len(found) == wanted


def test_the_masks_are_there(sinks: Sinks) -> None:
    """What was measured and typed is recorded, with a mask where the secret was; nothing was just left out."""
    document = (sinks.place.directory / "morning.json").read_text()
    for expected in (
        "postgresql://billing:[redacted]@db.example",
        "mysql://tool:[redacted]@db",
        "the pool has no place for <[redacted]>",
        "login with password=[redacted] failed",
        "ALTER ROLE ops PASSWORD '[redacted]'",
        "> Authorization: Bearer [redacted]",
        "see redis://cache:[redacted]@host/0",
        "used PGPASSWORD=[redacted]",
        "with [redacted] and --password [redacted]",
        "https://api:[redacted]@host/",
    ):
        assert expected in document, expected
    shared = sinks.said["the shared record"].decode()
    assert "see https://api:[redacted]@host/" in shared
    assert "token=[redacted]" in shared
    assert "mysql://tool:[redacted]@db" in shared
    assert document.count("redacted") > 20


def test_the_masks_are_in_everything_made_of_records(sinks: Sinks) -> None:
    """Reports in each format, action items and explanations say what people wrote, with masks in it."""
    quarter = {
        form: (sinks.place.directory / f"quarter.{form}").read_text() for form in ("markdown", "json", "html")
    }
    for form, document in quarter.items():
        page = page_of(document).shown if form == "html" else document.replace("\\", "")
        for expected in (
            "see redis://cache:[redacted]@host/0",
            "the password=[redacted] had expired",
            "rotate https://api:[redacted]@host/",
            "token=[redacted]",
            "it is PGPASSWORD=[redacted] now",
        ):
            assert expected in page, (form, expected)
    for name in ("actions --all", "actions --all --json"):
        assert b"rotate https://api:[redacted]@host/" in sinks.said[f"the output of {name}"]
    for name in ("status nights --json", "report nights --format"):
        assert b"the password=[redacted] had expired" in sinks.said[f"the output of qualification {name}"]


def test_everything_was_looked_at(sinks: Sinks) -> None:
    """The morning did all that it was to do: what never happened could not leak."""
    names = {str(each.relative_to(sinks.place.directory)) for each in sinks.place.directory.rglob("*")}
    assert "state/opsconsole.db" in names
    assert {"morning.json", "morning.tar"} <= names
    assert [each for each in names if each.startswith("state/day-logs/morning-")]
    assert [each for each in names if each.startswith("state/crashes/crash-")]
    assert [each for each in names if each.startswith("state/locks/")]
    assert [each for each in names if each.startswith("records.git/night/")]
    assert sinks.said["the output of verify --all --format json"].count(b'"standing":"verified"') >= 2
    assert len(sinks.command_lines) > 5
    assert len(sinks.environments) >= 2
    assert all(text for name, text in sinks.said.items() if name.startswith("the terminal"))
    assert b"Traceback" in sinks.said["the errors of export morning --format json crashing"]
    assert b"\x1b[2J" not in sinks.said["the errors of export morning --format json crashing"]
    assert b"OPSCONSOLE_API_TOKEN" in sinks.said["the errors of list"]
    for kind in ("daily", "weekly", "monthly", "quarterly"):
        for form, begins in (("markdown", b"# "), ("json", b"{"), ("html", b"<!doctype html>")):
            assert sinks.said[f"the output of report {kind} --format {form}"].lower().startswith(begins)
    assert b"opsconsole.list.v1" in sinks.said["the output of list --json"]


@pytest.mark.parametrize("place", PLACES)
def test_without_the_masking_it_is_found(unmasked: Sinks, place: str) -> None:
    """Each secret does come by: with the gate open it is in the record, and this test finds it there."""
    found = {leak.sink for leak in left_by(unmasked, place)}
    assert {each for each in found if each.startswith("state/opsconsole.db")}, place
    assert said_by(unmasked, place)


async def test_what_could_not_be_saved_is_masked_as_well(tmp_path: Path) -> None:
    """With the record out of reach, what a person writes waits in a file: without the secret, too."""
    secret = one("note")
    home = Morning(tmp_path, {}, checklists=(BY_HAND,))
    async with opened(home.services().engine, BY_HAND) as session:
        home.store.broken = True
        with pytest.raises(NotSaved):
            await session.note("", f"see redis://cache:{secret['note']}@host/0")
        assert leaks_below(tmp_path, secret) == []
        assert [leak.sink for leak in leaks_below(tmp_path, {"the mask": "redis://cache:[redacted]@host/0"})]
        home.store.broken = False
        await session.retry_unsaved()
    assert leaks_below(tmp_path, secret) == []


def test_the_places_are_all_of_them() -> None:
    """No place is in the tables without being tried."""
    assert {*KNOWN} | {*SHAPED} | {*TYPED} == {*PLACES}
    assert len({*planted().values()}) == len(PLACES)


def test_a_canary_is_found_in_any_disguise(tmp_path: Path) -> None:
    """The search itself: in a file name, in a database across its pages, in base64, compressed, in a part."""
    import base64
    import gzip
    import sqlite3

    secret = one("note")["note"]
    (tmp_path / f"x-{secret}").write_text("")
    (tmp_path / "b").write_bytes(base64.b64encode(b"ab" + secret.encode() + b"tail"))
    (tmp_path / "z").write_bytes(gzip.compress(secret.encode()))
    (tmp_path / "p").write_text(secret[-14:])
    (tmp_path / "u").write_bytes(secret.encode("utf-16"))
    with sqlite3.connect(tmp_path / "d.db") as connection:
        connection.execute("create table t (x blob)")
        connection.execute("insert into t values (?)", ((b"y" * 4090 + secret.encode()) * 3,))
    connection.close()
    assert {leak.sink.partition(" (")[0] for leak in leaks_below(tmp_path, one("note"))} == {
        f"the name x-{secret}", "b", "z", "p", "u", "d.db",
    }  # fmt: skip
