"""Asks journalctl and reads its JSON: every form of a message, and what it says it could not see.

journalctl exits 0 with nothing for a unit that does not exist, an empty directory and a file that it had to
ignore, so anything on its standard error counts as not having seen. Format: systemd.journal-fields(7) and
https://systemd.io/JOURNAL_EXPORT_FORMATS/ (JSON).
"""

import datetime as dt
import json
import re
from typing import Any

import msgspec

from opsconsole.checks import _unitevents
from opsconsole.checks._process import Finished
from opsconsole.checks._systemd import Programs
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.readings import Evidence
from opsconsole.model.text import shortened

PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""By number, worst first: syslog(3)."""

COUNT_LIMIT = 100_000
"""More entries than these are not counted."""

MESSAGE_CHARACTERS = 4000
_SAMPLE_BYTES = 4 << 20
_COUNT_BYTES = 8 << 20
_FIELDS = ",".join(
    (
        "MESSAGE",
        "PRIORITY",
        "SYSLOG_IDENTIFIER",
        "_COMM",
        "_PID",
        "_SYSTEMD_UNIT",
        "UNIT",
        "N_DROPPED",
        *_unitevents.FIELDS,
    )
)
_DROPPED = "a596d6fe7bfa4994828e72309e95d61e"
"""SD_MESSAGE_JOURNAL_DROPPED: journald left out messages of a unit that wrote too many."""
_HEAD = re.compile(r"^Head realtime timestamp: .*\(([0-9a-f]+)\)$", re.MULTILINE)


class Entry(msgspec.Struct, frozen=True):
    """One message of the journal; the text is hostile."""

    at: dt.datetime
    priority: str | None
    source: str
    """Who wrote it, `sh[73]`."""
    unit: str | None
    message: str
    dropped: int = 0
    event: str = ""
    """What it tells of a run of a unit, where systemd itself says it: see `_unitevents`."""

    def line(self) -> str:
        """Return the entry as one line of evidence (more where the message has more)."""
        return f"{self.at:%Y-%m-%d %H:%M:%SZ} {self.priority or '-'} {self.source}: {self.message}"


class Found(msgspec.Struct, frozen=True):
    """The newest of the entries that were asked for, oldest first."""

    entries: tuple[Entry, ...]
    complete: bool
    """Whether these are all."""


class Journal:
    """One journal: the system's own, a namespace of it, or the files of a directory."""

    def __init__(self, programs: Programs, *, directory: str = "", namespace: str = "") -> None:
        self._programs = programs
        self._scope = [f"--directory={directory}"] if directory else []
        if namespace:
            self._scope.append(f"--namespace=+{namespace}")

    async def newest(self, *selection: str, most: int) -> Found:
        """Return up to `most` entries that `selection` (options of journalctl) leaves."""
        finished = await self._ask(
            "--output=json",
            f"--output-fields={_FIELDS}",
            "--all",
            "--reverse",
            f"--lines={most + 1}",
            *selection,
            limit_bytes=_SAMPLE_BYTES,
        )
        lines = finished.stdout.split(b"\n")
        if finished.truncated:
            lines.pop()  # cut off within an entry
        entries = [parsed_entry(line) for line in lines if line and not line.startswith(b"-- ")]
        complete = len(entries) <= most and not finished.truncated
        return Found(tuple(reversed(entries[:most])), complete)

    async def count(self, *selection: str) -> int | None:
        """Return the number of entries, None where there are more than `COUNT_LIMIT`."""
        finished = await self._ask(
            "--output=cat",
            "--output-fields=_BOOT_ID",
            f"--lines={COUNT_LIMIT + 1}",
            *selection,
            limit_bytes=_COUNT_BYTES,
        )
        counted = sum(1 for line in finished.stdout.splitlines() if line and not line.startswith(b"-- "))
        return None if finished.truncated or counted > COUNT_LIMIT else counted

    async def holds(self, *selection: str) -> bool:
        """Tell whether there is any such entry."""
        return bool((await self.newest(*selection, most=1)).entries)

    async def dropped(self, unit: str, *selection: str) -> int:
        """Return how many messages of a unit (of all, where it is empty) journald says it left out."""
        found = await self.newest(*selection, "_TRANSPORT=driver", f"MESSAGE_ID={_DROPPED}", most=1000)
        return sum(each.dropped for each in found.entries if not unit or each.message.endswith(f" {unit}"))

    async def begins(self, *selection: str) -> dt.datetime | None:
        """Return the time of the oldest entry of the files selected, None where that is not known."""
        finished = await self._ask("--header", *selection, limit_bytes=_SAMPLE_BYTES)
        heads = [int(match, 16) for match in _HEAD.findall(finished.stdout.decode("utf-8", "replace"))]
        return min((_time(head) for head in heads if head), default=None)

    async def _ask(self, *arguments: str, limit_bytes: int) -> Finished:
        finished = await self._programs.run(
            "journalctl", "--no-pager", *self._scope, *arguments, limit_bytes=limit_bytes
        )
        said = finished.stderr.decode("utf-8", "replace").strip()
        nothing_matched = (
            finished.returncode == 1 and not said and any(each.startswith("--grep=") for each in arguments)
        )
        if said or (finished.returncode and not nothing_matched):
            raise _unseen(said, finished.returncode)
        return finished


def _unseen(said: str, returncode: int) -> ProbeError:
    """Return what journalctl's words mean for an operator."""
    evidence = (Evidence("journalctl", said),) if said else ()
    if "insufficient permissions" in said or "not seeing messages" in said or "Permission denied" in said:
        return ProbeError(
            "no-permission",
            "this user may not read the whole journal",
            "add the user to the group 'systemd-journal' (`usermod -aG systemd-journal NAME`) and log in again",
            evidence,
        )
    first = said.partition("\n")[0]
    if "No journal files were found" in said:
        return ProbeError("empty", "there are no journal files", _EMPTY_HINT, evidence)
    if "No such file or directory" in said:
        return ProbeError(
            "not-found", f"there is no such journal: {first}", "see `directory` of the item", evidence
        )
    if "ignoring file" in said:
        return ProbeError(
            "incomplete",
            f"part of the journal cannot be read: {first}",
            "`journalctl --verify` names the damaged files; move them away to go on without what they hold",
            evidence,
        )
    if "pattern" in said.lower():
        return ProbeError(
            "failed", f"the pattern of `grep` cannot be used: {first}", "see pcre2pattern(3)", evidence
        )
    cause = f"journalctl failed: {first}" if said else f"journalctl failed with exit status {returncode}"
    return ProbeError("failed", cause, "run the command by hand to see more", evidence)


_EMPTY_HINT = "see whether systemd-journald runs and what Storage= in journald.conf says"


def empty(what: str, directory: str = "") -> ProbeError:
    """Return what is said of a journal in which nothing can be seen."""
    return ProbeError("empty", what, f"see what lies in {directory}" if directory else _EMPTY_HINT)


# --- reading entries ---------------------------------------------------------------------------------


def parsed_entry(line: bytes) -> Entry:
    """Return the entry that one line of `journalctl --output=json` holds."""
    try:
        fields: dict[str, Any] = json.loads(line)
        at = _time(int(fields["__REALTIME_TIMESTAMP"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ProbeError(
            "bad-answer",
            "journalctl printed an entry that cannot be read",
            "this belongs in a bug report, with the evidence",
            (Evidence("journalctl", line[:MESSAGE_CHARACTERS].decode("utf-8", "backslashreplace")),),
        ) from error
    own_unit = _field(fields.get("_SYSTEMD_UNIT"))
    about = _field(fields.get("UNIT")) if own_unit == "init.scope" else None
    name = _field(fields.get("SYSLOG_IDENTIFIER")) or _field(fields.get("_COMM")) or "unknown"
    pid = _field(fields.get("_PID"))
    dropped = _field(fields.get("N_DROPPED")) or ""
    return Entry(
        at=at,
        priority=_priority(_field(fields.get("PRIORITY"))),
        source=shortened(f"{name}[{pid}]" if pid else name, 100),
        unit=about or own_unit,
        message=_message(fields),
        dropped=int(dropped) if dropped.isascii() and dropped.isdigit() else 0,
        event=_unitevents.event_of({name: _field(fields.get(name)) or "" for name in _unitevents.FIELDS}),
    )


def _message(fields: dict[str, Any]) -> str:
    if "MESSAGE" not in fields:
        return "(an entry without a message)"
    found = _field(fields["MESSAGE"])
    return "(a message too long to be shown)" if found is None else shortened(found, MESSAGE_CHARACTERS)


def _field(value: Any) -> str | None:
    r"""Return a field as text: a text, a list of bytes, null for one that is too long, or a list of such values.

    Bytes that are no UTF-8 are spelled out (`\xff`).
    """
    if value is None or isinstance(value, str):
        return None if value is None else value.encode("utf-8", "backslashreplace").decode()
    if not isinstance(value, list):
        return str(value)
    if all(isinstance(each, int) and 0 <= each <= 255 for each in value):  # noqa: PLR2004 - bytes
        return bytes(value).decode("utf-8", "backslashreplace")
    parts = [_field(each) for each in value]
    return "\n".join(part for part in parts if part is not None) or None


def _priority(value: str | None) -> str | None:
    return PRIORITIES[int(value)] if value in set("01234567") else value


def _time(microseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=microseconds)
