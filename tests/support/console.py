"""A console over a real store in a directory of its own, with probes that bring back what a test tells them to."""

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.app import ConsoleApp
from opsconsole.config.checklists import LoadedChecklist, LoadedChecklists
from opsconsole.config.qualifications import LoadedQualification, LoadedQualifications
from opsconsole.config.settings import ConsoleSettings
from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind
from opsconsole.contracts.signer import Candidate, KeyPlace, SigningError
from opsconsole.contracts.store import Head, Link, Presence, StoreUnavailable
from opsconsole.engine.engine import Engine
from opsconsole.engine.signing import Signing
from opsconsole.model.checklists import (
    Checklist,
    Due,
    Entry,
    Escalation,
    Field,
    Item,
    Required,
    Section,
)
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Actor, Event, Meaning, Signature, Stored, Via
from opsconsole.model.people import Person, Role, role_for
from opsconsole.model.qualifications import Qualification
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Unit, number
from opsconsole.screens.base import ConsoleScreen
from opsconsole.store.sqlite import SqliteStore
from opsconsole.widgets.environment import Terminal
from opsconsole.wiring.definitions import Definitions
from opsconsole.wiring.services import Services

NOW = dt.datetime(2026, 11, 21, 14, 12, 3, tzinfo=dt.UTC)
"""08:12:03 on a Saturday morning in Chicago."""


def on(day: dt.date) -> dt.datetime:
    """Return the same time on another day."""
    return dt.datetime.combine(day, NOW.timetz())


OPERATOR = Actor("operator", "Day Operator", "ops01", Via.CONSOLE)
CRON = Actor("cron", "", "ops01", Via.HEADLESS)
JANES = Actor("jane", "Jane Roe", "ops02", Via.CONSOLE)
"""A colleague."""

HOSTILE = "\x1b[2J\x1b]0;owned\x07 [/] [@click=app.quit]x[/] \u202eevil\x9b5n \x00 \u0301"
"""Escape sequences, markup, a right-to-left override, a C1 control, NUL and a combining mark."""


def condition(text: str) -> Any:
    """Return a parsed condition."""
    return parse_condition(text)


def item(name: str, title: str, *require: str, **more: Any) -> Item:
    """Return an item that a told probe measures."""
    target = tuple(map(condition, more.pop("target", ())))
    return Item(id=name, title=title, probe="told", require=tuple(map(condition, require)), target=target, **more)


QBR = Checklist(
    id="qbr-daily",
    title="QBR daily monitoring",
    help="Did last night's collection run, and is what it collected complete?",
    due=Due(at="08:00", timezone="America/Chicago"),
    sections=(
        Section(
            "Collection",
            (
                item(
                    "collectors",
                    "Both collectors succeeded, each within 30 s",
                    "count == 2",
                    "every status == 'success'",
                    "every duration < 30 s",
                    target=("every duration < 20 s",),
                    refs=("Q02", "Q04"),
                    on_fail=Escalation("collection-failure", "L1"),
                ),
                item("journal", "No errors in the journal", "count == 0"),
                item("metrics", "All metrics of the month are there", "count >= 5", requires=("journal",)),
            ),
        ),
        Section(
            "Host",
            (
                item("disk", "Disk of the install path below 80 %", "used < 80%"),
                item("memory", "More than 1 GB of memory available", "available > 1 GB"),
            ),
        ),
        Section(
            "By hand",
            (
                item(
                    "tickets",
                    "Ticket count agrees with the source",
                    "entry within 1% of value",
                    entry=Entry("Tickets in ConnectWise"),
                    help="Read it in ConnectWise, Service Desk, this month.",
                ),
                Item(id="dashboard", title="The dashboard looks right", manual=True),
            ),
        ),
    ),
    fields=(
        Field("issues", "Issues found", required=Required.UNLESS_GREEN),
        Field("actions", "Action items"),
        Field("notes", "Notes"),
    ),
)

NINE_DAYS = Qualification(id="nine-days", title="Nine clean mornings", checklist=QBR.id, days=9)

HOST = Checklist(
    id="host-daily",
    title="Host daily",
    due=Due(at="09:00", timezone="America/Chicago"),
    sections=(Section("Room", (item("space", "Every file system is below 90 %", "used < 90%"),)),),
)

LONG_COMMAND = (
    "journalctl --unit qbr-collector.service --since '2026-11-21 00:00' --no-pager | grep -E 'error|refused'"
)
"""Longer than a line of 80 columns."""

RUNBOOK = f"""# The collection failed

For the items about last night's collection.

## 1. Look at the service (5 min)

    systemctl status qbr-collector.service
    {LONG_COMMAND}

A unit that does not exist is a matter of the installation.

## 2. Collect by hand (10 to 20 min)

This writes to the database. Say so in a note first.

    psql -h db.example -d inventory \\
      -c "select collector, status from runs order by started_at desc limit 2"

Then measure again.

## 3. Write it down

In a note on the item: since when, why, and what was done.
"""

BY_HAND = Checklist(
    id="by-hand",
    title="By hand",
    due=Due(at="08:00", timezone="America/Chicago"),
    sections=(
        Section(
            "Look", tuple(Item(id=f"look-{each}", title=f"Look at {each:02}", manual=True) for each in range(15))
        ),
    ),
)
"""Items that only a person ticks."""

Answer = Reading | ProbeError | Exception


def table(*rows: tuple[Any, ...], columns: tuple[str, ...]) -> Reading:
    """Return a reading that is a table, with some evidence."""
    text = "\n".join("  ".join(str(getattr(cell, "value", cell)) for cell in row) for row in rows)
    return Reading(columns=columns, rows=rows, evidence=(Evidence("psql", text),), command="psql -c 'select …'")


def good() -> dict[str, Answer]:
    """Return what probes bring back on a good morning."""
    collectors = table(
        ("NinjaOne", "success", number("8.4", Unit.SECONDS)),
        ("ConnectWise", "success", number("12.1", Unit.SECONDS)),
        columns=("collector", "status", "duration"),
    )
    return {
        "collectors": collectors,
        "journal": Reading(
            measures={"count": number(0)}, evidence=(Evidence("last lines", "started\nfinished\n"),)
        ),
        "metrics": Reading(measures={"count": number(5)}),
        "disk": Reading(measures={"used": number("41.5", Unit.PERCENT)}),
        "memory": Reading(measures={"available": number(6_400_000_000, Unit.BYTES)}),
        "tickets": Reading(measures={"value": number(412)}),
        "space": Reading(measures={"used": number(35, Unit.PERCENT)}),
    }


def bad() -> dict[str, Answer]:
    """Return what probes bring back on a bad morning."""
    slow = table(
        ("NinjaOne", "success", number("8.4", Unit.SECONDS)),
        ("ConnectWise", "success", number("41.2", Unit.SECONDS)),
        columns=("collector", "status", "duration"),
    )
    no_journal = ProbeError(
        "no-permission", "the journal could not be read: no permission", "add the account to the group adm"
    )
    near = Reading(measures={"used": number("76.4", Unit.PERCENT)})
    return {**good(), "collectors": slow, "journal": no_journal, "disk": near}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The told probe takes none."""


class Told:
    """Brings back what `answers` says for the item that is measured."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.hold: asyncio.Event | None = None
        """Measuring waits for it, where there is one."""
        self.asked: list[str] = []

    async def measure(self, _options: Options, context: Context) -> Reading:
        """Do as told."""
        self.asked.append(context.item)
        if self.hold is not None:
            await self.hold.wait()
        answer = self.answers[context.item]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        """End nothing."""

    def kind(self) -> ProbeKind:
        """Return its kind."""
        return ProbeKind(
            name="told",
            summary="Does as it is told.",
            options=Options,
            subjects=lambda _options: None,
            open=lambda _environment: self,
        )


class FaultyStore:
    """A real store that cannot be written while `broken` is set, nor read while it is `gone`."""

    def __init__(self, inner: SqliteStore) -> None:
        self.inner = inner
        self.broken = False
        self.gone = False
        self.why = "the server does not answer"
        self.loses_answers = False
        """Whether the next append is stored, and the store gone before it says so."""
        self.deaf = False
        """Whether nobody hears what is stored: it is found by looking."""
        self.hook: Callable[[], None] = lambda: None
        """Called ahead of every append."""

    def append(self, events: list[Event], *, after: int | None = None) -> list[Stored]:
        """Refuse, or pass on."""
        self.hook()
        if self.broken:
            raise StoreUnavailable("the disk is full", "make room")
        self.refuse()
        stored = self.inner.append(events, after=after)
        if self.loses_answers:
            self.loses_answers, self.gone = False, True
            raise StoreUnavailable("the connection was lost")
        return stored

    def events(self, run: str, *, after: int = 0) -> list[Stored]:
        """Refuse, or pass on."""
        self.refuse()
        return self.inner.events(run, after=after)

    def links(self, run: str = "", *, after: int = 0, evidence: bool = False) -> Iterator[Link]:
        """Refuse, or pass on."""
        self.refuse()
        return self.inner.links(run, after=after, evidence=evidence)

    def head(self) -> Head:
        """Refuse, or pass on."""
        self.refuse()
        return self.inner.head()

    def watch(self) -> "FaultyWatch":
        """Return a watch that is as faulty."""
        return FaultyWatch(self)

    def refuse(self) -> None:
        """Raise while the store is gone."""
        if self.gone:
            raise StoreUnavailable(self.why)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class FaultyWatch:
    """The watch of a faulty store."""

    def __init__(self, store: FaultyStore) -> None:
        self._store = store
        self._inner = store.inner.watch()
        self._closed = False

    def wait(self, timeout: float) -> bool:
        """Wait as the real one does, looking often whether the store is gone."""
        for _ in range(int(timeout / 0.05)):
            self._store.refuse()
            if self._closed:
                break
            if self._inner.wait(0.05) and not self._store.deaf:
                return True
        return self._closed and self._inner.wait(0)

    def close(self) -> None:
        """Look no longer."""
        self._closed = True
        self._inner.close()


JANE = Person(
    principal="jane@example.com",
    name="Jane Roe",
    roles=(Role.OPERATOR, Role.REVIEWER),
    fingerprint="SHA256:" + "Q7" * 21 + "s",
    key_type="ssh-ed25519",
    public_key="ssh-ed25519 AAAA",
)
OPERATOR_PERSON = msgspec.structs.replace(
    JANE, principal="operator@example.com", name="Day Operator", fingerprint="SHA256:" + "k3" * 21 + "E"
)
TOKEN = msgspec.structs.replace(
    OPERATOR_PERSON, fingerprint="SHA256:" + "t9" * 21 + "A", key_type="sk-ssh-ed25519@openssh.com"
)


def key_of(person: Person, **more: Any) -> Candidate:
    """Return a key of `person` in the agent."""
    told = {"place": KeyPlace.AGENT, "path": "/tmp/agent.1", "comment": f"{person.principal} laptop"}
    return Candidate(person=person, **{**told, **more})


class ScriptedSigner:
    """Offers the keys that a test gives it, and signs, waits or refuses as told."""

    def __init__(self, *keys: Candidate) -> None:
        self.keys = list(keys)
        self.missing: SigningError | None = None
        """Why there is no key, where there is none."""
        self.refusal: Exception | None = None
        """What comes of the next attempts to sign."""
        self.hold: threading.Event | None = None
        """Signing waits for it, as for a touch."""
        self.asked: list[tuple[Meaning, str]] = []
        self.payloads: list[bytes] = []

    def candidates(self, meaning: Meaning, _at: dt.datetime) -> list[Candidate]:
        """Return the keys whose people have the role."""
        if self.missing is not None:
            raise self.missing
        return [each for each in self.keys if role_for(meaning) in each.person.roles]

    def sign(self, payload: bytes, meaning: Meaning, candidate: Candidate) -> Signature:
        """Do as told."""
        person = candidate.person
        self.asked.append((meaning, person.fingerprint))
        self.payloads.append(payload)
        if self.hold is not None:
            self.hold.wait(30)
        if self.refusal is not None:
            raise self.refusal
        tier = Tier.HARDWARE if person.hardware else Tier.SIGNED
        return Signature(tier, person.principal, person.fingerprint, "-----BEGIN SSH SIGNATURE-----\nscripted\n")

    def give_up(self) -> None:
        """Do nothing: no process waits for it."""


class ScriptedAuthenticator:
    """Takes one password."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.fault: Exception | None = None
        self.asked = 0

    def authenticate(self, login: str, password: str) -> None:
        """Take it or refuse it."""
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        if password != self.password:
            raise SigningError("wrong-password", f"the password of {login} was not taken", "type it again")


class ScriptedAnchor:
    """Keeps heads, or says why it cannot."""

    name = "journal"

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.noted: list[Noted] = []

    def keep(self, noted: Noted, _record: Path | None) -> None:
        """Keep a head, or raise."""
        if self.fault:
            raise AnchorError(self.fault)
        self.noted.append(noted)

    def kept(self) -> Iterator[Kept]:
        """Yield nothing."""
        return iter(())


class Morning:
    """Everything a console needs, in `directory`: a store, probes, a clock, and a runbook."""

    def __init__(
        self,
        directory: Path,
        answers: Mapping[str, Answer] | None = None,
        checklists: tuple[Checklist, ...] = (QBR, HOST),
        **options: Any,
    ) -> None:
        self.directory = directory
        self.now = NOW
        self.told = Told(good() if answers is None else answers)
        self.store = FaultyStore(SqliteStore(directory / "records.db"))
        self.checklists = checklists
        self.options = options
        self.signer: ScriptedSigner | None = options.get("signer")
        self.authenticator: ScriptedAuthenticator | None = options.get("authenticator")
        self.anchors: tuple[ScriptedAnchor, ...] = options.get("anchors", ())
        self.held: list[Presence] = []
        """Colleagues who are in a run until the morning is over."""
        books = directory / "checklists" / "runbooks"
        books.mkdir(parents=True, exist_ok=True)
        (books / "collection-failure.md").write_text(RUNBOOK, "utf-8")

    def engine(self, actor: Actor = OPERATOR, at: dt.datetime | None = None) -> Engine:
        """Return an engine, as another process would have it; `at` is when, for one of another day."""
        return Engine(
            self.store,  # type: ignore[arg-type]
            {"told": self.told.kind()},
            Environment(),
            actor,
            self.directory / "state",
            clock=lambda: at or self.now,
            checklists={each.id: each for each in self.checklists},
            qualifications={each.id: each for each in self.options.get("qualifications", (NINE_DAYS,))},
        )

    def services(self) -> Services:
        """Return what the console works with."""
        loaded = tuple(
            LoadedChecklist(path=self.directory / "checklists" / f"{each.id}.toml", id=each.id, checklist=each)
            for each in self.checklists
        )
        qualified = LoadedQualifications(
            tuple(
                LoadedQualification(
                    path=self.directory / "qualifications" / f"{each.id}.toml", id=each.id, qualification=each
                )
                for each in self.options.get("qualifications", (NINE_DAYS,))
            )
        )
        engine = self.engine(self.options.get("actor", OPERATOR))
        return Services(
            engine=engine,
            definitions=Definitions(LoadedChecklists(loaded), qualified, trusted=False),
            notices=self.options.get("notices", ()),
            problems=self.options.get("problems", ()),
            alarms=self.options.get("alarms", ()),
            export_directory=self.directory / "day-logs",
            crash_directory=self.directory / "crashes",
            signing=Signing(engine.store, self.signer, self.authenticator, self.anchors),
            console=ConsoleSettings(),
        )

    def app(self, terminal: Terminal = Terminal(), run: str = "") -> ConsoleApp:
        """Return a console."""
        return ConsoleApp(self.services(), terminal, run)

    def close(self) -> None:
        """End the store."""
        for each in self.held:
            each.close()
        self.store.inner.close()


def console_screen(app: ConsoleApp) -> ConsoleScreen:
    """Return the console's screen in front."""
    assert isinstance(app.screen, ConsoleScreen)
    return app.screen
