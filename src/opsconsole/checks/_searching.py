"""Looks for patterns in what others said, in time: what might take for ever is done by a process that can be ended.

Python's regular expressions try one way after another, and while they do nothing else of the process goes on. How
many ways there can be is estimated from the pattern and the length of the text; where that is too much, another
process searches, and is ended with the time of the item.
"""

import json
import os
import re
import sys
from collections.abc import Sequence

import msgspec

from opsconsole.checks import _process
from opsconsole.checks._process import CannotStartError, TimedOutError
from opsconsole.contracts.probe import ProbeError
from opsconsole.model import patterns as costs

_LIMIT_BYTES = 16 << 20
_PROGRAM = (
    "import json, re, sys\n"
    "patterns, texts, flags = json.load(sys.stdin)\n"
    "def first(m): return None if m is None else [m[1] if m.re.groups else None]\n"
    "found = [[first(re.search(p, t, flags)) for t in texts] for p in patterns]\n"
    "json.dump(found, sys.stdout)\n"
)


class Match(msgspec.Struct, frozen=True):
    """Where a pattern is found first."""

    group: str | None
    """What its first group holds, None where it has none, or that was not part of it."""


def pattern_problem(pattern: str, like: str) -> str | None:
    """Return why a text is no pattern between slashes such as `like`, None where it is one."""
    if not re.fullmatch(r"/.+/", pattern, re.DOTALL):
        return f"'{pattern}' is no pattern; write it between slashes: '{like}'"
    try:
        re.compile(pattern[1:-1])
    except (re.error, RecursionError, OverflowError) as error:  # the last two: more than Python can hold
        return f"{pattern} is no regular expression: {error}"
    return None


async def searched(
    patterns: Sequence[str], texts: Sequence[str], seconds: float, flags: re.RegexFlag = re.MULTILINE
) -> list[list[Match | None]]:
    """Return where each pattern (without slashes) is found first in each text; raise ProbeError `timeout`."""
    if sum(costs.steps_of(pattern, len(text)) for pattern in patterns for text in texts) <= costs.MOST_STEPS:
        return [[_match(re.search(pattern, text, flags)) for text in texts] for pattern in patterns]
    asked = json.dumps([list(patterns), list(texts), int(flags)]).encode()
    descriptor = os.memfd_create("opsconsole-searched")
    try:
        with open(descriptor, "wb", closefd=False) as file:  # noqa: ASYNC230 - it is in memory
            file.write(asked)
        os.lseek(descriptor, 0, os.SEEK_SET)
        done = await _process.run(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            timeout=seconds,
            limit_bytes=_LIMIT_BYTES,
            stdin=descriptor,
        )
    except CannotStartError as error:
        raise ProbeError("failed", f"what looks for patterns cannot be started: {error}") from error
    except TimedOutError as error:
        raise ProbeError(
            "timeout",
            f"looking for {' and '.join(f'/{each}/' for each in patterns)} was not done in time",
            "simplify the pattern: a repetition within a repetition, or several in a row, can take for ever",
        ) from error
    finally:
        os.close(descriptor)
    return _decoded(done.stdout, done.returncode)


def _decoded(said: bytes, returncode: int) -> list[list[Match | None]]:
    try:
        rows = json.loads(said)
        return [[None if each is None else Match(*each) for each in row] for row in rows]
    except (ValueError, TypeError, IndexError) as error:
        raise ProbeError("failed", f"what looks for patterns ended with {returncode}: {error}") from error


def _match(match: "re.Match[str] | None") -> Match | None:
    return None if match is None else Match(match[1] if match.re.groups else None)
