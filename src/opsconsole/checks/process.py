"""Probe `process`: whether the processes that are asked for run, how many, and what they take."""

import asyncio
import os
import re
import shlex
import stat
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from opsconsole.checks import _groups, _processes, _sampling
from opsconsole.checks._processes import Process, Snapshot
from opsconsole.checks._sampling import Samples
from opsconsole.checks._searching import pattern_problem, searched
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.redaction import redacted
from opsconsole.model.values import Duration, Number, Unit, Value, formatted, seconds

COLUMNS: Subjects = {
    "process": None,
    "user": None,
    "cpu": Unit.PERCENT,
    "rss": Unit.BYTES,
    "age": Unit.SECONDS,
    "threads": Unit.COUNT,
    "open_files": Unit.COUNT,
}
"""Its name and number, its user, the share of one processor that it took over the window, its memory, the time
since its start, its threads, and the files it has open where this user may see that."""
MEASURES: Subjects = {
    "count": Unit.COUNT,
    "zombies": Unit.COUNT,
    "cpu": Unit.PERCENT,
    "rss": Unit.BYTES,
    "oldest": Unit.SECONDS,
    "youngest": Unit.SECONDS,
    "threads": Unit.COUNT,
    "open_files": Unit.COUNT,
}
"""How many run and how many have ended but wait for their parent (`zombies`, which are not counted), what they take
together, and the age of the oldest and the youngest. Where none runs, the rest is unknown."""

_MOST_ROWS = 200
_SEARCHED = 65_536
_PIDFILE_BYTES = 64
_NAME_BYTES = 15
"""What the kernel keeps of a name, and pgrep compares."""


class ProcessOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `process`. Every one that is given must fit; the console itself is not counted."""

    name: str = ""
    """The name of the program, such as `nginx`, as `ps -o comm` shows it."""
    command: str = ""
    """The whole command line with its arguments, as `ps -o args` shows it. It is compared, and not recorded."""
    pattern: str = ""
    """A pattern between slashes that is found in the command line: `"/gunicorn.*myapp/"`. What it is found in is
    not recorded: people put passwords there."""
    pidfile: str = ""
    """A file that holds the number of the process, such as `/run/nginx.pid`. With `name` it is certain that the
    number is not another one's by now."""
    user: str = ""
    """The user that it runs as, by name or number."""
    window: Duration = _sampling.DEFAULT
    """How long to look for `cpu`, of which 100 % is one processor. It must lie within the item's `timeout`."""


class ProcessProbe:
    """Looks through the processes twice, in a thread."""

    async def measure(self, options: ProcessOptions, context: Context) -> Reading:
        """Return how many run and what they take together, with a row for each."""
        _sampling.refuse_too_long(options.window, context)
        try:
            async with asyncio.timeout(context.allowance):
                options = await _with_user(options)
                pid = await in_thread(f"pidfile {options.pidfile}", lambda: _pid(options.pidfile))
                samples = await _sampling.sampled(_processes.snapshot, options.window)
                until = time.monotonic() + context.allowance - float(options.window.seconds)
                chosen = await _fitting(options, pid, samples.last.processes, until)
                living = [each for each in chosen if not each.zombie]
                files = await _processes.open_files(living)
        except TimeoutError:
            raise ProbeError(
                "timeout",
                f"the processes had not been looked through after {context.allowance:.3g} s",
                "raise `timeout`, or look for a shorter `window`",
            ) from None
        return _reading(options, samples, living, len(chosen) - len(living), files)

    async def aclose(self) -> None:
        """Nothing to end."""


# --- which -------------------------------------------------------------------------------------------


async def _with_user(options: ProcessOptions) -> ProcessOptions:
    """Return the options with the user as processes name theirs; raise ProbeError for one that there is not."""
    if not options.user:
        return options
    user = await in_thread(f"user {options.user}", lambda: _processes.user_called(options.user))
    if user is None:
        raise ProbeError("not-found", f"this host knows no user {options.user}", "see `getent passwd`")
    return msgspec.structs.replace(options, user=user)


async def _fitting(options: ProcessOptions, pid: int, processes: Sequence[Process], until: float) -> list[Process]:
    """Return the processes that are meant; their command lines are texts of others, as long as they like."""
    chosen = [each for each in processes if _fits(options, pid, each)]
    if not options.pattern:
        return chosen
    texts = [each.command[:_SEARCHED] for each in chosen]
    (found,) = await searched([options.pattern[1:-1]], texts, max(0.1, until - time.monotonic()), re.RegexFlag(0))
    return [each for each, match in zip(chosen, found, strict=True) if match is not None]


def _fits(options: ProcessOptions, pid: int, process: Process) -> bool:
    return (
        (not options.pidfile or process.pid == pid)
        and (not options.name or process.name == options.name)
        and (not options.user or process.user == options.user)
        and (not options.command or process.command == options.command)
    )


def _pid(path: str) -> int:
    """Return the number that a pidfile holds, 0 without one; raise ProbeError."""
    if not path:
        return 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ProbeError("bad-answer", f"{path} is no regular file", "name the pidfile itself")
            content = os.read(descriptor, _PIDFILE_BYTES)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise ProbeError(
            "not-found", f"there is no pidfile {path}", "was the service stopped, or does it write another one?"
        ) from None
    except PermissionError:
        raise ProbeError(
            "no-permission", f"this user may not read {path}", "let it read the file, or ask by `name`"
        ) from None
    except OSError as error:
        raise ProbeError(
            "failed", f"{path} cannot be read: {error.strerror}", "see the kernel's messages"
        ) from error
    number = content.strip().split(b"\n")[0].strip()
    if not re.fullmatch(rb"[1-9][0-9]{0,9}", number):
        raise ProbeError("bad-answer", f"{path} does not begin with the number of a process", "see what is in it")
    return int(number)


# --- what --------------------------------------------------------------------------------------------


def _reading(
    options: ProcessOptions,
    samples: Samples[Snapshot],
    living: Sequence[Process],
    zombies: int,
    files: Mapping[int, int | None],
) -> Reading:
    shares = _cpu_shares(samples, living)
    rows = [_row(each, shares[each.pid], files[each.pid]) for each in living]
    measures: dict[str, Value] = {"count": Number(Decimal(len(living))), "zombies": Number(Decimal(zombies))}
    measures |= dict.fromkeys(("cpu", "rss", "oldest", "youngest", "threads", "open_files"))
    if living:
        ages = [each.age for each in living]
        measures |= {name: _total(rows, name) for name in ("cpu", "rss", "threads", "open_files")}
        measures |= {"oldest": seconds(max(ages)), "youngest": seconds(min(ages))}
    blind = _blind(options, samples.last)
    return Reading(
        measures=measures,
        columns=tuple(COLUMNS),
        rows=tuple(rows[:_MOST_ROWS]),
        label="process",
        truncated=len(rows) > _MOST_ROWS or bool(blind),
        lower_bounds=tuple(name for name in measures if name != "youngest") if blind else (),
        evidence=(Evidence("processes", "\n".join([*_listing(rows, zombies), *blind])), *_where()),
        command=_command(options),
    )


def _cpu_shares(samples: Samples[Snapshot], living: Sequence[Process]) -> dict[int, Number]:
    """Return the share of one processor that each took; one that is new took all it has used within the window."""
    before = {each.pid: each for each in samples.first.processes}
    found = {}
    for each in living:
        known = before.get(each.pid)
        used = each.cpu - known.cpu if known is not None and known.handle == each.handle else each.cpu
        found[each.pid] = _sampling.share(Decimal(str(round(max(0.0, used), 3))), samples.elapsed)
    return found


def _row(process: Process, cpu: Number, files: int | None) -> tuple[Value, ...]:
    return (
        f"{redacted(process.name)} ({process.pid})",
        process.user,
        cpu,
        Number(Decimal(process.rss), Unit.BYTES),
        seconds(process.age),
        Number(Decimal(process.threads)),
        None if files is None else Number(Decimal(files)),
    )


def _total(rows: Sequence[tuple[Value, ...]], name: str) -> Number | None:
    """Return the sum of a column, None where one process does not say."""
    cells = [row[list(COLUMNS).index(name)] for row in rows]
    numbers = [each.value for each in cells if isinstance(each, Number)]
    return Number(sum(numbers, Decimal(0)), COLUMNS[name] or Unit.COUNT) if len(numbers) == len(cells) else None


def _blind(options: ProcessOptions, seen: Snapshot) -> list[str]:
    """Return in words why there may be more than what was seen."""
    if options.user and options.user == _processes.own_user():
        return []
    said = []
    if _processes.hidden():
        said.append("/proc hides the processes of other users (`hidepid`): there may be more.")
    if seen.unseen:
        said.append(f"{seen.unseen} processes could not be looked at: there may be more.")
    return said


def _listing(rows: Sequence[tuple[Value, ...]], zombies: int) -> list[str]:
    lines = [", ".join(_cell(name, cell) for name, cell in zip(COLUMNS, row, strict=True)) for row in rows]
    if len(lines) > _MOST_ROWS:
        lines[_MOST_ROWS:] = [f"and {len(lines) - _MOST_ROWS} more"]
    ended = [f"{zombies} have ended, and wait for their parent to take note (zombies)"] if zombies else []
    return [*(lines or ["no such process runs"]), *ended]


def _cell(name: str, cell: Value) -> str:
    if isinstance(cell, Number):
        return f"{name} {formatted(cell)}"
    return str(cell) if cell is not None else f"{name} not permitted"


def _where() -> list[Evidence]:
    if not _groups.in_pid_namespace():
        return []
    text = "The console runs in a PID namespace, as containers do, and sees the processes in there alone."
    return [Evidence("whose figures", text)]


def _command(options: ProcessOptions) -> str:
    """Return a line that shows the same without command lines; a pattern is the author's own."""
    fields = "pid,user,pcpu,rss,etime,nlwp,stat,comm"
    if options.pidfile:
        return f'ps -o {fields} -p "$(cat {shlex.quote(options.pidfile)})"'
    words = ["pgrep", "--list-name"]
    words += ["--euid", options.user] if options.user else []
    if options.command:
        words += ["--full", "--exact", "--", options.command]
    elif options.pattern:
        words += ["--full", "--", options.pattern[1:-1]]
    elif options.name:
        words += ["--exact", "--", options.name.encode()[:_NAME_BYTES].decode(errors="ignore")]
    return shlex.join(words)


# --- the kind ----------------------------------------------------------------------------------------


def _problems(options: ProcessOptions) -> list[tuple[str, str]]:
    found = []
    if not any((options.name, options.command, options.pattern, options.pidfile, options.user)):
        found.append(("name", "say which: by `name`, `command`, `pattern`, `pidfile` or `user`"))
    if options.command and options.pattern:
        found.append(("pattern", "a command line is given as a whole, or as a pattern; leave one of the two out"))
    if "/" in options.name:
        found.append(("name", f"'{options.name}' is a path; write the name alone, or the whole line as `command`"))
    found += [(key, secret) for key in ("command", "pattern") if (secret := _secret(getattr(options, key)))]
    if options.pattern and (problem := pattern_problem(options.pattern, "/gunicorn.*myapp/")):
        found.append(("pattern", problem))
    if options.pidfile and (not options.pidfile.startswith("/") or "\0" in options.pidfile):
        found.append(("pidfile", f"'{options.pidfile}' is no absolute path; write it like '/run/nginx.pid'"))
    if problem := _sampling.window_problem(options.window):
        found.append(("window", problem))
    return found


def _secret(text: str) -> str:
    return "what looks like a secret in there would be recorded; use a `pattern` without it" * (
        redacted(text) != text
    )


def _open(_environment: Environment) -> ProcessProbe:
    return ProcessProbe()


KIND = ProbeKind(
    name="process",
    summary="Looks for processes, counts them, and measures what they take.",
    options=ProcessOptions,
    subjects=lambda _options: {**COLUMNS, **MEASURES},
    open=_open,
    validate=_problems,
)
