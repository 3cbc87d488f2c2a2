"""Reads what plugins of Nagios and its kin print: a line of text, performance data, and more of both.

Format: https://www.monitoring-plugins.org/doc/guidelines.html ("Plugin Output for Nagios", "Performance data",
"Threshold and Ranges"). The exit code decides what a plugin means, never its text, which is only taken apart here.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from opsconsole.model.values import Number, Unit, Value

STATES = ("ok", "warning", "critical")
"""What the exit codes 0, 1 and 2 mean. 3 is UNKNOWN, and so is any other."""
COLUMNS = ("label", "value", "unit", "warn", "crit", "min", "max", "used")
_BOUNDS = COLUMNS[COLUMNS.index("warn") :]
MOST = 1000
"""So many performance data are read."""

_LONGEST = 200
"""Characters of a label, or of a threshold."""
_LARGEST_EXPONENT = 300
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?"
_VALUE = re.compile(rf"({_NUMBER})([^0-9\s;]{{0,20}})")
_NO_NUMBER = re.compile(r"[-+]?(?:nan|infinity|inf)([^0-9\s;]{0,20})", re.IGNORECASE)
_RANGE = re.compile(rf"(@)?(?:(~|{_NUMBER})?(:))?({_NUMBER})?")
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"\S*")

_BYTES = {
    f"{letter}{form}": Decimal(base) ** power
    for power, letter in enumerate("KMGTPE", 1)
    for form, base in (("B", 1000), ("iB", 1024))
}
_UNITS: dict[str, tuple[Unit, Decimal]] = {
    "s": (Unit.SECONDS, Decimal(1)),
    "ms": (Unit.SECONDS, Decimal("1e-3")),
    "us": (Unit.SECONDS, Decimal("1e-6")),
    "ns": (Unit.SECONDS, Decimal("1e-9")),
    "%": (Unit.PERCENT, Decimal(1)),
    "B": (Unit.BYTES, Decimal(1)),
    "kB": (Unit.BYTES, Decimal(1000)),
    **{name: (Unit.BYTES, factor) for name, factor in _BYTES.items()},
}
"""Units that are converted; numbers of all others (`c` of counters, `V`, `rpm`) are plain. `KB` and `MB` are powers
of 1000, as Icinga has them; the guidelines do not say."""


class Perf(msgspec.Struct, frozen=True, kw_only=True):
    """One performance datum."""

    label: str
    value: Number | None
    """None for `U`: the plugin could not determine it."""
    unit: str = ""
    """As the plugin writes it."""
    warn: Number | str | None = None
    """The bound of a threshold that has one, the text of one with two, None without a threshold."""
    crit: Number | str | None = None
    low: Number | None = None
    high: Number | None = None

    @property
    def used(self) -> Number | None:
        """The share of its range that is used, where that is known."""
        if self.value is None or self.high is None or not self.value.value.is_finite():
            return None
        low = self.low.value if self.low is not None else Decimal(0)
        if self.high.value <= low:
            return None
        share = (self.value.value - low) / (self.high.value - low)
        return Number(round(share * 100, 2), Unit.PERCENT)

    def row(self) -> tuple[Value, ...]:
        """Return its row, by COLUMNS."""
        return (self.label, self.value, self.unit, self.warn, self.crit, self.low, self.high, self.used)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin printed, taken apart."""

    text: str
    """The first line, without performance data."""
    perf: tuple[Perf, ...] = ()
    unread: tuple[str, ...] = ()
    """What of the performance data cannot be read."""
    more: bool = False
    """Whether there were more than MOST."""


def parsed(output: str) -> Said:
    """Take the output of a plugin apart. Performance data that cannot be read are named, and no reason to stop."""
    first, _, rest = output.partition("\n")
    text, _, data = first.partition("|")
    _, _, further = rest.partition("|")  # long text, and after the first bar performance data to the end
    found: list[Perf] = []
    unread: list[str] = []
    more = False
    for label, datum in _data(f"{data} {further}"):
        if len(found) + len(unread) >= MOST:
            more = True
            break
        perf = _perf(label, datum) if label is not None else None
        if perf is None:
            unread.append(f"{label}={datum}"[:_LONGEST] if label is not None else datum[:_LONGEST])
        else:
            found.append(perf)
    return Said(text=text.strip(), perf=tuple(found), unread=tuple(unread), more=more)


def measures(said: Said, taken: Sequence[str]) -> tuple[dict[str, Value], list[str]]:
    """Return the values by label, thresholds as `LABEL_warn` and so on, and the labels that were there twice.

    `taken` are the names of other measures: a label that is one of them gets `perf_` before it.
    """
    found: dict[str, Value] = {}
    twice: list[str] = []
    named = [(name_of(each.label, taken), each) for each in said.perf]
    for name, perf in named:
        if name in found:
            twice.append(name)
        found[name] = perf.value
    for name, perf in named:
        bounds = {"warn": perf.warn, "crit": perf.crit, "min": perf.low, "max": perf.high, "used": perf.used}
        for suffix, bound in bounds.items():
            if bound is not None and f"{name}_{suffix}" not in taken:
                found.setdefault(f"{name}_{suffix}", bound)
    unsure = {each for name in twice for each in (name, *(f"{name}_{suffix}" for suffix in _BOUNDS))}
    return {name: None if name in unsure else value for name, value in found.items()}, twice


def names(labels: Sequence[str], taken: Sequence[str]) -> tuple[str, ...]:
    """Return every name that `measures` may give to what plugins say under these labels."""
    own = [name_of(each, taken) for each in labels]
    return tuple(f"{name}{suffix}" for name in own for suffix in ("", *(f"_{each}" for each in _BOUNDS)))


def name_of(label: str, taken: Sequence[str]) -> str:
    """Return what the value of a label is called."""
    return f"perf_{label}" if label in taken else label


# --- performance data --------------------------------------------------------------------------------


def _data(text: str) -> Iterator[tuple[str | None, str]]:
    """Yield label and datum of each; None as the label of what has none."""
    at = _end(_SPACE, text, 0)
    while at < len(text):
        if text[at] == "'":
            label, at = _quoted(text, at)
            if label is None:
                yield None, text[at:]
                return
            end = _end(_WORD, text, at)
            said = text[at:end]
            yield (label, said[1:]) if said.startswith("=") else (None, f"'{label}'{said}")
        else:
            end = _end(_WORD, text, at)
            name, equals, datum = text[at:end].partition("=")
            yield (name, datum) if equals else (None, name)
        at = _end(_SPACE, text, end)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match is not None else at


def _quoted(text: str, at: int) -> tuple[str | None, int]:
    """Return a label in single quotes, where two are one of its own, and where it ends; None where it does not."""
    end = text.find("'", at + 1)
    while end >= 0 and text.startswith("''", end):
        end = text.find("'", end + 2)
    return (None, at) if end < 0 else (text[at + 1 : end].replace("''", "'"), end + 1)


def _perf(label: str, datum: str) -> Perf | None:
    fields = datum.rstrip(";").split(";")
    match = _VALUE.fullmatch(fields[0])
    other = _NO_NUMBER.fullmatch(fields[0])
    if not label or len(label) > _LONGEST or len(fields) > len(("value", "warn", "crit", "min", "max")):
        return None
    if match is None and other is None and fields[0] != "U":
        return None
    unit = match[2] if match is not None else other[1] if other is not None else ""
    warn, crit, low, high = (*fields[1:], "", "", "", "")[:4]
    try:
        value = Number(Decimal("NaN"), _unit(unit)) if other is not None else None
        return Perf(
            label=label,
            value=_number(match[1], unit) if match is not None else value,
            unit=unit,
            warn=_threshold(warn, unit),
            crit=_threshold(crit, unit),
            low=_number(low, unit) if low else None,
            high=_number(high, unit) if high else None,
        )
    except ValueError:
        return None


def _threshold(text: str, unit: str) -> Number | str | None:
    """Return the one bound of a range, or its text where it has two or means what lies within."""
    if not text:
        return None
    match = _RANGE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(text)
    within, start, colon, end = match.groups()
    if within is not None or (not end and (not colon or start in {None, "~"})):
        return text
    if not end:
        return _number(start, unit)
    upper_only = start in {None, "~"} or not Decimal(start)
    return _number(end, unit) if upper_only else text


def _unit(unit: str) -> Unit:
    return _UNITS[unit][0] if unit in _UNITS else Unit.COUNT


def _number(text: str, unit: str) -> Number:
    """Return a number in its base unit; raise ValueError where it is none, or beyond all measure."""
    if re.fullmatch(_NUMBER, text) is None:
        raise ValueError(text)
    value = Decimal(text)
    if abs(value.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError(text)
    factor = _UNITS[unit][1] if unit in _UNITS else Decimal(1)
    return Number(value if factor == 1 else value * factor, _unit(unit))
