"""The `unit` probe: the state of one systemd unit or of several, or the list of all that failed."""

import shlex
from collections.abc import Mapping
from typing import Literal

import msgspec

from opsconsole.checks import _systemd
from opsconsole.checks._systemd import Manager, Programs
from opsconsole.checks._unittables import COLUMNS, MOST_UNITS, WILDCARDS, names_of, parsed_units
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Number, Unit, Value, number


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of `unit`, `units` and `state`."""

    unit: str = ""
    """The unit to look at; `.service` may be left out."""
    units: tuple[str, ...] = ()
    """The units to look at, a row for each. With `*` for anything, as in `app-*`, those that systemd has loaded."""
    state: Literal["", "failed"] = ""
    """`failed`: list the units that have failed, instead of looking at some."""
    manager: Manager = "system"
    """`user`: those of the manager of the user that the console runs as, instead of the system's."""


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
    "memory_peak": Unit.BYTES,
    "memory_limit": Unit.BYTES,
    "memory_used": Unit.PERCENT,
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
nothing that is loaded, such as a timer, refers to it. `restarts` are those by Restart= since the unit was last
started; those of a stretch of time are events of the probe `journal`. `memory` is what it has now, `memory_peak`
the most it had, and `memory_used` its share of `memory_limit`; each is missing where systemd does not report it."""

MANY: Subjects = {
    "unit": None,
    **{name: ONE[name] for name in ONE if name not in {"description", "last_start_time", "last_exit_time"}},
}
"""What is known of each of several units: the same."""

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
    "MemoryPeak",
    "MemoryMax",
    "EffectiveMemoryMax",
)


class UnitProbe:
    """Asks `systemctl`; keeps nothing between two measurements."""

    async def measure(self, options: Options, context: Context) -> Reading:
        """Return the state of a unit as measures, or the failed units as a table with `count`."""
        _systemd.require_booted()
        programs = Programs(context, options.manager)
        if options.state:
            return await _failed(programs)
        if options.units:
            return await _many(programs, options.units, context)
        return await _one(programs, _systemd.full_name(options.unit), context)

    async def aclose(self) -> None:
        """Nothing is kept open."""


async def _one(programs: Programs, unit: str, context: Context) -> Reading:
    shown = await _systemd.properties(programs, unit, _PROPERTIES)
    return Reading(
        measures=_state_of(shown, context),
        evidence=(Evidence(f"systemctl show {unit}", _systemd.listing(shown)),),
        command=_command(programs, "status", "--no-pager", "--full", unit),
    )


def _state_of(shown: Mapping[str, str], context: Context) -> dict[str, Value]:
    """Return what is known of a unit, by the names of ONE."""
    memory = _systemd.whole(shown.get("MemoryCurrent"), Unit.BYTES)
    limits = [_systemd.whole(shown.get(name), Unit.BYTES) for name in ("EffectiveMemoryMax", "MemoryMax")]
    limit = next((each for each in limits if each is not None), None)
    return {
        "active": _systemd.text(shown.get("ActiveState")),
        "sub": _systemd.text(shown.get("SubState")),
        "load": _systemd.text(shown.get("LoadState")),
        "enabled": _systemd.text(shown.get("UnitFileState")),
        "description": _systemd.text(shown.get("Description")),
        "since": _systemd.age(_systemd.moment(shown.get("StateChangeTimestamp", "")), context.now),
        "needs_reload": {"yes": True, "no": False}.get(shown.get("NeedDaemonReload", "")),
        "restarts": _systemd.whole(shown.get("NRestarts")),
        "memory": memory,
        "memory_peak": _systemd.whole(shown.get("MemoryPeak"), Unit.BYTES),
        "memory_limit": limit,
        "memory_used": _share(memory, limit),
        **_systemd.run_state(shown, context.now),
    }


def _share(part: Number | None, whole: Number | None) -> Number | None:
    if part is None or whole is None or not whole.value:
        return None
    return Number(round(100 * part.value / whole.value, 2), Unit.PERCENT)


async def _many(programs: Programs, wanted: tuple[str, ...], context: Context) -> Reading:
    names = await names_of(programs, wanted)
    chosen = names[:MOST_UNITS]
    shown = await _systemd.properties_of_all(programs, chosen, _PROPERTIES)
    rows = []
    for unit, each in zip(chosen, shown, strict=True):
        state: dict[str, Value] = {"unit": unit, **_state_of(each, context)}
        rows.append(tuple(state[name] for name in MANY))
    listing = "\n".join(_line(unit, each) for unit, each in zip(chosen, shown, strict=True))
    return Reading(
        columns=tuple(MANY),
        rows=tuple(rows),
        label="unit",
        truncated=len(names) > len(chosen),
        evidence=(Evidence("units", listing, len(names) > len(chosen)),),
        command=_command(programs, "list-units", "--all", "--full", "--no-pager", *map(_systemd.full_name, wanted)),
    )


def _line(unit: str, shown: Mapping[str, str]) -> str:
    result = shown.get("Result", "")
    told = f", {result}" if shown.get("ActiveState") == "failed" and result else ""
    return f"{unit}: {shown['LoadState']} {shown.get('ActiveState', '')} ({shown.get('SubState', '')}){told}"


def _command(programs: Programs, *words: str) -> str:
    return shlex.join(["systemctl", *(["--user"] if programs.manager == "user" else []), *words])


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
        command=_command(programs, "list-units", "--failed", "--no-pager", "--full"),
    )


def _problems(options: Options) -> list[tuple[str, str]]:
    given = [name for name in ("unit", "units", "state") if getattr(options, name)]
    if len(given) > 1:
        return [(given[0], f"say either '{given[0]}' or '{given[1]}', not both")]
    if not given:
        return [("unit", "say which unit, or 'state = \"failed\"' for all that failed")]
    if options.unit:
        problem = _systemd.name_problem(options.unit)
        return [("unit", problem)] if problem else []
    return [("units", problem) for each in options.units if (problem := _pattern_problem(each))]


def _pattern_problem(name: str) -> str:
    """Return what is wrong with the name or pattern of units, empty where nothing is."""
    plain = name.translate({ord(each): "x" for each in "*?[]"}) if WILDCARDS & set(name) else name
    return _systemd.name_problem(plain).replace(plain, name)


def _subjects(options: Options) -> Subjects:
    if options.units:
        return {**MANY, "count": Unit.COUNT}
    return FAILED if options.state else ONE


def _open(_environment: Environment) -> UnitProbe:
    return UnitProbe()


KIND = ProbeKind(
    name="unit",
    summary="The state of one or more systemd units and how their last runs went, or those that failed.",
    options=Options,
    subjects=_subjects,
    open=_open,
    validate=_problems,
    amiss=lambda options: "units that have failed" if options.state else "",
)
