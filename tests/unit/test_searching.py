"""Patterns are looked for in what others said, and none of them holds up the console."""

import asyncio
import math
import re
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.checks import command, process, tcp
from opsconsole.checks._commandoptions import CommandOptions
from opsconsole.checks._searching import Match, searched
from opsconsole.contracts.probe import ProbeError, ProbeKind
from opsconsole.model import patterns as costs
from opsconsole.model.patterns import MOST_STEPS, steps_of

PATTERNS = ("a", "(a+)b", "^b", "x(a|b)?", "(?:ab)*(c)", "([0-9]+)$", "(a)\\1")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PATTERNS), st.lists(st.text("ab0cx\n\ud800é", max_size=30), max_size=4))
def test_it_finds_what_python_finds(pattern: str, texts: list[str]) -> None:
    """What is searched here is what `re` finds first."""
    if steps_of(pattern, 30) > MOST_STEPS:
        return
    expected = [re.search(pattern, text, re.MULTILINE) for text in texts]
    found = asyncio.run(searched([pattern], texts, 5.0))
    assert found == [[each and Match(each[1] if each.re.groups else None) for each in expected]]


async def test_another_process_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a text is too long to be searched here, the answer is the same."""
    texts = ["x\nab\ud800", "aaab", "", "xb" * 40_000, "é7"]
    here = await searched(PATTERNS[:-1], texts[:3], 10.0)
    monkeypatch.setattr(costs, "MOST_STEPS", -1)
    assert await searched(PATTERNS[:-1], texts[:3], 10.0) == here
    assert await searched(["(xb)+$", "no"], texts, 10.0) == [
        [None, None, None, Match("xb"), None],
        [None] * 5,
    ]


@pytest.mark.parametrize(
    ("pattern", "text"), [("(a+)+$", "a" * 60 + "b"), ("[a-z]+: ([0-9]+)", "a" * 400_000), ("(a|aa)*c", "a" * 60)]
)
async def test_one_that_takes_for_ever_ends_in_time(pattern: str, text: str) -> None:
    """A pattern that meets a text it was not made for is a timeout, and the console goes on meanwhile."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    began = time.monotonic()
    with pytest.raises(ProbeError) as caught:
        await searched([pattern], [text], 0.4)
    ticking.cancel()
    assert (caught.value.problem.reason, time.monotonic() - began < 2) == ("timeout", True)
    assert pattern in caught.value.problem.cause
    assert ticks > 5


def test_what_explodes_is_known() -> None:
    """Repetitions within repetitions are never tried here, plain ones only in short texts."""
    for pattern in (
        "(a+)+",
        "(a*)*b",
        "(?:ab|a)*c",
        "([0-9]+\\.)+",
        "(a?){30}",
        "(a)\\1",
        "((a+)b?)*",
        "(?=(a+)+)x",
    ):
        assert steps_of(pattern, 60) == math.inf, pattern
    assert steps_of("a?" * 30 + "a" * 30, 30) > MOST_STEPS
    for pattern in (
        "total: ([0-9]+)",
        "^SSH-2\\.0-",
        "(?i)used +(\\d+)%",
        r"^\d{1,3}(\.\d{1,3}){3}$",
    ):
        assert steps_of(pattern, 150) < MOST_STEPS, pattern
    assert steps_of(r"v\d+(\.\d+){2}", 60) < MOST_STEPS  # what is always made twice is no repetition within one
    assert steps_of("x", 1 << 20) < MOST_STEPS < steps_of("x+", 1 << 20)


@pytest.mark.parametrize(
    "pattern",
    ["/a{99999999999999999999}/", f"/{'(' * 3000}{')' * 3000}/", "/(/", "bare", "//"],
    ids=["too-many", "too-deep", "open", "bare", "nothing"],
)
@pytest.mark.parametrize(
    ("kind", "options", "key"),
    [
        (command.KIND, CommandOptions(argv=("ls",), value="?"), "value"),
        (process.KIND, process.ProcessOptions(pattern="?"), "pattern"),
        (tcp.KIND, tcp.TcpOptions(host="app.example", port=22, expect="?"), "expect"),
    ],
)
def test_no_pattern_breaks_lint(kind: ProbeKind, options: Any, key: str, pattern: str) -> None:
    """What is no pattern, or one that Python cannot hold, is a problem of its key and no traceback."""
    problems = kind.validate(msgspec.structs.replace(options, **{key: pattern}))
    assert [where for where, _ in problems] == [key]
