"""What systemd itself says in the journal of the runs of a unit: that one ended well, failed, or was restarted.

The messages are known by their ids, not by their words, which differ between versions: sd-messages.h of systemd 243
and later, explained by `journalctl --catalog`. Only those of PID 1 count; a unit could write the same ids itself.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from opsconsole.contracts.probe import Subjects
from opsconsole.model.values import Number, Unit, number

STARTED, STOPPED, SUCCEEDED, FAILED, CRASHED, RESTARTED, OUT_OF_MEMORY = (
    "started",
    "stopped",
    "succeeded",
    "failed",
    "crashed",
    "restarted",
    "out_of_memory",
)
EVENTS = (STARTED, STOPPED, SUCCEEDED, FAILED, CRASHED, RESTARTED, OUT_OF_MEMORY)
SUBJECTS: Subjects = {"event": None, **dict.fromkeys(EVENTS, Unit.COUNT)}
"""Beside the name of each message's `event`, how many there were of each."""

LEAST_LEVEL = 6
"""The priority (info) of the least important of these messages: a unit whose LogLevelMax= is lower hides some."""

_CRASHES = frozenset({"signal", "core-dump", "watchdog", "oom-kill"})
"""Results of a run that its process did not come to by itself: systemd.exec(5), `$SERVICE_RESULT`."""


def _ended(fields: Mapping[str, str]) -> str:
    """Tell a run that failed by itself from one that something else ended."""
    return CRASHED if fields.get("UNIT_RESULT") in _CRASHES else FAILED


def _not_started(fields: Mapping[str, str]) -> str:
    """Tell of a unit that could not be started; where a process of it had been, `_ended` tells already."""
    start = fields.get("JOB_TYPE") in {"start", "restart"}
    return FAILED if start and fields.get("JOB_RESULT") != "failed" else ""


_LEFT_OUT = re.compile(r"\b(?:was skipped because|being skipped)\b")


def _started(fields: Mapping[str, str]) -> str:
    """Tell of a unit that was started, not of one that a condition kept from it.

    systemd has the same id and result for both, so here the words have to tell (job_emit_done_message in job.c).
    """
    return "" if _LEFT_OUT.search(fields.get("MESSAGE", "")) else STARTED


_MESSAGES: dict[str, Callable[[Mapping[str, str]], str]] = {
    "39f53479d3a045ac8e11786248231fbf": _started,  # UNIT_STARTED
    "9d1aaa27d60140bd96365438aad20286": lambda _fields: STOPPED,  # UNIT_STOPPED
    "7ad2d189f7e94e70a38c781354912448": lambda _fields: SUCCEEDED,  # UNIT_SUCCESS
    "d9b373ed55a64feb8242e02dbe79a49c": _ended,  # UNIT_FAILURE_RESULT
    "be02cf6855d2428ba40df7e9d022f03d": _not_started,  # UNIT_FAILED
    "5eb03494b6584870a536b337290809b3": lambda _fields: RESTARTED,  # UNIT_RESTART_SCHEDULED
    "fe6faa94e7774663a0da52717891d8ef": lambda _fields: OUT_OF_MEMORY,  # UNIT_OUT_OF_MEMORY
    "d989611b15e44c9dbf31e3c81256e4ed": lambda _fields: OUT_OF_MEMORY,  # UNIT_OOMD_KILL
}

SELECTION = ("_PID=1", *(f"MESSAGE_ID={each}" for each in _MESSAGES))
"""The matches of journalctl that leave these messages."""

FIELDS = ("MESSAGE", "MESSAGE_ID", "UNIT_RESULT", "JOB_TYPE", "JOB_RESULT")
"""What `event_of` reads."""


def event_of(fields: Mapping[str, str]) -> str:
    """Return which event a message tells, empty for one that tells none or repeats what another told."""
    told = _MESSAGES.get(fields.get("MESSAGE_ID", ""))
    return told(fields) if told is not None else ""


def counts(events: Iterable[str]) -> dict[str, Number]:
    """Return how many there are of each event."""
    counted = Counter(events)
    return {name: number(counted[name]) for name in EVENTS}
