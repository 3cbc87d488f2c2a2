"""A console over days of a qualification that were run, signed, failed or missed through the engine, by a clock."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.config.qualifications import LoadedQualification, LoadedQualifications
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.checklists import Cadence, Checklist, Due, Item, Section
from opsconsole.model.events import Actor, AmendmentKind, Meaning, Via
from opsconsole.model.people import Role
from opsconsole.model.qualifications import Effect, Qualification
from opsconsole.wiring.definitions import Definitions
from opsconsole.wiring.services import Services
from support.console import JANE, OPERATOR, OPERATOR_PERSON, Morning

DAILY = Checklist(
    id="qbr-daily",
    title="QBR daily monitoring",
    due=Due(at="08:00", timezone="America/Chicago"),
    sections=(
        Section(
            "Look",
            (
                Item(id="collectors", title="Both collectors succeeded", manual=True),
                Item(id="disk", title="Disk of the install path below 80 %", manual=True),
            ),
        ),
    ),
)
REVIEW = Checklist(
    id="qbr-final-review",
    title="QBR final review",
    cadence=Cadence.ONCE,
    due=Due(at="08:00", timezone="America/Chicago", after="qbr-3day"),
    sections=(
        Section(
            "Completeness",
            (
                Item(id="audit", title="Two collectors on each day", manual=True),
                Item(id="growth", title="Growth of the database is explained", manual=True),
            ),
        ),
    ),
)
THREE_DAYS = Qualification(
    id="qbr-3day",
    title="QBR collection: three clean days",
    checklist=DAILY.id,
    days=3,
    review=REVIEW.id,
    waivers=Effect.HOLD,
    phase="Phase 5: production",
)
FIVE_DAYS = msgspec.structs.replace(
    THREE_DAYS, id="qbr-5day", title="QBR collection: five clean days", days=5, review=""
)

MAL = Actor("mallory", "Mal Lory", "ops02", Via.CONSOLE)
"""A colleague who has signed nothing."""
APPROVER = msgspec.structs.replace(
    JANE,
    principal="mallory@example.com",
    name="Mal Lory",
    roles=(Role.REVIEWER, Role.APPROVER),
    fingerprint="SHA256:" + "a5" * 21 + "Q",
)
FIRST = msgspec.structs.replace(OPERATOR_PERSON, roles=(Role.OPERATOR, Role.REVIEWER, Role.APPROVER))
"""The operator, who has the role of an approver as well."""

TODAY = dt.date(2026, 11, 21)
MORNING = dt.datetime(2026, 11, 21, 14, 12, 3, tzinfo=dt.UTC)
"""08:12:03 in Chicago."""


class Monitored(Morning):
    """A console over days of a qualification; `now` is the clock of everything."""

    def __init__(
        self,
        directory: Path,
        qualifications: tuple[Qualification, ...] = (THREE_DAYS,),
        checklists: tuple[Checklist, ...] = (DAILY, REVIEW),
        **options: Any,
    ) -> None:
        super().__init__(directory, {}, checklists, qualifications=qualifications, **options)

    def services(self) -> Services:
        """Return what the console works with."""
        made = super().services()
        found = tuple(
            LoadedQualification(path=self.directory / f"{each.id}.toml", id=each.id, qualification=each)
            for each in self.options["qualifications"]
        )
        return replace(
            made, definitions=Definitions(made.definitions.loaded, LoadedQualifications(found), trusted=False)
        )

    # --- the past ------------------------------------------------------------------------------------

    async def day(
        self, date: dt.date, how: str = "pass", actor: Actor = OPERATOR, checklist: Checklist = DAILY
    ) -> None:
        """Run a day at 08:10 in Chicago.

        `pass`, `fail` by an amendment afterwards, `waive` the first item, or `open` without a signature.
        """
        self.now = dt.datetime.combine(date, dt.time(14, 10), dt.UTC)
        session = await self.engine(actor).open(checklist, date)
        for number, item in enumerate(checklist.items):
            if how == "waive" and not number:
                await session.waive(item.id, "the vendor knows", date)
            else:
                await session.tick(item.id)
        if how != "open":
            await sign_statement(session, statement_now(session))
        if how == "fail":
            amendment = amendment_now(
                session, AmendmentKind.FAILED, "the graph was of another host", item=checklist.items[0].id
            )
            await sign_statement(session, statement_now(session, Meaning.AMENDED, None, amendment))
        await session.aclose()

    async def missed(self, date: dt.date, why: str = "the VPN was down", actor: Actor = OPERATOR) -> None:
        """Say on the day after why nobody ran a day, and sign that."""
        self.now = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(16), dt.UTC)
        session = await self.engine(actor).open(DAILY, date)
        await session.note("", why)
        await sign_statement(session, statement_now(session))
        await session.aclose()

    async def amended(self, date: dt.date, kind: AmendmentKind, why: str, actor: Actor = OPERATOR) -> None:
        """Document a reset of the first qualification, or ask for an exclusion."""
        session = await self.engine(actor).open(DAILY, date)
        amendment = amendment_now(session, kind, why, qualification=self.options["qualifications"][0].id)
        await sign_statement(session, statement_now(session, Meaning.AMENDED, None, amendment))
        await session.aclose()

    async def reviewed(self, date: dt.date, actor: Actor = MAL) -> None:
        """Review a day as a second person."""
        session = await self.engine(actor).open(DAILY, date)
        await sign_statement(session, statement_now(session, Meaning.REVIEWED))
        await session.aclose()

    async def final_review(self, actor: Actor = OPERATOR, *, sign: bool = True) -> None:
        """Do the final review, and sign it."""
        session = await self.engine(actor).open(REVIEW)
        for item in REVIEW.items:
            await session.tick(item.id)
        if sign:
            await sign_statement(session, statement_now(session))
        await session.aclose()

    async def past(self, days: Mapping[int, str], reasons: Mapping[int, str] | None = None) -> "Monitored":
        """Run days of November 2026, document why some reset the count, and go on to the 21st; returns itself."""
        for number, how in sorted(days.items()):
            date = dt.date(2026, 11, number)
            await (self.missed(date) if how == "missed" else self.day(date, how))
        for number, why in (reasons or {}).items():
            await self.amended(dt.date(2026, 11, number), AmendmentKind.RESET, why)
        self.now = MORNING
        return self

    async def reached(self, *, review: bool = True) -> "Monitored":
        """Have a failed day that is explained, three clean days and, with `review`, the final review behind it."""
        await self.past({17: "fail", 18: "pass", 19: "pass", 20: "pass"}, {17: "the vendor changed its API"})
        if review:
            await self.final_review()
        return self
