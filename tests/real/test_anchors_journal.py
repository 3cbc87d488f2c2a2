"""Heads in the journal and in syslog: written as daemons take them, and read back as far as an account may."""

import contextlib
import datetime as dt
import gzip
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from opsconsole.anchors import journal
from opsconsole.anchors.journal import MESSAGE_ID, JournalAnchor, native
from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.store import Head
from opsconsole.store.sqlite import SqliteStore
from support import tampering
from support.anchored import SyslogDaemon, found, replaced, scene, written
from support.events import opening
from support.journal_in_box import Read
from support.ssh import short_directory
from support.systemd import PACKAGES, USER_ID, SystemdBox
from support.tampering import tampered

STORE = "9d1c22f4-0000-4000-8000-0123456789ab"
HOSTILE = "Eve\"\x1b[2J\nOPSCONSOLE_SEQ=9\n\u202eevil\x9b \u0301': head store="
"""A printed name that tries to be a terminal sequence, a field and the end of a text."""


def noted(seq: int = 7, **changes: object) -> Noted:
    """Return the head of a sign-off."""
    given = {
        "store_id": STORE,
        "store_location": "/var/lib/opsconsole/opsconsole.db",
        "head": Head(seq, f"{seq:02x}" * 32),
        "run": "morning@2026-11-21",
        "what": "performed PASS by Jane Doe (jane), signed",
        "at": dt.datetime(2026, 11, 21, 14, 5, tzinfo=dt.UTC),
    }
    return msgspec.convert({**given, **changes}, Noted)


def kept(anchor: JournalAnchor) -> tuple[list[Kept], str]:
    """Return what an anchor keeps, and what it says it could not read."""
    read: list[Kept] = []
    try:
        read.extend(anchor.kept())
    except AnchorError as error:
        return read, str(error)
    return read, ""


@pytest.fixture
def sockets() -> Iterator[Path]:
    """Give a directory whose path is short enough for a socket."""
    with short_directory() as directory:
        yield directory


# --- what is sent ----------------------------------------------------------------------------------


def fields_of(datagram: bytes) -> dict[str, str]:
    """Read a datagram as journald does: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/."""
    fields = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        size = int.from_bytes(rest[:8], "little")
        fields[name.decode()], datagram = rest[8 : 8 + size].decode(), rest[8 + size + 1 :]
    return fields


def test_an_entry_has_its_fields_whatever_people_are_called(sockets: Path) -> None:
    """A name with a line feed in it makes no field of its own, and the message is one harmless line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(sockets / "journal"))
        JournalAnchor(sockets / "journal", sockets / "none", sockets).keep(noted(what=f"{HOSTILE}\nX=1"), None)
        fields = fields_of(listening.recv(1 << 16))
    assert fields["MESSAGE_ID"] == MESSAGE_ID
    assert fields["OPSCONSOLE_STORE"] == STORE
    assert (fields["OPSCONSOLE_SEQ"], fields["OPSCONSOLE_HASH"]) == ("7", "07" * 32)
    assert fields["OPSCONSOLE_RUN"] == "morning@2026-11-21"
    assert (fields["PRIORITY"], fields["SYSLOG_IDENTIFIER"]) == ("5", "opsconsole")
    assert fields["MESSAGE"].isprintable()
    assert "X" not in fields


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_without_journald_it_goes_to_syslog(sockets: Path, tmp_path: Path, kind: socket.SocketKind) -> None:
    """A host with rsyslog or syslog-ng alone keeps heads too, and they are found in what logrotate put aside."""
    daemon = SyslogDaemon(sockets / "log", tmp_path, kind=kind)
    try:
        anchor = JournalAnchor(sockets / "none", sockets / "log", tmp_path)
        anchor.keep(noted(7), None)
        anchor.keep(noted(9, store_location='/srv/a "b"', what=HOSTILE), None)
        daemon.wait_for(2)
    finally:
        daemon.close()
    assert daemon.received[0].startswith(b"<85>")
    lines = daemon.file.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "auth.log.2.gz").write_bytes(gzip.compress(lines[0].encode()))
    (tmp_path / "auth.log").write_text("other\n" + lines[1], encoding="utf-8")
    (tmp_path / "syslog-ng.conf").write_text(lines[0], encoding="utf-8")
    read, unseen = kept(anchor)
    assert unseen == ""
    assert [each.head for each in read] == [Head(9, "09" * 32), Head(7, "07" * 32)]
    assert read[0].where == f"{tmp_path}/auth.log line 2"
    assert read[1].store_location == "/var/lib/opsconsole/opsconsole.db"


def test_a_false_entry_hides_no_true_one(sockets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody on the host may write an entry: one of an event that no record can have is passed over."""
    true = {"OPSCONSOLE_STORE": STORE, "OPSCONSOLE_SEQ": "7", "OPSCONSOLE_HASH": "07" * 32}
    entries = [{**true, "OPSCONSOLE_SEQ": seq} for seq in ("9" * 30, "9" * 10_000, "-1", "")] + [true]
    (tmp_path / "entries").write_text("".join(f"{json.dumps(each)}\n" for each in entries))
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/entries\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    read, unseen = kept(JournalAnchor(sockets / "none", sockets / "log", tmp_path))
    assert ([each.head for each in read], unseen) == ([Head(7, "07" * 32)], "")


def test_nobody_listens(sockets: Path) -> None:
    """On a host without any log daemon the console says so; the sign-off stands all the same."""
    with pytest.raises(
        AnchorError, match=r"nobody listens: .*journal: No such file.*; .*log: No such file"
    ) as raised:
        JournalAnchor(sockets / "journal", sockets / "log", sockets).keep(noted(), None)
    assert "[anchors] journal = false" in raised.value.hint


def test_a_daemon_that_hangs_holds_nothing_up(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped journald, its socket full, costs a moment and a message, not the operator's morning."""
    monkeypatch.setattr(journal, "_TIMEOUT", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(sockets / "journal"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filling, contextlib.suppress(BlockingIOError):
            filling.setblocking(False)
            filling.connect(str(sockets / "journal"))
            while True:
                filling.send(native(noted()))
        with pytest.raises(AnchorError, match=r"did not take the entry within 0\.05 s"):
            JournalAnchor(sockets / "journal", sockets / "none", sockets).keep(noted(), None)


def test_a_damaged_log_is_told(sockets: Path, tmp_path: Path) -> None:
    """A log that cannot be unpacked may have held heads: that is said, and the rest is read."""
    (tmp_path / "auth.log.1.gz").write_bytes(gzip.compress(b"x" * 1000)[:-20])
    anchor = JournalAnchor(sockets / "none", sockets / "none", tmp_path)
    assert f"{tmp_path}/auth.log.1.gz cannot be read" in kept(anchor)[1]


# --- a real journald -------------------------------------------------------------------------------


class BoxJournal:
    """The journal of a boxed machine, as an anchor for a record outside of the box."""

    name = "journal"

    def __init__(self, box: SystemdBox) -> None:
        self._box = box

    def keep(self, noted: Noted, record: Path | None) -> None:  # noqa: ARG002 - the contract's
        """Keep a head."""
        self._run("keep", stdin=msgspec.json.encode(noted))

    def kept(self) -> Iterator[Kept]:
        """Yield what root may read, which is all."""
        read = self.read()
        assert read.unseen == ""
        yield from read.kept

    def read(self, uid: int = 0) -> Read:
        """Read as an account of the box."""
        self._box.sync()
        return msgspec.json.decode(self._run("kept", str(uid)), type=Read)

    def _run(self, *what: str, stdin: bytes = b"") -> bytes:
        script = Path(__file__).parents[1] / "support" / "journal_in_box.py"
        python = ["env", f"PYTHONPATH={PACKAGES}", "HOME=/", sys.executable, "-B", str(script), *what]
        done = self._box.run(python, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout


@pytest.mark.systemd
@pytest.mark.xdist_group("systemd")
def test_a_real_journal(systemd_box: SystemdBox) -> None:
    """What journald took is read back with time, host and uid; an ordinary account is told what it cannot see."""
    box = BoxJournal(systemd_box)
    store = "9d1c22f4-0000-4000-8000-00000000000b"
    box.keep(noted(7, store_id=store, what=HOSTILE, store_location=f"/srv/{HOSTILE}"), None)
    (found,) = [each for each in box.read().kept if each.store_id == store]
    assert found.head == Head(7, "07" * 32)
    assert found.store_location == f"/srv/{HOSTILE}"
    assert found.where.startswith("journal of ")
    assert found.where.endswith(", written by uid 0")
    read = box.read(USER_ID)
    assert store not in {each.store_id for each in read.kept}
    assert "this account" in read.unseen


@pytest.mark.systemd
@pytest.mark.xdist_group("systemd")
def test_the_journal_shows_what_no_chain_can(systemd_box: SystemdBox, tmp_path: Path) -> None:
    """A cut-off end, a wiped record, an old copy: the journal of the host alone finds each."""
    with scene(tmp_path, [BoxJournal(systemd_box)]) as at:
        copy = written(at)
        sound = tmp_path / "sound.db"
        sound.write_bytes(at.database.read_bytes())

        def codes() -> list[str]:
            with SqliteStore(at.database) as store:
                return found(list(at.verifying(store, BoxJournal(systemd_box)).anchors()))

        assert codes() == []
        tampered(at.database, tampering.cut_off(12))
        assert codes() == ["head-not-in-chain"]
        replaced(at, copy)
        assert codes() == ["head-not-in-chain"]
        at.database.unlink()
        with SqliteStore(at.database) as store:
            store.append([opening()])
        assert set(codes()) == {"other-record-here"}
        replaced(at, sound)
        tampered(at.database, tampering.edit_and_chain(4))
        assert set(codes()) == {"head-not-in-chain"}
