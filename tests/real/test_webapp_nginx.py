"""The lists of a web application that stands behind a real nginx, which writes the log that they read."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.probe import Source
from support.httpd import Fault, Says, redirects, says_text
from support.nginx import Nginx, running_nginx, until
from support.postgres import Postgres
from support.webapp import HOUR, NOW, Record, WebApp, access_line, said

QUARTER = dt.timedelta(minutes=15)
LOG_ITEMS = ("requests", "server-errors", "error-rate")


class Fronted(WebApp):
    """The application as its users reach it."""

    def __init__(self, root: Path, postgres: Postgres, nginx: Nginx) -> None:
        self.nginx = nginx
        super().__init__(root, postgres, nginx.backend)

    @property
    def sources(self) -> dict[str, Source]:
        """The same, through nginx."""
        return {**super().sources, "webapp": Source(kind="http", url=self.nginx.url)}


@pytest.fixture
def webapp(tmp_path: Path, postgres: Postgres) -> Iterator[Fronted]:
    """An application whose log of requests is the one that nginx writes."""
    (tmp_path / "web").mkdir()
    older = access_line(dt.datetime.now(dt.UTC) - HOUR, 200)
    (tmp_path / "web" / "access.log").write_text(older, encoding="utf-8")
    with running_nginx(tmp_path / "web") as nginx:
        webapp = Fronted(tmp_path / "web", postgres, nginx)
        webapp.pages()
        yield webapp


@pytest.fixture
def record(webapp: Fronted, tmp_path: Path) -> Iterator[Record]:
    """An empty record."""
    record = Record(tmp_path / "state", webapp.lists, webapp.sources)
    yield record
    record.store.close()


def _requested(nginx: Nginx, good: int, bad: int) -> dt.datetime:
    """Make requests within one quarter of an hour, and return an instant in the next one."""
    for _ in range(2):
        began = dt.datetime.now(dt.UTC)
        before = nginx.lines()
        for path, times in (("/", good), ("/gone", bad)):
            for _ in range(times):
                nginx.get(path)
        until(lambda lines=before + good + bad: nginx.lines() == lines)  # type: ignore[misc]
        ended = dt.datetime.now(dt.UTC)
        if began.timestamp() // QUARTER.seconds == ended.timestamp() // QUARTER.seconds:
            return ended + QUARTER
        nginx.access.write_text(access_line(began - HOUR, 200), encoding="utf-8")
    raise AssertionError("requests took a quarter of an hour")


async def looked(record: Record, name: str, *items: str, now: dt.datetime = NOW) -> dict[str, str]:
    """Measure some items of a list, and return those that are not green."""
    found = said(await record.measured(name, now, only=items))
    return {each: text for each, text in found.items() if each in items}


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        (120, 5, {}),
        (120, 15, {"error-rate": "FAIL 11.1 %, limit 5 %"}),
        (10, 101, {"server-errors": "FAIL count is 101", "error-rate": "FAIL 91 %, limit 5 %"}),
        (20, 0, {"error-rate": "SKIPPED"}),
        (0, 0, {"requests": "FAIL count is 0", "error-rate": "SKIPPED"}),
    ],
)
async def test_what_nginx_wrote(
    webapp: Fronted, record: Record, good: int, bad: int, expected: dict[str, str]
) -> None:
    """Errors that users were given are counted in the quarter of an hour that the list looks back over."""
    now = _requested(webapp.nginx, good, bad)
    found = await looked(record, "webapp-15min", *LOG_ITEMS, now=now)
    assert found.keys() == expected.keys(), found
    for name, text in expected.items():
        assert found[name].startswith(text), found[name]


async def test_the_site_through_nginx(webapp: Fronted, record: Record) -> None:
    """What users see is green where nginx and the application are well."""
    frequent = await looked(record, "webapp-5min", "quick-health", "start-page")
    quarterly = await looked(record, "webapp-15min", "api")
    assert (frequent, quarterly) == ({}, {})


async def test_an_application_that_is_gone_behind_nginx(webapp: Fronted, record: Record) -> None:
    """nginx answers for it with 502, which is a failure of the site and no error of the check."""
    for path in ("/", "/health/quick/", "/api/quests/"):
        webapp.nginx.backend.on(path, Says(fault=Fault.CLOSE_BEFORE))
    found = await looked(record, "webapp-5min", "quick-health", "start-page")
    assert found["start-page"].startswith("FAIL status is 502, required 200")
    assert found["quick-health"].startswith("FAIL status is 502, required 200")
    api = (await looked(record, "webapp-15min", "api"))["api"]
    assert api.startswith("FAIL /api/quests/: status is 502, required 200")


async def test_a_start_page_that_leads_elsewhere(webapp: Fronted, record: Record) -> None:
    """A redirect that the application makes is passed on, and is no start page."""
    webapp.nginx.backend.on("/", redirects("/login/"))
    webapp.nginx.backend.on("/login/", says_text("sign in"))
    found = await looked(record, "webapp-5min", "start-page")
    assert found["start-page"].startswith("FAIL status is 302")


async def test_no_nginx(tmp_path: Path, webapp: Fronted) -> None:
    """Without nginx nobody is there, and the site fails as users see it."""
    webapp.nginx.tell("stop")
    until(lambda: not (webapp.nginx.root / "nginx.pid").exists())
    record = Record(tmp_path / "down", webapp.lists, webapp.sources)
    found = await looked(record, "webapp-5min", "quick-health", "start-page")
    record.store.close()
    assert {name: text.split()[0] for name, text in found.items()} == {"quick-health": "FAIL", "start-page": "FAIL"}
    assert "cannot be reached" in found["start-page"]
