"""What the `container` probe makes of answers that no daemon of the tests gives: podman's, broken and hostile ones.

podman's are written after its documentation and its source (pkg/domain/entities and the `compat` handlers).
"""

import asyncio
import contextlib
import datetime as dt
import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _docker
from opsconsole.checks.container import KIND, Options
from opsconsole.contracts.probe import Environment, ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from support.httpd import Asked, Fault, Httpd, Says, says_json, says_text, serving
from support.judged import outcome
from support.systemd import context

VERSION = {
    "Components": [{"Name": "Podman Engine", "Version": "4.3.1", "Details": {"APIVersion": "4.3.1"}}],
    "Version": "4.3.1",
    "ApiVersion": "1.41",
    "MinAPIVersion": "1.24",
}
LISTED = [
    {"Id": "a" * 64, "Names": ["/web"], "Image": "docker.io/library/web:1", "State": "running", "Labels": None}
]
INSPECTED = {
    "Id": "a" * 64,
    "Name": "/web",
    "RestartCount": 2,
    "Config": {"Image": "docker.io/library/web:1", "Labels": {"PODMAN_SYSTEMD_UNIT": "web.service"}},
    "State": {
        "Status": "running",
        "Running": True,
        "OOMKilled": False,
        "ExitCode": 0,
        "StartedAt": "2026-11-21T06:00:00.123456789+01:00",
        "FinishedAt": "0001-01-01T00:00:00Z",
        "Health": {"Status": "", "FailingStreak": 0, "Log": None},
    },
}
NOW = dt.datetime(2026, 11, 21, 6, tzinfo=dt.UTC)


@pytest.fixture
def server() -> Iterator[Httpd]:
    """Give a service that answers as podman does, with one container."""
    with serving() as running:
        running.on("/version", says_json(VERSION))
        running.on("/v1.41/containers/json", says_json(LISTED))
        running.on(f"/v1.41/containers/{'a' * 64}/json", says_json(INSPECTED))
        yield running


async def _measured(server: Httpd, *, timeout: float = 10.0, **options: Any) -> Reading:  # noqa: ASYNC109 - the item's own
    environment = Environment()
    try:
        probe = KIND.open(environment)
        return await probe.measure(Options(url=server.url, **options), context(timeout=timeout, now=NOW))
    finally:
        await environment.aclose()


async def _refused(server: Httpd, **options: Any) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        await _measured(server, **options)
    return caught.value


def _inspected(**state: Any) -> Says:
    return says_json({**INSPECTED, "State": {**INSPECTED["State"], **state}})  # type: ignore[dict-item]


# --- podman ------------------------------------------------------------------------------------------


async def test_podmans_empty_health_is_no_health(server: Httpd) -> None:
    """A container of podman without a health check has the status "", which is not healthy."""
    reading = await _measured(server)
    row = dict(zip(reading.columns, reading.rows[0], strict=True))
    assert row["health"] is None
    assert outcome(reading, "every health == 'healthy'") is Outcome.ERROR
    assert outcome(reading, "unchecked == 1", "healthy == 0", "restarts == 2", "age > 3599 s") is Outcome.PASS
    assert reading.evidence[0].text.startswith("Podman Engine 4.3.1, version 1.41 of the API\n")


@pytest.mark.parametrize("health", ["none", "", None])
async def test_other_forms_of_no_health(server: Httpd, health: str | None) -> None:
    """Docker's `none`, an empty status and no status at all are no health check."""
    server.on(
        f"/v1.41/containers/{'a' * 64}/json", _inspected(Health=health if health is None else {"Status": health})
    )
    reading = await _measured(server)
    assert outcome(reading, "unchecked == 1") is Outcome.PASS


async def test_what_is_not_said_is_not_known(server: Httpd) -> None:
    """Fields that a service leaves out are missing from the row, not nought and not good."""
    server.on(f"/v1.41/containers/{'a' * 64}/json", says_json({"State": {"Status": "exited"}}))
    reading = await _measured(server)
    row = dict(zip(reading.columns, reading.rows[0], strict=True))
    assert {name for name, value in row.items() if value is None} == set(row) - {"name", "state"}
    assert outcome(reading, "failed == 0") is Outcome.FAIL


async def test_an_unknown_state_is_not_running(server: Httpd) -> None:
    """What a later version calls by a word that is not known here counts as stopped."""
    server.on(f"/v1.41/containers/{'a' * 64}/json", _inspected(Status="hibernating"))
    reading = await _measured(server)
    assert outcome(reading, "stopped == 0") is Outcome.FAIL
    assert outcome(reading, "running == 1") is Outcome.FAIL


async def test_an_unknown_health_is_unhealthy(server: Httpd) -> None:
    """What a later version calls by a word that is not known here does not pass for health."""
    server.on(f"/v1.41/containers/{'a' * 64}/json", _inspected(Health={"Status": "degraded", "Log": None}))
    assert outcome(await _measured(server), "unhealthy == 0") is Outcome.FAIL


async def test_a_paused_container_has_no_health(server: Httpd) -> None:
    """What its check said before it was paused is of no use."""
    server.on(f"/v1.41/containers/{'a' * 64}/json", _inspected(Status="paused", Health={"Status": "healthy"}))
    assert outcome(await _measured(server), "every health == 'healthy'") is Outcome.ERROR


async def test_a_start_that_is_still_to_come(server: Httpd) -> None:
    """A container that was started in ten years, by a clock that was wrong, is not young for ever."""
    server.on(f"/v1.41/containers/{'a' * 64}/json", _inspected(StartedAt="2036-11-21T06:00:00Z"))
    reading = await _measured(server)
    assert outcome(reading, "every age < 1 d") is Outcome.ERROR
    assert outcome(reading, "every age > 1 h") is Outcome.ERROR


async def test_a_container_that_goes_while_it_is_looked_at(server: Httpd) -> None:
    """A container removed between the list and the look at it is not there; an expected one is missing."""
    server.on(f"/v1.41/containers/{'a' * 64}/json", says_json({"message": "No such container"}, 404))
    assert (await _refused(server)).problem.reason == "empty"
    assert outcome(await _measured(server, expected=("web",)), "missing == 0") is Outcome.FAIL


# --- versions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoken", "least", "asked"),
    [("1.41", "1.24", "1.41"), ("1.24", "1.12", "1.24"), ("1.60", "1.44", "1.51"), ("1.60", "1.55", "1.60")],
)
def test_the_version_is_agreed_on(spoken: str, least: str, asked: str) -> None:
    """The newest that both speak is asked in; a service that has dropped it is asked in its own."""
    body = json.dumps({**VERSION, "ApiVersion": spoken, "MinAPIVersion": least}).encode()
    assert _docker.parsed_service(body, "host").version == asked


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (says_json({**VERSION, "ApiVersion": "1.23"}), "speaks version 1.23"),
        (says_json({**VERSION, "ApiVersion": "latest"}), "its version is 'latest'"),
        (says_json({"Version": "4.3.1"}), "ApiVersion"),
        (says_json([]), "does not answer as Docker's API does"),
        (says_text("<html>It works!</html>"), "does not answer as Docker's API does"),
        (says_text("not here", 404), "status 404"),
    ],
)
async def test_something_else_answers(server: Httpd, said: Says, words: str) -> None:
    """A web server, a very old Docker and any other thing at that address is told as such."""
    server.on("/version", said)
    error = await _refused(server)
    assert error.problem.reason == "bad-answer"
    assert words in error.problem.cause


async def test_a_proxy_that_does_not_let_through(server: Httpd) -> None:
    """A proxy that keeps the list to itself is refused access, not an empty host."""
    server.on("/v1.41/containers/json", says_text("Forbidden", 403))
    assert (await _refused(server)).problem.reason == "refused"


# --- hostile answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "said", "reason"),
    [
        ("json", says_json({"message": "x"}), "bad-answer"),
        ("json", says_json([{"Names": ["/x"]}]), "bad-answer"),
        ("json", says_json([{"Id": "../../secrets/x?y="}]), "bad-answer"),
        ("json", Says(b"[" * 200_000), "bad-answer"),
        ("json", Says(b"x" * (5 << 20)), "too-large"),
        ("json", Says(fault=Fault.ENDLESS), "too-large"),
        ("json", Says(b"[{}]", fault=Fault.CLOSE_MIDWAY), "bad-answer"),
        ("json", says_json({"message": "boom"}, 500), "bad-answer"),
        (f"{'a' * 64}/json", says_json({"State": {"Status": 1}}), "bad-answer"),
        (f"{'a' * 64}/json", says_json({"State": None}), "bad-answer"),
        (f"{'a' * 64}/json", _inspected(StartedAt="yesterday"), "bad-answer"),
        (f"{'a' * 64}/json", _inspected(StartedAt="2026-11-21T06:00:00"), "bad-answer"),
        (f"{'a' * 64}/json", _inspected(StartedAt="9999-12-31T23:59:59-12:00"), "bad-answer"),
        (f"{'a' * 64}/json", says_json({"message": "boom"}, 500), "bad-answer"),
    ],
)
async def test_answers_that_are_none(server: Httpd, path: str, said: Says, reason: str) -> None:
    """Whatever is answered that is no list, no container or too much ends in an error with its cause."""
    server.on(f"/v1.41/containers/{path}", said)
    error = await _refused(server)
    assert error.problem.reason == reason
    assert error.problem.cause


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DRIP])
@pytest.mark.parametrize("path", ["/version", "/v1.41/containers/json", f"/v1.41/containers/{'a' * 64}/json"])
async def test_a_service_that_hangs(server: Httpd, path: str, fault: Fault) -> None:
    """A service that stops answering, at whatever question, costs the item its time and no more."""
    server.on(path, Says(fault=fault))
    assert (await _refused(server, timeout=0.5)).problem.reason == "timeout"


async def test_hostile_names_stay_text(server: Httpd) -> None:
    """Control characters and markup in what a service says are kept as text, of bounded length."""
    wild = "\x1b]0;x\x07[/]" * 50_000
    server.on("/v1.41/containers/json", says_json([{"Id": "a" * 64, "Names": [f"/{wild}"]}]))
    server.on(f"/v1.41/containers/{'a' * 64}/json", _inspected(Status=wild))
    reading = await _measured(server)
    assert all(len(cell) <= 200 for cell in reading.rows[0] if isinstance(cell, str))
    assert "\x1b" not in reading.evidence[0].text


async def test_containers_are_looked_at_a_few_at_a_time(server: Httpd) -> None:
    """A host with hundreds of containers is not flooded with questions."""
    many = [{"Id": f"{number:064x}", "Names": [f"/c{number}"]} for number in range(100)]
    server.on("/v1.41/containers/json", says_json(many))

    def script(asked: Asked) -> Says:
        return says_json(INSPECTED)

    for each in many:
        server.on(f"/v1.41/containers/{each['Id']}/json", script)
    reading = await _measured(server)
    assert len(reading.rows) == 100
    assert server.connections <= 16


# --- whatever comes ----------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_TIMES = (
    st.sampled_from(["0001-01-01T00:00:00Z", "2026-11-21T06:00:00.1Z", "0001-01-01T00:00:00+14:00"]) | st.text()
)
_STATE = st.fixed_dictionaries(
    {"Status": st.sampled_from(["running", "exited", "dead", "paused", ""]) | _JSON},
    optional={
        "ExitCode": _JSON | st.integers(),
        "OOMKilled": _JSON | st.booleans(),
        "StartedAt": _TIMES | _JSON,
        "FinishedAt": _TIMES | _JSON,
        "Health": st.fixed_dictionaries({}, optional={"Status": st.text() | _JSON, "Log": _JSON}) | _JSON,
    },
)
_INSPECTED = st.fixed_dictionaries({"State": _STATE | _JSON}, optional={"RestartCount": _JSON, "Config": _JSON})
_LIST = st.lists(st.fixed_dictionaries({"Id": st.text() | _JSON}, optional={"Names": _JSON, "Labels": _JSON}))


@given(st.binary(max_size=200) | _INSPECTED.map(json.dumps).map(str.encode))
def test_no_answer_breaks_the_reading_of_a_container(body: bytes) -> None:
    """Whatever is answered is a container that can be recorded, or an error with a cause."""
    with contextlib.suppress(ProbeError):
        found = _docker.parsed_container(body, _docker.Listed("a", ["/web"]), "host")
        assert found.health is None or (found.state in _docker.UP and found.health)
        msgspec.json.encode(found)


@given(st.binary(max_size=200) | (_LIST | _JSON).map(json.dumps).map(str.encode))
def test_no_answer_breaks_the_reading_of_the_others(body: bytes) -> None:
    """Nor does any version or list."""
    for parsed in (_docker.parsed_list, _docker.parsed_service):
        with contextlib.suppress(ProbeError):
            parsed(body, "host")


# --- options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, []),
        ({"source": "engine"}, []),
        ({"url": "unix:/run/podman/podman.sock"}, []),
        ({"url": "unix:podman.sock"}, ["url"]),
        ({"source": "engine", "url": "unix:/x"}, ["url"]),
        ({"label": ["role"]}, []),
        ({"label": [""]}, ["label"]),
        ({"label": ["=web"]}, ["label"]),
        ({"expected": ["web-*"]}, ["expected"]),
        ({"expected": [" "]}, ["expected"]),
    ],
)
def test_options_are_checked_when_a_checklist_is_loaded(options: dict[str, Any], keys: list[str]) -> None:
    """Mistakes are lint errors with the key; without any option it is Docker's own socket that is asked."""
    assert [key for key, _ in KIND.validate(msgspec.convert(options, Options))] == keys


async def test_leaving_ends_the_requests(server: Httpd) -> None:
    """Cancelling the measurement closes what it had opened."""
    server.on("/v1.41/containers/json", Says(fault=Fault.SILENT))
    task = asyncio.create_task(_measured(server))
    deadline = time.monotonic() + 10
    while not any(each.path.endswith("containers/json") for each in server.asked):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
