"""The worker of the probe `logfile`: reads one log and says what is in it.

It is a process of its own, because a regular expression that takes for ever can be ended in no other way: `re`
does not give up the interpreter's lock while it searches, so in a thread it would hold up the whole console. It
imports the standard library only, and its memory is limited by the kernel. The request is a line of JSON on its
command line, the answer one on its standard output.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import sys
import time

from opsconsole.checks._logentries import Chunks, Selection, entries
from opsconsole.checks._logfiles import Files, Part, Refusal, is_wide, opened, unreadable
from opsconsole.checks._logmessages import LEVELS, hints_of, level_of
from opsconsole.checks._logplaces import (
    ORDER_SLACK,
    end_of,
    first_of,
    goes_on,
    in_order,
    is_whole,
    last_entry,
    last_of,
    place_of,
    samples,
    tail_of,
)
from opsconsole.checks._logtally import Tally
from opsconsole.checks._logtimes import Format, Lines, Stamp, Zone, formats, recognised, zone_named

TYPE_CHECKING = False
if TYPE_CHECKING:  # loading it would cost the worker a fifth of its start
    import re
    from collections.abc import Iterator
    from typing import Any

MEMORY = 512 << 20
"""Bytes of address space that the worker may have (512 MiB); it needs 40 to 60 MB mostly."""
_ROOM = 16 << 20
_TRIES = 3
_FEW = 1 << 14
"""Bytes in which the format shows mostly; where it does not, more are looked at."""
_FUTURE = 300.0
"""Seconds that the newest entry may be ahead of the clock."""
_FOLD = 4 * 3600.0
_PROGRESS_SECONDS = 0.2


class Scan:
    """One reading of a log from its files to the answer."""

    def __init__(self, request: dict[str, Any], files: Files) -> None:
        self.request = request
        self.files = files
        self.since: float | None = request["since"]
        self.until: float = request["until"]
        self.before: float | None = request["before"]
        self.level: str = request["level"]
        self.tally = Tally(list(request["patterns"]), request["rows"], messages=request["messages"])
        self.forms: dict[Part, Format] = {}
        self.firsts: dict[Part, Stamp] = {}
        self.lasts: dict[Part, tuple[int, Stamp]] = {}
        """Where the last entry of each file begins that is not compressed, and when it was written."""
        self.used: set[str] = set()
        """Names of the formats in which the times were that counted."""
        self.read: list[Part] = []
        self.notes = files.notes
        self.missing: list[str] = []
        """What is known to have been there, but is no longer."""
        self.cut = self.doubtful = self.bytes = 0
        self.newest: float | None = None
        self.zone = Zone(zone_named(request["zone"]))
        self.folds = self._near_fold()
        self._told = time.monotonic()

    @property
    def begins(self) -> float:
        """From when on entries matter."""
        since = float("-inf") if self.since is None else self.since
        return since if self.before is None else since - self.before

    def run(self) -> dict[str, Any]:
        """Read everything and return the answer; raises Refusal."""
        self.files.parts = [part for part in self.files.parts if not part.is_empty()]
        if not self.files.parts:
            if self.files.closed:
                raise unreadable(self.files.closed[0][0])
            raise Refusal("empty", f"{self.request['path']} is empty", "does whatever writes it still do so?")
        self._recognise()
        ordered = self._ordered()
        self._look_at_newest(ordered)
        self._look_for_gaps()
        needed = self._needed(ordered)
        for part in needed:
            self._scan(part)
        if not all(part.unchanged() for part in needed):
            raise Refusal(
                "changing", f"{self.request['path']} was truncated while it was being read", "measure again"
            )
        return self._answer(ordered)

    # --- which files -------------------------------------------------------------------------------

    def _recognise(self) -> None:
        """Find out in which format each file's times are."""
        known = formats(self.request["format"], self.zone)
        for part in self.files.parts:
            form = recognised(samples(part, _FEW), known) or recognised(samples(part), known)
            if form is None and self.since is not None and part.mtime < self.begins - ORDER_SLACK:
                self.notes.append(f"in {part.path} no times are found; it was last written before that")
                continue
            if form is None and any(map(is_wide, samples(part, _FEW))):
                raise Refusal(
                    "bad-answer",
                    f"{part.path} is written in UTF-16 or UTF-32, in which nothing can be searched",
                    "have it written in UTF-8",
                )
            if form is None and self.since is not None:
                raise _without_times(part, self.request["format"])
            self.forms[part] = form or Lines()
        if self.level and not any(self._levels(part, text) for part in self.forms for text in samples(part)):
            path = self.request["path"]
            raise Refusal("no-levels", f"no severity is named by the entries of {path}", "leave `level` out")

    def _levels(self, part: Part, text: bytes) -> bool:
        form = self.forms[part]
        return any(
            level_of(text[start:end], access=_is_access(form, form.head.match(text, start)))
            for start, end in entries(text, form.head)
        )

    def _ordered(self) -> list[Part]:
        """Return the files in the order of their first entries."""
        timed = []
        for part, form in self.forms.items():
            first = first_of(part, form)
            if first is not None:
                self.firsts[part] = first
            elif self.since is not None:
                if part.mtime < self.begins - ORDER_SLACK:
                    continue
                raise _without_times(part, self.request["format"])
            timed.append(part)
        if not timed:
            raise Refusal("no-times", f"{self.request['path']} has no entries with times that are looked at")
        return sorted(timed, key=lambda part: (self.firsts.get(part, (part.mtime,)), part.mtime))

    def _needed(self, ordered: list[Part]) -> list[Part]:
        """Return the files that may hold what is looked at; raises Refusal where one of them is not readable."""
        begins = self.begins - ORDER_SLACK
        for path, changed in self.files.closed:
            if changed >= begins:
                raise unreadable(path)
        if self.since is None:
            return ordered
        followers = [*ordered[1:], None]
        return [
            part
            for part, after in zip(ordered, followers, strict=True)
            if (after is None or self.firsts[after][1] >= begins or self._reaches(part, begins))
            and self.firsts[part][0] < self.until + ORDER_SLACK
        ]

    def _reaches(self, part: Part, begins: float) -> bool:
        """Return whether a file goes on after an instant: it may, though another began before that."""
        return self.lasts[part][1][1] >= begins if part in self.lasts else part.mtime >= self.begins

    def _look_at_newest(self, ordered: list[Part]) -> None:
        """Find out when the last entry was written; raises Refusal where that is still to come."""
        for each in ordered:
            found = (
                None if each.packing or isinstance(self.forms[each], Lines) else last_entry(each, self.forms[each])
            )
            if found is not None:
                self.lasts[each] = found
        part = ordered[-1]
        if isinstance(self.forms[part], Lines):
            return
        last = last_of(part, self.forms[part]) if part.packing else self.lasts.get(part, (0, None))[1]
        if last is None:
            if self.since is not None:
                raise _without_times(part, self.request["format"], where="at the end of ")
            return
        early, part = self._newest_of(ordered, last[0], part)
        self.newest = early
        now: float = self.request["now"]
        if early > now + _FUTURE:
            raise Refusal(
                "future",
                f"the newest entry of {part.path} is of {_shown(early)}, which is still to come",
                "say in which `timezone` its times are, or set the clock right",
            )
        if part.mtime - early > 1500 and abs((part.mtime - early + 120) % 900 - 120) < 120:  # noqa: PLR2004 - seconds: whole quarters of an hour, as zones differ
            hours = round((part.mtime - early) / 900) / 4
            self.notes.append(
                f"{part.path} was last written {hours:g} h after its newest entry: "
                "if its times are of another zone, say so by `timezone`"
            )
        self._look_behind_newest(part)

    def _newest_of(self, ordered: list[Part], newest: float, found: Part) -> tuple[float, Part]:
        """Return when the newest entry of all files was written, and in which; `newest` is that of the last one."""
        for part, (_, stamp) in self.lasts.items():
            if stamp[0] > newest:
                newest, found = stamp[0], part
        for part in ordered[:-1]:
            if part.packing and part.mtime > newest and not isinstance(self.forms[part], Lines):
                last = last_of(part, self.forms[part])
                if last is not None and last[0] > newest:
                    newest, found = last[0], part
        return newest, found

    def _look_behind_newest(self, part: Part) -> None:
        """Take lines without a time, written long after the last one with a time, for being of then, too."""
        if part not in self.lasts or self.since is None:
            return
        place, (early, late) = self.lasts[part]
        if part.mtime - late <= ORDER_SLACK or not late < self.since <= part.mtime or not goes_on(part, place):
            return
        self.lasts[part] = (place, (early, part.mtime))
        self.notes.append(
            f"the last entry of {part.path} is of {_shown(early)}, but lines without a time follow it, and the "
            f"file was last written at {_shown(part.mtime)}: it counts as of then, too"
        )

    def _look_for_gaps(self) -> None:
        """Find out which rotated files are missing that may hold what is looked at."""
        begun = {part.path: stamp[0] for part, stamp in self.firsts.items()}
        for words, *neighbours in self.files.gaps:
            known = [begun[each] for each in neighbours if each in begun]
            if self.since is None or not known or max(known) > self.since:
                self.missing.append(words)

    # --- what is in them ---------------------------------------------------------------------------

    def _scan(self, part: Part) -> None:
        form = self.forms[part]
        start, end = self._stretch(part, form)
        self.read.append(part)
        jump = self._put_back(part, form, start, end)
        selection = Selection(self.request["patterns"], hints_of(self.level) if self.level else ())
        chunks = Chunks(self._progress(part, start, end), form)
        stamp = self.firsts.get(part)
        place, last = self.lasts.get(part, (-1, None))
        for data in chunks:
            at = start + chunks.place
            for first, until, names in selection.spans(data, form.head):
                match = form.head.match(data, first)
                stamp = (form.stamp(match, part.mtime) if match is not None else None) or stamp
                settled = last if at + first == place else _settled(stamp, at + first, jump)
                self._take(settled, data[first:until], form, match, names)
        self.cut += chunks.cut

    def _take(
        self,
        stamp: Stamp | None,
        entry: bytes,
        form: Format,
        match: re.Match[bytes] | None,
        names: frozenset[str],
    ) -> None:
        """Count an entry if it is of the time and the severity asked for."""
        early, late = stamp or (0.0, 0.0)
        timed = self.since is not None
        if timed and (stamp is None or late < self.begins or early >= self.until):
            return
        holed = len(entry)
        entry = entry.lstrip(b"\0")
        level = level_of(entry, access=_is_access(form, match))
        if self.level and (not level or LEVELS.index(level) < LEVELS.index(self.level)):
            return
        head = 0 if match is None else match.end() - match.start() - (holed - len(entry))
        keyed = match is not None and form.is_keyed(match)
        self.used.add(form.name if match is None else form.name_of(match))
        if self.since is not None and late < self.since:
            self.tally.add_before(entry, head, keyed=keyed)
            return
        if early != late:
            self.doubtful += 1
        self.tally.add(stamp, level, entry, head, names, keyed=keyed)

    def _stretch(self, part: Part, form: Format) -> tuple[int, int]:
        """Return the part of a file to read: all of it where it is compressed, or not in the order of time."""
        if self.since is None or part.packing:
            return 0, part.size
        seen = [(part.begins, self.firsts[part])]
        times = self.begins - ORDER_SLACK - (_FOLD if self.folds else 0), self.until + ORDER_SLACK
        start, end = place_of(part, form, times[0], seen), part.size
        last = last_entry(part, form)
        seen += [] if last is None else [last]
        if last is not None and last[1][0] > times[1]:
            end = max(start, end_of(part, form, times[1], seen))
        if not is_whole(part, form, (start, end), times, seen) or not in_order(seen):
            self.notes.append(f"{part.path} is not in the order of time, so the whole of it was read")
            return 0, part.size
        return start, end

    def _put_back(self, part: Part, form: Format, start: int, end: int) -> int | None:
        """Return the place from which on times of an hour that came twice are of the second; None where none is."""
        if not self.folds:
            return None
        latest = float("-inf")
        chunks = Chunks(self._progress(part, start, end), form)
        for data in chunks:
            for first, _ in entries(data, form.head):
                early, late = form.at(data, first, part.mtime) or (0.0, 0.0)
                if early != late and early < latest - 60:
                    return start + chunks.place + first
                latest = max(latest, early) if early != late else latest
        return None

    def _near_fold(self) -> bool:
        """Return whether the clock was put back in the time that is looked at, or just before or after."""
        if self.since is None:
            return False
        return self.zone.is_put_back(max(self.begins, self.until - 400 * 86400) - _FOLD, self.until + _FOLD)

    def _progress(self, part: Part, start: int, end: int) -> Iterator[bytes]:
        """Yield what is read, and say now and then on standard error how far it has come."""
        for block in part.blocks(start, end):
            yield block
            self.bytes += len(block)
            now = time.monotonic()
            if now - self._told > _PROGRESS_SECONDS:
                self._told = now
                os.write(2, f"{self.bytes >> 20} MiB had been read, the last of them of {part.path}\n".encode())

    # --- what is answered --------------------------------------------------------------------------

    def _answer(self, ordered: list[Part]) -> dict[str, Any]:
        tally = self.tally
        oldest = self.firsts.get(ordered[0])
        messages = tally.messages() if self.request["messages"] else []
        return {
            "count": tally.count,
            "patterns": tally.by_pattern,
            "newest": self.newest,
            "oldest": None if oldest is None else oldest[0],
            "burst": tally.burst(),
            "kept": tally.kept(),
            "hours": tally.hours(),
            "messages": messages[: self.request["rows"]],
            "different": len(messages),
            "new": sum(1 for each in messages if each[-1]),
            "most": messages[0][1] if messages else 0,
            "many_messages": tally.many_messages,
            "tail": tail_of(ordered, self.request["tail"]) if self.request["tail"] else "",
            "read": [part.path for part in self.read],
            "formats": sorted(self._formats() - {""}),
            "notes": self.notes,
            "missing": self.missing,
            "cut": self.cut,
            "doubtful": self.doubtful,
            "bytes": self.bytes,
        }

    def _formats(self) -> set[str]:
        return self.used or {form.name for part, form in self.forms.items() if part in self.read}


def _first(pair: tuple[float, Part]) -> float:
    return pair[0]


def _is_access(form: Format, match: re.Match[bytes] | None) -> bool:
    """Return whether an entry is a request, whose severity is its status."""
    return (form.name if match is None else form.name_of(match)) == "access"


def _settled(stamp: Stamp | None, at: int, jump: int | None) -> Stamp | None:
    """Return the time of an entry, of the two in an hour that came twice the one that its place tells."""
    if stamp is None or jump is None or stamp[0] == stamp[1]:
        return stamp
    return (stamp[0], stamp[0]) if at < jump else (stamp[1], stamp[1])


def _without_times(part: Part, declared: str, where: str = "in ") -> Refusal:
    looked = "of any format that is known" if declared == "auto" else f"as '{declared}' says"
    return Refusal(
        "no-times",
        f"{where}{part.path} no line begins with a time {looked}",
        'declare the `format` of its times, or count in the whole log: since = "all"',
    )


def _shown(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M:%SZ}"


def answered(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request, or the problem; a log that changes meanwhile is read again."""
    for attempt in range(1, _TRIES + 1):
        try:
            files = opened(request["path"], rotated=request["rotated"])
            try:
                return Scan(request, files).run()
            finally:
                files.close()
        except Refusal as refusal:
            if refusal.reason != "changing" or attempt == _TRIES:
                return {"problem": [refusal.reason, refusal.cause, refusal.hint]}
        except MemoryError:
            break
        except OSError as error:
            return {"problem": ["failed", f"{request['path']} cannot be read: {error.strerror}", ""]}
    return {
        "problem": ["too-large", f"{request['path']} needs more than {MEMORY >> 20} MiB of memory to be read", ""]
    }


def main(text: str) -> None:
    """Answer the request that is the first argument."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    bytes(
        _ROOM
    )  # given back at once: from then on glibc keeps what is freed, instead of asking for each block anew
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    sys.stdout.write(json.dumps(answered(json.loads(text)), ensure_ascii=False))
