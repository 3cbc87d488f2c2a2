"""The options of the probe `command`, and what can be wrong with them."""

import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from opsconsole.checks import _nagios
from opsconsole.checks._jsonreading import (
    Questions,
    names_of,
    question_problems,
    question_subjects,
    questions_of,
    unit_of,
    value_problems,
)
from opsconsole.checks._patterns import group_problem
from opsconsole.contracts.probe import Subjects
from opsconsole.model.redaction import redacted
from opsconsole.model.values import Unit

MEASURES: Subjects = {
    "exit_code": Unit.COUNT,
    "stdout": None,
    "lines": Unit.COUNT,
    "duration": Unit.SECONDS,
}
"""What every program has."""
PLUGIN_MEASURES = ("state", "text")
"""What a plugin of Nagios has beside."""
TAKEN = (*MEASURES, *PLUGIN_MEASURES, "count")
"""What no label can be called."""

_SECRET_NAME = re.compile(r"passw(?:or)?d|passwd|pwd|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{[a-z_]*\}")
_SECRET_OPTION = re.compile(r"--?[\w-]*(?:passw(?:or)?d|passphrase|secret|token|api-?key)\Z", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class CommandOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `command`."""

    argv: tuple[str, ...] | str
    """The program and its arguments, as a list: `["df", "-h", "/srv"]`. There is no shell, so `|`, `$HOME` and `*`
    are plain characters. At the item's `timeout` it is killed with all that it has started, also with what made a
    daemon of itself; only what runs as another user by then (`sudo`) stays."""
    value: str = ""
    """A pattern between slashes whose first group is the number `value`: `"/queued: ([0-9]+)/"`. It is looked for
    in the standard output, and the first place where it is found counts."""
    unit: Unit = Unit.COUNT
    """The unit of `value`: `count`, `%`, `B` or `s`."""
    patterns: dict[str, str] = {}
    """Patterns between slashes by the name of a measure: `{ orphans = "/Orphaned: ([0-9]+)/" }`. The first group is
    the value, where the pattern is found first; it is a number where that is one, and missing where it is not
    found."""
    json: dict[str, str] | str = {}
    """For a program that prints JSON: paths (RFC 9535) by the name of a measure, `{ total = "$.issues.total" }`, or
    one path alone, whose value is called `value`. One that leads to many places, such as `$.checks[*].ok`, gives a
    column of a table."""
    counts: dict[str, str] = {}
    """Paths by the name of a measure that says how many places each leads to. Where a filter compares what none of
    many elements has, that is not known; what may be missing is asked for first: `[?@.error && @.error != ""]`."""
    rows: str = ""
    """The path of the rows of a table, such as `$.checks[*]`."""
    columns: dict[str, str] = {}
    """Paths from each row by the name of a column: `{ name = "$.name", ok = "$.ok" }`."""
    label: str = ""
    """The column that names a row."""
    units: dict[str, str] = {}
    """What the numbers of `patterns`, `json` and `columns` count, by name: `{ took = "ms", size = "KiB" }`. What
    has a unit must be a number."""
    ages: tuple[str, ...] = ()
    """Names of those that are timestamps, whose age is measured."""
    timezone: str = ""
    """The zone of timestamps that do not say theirs, such as `Europe/Berlin`; without it they are none."""
    nagios: bool = False
    """It is a plugin of Nagios, Icinga and their kin: its exit code is the `state` (`ok`, `warning`, `critical`;
    with UNKNOWN the item is an error), its first line the `text`, and its performance data are measures by their
    labels, with thresholds and range as `LABEL_warn`, `LABEL_crit`, `LABEL_min`, `LABEL_max`, and the share of the
    range as `LABEL_used`: `"/srv_used" < 80%`."""
    labels: tuple[str, ...] = ()
    """The labels that conditions speak of, where they are known: `["load1"]`. Names in conditions are checked
    against them then, and limits may be thresholds: `load1 < load1_warn`. One that the plugin does not print is
    missing."""
    exit_codes: tuple[int, ...] = (0,)
    """Exit codes after which its output means what the item takes it for. After another one only `exit_code` and
    `duration` are known, so have a condition on `exit_code`, which then says why."""
    env: dict[str, str] = {}
    """Variables for it, beside the search path, HOME, USER and a plain C.UTF-8 and UTC setting. Nothing secret."""
    pass_env: tuple[str, ...] = ()
    """Names of variables that it gets from the console's own environment. Their values are masked in what it
    says."""
    cwd: str = "/"
    """The directory that it runs in."""


def problems(options: CommandOptions) -> list[tuple[str, str]]:
    """Return what is wrong with options, as pairs of key and message."""
    found = [("argv", message) for message in _argv_problems(options.argv)]
    if options.value and (problem := group_problem(options.value)):
        found.append(("value", problem))
    if options.unit is not Unit.COUNT and not options.value:
        found.append(("unit", "it is the unit of `value`; give that a pattern too"))
    found += _output_problems(options)
    found += _surrounding_problems(options)
    return found


def _output_problems(options: CommandOptions) -> list[tuple[str, str]]:
    """Return what is wrong with what is looked for in the output."""
    asked = questions_of(options)
    if options.nagios:
        others = [
            name for name in ("value", "patterns", "json", "counts", "rows", "columns") if getattr(options, name)
        ]
        if options.exit_codes != (0,):
            others.append("exit_codes")
        found = [(name, "with `nagios` the exit code and the performance data say everything") for name in others]
        odd = [each for each in options.labels if not each or "|" in each or "\n" in each]
        return [*found, *(("labels", f"'{each}' is no label of performance data") for each in odd)]
    found = [("labels", "labels are those of a plugin; set `nagios`, too")] if options.labels else []
    found += [("patterns", problem) for pattern in options.patterns.values() if (problem := group_problem(pattern))]
    taken = (*MEASURES, *(("value",) if options.value else ()))
    for name in options.patterns:
        if not _NAME.match(name):
            found.append(("patterns", f"'{name}' is no name for a measure"))
        elif name in {*taken, "count"}:
            found.append(("patterns", f"'{name}' is measured anyway; call it otherwise"))
    wrong = question_problems(asked, (*taken, *options.patterns))
    found += wrong
    return found if wrong else [*found, *value_problems(asked, (*options.patterns, *names_of(asked)))]


def _surrounding_problems(options: CommandOptions) -> list[tuple[str, str]]:
    """Return what is wrong with what it runs in."""
    found: list[tuple[str, str]] = []
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
    if len(argv) == 1 and not argv[0].startswith("/") and len(argv[0].split()) > 1:
        return _argv_problems(argv[0])
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


def subjects(options: CommandOptions) -> Subjects | None:
    """Return what conditions may speak of; None for a plugin whose labels only it knows."""
    if options.nagios and not options.labels:
        return None
    if options.nagios:
        plain = {**MEASURES, **dict.fromkeys(PLUGIN_MEASURES), "count": Unit.COUNT}
        named = (*plugin_names(options), *_nagios.COLUMNS)
        shares = {name: Unit.PERCENT if name.endswith("used") else None for name in named}
        own = {_nagios.name_of(each, TAKEN) for each in options.labels}
        return {**shares, **dict.fromkeys(own), **plain}
    asked = questions_of(options)
    value: Mapping[str, Unit | None] = {"value": options.unit} if options.value else {}
    return {
        **MEASURES,
        **value,
        **{name: unit_of(name, asked) for name in options.patterns},
        **question_subjects(asked),
    }


def plugin_names(options: CommandOptions) -> tuple[str, ...]:
    """Return the measures that the labels of a plugin stand for."""
    return _nagios.names(options.labels, TAKEN)


def asked_json(options: CommandOptions) -> Questions | None:
    """Return what is asked of the output as JSON, None where nothing is."""
    asked = questions_of(options)
    return asked if asked.any else None
