"""The `unit` probe: the state of one systemd unit, or the list of all that failed."""

import json
import shlex
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from opsconsole.checks import _systemd
from opsconsole.checks._systemd import Programs
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Unit, Value, number


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Either `unit` or `state`."""

    unit: str = ""
    """The unit to look at; `.service` may be left out."""
    state: Literal["", "failed"] = ""
    """`failed`: list the units of this host that have failed, instead of looking at one."""


ONE: Subjects = {
    "active": None,
    "sub": None,
    "load": None,
    "enabled": None,
    "description": None,
    "since": Unit.SECONDS,
    "needs_reload": None,
    "restarts": Unit.COUNT,
    "memory": Unit.BYTES,
    "ran": None,
    "result": None,
    "exit_status": Unit.COUNT,
    "signal": None,
    "duration": Unit.SECONDS,
    "last_start": Unit.SECONDS,
    "last_start_time": None,
    "last_exit": Unit.SECONDS,
    "last_exit_time": None,
}
"""What is known of one unit. `since` is how long it has been in its present state, `last_start` and `last_exit`
how long ago that was; `enabled` is systemctl's word (`enabled`, `disabled`, `static` …). The last run's values
are missing for a unit that has not run since the host was booted, and for one that systemd has forgotten because
nothing that is loaded, such as a timer, refers to it."""

COLUMNS = ("unit", "load", "active", "sub", "description")
FAILED: Subjects = {"count": Unit.COUNT, "system": None, **dict.fromkeys(COLUMNS)}
"""What is known of the failed units; `system` is that of the whole system (`running`, `degraded`, `starting` …)."""

_PROPERTIES = (
    *_systemd.RUN_PROPERTIES,
    "Description",
    "LoadError",
    "UnitFileState",
    "StateChangeTimestamp",
    "NeedDaemonReload",
    "NRestarts",
    "MemoryCurrent",
)


class UnitProbe:
    """Asks `systemctl`; keeps nothing between two measurements."""

    async def measure(self, options: Options, context: Context) -> Reading:
        """Return the state of a unit as measures, or the failed units as a table with `count`."""
        _systemd.require_booted()
        programs = Programs(context)
        if options.state:
            return await _failed(programs)
        return await _one(programs, _systemd.full_name(options.unit), context)

    async def aclose(self) -> None:
        """Nothing is kept open."""


async def _one(programs: Programs, unit: str, context: Context) -> Reading:
    shown = await _systemd.properties(programs, unit, _PROPERTIES)
    measures: dict[str, Value] = {
        "active": _systemd.text(shown.get("ActiveState")),
        "sub": _systemd.text(shown.get("SubState")),
        "load": _systemd.text(shown.get("LoadState")),
        "enabled": _systemd.text(shown.get("UnitFileState")),
        "description": _systemd.text(shown.get("Description")),
        "since": _systemd.age(_systemd.moment(shown.get("StateChangeTimestamp", "")), context.now),
        "needs_reload": shown.get("NeedDaemonReload") == "yes",
        "restarts": _systemd.whole(shown.get("NRestarts")),
        "memory": _systemd.whole(shown.get("MemoryCurrent"), Unit.BYTES),
        **_systemd.run_state(shown, context.now),
    }
    return Reading(
        measures=measures,
        evidence=(Evidence(f"systemctl show {unit}", _systemd.listing(shown)),),
        command=shlex.join(["systemctl", "status", "--no-pager", "--full", unit]),
    )


async def _failed(programs: Programs) -> Reading:
    """List the failed units, and make sure of their number: an answer cut short must not look like a good one."""
    for _ in range(2):  # a unit may fail, or recover, between the two questions
        listed = await programs.systemctl(
            "list-units", "--failed", "--full", "--plain", "--no-legend", "--output=json"
        )
        rows = parsed_units(listed)
        manager = _systemd.parsed_properties(
            await programs.systemctl("show", "--property=NFailedUnits,SystemState")
        )
        expected = _systemd.whole(manager.get("NFailedUnits"))
        if expected == number(len(rows)):
            break
    else:
        raise ProbeError(
            "bad-answer",
            f"systemd counts {manager.get('NFailedUnits') or 'no'} failed units but lists {len(rows)}",
            "compare `systemctl --failed` with `systemctl show --property=NFailedUnits`",
            (Evidence("systemctl list-units --failed", listed),),
        )
    return Reading(
        measures={"count": number(len(rows)), "system": _systemd.text(manager.get("SystemState"))},
        columns=COLUMNS,
        rows=rows,
        label="unit",
        evidence=(Evidence("failed units", "\n".join("  ".join(row) for row in rows) or "none"),),
        command="systemctl list-units --failed --no-pager --full",
    )


def parsed_units(listed: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of `systemctl list-units --plain --no-legend --output=json`.

    Before version 246 systemctl knows no JSON for this and prints the plain table: four words and the description.
    """
    if listed.startswith("["):
        try:
            found = json.loads(listed)
            return tuple(tuple(_cell(each, column) for column in COLUMNS) for each in found)
        except (ValueError, KeyError, TypeError) as error:
            raise _systemd.bad_answer(f"systemctl's list of units cannot be read: {error}") from error
    rows = [line.split(None, len(COLUMNS) - 1) for line in listed.splitlines() if line.strip()]
    if any(len(row) < len(COLUMNS) - 1 for row in rows):
        raise _systemd.bad_answer("systemctl's list of units cannot be read")
    return tuple((*row, *[""] * (len(COLUMNS) - len(row))) for row in rows)


def _cell(unit: Mapping[str, Any], column: str) -> str:
    return str(unit[column])


def _problems(options: Options) -> list[tuple[str, str]]:
    if options.state:
        return [("unit", "say either 'unit' or 'state', not both")] if options.unit else []
    if not options.unit:
        return [("unit", "say which unit, or 'state = \"failed\"' for all that failed")]
    problem = _systemd.name_problem(options.unit)
    return [("unit", problem)] if problem else []


def _subjects(options: Options) -> Subjects:
    return FAILED if options.state else ONE


def _open(_environment: Environment) -> UnitProbe:
    return UnitProbe()


KIND = ProbeKind(
    name="unit",
    summary="The state of a systemd unit and how its last run went, or the list of units that failed.",
    options=Options,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
