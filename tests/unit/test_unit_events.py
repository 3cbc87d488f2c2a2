"""What systemd says of the runs of a unit is told by the ids of its messages, whatever their words."""

import pytest

from opsconsole.checks._unitevents import EVENTS, counts, event_of
from opsconsole.model.values import number

RESULT, JOB = "d9b373ed55a64feb8242e02dbe79a49c", "be02cf6855d2428ba40df7e9d022f03d"
START = "39f53479d3a045ac8e11786248231fbf"


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"MESSAGE_ID": "7ad2d189f7e94e70a38c781354912448"}, "succeeded"),
        ({"MESSAGE_ID": RESULT, "UNIT_RESULT": "exit-code"}, "failed"),
        ({"MESSAGE_ID": RESULT, "UNIT_RESULT": "timeout"}, "failed"),
        ({"MESSAGE_ID": RESULT}, "failed"),  # a version that does not say how
        ({"MESSAGE_ID": RESULT, "UNIT_RESULT": "signal"}, "crashed"),
        ({"MESSAGE_ID": RESULT, "UNIT_RESULT": "core-dump"}, "crashed"),
        ({"MESSAGE_ID": RESULT, "UNIT_RESULT": "watchdog"}, "crashed"),
        ({"MESSAGE_ID": RESULT, "UNIT_RESULT": "oom-kill"}, "crashed"),
        ({"MESSAGE_ID": JOB, "JOB_TYPE": "start", "JOB_RESULT": "dependency"}, "failed"),
        ({"MESSAGE_ID": JOB, "JOB_TYPE": "restart", "JOB_RESULT": "timeout"}, "failed"),
        ({"MESSAGE_ID": JOB, "JOB_TYPE": "start", "JOB_RESULT": "failed"}, ""),  # its result was told before
        ({"MESSAGE_ID": JOB, "JOB_TYPE": "reload", "JOB_RESULT": "timeout"}, ""),
        ({"MESSAGE_ID": "5eb03494b6584870a536b337290809b3"}, "restarted"),
        ({"MESSAGE_ID": "fe6faa94e7774663a0da52717891d8ef"}, "out_of_memory"),
        ({"MESSAGE_ID": "d989611b15e44c9dbf31e3c81256e4ed"}, "out_of_memory"),
        ({"MESSAGE_ID": START, "JOB_RESULT": "done", "MESSAGE": "Started web.service - The shop."}, "started"),
        ({"MESSAGE_ID": START, "JOB_RESULT": "done", "MESSAGE": "Finished audit.service."}, "started"),
        ({"MESSAGE_ID": START, "MESSAGE": "web.service was skipped because of an unmet condition check."}, ""),
        ({"MESSAGE_ID": START, "MESSAGE": "Condition check resulted in The shop being skipped."}, ""),
        ({"MESSAGE_ID": "9d1aaa27d60140bd96365438aad20286", "JOB_TYPE": "restart"}, "stopped"),
        ({"MESSAGE_ID": "7d4958e842da4a758f6c1cdc7b36dcc5"}, ""),
        ({}, ""),
    ],
)
def test_events(fields: dict[str, str], event: str) -> None:
    """Each message counts once, as what it means for somebody who asks whether the service was reliable."""
    assert event_of(fields) == event


def test_every_kind_is_counted() -> None:
    """What did not happen is nought, not missing: `crashed == 0` can be judged."""
    assert counts(["failed", "failed", "restarted"]) == {
        name: number({"failed": 2, "restarted": 1}.get(name, 0)) for name in EVENTS
    }
