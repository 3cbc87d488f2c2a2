"""A record that two people sign with real SSH keys, with its heads anchored in every place that there is."""

import asyncio
import contextlib
import datetime as dt
import os
import re
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opsconsole.anchors.exports import ExportsAnchor
from opsconsole.anchors.git import GitAnchor
from opsconsole.anchors.heads import LastSeenHeads
from opsconsole.anchors.journal import JournalAnchor
from opsconsole.contracts.anchor import Anchor, Kept
from opsconsole.contracts.probe import Environment
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.engine import Engine
from opsconsole.engine.session import RunSession
from opsconsole.engine.signing import Signing
from opsconsole.engine.signoff import statement_now
from opsconsole.engine.verifying import Verifying
from opsconsole.export.anchors import anchors_in
from opsconsole.export.files import file_name
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, AmendmentKind, Meaning
from opsconsole.model.people import Role
from opsconsole.model.tiers import Tier
from opsconsole.model.verification import CheckedAnchor, CheckedRun, Weight
from opsconsole.signing.ssh import SshSigner
from opsconsole.signing.verifying import OpenSshVerifier
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.records import write_record
from support.signed_runs import CHECKLIST, JANE, NOW, RAVI, done
from support.ssh import Key, make_key, short_directory, signer_line

RUN_1, RUN_2, RUN_3 = (f"morning@2026-11-2{day}" for day in (1, 2, 3))
DAY = dt.timedelta(days=1)


class SyslogDaemon:
    """Takes what is sent to a socket such as /dev/log, and writes it to a file as rsyslog and others do."""

    def __init__(self, path: Path, logs: Path, *, kind: socket.SocketKind = socket.SOCK_DGRAM) -> None:
        self.path = path
        self.file = logs / "auth.log"
        self._kind = kind
        self._socket = socket.socket(socket.AF_UNIX, kind)
        self._socket.bind(str(path))
        if kind is socket.SOCK_STREAM:
            self._socket.listen()
        self.received: list[bytes] = []
        self._taken = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while packet := self._next():
                line = packet.rstrip(b"\0").decode()
                found = re.fullmatch(r"<(\d+)>(... .\d \d\d:\d\d:\d\d) (.*)", line, re.DOTALL)
                assert found is not None, line
                with self.file.open("a", encoding="utf-8") as file:
                    file.write(f"{found[2]} ops01 {found[3]}\n")
                with self._taken:
                    self.received.append(packet)
                    self._taken.notify_all()

    def _next(self) -> bytes:
        if self._kind is socket.SOCK_DGRAM:
            return self._socket.recv(1 << 16)
        connection, _ = self._socket.accept()
        with connection:
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    def wait_for(self, count: int) -> None:
        """Wait until so many messages are in the file."""
        with self._taken:
            assert self._taken.wait_for(lambda: len(self.received) >= count, 30.0)

    def close(self) -> None:
        """Listen no longer."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(30.0)


@dataclass
class Scene:
    """One record with its people, keys and anchors, in a directory of its own."""

    directory: Path
    sockets: Path
    more_anchors: Sequence[Anchor] = ()
    now: dt.datetime = NOW
    keys: dict[str, Key] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """The file of the record."""
        return self.directory / "state" / "records.db"

    @property
    def heads(self) -> Path:
        """Where the account keeps its last-seen heads."""
        return self.directory / "home" / "heads"

    @property
    def exports(self) -> Path:
        """Where records are exported to."""
        return self.directory / "day-logs"

    def clock(self) -> dt.datetime:
        """Return the next second."""
        self.now += dt.timedelta(seconds=1)
        return self.now

    def verifier(self) -> OpenSshVerifier:
        """Return what checks signatures against the people of the scene."""
        return OpenSshVerifier(self.directory / "allowed_signers")

    def hire(self, principal: str, name: str, *roles: Role) -> None:
        """Make a key for somebody who may sign."""
        key = self.keys[principal] = make_key(self.directory / principal.partition("@")[0])
        signers = self.directory / "allowed_signers"
        before = signers.read_text(encoding="utf-8") if signers.exists() else ""
        signers.write_text(before + signer_line(principal, key.text, name, *roles), encoding="utf-8")
        signers.chmod(0o644)

    def anchors(self, store: SqliteStore) -> dict[str, Anchor]:
        """Return every anchor of the scene by its name."""
        quiet = self.directory / "no-journal"
        found: list[tuple[str, Anchor]] = [
            ("last-seen heads", LastSeenHeads(self.heads, store)),
            ("syslog", JournalAnchor(quiet, self.sockets / "log", self.directory / "logs")),
            ("git", GitAnchor(self.directory / "records.git", author="Jane Doe (jane)", host="ops01")),
            ("exports", ExportsAnchor(self.exports, anchors_in, location=store.location)),
        ]
        return dict([*found, *((each.name, each) for each in self.more_anchors)])

    def signing(self, store: SqliteStore, engine: Engine, principal: str = "jane@example.com") -> Signing:
        """Return what signs with the key of a person, and anchors it everywhere."""
        signer = SshSigner(
            self.verifier(),
            key=self.keys[principal].path,
            environ={"HOME": str(self.directory)},
            home=self.directory,
            sockets=(),
        )

        def exported(run: str) -> Path:
            return write_record(
                store,
                run,
                self.exports / file_name(run, ""),
                monitoring=engine.day_of_monitoring,
                verifier=self.verifier(),
                make_directory=True,
            )

        return Signing(store, signer, None, tuple(self.anchors(store).values()), exported)

    def engine(self, store: SqliteStore, actor: Actor = JANE) -> Engine:
        """Return an engine as a process of `actor` has it."""
        return Engine(store, {}, Environment(), actor, self.directory / "state", clock=self.clock)

    def verifying(self, store: SqliteStore, *anchors: Anchor, required: Tier = Tier.ATTRIBUTED) -> Verifying:
        """Return what verifies the record, with these anchors only."""
        return Verifying(store, self.verifier(), anchors, required=required, clock=self.clock)


@contextlib.contextmanager
def scene(directory: Path, more_anchors: Sequence[Anchor] = ()) -> Iterator[Scene]:
    """Give a scene with its people, and a syslog daemon that listens for as long as the block lasts."""
    directory.chmod(0o755)
    (directory / "logs").mkdir()
    with short_directory() as sockets:
        daemon = SyslogDaemon(sockets / "log", directory / "logs")
        try:
            made = Scene(directory, sockets, more_anchors)
            made.hire("jane@example.com", "Jane Doe", Role.OPERATOR)
            made.hire("ravi@example.com", "Ravi Rao", Role.OPERATOR, Role.REVIEWER)
            yield made
        finally:
            daemon.close()


async def sign(
    at: Scene,
    store: SqliteStore,
    session: RunSession,
    meaning: Meaning = Meaning.PERFORMED,
    principal: str = "jane@example.com",
    *,
    kind: AmendmentKind | None = None,
) -> None:
    """Sign a run with the key of a person, and anchor it."""
    signing = at.signing(store, at.engine(store), principal)
    offer = await signing.offer(session, meaning)
    assert offer.candidates, offer.refused
    amendment = amendment_now(session, kind, "found later", text="later found") if kind is not None else None
    statement = statement_now(session, meaning, offer.candidates[0].person, amendment)
    assert await signing.sign(session, statement, offer.candidates[0]) == ()


@contextlib.asynccontextmanager
async def run_of(
    at: Scene, store: SqliteStore, date: dt.date, actor: Actor = JANE, checklist: Checklist = CHECKLIST
) -> AsyncIterator[RunSession]:
    """Open a run, and close it after the block."""
    session = await at.engine(store, actor).open(checklist, date)
    try:
        yield session
    finally:
        await session.aclose()


async def filled(session: RunSession) -> None:
    """Do everything in a run that stands before its sign-off, and leave a note."""
    await done(session)
    await session.note("", "a note")


def written(at: Scene) -> Path:
    """Write two signed runs, the first one reviewed and amended, and an open one; return a copy from in between.

    The copy is what was there before the second run was signed, as a backup holds it.
    """
    copy = at.directory / "copy.db"

    async def write(store: SqliteStore) -> None:
        async with run_of(at, store, NOW.date()) as session:
            await filled(session)
            await sign(at, store, session)
            await sign(at, store, session, Meaning.AMENDED, kind=AmendmentKind.NOTE)
        async with run_of(at, store, NOW.date(), RAVI) as session:
            await sign(at, store, session, Meaning.REVIEWED, "ravi@example.com")
        at.now = NOW + DAY
        async with run_of(at, store, at.now.date()) as session:
            await filled(session)
            store.backup_to(copy)
            await sign(at, store, session)
        at.now = NOW + 2 * DAY
        async with run_of(at, store, at.now.date()) as session:
            await session.note("", "a note")

    with SqliteStore(at.database) as store:
        asyncio.run(write(store))
        LastSeenHeads(at.heads, store).look()
    return copy


def replaced(at: Scene, file: Path) -> None:
    """Put another file in the place of the record."""
    for leftover in at.database.parent.glob(f"{at.database.name}*"):
        leftover.unlink()
    shutil.copy2(file, at.database)
    os.chmod(at.database, 0o600)  # noqa: PTH101 - as SQLite leaves it


def found(runs: Sequence[CheckedRun | CheckedAnchor], weight: Weight = Weight.FAULT) -> list[str]:
    """Return the codes of all findings of a weight."""
    return [each.code for checked in runs for each in checked.findings if each.weight is weight]


def heads_of(anchor: Anchor) -> list[Kept]:
    """Return everything that an anchor keeps."""
    return list(anchor.kept())
