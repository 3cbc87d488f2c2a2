"""Takes secrets out of texts before they are hashed: a record cannot be cleaned afterwards.

Two kinds are found: values that are *known* to be secret, and texts that look like one (the password of a URL,
`password=…`, an `Authorization` header, a private key, the tokens of well-known services). A secret that is
neither, such as a bare word in a sentence, looks like any other text; see docs/security.md.
"""

import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from opsconsole.model.readings import CUT_OFF, MAX_TEXT, Evidence, Past, Problem, Reading
from opsconsole.model.text import storable
from opsconsole.model.values import Value

MASK = "[redacted]"

SHORTEST_SECRET = 4
"""Characters. A known value that is shorter is a word like any other: masking it would take texts apart."""

_CUT_AFTER = 1000
"""No probe cuts a text that is shorter than this."""
_ELLIPSIS = "..."
_ENOUGH = 12
"""Characters of the beginning of a secret that are never taken for something else."""

_VALUE = r"""
    (?P<secret>
        '(?:[^'\\\n]|\\.|'')+' | "(?:[^"\\\n]|\\.)+"
      | (?:
            [^\s'",;&]
          | [,;&](?!\s|\Z|[\w.-]+["']?\s*[=:])    # within a password, unless what follows is the next setting
          | ['"](?!['"\s,;:&)}\]]|\Z)
        )+
    )
"""
_NAMES = r"(?:passw(?:or)?d|passwd|passphrase|secret|(?:api|access|private|signing)[_-]?key|token|credentials?)"

_URL_PASSWORD = re.compile(r"(?P<head>://[^\s/:@]{0,256}:)(?P<secret>[^\s/]+)(?=@)")
_NAMED_SECRET = re.compile(
    rf"""(?P<head>
        (?: {_NAMES}\d* | pwd(?=["']?[ \t]*[=:]+[ \t]*["']?[^\s/"']) )   # PWD=/srv is a directory
        ["']? [ \t]* (?:=>|:=|==?|:) [ \t]*
    )(?!(?:yes|no)\)){_VALUE}""",  # (using password: YES)
    re.IGNORECASE | re.VERBOSE,
)
_OPTION = re.compile(rf"(?P<head>(?<!\S)--?(?:[\w-]{{0,40}}-)?{_NAMES}[ \t]+){_VALUE}", re.IGNORECASE | re.VERBOSE)
_SQL = re.compile(
    r"(?P<head>\b(?:password|identified\s+by)\s+)(?P<secret>E?'(?:[^'\\]|\\.|'')*(?:'|\Z))", re.IGNORECASE
)
_HEADER = re.compile(
    r"(?P<head>\b(?:proxy-)?authorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:[a-z]+[ \t]+)?)(?P<secret>[^\s\"',;]+)"
    r"|(?P<cookie>\b(?:set-)?cookie[\"']?[ \t]*:[ \t]*)(?P<cookies>[^\n\"']+)",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"(?P<head>\b(?:bearer|basic)[ \t]+)(?P<secret>(?=[A-Za-z0-9._~+/=-]*[0-9=._~+/])[A-Za-z0-9._~+/=-]{8,})",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"""(?P<head>)(?P<secret>
        -----BEGIN[ ][A-Z0-9 ]{0,40}PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ ][A-Z0-9 ]{0,40}PRIVATE[ ]KEY-----|\Z)
      | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                                        # AWS
      | \b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[\w-]{16,})
      | \bxox[a-z]-[A-Za-z0-9-]{10,} | hooks\.slack\.com/services/[A-Za-z0-9/]+
      | \b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,} | \bAIza[\w-]{35} | \bAGE-SECRET-KEY-1[0-9A-Z]+
      | \beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*                                    # JSON Web Tokens
    )""",
    re.VERBOSE,
)
_SHAPES = (_URL_PASSWORD, _NAMED_SECRET, _OPTION, _SQL, _HEADER, _BEARER, _TOKEN)

_CONNINFO = re.compile(
    r"\b(?:host|hostaddr|dbname|user|service)=[^\s'\"][^'\"\n]*\b(?:ssl)?password=[^\s'\"]"
    r"|\b(?:ssl)?password=[^\s'\"]+[^'\"\n]*\b(?:host|hostaddr|dbname|user|service)=[^\s'\"]"
)
"""A connection string with a password, as in `dblink('host=db password=…', …)`."""

_CUT_URL = re.compile(r"(?P<head>://[^\s/:@]{0,256}:)(?!\d{1,5}\.*\Z)(?P<secret>[^\s/@]+)\Z")
"""The password of a URL that was cut before its `@`, which is no port."""


_OF_CURL = re.compile(r'-H "[\w-]*\Z')
_PLACE = re.compile(r'\$\(cat(?= )|\$[A-Z_][A-Z0-9_]*(?=")')
"""What a shell puts in the place of a secret, in the commands that show by hand what was asked over HTTP."""
_REFERENCE = re.compile(r"(['\"]?)(?:env:[A-Za-z_]\w*|file:[/~%][^\s'\"]*)\1")
"""Where a secret is kept, as configurations say it."""


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """Return `text` without the `known` secrets, and without what looks like one."""
    for form in _forms(known):
        text = text.replace(form, MASK)
    for pattern in _SHAPES:
        text = pattern.sub(_masked, text)
    return text


def unmistakable(text: str) -> bool:
    """Tell whether a text that a person wrote on purpose surely holds a secret, as in a URL or a header."""
    return any(pattern.search(text) for pattern in (_URL_PASSWORD, _SQL, _HEADER, _TOKEN, _CONNINFO))


def _masked(match: re.Match[str]) -> str:
    groups = match.groupdict()
    if groups.get("cookies"):
        return f"{groups['cookie']}{MASK}"
    secret = match["secret"]
    if _REFERENCE.fullmatch(secret):
        return match[0]
    place = _PLACE.match(match.string, match.start("secret"))
    if place and place.end() == match.end("secret") and _OF_CURL.search(match.string[: match.start()]):
        return match[0]
    quote = secret[0] if secret[0] in "'\"" and secret[-1] == secret[0] else ""
    return f"{match['head']}{quote}{MASK}{quote}"


def _forms(known: Iterable[str]) -> tuple[str, ...]:
    """Return the known secrets as texts may hold them (in a URL, in JSON), those first that hold another one."""
    return _forms_of(tuple(known))


@lru_cache(maxsize=8)
def _forms_of(known: tuple[str, ...]) -> tuple[str, ...]:
    """Spell secrets in every form, once for all the texts of a pass."""
    forms: set[str] = set()
    for secret in known:
        if len(secret) >= SHORTEST_SECRET:
            in_json = (json.dumps(secret, ensure_ascii=each)[1:-1] for each in (True, False))
            forms |= {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), *in_json}
    return tuple(sorted(forms, key=lambda each: (-len(each), each)))


def _without_cut_secret(text: str, known: Iterable[str]) -> str:
    """Return a long text without the first part of a secret that is the last of it, or of a line cut with dots.

    Probes bound what they keep before they hand it over, which may be in the middle of a secret.
    """
    if len(text) < _CUT_AFTER:
        return text
    for secret in _forms(known):
        text = "".join(_without_beginnings(text, secret))
    return _CUT_URL.sub(_masked, text)


def _without_beginnings(text: str, secret: str) -> Iterator[str]:
    start = secret[: max(SHORTEST_SECRET, min(len(secret) // 3, _ENOUGH))]
    done = 0
    at = text.find(start)
    while at >= 0:
        end = at + len(start)
        while end < len(text) and end - at < len(secret) and text[end] == secret[end - at]:
            end += 1
        if end == len(text) or text.startswith((f"{_ELLIPSIS}\n", _ELLIPSIS), end):
            yield text[done:at] + MASK
            done = end
        at = text.find(start, end)
    yield text[done:]


def _kept(text: str, known: tuple[str, ...]) -> str:
    """Return a text as it may be kept: redacted, then bounded, whatever the bound cuts in two."""
    bounded = storable(text[: 2 * MAX_TEXT])
    clean = redacted(_without_cut_secret(bounded, known), known)
    return clean if len(clean) <= MAX_TEXT and len(text) <= 2 * MAX_TEXT else clean[:MAX_TEXT] + CUT_OFF


def _value(value: Value, known: tuple[str, ...]) -> Value:
    return _kept(value, known) if isinstance(value, str) else value


def redacted_reading(reading: Reading, known: Iterable[str] = ()) -> Reading:
    """Return `reading` with every text in it redacted and bounded, names of columns included."""
    secrets = tuple(known)
    return Reading(
        measures={name: _value(value, secrets) for name, value in reading.measures.items()},
        columns=tuple(_kept(name, secrets) for name in reading.columns),
        rows=tuple(tuple(_value(cell, secrets) for cell in row) for row in reading.rows),
        label=_kept(reading.label, secrets),
        truncated=reading.truncated,
        lower_bounds=reading.lower_bounds,
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


def redacted_past(past: Iterable[Past], known: Iterable[str] = ()) -> tuple[Past, ...]:
    """Return what a reading is compared with, the message of a record that cannot be read redacted and bounded.

    Names of rows come from the reading, which was redacted before.
    """
    secrets = tuple(known)
    return tuple(msgspec.structs.replace(each, problem=_kept(each.problem, secrets)) for each in past)
