"""The items of the QBR lists about the service, on a real systemd: what spoils a period is seen in the journal."""

import datetime as dt
from typing import Any

import pytest

from opsconsole.model.calendar import Window
from opsconsole.model.judging import judge_item
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement
from support.qbr import item_of, shipped
from support.systemd import SystemdBox

pytestmark = [pytest.mark.xdist_group("systemd"), pytest.mark.systemd]

NAMES = ("qbr-final-review", "qbr-weekly", "qbr-monthly", "qbr-quarterly")
LISTS = {name: shipped(name) for name in NAMES}
ASKED = [(name, each.id) for name, found in LISTS.items() for each in found.items if each.probe == "journal"]
NIGHTS = 9


@pytest.fixture(scope="module")
def box(systemd_box: SystemdBox) -> SystemdBox:
    """Give a machine on which a service has run nine times."""
    for _ in range(NIGHTS):
        systemd_box.systemctl("start", "reviewed.service")
    systemd_box.sync()
    return systemd_box


def _judged(box: SystemdBox, name: str, item: str, unit: str = "reviewed.service") -> Judgement:
    """Measure an item about another unit, over the hours around now."""
    now = dt.datetime.now(dt.UTC)
    asked = item_of(LISTS[name], item)
    window = Window(now.date(), now.date(), now - dt.timedelta(hours=1), now + dt.timedelta(hours=1))
    options: dict[str, Any] = {**asked.options, "unit": unit}
    return judge_item(asked, box.reading(asked.probe, options, window=window))


@pytest.mark.parametrize(("name", "item"), ASKED)
def test_a_quiet_service_is_green(box: SystemdBox, name: str, item: str) -> None:
    """A service that ran every night, and had nothing to say, is green in each list that asks."""
    judgement = _judged(box, name, item)
    assert judgement.outcome is Outcome.PASS, judgement.summary


@pytest.mark.parametrize(
    ("unit", "name", "item", "words"),
    [
        ("killed.service", "qbr-final-review", "crashes", "crashed is 1, required 0"),
        ("flaky.service", "qbr-final-review", "crashes", "restarted is 3, required 0"),
        ("idle.service", "qbr-final-review", "crashes", "succeeded is 0, limit at least 9"),
        ("failing.service", "qbr-final-review", "journal-errors", "count is 1, required 0"),
        ("crashed.service", "qbr-weekly", "service", "crashed is 1, required 0"),
        ("flaky.service", "qbr-weekly", "journal", "count is 4, required 0"),
    ],
)
def test_what_systemd_says_fails_a_period(box: SystemdBox, unit: str, name: str, item: str, words: str) -> None:
    """A crash, a restart, an error, and runs that are not there each fail the list."""
    judgement = _judged(box, name, item, unit)
    assert judgement.outcome is Outcome.FAIL
    assert words in judgement.summary


RATE_LIMITS = (
    "ConnectWise: HTTP 429, waiting 60 s",
    "requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url",
    "NinjaOne API rate limit exceeded",
    "rate-limited, sleeping",
    "status code: 429",
    "request was throttled; Retry-After: 30",
)
DATABASE_ERRORS = (
    "psycopg2.OperationalError: could not connect to server: Connection refused",
    'connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed',
    "FATAL:  sorry, too many clients already",
    "FATAL:  remaining connection slots are reserved",
    "ERROR:  deadlock detected",
    "server closed the connection unexpectedly",
    "sqlalchemy.exc.InterfaceError: connection already closed",
)
HARMLESS = ("collected 429 tickets", "connected to the database", "code 1429", "generated 5 metrics")


@pytest.mark.parametrize(
    ("item", "messages"),
    [("rate-limits", RATE_LIMITS), ("database-errors", DATABASE_ERRORS)],
    ids=["rate-limits", "database-errors"],
)
def test_messages_that_a_collector_called_harmless(box: SystemdBox, item: str, messages: tuple[str, ...]) -> None:
    """A collector that waits and tries again says so at a low priority, and it is counted all the same."""
    unit = {"rate-limits": "good.service", "database-errors": "nightly.service"}[item]
    about = {"OBJECT_SYSTEMD_UNIT": unit.encode(), "PRIORITY": b"6"}
    box.log(*({"MESSAGE": each.encode(), **about} for each in HARMLESS))
    before = _judged(box, "qbr-final-review", item, unit)
    assert before.outcome is Outcome.PASS
    box.log(*({"MESSAGE": each.encode(), **about} for each in messages))
    after = _judged(box, "qbr-final-review", item, unit)
    assert (after.outcome, after.summary) == (Outcome.FAIL, f"count is {len(messages)}, required 0")


@pytest.mark.parametrize(
    ("item", "unit", "outcome"),
    [
        ("timer", "qbr-collector.timer", Outcome.PASS),
        ("timer", "disabled.timer", Outcome.FAIL),
        ("service", "reviewed.service", Outcome.PASS),
        ("service", "masked.service", Outcome.FAIL),
    ],
)
def test_units_of_the_audit(box: SystemdBox, item: str, unit: str, outcome: Outcome) -> None:
    """The audit looks at the timer and the service themselves."""
    judgement = _judged(box, "qbr-quarterly", item, unit)
    assert judgement.outcome is outcome, judgement.summary
