"""Programs run by the `command` probe: what they say is measured, and every way they end has its words."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks._commandoptions import CommandOptions
from opsconsole.checks.command import KIND, MAX_TEXT
from opsconsole.contracts.probe import Environment, ProbeError
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number, Unit, number
from support.systemd import context


async def _measured(*argv: str, timeout: float = 30.0, **options: Any) -> Reading:  # noqa: ASYNC109 - the item's own
    probe = KIND.open(Environment())
    try:
        return await probe.measure(CommandOptions(argv=argv, **options), context(timeout=timeout))
    finally:
        await probe.aclose()


async def _refused(*argv: str, **more: Any) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        await _measured(*argv, **more)
    return caught.value


def _shell(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def _outcome(reading: Reading, *conditions: str) -> Outcome:
    return judge(reading, [parse_condition(each) for each in conditions]).outcome


# --- what is measured --------------------------------------------------------------------------------


async def test_output_and_exit_code_are_measured() -> None:
    """What a program says, how many lines it has, how it ended and how long it took can all be judged."""
    reading = await _measured(*_shell("echo one; echo two >&2; echo three"))
    duration = reading.measures.pop("duration")
    assert reading.measures == {"exit_code": number(0), "stdout": "one\nthree", "lines": number(2)}
    assert isinstance(duration, Number)
    assert duration.unit is Unit.SECONDS
    assert {each.title: each.text for each in reading.evidence} == {
        "standard output": "one\nthree\n",
        "standard error": "two\n",
    }
    assert reading.command == "sh -c 'echo one; echo two >&2; echo three'"


async def test_no_output_is_no_line() -> None:
    """A silent program has said an empty text, in no line."""
    reading = await _measured("true")
    assert (reading.measures["stdout"], reading.measures["lines"]) == ("", number(0))
    assert reading.evidence == ()


@pytest.mark.parametrize(
    ("said", "pattern", "unit", "value"),
    [
        ("queued: 17, failed: 3", "/failed: ([0-9]+)/", Unit.COUNT, number(3)),
        ("a\nsize 1,536\nsize 9", "/^size (.+)$/", Unit.BYTES, number(1536, Unit.BYTES)),
        ("-1.5e3 s", "/(.+) s/", Unit.SECONDS, number(-1500, Unit.SECONDS)),
        ("97.5%", "/([0-9.]+)%/", Unit.PERCENT, number("97.5", Unit.PERCENT)),
    ],
)
async def test_a_number_is_found_in_the_output(said: str, pattern: str, unit: Unit, value: Number) -> None:
    """The first place where the pattern is found gives a number with its unit."""
    reading = await _measured("printf", "%s", said, value=pattern, unit=unit)
    assert reading.measures["value"] == value
    subjects = KIND.subjects(CommandOptions(argv=("x",), value=pattern, unit=unit))
    assert subjects is not None
    assert subjects["value"] is unit
    assert set(subjects) == set(reading.measures)


@pytest.mark.parametrize("said", ["nothing here", "value: lots", "value: 1e999999999", "value: NaN"])
async def test_a_number_that_is_not_there(said: str) -> None:
    """An output without the number is an error that shows the output, not a zero."""
    error = await _refused("printf", "%s", said, value="/value: (.+)/")
    assert error.problem.reason == "bad-answer"
    assert said in error.evidence[0].text


async def test_another_exit_code_fails_and_says_nothing_else() -> None:
    """After a failure the exit code can be judged; its output cannot, and is there to be read."""
    reading = await _measured(*_shell("echo 5 ok; exit 3"), value="/([0-9]+) ok/")
    assert _outcome(reading, "exit_code == 0") is Outcome.FAIL
    assert _outcome(reading, "exit_code == 3") is Outcome.PASS
    for condition in ("stdout contains 'ok'", "lines == 1", "value == 5"):
        assert _outcome(reading, condition) is Outcome.ERROR
    assert "exit code 3" in reading.evidence[0].text
    assert reading.evidence[1].text == "5 ok\n"


async def test_exit_codes_that_mean_something_else() -> None:
    """`grep` ends with 1 where it finds nothing, which can be what is wanted."""
    reading = await _measured("grep", "-c", "nothing", "/etc/passwd", value="/([0-9]+)/", exit_codes=(0, 1))
    assert _outcome(reading, "value == 0", "exit_code == 1") is Outcome.PASS


async def test_too_much_output_is_not_judged_as_a_text() -> None:
    """A flood is cut off: lines are counted as long as all were read, the text is not judged."""
    lines = MAX_TEXT // 100 + 1
    long = f"import sys; sys.stdout.write(('y' * 99 + chr(10)) * {lines})"
    reading = await _measured(sys.executable, "-c", long)
    assert reading.measures["stdout"] is None
    assert reading.measures["lines"] == number(lines)
    flood = "import sys\nfor _ in range(3000): sys.stdout.write('z' * 1000 + chr(10))"
    reading = await _measured(sys.executable, "-c", flood)
    assert (reading.measures["stdout"], reading.measures["lines"]) == (None, None)
    assert _outcome(reading, "stdout contains 'z'") is Outcome.ERROR
    assert [each.truncated for each in reading.evidence if each.title == "standard output"] == [True]
    assert all(len(each.text) <= MAX_TEXT for each in reading.evidence)


async def test_bytes_that_are_no_text() -> None:
    """Output that is no UTF-8 is kept as something that can be recorded."""
    reading = await _measured("printf", r"\377\000a")
    assert reading.measures["stdout"] == "\\xff\0a"
    assert msgspec.json.encode(reading)


# --- what it gets ------------------------------------------------------------------------------------


async def test_there_is_no_shell(tmp_path: Path) -> None:
    """Pipes, variables, wildcards and quotes are plain characters."""
    argument = f"$HOME * | > {tmp_path}/made; `id` \"'"
    assert (await _measured("printf", "%s", argument)).measures["stdout"] == argument
    assert not (tmp_path / "made").exists()


async def test_the_environment_is_what_the_item_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program sees the variables of its item and those it is to get, and no others of the console."""
    monkeypatch.setenv("HIDDEN", "hidden")
    monkeypatch.setenv("PASSED", "the-passed-value")
    reading = await _measured("env", env={"LEVEL": "a b"}, pass_env=("PASSED",), cwd=str(tmp_path))
    said = str(reading.measures["stdout"])
    assert "LEVEL=a b" in said
    assert "hidden" not in said
    assert "PASSED=" in said
    assert "the-passed-value" not in said + "".join(each.text for each in reading.evidence)
    assert reading.command == f"cd {tmp_path} && LEVEL='a b' env"
    assert (await _measured("pwd", cwd=str(tmp_path))).measures["stdout"] == str(tmp_path)


async def test_a_variable_that_is_not_set() -> None:
    """A secret that was not given to the console is named as missing before anything is run."""
    error = await _refused("env", pass_env=("OPSCONSOLE_TEST_MISSING",))
    assert error.problem.reason == "not-found"
    assert "OPSCONSOLE_TEST_MISSING" in error.problem.cause


# --- how it can fail ---------------------------------------------------------------------------------


async def test_programs_that_cannot_be_started(tmp_path: Path) -> None:
    """Missing, not executable, in no directory: each has its reason and its advice."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n", encoding="ascii")
    cases = [
        (("no-such-program-anywhere",), {}, "missing-program", "install no-such-program-anywhere"),
        ((str(tmp_path / "gone"),), {}, "missing-program", "write its whole path"),
        ((str(script),), {}, "no-permission", f"chmod +x {script}"),
        (("true",), {"cwd": str(tmp_path / "gone")}, "failed", "by hand"),
    ]
    for argv, options, reason, hint in cases:
        error = await _refused(*argv, **options)
        assert error.problem.reason == reason
        assert hint in error.problem.hint


async def test_a_program_that_is_killed() -> None:
    """A program that a signal ended has no exit code: it is an error with the signal's name."""
    error = await _refused(*_shell("echo before; kill -9 $$"))
    assert error.problem.reason == "killed"
    assert "signal 9 (SIGKILL)" in error.problem.cause
    assert error.evidence[0].text == "before\n"


async def test_a_program_that_does_not_end(tmp_path: Path) -> None:
    """At its timeout a program is stopped with all that it started, and what it had said is kept."""
    told = tmp_path / "pid"
    began = time.monotonic()
    error = await _refused(*_shell(f"echo said; sleep 600 & echo $! > {told}; wait"), timeout=1.0)
    assert error.problem.reason == "timeout"
    assert "stopped with all that it had started" in error.problem.cause
    assert error.evidence[0].text == "said\n"
    assert time.monotonic() - began < 20
    await _ended(int(told.read_text(encoding="ascii")))


async def test_leaving_stops_the_program(tmp_path: Path) -> None:
    """Cancelling the measurement leaves nothing running."""
    told = tmp_path / "pid"
    task = asyncio.create_task(_measured(*_shell(f"echo $$ > {told}.new; mv {told}.new {told}; exec sleep 600")))
    deadline = time.monotonic() + 15
    while not told.exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _ended(int(told.read_text(encoding="ascii")))


async def _ended(pid: int) -> None:
    deadline = time.monotonic() + 15
    while _runs(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


# --- what is refused when the checklist is loaded ----------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key", "words"),
    [
        ({"argv": "df -h '/my disk'"}, "argv", 'write a list: ["df", "-h", "/my disk"]'),
        ({"argv": "echo 'open"}, "argv", "write a list"),
        ({"argv": []}, "argv", "name the program"),
        ({"argv": ["bin/x"]}, "argv", "relative path"),
        ({"argv": ["ls /srv"]}, "argv", 'write a list: ["ls", "/srv"]'),
        ({"argv": ["curl", "--password=hunter2"]}, "argv", "looks like a secret"),
        ({"argv": ["curl", "https://op:hunter2@host/"]}, "argv", "looks like a secret"),
        ({"argv": ["x", "a\0b"]}, "argv", "NUL"),
        ({"argv": ["x"], "env": {"DB_PASSWORD": "hunter2"}}, "env", "name it in `pass_env`"),
        ({"argv": ["x"], "env": {"API_KEY": "hunter2"}}, "env", "name it in `pass_env`"),
        ({"argv": ["x"], "env": {"A=B": "c"}}, "env", "no name of a variable"),
        ({"argv": ["x"], "pass_env": ["A-B"]}, "pass_env", "no name of a variable"),
        ({"argv": ["x"], "cwd": "here"}, "cwd", "no absolute path"),
        ({"argv": ["x"], "value": "[0-9]+"}, "value", "between slashes"),
        ({"argv": ["x"], "value": "/[0-9]+/"}, "value", "has no group"),
        ({"argv": ["x"], "value": "/([0-9]+/"}, "value", "no regular expression"),
        ({"argv": ["x"], "unit": "B"}, "unit", "give that a pattern too"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], key: str, words: str) -> None:
    """Mistakes are found when the checklist is loaded, with what to write, and without repeating a secret."""
    decoded = msgspec.convert(options, CommandOptions)
    problems = KIND.validate(decoded)
    assert [each for each, _ in problems] == [key]
    assert words in problems[0][1]
    assert "hunter2" not in problems[0][1]


def test_options_that_make_sense() -> None:
    """An ordinary item is accepted as it is."""
    assert KIND.validate(CommandOptions(argv=("df", "-h"), env={"LEVEL": "1"}, pass_env=("API_TOKEN",))) == []
    assert os.environ.get("API_TOKEN") is None
