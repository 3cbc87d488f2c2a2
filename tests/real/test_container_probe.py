"""Containers seen by the `container` probe, on a real Docker daemon."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from opsconsole.checks import container
from opsconsole.checks.container import KIND, Options
from opsconsole.contracts.probe import Environment, ProbeError, Source
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Value, number
from support.docker import CGROUPS, IMAGE, DockerDaemon, docker, health, remove_stale_cgroups, running_docker
from support.judged import assert_declared, outcome
from support.needs import needs_root
from support.systemd import context

__all__ = ["docker"]

pytestmark = pytest.mark.xdist_group("docker")

SLEEP = ("sleep", "600")
PROJECT = {"com.docker.compose.project": "shop", "com.docker.compose.service": "cart"}


@pytest.fixture(scope="module")
def populated(docker: DockerDaemon) -> DockerDaemon:
    """Give a daemon with a container in each state that containers come to."""
    docker.run("web", *SLEEP, Labels={"role": "web", "tier": "front"})
    docker.run("sick", *SLEEP, Healthcheck=health(["cat", "/no/such/file"]))
    docker.run("well", *SLEEP, Healthcheck=health(["true"]))
    docker.run("young", *SLEEP, Healthcheck=health(["true"], seconds=600))
    docker.run("shop-cart-1", *SLEEP, Labels=PROJECT)
    docker.run("done", "true")
    docker.run("broken", "sh", "-c", "exit 3")
    docker.run("never", *SLEEP, start=False)
    docker.run("loops", "false", HostConfig={"RestartPolicy": {"Name": "always"}})
    # a child is killed first, because Docker may not notice when the whole container is gone at once
    greedy = "(x=a; while :; do x=$x$x; done); code=$?; sleep 0.5; exit $code"
    docker.run("greedy", "sh", "-c", greedy, HostConfig={"Memory": 8 << 20})
    for name, state in {
        "sick": {"Health": "unhealthy"},
        "well": {"Health": "healthy"},
        "done": {"Status": "exited"},
        "broken": {"Status": "exited"},
        "loops": {"Status": "restarting"},
        "greedy": {"Status": "exited"},
    }.items():
        docker.until(lambda name=name, state=state: docker.shows(name, **state), f"{name} {state}")  # type: ignore[misc]
    return docker


@contextlib.asynccontextmanager
async def _environment(**more: Any) -> AsyncIterator[Environment]:
    environment = Environment(**more)
    try:
        yield environment
    finally:
        await environment.aclose()


async def _measured(daemon: DockerDaemon | str, *, timeout: float = 30.0, **options: Any) -> Reading:  # noqa: ASYNC109 - the item's own
    url = daemon if isinstance(daemon, str) else f"unix:{daemon.socket}"
    async with _environment() as environment:
        decoded = Options(url=url, **options)
        reading = await KIND.open(environment).measure(decoded, context(timeout=timeout))
    assert_declared(KIND, decoded, reading)
    return reading


async def _problem(daemon: DockerDaemon | str, **options: Any) -> Problem:
    with pytest.raises(ProbeError) as caught:
        await _measured(daemon, **options)
    return caught.value.problem


def _row(reading: Reading, name: str) -> dict[str, Value]:
    rows = [dict(zip(reading.columns, row, strict=True)) for row in reading.rows if row[0] == name]
    assert len(rows) == 1
    return rows[0]


async def _between_restarts(daemon: DockerDaemon, **options: Any) -> Reading:
    """Measure while the container that is started again and again is not running."""
    deadline = time.monotonic() + 20
    while True:
        reading = await _measured(daemon, **options)
        if _row(reading, "loops")["state"] == "restarting":
            return reading
        assert time.monotonic() < deadline


# --- the containers of a host ------------------------------------------------------------------------


async def test_every_state_is_told_apart(populated: DockerDaemon) -> None:
    """Running, healthy, unhealthy, paused, restarting, ended well, badly, for want of memory, never started."""
    reading = await _between_restarts(populated)
    assert reading.measures == {
        "running": number(5),
        "healthy": number(1),
        "unhealthy": number(1),
        "starting": number(1),
        "unchecked": number(2),
        "exited": number(3),
        "failed": number(2),
        "stopped": number(4),
        "missing": number(0),
        "restarting": number(1),
    }
    expected: dict[str, dict[str, Value]] = {
        "web": {"image": IMAGE, "state": "running", "health": None, "restarts": number(0), "exit_code": None},
        "sick": {"state": "running", "health": "unhealthy"},
        "well": {"state": "running", "health": "healthy"},
        "young": {"state": "running", "health": "starting"},
        "done": {"state": "exited", "exit_code": number(0), "oom_killed": False},
        "broken": {"state": "exited", "exit_code": number(3)},
        "never": {"state": "created", "exit_code": None, "started": None, "age": None, "oom_killed": None},
        "greedy": {"state": "exited", "exit_code": number(137), "oom_killed": True},
        "loops": {"state": "restarting", "exit_code": number(1)},
    }
    for name, values in expected.items():
        row = _row(reading, name)
        assert {key: row[key] for key in values} == values, name
    assert not reading.truncated
    said = {each.title: each.text for each in reading.evidence}
    assert "greedy" in said["containers"]
    assert "killed for want of memory" in said["containers"]
    assert "No such file" in said["health check of sick"]


@pytest.mark.parametrize(
    ("name", "green", "red"),
    [
        ("well", ["unhealthy == 0", "running == 1", "every health == 'healthy'", "unchecked == 0"], "running == 2"),
        ("sick", ["running >= 1"], "unhealthy == 0"),
        ("done", ["failed == 0", "every exit_code == 0", "exited == 1", "ended < 1 h"], "stopped == 0"),
        ("broken", ["exited == 1"], "failed == 0"),
        ("greedy", ["failed == 1"], "no oom_killed == true"),
        ("loops", ["stopped == 0", "restarts >= 1"], "restarting == 0"),
        ("web", ["every restarts == 0", "age < 1 h", "stopped == 0", "missing == 0"], "age > 1 h"),
        ("never", ["running == 0"], "every state == 'running'"),
        ("young", ["starting == 1"], "healthy == 1"),
    ],
)
async def test_each_is_green_and_red(populated: DockerDaemon, name: str, green: list[str], red: str) -> None:
    """Conditions on one container hold where it is as they say, and fail where it is not."""
    measure = _between_restarts if name == "loops" else _measured
    reading = await measure(populated, name=name)
    assert outcome(reading, *green) is Outcome.PASS
    assert outcome(reading, red) is Outcome.FAIL


@pytest.mark.parametrize("name", ["web", "never", "done"])
async def test_no_health_check_is_not_healthy(populated: DockerDaemon, name: str) -> None:
    """A container without a health check, and one that does not run, is never called healthy."""
    reading = await _measured(populated, name=name)
    assert outcome(reading, "every health == 'healthy'") is Outcome.ERROR
    assert outcome(reading, "healthy == 1") is Outcome.FAIL


async def test_a_paused_container_is_not_running(populated: DockerDaemon) -> None:
    """A container that somebody froze answers nobody: it counts as stopped."""
    with populated.paused("web"):
        reading = await _measured(populated, name="web")
    assert _row(reading, "web")["state"] == "paused"
    assert outcome(reading, "stopped == 0") is Outcome.FAIL
    assert outcome(reading, "running == 1") is Outcome.FAIL


async def test_a_container_that_ended_has_no_health(docker: DockerDaemon) -> None:
    """Docker goes on showing what the health check said last; nothing is healthy that does not run."""
    docker.run("was-well", *SLEEP, Healthcheck=health(["true"]))
    docker.until(lambda: docker.shows("was-well", Health="healthy"), "its health")
    docker.client.post("/containers/was-well/kill").raise_for_status()
    docker.until(lambda: docker.shows("was-well", Status="exited"), "its end")
    try:
        row = _row(await _measured(docker, name="was-well"), "was-well")
    finally:
        docker.remove("was-well")
    assert (row["state"], row["health"], row["exit_code"]) == ("exited", None, number(137))


# --- which ones --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"name": "w*"}, ["web", "well"]),
        ({"name": "we"}, None),
        ({"label": ("role=web",)}, ["web"]),
        ({"label": ("role", "tier=front")}, ["web"]),
        ({"label": ("role=db",)}, None),
        ({"project": "shop"}, ["shop-cart-1"]),
        ({"project": "sho"}, None),
        ({"project": "shop", "expected": ("cart",)}, ["shop-cart-1"]),
        ({"name": "w*", "expected": ("web", "well")}, ["web", "well"]),
    ],
)
async def test_filters(populated: DockerDaemon, options: dict[str, Any], names: list[str] | None) -> None:
    """Names, labels and Compose projects leave the containers meant; where there is none that is no pass."""
    if names is None:
        problem = await _problem(populated, **options)
        assert problem.reason == "empty"
        assert "has no container" in problem.cause
        return
    reading = await _measured(populated, **options)
    assert [row[0] for row in reading.rows] == names
    assert reading.measures["missing"] == number(0)


async def test_an_expected_container_that_is_not_there(populated: DockerDaemon) -> None:
    """It is named, and every condition that one would write goes red."""
    reading = await _measured(populated, name="well", expected=("well", "database"))
    assert _row(reading, "database")["state"] == "missing"
    assert "database: missing" in reading.evidence[0].text
    for condition in ("missing == 0", "unhealthy == 0", "stopped == 0", "every state == 'running'", "running == 2"):
        assert outcome(reading, condition) is Outcome.FAIL, condition
    for condition in ("restarting == 0", "failed == 0", "exited == 0", "every health == 'healthy'"):
        assert outcome(reading, condition) is Outcome.ERROR, condition


async def test_only_missing_ones(populated: DockerDaemon) -> None:
    """Where nothing that was expected is there the item fails, and is not merely empty."""
    reading = await _measured(populated, project="gone", expected=("web", "db", "web"))
    assert [row[0] for row in reading.rows] == ["web", "db"]
    assert outcome(reading, "unhealthy == 0") is Outcome.FAIL


async def test_the_command_shows_the_same(populated: DockerDaemon) -> None:
    """What is copied out asks the same service for the same containers."""
    reading = await _measured(populated, name="web", label=("role=web",))
    host = f"docker --host unix://{populated.socket}"
    assert reading.command == f"{host} ps --all --filter label=role=web --filter 'name=^web$'"


async def test_too_many_containers(populated: DockerDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are looked at are no whole list, on which nothing is green; the expected ones are in it."""
    monkeypatch.setattr(container, "MOST", 2)
    reading = await _measured(populated, expected=("well",))
    assert len(reading.rows) == 2
    assert _row(reading, "well")["health"] == "healthy"
    assert outcome(reading, "unhealthy == 0") is Outcome.ERROR
    assert outcome(reading, "every restarts == 0") is Outcome.ERROR
    assert outcome(reading, "count < 1000") is Outcome.ERROR
    assert outcome(reading, "missing == 0") is Outcome.ERROR


# --- what cannot be seen -----------------------------------------------------------------------------


async def test_a_named_source(populated: DockerDaemon) -> None:
    """The service may be a source of config.toml; a name that is none is told."""
    sources = {"engine": Source(kind="http", url=f"unix:{populated.socket}")}
    async with _environment(sources=sources) as environment:
        probe = KIND.open(environment)
        reading = await probe.measure(Options(source="engine", name="web"), context())
        assert outcome(reading, "running == 1") is Outcome.PASS
        with pytest.raises(ProbeError) as caught:
            await probe.measure(Options(source="motor", name="web"), context())
    assert caught.value.problem.reason == "unknown-source"


async def test_an_empty_daemon_and_one_that_ended() -> None:
    """A host without containers is told from one without Docker; neither is green. Nothing is left of either."""
    with running_docker() as daemon:
        assert (await _problem(daemon)).reason == "empty"
        reading = await _measured(daemon, expected=("web",))
        assert outcome(reading, "missing == 0") is Outcome.FAIL
        directory, cgroup = daemon.directory, daemon.cgroup
        daemon.stop()
        problem = await _problem(daemon)
        assert problem.reason == "source-down"
    assert not _left(directory, cgroup)


def _left(directory: Path, cgroup: str) -> bool:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    groups = [*CGROUPS.glob(cgroup), *CGROUPS.glob(f"*/{cgroup}")]
    return directory.exists() or bool(groups) or str(directory) in mounts


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a directory that everybody can enter, with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="opsconsole-") as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


async def test_a_socket_that_is_not_there(place: Path) -> None:
    """Without Docker on the host the item is an error that says so, under the code that `on_connect_error` maps."""
    problem = await _problem(f"unix:{place}/docker.sock")
    assert problem.reason == "source-down"
    assert problem.cause == f"there is no socket {place}/docker.sock"
    assert "docker.socket" in problem.hint


async def test_something_else_than_a_socket(place: Path) -> None:
    """A file where the socket should be is named as such."""
    (place / "docker.sock").write_text("", encoding="ascii")
    problem = await _problem(f"unix:{place}/docker.sock")
    assert (problem.reason, problem.cause) == ("not-found", f"{place}/docker.sock is no socket")


@needs_root("nobody else can become another user")
@pytest.mark.parametrize("closed", ["socket", "directory"])
async def test_a_socket_that_is_closed_to_the_user(place: Path, closed: str) -> None:
    """Without the rights on the socket the item is an error that says how to get them, not an empty host."""
    path = place / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        (path if closed == "socket" else place).chmod(0o700)
        await _problem(f"unix:{place}/none.sock")  # loads the libraries, which another user may not be able to read
        os.seteuid(65534)
        try:
            problem = await _problem(f"unix:{path}")
        finally:
            os.seteuid(0)
    assert problem.reason == "no-permission"
    assert "usermod -aG docker" in problem.hint


HOLD = """
import sys
from support.docker import running_docker
with running_docker() as daemon:
    daemon.run("left", "sleep", "600")
    print(daemon.directory, daemon.cgroup, flush=True)
    sys.stdin.read()
"""


def test_a_killed_test_run_takes_its_daemon_along(docker: DockerDaemon) -> None:
    """Even kill -9 of a test run leaves no daemon and no container; the next run removes empty control groups."""
    tests = str(Path(__file__).parents[1])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": tests},
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder.stdin, holder.stdout:
        directory, cgroup = holder.stdout.readline().split()
        holder.kill()
        holder.wait(10)
    docker.until(lambda: _left_nothing(cgroup), "the end of its containers")
    shutil.rmtree(directory)
    assert not _left(Path(directory), cgroup)


def _left_nothing(cgroup: str) -> bool:
    remove_stale_cgroups()
    return not [*CGROUPS.glob(cgroup), *CGROUPS.glob(f"*/{cgroup}")]


def test_every_subject_is_declared() -> None:
    """The declared subjects are those that readings have, so that lint knows every name."""
    declared = KIND.subjects(Options())
    assert declared is not None
    assert {"count", *container.MEASURES, *container.COLUMNS} == set(declared)
