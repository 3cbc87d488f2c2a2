"""What the QBR lists make of the console's own record: good mornings green, bad ones named, none never green."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from opsconsole.checks.history import HistoryOptions, HistoryProbe
from opsconsole.config.qualifications import load_qualifications
from opsconsole.contracts.probe import TOO_LITTLE_HISTORY, Context, ProbeError
from opsconsole.engine.engine import opened
from opsconsole.engine.entering import ActionRefused
from opsconsole.model.checklists import Checklist, Section, substituted
from opsconsole.model.encoding import dec_hook
from opsconsole.model.judging import judge_item, without_history
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement
from opsconsole.model.values import Unit, number, seconds
from opsconsole.wiring.definitions import shipped_qualifications
from support.mornings import (
    DAILY,
    GOOD,
    Office,
    Planned,
    cell,
    database,
    dates,
    measures,
    mornings,
    planned_kinds,
    rows,
    signed,
    size,
    took,
)
from support.postgres import Postgres
from support.qbr import CENTRAL, QbrDatabase, item_of, qbr_history, shipped, times

LISTS = {name: shipped(name) for name in ("qbr-final-review", "qbr-weekly", "qbr-monthly", "qbr-quarterly")}
PAST = [(name, each.id) for name, found in LISTS.items() for each in found.items if each.probe == "history"]
FIRST, LAST = dt.date(2026, 9, 18), dt.date(2026, 9, 30)
"""The mornings of the record: those of a count of nine are the last ones, a week and a month have some of them."""
NINE = (dt.date(2026, 9, 22), LAST)
DATES = {
    "qbr-final-review": LAST,
    "qbr-weekly": dt.date(2026, 9, 28),
    "qbr-monthly": dt.date(2026, 10, 5),
    "qbr-quarterly": dt.date(2026, 10, 12),
}
BAD_DAY, MISSING = dt.date(2026, 9, 24), dt.date(2026, 9, 26)


def only_nights(name: str) -> Checklist:
    """Return a list of which only the item `nights` is left, to be measured and signed at once."""
    (section, *_) = LISTS[name].sections
    nights = msgspec.structs.replace(item_of(LISTS[name], "nights"), require=(), target=(), probe="", manual=True)
    return msgspec.structs.replace(LISTS[name], sections=(Section(section.title, (nights,)),), fields=())


async def reviewed(office: Office, name: str, dates_signed: list[dt.date]) -> None:
    """Sign the runs of a weekly or monthly list on those dates."""
    for date in dates_signed:
        office.now = dt.datetime.combine(date, dt.time(10), CENTRAL).astimezone(dt.UTC)
        async with opened(office.engine({}), only_nights(name)) as session:
            await session.tick("nights")
            await signed(session)


async def judged(office: Office, name: str, item: str) -> dict[str, str]:
    """Return what an item comes to, for each of its targets, looked at on the day that its list is due."""
    checklist, asked = LISTS[name], item_of(LISTS[name], item)
    office.now = dt.datetime.combine(DATES[name], dt.time(9), CENTRAL).astimezone(dt.UTC)
    if name == "qbr-final-review":
        office.now += dt.timedelta(days=1)
    probe = HistoryProbe(office.engine({}).history)
    of = times(checklist, DATES[name], NINE if name == "qbr-final-review" else None)
    found = {}
    for target in asked.targets or ("",):
        options = msgspec.convert(substituted(asked.options, target), HistoryOptions, dec_hook=dec_hook)
        context = Context(
            run="",
            checklist=name,
            item=item,
            times=of,
            now=office.now,
            cutoff=office.now,
            timeout=30,
            target=target,
        )
        try:
            judgement = judge_item(asked, await probe.measure(options, context))
        except ProbeError as error:
            too_little = error.problem.reason == TOO_LITTLE_HISTORY
            judgement = Judgement(without_history(asked) if too_little else Outcome.ERROR, error.problem.cause)
        found[target] = f"{judgement.outcome.upper()} {judgement.summary}"
    return found


# --- a good past -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Thirteen good mornings, and the lists of the weeks and the month."""
    office = Office(tmp_path_factory.mktemp("good"), checklists=[LISTS["qbr-weekly"], LISTS["qbr-monthly"]])
    mornings(office, dates(FIRST, LAST))
    yield office
    office.store.close()


@pytest.mark.parametrize(("name", "item"), [each for each in PAST if each != ("qbr-quarterly", "reviews")])
async def test_good_mornings_are_green(good: Office, name: str, item: str) -> None:
    """Mornings on which all was well leave nothing to be said by any list that looks back on them."""
    for found in (await judged(good, name, item)).values():
        assert found.startswith("PASS"), found


# --- a bad one ---------------------------------------------------------------------------------------


def _once(bad: object, item: str) -> Planned:
    return lambda date: bad if date == BAD_DAY else GOOD[item](date)  # type: ignore[return-value]


def _step(date: dt.date) -> int:
    return (date - FIRST).days


BAD: Mapping[str, Planned] = {
    "metrics-count": _once(cell(number(4)), "metrics-count"),
    "metrics-fresh": _once(rows("metric_name behind", ("seats_managed", seconds(86_340))), "metrics-fresh"),
    "database": lambda date: database(date, 40e6),
    "memory": lambda date: measures(available=size(7e9 - 4e8 * _step(date))),
    "endpoints-agree": lambda date: cell(number(628)) if date > dt.date(2026, 9, 28) else None,
    "disk": lambda date: measures(used=number(61 + 2 * _step(date), Unit.PERCENT)),
    "connections": lambda date: cell(number(45 + _step(date) // 2)),
    "duration-ninjaone": lambda date: took("NinjaOne", 5 + 0.6 * _step(date)),
    "duration-connectwise": lambda date: took("ConnectWise", 10 + 1.5 * _step(date)),
    "collectors": _once(rows("collector_name status", ("NinjaOne", "success")), "collectors"),
}


def _differs(date: dt.date) -> int:
    """Differ by one ticket, which is within 1 %, and once by nine."""
    return 9 if date == BAD_DAY else 1


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Thirteen mornings but one, on which everything goes slowly wrong, and some of it at once."""
    office = Office(tmp_path_factory.mktemp("bad"), checklists=[LISTS["qbr-weekly"], LISTS["qbr-monthly"]])
    without = [each for each in dates(FIRST, LAST) if each != MISSING]
    mornings(office, without, BAD, _differs)
    yield office
    office.store.close()


EXPECTED = {
    ("qbr-final-review", "metrics-each-day"): "FAIL missing is 1, required 0; min is 4, limit at least 5",
    ("qbr-final-review", "updated-each-day"): "FAIL missing is 1, required 0; availability is 87.5 %, required",
    ("qbr-final-review", "growth"): "FAIL projected is 14.7 GiB, limit 10 GiB",
    ("qbr-final-review", "memory"): "FAIL projected is -",
    ("qbr-final-review", "tickets-checked"): "FAIL failed is 1, required 0",
    ("qbr-final-review", "endpoints-checked"): "FAIL passed is 2, limit at least 3",
    ("qbr-final-review", "systematic"): "WARN min is 1, target 0",
    ("qbr-final-review", "disk"): "FAIL max is 85 %, limit 80 %",
    ("qbr-final-review", "connections"): "FAIL max is 51, limit 50",
    ("qbr-weekly", "spot-checks"): "FAIL failed is 1, required 0",
    ("qbr-weekly", "mornings"): "WARN missing is 1, wanted 0; availability is 83.3 %",
    ("qbr-monthly", "mornings"): "WARN missing is 1, wanted 0; availability is 91.7 %",
    ("qbr-monthly", "trend-ninjaone"): "WARN projected is 6",
    ("qbr-monthly", "trend-connectwise"): "WARN projected is 1",
    ("qbr-monthly", "disk"): "FAIL max is 85 %, limit 80 %",
    ("qbr-monthly", "memory"): "WARN projected is -",
    ("qbr-monthly", "connections"): "FAIL max is 51, limit 50",
    ("qbr-quarterly", "mornings"): "WARN availability is 91.7 %, target at least 99 %; missing is 1",
}


@pytest.mark.parametrize(("name", "item"), EXPECTED)
async def test_bad_mornings_are_named(bad: Office, name: str, item: str) -> None:
    """Each thing that went wrong over days is seen by the item that looks back on it."""
    found = await judged(bad, name, item)
    assert next(iter(found.values())).startswith(EXPECTED[name, item])


@pytest.mark.parametrize("gone", [NINE[0], LAST])
async def test_the_first_and_the_last_day_count(tmp_path: Path, gone: dt.date) -> None:
    """The review misses a morning at either end of its days, also the one that its own run is called after."""
    office = Office(tmp_path, checklists=LISTS.values())
    before = NINE[0] - dt.timedelta(days=1)
    for date in (before, *dates(*NINE)):
        if date != gone:
            await office.morning(date)
    found = await judged(office, "qbr-final-review", "metrics-each-day")
    office.store.close()
    assert found == {"": "FAIL missing is 1, required 0"}


@pytest.mark.parametrize(
    ("signed_weeks", "expected"),
    [
        (["2026-09-14", "2026-09-21"], {"qbr-weekly": "PASS", "qbr-monthly": "PASS"}),
        (["2026-09-07", "2026-09-21"], {"qbr-weekly": "WARN missing is 1, wanted 0", "qbr-monthly": "PASS"}),
        ([], {"qbr-weekly": "WARN qbr-weekly: nights: 1 earlier", "qbr-monthly": "PASS"}),
    ],
)
async def test_the_reviews_of_a_quarter(tmp_path: Path, signed_weeks: list[str], expected: dict[str, str]) -> None:
    """The audit sees which weekly and monthly lists of the quarter nobody signed."""
    office = Office(tmp_path, checklists=[LISTS["qbr-weekly"], LISTS["qbr-monthly"]])
    await reviewed(office, "qbr-monthly", [dt.date(2026, 9, 7)])
    # the weeks from the first one that was signed to the end of the quarter are due
    last = [dt.date(2026, 9, 28)] if signed_weeks else []
    await reviewed(office, "qbr-weekly", [*map(dt.date.fromisoformat, signed_weeks), *last])
    found = await judged(office, "qbr-quarterly", "reviews")
    office.store.close()
    assert {target: text[: len(expected[target])] for target, text in found.items()} == expected


# --- after nine days ---------------------------------------------------------------------------------


async def test_the_review_opens_when_nine_days_have_passed(postgres: Postgres, tmp_path: Path) -> None:
    """After nine signed mornings the review opens for exactly these days, and all of it is green but the ticks."""
    days = dates(dt.date(2099, 9, 22), dt.date(2099, 9, 30))  # the server was started before them
    now = dt.datetime(2099, 10, 1, 14, 5, tzinfo=dt.UTC)
    database = QbrDatabase(postgres, qbr_history(now, 12))
    known = {"qbr-daily": DAILY, **LISTS}
    qualified = load_qualifications([shipped_qualifications()], known, check_trust=False)
    (nine,) = (each.qualification for each in qualified.found if each.qualification is not None)
    office = Office(tmp_path, checklists=LISTS.values(), qualifications=[nine], source=database.source)
    review = LISTS["qbr-final-review"]
    for date in days[:-1]:
        await office.morning(date)
    with pytest.raises(ActionRefused, match="8 of 9 days have passed"):
        await office.run(review, office.now, {})
    await office.morning(days[-1])
    names = ("count", "crashed", "restarted", "out_of_memory", "failed")
    quiet = measures(succeeded=number(9), **dict.fromkeys(names, number(0)))
    journal = {each.id: lambda _: quiet for each in review.items if each.probe == "journal"}
    state = await office.run(review, now, planned_kinds(journal, ["journal"]))
    office.store.close()
    assert (state.times.window.start, state.times.window.end) == (days[0], days[-1])
    assert {
        name: f"{item.outcome} {item.summary}"
        for name, item in state.items.items()
        if item.outcome is not (Outcome.PENDING if item.item.manual else Outcome.PASS)
    } == {}


# --- the first time ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "item"), PAST)
async def test_the_first_time_is_never_green(tmp_path: Path, name: str, item: str) -> None:
    """Where the console has not looked before, nothing that rests on its record passes."""
    office = Office(tmp_path, checklists=LISTS.values())
    found = await judged(office, name, item)
    office.store.close()
    assert {text.split()[0] for text in found.values()} <= {"ERROR", "FAIL", "WARN", "SKIPPED"}
