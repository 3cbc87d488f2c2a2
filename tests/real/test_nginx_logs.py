"""The probe `logfile` at the logs that a real nginx writes: its formats, zones, severities and rotations."""

import asyncio
import contextlib
import datetime as dt
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Moment, Number
from support.httpd import Fault, Says
from support.judged import outcome
from support.logs import asked, column, compressed, counts, read
from support.nginx import Nginx, running_nginx, until

STATUSES = {"missing": '" 404 ', "unauthorised": '" 401 ', "broken": '" 502 ', "good": '" 200 ', "empty": '" 204 '}
REQUESTS = {"/document.json": 5, "/empty": 3, "/nothing": 4, "/private/": 2, "/gone": 6}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Nginx]:
    """An nginx with logs of its own."""
    with running_nginx(tmp_path) as server:
        yield server


async def requested(server: Nginx, paths: dict[str, int]) -> None:
    """Make requests, and wait until they are written down."""
    before = server.lines()
    for path, times in paths.items():
        for _ in range(times):
            await asyncio.to_thread(server.get, path)
    await asyncio.to_thread(until, lambda: server.lines() == before + sum(paths.values()))


async def looked(path: Path, **options: Any) -> Reading:
    """Measure now, as a log is looked at that has just begun."""
    now = dt.datetime.now(dt.UTC)
    return await read(path, asked(now=now), **({"since": "1 h", "partial": True} | options))


# --- what was requested ------------------------------------------------------------------------------


async def test_statuses(own: Nginx) -> None:
    """As many answers of each status are counted as were given; those of 5xx are errors, of 4xx warnings."""
    await requested(own, REQUESTS)
    reading = await looked(own.access, patterns=STATUSES)
    assert counts(reading, *STATUSES) == [4, 2, 6, 5, 3]
    assert outcome(reading, "broken == 6", "missing < 5") is Outcome.PASS
    assert outcome(reading, "broken == 0") is Outcome.FAIL
    assert reading.measures["count"] == (await looked(own.access)).measures["count"]
    assert counts(await looked(own.access), "count") == [20]
    assert counts(await looked(own.access, level="warning"), "count") == [12]
    assert counts(await looked(own.access, level="error"), "count") == [6]


async def test_a_log_that_has_just_begun(own: Nginx) -> None:
    """There may have been more before: no maximum is shown by it unless the item accepts that."""
    await requested(own, {"/document.json": 2})
    reading = await looked(own.access, partial=False)
    assert outcome(reading, "count <= 100") is Outcome.ERROR
    assert outcome(reading, "count >= 2") is Outcome.PASS


@pytest.mark.parametrize("name", ["access", "iso", "epoch", "json", "logfmt"])
async def test_formats_of_an_access_log(own: Nginx, name: str) -> None:
    """The time is found in the usual format and in those that people make, without being told."""
    began = dt.datetime.now(dt.UTC)
    await requested(own, {"/document.json": 3})
    await asyncio.to_thread(until, lambda: own.lines(f"{name}.log") >= 3)
    reading = await looked(own.root / f"{name}.log", since="5 min")
    assert outcome(reading, "count == 3", "age < 1 min") is Outcome.PASS
    assert outcome(reading, "count == 0") is Outcome.FAIL
    for when in column(reading, "time"):
        assert isinstance(when, Moment)
        assert began - dt.timedelta(seconds=1) <= when.at <= dt.datetime.now(dt.UTC)


async def test_the_error_log(own: Nginx) -> None:
    """What nginx says of the application behind it is counted by its severity, with the line as evidence."""
    await requested(own, {"/gone": 3})
    reading = await looked(own.error, level="error", patterns={"refused": "Connection refused"})
    assert outcome(reading, "refused == 3", "count == 3") is Outcome.PASS
    assert outcome(reading, "refused == 0") is Outcome.FAIL
    assert set(column(reading, "level")) == {"error"}
    assert "while connecting to upstream" in reading.evidence[1].text
    messages = await looked(own.error, level="error", show="messages")
    assert outcome(messages, "messages == 1", "repeated == 3") is Outcome.PASS


async def test_a_client_that_gives_up(own: Nginx) -> None:
    """A request that the console ended is in the log with nginx's own status of 499."""
    own.backend.on("/held", Says(fault=Fault.SILENT))
    _, writer = await asyncio.open_connection("127.0.0.1", own.ports["port"])
    writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.to_thread(until, lambda: any(each.path == "/held" for each in own.backend.asked))
    writer.transport.abort()
    await asyncio.to_thread(until, lambda: own.lines() == 1)
    reading = await looked(own.access, patterns={"given_up": '" 499 '}, level="warning")
    assert outcome(reading, "given_up == 1") is Outcome.PASS


@pytest.mark.parametrize(("zone", "hours"), [("Asia/Tokyo", 9), ("America/Phoenix", -7)])
async def test_where_the_clock_is_another(tmp_path: Path, zone: str, hours: int) -> None:
    """The access log names its offset; of the error log, which does not, the item says the zone."""
    with running_nginx(tmp_path, zone=zone) as server:
        await requested(server, {"/gone": 2})
        text = server.access.read_text()
    assert f"{hours:+03}00]" in text
    assert outcome(await looked(server.access, since="5 min"), "count == 2") is Outcome.PASS
    asked_for: dict[str, Any] = {"since": "5 min", "level": "error"}
    assert outcome(await looked(server.error, **asked_for, timezone=zone), "count == 2") is Outcome.PASS
    if hours > 0:  # taken for UTC, the entries are still to come
        with pytest.raises(ProbeError, match="still to come") as caught:
            await looked(server.error, **asked_for, timezone="UTC")
        assert caught.value.problem.reason == "future"
    else:  # or of hours ago, and what is looked at is empty
        wrong = await looked(server.error, **asked_for, timezone="UTC")
        assert outcome(wrong, "count == 2") is Outcome.FAIL
        assert "if its times are of another zone" in wrong.evidence[0].text


# --- rotation ----------------------------------------------------------------------------------------


async def test_rotation_with_reopen(own: Nginx) -> None:
    """Before, between moving and `nginx -s reopen`, and after it: as many entries as requests, in every file."""
    await requested(own, {"/document.json": 3})
    own.access.rename(own.access.with_suffix(".log.1"))
    for _ in range(2):  # still written to the file that was moved away
        await asyncio.to_thread(own.get, "/gone")
    await asyncio.to_thread(until, lambda: own.lines("access.log.1") == 5)
    between = await looked(own.access, patterns=STATUSES)
    assert counts(between, "count", "broken") == [5, 2]
    await asyncio.to_thread(own.tell, "reopen")
    await asyncio.to_thread(until, own.access.exists)
    await requested(own, {"/nothing": 4})
    after = await looked(own.access, patterns=STATUSES)
    assert counts(after, "count", "broken", "missing", "good") == [9, 2, 4, 3]
    compressed(own.access.with_suffix(".log.1"), "gz")
    packed = await looked(own.access, patterns=STATUSES)
    assert counts(packed, "count", "broken", "missing", "good") == [9, 2, 4, 3]
    assert counts(await looked(own.access, rotated=False), "count") == [4]


def _rotate(server: Nginx, generation: int) -> None:
    """Do as logrotate does, with `delaycompress`."""
    for older in range(generation, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            server.access.with_suffix(f".log.{older}").rename(server.access.with_suffix(f".log.{older + 1}"))
    server.access.rename(server.access.with_suffix(".log.1"))
    server.tell("reopen")
    until(server.access.exists)


async def test_rotation_while_it_is_read(own: Nginx) -> None:
    """Whenever it is looked at: no entry twice, none missing that was there before one looked."""
    ended, made = threading.Event(), 0

    def ask() -> None:
        nonlocal made
        while not ended.is_set():
            assert own.get("/document.json") == 200
            made += 1

    def rotate() -> None:
        generation = 0
        while not ended.is_set() and generation < 30:
            generation += 1
            _rotate(own, generation)

    threads = [threading.Thread(target=ask), threading.Thread(target=rotate)]
    for each in threads:
        each.start()
    try:
        for _ in range(8):
            least = max(0, made - 1)  # the last one may not be written down yet
            reading = await looked(own.access)
            found = reading.measures["count"]
            assert isinstance(found, Number)
            assert found.value <= made + 1
            assert found.value >= least or "count" in reading.lower_bounds
    finally:
        ended.set()
        for each in threads:
            each.join()
    names = [path.name for path in own.root.glob("access.log*")]
    assert len(names) > 2
    await asyncio.to_thread(until, lambda: own.lines(*names) == made)
    assert counts(await looked(own.access), "count") == [made]


async def test_copied_and_truncated(own: Nginx) -> None:
    """With `copytruncate` nginx goes on in the same file, which begins again: nothing is counted twice."""
    await requested(own, {"/document.json": 3})
    shutil.copy2(own.access, own.access.with_suffix(".log.1"))
    with own.access.open("r+b") as file:
        file.truncate()
    await requested(own, {"/gone": 2})
    reading = await looked(own.access, patterns=STATUSES)
    assert counts(reading, "count", "good", "broken") == [5, 3, 2]
