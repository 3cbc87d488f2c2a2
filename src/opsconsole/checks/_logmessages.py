"""What entries say: their severity, and the message that stays when numbers, names and times are taken out.

Part of the worker of the probe `logfile`: the standard library only.
"""

import re

LEVELS = ("debug", "info", "notice", "warning", "error", "critical")
"""From the least to the worst."""

_SPELLINGS = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "information": "info",
    "notice": "notice",
    "warn": "warning",
    "warning": "warning",
    "err": "error",
    "error": "error",
    "severe": "error",
    "crit": "critical",
    "critical": "critical",
    "fatal": "critical",
    "panic": "critical",
    "alert": "critical",
    "emerg": "critical",
    "emergency": "critical",
}
_WORDS = rb"(?:" + b"|".join(each.encode() for each in sorted(_SPELLINGS, key=len, reverse=True)) + rb")"
_CAPITALS = _WORDS.upper()
_NAMED = re.compile(
    rb"\b(?P<a>" + _CAPITALS + rb")\b"
    rb"|[\[<(](?:[\w.]{1,40}:)?(?P<b>(?i:" + _WORDS + rb"))[\])>]"
    rb"|\b(?i:level|severity|levelname|lvl)[\"']?[ ]?[=:][ ]?[\"']?(?P<c>(?i:" + _WORDS + rb"))\b"
)
_PRIORITY = re.compile(rb"<(\d{1,3})>")
_STATUS = re.compile(rb"\" ([1-5])\d\d ")
_OF_PRIORITY = ("critical", "critical", "critical", "error", "warning", "notice", "info", "debug")
_OF_STATUS = {b"5": "error", b"4": "warning"}
_TRACEBACK = "Traceback (most recent call last)"
_WHERE = 400
"""Bytes at the beginning of an entry among which its severity stands."""
_LONGEST = 500
"""Characters of a message by which it is told from others."""

_VARIABLE = re.compile(
    r"""
      (?P<time>
          \b\d{4}[-/]\d\d[-/]\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?
        | \b\d\d:\d\d:\d\d(?:[.,]\d+)?
      )
    | (?P<id>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)
    | (?P<text>"(?:[^"\\]|\\.)*"|(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)|`[^`]*`)
    | (?P<path>\b[a-z][a-z0-9+.-]{1,20}://[^\s"'<>]+|(?<![\w<])(?:~|\.{1,2})?(?:/[\w.@%+=:,~-]+)+/?(?:\?[^\s"'<>]*)?)
    | (?P<hex>\b0[xX][0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{6,}\b)
    | (?P<n>(?<![A-Za-z])[+-]?\d+(?:[.,:]\d+)*|(?<=[A-Za-z_#-])\d+)
    """,
    re.VERBOSE,
)
_SAID = re.compile(
    r"""(?<![\w.])(?:level|severity|levelname|lvl|message|msg|event|error|err|exception)"?\s*[=:]\s*"""
    r"""("(?:[^"\\]|\\.)*"|[^\s",{}\[\]]+)"""
)
_SPACE = re.compile(r"\s+")
_MARKS = {name: f"<{name}>" for name in ("time", "id", "path", "hex", "n")} | {"text": '"..."'}


def level_of(entry: bytes, *, access: bool) -> str:
    """Return the severity of an entry, empty where it names none; that of an access log is by the status."""
    if access:
        status = _STATUS.search(entry)
        return _OF_STATUS.get(status[1], "info") if status is not None else ""
    head = entry[:_WHERE].split(b"\n", 1)[0]
    named = _NAMED.search(head)
    if named is not None:
        word = named["a"] or named["b"] or named["c"]
        return _SPELLINGS[word.decode().lower()]
    priority = _PRIORITY.match(head.lstrip(b"\0"))
    return _OF_PRIORITY[int(priority[1]) % 8] if priority is not None else ""


def hints_of(level: str) -> tuple[bytes, ...]:
    """Return texts, in capitals, of which each entry of a severity and worse holds one, if there are such.

    They leave out entries that begin with a priority, `<3>`.
    """
    least = LEVELS.index(level)
    if least < LEVELS.index("warning"):
        return ()
    statuses = (b'" ' + status for status, what in _OF_STATUS.items() if LEVELS.index(what) >= least)
    words = sorted(name.upper().encode() for name, what in _SPELLINGS.items() if LEVELS.index(what) >= least)
    return (
        *statuses,
        *(word for word in words if not any(word != other and word.startswith(other) for other in words)),
    )


def normalised(message: str) -> str:
    """Return a message without what changes from one time to the next: numbers, ids, times, paths, quoted texts."""
    cut = message[: 2 * _LONGEST]
    return _SPACE.sub(" ", _VARIABLE.sub(lambda found: _MARKS[str(found.lastgroup)], cut)).strip()


def message_of_object(line: str) -> str:
    """Return what a line of JSON or logfmt says by the keys that name its severity and its message.

    All of it, without its quotation marks, where it has no such keys.
    """
    found = [said.strip('"').replace('\\"', '"') for said in _SAID.findall(line)]
    return " ".join(found) if found else line.replace('"', " ")


def message_of(head: str, rest: str) -> str:
    """Return what an entry says beside its time: its first line, and of a traceback the last, naming the error."""
    first, _, more = rest.partition("\n")
    before = head.split(None, 1)[0].strip("[]<>:") if head.strip() else ""
    said = first.strip(" \t:|]-")
    if before.lower() in _SPELLINGS:
        said = f"{before} {said}"
    if _TRACEBACK in rest:
        last = next((line for line in reversed(more.splitlines()) if line and not line[0].isspace()), "")
        return f"{said[:_LONGEST]} | {last}" if last else said
    return said
