"""Values in what programs print, the plugins of the monitoring-plugins project, and programs that mean harm."""

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks._commandoptions import CommandOptions
from opsconsole.checks.command import KIND, LIMIT_BYTES
from opsconsole.contracts.probe import Environment, ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Unit
from support.judged import outcome
from support.needs import missing
from support.systemd import context

PLUGINS = Path("/usr/lib/nagios/plugins")
NOW = dt.datetime(2026, 11, 21, 6, tzinfo=dt.UTC)
AUDIT = """\
Checking data integrity ...
  Orphaned records: 0
  Broken links:     3
  Took 412 ms, finished 2026-11-21T05:00:00Z
TOTAL ISSUES: 3
Verdict: attention
"""
REPORT = {
    "status": "degraded",
    "ok": True,
    "note": None,
    "issues": {"total": 2, "ratio": 0.25},
    "finished": "2026-11-21T05:00:00Z",
    "checks": [{"name": "db", "ok": True, "ms": 12}, {"name": "cache", "ok": False, "ms": 250.5}],
}


async def _measured(*argv: str, timeout: float = 30.0, **options: Any) -> Reading:  # noqa: ASYNC109 - the item's own
    probe = KIND.open(Environment())
    decoded = CommandOptions(argv=argv, **options)
    reading = await probe.measure(decoded, context(timeout=timeout, now=NOW))
    subjects = KIND.subjects(decoded)
    assert subjects is None or set(reading.measures) | set(reading.columns) <= set(subjects)
    return reading


async def _refused(*argv: str, **more: Any) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        await _measured(*argv, **more)
    return caught.value


def _says(text: str, code: int = 0) -> tuple[str, ...]:
    return ("sh", "-c", 'printf %s "$1"; exit "$2"', "sh", text, str(code))


# --- patterns ----------------------------------------------------------------------------------------

ISSUES = {
    "total": "/TOTAL ISSUES: ([0-9]+)/",
    "orphans": "/Orphaned records: +([0-9]+)/",
    "took": "/Took ([0-9]+) ms/",
    "finished": "/finished ([^ \\n]+)/",
    "verdict": "/^Verdict: (.*)$/",
}


async def test_several_values_in_a_text() -> None:
    """A management command's report is judged number by number, each in its unit."""
    reading = await _measured(
        *_says(AUDIT), patterns=ISSUES, units={"took": "ms", "total": "count"}, ages=("finished",)
    )
    assert (
        outcome(reading, "exit_code == 0", "orphans == 0", "took < 1 s", "finished between 1 h and 61 min")
        is Outcome.PASS
    )
    assert outcome(reading, "verdict == 'attention'") is Outcome.PASS
    assert outcome(reading, "exit_code == 0", "total == 0") is Outcome.FAIL


async def test_a_value_that_is_not_there() -> None:
    """A report without the line is no pass for the condition on it, and still fails by the others."""
    reading = await _measured(*_says("TOTAL ISSUES: 3\n"), patterns=ISSUES, units={"took": "ms"})
    assert outcome(reading, "orphans == 0") is Outcome.ERROR
    assert outcome(reading, "orphans == 0", "total == 0") is Outcome.FAIL
    assert "orphans: /Orphaned records: +([0-9]+)/ is not found" in reading.evidence[0].text


async def test_half_a_number_is_none() -> None:
    """Where the output is cut off within a line, that line is not read: half of a number is another number."""
    script = f"print('x' * {LIMIT_BYTES - 12} + chr(10) + 'total: 0' * 9)"
    reading = await _measured(sys.executable, "-c", script, patterns={"total": "/total: ([0-9]+)/"})
    assert outcome(reading, "total == 0") is Outcome.ERROR


@pytest.mark.parametrize("said", ["Took many ms", "Took  ms"])
async def test_what_has_a_unit_must_be_a_number(said: str) -> None:
    """A text where a number was meant is missing, not compared as a text."""
    reading = await _measured(*_says(said), patterns={"took": "/Took (.*) ms/"}, units={"took": "ms"})
    assert reading.measures["took"] is None
    assert "took: there is the text" in reading.evidence[0].text


@pytest.mark.parametrize("options", [{"patterns": ISSUES}, {"json": {"total": "$.issues.total"}}])
async def test_a_failed_program_has_no_values(options: dict[str, Any]) -> None:
    """After a failure only the exit code is judged, whatever was printed before."""
    reading = await _measured(*_says(AUDIT, 1), **options)
    assert outcome(reading, "exit_code == 0") is Outcome.FAIL
    assert outcome(reading, "total == 3") is Outcome.ERROR


# --- JSON --------------------------------------------------------------------------------------------


async def test_values_in_json() -> None:
    """Numbers, texts, truths and times are found by their paths; null and what is missing are no pass."""
    paths = {
        "status": "$.status",
        "ok": "$.ok",
        "total": "$.issues.total",
        "ratio": "$.issues.ratio",
        "finished": "$.finished",
        "note": "$.note",
        "gone": "$.issues.gone",
    }
    reading = await _measured(
        *_says(json.dumps(REPORT)),
        json=paths,
        counts={"checks": "$.checks[*]"},
        units={"ratio": "100%"},
        ages=("finished",),
    )
    green = [
        "status == 'degraded'",
        "ok == true",
        "total == 2",
        "ratio == 25%",
        "finished between 1 h and 61 min",
        "checks == 2",
    ]
    assert outcome(reading, *green) is Outcome.PASS
    for condition in ("note == 0", "gone == 0"):
        assert outcome(reading, condition) is Outcome.ERROR
    assert outcome(reading, "total == 0") is Outcome.FAIL


async def test_a_table_in_json() -> None:
    """Every member of a list is judged, and named by what it calls itself."""
    columns = {"name": "$.name", "ok": "$.ok", "took": "$.ms"}
    reading = await _measured(
        *_says(json.dumps(REPORT)), rows="$.checks[*]", columns=columns, label="name", units={"took": "ms"}
    )
    assert outcome(reading, "count == 2", "every took < 1 s") is Outcome.PASS
    assert outcome(reading, "every ok == true") is Outcome.FAIL


@pytest.mark.parametrize(
    ("said", "options", "words"),
    [
        ("", {}, "it is empty"),
        ("not json", {}, "expecting value"),
        ("{" * 100_000, {}, ""),
        ("[" * 100_000, {}, "nested too deeply"),
        ('{"a": 1, "a": 2}', {}, "twice"),
        ("{}", {"json": {}, "rows": "$.checks[*]"}, "leads nowhere"),
    ],
)
async def test_no_json(said: str, options: dict[str, Any], words: str) -> None:
    """What is no JSON, or not the JSON that was meant, is an error that shows the output."""
    error = await _refused(
        sys.executable,
        "-c",
        f"print({said!r})" if len(said) < 100 else f"print({said[0]!r} * {len(said)})",
        **({"json": {"total": "$.total"}} | options),
    )
    assert error.problem.reason == "bad-answer"
    assert words in error.problem.cause


async def test_too_much_json() -> None:
    """JSON that is cut off is never read as if it were whole."""
    error = await _refused(
        sys.executable, "-c", f"print('[' + '1,' * {LIMIT_BYTES} + '1]')", counts={"total": "$[*]"}
    )
    assert error.problem.reason == "too-large"


# --- plugins -----------------------------------------------------------------------------------------


def _plugin(name: str) -> str:
    path = PLUGINS / name
    if not path.exists():
        missing("NO MONITORING PLUGINS: the package monitoring-plugins-basic is not installed.")
    return str(path)


async def test_a_real_plugin() -> None:
    """check_load: its state, its values and thresholds by name, and its own thresholds as limits."""
    plugin = _plugin("check_load")
    reading = await _measured(plugin, "-w", "1000,900,800", "-c", "2000,1800,1600", nagios=True)
    conditions = ["state == 'ok'", "exit_code == 0", "load1 < load1_warn", "load5_crit == 1800", "count == 3"]
    assert outcome(reading, *conditions) is Outcome.PASS
    assert outcome(reading, "load1 >= load1_warn") is Outcome.FAIL
    assert "load average" in str(reading.measures["text"])


async def test_labels_that_are_known() -> None:
    """Where the item names the labels its names are checked, and one that the plugin does not print is missing."""
    said = _says("OK | load1=0.1;5 count=3 other=9")
    reading = await _measured(*said, nagios=True, labels=("load1", "count", "gone"))
    assert outcome(reading, "load1 < load1_warn", "perf_count == 3") is Outcome.PASS
    assert outcome(reading, "gone == 0") is Outcome.ERROR
    assert outcome(reading, "load1 < load1_crit") is Outcome.ERROR
    assert "other" not in reading.measures
    assert outcome(reading, "count == 3", "every value > 0") is Outcome.PASS


async def test_a_real_plugin_with_sizes() -> None:
    """check_disk: a label that is a path, bytes as bytes, and the share that is used."""
    reading = await _measured(_plugin("check_disk"), "-w", "1%", "-c", "0%", "-p", "/", nagios=True)
    assert outcome(reading, '"/_used" <= 100%', '"/" > 1 MiB', "every used <= 100%") is Outcome.PASS
    assert outcome(reading, '"/_used" > 100%') is Outcome.FAIL


@pytest.mark.parametrize(("code", "state"), [("0", "ok"), ("1", "warning"), ("2", "critical")])
async def test_the_states_of_a_plugin(code: str, state: str) -> None:
    """The exit code is the state, whatever the text says."""
    reading = await _measured(_plugin("check_dummy"), code, "all is well", nagios=True)
    assert reading.measures["state"] == state
    assert outcome(reading, "state == 'ok'") is (Outcome.PASS if state == "ok" else Outcome.FAIL)
    assert outcome(reading, "state != 'critical'") is (Outcome.FAIL if state == "critical" else Outcome.PASS)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("check_dummy", "3", "no database"), "says UNKNOWN: UNKNOWN: no database"),
        (("check_load",), "says UNKNOWN: check_load: Could not parse arguments"),
    ],
)
async def test_unknown_is_an_error(argv: tuple[str, ...], words: str) -> None:
    """A plugin that does not know, or was called wrongly, is no reading, even for values it printed."""
    error = await _refused(_plugin(argv[0]), *argv[1:], nagios=True)
    assert error.problem.reason == "failed"
    assert words in error.problem.cause


@pytest.mark.parametrize("code", [3, 4, 126, 127, 255])
async def test_any_other_exit_code_is_unknown(code: int) -> None:
    """So is one that ends in a way no plugin may, with the best of numbers."""
    error = await _refused(*_says("OK | load1=0.1;5;10", code), nagios=True)
    assert error.problem.reason == "failed"
    assert "UNKNOWN" in error.problem.cause


async def test_data_that_cannot_be_read_are_missing() -> None:
    """A value that is unknown, broken or there twice is no pass, and the evidence names it."""
    reading = await _measured(*_says("OK | a=U;5 b=1,5 c=1 c=2 d=nan e=1"), nagios=True)
    for condition in ("a < 5", "b < 5", "c < 5", "d < 5"):
        assert outcome(reading, condition) is Outcome.ERROR, condition
    assert outcome(reading, "e == 1") is Outcome.PASS
    assert "cannot be read: b=1,5" in reading.evidence[0].text
    assert "there twice, so neither is judged: c" in reading.evidence[0].text


async def test_a_plugin_that_floods() -> None:
    """The state of a plugin that prints without end is its exit code; its data, cut off, are not judged."""
    flood = f"import sys; sys.stdout.write('OK | a=1 ' + 'x' * {2 * LIMIT_BYTES})"
    reading = await _measured(sys.executable, "-c", flood, nagios=True)
    assert outcome(reading, "state == 'ok'") is Outcome.PASS
    for condition in ("a == 1", "text contains 'OK'"):
        assert outcome(reading, condition) is Outcome.ERROR


# --- programs that mean harm -------------------------------------------------------------------------

STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
with open(sys.argv[1] + str(os.getpid()), "w"):
    pass
time.sleep(600)
"""


async def test_a_program_that_ignores_signals_and_daemonises(tmp_path: Path) -> None:
    """It ends with its time, and so does every process it made, also those with a session of their own."""
    began = time.monotonic()
    error = await _refused(sys.executable, "-c", STUBBORN, f"{tmp_path}/", timeout=1.5)
    assert error.problem.reason == "timeout"
    assert time.monotonic() - began < 10
    pids = _noted(tmp_path)
    assert len(pids) > 1
    deadline = time.monotonic() + 10
    while any(map(_runs, pids)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def _noted(directory: Path) -> list[int]:
    return [int(each.name) for each in directory.iterdir()]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


FLOOD = """
import asyncio, resource, sys, time
from opsconsole.checks._commandoptions import CommandOptions
from opsconsole.checks.command import KIND
from opsconsole.contracts.probe import Environment, ProbeError
from support.systemd import context

async def measured(argv, timeout):
    options = CommandOptions(argv=tuple(argv), patterns={"total": "/TOTAL: ([0-9]+)/"})
    try:
        await KIND.open(Environment()).measure(options, context(timeout=timeout))
        return "ended"
    except ProbeError as error:
        return error.problem.reason

asyncio.run(measured(["true"], 10.0))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.monotonic()
said = asyncio.run(measured(sys.argv[2:], float(sys.argv[1])))
took = time.monotonic() - began
print(said, round(took, 1), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
MEMORY_KIB = 24 * 1024
"""What reading the output of one program may cost: the kept MiB of each stream, as bytes, as text and masked."""


@pytest.mark.parametrize(
    ("argv", "seconds", "ends"),
    [
        (["head", "-c", "10G", "/dev/zero"], 1.0, {"timeout"}),
        (["head", "-c", "200M", "/dev/zero"], 30.0, {"ended"}),
        (["sh", "-c", "tr '\\0' '\\377' </dev/zero | head -c 20M"], 30.0, {"ended"}),
        (["sh", "-c", "exec yes \"$(printf 'pas\\163word=://us:er bear%s' er)\" >&2"], 1.0, {"timeout"}),
    ],
    ids=["10-GB", "no-newline", "no-text", "errors-like-secrets"],
)
def test_a_flood_costs_bounded_memory(argv: list[str], seconds: float, ends: set[str]) -> None:
    """Gigabytes without a line feed, bytes that are no text, errors without end: in time, and in a few MiB."""
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", FLOOD, str(seconds), *argv],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([tests, str(Path(tests).parent / "src")])},
        timeout=60,
        check=True,
    )
    said, took, grown = done.stdout.split()
    assert said in ends
    assert float(took) < seconds + 5
    assert int(grown) < MEMORY_KIB, f"{int(grown)} KiB"


# --- what is refused when the checklist is loaded ----------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key", "words"),
    [
        ({"patterns": {"total": "TOTAL ([0-9]+)"}}, "patterns", "between slashes"),
        ({"patterns": {"total": "/TOTAL/"}}, "patterns", "has no group"),
        ({"patterns": {"to tal": "/([0-9])/"}}, "patterns", "no name for a measure"),
        ({"patterns": {"exit_code": "/([0-9])/"}}, "patterns", "measured anyway"),
        ({"patterns": {"total": "/([0-9])/"}, "json": {"total": "$.total"}}, "json", "measured anyway"),
        ({"patterns": {"total": "/([0-9])/"}, "units": {"totl": "s"}}, "units", "there is no 'totl'"),
        ({"patterns": {"total": "/([0-9])/"}, "units": {"total": "m"}}, "units", "minutes or months"),
        ({"json": {"total": "issues.total"}}, "json", "begins with $"),
        ({"json": {"lines": "$.lines"}}, "json", "measured anyway"),
        ({"columns": {"ok": "$.ok"}}, "columns", "name the path of those as `rows`"),
        ({"nagios": True, "json": {"total": "$.total"}}, "json", "with `nagios`"),
        ({"labels": ["load1"]}, "labels", "set `nagios`"),
        ({"nagios": True, "labels": ["a|b"]}, "labels", "no label"),
        ({"nagios": True, "exit_codes": [0, 1]}, "exit_codes", "with `nagios`"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], key: str, words: str) -> None:
    """Mistakes are found when the checklist is loaded, with what to write."""
    problems = KIND.validate(msgspec.convert({"argv": ["x"], **options}, CommandOptions))
    assert [each for each, _ in problems] == [key]
    assert words in problems[0][1]


def test_the_units_of_values_are_known() -> None:
    """Lint knows each named value with its unit; the labels of a plugin only the plugin knows."""
    patterns, units = {"took": "/([0-9]+)/"}, {"took": "ms"}
    subjects = KIND.subjects(CommandOptions(argv=("x",), patterns=patterns, units=units, json={"ok": "$.ok"}))
    assert subjects is not None
    assert (subjects["took"], subjects["ok"]) == (Unit.SECONDS, None)
    assert KIND.subjects(CommandOptions(argv=("x",), nagios=True)) is None
    known = KIND.subjects(CommandOptions(argv=("x",), nagios=True, labels=("load1", "state")))
    assert known is not None
    assert {"load1", "load1_warn", "load1_used", "perf_state", "state", "value"} <= set(known)
