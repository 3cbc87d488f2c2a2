"""Probe `command`: runs one program without a shell, and brings back how it ended and what it said."""

import os
import re
import shlex
import signal
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec

from opsconsole.checks import _process
from opsconsole.checks._process import CannotStartError, Finished, TimedOutError
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.redaction import redacted
from opsconsole.model.values import Number, Unit, Value, decimal_of, seconds

LIMIT_BYTES = 1 << 20
"""How much of its output is read for counting and searching (1 MiB)."""
MAX_TEXT = 60_000
"""Characters of an output that are kept; a longer one is not judged as a text."""

_SUBJECTS: Subjects = {
    "exit_code": Unit.COUNT,
    "stdout": None,
    "lines": Unit.COUNT,
    "duration": Unit.SECONDS,
}
_SECRET_NAME = re.compile(r"passw(?:or)?d|passwd|pwd|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{[a-z_]*\}")
_SECRET_OPTION = re.compile(r"--?[\w-]*(?:passw(?:or)?d|passphrase|secret|token|api-?key)\Z", re.IGNORECASE)
_LARGEST_EXPONENT = 300
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class CommandOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `command`."""

    argv: tuple[str, ...] | str
    """The program and its arguments, as a list: `["df", "-h", "/srv"]`. There is no shell, so `|`, `$HOME` and `*`
    are plain characters."""
    value: str = ""
    """A pattern between slashes whose first group is the number `value`: `"/queued: ([0-9]+)/"`. It is looked for
    in the standard output, and the first place where it is found counts."""
    unit: Unit = Unit.COUNT
    """The unit of `value`: `count`, `%`, `B` or `s`."""
    exit_codes: tuple[int, ...] = (0,)
    """Exit codes after which its output means what the item takes it for. After another one only `exit_code` and
    `duration` are known."""
    env: dict[str, str] = {}
    """Variables for it, beside the search path, HOME, USER and a plain C.UTF-8 and UTC setting. Nothing secret."""
    pass_env: tuple[str, ...] = ()
    """Names of variables that it gets from the console's own environment. Their values are masked in what it
    says."""
    cwd: str = "/"
    """The directory that it runs in."""


class CommandProbe:
    """Runs programs; each ends with its measurement, and all it started with it."""

    async def measure(self, options: CommandOptions, context: Context) -> Reading:
        """Run the program to its end; its exit code is a measure, everything else that ends it is a problem."""
        argv = _argv(options)
        passed, secrets = _passed(options)
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
        return Reading(
            measures=_measures(options, finished, secrets),
            evidence=(*_note(options, finished), *evidence),
            command=_line(options, argv),
        )

    async def aclose(self) -> None:
        """Nothing to end: every program ended with its measurement."""


def _argv(options: CommandOptions) -> tuple[str, ...]:
    problems = _problems(options)
    if problems or isinstance(options.argv, str):
        raise ProbeError("bad-options", "; ".join(f"{key}: {message}" for key, message in problems))
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


def _measures(options: CommandOptions, finished: Finished, secrets: tuple[str, ...]) -> dict[str, Value]:
    """Return what is known; None for what cannot be said, which is never a pass."""
    measures: dict[str, Value] = {
        "exit_code": Number(Decimal(finished.returncode)),
        "duration": seconds(finished.elapsed),
        "stdout": None,
        "lines": None,
    }
    if options.value:
        measures["value"] = None
    if finished.returncode not in options.exit_codes:
        return measures
    text = _text(finished.stdout, secrets)
    if not finished.truncated:
        measures["lines"] = Number(Decimal(len(text.splitlines())))
        if len(text) <= MAX_TEXT:
            measures["stdout"] = text.removesuffix("\n")
    if options.value:
        measures["value"] = _value(options, text)
    return measures


def _value(options: CommandOptions, text: str) -> Value:
    match = re.search(options.value[1:-1], text, re.MULTILINE)
    if match is None:
        raise ProbeError(
            "bad-answer",
            f"{options.value} is not found in what {options.argv[0]} says",
            "see its output below, and adapt the pattern",
            (Evidence("standard output", *_shortened(text)),),
        )
    found = decimal_of(match[1] or "")
    if found is None or abs(found.adjusted()) > _LARGEST_EXPONENT:
        raise ProbeError(
            "bad-answer",
            f"{options.value} finds '{match[1]}' in what {options.argv[0]} says, which is no number",
            "let the group hold digits only",
            (Evidence("standard output", *_shortened(text)),),
        )
    return Number(found, options.unit)


def _note(options: CommandOptions, finished: Finished) -> tuple[Evidence, ...]:
    notes = []
    if finished.returncode not in options.exit_codes:
        codes = ", ".join(map(str, options.exit_codes))
        notes.append(f"It ended with exit code {finished.returncode}: its output is only judged after {codes}.")
    if finished.truncated or len(finished.stdout) > MAX_TEXT:
        notes.append("It said too much to be kept: its output is not judged as a text.")
    return (Evidence("exit", "\n".join(notes)),) if notes else ()


def _outputs(stdout: bytes, stderr: bytes, secrets: tuple[str, ...]) -> tuple[Evidence, ...]:
    streams = (("standard output", stdout), ("standard error", stderr))
    return tuple(Evidence(title, *_shortened(_text(said, secrets))) for title, said in streams if said)


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


# --- the kind ----------------------------------------------------------------------------------------


def _problems(options: CommandOptions) -> list[tuple[str, str]]:
    found = [("argv", message) for message in _argv_problems(options.argv)]
    found += [("value", message) for message in _pattern_problems(options.value)]
    if options.unit is not Unit.COUNT and not options.value:
        found.append(("unit", "it is the unit of `value`; give that a pattern too"))
    for name in options.env:
        if not _VARIABLE.match(name):
            found.append(("env", f"'{name}' is no name of a variable"))
        elif _SECRET_NAME.search(name):
            found.append(
                ("env", f"'{name}' looks like a secret; name it in `pass_env`, which takes it from the environment")
            )
    found += [
        ("pass_env", f"'{name}' is no name of a variable") for name in options.pass_env if not _VARIABLE.match(name)
    ]
    if not options.cwd.startswith("/"):
        found.append(("cwd", f"'{options.cwd}' is no absolute path"))
    if any("\0" in text for text in (*options.env.values(), options.cwd)):
        found.append(("env", "a NUL character cannot be passed to a program"))
    return found


def _argv_problems(argv: tuple[str, ...] | str) -> list[str]:
    if isinstance(argv, str):
        try:
            words = shlex.split(argv)
        except ValueError:
            words = argv.split()
        listed = ", ".join(f'"{word}"' for word in words)
        return [f"no shell takes the line apart; write a list: [{listed}]"]
    if not argv or not argv[0]:
        return ["name the program and its arguments, like ['df', '-h']"]
    found = []
    if "/" in argv[0] and not argv[0].startswith("/"):
        found.append(f"'{argv[0]}' is a relative path; write the whole path, or the name alone")
    if any("\0" in word for word in argv):
        found.append("a NUL character cannot be passed to a program")
    if _holds_secret(argv[1:]):
        found.append(
            "an argument looks like a secret, which everybody on the host can read; use `pass_env`, or a file"
        )
    return found


def _holds_secret(words: Sequence[str]) -> bool:
    """Tell whether a word holds a secret, or is one because of the option before it."""
    plain = [_PLACEHOLDER.sub("", word) for word in words]
    after = (word for option, word in pairwise(plain) if _SECRET_OPTION.match(option))
    return any(redacted(word) != word for word in plain) or any(word and word[0] not in "-/" for word in after)


def _pattern_problems(pattern: str) -> list[str]:
    if not pattern:
        return []
    if not re.fullmatch(r"/.+/", pattern, re.DOTALL):
        return [f"'{pattern}' is no pattern; write it between slashes, with a group: '/used: ([0-9]+)/'"]
    try:
        groups = re.compile(pattern[1:-1]).groups
    except re.error as error:
        return [f"{pattern} is no regular expression: {error}"]
    return [] if groups else [f"{pattern} has no group; put parentheses around the number, like '/used: ([0-9]+)/'"]


def _subjects(options: CommandOptions) -> Subjects:
    return {**_SUBJECTS, "value": options.unit} if options.value else _SUBJECTS


def _open(_environment: Environment) -> CommandProbe:
    return CommandProbe()


KIND = ProbeKind(
    name="command",
    summary="Runs a program without a shell, and measures its exit code, its output, and a number in it.",
    options=CommandOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
