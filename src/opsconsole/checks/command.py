"""Probe `command`: runs one program without a shell, and brings back how it ended and what it said."""

import os
import shlex
import signal
import time
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from opsconsole.checks import _nagios, _process
from opsconsole.checks._commandoptions import (
    TAKEN,
    CommandOptions,
    asked_json,
    plugin_names,
    problems,
    subjects,
)
from opsconsole.checks._jsonpath import JsonError, parsed
from opsconsole.checks._jsonreading import Found, Questions, found_in, unread
from opsconsole.checks._patterns import values_in
from opsconsole.checks._process import CannotStartError, Finished, TimedOutError
from opsconsole.checks._searching import Match, searched
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, ProbeError, ProbeKind
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.redaction import redacted
from opsconsole.model.values import Number, Value, decimal_of, seconds

LIMIT_BYTES = 1 << 20
"""How much of its output is read for counting and searching (1 MiB)."""
MAX_TEXT = 60_000
"""Characters of an output that are kept; a longer one is not judged as a text."""

_SHORT = 2 * MAX_TEXT
"""Bytes that are searched for secrets in no time."""
_LARGEST_EXPONENT = 300
_LEAST_SECONDS = 0.1
_MOST_NOTES = 20


class CommandProbe:
    """Runs programs; each ends with its measurement, and all it started with it."""

    async def measure(self, options: CommandOptions, context: Context) -> Reading:
        """Run the program to its end; its exit code is a measure, everything else that ends it is a problem."""
        argv = _argv(options)
        passed, secrets = _passed(options)
        until = time.monotonic() + context.allowance
        try:
            finished = await _process.run(
                argv, timeout=context.allowance, env=options.env | passed, cwd=options.cwd, limit_bytes=LIMIT_BYTES
            )
        except CannotStartError as error:
            raise _not_started(options, error) from error
        except TimedOutError as error:
            raise ProbeError(
                "timeout",
                f"{argv[0]} had not ended after {error.seconds:.3g} s and was stopped with all that it had started",
                "see by hand what it waits for, or give the item a longer `timeout`",
                _outputs(error.stdout, error.stderr, secrets),
            ) from error
        evidence = _outputs(finished.stdout, finished.stderr, secrets)
        if finished.returncode < 0:
            raise ProbeError(
                "killed",
                f"{argv[0]} was ended by {_signal(-finished.returncode)}",
                "see the kernel's messages (`dmesg`): out of memory? Or see who sent it",
                evidence,
            )
        said = await _said(finished, secrets)
        if options.nagios:
            reading = _plugin(options, said, evidence)
        else:
            matches = await _matches(options, said, until - time.monotonic())
            reading = _reading(options, said, matches, context, evidence)
        return msgspec.structs.replace(reading, command=_line(options, argv))

    async def aclose(self) -> None:
        """Nothing to end: every program ended with its measurement."""


def _argv(options: CommandOptions) -> tuple[str, ...]:
    wrong = problems(options)
    if wrong or isinstance(options.argv, str):
        raise ProbeError("bad-options", "; ".join(f"{key}: {message}" for key, message in wrong))
    return options.argv


def _passed(options: CommandOptions) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables taken from the console's environment, and the values to mask."""
    missing = [name for name in options.pass_env if name not in os.environ]
    if missing:
        raise ProbeError(
            "not-found",
            f"the variable {missing[0]}, which the command is to get, is not set for the console",
            "set it where the console is started: the shell, the crontab or the unit (EnvironmentFile=)",
        )
    passed = {name: os.environ[name] for name in options.pass_env}
    return passed, tuple(value for value in passed.values() if value)


class Said(msgspec.Struct, frozen=True):
    """How a program ended, with its standard output as a text without secrets."""

    finished: Finished
    text: str
    cut: bool
    """Whether it said more than that; its last line was left out then, because it may not be whole."""

    @property
    def exit_code(self) -> int:
        """Its exit code."""
        return self.finished.returncode

    def measures(self, *, judged: bool) -> dict[str, Value]:
        """Return what is known of every program; None for what cannot be said, which is never a pass."""
        found: dict[str, Value] = {
            "exit_code": Number(Decimal(self.exit_code)),
            "duration": seconds(self.finished.elapsed),
            "stdout": None,
            "lines": None,
        }
        if judged and not self.cut:
            found["lines"] = Number(Decimal(len(self.text.splitlines())))
            if len(self.text) <= MAX_TEXT:
                found["stdout"] = self.text.removesuffix("\n")
        return found


async def _matches(options: CommandOptions, said: Said, seconds: float) -> dict[str, Match | None]:
    """Return where each pattern of the item is found first in what was said, by pattern."""
    patterns = tuple(dict.fromkeys(each for each in (options.value, *options.patterns.values()) if each))
    if not patterns or said.exit_code not in options.exit_codes:
        return {}
    found = await searched([each[1:-1] for each in patterns], [said.text], max(_LEAST_SECONDS, seconds))
    return {pattern: each[0] for pattern, each in zip(patterns, found, strict=True)}


def _reading(
    options: CommandOptions,
    said: Said,
    matches: Mapping[str, Match | None],
    context: Context,
    evidence: tuple[Evidence, ...],
) -> Reading:
    """Return what an ordinary program came to; of its output nothing after an exit code that is not wanted."""
    asked, judged = asked_json(options), said.exit_code in options.exit_codes
    measures = said.measures(judged=judged)
    if not judged:
        nothing = {**({"value": None} if options.value else {}), **dict.fromkeys(options.patterns)}
        measures |= {**nothing, **(unread(asked) if asked is not None else {})}
        return Reading(measures=measures, evidence=(*_notes(options, said), *evidence))
    if options.value:
        measures["value"] = _value(options, matches[options.value], said.text)
    values, missed = values_in(
        matches,
        options.patterns,
        options.units,
        options.ages,
        now=context.present,
        timezone=options.timezone,
    )
    found = _json(options, said, asked, context, evidence) if asked is not None else Found()
    return Reading(
        measures={**measures, **values, **found.measures},
        columns=found.columns,
        rows=found.rows,
        label=found.label,
        truncated=found.truncated,
        evidence=(*_notes(options, said, *missed), *found.evidence(), *evidence),
    )


def _json(
    options: CommandOptions, said: Said, asked: Questions, context: Context, evidence: tuple[Evidence, ...]
) -> Found:
    program = options.argv[0]
    if said.cut:
        raise ProbeError(
            "too-large", f"{program} says more than {LIMIT_BYTES:,} bytes of JSON", "let it say less", evidence
        )
    try:
        return found_in(parsed(said.text), asked, context.present)
    except JsonError as error:
        raise ProbeError(
            "bad-answer", f"what {program} says is not the JSON that was meant: {error}", "see its output", evidence
        ) from error


def _plugin(options: CommandOptions, said: Said, evidence: tuple[Evidence, ...]) -> Reading:
    """Return what a plugin of Nagios came to; its exit code alone says how it is.

    UNKNOWN is no reading whatever the item looks at: the plugin could not see what its numbers speak of.
    """
    told = _nagios.parsed("" if said.cut else said.text)
    if said.exit_code >= len(_nagios.STATES):
        meant = (
            "UNKNOWN" if said.exit_code == len(_nagios.STATES) else f"exit code {said.exit_code}, which is UNKNOWN"
        )
        words = f": {told.text[:300]}" if told.text else ""
        raise ProbeError(
            "failed",
            f"{options.argv[0]} says {meant}{words}",
            "run it by hand as the console's user: are its arguments right, and may it see what it checks?",
            evidence,
        )
    measures = said.measures(judged=True)
    measures["state"] = _nagios.STATES[said.exit_code]
    measures["text"] = None if said.cut else told.text
    values, twice = _nagios.measures(told, TAKEN)
    if options.labels:
        wanted = plugin_names(options)
        values = {**dict.fromkeys(wanted), **{name: value for name, value in values.items() if name in wanted}}
    notes = [f"cannot be read: {each}" for each in told.unread]
    notes += [f"there twice, so neither is judged: {each}" for each in twice]
    return Reading(
        measures={**values, **measures},
        columns=_nagios.COLUMNS if told.perf else (),
        rows=tuple(each.row() for each in told.perf),
        label="label" if told.perf else "",
        truncated=told.more,
        evidence=(*_notes(options, said, *notes), *evidence),
    )


def _value(options: CommandOptions, match: Match | None, text: str) -> Value:
    if match is None:
        raise ProbeError(
            "bad-answer",
            f"{options.value} is not found in what {options.argv[0]} says",
            "see its output below, and adapt the pattern",
            (Evidence("standard output", *_shortened(text)),),
        )
    group = match.group
    found = decimal_of(group or "")
    if found is None or abs(found.adjusted()) > _LARGEST_EXPONENT:
        raise ProbeError(
            "bad-answer",
            f"{options.value} finds '{group}' in what {options.argv[0]} says, which is no number",
            "let the group hold digits only",
            (Evidence("standard output", *_shortened(text)),),
        )
    return Number(found, options.unit)


def _notes(options: CommandOptions, said: Said, *more: str) -> tuple[Evidence, ...]:
    """Return what of the output is not judged, and why."""
    notes = []
    if not options.nagios and said.exit_code not in options.exit_codes:
        codes = ", ".join(map(str, options.exit_codes))
        notes.append(f"It ended with exit code {said.exit_code}: its output is only judged after {codes}.")
    if said.cut or len(said.text) > MAX_TEXT:
        notes.append("It said too much to be kept: its output is not judged as a text.")
    notes += more[:_MOST_NOTES]
    if len(more) > _MOST_NOTES:
        notes.append(f"... and {len(more) - _MOST_NOTES:,} more")
    return (Evidence("exit", "\n".join(notes)),) if notes else ()


def _outputs(stdout: bytes, stderr: bytes, secrets: tuple[str, ...]) -> tuple[Evidence, ...]:
    streams = (("standard output", stdout), ("standard error", stderr))
    return tuple(
        Evidence(title, text, truncated or len(said) > _SHORT)
        for title, said in streams
        if said
        for text, truncated in [_shortened(_text(said[:_SHORT], secrets))]
    )


async def _said(finished: Finished, secrets: tuple[str, ...]) -> Said:
    """Return the whole lines that a program said; half a second of work for a flood, hence in a thread."""
    whole = finished.stdout.decode("utf-8", "backslashreplace")
    cut = finished.truncated or len(whole) > LIMIT_BYTES  # bytes that are no text take four characters each
    if cut:
        whole = whole[: whole.rfind("\n", 0, LIMIT_BYTES) + 1]  # the half of a number is another number
    if len(whole) <= _SHORT:
        return Said(finished, redacted(whole, secrets), cut)
    text = await in_thread(f"mask {id(finished)}", lambda: redacted(whole, secrets))
    return Said(finished, text, cut)


def _text(said: bytes, secrets: tuple[str, ...]) -> str:
    return redacted(said.decode("utf-8", "backslashreplace"), secrets)


def _shortened(text: str) -> tuple[str, bool]:
    return text[:MAX_TEXT], len(text) > MAX_TEXT


def _signal(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _not_started(options: CommandOptions, error: CannotStartError) -> ProbeError:
    program = options.argv[0]
    reason, hint = {
        "not-found": ("missing-program", f"install {program}, or write its whole path"),
        "not-executable": (
            "no-permission",
            f"let the console's user execute it: `chmod +x {shlex.quote(program)}`",
        ),
        "failed": ("failed", "see whether it runs by hand"),
    }[error.cause]
    return ProbeError(reason, str(error), hint)


def _line(options: CommandOptions, argv: tuple[str, ...]) -> str:
    variables = [f"{name}={shlex.quote(value)}" for name, value in options.env.items()]
    line = " ".join([*variables, shlex.join(argv)])
    return line if options.cwd == "/" else f"cd {shlex.quote(options.cwd)} && {line}"


KIND = ProbeKind(
    name="command",
    summary="Runs a program without a shell: its exit code, its output, values in it, what a Nagios plugin says.",
    options=CommandOptions,
    subjects=subjects,
    open=lambda _environment: CommandProbe(),
    validate=problems,
)
