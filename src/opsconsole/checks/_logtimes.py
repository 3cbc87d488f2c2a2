"""Finds and reads the timestamps of log entries.

Like all that the worker of the probe `logfile` loads, it imports the standard library only, and little of that: the
worker is started for every measurement.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence

Stamp = tuple[float, float]
"""When something was written, in seconds since 1970: the earliest and the latest instant that its text may mean.
They differ only in the hour that comes twice when a clock is put back."""

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_MONTH = rb"(?P<b>" + b"|".join(_MONTHS) + rb")"
_WEEKDAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = rb"(?P<H>[01]\d|2[0-3]):(?P<M>[0-5]\d):(?P<S>[0-5]\d|60)"
_FRACTION = rb"(?:[.,](?P<f>\d{1,9}))?"
_OFFSET = rb"(?P<z>Z|[ ]?(?:UTC|GMT)\b|[ ]?[+-](?:0\d|1[0-4]):?(?:00|15|30|45)(?!\d)|[+-](?:0\d|1[0-4])(?![\d:]))?"
_ISO = (
    rb"(?P<Y>(?:19|20)\d\d)-(?P<m>[01]\d)-(?P<d>[0-3]\d)[T_ ](?P<H>[01]\d|2[0-3]):(?P<M>[0-5]\d)"
    rb"(?::(?P<S>[0-5]\d|60)" + _FRACTION + rb")?" + _OFFSET + rb"(?!\d)"
)
_EPOCH = (
    rb"(?:(?P<ns>[12]\d{18})|(?P<us>[12]\d{15})|(?P<ms>[12]\d{12})|(?P<e>[12]\d{9})" + _FRACTION + rb")(?![\d:-])"
)
_WORD = rb"(?:[\[(<]?[A-Za-z]{1,10}[\])>]?:?[ \t]+)?[\[(]?"
"""What may come before a time: a severity, a bracket."""
_KEYS = rb"(?:@timestamp|timestamp|datetime|asctime|time|date|ts|t)"

PATTERNS = {
    "iso": rb"(?:<\d{1,3}>(?:\d[ ])?)?" + _WORD + _ISO,
    "nginx": rb"(?P<Y>(?:19|20)\d\d)/(?P<m>[01]\d)/(?P<d>[0-3]\d) " + _TIME + _FRACTION,
    "access": rb"[^\n\[]{0,300}\[(?P<d>[0-3]\d)/" + _MONTH + rb"/(?P<Y>\d{4}):" + _TIME + rb" (?P<z>[+-]\d{4})\]",
    "django": rb"\[(?P<d>[0-3]\d)/" + _MONTH + rb"/(?P<Y>\d{4}) " + _TIME + rb"\]",
    "apache": rb"\[?"
    + _WEEKDAY
    + rb" "
    + _MONTH
    + rb" +(?P<d>[0-3]?\d) "
    + _TIME
    + _FRACTION
    + rb" (?P<Y>\d{4})\b",
    "syslog": rb"(?:<\d{1,3}>)?" + _MONTH + rb" +(?P<d>[0-3]?\d) " + _TIME + _FRACTION + rb"(?![\d:])",
    "epoch": rb"\[?" + _EPOCH,
    "json": rb'\{[^\n]{0,4000}?"' + _KEYS + rb'"[ ]?:[ ]?"?(?:' + _ISO + rb"|" + _EPOCH + rb")",
    "logfmt": (
        rb'(?:[\w.]{1,40}=(?:"[^"\n]{0,200}"|[^\s"]{0,200}) ){0,5}?'
        + _KEYS
        + rb'="?(?:'
        + _ISO
        + rb"|"
        + _EPOCH
        + rb")"
    ),
}
"""How the first line of an entry begins, by the name of its format."""

_BESIDE = frozenset({"iso", "nginx", "access", "apache", "django", "syslog"})
"""Formats that may stand beside any other in one file: each is plain enough not to be taken for a further line."""
_KEYED = frozenset({"json", "logfmt"})
_OFTEN = 20
"""Of the others one line in so many has to begin in a format for it to count beside that of most."""
_FEWEST = 3

_DIRECTIVES = {
    "Y": rb"(?P<Y>\d{4})",
    "y": rb"(?P<y>\d\d)",
    "m": rb"(?P<m>[01]?\d)",
    "d": rb"(?P<d>[0-3]?\d)",
    "e": rb"[ ]?(?P<d>[0-3]?\d)",
    "b": _MONTH,
    "H": rb"(?P<H>[01]?\d|2[0-3])",
    "I": rb"(?P<I>[01]?\d)",
    "p": rb"(?P<p>[AaPp])\.?[Mm]\.?",
    "M": rb"(?P<M>[0-5]\d)",
    "S": rb"(?P<S>[0-5]\d|60)",
    "f": rb"(?P<f>\d{1,9})",
    "z": rb"(?P<z>Z|UTC|[+-]\d\d(?::?\d\d)?)",
    "s": rb"(?P<e>[12]\d{9})",
    "%": rb"%",
}
_LINE = re.compile(rb"(?m)^")
_FRACTIONS = {"ns": 1e9, "us": 1e6, "ms": 1e3}
"""Of a second, by the name of the group that holds so many since 1970."""
_MOST_CACHED = 20_000
_AHEAD = 86_400
"""Seconds that a time without a year may lie after the file was last written."""


def custom_pattern(text: str) -> bytes:
    """Return the pattern of a format in the directives of strptime(3); raises ValueError for an unknown one."""
    found = [_WORD]
    for literal, directive in re.findall(r"([^%]+)|%(.?)", text, re.DOTALL):
        if literal:
            found.append(re.escape(literal.encode()))
        elif directive in _DIRECTIVES:
            found.append(_DIRECTIVES[directive])
        else:
            raise ValueError(f"%{directive} is not understood")
    try:
        groups = re.compile(b"".join(found)).groupindex
    except re.error as error:
        raise ValueError(str(error)) from error
    day = {"d"} <= groups.keys() and groups.keys() & {"m", "b"} and groups.keys() & {"H", "I"} and "M" in groups
    if not day and "e" not in groups:
        raise ValueError("it names no day and time of day")
    return b"".join(found)


class Zone:
    """Where times without an offset were written."""

    def __init__(self, where: dt.tzinfo) -> None:
        self.where = where
        self._minutes: dict[tuple[int, int, int, int, int], Stamp] = {}

    def minute(self, year: int, month: int, day: int, hour: int, minute: int) -> Stamp:
        """Return the instants that a minute of the wall clock may mean; raises ValueError for none."""
        key = (year, month, day, hour, minute)
        found = self._minutes.get(key)
        if found is None:
            if len(self._minutes) > _MOST_CACHED:
                self._minutes.clear()
            first = dt.datetime(*key, tzinfo=self.where)
            one, other = first.timestamp(), first.replace(fold=1).timestamp()
            # where the clock was put forward the two are in the other order, and the minute never was
            found = self._minutes[key] = (one, other) if one <= other else (one, one)
        return found

    def is_put_back(self, first: float, last: float) -> bool:
        """Return whether the clock is put back between two instants."""
        at = first
        while at < last and self.where is not dt.UTC:
            here = dt.datetime.fromtimestamp(at, self.where).utcoffset()
            then = dt.datetime.fromtimestamp(min(at + 3600, last), self.where).utcoffset()
            if here is not None and then is not None and then < here:
                return True
            at += 3600
        return False


def zone_named(name: str) -> dt.tzinfo:
    """Return a zone by its IANA name or by its file; UTC where that file is not there, as the C library does."""
    if name == "UTC":
        return dt.UTC
    from zoneinfo import ZoneInfo

    if not name.startswith("/"):
        return ZoneInfo(name)
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - pathlib costs the worker a third of its start
            return ZoneInfo.from_file(file)
    except FileNotFoundError:
        return dt.UTC


_UTC = Zone(dt.UTC)


class Format:
    """How the entries of a file begin, and how their times are read: in one way mostly, or in several."""

    def __init__(self, name: str, patterns: Mapping[str, bytes], zone: Zone) -> None:
        """Prepare it: `name` is that of the format of most entries, `patterns` are those of all by their names."""
        self.name = name
        self.patterns = patterns
        self.head = re.compile(rb"(?m)^\x00*(?:" + _renamed(_either(patterns.values())) + rb")")
        self.zone = zone
        self._names = dict(zip(map(_outer, range(len(patterns))), patterns, strict=True))
        self._groups = _groups_of(self.head)

    def name_of(self, match: re.Match[bytes]) -> str:
        """Return the name of the format in which an entry begins."""
        return self._names.get(match.lastgroup or "", self.name)

    def is_keyed(self, match: re.Match[bytes]) -> bool:
        """Return whether an entry says everything by keys, its time among them."""
        return self.name_of(match) in _KEYED

    def stamp(self, match: re.Match[bytes], reference: float) -> Stamp | None:
        """Return when an entry was written, None for a day that never was.

        `reference` is about the latest that a time without a year can be.
        """
        groups = self._groups[match.lastgroup or ""]
        parts = {name: text for group, name in groups if (text := match[group]) is not None}
        try:
            return _epoch(parts) or self._wall(parts, reference)
        except (ValueError, OverflowError):
            return None

    def at(self, data: bytes, start: int, reference: float) -> Stamp | None:
        """Return when the entry that begins at `start` was written, None where none begins there."""
        match = self.head.match(data, start)
        return None if match is None else self.stamp(match, reference)

    def _wall(self, parts: dict[str, bytes], reference: float) -> Stamp:
        month = int(parts["m"]) if "m" in parts else _MONTHS.index(parts["b"]) + 1
        hour = int(parts["H"]) if "H" in parts else int(parts["I"]) % 12 + 12 * (parts.get("p", b"a") in b"Pp")
        rest = min(int(parts.get("S", b"0")), 59) + float(b"0." + parts.get("f", b"0"))
        offset = _offset(parts["z"]) if "z" in parts else None
        zone = self.zone if offset is None else _UTC
        for year in _years(parts, reference):
            try:
                early, late = zone.minute(year, month, int(parts["d"]), hour, int(parts["M"]))
            except ValueError:  # 29 February of another year
                continue
            shift = rest - (offset or 0)
            if "Y" in parts or "y" in parts or early + shift <= reference + _AHEAD:
                return early + shift, late + shift
        raise ValueError


class Lines(Format):
    """Every line is an entry, and no times are known."""

    def __init__(self) -> None:
        super().__init__("", {}, _UTC)
        self.head = _LINE

    def stamp(self, match: re.Match[bytes], reference: float) -> Stamp | None:  # noqa: ARG002 - there is none to read
        """Return None."""
        return None


def formats(declared: str, zone: Zone) -> Sequence[Format]:
    """Return the formats that a file may have: the declared one, or all that are recognised."""
    if declared == "auto":
        return [Format(name, {name: pattern}, zone) for name, pattern in PATTERNS.items()]
    pattern = PATTERNS[declared] if declared in PATTERNS else custom_pattern(declared)
    return [Format(declared, {declared: pattern}, zone)]


def recognised(samples: Iterable[bytes], known: Sequence[Format]) -> Format | None:
    """Return the format in which most entries of the samples begin; None where none begins in any.

    Where several are known it has those beside it that other entries may begin in: a server may write its requests
    and its errors into one file, and an upgrade change the times of a log.
    """
    texts = list(samples)
    begun = {
        each: {(at, m.start()) for at, text in enumerate(texts) for m in each.head.finditer(text)} for each in known
    }
    best = max(known, key=lambda each: len(begun[each]))
    if not begun[best] or len(known) == 1:
        return best if begun[best] else None
    often = max(_FEWEST, len(begun[best]) // _OFTEN)
    beside = [
        each
        for each in known
        if each is not best and (each.name in _BESIDE or len(begun[each] - begun[best]) >= often)
    ]
    patterns = {name: text for each in (best, *beside) for name, text in each.patterns.items()}
    return Format(best.name, patterns, best.zone)


def _renamed(pattern: bytes) -> bytes:
    """Return `pattern` with groups of its own for each time that a name is given: Python wants them unique."""
    seen: dict[bytes, int] = {}

    def renamed(match: re.Match[bytes]) -> bytes:
        name = match[1]
        seen[name] = seen.get(name, 0) + 1
        return b"(?P<%s%s>" % (name, b"_" * (seen[name] - 1))

    return re.sub(rb"\(\?P<(\w+)>", renamed, pattern)


def _outer(number: int) -> str:
    """Return the name of the group around the pattern of one of several formats."""
    return f"format{number}"


def _either(patterns: Iterable[bytes]) -> bytes:
    return b"|".join(b"(?P<%s>%s)" % (_outer(at).encode(), pattern) for at, pattern in enumerate(patterns))


def _groups_of(head: re.Pattern[bytes]) -> dict[str, list[tuple[str, str]]]:
    """Return the groups within each outer one, with what they stand for."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in head.groupindex:  # in the order of their opening parentheses
        if name.startswith("format"):
            inner = found[name] = []
        else:
            inner.append((name, name.rstrip("_")))
    return found


def _epoch(parts: dict[str, bytes]) -> Stamp | None:
    for unit, fraction in _FRACTIONS.items():
        if unit in parts:
            at = int(parts[unit]) / fraction
            break
    else:
        if "e" not in parts:
            return None
        at = int(parts["e"]) + float(b"0." + parts.get("f", b"0"))
    return at, at


def _years(parts: dict[str, bytes], reference: float) -> Iterable[int]:
    if "Y" in parts:
        return (int(parts["Y"]),)
    if "y" in parts:
        return (2000 + int(parts["y"]),)
    latest = dt.datetime.fromtimestamp(reference + _AHEAD, dt.UTC).year
    return range(latest + 1, latest - 9, -1)


def _offset(text: bytes) -> int:
    """Return the seconds that a clock with this offset is ahead of UTC."""
    clean = text.strip().replace(b":", b"")
    if clean[:1] not in {b"+", b"-"}:
        return 0
    seconds = int(clean[1:3]) * 3600 + int(clean[3:5] or b"0") * 60
    return -seconds if clean[:1] == b"-" else seconds
