"""A month of a small company in a real store, made by the engine with a clock of its own: what reports are made of.

November 2026. The morning list runs from 27 October on. The collectors fail on the 5th and 6th; the disk /var fills
up and is at its limit from the 26th on; the memory could not be read on the 12th; the 10th was missed with an
explanation and the 15th without one; the 18th was never signed, the 20th was signed late, the 24th was waived; the
14th was amended to have failed. On 31 October the tickets did not agree, which they did on 1 November.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.engine import Engine
from opsconsole.engine.reporting import Reporting
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.calendar import Period
from opsconsole.model.checklists import (
    Cadence,
    Checklist,
    Due,
    Entry,
    Escalation,
    Field,
    Item,
    Section,
)
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import ActionState, Actor, AmendmentKind, Meaning, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualifications import Effect, Qualification
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number, Unit, number
from opsconsole.store.sqlite import SqliteStore

JANE = Actor("jane", "Jane Doe", "ops01", Via.CONSOLE)
RAVI = Actor("ravi", "Ravi Rao", "ops01", Via.CONSOLE)
CRON = Actor("cron", "", "ops01", Via.HEADLESS)
HOSTILE = "<script>alert(1)</script> & \"'> | `x` \x1b[31m [a](https://evil.example) ![i](x)\n# not a heading"
"""What a source or a person may write: HTML, markdown and terminal escapes."""

_OURS = "America/Chicago"


def _probed(name: str, title: str, *require: str, target: str = "", **more: Any) -> Item:
    return Item(
        id=name,
        title=title,
        probe="played",
        options={"what": name},
        require=tuple(map(parse_condition, require)),
        target=(parse_condition(target),) if target else (),
        **more,
    )


DAILY = Checklist(
    id="qbr-daily",
    title="QBR daily monitoring",
    system="qbr",
    due=Due(timezone=_OURS),
    sections=(
        Section(
            "Collection",
            (
                _probed(
                    "collectors",
                    "Both collectors within 30 s",
                    "every duration < 30 s",
                    target="every duration < 20 s",
                    on_fail=Escalation("collection-failure", "L1"),
                    priority="high",
                ),
                _probed("disk", "Disks below 80 %", "used < 80%", for_each=("/", "/var")),
                _probed("memory", "More than 1 GB of memory", "available > 1 GB"),
            ),
        ),
        Section(
            "By hand",
            (
                _probed(
                    "tickets",
                    "Tickets agree",
                    "entry within 1% of value",
                    entry=Entry("Tickets"),
                    minutes=2,
                ),
                Item(id="look", title="Look at the dashboard", manual=True, minutes=3),
            ),
        ),
    ),
    fields=(Field("notes", "Notes"), Field("issues", "Issues found"), Field("actions", "Action items")),
)
WEEKLY = Checklist(
    id="qbr-weekly",
    title="QBR weekly review",
    system="qbr",
    cadence=Cadence.WEEKLY,
    due=Due(at="09:00", days="Mon", timezone=_OURS),
    sections=(Section("Review", (Item(id="trends", title="Trends were looked at", manual=True, minutes=20),)),),
    fields=(Field("findings", "Key findings"),),
)
WEB = Checklist(
    id="web-daily",
    title=f"Web {HOSTILE}",
    system="web",
    due=Due(days="Mon..Fri", timezone="UTC"),
    sections=(Section("All", (_probed("page", f"Page {HOSTILE}", "value < 5"),)),),
)
AUDIT = Checklist(
    id="audit",
    title="Quarterly audit",
    system="web",
    cadence=Cadence.QUARTERLY,
    due=Due(days="Mon#1", timezone="UTC"),
    sections=(Section("All", (Item(id="audit", title="Audited", manual=True),)),),
)
REVIEW = Checklist(
    id="qbr-final-review",
    title="QBR final review",
    system="qbr",
    cadence=Cadence.ONCE,
    due=Due(after="qbr-9day", timezone=_OURS, grace=DAILY.due.grace),
    sections=(Section("All", (Item(id="gaps", title="No gaps", manual=True),)),),
    fields=(Field("recommendations", "Recommendations for production"),),
)
NINE_DAYS = Qualification(
    id="qbr-9day",
    title="Nine clean days",
    system="qbr",
    checklist="qbr-daily",
    days=9,
    review="qbr-final-review",
    phase="Phase 5",
    waivers=Effect.HOLD,
)
CHECKLISTS = {each.id: each for each in (DAILY, WEEKLY, WEB, AUDIT, REVIEW)}

# --- what is measured ------------------------------------------------------------------------------


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the probe is told."""

    what: str


def _seconds(value: float) -> Number:
    return number(value, Unit.SECONDS)


def measured(what: str, target: str, date: dt.date) -> Reading:
    """Return what there is to be read on a date; raises ProbeError."""
    day = (date - dt.date(2026, 11, 1)).days
    match what:
        case "collectors":
            slow = 41.5 if date in {dt.date(2026, 11, 5), dt.date(2026, 11, 6)} else 12 + day % 3
            if date == dt.date(2026, 11, 9):
                slow = 22
            rows = (
                ("NinjaOne", _seconds(6 + day % 2), number(575 + day)),
                ("ConnectWise", _seconds(slow), number(40)),
            )
            return Reading(columns=("collector_name", "duration", "records"), rows=rows, label="collector_name")
        case "disk":
            used = Decimal(62) if target == "/" else Decimal(70) + Decimal(day) * Decimal("0.4")
            return Reading(measures={"used": Number(used, Unit.PERCENT)})
        case "memory" if date == dt.date(2026, 11, 12):
            raise ProbeError("no-permission", "/proc/meminfo cannot be read", "ask the administrator")
        case "memory":
            low = date == dt.date(2026, 11, 24)
            return Reading(measures={"available": number(800_000_000 if low else 6_000_000_000, Unit.BYTES)})
        case "tickets":
            return Reading(measures={"value": number(1000 + 10 * day)})
        case _:
            bad = date == dt.date(2026, 11, 17)
            return Reading(measures={"value": number(9 if bad else 2)}, command=HOSTILE)


@dataclass
class Company:
    """The store, its people, and a clock that goes on by a second for each look at it."""

    directory: Path
    now: dt.datetime = dt.datetime(2026, 10, 27, 12, 0, tzinfo=dt.UTC)
    play: Callable[[str, str, dt.date], Reading] = measured
    checklists: dict[str, Checklist] = field(default_factory=lambda: dict(CHECKLISTS))

    def __post_init__(self) -> None:
        self.store = SqliteStore(self.directory / "records.db")

    def clock(self) -> dt.datetime:
        """Return the next second."""
        self.now += dt.timedelta(seconds=1)
        return self.now

    async def measure(self, options: Options, context: Context) -> Reading:
        """Read what there is on the business date."""
        return self.play(options.what, context.target, context.times.business_date)

    async def aclose(self) -> None:
        """Nothing is open."""

    def engine(self, actor: Actor = JANE) -> Engine:
        """Return an engine as a process of `actor` has it."""
        kind = ProbeKind(name="played", summary="", options=Options, subjects=lambda _: None, open=lambda _: self)
        return Engine(
            self.store,
            {"played": kind},
            Environment(),
            actor,
            self.directory / actor.login,
            clock=self.clock,
            checklists=self.checklists,
            qualifications={"qbr-9day": NINE_DAYS},
        )

    def reporting(self, **more: Any) -> Reporting:
        """Return what makes reports, as seen by somebody in Chicago."""
        return Reporting(self.engine(), self.checklists, timezone=_OURS, **more)

    def at(self, date: dt.date, hour: int, minute: int = 0) -> None:
        """Set the clock, which never goes back; hours are those of Chicago in winter."""
        self.now = max(
            self.now, dt.datetime(date.year, date.month, date.day, hour, minute, tzinfo=dt.UTC) + _WINTER
        )

    async def opened(
        self, checklist: Checklist, actor: Actor = JANE, when: dt.date | Period | None = None
    ) -> RunSession:
        """Open a run and measure it."""
        engine = self.engine(actor)
        session = await engine.open(checklist, when)
        await engine.measure(session)
        return session


_WINTER = dt.timedelta(hours=6)

# --- the month -------------------------------------------------------------------------------------

EXPLAINED, MISSED = dt.date(2026, 11, 10), dt.date(2026, 11, 15)
UNSIGNED, LATE, AMENDED = dt.date(2026, 11, 18), dt.date(2026, 11, 20), dt.date(2026, 11, 14)
DISAGREED, UNREADABLE, WAIVED = dt.date(2026, 10, 31), dt.date(2026, 11, 12), dt.date(2026, 11, 24)


async def play_month(company: Company) -> None:
    """Live through it, from 27 October to the last morning of November."""
    first = dt.date(2026, 10, 27)
    for step in range((dt.date(2026, 11, 30) - first).days + 1):
        date = first + dt.timedelta(days=step)
        await _morning(company, date)
        if date.weekday() == 0 and date.month == 11:
            await _week(company, date)
        if date >= dt.date(2026, 11, 9) and date.weekday() < 5 and date != dt.date(2026, 11, 19):
            await _web(company, date)


async def _morning(company: Company, date: dt.date) -> None:
    if date in {EXPLAINED, MISSED}:
        company.at(date, 13)
        return
    company.at(date, 7, 5)
    await (await company.opened(DAILY, CRON)).aclose()
    company.at(date, 12 if date == LATE else 8)
    actor = RAVI if date.weekday() >= 5 else JANE
    session = await company.opened(DAILY, actor)
    measured_tickets = 1000 + 10 * (date - dt.date(2026, 11, 1)).days
    company.now += dt.timedelta(minutes=2)
    await session.enter(
        "tickets", str(round(measured_tickets * 1.05) if date == DISAGREED else measured_tickets + 1)
    )
    company.now += dt.timedelta(minutes=1)
    await session.tick("look")
    await _told(company, session, date)
    if date == UNSIGNED:
        await session.aclose()
        return
    for name, item in session.state.items.items():
        if item.outcome not in {Outcome.PASS, Outcome.WAIVED} and not item.explained:
            await session.note(name, f"seen on {date}, told the owner")
    await sign_statement(session, statement_now(session))
    await session.aclose()
    await _afterwards(company, date)


async def _told(company: Company, session: RunSession, date: dt.date) -> None:
    if date == dt.date(2026, 11, 5):
        await session.fill("issues", "ConnectWise answers slowly")
        await session.fill("actions", "Ask the vendor")
        await session.raise_action("Ask the vendor why it is slow", "Ravi", dt.date(2026, 11, 9), "collectors")
    if date == dt.date(2026, 11, 7):
        engine = company.engine(RAVI)
        other = await engine.resume("qbr-daily@2026-11-05")
        await other.handle_action("1", ActionState.DONE, "they had moved a server")
        await other.aclose()
    if date == UNREADABLE:
        await session.waive("memory", "the administrator is away", dt.date(2026, 11, 13))
    if date == WAIVED:
        await session.waive("memory", "a big import ran", dt.date(2026, 11, 24))
    if date == dt.date(2026, 11, 28):
        await session.raise_action("Make room on /var", "Jane", dt.date(2026, 11, 29))
        await session.note("", HOSTILE)


async def _afterwards(company: Company, date: dt.date) -> None:
    if date == EXPLAINED + dt.timedelta(days=1):
        session = await company.engine(JANE).open(DAILY, EXPLAINED)
        await session.note("", "the network was down until noon")
        await sign_statement(session, statement_now(session))
        await session.aclose()
    if date == AMENDED:
        company.now += dt.timedelta(hours=3)
        session = await company.engine(RAVI).resume(f"qbr-daily@{AMENDED}")
        amendment = amendment_now(session, AmendmentKind.FAILED, "the dashboard was of the day before", item="look")
        await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=amendment))
        await session.aclose()


async def _week(company: Company, date: dt.date) -> None:
    company.at(date, 9, 10)
    session = await company.opened(WEEKLY)
    await session.tick("trends")
    await session.fill("findings", f"Week of {date}: /var grows")
    await sign_statement(session, statement_now(session))
    await session.aclose()


async def _web(company: Company, date: dt.date) -> None:
    company.now += dt.timedelta(minutes=5)
    session = await company.opened(WEB)
    if session.state.items["page"].outcome is not Outcome.PASS:
        await session.note("page", HOSTILE)
    await sign_statement(session, statement_now(session))
    await session.aclose()
