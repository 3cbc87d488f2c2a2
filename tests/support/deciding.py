"""An office whose last days count: runs signed with real keys at a clock of their own, for the installed command.

The days lie before today, so the command itself needs no other clock than the host's.
"""

import asyncio
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.contracts.signer import Candidate, KeyPlace
from opsconsole.engine.approving import Verdict
from opsconsole.engine.identity import current_actor
from opsconsole.engine.session import RunSession
from opsconsole.engine.signing import tier_of
from opsconsole.engine.signoff import statement_now
from opsconsole.model.counting import QualificationState
from opsconsole.model.events import Actor, Amendment, AmendmentKind, Meaning, Via
from opsconsole.model.people import Person, Role
from opsconsole.wiring.services import Services, services
from support.command import Done, Installation, installed
from support.ssh import Key, make_key
from support.tampering import tampered

DAILY = """
title = "Morning"
due = { timezone = "UTC", at = "08:00" }

[[section]]
title = "All"

[[section.item]]
id = "tickets"
title = "Tickets"
entry = { label = "Tickets" }
require = ["entry < 10"]
target = ["entry < 5"]

[[section.item]]
id = "look"
title = "Look at the dashboard"
manual = true
"""

FINAL = """
title = "Final review"
cadence = "once"
due = { after = "clean", timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "gaps"
title = "Gaps"
entry = { label = "Gaps" }
require = ["entry < 1"]
"""

CLEAN = """
title = "Three clean days"
checklist = "morning"
days = 3
review = "final"
phase = "Phase 2"
"""

FILES = {"jane": "id_ed25519", "ravi": "id_ecdsa", "ann": "id_rsa", "spare": "id_ecdsa_sk"}
"""Which key file each person has; `spare` is a second key of Jane's."""
ROLES = {
    "jane": ("operator",),
    "ravi": ("operator", "reviewer", "approver"),
    "ann": ("reviewer", "approver"),
    "spare": ("operator", "approver"),
}
YES = Verdict(meaning=Meaning.APPROVED, ready=True)
NO = Verdict(meaning=Meaning.REFUSED, reason="the second morning was luck")


def ago(days: int) -> dt.date:
    """Return the date in UTC, where the office is, so many days before today."""
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days)


def morning(date: dt.date, hour: int = 8) -> dt.datetime:
    """Return an hour of a day."""
    return dt.datetime.combine(date, dt.time(hour), dt.UTC)


def lately() -> dt.datetime:
    """Return an instant of a minute ago: nothing is dated later than the command that looks at it."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)


class Clock:
    """Goes on by a second for each look at it."""

    def __init__(self, start: dt.datetime) -> None:
        self.now = start

    def __call__(self) -> dt.datetime:
        """Return the next second."""
        self.now += dt.timedelta(seconds=1)
        return self.now


class Office:
    """An installation with a qualification, a home with keys in it, and people who may sign with them."""

    def __init__(self, directory: Path, clean: str = CLEAN, *, keys: bool = True, final: str = FINAL) -> None:
        config = 'qualifications = ["qualifications"]\n[anchors]\njournal = false\n'
        self.place: Installation = installed(directory, config, morning=DAILY, final=final)
        self.home = directory / "home"
        (self.home / ".ssh").mkdir(mode=0o700, parents=True)
        (directory / "qualifications").mkdir(mode=0o755)
        self.define(clean)
        self.keys: dict[str, Key] = {}
        if keys:
            for who in ROLES:
                self.keys[who] = make_key(self.home / ".ssh" / FILES[who])
            self._write_people()

    def define(self, text: str) -> None:
        """Write the definition of the qualification."""
        path = self.place.directory / "qualifications" / "clean.toml"
        path.write_text(text)
        path.chmod(0o644)

    @property
    def people(self) -> Path:
        """The file of people."""
        return self.place.directory / "allowed_signers"

    def _write_people(self) -> None:
        self.people.write_text("".join(_line(who, key) for who, key in self.keys.items()))
        self.people.chmod(0o644)

    @property
    def login(self) -> str:
        """Whose account the tests run under."""
        return current_actor(Via.COMMAND).login

    # --- the command -------------------------------------------------------------------------------

    def run(self, *words: str) -> Done:
        """Run a command to its end, with nothing to read from."""
        return self.place.run(*words, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Without an agent, and with a home of its own."""
        return self.place.environment(HOME=str(self.home), XDG_STATE_HOME=str(self.home / ".local/state"))

    def qualification(self, word: str, *words: str) -> Done:
        """Run a command of `qualification`."""
        return self.run("qualification", word, "clean", *words)

    def decide(self, word: str, who: str, *words: str) -> Done:
        """Run `qualification approve` or `refuse` with somebody's key."""
        return self.qualification(word, "--key", self.keys[who].fingerprint, "--yes", *words)

    def document(self) -> dict[str, Any]:
        """Return what `qualification status --json` prints."""
        found: dict[str, Any] = msgspec.json.decode(self.qualification("status", "--json").out)
        return found

    # --- what happened before ----------------------------------------------------------------------

    @contextmanager
    def services(self, at: dt.datetime | None = None, actor: Actor | None = None) -> Iterator[Services]:
        """Open what a front end works with, at a moment."""
        with services(self.place.config, self.place.state, Via.COMMAND) as parts:
            if at is not None:
                parts.engine.clock = Clock(at)
            if actor is not None:
                parts.engine.actor = actor
            yield parts

    def work(
        self,
        at: dt.datetime,
        deed: Callable[[Services], Coroutine[Any, Any, None]],
        actor: Actor | None = None,
    ) -> None:
        """Do something at a moment."""
        with self.services(at, actor) as parts:
            asyncio.run(deed(parts))

    def candidate(self, who: str) -> Candidate:
        """Return somebody's key."""
        key = self.keys[who]
        found = Person(
            principal=_principal(who),
            name=_name(who),
            roles=tuple(Role(each) for each in ROLES[who]),
            fingerprint=key.fingerprint,
            key_type="ssh-ed25519",
            public_key=key.text,
        )
        return Candidate(person=found, place=KeyPlace.FILE, path=str(key.path))

    async def sign(
        self,
        parts: Services,
        session: RunSession,
        who: str,
        meaning: Meaning = Meaning.PERFORMED,
        amendment: Amendment | None = None,
    ) -> None:
        """Sign a run with somebody's key, or with the login alone where nobody is named."""
        if not who:
            await parts.signing.attribute(session, statement_now(session, meaning, None, amendment))
            return
        candidate = self.candidate(who)
        await parts.signing.sign(session, statement_now(session, meaning, candidate.person, amendment), candidate)

    def day(self, date: dt.date, who: str = "jane", tickets: str = "3", actor: Actor | None = None) -> str:
        """Do and sign the run of a day, on that day; return its name."""

        async def done(parts: Services) -> None:
            async with _opened(parts, "morning") as session:
                await session.enter("tickets", tickets)
                await session.tick("look")
                if tickets != "3":
                    await session.note("tickets", "seen")
                await self.sign(parts, session, who)

        self.work(morning(date), done, actor)
        return f"morning@{date}"

    def days(self, *ages: int, who: str = "jane") -> None:
        """Do and sign the runs of so many days ago, the earliest first."""
        for each in ages:
            self.day(ago(each), who)

    def amend(self, run: str, amendment: Amendment, at: dt.datetime | None = None, who: str = "jane") -> None:
        """Amend a run."""

        async def done(parts: Services) -> None:
            session = await parts.engine.resume(run)
            await self.sign(parts, session, who, Meaning.AMENDED, amendment)
            await session.aclose()

        self.work(at or lately(), done)

    def fail(self, date: dt.date) -> None:
        """Find the run of a day failed after all, by now."""
        found = Amendment(kind=AmendmentKind.FAILED, reason="the rack was dark", item="look")
        self.amend(f"morning@{date}", found)

    def type_over(self, date: dt.date) -> None:
        """Change what was entered on a day, as somebody with a database tool does."""
        run = f"morning@{date}"

        def attack(connection: sqlite3.Connection) -> None:
            rows = connection.execute("SELECT seq, document FROM events WHERE run = ?", (run,)).fetchall()
            for seq, document in rows:
                changed = bytes(document).replace(b'"text":"3"', b'"text":"2"')
                connection.execute("UPDATE events SET document = ? WHERE seq = ?", (changed, seq))

        tampered(self.place.state / "opsconsole.db", attack)

    def review(self, who: str = "ravi", gaps: str = "0", at: dt.datetime | None = None) -> str:
        """Do the final review, and sign it where `who` is a name; return the run's name."""
        names = []

        async def done(parts: Services) -> None:
            async with _opened(parts, "final") as session:
                names.append(session.state.run)
                await session.enter("gaps", gaps)
                if gaps != "0":
                    await session.note("gaps", "the collector stood still")
                if who != "nobody":
                    await self.sign(parts, session, who)

        self.work(at or lately(), done)
        return names[0]

    async def decided(self, parts: Services, verdict: Verdict = YES, who: str = "ann") -> tuple[str, ...]:
        """Decide as a front end does: look at the case, make the statement, sign it; return what anchors missed."""
        approving = parts.approving()
        case = approving.case("clean")
        candidate = self.candidate(who) if who else None
        session = await parts.engine.resume(case.run or f"morning@{ago(1)}")
        try:
            person = candidate.person if candidate is not None else None
            shown = approving.statement(session, case, verdict, person, tier_of(candidate))
            return await approving.sign(session, parts.signing, case, verdict, shown, candidate)
        finally:
            await session.aclose()

    def state(self, at: dt.datetime | None = None) -> QualificationState:
        """Return how far it is."""
        with self.services() as parts:
            return parts.engine.qualifying.state("clean", at)


def _principal(who: str) -> str:
    return f"{'jane' if who == 'spare' else who}@example.org"


def _name(who: str) -> str:
    return _principal(who).partition("@")[0].capitalize()


def _line(who: str, key: Key) -> str:
    given = ",".join(Role(each).namespace for each in ROLES[who])
    return f'{_principal(who)} namespaces="{given}" {key.text} {_name(who)}\n'


@asynccontextmanager
async def _opened(parts: Services, name: str) -> AsyncIterator[RunSession]:
    session = await parts.engine.open(parts.checklist(name))
    try:
        yield session
    finally:
        await session.aclose()
