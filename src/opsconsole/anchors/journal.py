"""Notes each sign-off in the journal of the host, or by syslog, and reads those notes back.

Both are written by another account than the operator's, are commonly sent on to another host, and are kept for
as long as the host's own rules say. Formats: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, systemd.journal-fields(7)
and RFC 3164 without a host name, as syslog(3) of the C library sends it to /dev/log and every daemon reads it.
"""

import datetime as dt
import errno
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from opsconsole.anchors.journalctl import entries
from opsconsole.anchors.syslogfiles import lines_of, log_files
from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.store import Head
from opsconsole.model.text import visible

JOURNAL_SOCKET = Path("/run/systemd/journal/socket")
SYSLOG_SOCKET = Path("/dev/log")
LOG_DIRECTORY = Path("/var/log")

MESSAGE_ID = "5d0f6e1c2b7a4c0f9a3e8d41b6c7f209"
"""Of every note: `journalctl MESSAGE_ID=…` finds them all."""

IDENTIFIER = "opsconsole"
_NOTICE = 5
_AUTHPRIV = 10
"""The facility for security: its file is not everybody's to read, and it is what hosts send on and keep longest."""

_TIMEOUT = 2.0
"""Seconds that a log daemon is waited for: it may be stopped, with its socket full."""
_LONGEST = 4000
"""Characters of a message; a path or a printed name may be long."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_NOTE = re.compile(
    r"\bopsconsole\[\d+\]: head store=(?P<store>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) "
    r"seq=(?P<seq>\d{1,15}) hash=(?P<hash>[0-9a-f]{64}) run=\S* location=\"(?P<location>[^\"]*)\""
)
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_SEQ = re.compile(r"[0-9]{1,15}\Z")


class JournalAnchor:
    """An Anchor (see contracts): one structured entry for each sign-off, in the journal or else by syslog."""

    name = "journal"

    def __init__(
        self,
        journal: Path = JOURNAL_SOCKET,
        syslog: Path = SYSLOG_SOCKET,
        logs: Path = LOG_DIRECTORY,
    ) -> None:
        self._journal = journal
        self._syslog = syslog
        self._logs = logs

    def keep(self, noted: Noted, record: Path | None) -> None:  # noqa: ARG002 - a log keeps heads, no files
        """Send the head to journald, or else to the syslog daemon; raises AnchorError where neither listens."""
        failures = []
        for path, packets in ((self._journal, [native(noted)]), (self._syslog, [syslog_line(noted)])):
            try:
                _send(path, packets)
            except OSError as error:
                failures.append(f"{path}: {_cause(error)}")
            else:
                return
        raise AnchorError(
            f"nobody listens: {'; '.join(failures)}",
            "there is no journald and no syslog daemon here; [anchors] journal = false says that this is meant",
        )

    def kept(self) -> Iterator[Kept]:
        """Yield every head that the journal and the files of syslog show this account.

        Raises AnchorError, after what could be read, that tells what could not.
        """
        of_journal: list[str] = []
        of_syslog: list[str] = []
        try:
            for fields in entries(MESSAGE_ID):
                if (found := _of_entry(fields)) is not None:
                    yield found
        except AnchorError as error:
            of_journal.append(str(error))
        files = log_files(self._logs)
        for where, line in lines_of(files, IDENTIFIER, of_syslog):
            if (found := _of_line(line, where)) is not None:
                yield found
        unseen = self._unseen(of_journal, of_syslog, has_files=bool(files))
        if unseen:
            raise AnchorError("; ".join(unseen), "verify as root, or as an account that may read it")

    def _unseen(self, of_journal: list[str], of_syslog: list[str], *, has_files: bool) -> list[str]:
        """Return what could not be read of where this host's notes go; of the other place nothing is missed."""
        if self._journal.exists():
            return of_journal
        if has_files or not of_journal:
            return of_syslog
        return [*of_journal, f"there is no file of syslog in {self._logs}"]


def message(noted: Noted) -> str:
    """Return the note as one line; what a program reads stands before what people wrote."""
    location = visible(noted.store_location).replace('"', "'")
    head = f"store={noted.store_id} seq={noted.head.seq} hash={noted.head.hash}"
    return f'head {head} run={visible(noted.run)} location="{location}": {visible(noted.what)}'[:_LONGEST]


def native(noted: Noted) -> bytes:
    """Return the note as one datagram of journald's native protocol."""
    fields = {
        "MESSAGE": message(noted),
        "MESSAGE_ID": MESSAGE_ID,
        "PRIORITY": str(_NOTICE),
        "SYSLOG_FACILITY": str(_AUTHPRIV),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "SYSLOG_PID": str(os.getpid()),
        "OPSCONSOLE_STORE": noted.store_id,
        "OPSCONSOLE_LOCATION": noted.store_location,
        "OPSCONSOLE_SEQ": str(noted.head.seq),
        "OPSCONSOLE_HASH": noted.head.hash,
        "OPSCONSOLE_RUN": noted.run,
    }
    return b"".join(_field(name, value.encode("utf-8", "backslashreplace")) for name, value in fields.items())


def _field(name: str, value: bytes) -> bytes:
    return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


def syslog_line(noted: Noted) -> bytes:
    """Return the note as syslog(3) writes it: `<85>Nov 21 14:00:00 opsconsole[123]: head …`."""
    now = dt.datetime.now().astimezone()
    stamp = f"{_MONTHS[now.month - 1]} {now.day:2} {now:%H:%M:%S}"
    line = f"<{_AUTHPRIV * 8 + _NOTICE}>{stamp} {IDENTIFIER}[{os.getpid()}]: {message(noted)}"
    return line.encode("utf-8", "backslashreplace")


def _send(path: Path, packets: list[bytes]) -> None:
    """Send to a socket of the file system, as datagrams or, where it is one, as a stream of lines ended by NUL."""
    try:
        _send_as(socket.SOCK_DGRAM, path, packets)
    except OSError as error:
        if error.errno != errno.EPROTOTYPE:
            raise
        _send_as(socket.SOCK_STREAM, path, [each + b"\0" for each in packets])


def _send_as(kind: socket.SocketKind, path: Path, packets: list[bytes]) -> None:
    with socket.socket(socket.AF_UNIX, kind) as sender:
        sender.settimeout(_TIMEOUT)
        sender.connect(str(path))
        for each in packets:
            sender.sendall(each)


def _cause(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not take the entry within {_TIMEOUT:g} s"
    return error.strerror or str(error)


def _of_entry(fields: dict[str, str]) -> Kept | None:
    """Return the head in an entry of the journal, None where it is none of ours."""
    seq, own = fields.get("OPSCONSOLE_SEQ", ""), fields.get("OPSCONSOLE_HASH", "")
    if not (_SEQ.match(seq) and _HASH.match(own)):
        return None
    when = ""
    with suppress(ValueError, OverflowError, OSError):
        instant = dt.datetime.fromtimestamp(int(fields.get("__REALTIME_TIMESTAMP", "")) / 1e6, dt.UTC)
        when = f" at {instant:%Y-%m-%d %H:%M:%SZ}"
    who = f", written by uid {fields['_UID']}" if "_UID" in fields else ""
    return Kept(
        store_id=fields.get("OPSCONSOLE_STORE", ""),
        head=Head(int(seq), own),
        where=f"journal of {fields.get('_HOSTNAME', 'this host')}{when}{who}",
        store_location=fields.get("OPSCONSOLE_LOCATION", ""),
    )


def _of_line(line: str, where: str) -> Kept | None:
    found = _NOTE.search(line)
    if found is None:
        return None
    return Kept(
        store_id=found["store"],
        head=Head(int(found["seq"]), found["hash"]),
        where=where,
        store_location=found["location"],
    )
