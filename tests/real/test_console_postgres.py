"""The console on a record in PostgreSQL whose server goes away in the middle of a run, and comes back."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from opsconsole.model.events import Noted, Ticked
from opsconsole.store.postgres import PostgresStore
from opsconsole.store.postgres_roles import WRITER
from support.command import Installation, installed
from support.ptys import Pty
from support.store_server import KillableServer, killable_server
from support.stores import shared_record

LEAVES_WITHIN = 10.0
"""Seconds after which a console that was left has ended, however silent the server is."""
CHECKLIST = 'title = "By hand"\ndue = { timezone = "UTC" }\n[[section]]\ntitle = "All"\n' + "".join(
    f'[[section.item]]\nid = "look-{each}"\ntitle = "Look at {each}"\nmanual = true\n' for each in range(2)
)


@pytest.fixture(scope="module")
def server() -> Iterator[KillableServer]:
    """Run a server that the tests of this module may stop."""
    with killable_server() as found:
        yield found


class Place:
    """A record of its own on the server, and an operator's installation."""

    def __init__(self, directory: Path, server: KillableServer) -> None:
        self.server = server
        self.dsn = server.dsn(shared_record(server), WRITER)
        config = f'store = "{self.dsn}"\n[anchors]\njournal = false\n'
        self.installation: Installation = installed(directory, config, by_hand=CHECKLIST)

    @property
    def unsaved(self) -> list[Path]:
        """The files of what could not be saved."""
        return list((self.installation.state / "unsaved").glob("*"))

    def console(self) -> Pty:
        """Open the run."""
        environment = {**self.installation.environment(), "TERM": "xterm-256color"}
        return Pty(self.installation.arguments("run", "by-hand"), env=environment)

    def done(self) -> list[str]:
        """Return what people did, as it is stored."""
        with closing(PostgresStore(self.dsn)) as store:
            (run,) = store.runs("by-hand")
            assert store.verify().broken is None
            bodies = [each.event.body for each in store.events(run.id)]
        return [
            each.item if isinstance(each, Ticked) else each.text
            for each in bodies
            if isinstance(each, Ticked | Noted)
        ]


@pytest.fixture
def place(tmp_path: Path, server: KillableServer) -> Place:
    """Give a record and an installation."""
    return Place(tmp_path, server)


@contextmanager
def frozen(server: KillableServer) -> Iterator[None]:
    """Let the server and its sessions say nothing for the length of the block, as a host that hangs."""
    assert server.server_pid is not None
    postmaster = psutil.Process(server.server_pid)
    processes = [postmaster, *postmaster.children()]
    for each in processes:
        each.suspend()
    try:
        yield
    finally:
        for each in processes:
            each.resume()


@pytest.mark.timeout(180)
def test_server_stopped_in_the_middle_of_a_run(place: Place) -> None:
    """It is said for as long as it lasts; what is typed is kept, marked and unsigned; then it is saved, once."""
    with place.console() as pty:
        pty.wait_for("> [ ] PENDING Look at 0")
        pty.send(" ")
        pty.wait_for("[x] PASS    Look at 0")
        pty.send("n")
        pty.wait_for("Enter save")
        pty.send("the light is red")
        place.server.stop()
        try:
            pty.wait_for("the light is red")
            pty.send("\r")
            pty.wait_for("1 action NOT SAVED")
            pty.wait_for("RECORD OUT OF REACH")
            (spilled,) = place.unsaved
            assert "the light is red" in spilled.read_text()
            pty.send("\x1b[B ")
            pty.wait_for("2 actions NOT SAVED")
            pty.send("g")
            pty.wait_for("not ready")
            pty.send("S")
            pty.wait_for("RECORD OUT OF REACH")
            pty.send("\x1b")
            pty.wait_for("2 actions NOT SAVED")
        finally:
            place.server.start()
        pty.wait_for("[x] PASS    Look at 1")
        pty.wait_until(lambda: "NOT SAVED" not in pty.screen.text and "OUT OF REACH" not in pty.screen.text)
        pty.send("g")
        pty.wait_for("ready: S signs")
        pty.send("S")
        pty.wait_for("Signed.")
        pty.send("q")
        assert pty.wait_exit() == 0
    assert place.done() == ["look-0", "the light is red", "look-1"]
    assert place.unsaved == []


@pytest.mark.timeout(180)
def test_server_that_was_killed_is_there_again(place: Place) -> None:
    """A crash of the server between two keys is not even noticed by one who looks away."""
    with place.console() as pty:
        pty.wait_for("> [ ] PENDING Look at 0")
        place.server.kill()
        place.server.start()
        pty.send(" ")
        pty.wait_for("[x] PASS    Look at 0")
        pty.send("q")
        assert pty.wait_exit() == 0
    assert place.done() == ["look-0"]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("leaving", ["q", "SIGHUP"])
def test_console_is_left_while_the_server_hangs(place: Place, leaving: str) -> None:
    """A server that says nothing keeps nobody; what was being saved is kept, and told, and saved the next time."""
    with place.console() as pty:
        pty.wait_for("> [ ] PENDING Look at 0")
        with frozen(place.server):
            pty.send(" ")
            pty.wait_for("saving")
            if leaving == "q":
                pty.send("q")
            else:
                os.kill(pty.pid, signal.SIGHUP)
            assert pty.wait_exit(LEAVES_WITHIN) == (4 if leaving == "q" else 128 + signal.SIGHUP)
        assert "1 action of by-hand@" in pty.screen.text
        assert "until it can be saved" in pty.screen.text.replace("\n", "")
    (spilled,) = place.unsaved
    assert "look-0" in spilled.read_text()
    with place.console() as pty:
        pty.wait_for("[x] PASS    Look at 0")
        pty.send("q")
        assert pty.wait_exit() == 0
    assert place.done() == ["look-0"]
    assert place.unsaved == []
