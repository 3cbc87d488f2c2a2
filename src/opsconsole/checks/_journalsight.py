"""How much of a journal can be seen: whether there is one, whether it reaches back, and what journald left out.

journalctl exits 0 with nothing where it could see nothing; here that becomes an error, before anything is counted.
"""

import datetime as dt
from pathlib import Path

import msgspec

from opsconsole.checks import _systemd
from opsconsole.checks._journal import Journal, empty
from opsconsole.checks._systemd import Programs
from opsconsole.contracts.probe import ProbeError

MACHINE_ID = Path("/etc/machine-id")
"""Written when the system was set up; no entry of its journal is older."""
_SETTING_UP = dt.timedelta(minutes=10)


class Span(msgspec.Struct, frozen=True):
    """The stretch of time whose messages are looked at."""

    since: dt.datetime
    end: dt.datetime
    """No longer part of it."""
    open_end: bool = True
    """Whether it ends now: then messages of this very moment belong to it, too."""

    def options(self) -> list[str]:
        """Return the options of journalctl that leave its messages; --until= takes in the instant it names."""
        from_here = [f"--since=@{int(self.since.timestamp())}"]
        return from_here if self.open_end else [*from_here, f"--until=@{int(self.end.timestamp()) - 1}.999999"]

    def words(self) -> str:
        """Return it for a person."""
        until = "" if self.open_end else f" until before {self.end:%Y-%m-%d %H:%M:%S} UTC"
        return f"since {self.since:%Y-%m-%d %H:%M:%S} UTC{until}"


class Asked(msgspec.Struct, frozen=True):
    """What is to be seen, of the options of an item."""

    unit: str
    directory: str
    partial: bool
    least_level: int = 0
    """The priority, by number, of the least important messages that have to be there."""


class Seen(msgspec.Struct, frozen=True):
    """How much of what was asked for the journal holds."""

    span: Span
    begins: dt.datetime | None
    """Where the journal begins, if that is within the span."""
    missing: bool
    """Whether there may have been entries before its beginning."""
    dropped: int
    note: str = ""


async def living_journal(programs: Programs, asked: Asked) -> tuple[str, str]:
    """Return the journal namespace of a unit and a note on where its output goes, once journald is known to run."""
    _systemd.require_booted()
    unit = asked.unit
    questions = [_systemd.properties(programs, "systemd-journald.service", ["ActiveState"])]
    if unit:
        questions.append(
            _systemd.properties(programs, unit, ["LogNamespace", "StandardOutput", "StandardError", "LogLevelMax"])
        )
    journald, *units = await _systemd.together(*questions)
    if journald.get("ActiveState") != "active":
        raise ProbeError(
            "source-down",
            f"systemd-journald is {journald.get('ActiveState')}, so nothing is being recorded",
            "`systemctl status systemd-journald` says why",
        )
    shown = units[0] if units else {}
    level = shown.get("LogLevelMax", "")
    if level.isdigit() and int(level) < asked.least_level and not asked.partial:
        raise ProbeError(
            "incomplete",
            f"{unit} keeps messages beyond priority {level} out of the journal, those of systemd about it included",
            f"take LogLevelMax= out of the unit, or set it to {asked.least_level} or more",
        )
    return shown.get("LogNamespace", ""), _elsewhere(unit, shown)


_ELSEWHERE = {
    "append": "to a file",
    "file": "to a file",
    "truncate": "to a file",
    "null": "nowhere",
    "socket": "to a socket",
    "fd": "to a socket",
    "tty": "to a terminal",
}
"""What StandardOutput= and StandardError= may say beside the journal: systemd.exec(5)."""


def _elsewhere(unit: str, shown: dict[str, str]) -> str:
    """Return a note on the output of a unit that never reaches the journal."""
    notes = []
    for name, words in (("StandardOutput", "standard output"), ("StandardError", "standard error")):
        where = _ELSEWHERE.get(shown.get(name, "").partition(":")[0])
        if where:
            notes.append(f"{words} of {unit} goes {where}, not to the journal")
    if shown.get("LogLevelMax", "-1") not in {"", "-1"}:
        notes.append(f"{unit} keeps messages beyond priority {shown['LogLevelMax']} out of the journal")
    return "; ".join(notes)


async def require_entries_of(journal: Journal, asked: Asked) -> None:
    """Refuse a unit of which a directory of journal files has no entry at all: its name is likely mistyped."""
    if asked.unit and not await journal.holds(f"--unit={asked.unit}"):
        if not await journal.holds():
            raise empty(f"there are no journal entries in {asked.directory}", asked.directory)
        words = f"the journal in {asked.directory} has no entry of {asked.unit}"
        raise ProbeError("not-found", words, "check the unit's name")


async def visible(journal: Journal, asked: Asked, span: Span, note: str) -> Seen:
    """Return how much of the span can be seen; raise ProbeError where that is nothing, or less than all of it."""
    files = _files(asked)
    reaches_back, recorded, dropped = await _systemd.together(
        journal.holds(*files, f"--until=@{int(span.since.timestamp())}"),
        journal.holds(*files, *span.options()),
        journal.dropped(asked.unit, *span.options()),
    )
    if not recorded and not (reaches_back and asked.partial):
        raise empty(f"the journal holds no entry at all {span.words()}, of anything", asked.directory)
    begins, missing = (None, False) if reaches_back else await _beginning(journal, asked, span)
    whose = asked.unit or "noisy units"
    if dropped and not asked.partial:
        raise ProbeError(
            "incomplete",
            f"journald left out {dropped} messages of {whose} because there were too many at once",
            "raise LogRateLimitBurst= of the unit or RateLimitBurst= of journald.conf, or set 'partial = true'",
        )
    return Seen(span, begins, missing, int(dropped), note)


def _files(asked: Asked) -> list[str]:
    """Return the option that leaves the files of the system: one of a user may reach back further than those."""
    return [] if asked.directory else ["--system"]


async def _beginning(journal: Journal, asked: Asked, span: Span) -> tuple[dt.datetime | None, bool]:
    """Return when a journal begins that does not reach back over all of a span, and whether something is missing.

    Nothing is where the system itself was set up only then. A journal that is older than what tells of that, a file
    that was written again, may have been longer once.
    """
    begins = await journal.begins(*_files(asked))
    young = begins is not None and not asked.directory and abs(begins - _set_up()) <= _SETTING_UP
    if young or asked.partial:
        return begins, not young
    when = f"begins at {begins:%Y-%m-%d %H:%M:%S} UTC" if begins else "begins later"
    raise ProbeError(
        "incomplete",
        f"messages were asked for {span.words()}, but the journal {when}",
        "keep the journal in /var/log/journal and large enough (SystemMaxUse=), or set 'partial = true'",
    )


def _set_up() -> dt.datetime:
    """Return when this system was set up, the beginning of time where that is not known."""
    try:
        return dt.datetime.fromtimestamp(MACHINE_ID.stat().st_mtime, dt.UTC)
    except OSError:
        return dt.datetime.fromtimestamp(0, dt.UTC)
