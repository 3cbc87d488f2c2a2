"""Runs told event by event, for tests that need a run in a certain state and no store to keep it."""

import datetime as dt
import hashlib
from collections.abc import Callable
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.exporter import Report
from opsconsole.contracts.store import Head
from opsconsole.model.calendar import Period, period_at, period_of, times_of, window_between
from opsconsole.model.checklists import (
    Cadence,
    Checklist,
    Due,
    Entry,
    Escalation,
    Field,
    Item,
    Required,
    Retry,
    Schedule,
    Section,
)
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.encoding import definition_hash
from opsconsole.model.events import (
    ActionState,
    Actor,
    Amended,
    Amendment,
    AmendmentKind,
    Approval,
    ApprovedDay,
    Body,
    Clock,
    Entered,
    Event,
    Filled,
    Handled,
    Meaning,
    Measured,
    Noted,
    Opened,
    Pruned,
    Raised,
    Redefined,
    Restored,
    Signature,
    Signed,
    Skipped,
    Stored,
    Ticked,
    Unticked,
    Via,
    Waived,
)
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.people import Person, Role
from opsconsole.model.qualifications import DayOfMonitoring
from opsconsole.model.readings import Evidence, Finding, Judgement, Level, Past, Problem, Reading, Verdict
from opsconsole.model.record import sha256_of
from opsconsole.model.runs import RunState, fold
from opsconsole.model.signoff import statement_of
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Duration, Moment, Number, Unit, Value, number

DATE = dt.date(2026, 11, 21)
ZONE = "America/Chicago"
STORE_ID = "5e0e7a52-0000-4000-8000-000000000001"
VERSION = "0.1.0"

CRON = Actor("opsconsole", "", "qbr-host", Via.HEADLESS)
OPERATOR = Actor("morning", "Morning Operator", "qbr-host", Via.CONSOLE)
SECOND = Actor("late", "Late Operator", "qbr-host", Via.CONSOLE)


def item(name: str, title: str, *require: str, target: tuple[str, ...] = (), **more: object) -> Item:
    """Return an item; conditions as in a checklist, `more` as the fields of the struct."""
    plain = Item(
        id=name,
        title=title,
        require=tuple(map(parse_condition, require)),
        target=tuple(map(parse_condition, target)),
    )
    return msgspec.structs.replace(plain, **{"probe": "sql", **more})


def checklist(*sections: Section, **more: object) -> Checklist:
    """Return a daily checklist with a schedule and a sheet of three fields."""
    plain = Checklist(
        id="qbr-daily",
        title="QBR daily monitoring",
        system="qbr",
        due=Due(at="08:00", timezone=ZONE),
        schedule=Schedule(at="02:00"),
        sections=sections,
        fields=(
            Field("notes", "Notes"),
            Field("issues", "Issues found", required=Required.UNLESS_GREEN),
            Field("actions", "Action items", required=Required.UNLESS_GREEN),
        ),
    )
    return msgspec.structs.replace(plain, **more)


class Telling:
    """One run as it is told: set the clock with `at`, the person with `by`, and add what happens."""

    def __init__(
        self, definition: Checklist, date: dt.date = DATE, *, actor: Actor = CRON, missed_at: str = ""
    ) -> None:
        """`missed_at` is the instant after its period at which somebody opens it, in UTC."""
        self.zone = ZoneInfo(definition.due.timezone)
        self.times = times_of(definition, self._period(definition, date), self.zone, date)
        self.definition = definition
        self.run = f"{definition.id}@{self.times.period.key}"
        self.events: list[Stored] = []
        self.actor = actor
        self.clock = dt.datetime.combine(date, dt.time(7, 55, 0), tzinfo=self.zone).astimezone(dt.UTC)
        if missed_at:
            self.clock = dt.datetime.fromisoformat(missed_at)
        self.add(
            Opened(
                times=self.times,
                definition=definition,
                definition_hash=definition_hash(definition),
                version=VERSION,
                missed=bool(missed_at),
            )
        )

    def _period(self, definition: Checklist, date: dt.date) -> Period:
        if definition.cadence is not Cadence.INTERVAL:
            return period_of(date, definition.cadence)
        return period_at(definition, dt.datetime.combine(date, dt.time(7, 55), self.zone), self.zone)

    def at(self, local: str, date: dt.date = DATE) -> "Telling":
        """Set the clock to a local time of day, `HH:MM:SS`."""
        self.clock = dt.datetime.combine(date, dt.time.fromisoformat(local), tzinfo=self.zone).astimezone(dt.UTC)
        return self

    def by(self, actor: Actor) -> "Telling":
        """Let `actor` do what follows."""
        self.actor = actor
        return self

    def add(self, *bodies: Body) -> "Telling":
        """Let events happen, a quarter of a second apart; hashes only look like some."""
        for body in bodies:
            seq = len(self.events) + 1
            event = Event(
                id=f"00000000-0000-4000-8000-{seq:012}", run=self.run, at=self.clock, actor=self.actor, body=body
            )
            prev = self.events[-1].hash if self.events else "0" * 64
            self.events.append(Stored(seq=seq, event=event, prev=prev, hash=_hash(f"{self.run} {seq}")))
            self.clock += dt.timedelta(milliseconds=250)
        return self

    def measure(
        self,
        name: str,
        reading: Reading | None = None,
        problem: Problem | None = None,
        *,
        judgement: Judgement | None = None,
        **more: object,
    ) -> "Telling":
        """Record a measurement, judged as the engine would unless a `judgement` is given."""
        measured = next(each for each in self.definition.items if each.id == name)
        if judgement is None:
            judgement = _judged(measured, reading, problem)
        body = Measured(
            item=name,
            judgement=judgement,
            started_at=self.clock - dt.timedelta(milliseconds=120),
            elapsed=Number(Decimal("0.118204"), Unit.SECONDS),
            reading=reading,
            problem=problem,
        )
        return self.add(msgspec.structs.replace(body, **more))

    def enter(self, name: str, text: str) -> "Telling":
        """Enter a plain number, judged against the latest reading."""
        entered = next(each for each in self.definition.items if each.id == name)
        latest = self.state.items[name].latest.get("")
        reading = (latest.body.reading if latest else None) or Reading()
        value = number(text.replace(",", ""))
        judged = judge(reading, entered.require, entered.target, entry=value)
        return self.add(Entered(name, value, text, judged))

    def sign(
        self,
        signature: Signature | None = None,
        meaning: Meaning = Meaning.PERFORMED,
        amendment: Amendment | None = None,
        approval: Approval | None = None,
    ) -> "Telling":
        """Sign the run as it stands, an amendment of it, or what is decided of a qualification."""
        given = signature or Signature(Tier.ATTRIBUTED)
        person = None
        if given.armored:
            person = Person(
                principal=given.principal,
                name=self.actor.name,
                roles=tuple(Role),
                fingerprint=given.fingerprint,
                key_type="ssh-ed25519",
                public_key="",
            )
        statement = statement_of(
            self.state,
            self.actor,
            store_id=STORE_ID,
            signed_at=self.clock,
            meaning=meaning,
            signatory=person,
            clock=Clock.SYNCHRONISED if given.armored else Clock.UNKNOWN,
            amendment=amendment,
            approval=approval,
        )
        kind = Amended if meaning is Meaning.AMENDED else Signed
        return self.add(kind(statement=statement, signature=given))

    def amend(self, kind: AmendmentKind, reason: str, signature: Signature, **more: object) -> "Telling":
        """Amend the run and sign that; a new entry is judged as the engine would."""
        amendment = msgspec.structs.replace(Amendment(kind=kind, reason=reason), **more)
        if kind is AmendmentKind.ENTRY:
            entered = next(each for each in self.definition.items if each.id == amendment.item)
            latest = self.state.items[amendment.item].latest[""]
            value = number(amendment.text)
            judged = judge(latest.body.reading or Reading(), entered.require, entered.target, entry=value)
            amendment = msgspec.structs.replace(amendment, value=value, judgement=judged)
        return self.sign(signature, Meaning.AMENDED, amendment)

    @property
    def state(self) -> RunState:
        """The run as told so far."""
        state = fold(self.events)
        assert state is not None
        return state

    def report(self, **more: object) -> Report:
        """Return what an exporter is given: exported five minutes later, two events of another run in between."""
        plain = Report(
            state=self.state,
            head=Head(self.events[-1].seq + 2, _hash(f"{self.run} head")),
            store_id=STORE_ID,
            exported_at=self.clock + dt.timedelta(minutes=5),
            version=VERSION,
            monitoring=DayOfMonitoring(3, 9) if self.definition.schedule else None,
            events=tuple(self.events),
        )
        return msgspec.structs.replace(plain, **more)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _judged(measured: Item, reading: Reading | None, problem: Problem | None) -> Judgement:
    if problem is not None:
        return Judgement(Outcome.ERROR, problem.cause)
    if measured.entry is not None:
        return Judgement(Outcome.PENDING, "")
    return judge(reading or Reading(), measured.require, measured.target, on_empty=measured.on_empty)


# --- readings ---------------------------------------------------------------------------------------


def measures(**values: Value | float) -> Reading:
    """Return a reading of single values."""
    return Reading(measures={name: _value(value) for name, value in values.items()})


def table(columns: str, *rows: tuple[Value | float, ...], label: str = "", **more: object) -> Reading:
    """Return a table; `columns` are names with spaces between."""
    plain = Reading(
        columns=tuple(columns.split()), rows=tuple(tuple(map(_value, row)) for row in rows), label=label
    )
    return msgspec.structs.replace(plain, **more)


def _value(value: Value | float) -> Value:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def seconds(value: float) -> Number:
    """Return a number of seconds."""
    return number(value, Unit.SECONDS)


def percent(value: float) -> Number:
    """Return a percentage."""
    return number(value, Unit.PERCENT)


def size(value: int) -> Number:
    """Return a number of bytes."""
    return number(value, Unit.BYTES)


def moment(local: str, date: dt.date = DATE) -> Moment:
    """Return an instant by its local time of day in US Central."""
    at = dt.datetime.combine(date, dt.time.fromisoformat(local), tzinfo=ZoneInfo(ZONE))
    return Moment(at.astimezone(dt.UTC))


# --- a QBR morning ----------------------------------------------------------------------------------

_RUNBOOK = Escalation("collection-failure", "L1")

QBR = checklist(
    Section(
        "Timer and service",
        (
            item(
                "timer",
                "The timer is enabled and elapses at the coming 02:00",
                "enabled == 'enabled'",
                "next < 24 h",
                refs=("Q01",),
                probe="timer",
                on_fail=_RUNBOOK,
            ),
            item(
                "service-journal",
                "No errors of the service in the journal of 24 hours",
                "count == 0",
                refs=("Q10", "Q11"),
                probe="journal",
                on_fail=_RUNBOOK,
            ),
        ),
    ),
    Section(
        "Collection",
        (
            item(
                "collectors",
                "Both collectors ran last night and succeeded",
                "count == 2",
                "every status == 'success'",
                refs=("Q02",),
                on_empty=Outcome.FAIL,
                requires=("database",),
                on_fail=_RUNBOOK,
            ),
            item(
                "durations",
                "Each collector took less than 30 s",
                "every duration < 30 s",
                target=("every duration < 20 s",),
                refs=("Q04", "Q05"),
                requires=("database",),
                on_fail=_RUNBOOK,
            ),
        ),
    ),
    Section(
        "Agreement with the source systems",
        (
            item(
                "tickets-agree",
                "Tickets of the month agree with ConnectWise Manage within 1 %",
                "entry within 1% of value",
                refs=("Q12",),
                entry=Entry("Tickets created, as ConnectWise Manage reports them"),
                requires=("database",),
                minutes=2,
            ),
            item(
                "backup-seen",
                "Last night's backup is in the vault",
                probe="",
                manual=True,
                help="The vault's own page lists it.",
            ),
        ),
    ),
    Section(
        "Database and host",
        (
            item(
                "database",
                "The database answers",
                "metrics >= 1",
                refs=("Q15",),
                retry=Retry(times=1),
                on_fail=_RUNBOOK,
            ),
            item(
                "disk",
                "The file system of the installation is below 80 %",
                "used < 80%",
                refs=("Q16",),
                probe="disk",
            ),
            item(
                "memory", "More than 1 GB of memory is available", "available > 1 GB", refs=("Q17",), probe="memory"
            ),
        ),
    ),
)


def _collectors(connectwise: str = "success") -> Reading:
    return table(
        "collector_name status records started_at",
        ("ConnectWise", connectwise, 3, moment("02:00:04")),
        ("NinjaOne", "success", 2, moment("02:00:04")),
        label="collector_name",
        evidence=(Evidence("query", "select collector_name, status, records\nfrom qbr_collection_log"),),
        command="psql service=inventory -c 'select collector_name, status from qbr_collection_log'",
    )


def _durations(connectwise: float) -> Reading:
    return table(
        "collector_name duration",
        ("ConnectWise", seconds(connectwise)),
        ("NinjaOne", seconds(6.21)),
        label="collector_name",
    )


def _host(telling: Telling, used: float = 41.3) -> Telling:
    telling.measure("disk", measures(used=percent(used), size=size(42_949_672_960), mount="/opt"))
    return telling.measure("memory", measures(available=size(3_221_225_472)))


def _units(telling: Telling) -> Telling:
    telling.measure("timer", measures(enabled="enabled", next=seconds(64_512), next_at="02:00"))
    journal = measures(count=0)
    lines = "Nov 21 02:00:04 qbr-host qbr[812]: collecting NinjaOne\nNov 21 02:00:17 qbr-host qbr[812]: done"
    journal = msgspec.structs.replace(journal, evidence=(Evidence("last 20 lines of the unit", lines),))
    return telling.measure("service-journal", journal)


def _measured() -> Telling:
    telling = Telling(QBR).at("07:55:01")
    telling.measure("database", measures(metrics=60, periods=12, table_size=size(24_576)))
    _units(telling)
    telling.measure("collectors", _collectors())
    telling.measure("durations", _durations(12.41))
    telling.measure("tickets-agree", table("metric_value", (412,)))
    return _host(telling)


def green() -> Telling:
    """Return an all-green morning, waiting for its signature."""
    telling = _measured().by(OPERATOR).at("08:04:10")
    telling.enter("tickets-agree", "411")
    return telling.at("08:05:00").add(Ticked("backup-seen"))


def pending() -> Telling:
    """Return what cron leaves behind on a good morning: an entry and a tick are still to be done."""
    return _measured()


def bad() -> Telling:
    """Return a morning on which everything that can go wrong does, each in its own way."""
    telling = Telling(QBR).at("07:55:01")
    telling.measure(
        "database", problem=Problem("timeout", "no answer within 10 s", "see whether it is overloaded"), final=False
    )
    telling.measure("database", measures(metrics=60, periods=12), attempt=2)
    telling.measure(
        "timer",
        problem=Problem(
            "not-found",
            "there is no unit qbr-collector.timer",
            "install the timer, or correct its name in the checklist",
        ),
    )
    telling.measure(
        "service-journal",
        problem=Problem(
            "no-permission",
            "the journal could not be read: this account may not see other users' messages",
            "add the account to the group systemd-journal",
        ),
    )
    telling.measure("collectors", _collectors("failed"))
    telling.measure("durations", _durations(24.9))
    blocked = Problem("blocked", "needs 'Both collectors ran last night and succeeded', which is FAIL")
    telling.measure("tickets-agree", problem=blocked, judgement=Judgement(Outcome.BLOCKED, blocked.cause))
    return _host(telling, used=76.2)


def signed() -> Telling:
    """Return a signed morning with notes, a waiver of an earlier day, a skip, and a value that was corrected."""
    return _ready().at("08:12:03").sign()


def _ready() -> Telling:
    telling = Telling(QBR)
    telling.add(
        Waived(
            "durations",
            "ConnectWise is slow until its upgrade;\nvendor ticket CW-1204",
            dt.date(2026, 11, 30),
            author="Late Operator (late)",
            origin="qbr-daily@2026-11-18",
        )
    )
    telling.at("07:55:01").measure("database", measures(metrics=60, periods=12, table_size=size(24_576)))
    _units(telling)
    telling.measure("collectors", _collectors())
    telling.measure("durations", _durations(31.4))
    telling.measure("tickets-agree", table("metric_value", (412,)))
    _host(telling, used=76.2)
    telling.by(OPERATOR).at("08:04:10").enter("tickets-agree", "141")
    telling.at("08:04:31").enter("tickets-agree", "411")
    telling.at("08:05:00").add(Ticked("backup-seen"), Unticked("backup-seen"))
    telling.at("08:05:20").add(Skipped("backup-seen", "no backup on Saturdays"))
    telling.at("08:06:00").add(Noted("disk", "Grows 0.4 % a day.\n\n- clean up /opt/old\n- ask for more room"))
    telling.by(SECOND).at("08:09:00").add(Noted("", "Handed over at 08:10."))
    telling.by(OPERATOR).at("08:10:00").add(
        Filled("notes", "none"),
        Filled("issues", "ConnectWise took 31.4 s."),
        Filled("issues", "ConnectWise took 31.4 s (limit 30 s), see CW-1204."),
        Filled("actions", "none"),
    )
    return telling


_ARMORED = """-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgbm90IGEgcmVhbCBrZXk=
-----END SSH SIGNATURE-----
"""
"""What only looks like a signature."""

OPERATOR_KEY = Signature(
    Tier.SIGNED, "morning@example.org", "SHA256:mnZ0aGlzIGlzIG5vIGtleSBhdCBhbGwgYnV0IGEgdGVzdA", _ARMORED
)
REVIEWER_KEY = Signature(
    Tier.HARDWARE, "late@example.org", "SHA256:bGF0ZSBvcGVyYXRvciBoYXMgbm8ga2V5IGluIHRoaXMgdGVz", _ARMORED
)


def amended() -> Telling:
    """Return a morning that was signed as a pass, reviewed, and amended in every way: it failed after all."""
    telling = _ready().at("08:12:03").sign(OPERATOR_KEY)
    telling.by(SECOND).at("08:30:00").sign(REVIEWER_KEY, Meaning.REVIEWED)
    telling.at("10:02:11").amend(
        AmendmentKind.NOTE,
        "seen by the vendor later",
        REVIEWER_KEY,
        item="disk",
        text="Freed 12 GB.\n\nSee CHG-77.",
    )
    telling.by(OPERATOR).at("10:05:40").amend(
        AmendmentKind.FIELD,
        "the ticket number was wrong",
        OPERATOR_KEY,
        field="issues",
        text="ConnectWise took 31.4 s (limit 30 s), see CW-1240.",
    )
    telling.at("10:07:02").amend(
        AmendmentKind.ENTRY, "the number of October was read", OPERATOR_KEY, item="tickets-agree", text="385"
    )
    telling.at("10:09:30").amend(
        AmendmentKind.FAILED, "the backup was older than a day:\nthe vault says so", OPERATOR_KEY, item="memory"
    )
    return telling.at("10:11:00").amend(
        AmendmentKind.NOTE, "for the record", OPERATOR_KEY, text="Told the shift lead at 10:10."
    )


def pruned() -> Telling:
    """Return a morning nobody signed, of which the evidence was removed a year later."""
    telling = _measured()
    telling.events = [_without_evidence(each) for each in telling.events]
    telling.by(Actor("root", "", "qbr-host", Via.COMMAND)).at("03:00:00", dt.date(2027, 11, 30))
    return telling.add(
        Pruned(
            through_seq=len(telling.events),
            texts=2,
            characters=141,
            older_than=dt.datetime(2027, 11, 25, 9, tzinfo=dt.UTC),
        )
    )


def _without_evidence(stored: Stored) -> Stored:
    body = stored.event.body
    if not isinstance(body, Measured) or body.reading is None:
        return stored
    bare = tuple(
        msgspec.structs.replace(each, text="", sha256=sha256_of(each.text)) for each in body.reading.evidence
    )
    reading = msgspec.structs.replace(body.reading, evidence=bare)
    event = msgspec.structs.replace(stored.event, body=msgspec.structs.replace(body, reading=reading))
    return msgspec.structs.replace(stored, event=event)


def edited() -> Telling:
    """Return a run whose checklist was edited while it was open: one item gone, one with another limit."""
    telling = green()
    sections = list(QBR.sections)
    sections[0] = Section(sections[0].title, sections[0].items[:1])
    stricter = item("durations", "Each collector took less than 10 s", "every duration < 10 s", refs=("Q04",))
    sections[1] = Section(sections[1].title, (sections[1].items[0], stricter))
    telling.definition = msgspec.structs.replace(QBR, sections=tuple(sections))
    telling.by(CRON).at("08:30:00").add(
        Redefined(definition=telling.definition, definition_hash=definition_hash(telling.definition))
    )
    return telling.measure("durations", _durations(12.41))


def targets() -> Telling:
    """Return a weekly run over several targets, with retries, a skip taken back and targets of each outcome."""
    services = item(
        "services",
        "Every service answers within 2 s",
        "latency < 2 s",
        probe="http",
        for_each=("billing", "portal", "search", "archive"),
        retry=Retry(times=2),
        on_fail=Escalation("service-down", "L2"),
        priority="high",
    )
    mirrors = item("mirrors", "Every mirror is fresh", "age < 1 h", probe="http", for_each=("north", "south"))
    gateways = item("gateways", "Every gateway is up", "up == true", probe="http", for_each=("east", "west"))
    definition = checklist(
        Section("Services", (services, mirrors, gateways)),
        id="services-weekly",
        title="Services of the week",
        cadence=Cadence.WEEKLY,
        schedule=None,
        fields=(),
    )
    telling = Telling(definition)
    telling.measure("mirrors", measures(age=seconds(840)), target="north")
    telling.measure("mirrors", measures(age=seconds(3_400)), target="south")
    telling.measure("gateways", measures(up=True), target="east")
    refused = Problem("failed", "connection refused", "is it running? systemctl status archive")
    for attempt in (1, 2, 3):
        telling.measure("services", problem=refused, target="archive", attempt=attempt, final=attempt == 3)
    telling.measure("services", problem=refused, target="portal", final=False)
    telling.measure("services", measures(latency=seconds(0.31)), target="portal", attempt=2)
    telling.measure("services", measures(latency=seconds(0.12)), target="billing")
    telling.measure("services", measures(latency=seconds(5.25)), target="search")
    telling.by(OPERATOR).at("09:00:00").add(Skipped("services", "the wrong key was hit"), Restored("services"))
    return telling


HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]0;owned\x07 | a || b \\| c \\",
    "<script>alert(1)</script><!-- --> &amp; &#60; <https://example.org> https://example.org www.example.org",
    "[link](javascript:alert) ![image](https://example.org/x.png) [ref]: x `code` ``` *bold* __bold__ ~~gone~~",
    "\u202edlrow\u2066 \u200bzero \ufeff\u00a0nbsp\u2028line \x9b2J \x00 \x7f $x$",
)
"""Texts that try to be something else than text in a terminal, in markdown, in HTML."""

HOSTILE_LINES = "\n".join(
    (
        "# heading",
        "setext",
        "======",
        "---",
        "- item",
        "1. first",
        "> quote",
        "| a | b |",
        "| - | - |",
        "    code",
        "```",
        "~~~~",
        "<div>",
        "-->",
        "[x]: https://example.org 'title'",
        "+ plus",
        "  trailing  ",
        "back\\",
        "",
        "",
        ":--",
        "\t\ttabbed",
        *HOSTILE,
    )
)
"""One text of many lines, each with something that means more at the start of a line."""


def hostile() -> Telling:
    """Return a run in which every text of a source or a person is hostile."""
    first, second, third, fourth = HOSTILE
    bad_item = item(
        "evil", third, "every status == 'x'", refs=("Q|1", "<b>"), on_fail=Escalation("run|book", "L<1>")
    )
    quiet = item("quiet", second, "value == 0")
    wild = item("wild", fourth, probe="", manual=True)
    definition = checklist(
        Section(first, (bad_item, quiet)),
        Section(second, (wild,)),
        title=third,
        system=first,
        fields=(Field("notes", fourth), Field("issues", "# Issues")),
    )
    telling = Telling(definition, actor=Actor("ev|l", "<b>Evil</b> [x](y)", "host`s", Via.CONSOLE))
    rows = table("status a|b", (first, second), (third, fourth), (None, HOSTILE_LINES), label="status")
    telling.measure(
        "evil",
        msgspec.structs.replace(
            rows,
            evidence=(Evidence(third, HOSTILE_LINES, truncated=True), Evidence("empty", "")),
            command=f"echo '{HOSTILE_LINES}'",
        ),
    )
    telling.measure("quiet", problem=Problem("failed", first, HOSTILE_LINES))
    telling.add(Noted("evil", HOSTILE_LINES), Noted("", first), Filled("notes", HOSTILE_LINES))
    telling.add(Waived("quiet", HOSTILE_LINES, DATE), Skipped("wild", second))
    telling.add(Raised(action="x", text=HOSTILE_LINES, owner=first, item="evil"))
    telling.add(Handled(action="x", state=ActionState.DROPPED, text=HOSTILE_LINES, owner=third))
    telling.sign(Signature(Tier.SIGNED, fourth, third, HOSTILE_LINES))
    telling.amend(
        AmendmentKind.NOTE, HOSTILE_LINES, Signature(Tier.SIGNED, fourth), item="evil", text=HOSTILE_LINES
    )
    telling.amend(AmendmentKind.FIELD, first, Signature(Tier.SIGNED, fourth), field="notes", text=HOSTILE_LINES)
    return telling.amend(AmendmentKind.FAILED, HOSTILE_LINES, Signature(Tier.SIGNED, fourth), item="wild")


def told(text: str, reading: Reading | None = None) -> Telling:
    """Return a run of one check and one tick in which sources and people said `text` wherever they could.

    `reading` takes the place of a table that holds it.
    """
    plain = Telling(
        checklist(Section("Section", (item("check", "Check"), item("tick", "Tick", probe="", manual=True))))
    )
    if reading is None:
        table_of_text = Reading(columns=(text, "other"), rows=((text, None),), measures={text: text}, command=text)
        reading = msgspec.structs.replace(table_of_text, evidence=(Evidence(text, text, truncated=True),))
    finding = Finding("value == 0", Level.REQUIRE, Verdict.UNKNOWN, text)
    judgement = Judgement(Outcome.ERROR, text, (finding,))
    plain.measure("check", reading, Problem("failed", text, text), judgement=judgement, final=False)
    plain.measure("check", reading, Problem("failed", text, text), judgement=judgement, attempt=2)
    plain.by(Actor(text, text, text, Via.CONSOLE))
    plain.add(Noted("check", text), Noted("", text), Filled("notes", text))
    plain.add(Waived("check", text, DATE, author=text, origin=text), Skipped("tick", text))
    plain.add(Raised(action="x", text=text, owner=text), Handled(action="x", text=text, owner=text))
    key = Signature(Tier.SIGNED, text, text)
    plain.sign(key).amend(AmendmentKind.NOTE, text, key, item="check", text=text)
    return plain.amend(AmendmentKind.FIELD, text, key, field="notes", text=text)


# --- what comes with time ---------------------------------------------------------------------------


def missed() -> Telling:
    """Return a morning that nobody worked on, explained two days later and documented as a reset."""
    telling = Telling(QBR, actor=OPERATOR, missed_at="2026-11-23T14:30:00+00:00")
    telling.add(Noted("", "The site had no power from Friday 22:10 to Sunday 06:00.\nSee INC-2201."))
    telling.sign(OPERATOR_KEY)
    telling.amend(
        AmendmentKind.RESET, "no power: day 3 of 9 was not monitored", OPERATOR_KEY, qualification="qbr-9day"
    )
    return (
        telling.amend(AmendmentKind.EXCLUDED, "the plant was closed", OPERATOR_KEY, qualification="qbr-9day")
        .by(SECOND)
        .sign(REVIEWER_KEY, Meaning.REVIEWED)
    )


def actions() -> Telling:
    """Return a signed morning with action items: one late, one done, one dropped, one raised afterwards."""
    telling = green().by(OPERATOR).at("08:20:00")
    telling.add(
        Raised(action="a", text="Ask the vendor why it took 24 s", owner="Day Operator"),
        Raised(action="b", text="Free 10 GB on /opt", item="disk", due=dt.date(2026, 11, 27)),
        Raised(action="c", text="Order a second disk"),
    )
    telling.at("08:31:00").add(
        Handled(action="a", owner="Late Operator", due=dt.date(2026, 11, 20), text="Day Operator is on leave"),
        Handled(action="b", state=ActionState.DONE, text="Freed 12 GB.\nSee CHG-78."),
    )
    telling.enter("tickets-agree", "412").add(Ticked("backup-seen", telling.state.definition_hash))
    telling.sign(OPERATOR_KEY)
    telling.by(SECOND).at("15:02:00").add(
        Handled(action="c", state=ActionState.DROPPED, text="There is room for a year."),
        Raised(action="d", text="Tell the shift lead", owner="Late Operator", due=dt.date(2026, 11, 23)),
        Handled(action="d", due=dt.date(2026, 11, 24)),
    )
    return telling


def approved() -> Telling:
    """Return the final review of a qualification: refused once, then approved by the same second person."""
    growth = item("growth", "The tables grow by less than 5 % a day", "value < 5%")
    definition = checklist(
        Section("Final review", (growth,)),
        id="qbr-final-review",
        title="QBR final review",
        cadence=Cadence.ONCE,
        due=Due(at="12:00", timezone=ZONE, after="qbr-9day"),
        schedule=None,
        fields=(),
    )
    first, last = DATE - dt.timedelta(days=8), DATE
    telling = Telling(definition, actor=OPERATOR)
    opened = telling.events[0].event
    body = opened.body
    assert isinstance(body, Opened)
    window = window_between(first, last, telling.zone)
    body = msgspec.structs.replace(
        body, qualified=(first, last), times=msgspec.structs.replace(body.times, window=window)
    )
    telling.events[0] = msgspec.structs.replace(telling.events[0], event=msgspec.structs.replace(opened, body=body))
    telling.measure("growth", measures(value=percent(1.4))).sign(OPERATOR_KEY)
    days = tuple(
        ApprovedDay(
            date=first + dt.timedelta(days=step),
            run=f"qbr-daily@{first + dt.timedelta(days=step)}",
            seq=20 + step,
            hash=_hash(f"day {step}"),
            signer="Morning Operator (morning)",
            state="excluded" if step == 4 else "passed",
        )
        for step in range(9)
    )
    refusal = Approval(
        qualification="qbr-9day",
        qualification_hash=_hash("qbr-9day"),
        attempt=2,
        first=first,
        last=last,
        days=days,
        resets=1,
        waivers=1,
        warnings=2,
        failed_since=("qbr-daily@2026-11-22",),
        complete=False,
        ready=False,
        phase="Phase 5: production",
        own_work_allowed=False,
        reason="The vendor has not explained the failure of the 22nd.",
    )
    telling.by(SECOND).at("16:00:00", DATE + dt.timedelta(days=1)).sign(
        REVIEWER_KEY, Meaning.REFUSED, approval=refusal
    )
    approval = msgspec.structs.replace(
        refusal, failed_since=(), complete=True, ready=True, own_work_allowed=True, reason="Explained in CW-1251."
    )
    return telling.at("09:00:00", DATE + dt.timedelta(days=3)).sign(
        REVIEWER_KEY, Meaning.APPROVED, approval=approval
    )


def compared() -> Telling:
    """Return an interval whose readings were judged by earlier ones, some of which there are too few of."""
    durations = item("durations", "Each collector is as fast as usual", "every duration < baseline * 1.5")
    rows = item(
        "rows", "As many rows as last week", "value within 20% of last_week", target=("value >= yesterday",)
    )
    typed = item(
        "open", "Not many more open tickets", "entry <= previous + 5", probe="", entry=Entry("Open tickets")
    )
    definition = checklist(
        Section("Collection", (durations, rows, typed)),
        id="qbr-often",
        title="QBR, every six hours",
        cadence=Cadence.INTERVAL,
        due=Due(every=Duration.parse("6 h"), timezone=ZONE),
        schedule=None,
        fields=(),
    )
    telling = Telling(definition)
    few = "a baseline needs 5 earlier readings, and there are 2"
    pasts = (
        Past("duration", "ConnectWise", {"baseline": seconds(8)}, readings=14),
        Past("duration", "NinjaOne", readings=2, missing={"baseline": few}),
    )
    reading = msgspec.structs.replace(_durations(7.5), past=pasts)
    telling.measure("durations", reading)
    past = Past(
        "value",
        values={"last_week": number(1200), "yesterday": number(1240)},
        runs={"last_week": "qbr-often@2026-11-14T1200Z", "yesterday": "qbr-often@2026-11-20T1200Z"},
    )
    telling.measure("rows", msgspec.structs.replace(measures(value=1236), past=(past,)))
    before = Past("entry", values={"previous": number(41)}, runs={"previous": "qbr-often@2026-11-21T0600Z"})
    judged = judge(Reading(past=(before,)), typed.require, typed.target, entry=number(44))
    return telling.by(OPERATOR).add(Entered("open", number(44), "44", judged, past=(before,)))


STATES: dict[str, Callable[[], Telling]] = {
    "green": green,
    "pending": pending,
    "bad": bad,
    "signed": signed,
    "amended": amended,
    "pruned": pruned,
    "edited": edited,
    "targets": targets,
    "hostile": hostile,
    "missed": missed,
    "actions": actions,
    "approved": approved,
    "compared": compared,
}
"""Every state that the formats are compared in."""
