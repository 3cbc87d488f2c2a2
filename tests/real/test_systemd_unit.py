"""The `unit` probe on a real systemd, and on what only other versions and broken hosts would answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks import _systemd, unit
from opsconsole.contracts.probe import Environment, ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Number, number
from support.judged import assert_declared, outcome
from support.pretended import pretend
from support.systemd import USER_ID, SystemdBox, context, until

pytestmark = pytest.mark.xdist_group("systemd")

boxed = pytest.mark.systemd


def _measures(box: SystemdBox, name: str) -> dict[str, Any]:
    return dict(box.reading("unit", {"unit": name}).measures)


# --- one unit, for real ------------------------------------------------------------------------------


@boxed
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good", {"active": "inactive", "ran": True, "result": "success", "exit_status": number(0), "signal": ""}),
        ("failing", {"active": "failed", "ran": True, "result": "exit-code", "exit_status": number(3)}),
        ("killed", {"active": "failed", "result": "signal", "signal": "SIGKILL", "exit_status": number(137)}),
        ("crashed", {"active": "failed", "signal": "SIGSEGV", "exit_status": number(139)}),
        ("flaky", {"active": "failed", "sub": "failed", "restarts": number(3), "exit_status": number(7)}),
        ("missing-program", {"active": "failed", "result": "exit-code", "exit_status": number(203)}),
        ("prepared", {"active": "failed", "ran": True, "result": "exit-code", "exit_status": None}),
        ("stay", {"active": "active", "sub": "exited", "result": "success", "exit_status": number(0)}),
        (
            "running",
            {"active": "active", "sub": "running", "result": "success", "exit_status": None, "last_exit": None},
        ),
        ("idle", {"active": "inactive", "ran": False, "result": None, "exit_status": None, "last_exit": None}),
        ("conditional", {"active": "inactive", "ran": False, "result": None, "exit_status": None}),
        ("broken", {"load": "bad-setting", "ran": False, "result": None}),
        ("masked", {"load": "masked", "ran": False, "result": None}),
        ("box.target", {"active": "active", "enabled": "static", "restarts": None, "exit_status": None}),
        ("dbus.socket", {"active": "active", "result": "success"}),
        ("systemd-journald.service", {"active": "active", "description": "Journal Service"}),
    ],
)
def test_the_state_of_a_unit(systemd_box: SystemdBox, name: str, expected: dict[str, Any]) -> None:
    """Each way a unit can have gone reads as what happened: well, badly, killed, restarted, running, never."""
    reading = systemd_box.reading("unit", {"unit": name})
    assert {key: reading.measures[key] for key in expected} == expected
    assert_declared(unit.KIND, unit.Options(unit=name), reading)
    assert "systemctl status" in reading.command


@boxed
def test_never_ran_is_not_ran_well(systemd_box: SystemdBox) -> None:
    """A job that was never started is no green line: systemd itself shows it like one that succeeded."""
    assert "Result=success" in systemd_box.systemctl("show", "idle.service")
    never = systemd_box.reading("unit", {"unit": "idle"})
    assert outcome(never, "result == 'success'") is Outcome.ERROR
    assert outcome(never, "exit_status == 0") is Outcome.ERROR
    assert outcome(never, "ran == true") is Outcome.FAIL


@boxed
def test_a_signal_fails_the_exit_status(systemd_box: SystemdBox) -> None:
    """A killed job breaks `exit_status == 0`, although systemd's number for it is that of the signal."""
    assert outcome(systemd_box.reading("unit", {"unit": "killed"}), "exit_status == 0") is Outcome.FAIL
    assert outcome(systemd_box.reading("unit", {"unit": "good"}), "exit_status == 0") is Outcome.PASS


@boxed
def test_a_job_that_runs_again_has_no_result_yet(systemd_box: SystemdBox) -> None:
    """A job still running since the night does not show the success of the night before."""
    systemd_box.systemctl("start", "slow.timer")  # systemd forgets a job to which nothing refers
    until(lambda: systemd_box.shows("slow.service", ActiveState="inactive", ExecMainCode="1"), "the first run")
    assert _measures(systemd_box, "slow")["result"] == "success"
    systemd_box.write("/run/slow", "")
    try:
        systemd_box.systemctl("start", "--no-block", "slow.service")
        again = _measures(systemd_box, "slow")
    finally:
        systemd_box.path("/run/slow").unlink()
        systemd_box.systemctl("stop", "slow.timer", "slow.service")
        systemd_box.systemctl("reset-failed", "slow.service")
    assert (again["active"], again["result"], again["exit_status"]) == ("activating", None, None)


@boxed
def test_times_are_times(systemd_box: SystemdBox) -> None:
    """How long ago and how long a run took can be judged, whatever the zone of the host."""
    systemd_box.write("/etc/timezone", "Asia/Kolkata\n")
    reading = systemd_box.reading("unit", {"unit": "good"})
    assert (
        outcome(reading, "last_exit < 5 min", "last_start < 5 min", "duration < 10 s", "since < 5 min")
        is Outcome.PASS
    )
    assert outcome(reading, "last_exit < 0 s") is Outcome.FAIL


@boxed
def test_a_service_with_accounting_shows_its_memory(systemd_box: SystemdBox) -> None:
    """Memory is a size where systemd accounts for it, and missing (no zero) where it says `[not set]`."""
    shown = systemd_box.systemctl("show", "--property=MemoryCurrent", "running.service").strip()
    memory = _measures(systemd_box, "running")["memory"]
    if "not set" in shown:  # the memory controller belongs to the first version of cgroups on this host
        assert memory is None
    else:
        assert isinstance(memory, Number)
        assert memory.value > 0


@boxed
@pytest.mark.parametrize(
    ("name", "meant"),
    [("goood", "did you mean good.service?"), ("qbr-colector.timer", "did you mean qbr-collector.timer?")],
)
def test_a_unit_that_does_not_exist(systemd_box: SystemdBox, name: str, meant: str) -> None:
    """A mistyped unit is an error that names what was meant; systemctl itself calls it a success."""
    problem = systemd_box.problem("unit", {"unit": name})
    assert problem.reason == "not-found"
    assert problem.cause == f"there is no unit {_systemd.full_name(name)} on this host"
    assert meant in problem.hint


@boxed
def test_an_ordinary_user_sees_the_same(systemd_box: SystemdBox) -> None:
    """Checks of units need no rights."""
    options = {"unit": "failing"}
    as_root, as_user = (systemd_box.reading("unit", options, uid=uid).measures for uid in (0, USER_ID))
    volatile = {name for name in as_root if isinstance(as_root[name], Number)} - {"exit_status"}
    assert {key: as_root[key] for key in as_root.keys() - volatile} == {
        key: as_user[key] for key in as_user.keys() - volatile
    }


@boxed
def test_a_user_whom_the_bus_turns_away(systemd_box: SystemdBox) -> None:
    """A user without an account cannot ask systemd and is told so."""
    problem = systemd_box.problem("unit", {"unit": "good"}, uid=USER_ID + 1)
    assert problem.reason == "no-permission"
    assert "passwd" in problem.hint


# --- the failed units --------------------------------------------------------------------------------


@boxed
@pytest.mark.parametrize("uid", [0, USER_ID], ids=["root", "user"])
def test_the_failed_units_of_the_host(systemd_box: SystemdBox, uid: int) -> None:
    """Every failed unit is listed by name, and the item fails."""
    reading = systemd_box.reading("unit", {"state": "failed"}, uid=uid)
    failed = {"crashed", "failing", "flaky", "killed", "missing-program", "prepared"}
    assert {row[0] for row in reading.rows} == {f"{name}.service" for name in failed}
    assert reading.measures == {"count": number(6), "system": "degraded"}
    assert ("failing.service", "loaded", "failed", "failed", "A job that ends badly") in reading.rows
    assert outcome(reading, "count == 0") is Outcome.FAIL
    assert_declared(unit.KIND, unit.Options(state="failed"), reading)


@boxed
def test_no_failed_units_is_a_pass(systemd_box: SystemdBox, tmp_path: Path) -> None:
    """A host on which nothing failed is green."""
    with _fresh_box(tmp_path) as box:
        box.systemctl("reset-failed")
        reading = box.reading("unit", {"state": "failed"})
        assert reading.measures == {"count": number(0), "system": "running"}
        assert outcome(reading, "count == 0") is Outcome.PASS


class _fresh_box:  # noqa: N801 - reads as a function
    """A second box, for what would disturb the tests that share the first."""

    def __init__(self, state: Path) -> None:
        self._box = SystemdBox(state, name="fresh")

    def __enter__(self) -> SystemdBox:
        self._box.start()
        return self._box

    def __exit__(self, *_: object) -> None:
        self._box.stop()


# --- several units -----------------------------------------------------------------------------------


@boxed
@pytest.mark.parametrize("uid", [0, USER_ID], ids=["root", "user"])
def test_several_units(systemd_box: SystemdBox, uid: int) -> None:
    """One question for all of them: each has a row, and each is judged."""
    names = ("running", "stay.service", "dbus.socket")
    reading = systemd_box.reading("unit", {"units": names}, uid=uid)
    assert [row[0] for row in reading.rows] == ["running.service", "stay.service", "dbus.socket"]
    assert_declared(unit.KIND, unit.Options(units=names), reading)
    assert outcome(reading, "count == 3", "every active == 'active'", "no sub == 'failed'") is Outcome.PASS
    assert outcome(reading, "every sub == 'running'") is Outcome.FAIL
    assert reading.evidence[0].text.splitlines()[0] == "running.service: loaded active (running)"


@boxed
def test_several_units_of_which_one_failed(systemd_box: SystemdBox) -> None:
    """A failed one breaks the condition on all, and its restarts are told."""
    reading = systemd_box.reading("unit", {"units": ["running", "flaky", "failing"]})
    assert outcome(reading, "every active == 'active'") is Outcome.FAIL
    restarts = dict(zip(reading.columns, reading.rows[1], strict=True))["restarts"]
    assert restarts == number(3)
    assert "failing.service: loaded failed (failed), exit-code" in reading.evidence[0].text


@boxed
def test_units_by_pattern(systemd_box: SystemdBox) -> None:
    """A pattern means what systemd has loaded, each once, beside those that are named."""
    reading = systemd_box.reading("unit", {"units": ["qbr-*.timer", "qbr-collector.timer", "run*ng"]})
    assert [row[0] for row in reading.rows] == ["qbr-collector.timer", "running.service"]


@boxed
@pytest.mark.parametrize("name", ["goood", "qbr-colector-*", "nothing-*.timer"])
def test_a_unit_among_several_that_does_not_exist(systemd_box: SystemdBox, name: str) -> None:
    """A mistyped name, and a pattern that means no unit, is an error: nothing of it would be seen."""
    problem = systemd_box.problem("unit", {"units": ["running", name]})
    assert problem.reason == "not-found"
    assert problem.cause == f"there is no unit {_systemd.full_name(name)} on this host"


@boxed
def test_units_that_never_ran_are_not_green(systemd_box: SystemdBox) -> None:
    """Among several, too, a job that was never started has no result."""
    reading = systemd_box.reading("unit", {"units": ["good", "idle"]})
    assert outcome(reading, "every result == 'success'") is Outcome.ERROR


# --- the manager of a user ---------------------------------------------------------------------------


@boxed
def test_a_user_without_a_manager(systemd_box: SystemdBox) -> None:
    """Nobody has logged in: that is an error that says so, not a user without failed units."""
    problem = systemd_box.problem("unit", {"state": "failed", "manager": "user"}, uid=USER_ID)
    assert problem.reason == "source-down"
    assert "enable-linger" in problem.hint


@pytest.fixture
def users_manager(systemd_box: SystemdBox) -> Iterator[SystemdBox]:
    """Give a box in which the ordinary user has a manager with a unit that failed and one that runs."""
    home = f"/run/user/{USER_ID}"
    own = [f"--setenv=XDG_RUNTIME_DIR={home}", f"--setenv=HOME={home}", f"--uid={USER_ID}"]
    systemd_box.run(["install", "-d", "-m", "700", "-o", str(USER_ID), "-g", str(USER_ID), home])
    manager = [
        "--unit=users-manager",
        "-pDelegate=yes",
        "-pType=notify",
        "-pTimeoutStopSec=2s",
        *own,
        "/lib/systemd/systemd",
        "--user",
    ]
    assert systemd_box.run(["systemd-run", "--quiet", *manager]).returncode == 0
    try:
        for name, command in (("sync-fails", ["false"]), ("sync-runs", ["sleep", "600"])):
            run = ["env", f"XDG_RUNTIME_DIR={home}", "systemd-run", "--user", "--quiet", f"--unit={name}", *command]
            assert systemd_box.run(run, uid=USER_ID).returncode == 0
        show = ["env", f"XDG_RUNTIME_DIR={home}", "systemctl", "--user", "is-failed", "sync-fails"]
        until(lambda: systemd_box.run(show, uid=USER_ID).returncode == 0, "the failure of sync-fails")
        yield systemd_box
    finally:
        systemd_box.systemctl("stop", "users-manager")
        systemd_box.run(["systemctl", "reset-failed", "users-manager"])
        systemd_box.run(["rm", "-r", home])


@boxed
def test_units_of_a_user(users_manager: SystemdBox) -> None:
    """Failed units of the user's own manager are listed, and those that run are seen, without any login."""
    failed = users_manager.reading("unit", {"state": "failed", "manager": "user"}, uid=USER_ID)
    assert [row[0] for row in failed.rows] == ["sync-fails.service"]
    assert failed.command == "systemctl --user list-units --failed --no-pager --full"
    assert outcome(failed, "count == 0") is Outcome.FAIL
    several = users_manager.reading("unit", {"units": ["sync-*"], "manager": "user"}, uid=USER_ID)
    assert outcome(several, "count == 2") is Outcome.PASS
    assert outcome(several, "every active == 'active'") is Outcome.FAIL
    one = users_manager.reading("unit", {"unit": "sync-runs", "manager": "user"}, uid=USER_ID)
    assert outcome(one, "active == 'active'", "sub == 'running'") is Outcome.PASS
    problem = users_manager.problem("unit", {"unit": "sync-run", "manager": "user"}, uid=USER_ID)
    assert problem.cause == "there is no unit sync-run.service of this user"


# --- answers that only other hosts give --------------------------------------------------------------


async def _measured(**options: Any) -> Reading:
    probe = unit.KIND.open(Environment())
    try:
        return await probe.measure(unit.Options(**options), context())
    finally:
        await probe.aclose()


async def _problem(*, seconds: float = 30.0, **options: Any) -> Problem:
    with pytest.raises(ProbeError) as caught:
        await unit.UnitProbe().measure(unit.Options(**options), context(timeout=seconds))
    return caught.value.problem


async def test_a_host_without_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a container the check is an error that says why, under the code that the demo skips."""
    monkeypatch.setattr(_systemd, "BOOTED", tmp_path / "nothing")
    for options in (unit.Options(unit="nginx"), unit.Options(state="failed")):
        problem = await _problem(**msgspec.structs.asdict(options))
        assert problem.reason == "not-booted-with-systemd"
        assert "not booted with systemd" in problem.cause


async def test_systemctl_that_finds_no_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same where only systemctl notices."""
    pretend(
        monkeypatch,
        tmp_path,
        systemctl="echo 'System has not been booted with systemd as init system (PID 1). Can'\\''t operate.' >&2\n"
        "echo 'Failed to connect to bus: Host is down' >&2; exit 1",
    )
    assert (await _problem(unit="nginx")).reason == "not-booted-with-systemd"


async def test_systemctl_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host whose systemctl cannot be found says which program is missing."""
    pretend(monkeypatch, tmp_path)
    problem = await _problem(unit="nginx")
    assert problem.reason == "missing-program"
    assert "systemctl" in problem.cause


async def test_systemctl_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A systemd that does not answer ends in an error within the time of the item."""
    pretend(monkeypatch, tmp_path, systemctl="exec /bin/sleep 600")
    problem = await _problem(seconds=0.5, unit="nginx")
    assert problem.reason == "timeout"
    assert "systemctl had not answered" in problem.cause


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Failed to get properties: Access denied' >&2; exit 1", "no-permission"),
        ("echo 'Failed to connect to bus: No such file or directory' >&2; exit 1", "failed"),
        ("exit 1", "failed"),
        ("exit 0", "bad-answer"),
        ("echo LoadState=loaded; echo StateChangeTimestamp=yesterday", "bad-answer"),
        ("/usr/bin/yes LoadState=loaded | /usr/bin/head -c 3000000", "bad-answer"),
    ],
)
async def test_answers_that_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
) -> None:
    """Whatever systemctl says that is no answer ends in an error with a cause, never in a value."""
    pretend(monkeypatch, tmp_path, systemctl=script)
    problem = await _problem(unit="nginx")
    assert problem.reason == reason
    assert problem.cause


TABLE = """\
nginx.service      loaded failed failed A high performance web server
odd\\x20name.mount loaded failed failed
"""


async def test_an_old_systemd_lists_failed_units_as_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hosts with a systemd before 246, which prints a table instead of JSON, are read as well."""
    (tmp_path / "table").write_text(TABLE, encoding="utf-8")
    pretend(
        monkeypatch,
        tmp_path,
        systemctl=f'case "$*" in *show*) echo NFailedUnits=2; echo SystemState=degraded;; '
        f"*) /bin/cat {tmp_path / 'table'};; esac",
    )
    reading = await _measured(state="failed")
    assert reading.rows[0] == ("nginx.service", "loaded", "failed", "failed", "A high performance web server")
    assert reading.rows[1] == ("odd\\x20name.mount", "loaded", "failed", "failed", "")
    assert reading.measures["count"] == number(2)


async def test_a_list_that_is_too_short_is_no_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty list of failed units is not believed while systemd itself counts one."""
    pretend(monkeypatch, tmp_path, systemctl='case "$*" in *show*) echo NFailedUnits=1;; *) echo "[]";; esac')
    problem = await _problem(state="failed")
    assert (problem.reason, problem.cause) == ("bad-answer", "systemd counts 1 failed units but lists 0")


@pytest.mark.parametrize("listed", ['[{"unit": "a.service"}]', "[1]", "[{", "a.service failed"])
async def test_a_list_that_cannot_be_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listed: str
) -> None:
    """A list in a form nobody knows is an error, not an empty list."""
    pretend(monkeypatch, tmp_path, systemctl=f"/bin/cat <<'END'\n{listed}\nEND")
    assert (await _problem(state="failed")).reason == "bad-answer"


# --- options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say which unit"),
        ({"unit": "nginx", "state": "failed"}, "not both"),
        ({"unit": "ng*"}, "no name of a unit"),
        ({"unit": "--version"}, "no name of a unit"),
        ({"unit": "a b"}, "no name of a unit"),
        ({"unit": "getty@"}, "write the instance"),
        ({"unit": "x" * 300}, "no name of a unit"),
        ({"unit": "nginx"}, None),
        ({"unit": "postgresql@15-main.service"}, None),
        ({"unit": "dev-disk-by\\x2dlabel-data.mount"}, None),
        ({"state": "failed"}, None),
        ({"state": "failed", "manager": "user"}, None),
    ],
)
def test_options_are_checked_when_a_checklist_is_loaded(options: dict[str, str], message: str | None) -> None:
    """A name that can be no unit, wildcards and contradictions are lint errors, not red mornings."""
    problems = unit.KIND.validate(msgspec.convert(options, unit.Options))
    assert [key for key, _ in problems] == ([] if message is None else ["unit"])
    assert message is None or message in problems[0][1]


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (["nginx", "app-*"], None),
        (["postgresql@*"], None),
        (["app-[ab].service"], None),
        (["ng nx"], "'ng nx' is no name of a unit"),
        (["getty@"], "write the instance"),
        (["--all"], "no name of a unit"),
    ],
)
def test_names_of_several_units(units: list[str], message: str | None) -> None:
    """Names and patterns that can mean no unit are lint errors."""
    problems = unit.KIND.validate(unit.Options(units=tuple(units)))
    assert [key for key, _ in problems] == ([] if message is None else ["units"])
    assert message is None or message in problems[0][1]


async def test_more_units_than_are_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pattern that means too many makes a table that is cut off, on which nothing is green."""
    monkeypatch.setattr(unit, "MOST_UNITS", 2)
    listed = "".join(f"app-{number}.service loaded active running App\n" for number in range(3))
    (tmp_path / "listed").write_text(listed, encoding="ascii")
    shown = "printf 'LoadState=loaded\\nActiveState=active\\n\\nLoadState=loaded\\nActiveState=active\\n'"
    script = f'case "$*" in *list-units*) /bin/cat {tmp_path / "listed"};; *) {shown};; esac'
    pretend(monkeypatch, tmp_path, systemctl=script)
    reading = await _measured(units=("app-*",))
    assert len(reading.rows) == 2
    assert outcome(reading, "every active == 'active'") is Outcome.ERROR
    assert outcome(reading, "count >= 1") is Outcome.ERROR


async def test_an_answer_for_fewer_units_than_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An answer that leaves a unit out is not taken for one about all."""
    pretend(monkeypatch, tmp_path, systemctl="echo LoadState=loaded; echo ActiveState=active")
    problem = await _problem(units=("one", "two"))
    assert (problem.reason, problem.cause) == (
        "bad-answer",
        "systemctl was asked for 2 units and answered for 1",
    )


def test_an_unknown_state_is_refused() -> None:
    """`state = "faild"` would list nothing and look green."""
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'faild'"):
        msgspec.convert({"state": "faild"}, unit.Options)
