"""Takes secrets out of what probes bring back, before it is hashed: a record cannot be cleaned afterwards."""

import re
from collections.abc import Iterable

import msgspec

from opsconsole.model.readings import CUT_OFF, MAX_TEXT, Evidence, Problem, Reading
from opsconsole.model.text import storable
from opsconsole.model.values import Value

MASK = "[redacted]"

_SHORTEST_SECRET = 4
_URL_PASSWORD = re.compile(
    r"(?P<head>[a-z][a-z0-9+.-]{1,30}://[^\s/:@]{0,256}:)(?P<secret>[^\s@/]{1,256})(?=@)", re.IGNORECASE
)
_NAMED_SECRET = re.compile(
    r"(?P<head>\b(?:password|passwd|pwd|pgpassword|secret|api[_-]?key|access[_-]?token|auth[_-]?token)\b\s*[=:]\s*)"
    r"(?P<secret>'[^']{1,256}'|\"[^\"]{1,256}\"|[^\s'\",;&]{1,256})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<head>\b(?:bearer|basic)\s+)(?P<secret>[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """Return `text` without the `known` secrets, URL passwords, `password=…` values and bearer tokens."""
    for secret in known:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    for pattern in (_URL_PASSWORD, _NAMED_SECRET, _BEARER):
        text = pattern.sub(lambda match: match["head"] + MASK, text)
    return text


def _kept(text: str, known: tuple[str, ...]) -> str:
    clean = redacted(storable(text[: 2 * MAX_TEXT]), known)
    return clean if len(clean) <= MAX_TEXT and len(text) <= 2 * MAX_TEXT else clean[:MAX_TEXT] + CUT_OFF


def _value(value: Value, known: tuple[str, ...]) -> Value:
    return _kept(value, known) if isinstance(value, str) else value


def redacted_reading(reading: Reading, known: Iterable[str] = ()) -> Reading:
    """Return `reading` with every text in it redacted and bounded."""
    secrets = tuple(known)
    return Reading(
        measures={name: _value(value, secrets) for name, value in reading.measures.items()},
        columns=reading.columns,
        rows=tuple(tuple(_value(cell, secrets) for cell in row) for row in reading.rows),
        label=reading.label,
        truncated=reading.truncated,
        evidence=tuple(
            Evidence(
                _kept(each.title, secrets), _kept(each.text, secrets), each.truncated or len(each.text) > MAX_TEXT
            )
            for each in reading.evidence
        ),
        command=_kept(reading.command, secrets),
    )


def redacted_problem(problem: Problem, known: Iterable[str] = ()) -> Problem:
    """Return `problem` with cause and hint redacted and bounded."""
    secrets = tuple(known)
    return msgspec.structs.replace(problem, cause=_kept(problem.cause, secrets), hint=_kept(problem.hint, secrets))
