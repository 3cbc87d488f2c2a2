"""What the probes that speak with systemd share: is it there, asking it, and reading its answers.

systemctl exits 0 for units that do not exist and shows a unit that never ran like one that ran well, so everything
it says is read here, once.
"""

import asyncio
import contextlib
import datetime as dt
import difflib
import os
import re
import signal
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

from opsconsole.checks import _process
from opsconsole.checks._process import CannotStartError, Finished, TimedOutError
from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.model.readings import Evidence
from opsconsole.model.values import Moment, Number, Unit, Value, number, seconds

T = TypeVar("T")

Manager = Literal["system", "user"]

BOOTED = Path("/run/systemd/system")
"""Exists where systemd is the init system: sd_booted(3)."""

UNIT_DIRECTORIES = tuple(
    Path(each)
    for each in ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
)
"""Where the files of the system's units lie: systemd.unit(5)."""
_USER_DIRECTORIES = (
    *(Path(each) for each in ("/etc/systemd/user", "/run/systemd/user", "/usr/lib/systemd/user")),
    Path("~/.config/systemd/user"),
)

UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}\Z")
"""The characters of a unit's name: systemd.unit(5)."""

UNIT_TYPES = (
    "service",
    "timer",
    "socket",
    "target",
    "mount",
    "automount",
    "swap",
    "path",
    "slice",
    "scope",
    "device",
)

_UNSET = frozenset({"", "[not set]", "n/a", "infinity", "18446744073709551615"})
_WHOLE = re.compile(r"[0-9]{1,20}\Z")
"""At most the largest number of 64 bits."""
_TIMESTAMP = re.compile(r"[A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) UTC", re.ASCII)
_SPAN = re.compile(r"(\d{1,20}(?:\.\d{1,9})?)(y|month|w|d|h|min|s|ms|us)(?: |\Z)", re.ASCII)
_SPAN_SECONDS = {
    "y": Decimal(31_557_600),
    "month": Decimal(2_629_800),
    "w": Decimal(604_800),
    "d": Decimal(86_400),
    "h": Decimal(3600),
    "min": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
    "us": Decimal("0.000001"),
}
_KILLED = frozenset({"2", "3"})
_SIGNAL_BASE = 128


# --- asking ------------------------------------------------------------------------------------------


def require_booted() -> None:
    """Raise `not-booted-with-systemd` where this host has another init system, or none (a container)."""
    if not BOOTED.is_dir():
        raise not_booted()


def not_booted() -> ProbeError:
    """Return what is said on a host without systemd."""
    return ProbeError(
        "not-booted-with-systemd",
        "this host was not booted with systemd, so it has no units, timers or journal to look at",
        "run the check on the host itself, not in a container; `systemctl is-system-running` must answer there",
    )


def bad_answer(cause: str) -> ProbeError:
    """Return what is said where systemd's own programs print something that is not known."""
    return ProbeError("bad-answer", cause, "this belongs in a bug report, with what `systemctl --version` prints")


class Programs:
    """Runs the programs of one measurement within its time; every failure is a `ProbeError`.

    Those of `manager` "user" ask the manager of the user that the console runs as, not the system's.
    """

    def __init__(self, context: Context, manager: Manager = "system") -> None:
        self.manager: Manager = manager
        self._end = time.monotonic() + context.allowance

    async def run(self, *argv: str, limit_bytes: int = _process.DEFAULT_LIMIT_BYTES) -> Finished:
        """Run a program to its end; its exit status is the caller's to judge."""
        env = _of_user() if self.manager == "user" else None
        try:
            return await _process.run(argv, timeout=self._end - time.monotonic(), env=env, limit_bytes=limit_bytes)
        except CannotStartError as error:
            raise ProbeError(
                "missing-program" if error.cause == "not-found" else "failed",
                str(error),
                f"{argv[0]} comes with systemd; install it, or add its directory to PATH",
            ) from error
        except TimedOutError as error:
            raise ProbeError(
                "timeout",
                f"{argv[0]} had not answered when the time of the check was up",
                f"see whether `{argv[0]}` answers by hand; a longer `timeout` of the item gives it more time",
            ) from error

    async def systemctl(self, *arguments: str) -> str:
        """Return what systemctl prints; raise ProbeError where it cannot ask systemd."""
        whose = ("--user",) if self.manager == "user" else ()
        finished = await self.run("systemctl", *whose, "--no-pager", "--no-ask-password", *arguments)
        errors = finished.stderr.decode("utf-8", "replace").strip()
        if finished.returncode:
            raise _no_manager(errors) if whose and "connect to bus" in errors.lower() else _refused(errors)
        if finished.truncated:
            raise bad_answer("systemctl answered more than is plausible")
        return finished.stdout.decode("utf-8", "replace")


def _of_user() -> dict[str, str]:
    """Return what systemctl needs to find the manager of a user, which nobody has set under cron."""
    return {"XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"}


def _no_manager(errors: str) -> ProbeError:
    return ProbeError(
        "source-down",
        "systemd runs no manager for this user, so there are no units of theirs to look at",
        "let one run without a login: `loginctl enable-linger`",
        (Evidence("systemctl", errors),),
    )


_REFUSALS = ("access denied", "permission denied", "authentication", "endpoint is not connected", "not permitted")


def _refused(errors: str) -> ProbeError:
    evidence = (Evidence("systemctl", errors),) if errors else ()
    said = errors.lower()
    if "not been booted with systemd" in said or "host is down" in said:
        return not_booted()
    if any(words in said for words in _REFUSALS):
        return ProbeError(
            "no-permission",
            "systemd refused to answer this user",
            "run as a user that the system's D-Bus knows (one with an entry in the passwd database)",
            evidence,
        )
    first = errors.partition("\n")[0] or "no message"
    return ProbeError(
        "failed", f"systemctl failed: {first}", "see whether `systemctl status` works by hand", evidence
    )


async def together(*work: Awaitable[T]) -> list[T]:
    """Wait for all; where one fails, cancel the others and raise its error as it is."""
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(each)) for each in work]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _awaited(work: Awaitable[T]) -> T:
    return await work


# --- units -------------------------------------------------------------------------------------------


def full_name(unit: str, kind: str = "service") -> str:
    """Return a unit's name with its type, which may be left out: `nginx` is `nginx.service`."""
    return unit if unit.rpartition(".")[2] in UNIT_TYPES else f"{unit}.{kind}"


def name_problem(unit: str, kind: str = "") -> str:
    """Return what is wrong with the name of one unit (of one kind, if given), empty where nothing is."""
    if not UNIT_NAME.match(unit) or unit.startswith("-"):
        return f"'{unit}' is no name of a unit; write one name without wildcards, like 'nginx.service'"
    name = full_name(unit, kind or "service")
    if name.rpartition(".")[0].endswith("@"):
        return f"'{unit}' is a template; write the instance that runs, like '{name.replace('@.', '@main.')}'"
    if kind and not name.endswith(f".{kind}"):
        return f"'{unit}' is no {kind}; its name must end in '.{kind}'"
    return ""


async def properties(programs: Programs, unit: str, names: Iterable[str]) -> dict[str, str]:
    """Return properties of a unit as systemctl shows them; raise `not-found` where there is no such unit.

    Timestamps are in UTC. Names that this version of systemd does not know are missing from the answer.
    """
    wanted = dict.fromkeys(["Id", "LoadState", *names])
    shown = parsed_properties(await programs.systemctl("show", f"--property={','.join(wanted)}", "--", unit))
    if not shown.get("LoadState"):
        raise bad_answer(f"systemctl said nothing about {unit}")
    if shown["LoadState"] == "not-found":
        raise absent(unit, programs.manager)
    return shown


async def properties_of_all(programs: Programs, units: Sequence[str], names: Iterable[str]) -> list[dict[str, str]]:
    """Return the same for several units in their order, with one question."""
    wanted = dict.fromkeys(["Id", "LoadState", *names])
    said = await programs.systemctl("show", f"--property={','.join(wanted)}", "--", *units)
    shown = [parsed_properties(block) for block in said.split("\n\n") if block.strip()]
    if len(shown) != len(units) or not all(each.get("LoadState") for each in shown):
        raise bad_answer(f"systemctl was asked for {len(units)} units and answered for {len(shown)}")
    for unit, each in zip(units, shown, strict=True):
        if each["LoadState"] == "not-found":
            raise absent(unit, programs.manager)
    return shown


def absent(unit: str, manager: Manager) -> ProbeError:
    """Return what is said of a unit that does not exist."""
    whose = " of this user" if manager == "user" else " on this host"
    return ProbeError("not-found", f"there is no unit {unit}{whose}", _hint(unit, manager))


def parsed_properties(text: str) -> dict[str, str]:
    """Return the properties of one unit from `NAME=VALUE` lines, which come in an order of their own."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def _hint(missing: str, manager: Manager) -> str:
    """Return what may have been meant: up to three units of the same type with nearly the same name."""
    stem, _, kind = missing.rpartition(".")
    near = difflib.get_close_matches(stem, sorted(_installed(kind, manager)), n=3, cutoff=0.75)
    meant = f"did you mean {' or '.join(f'{each}.{kind}' for each in near)}? " if near else ""
    user = "--user " if manager == "user" else ""
    return f"{meant}`systemctl {user}list-unit-files --type={kind}` lists what is installed"


def _installed(kind: str, manager: Manager) -> set[str]:
    """Return the names, without the type, of the unit files of one type, templates left out.

    Directories are read because `systemctl list-unit-files` takes half a second to work out what is enabled.
    """
    found: set[str] = set()
    for directory in _USER_DIRECTORIES if manager == "user" else UNIT_DIRECTORIES:
        with contextlib.suppress(OSError, RuntimeError):  # there may be no home directory
            found |= {each.name.removesuffix(f".{kind}") for each in directory.expanduser().glob(f"*.{kind}")}
    return {name for name in found if not name.endswith("@")}


def run_state(shown: Mapping[str, str], now: dt.datetime) -> dict[str, Value]:
    """Return how the last run of a unit went, every value None where there was none.

    A service that never ran has `Result=success` and `ExecMainStatus=0` like one that ran well, and so has one that
    is running at this moment. An exit by a signal counts as 128 + its number, as in a shell.
    """
    started = monotonic(shown.get("ExecMainStartTimestampMonotonic", ""))
    ended = monotonic(shown.get("ExecMainExitTimestampMonotonic", ""))
    exited = started is not None and ended is not None
    active, failed = shown.get("ActiveState") == "active", shown.get("ActiveState") == "failed"
    stopped = started is None and moment(shown.get("InactiveEnterTimestamp", "")) is not None
    status = whole(shown.get("ExecMainStatus"))
    code = 0 if status is None else int(status.value)
    by_signal = shown.get("ExecMainCode") in _KILLED
    start_time, exit_time = (moment(shown.get(f"ExecMain{each}Timestamp", "")) for each in ("Start", "Exit"))
    return {
        "ran": started is not None or active or failed or stopped,
        "result": shown.get("Result") or None if exited or active or failed or stopped else None,
        "exit_status": number(code + _SIGNAL_BASE * by_signal) if exited else None,
        "signal": (signal_name(code) if by_signal else "") if exited else None,
        "duration": seconds(ended - started) if exited and started is not None and ended is not None else None,
        "last_start": age(start_time, now),
        "last_start_time": start_time,
        "last_exit": age(exit_time, now) if exited else None,
        "last_exit_time": exit_time if exited else None,
    }


RUN_PROPERTIES = (
    "ActiveState",
    "SubState",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "ExecMainStartTimestampMonotonic",
    "ExecMainExitTimestamp",
    "ExecMainExitTimestampMonotonic",
    "InactiveEnterTimestamp",
)
"""What `run_state` reads."""


def signal_name(code: int) -> str:
    """Return the name of a signal, `SIGKILL`."""
    try:
        return signal.Signals(code).name
    except ValueError:
        return f"signal {code}"


# --- values ------------------------------------------------------------------------------------------


def text(value: str | None) -> str | None:
    """Return a property that holds a text, None where systemd has none."""
    return None if value is None or value in _UNSET else value


def whole(value: str | None, unit: Unit = Unit.COUNT) -> Number | None:
    """Return a property that holds a whole number, None for `[not set]` and the largest number, which mean none."""
    return number(int(value), unit) if value is not None and value not in _UNSET and _WHOLE.match(value) else None


def moment(value: str) -> Moment | None:
    """Return a timestamp that systemctl printed under TZ=UTC, None where there is none.

    Raises ProbeError for a form that is not known, rather than taking it for never.
    """
    if value in _UNSET or value == "0":
        return None
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        raise bad_answer(f"systemctl printed a time that cannot be read: {value}")
    try:
        return Moment(dt.datetime.fromisoformat(match[1]).replace(tzinfo=dt.UTC))
    except ValueError:
        raise bad_answer(f"systemctl printed a time that there is not: {value}") from None


def monotonic(value: str) -> Decimal | None:
    """Return seconds since boot from a property in microseconds, None for 0 and for what is not set."""
    return Decimal(value) / 1_000_000 if _WHOLE.match(value) and value not in _UNSET and int(value) else None


def span(value: str) -> Decimal | None:
    """Return the seconds of a time span as systemd prints it (`1h 30min 6.741605s`), None for 0 and for none.

    Format: systemd.time(7), "Displaying time spans".
    """
    if value in _UNSET or value == "0":
        return None
    parts = _SPAN.findall(value)
    if "".join(amount + unit for amount, unit in parts) != value.replace(" ", ""):
        raise bad_answer(f"systemctl printed a time span that cannot be read: {value}")
    return sum((Decimal(amount) * _SPAN_SECONDS[unit] for amount, unit in parts), Decimal(0))


def age(then: Moment | None, now: dt.datetime) -> Number | None:
    """Return the seconds from a moment to now."""
    return None if then is None else seconds((now - then.at).total_seconds())


def listing(shown: Mapping[str, str]) -> str:
    """Return properties as evidence, one on a line, in an order that does not change."""
    return "\n".join(f"{name}={shown[name]}" for name in sorted(shown))
