"""What verifying makes of statements that are not so, of work that was not another's, and of clocks."""

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.signer import SignatureRefused, SigningError
from opsconsole.contracts.store import Head
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.engine.verifying import Verifying
from opsconsole.model import events
from opsconsole.model.checklists import Checklist, Item, Section, SignOffPolicy
from opsconsole.model.checklists import Entry as EntryOf
from opsconsole.model.claims import SIGNING_TAKES, definition_fault, event_findings, opening_fault
from opsconsole.model.clock_steps import MOST_PER_RUN, clock_steps
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.encoding import canonical, definition_hash, is_canonical
from opsconsole.model.events import (
    Actor,
    Amended,
    Amendment,
    AmendmentKind,
    Clock,
    Entered,
    Event,
    Filled,
    Meaning,
    Measured,
    Opened,
    Pruned,
    Redefined,
    Signature,
    Signed,
    Statement,
    Stored,
    Ticked,
    Waived,
)
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.people import Person
from opsconsole.model.readings import Judgement, Reading
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import statement_of
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Number, Unit
from opsconsole.model.verification import Finding, Standing, Weight
from opsconsole.screens.today_view import notice_paragraphs
from support import signed_runs
from support.runs import CHECKLIST, MORNING, OPERATOR, Chain
from support.signed_runs import JANE, NOW, RAVI, Place, asking_for, done, person

HASH = "ab" * 32


def worked() -> Chain:
    """Return a run in which everything that stands before the sign-off is done."""
    chain = Chain().measured("collectors", Outcome.PASS)
    for target in ("/", "/var"):
        chain.measured("disk", Outcome.PASS, target=target)
    chain.measured("tickets", Outcome.PASS)
    chain.add(Entered("tickets", None, "3", Judgement(Outcome.PASS, "fine")))
    return chain.add(Ticked("look"))


def stated(
    chain: Chain, meaning: Meaning = Meaning.PERFORMED, actor: Actor = OPERATOR, **changes: Any
) -> Statement:
    """Return what `actor` would state now, with something false in it."""
    state = chain.state()
    statement = statement_of(
        state,
        actor,
        store_id="a-store",
        signed_at=MORNING + dt.timedelta(minutes=len(chain.events) + 1),
        meaning=meaning,
        clock=Clock.SYNCHRONISED,
        amendment=changes.pop("with_amendment", None),
    )
    return msgspec.structs.replace(statement, **changes)


def next_event(chain: Chain, body: Any, actor: Actor = OPERATOR) -> tuple[RunState, Stored]:
    """Return the run before an event, and the event."""
    before = chain.state()
    chain.add(body, actor)
    return before, chain.events[-1]


def findings(chain: Chain, body: Any, actor: Actor = OPERATOR) -> list[Finding]:
    """Return what is said of an event as the next one."""
    return list(event_findings(*next_event(chain, body, actor)))


def attributed(statement: Statement) -> Signed:
    """Return a sign-off without a key."""
    return Signed(statement=statement, signature=Signature(Tier.ATTRIBUTED))


def faults(found: Sequence[Finding]) -> list[str]:
    """Return the codes of the faults."""
    return [each.code for each in found if each.weight is Weight.FAULT]


def test_a_true_statement() -> None:
    """Nothing is said of a sign-off that is as it should be."""
    chain = worked()
    found = [each for each in findings(chain, attributed(stated(chain))) if each.weight is not Weight.INFO]
    assert found == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run", "qbr-daily@2026-11-20"),
        ("checklist", "host-daily"),
        ("definition_hash", HASH),
        ("business_date", dt.date(2026, 11, 20)),
        ("result", Result.FAIL),
        ("counts", {Outcome.PASS: 5}),
        ("head_seq", 3),
        ("head_hash", HASH),
        ("login", "somebody"),
        ("host", "elsewhere"),
        ("timezone", "UTC"),
        ("amends", HASH),
        ("schema", "opsconsole.statement.v9"),
    ],
)
def test_a_false_statement(field: str, value: Any) -> None:
    """Whatever a statement says of its run, the events bear it out, or the fault names it with both values."""
    chain = worked()
    found = findings(chain, attributed(stated(chain, **{field: value})))
    assert faults(found) == ["false-statement"]
    (text,) = [each.text for each in found if each.code == "false-statement"]
    assert field.replace("_", " ") in text


def _signed(chain: Chain) -> Chain:
    return chain.add(attributed(stated(chain)))


def _amended(chain: Chain, kind: AmendmentKind = AmendmentKind.FAILED, **changes: Any) -> Amended:
    amendment = Amendment(kind=kind, reason="found later", item="disk", text="x")
    statement = stated(chain, Meaning.AMENDED, with_amendment=amendment, **changes)
    return Amended(statement=statement, signature=Signature(Tier.ATTRIBUTED))


def test_what_follows_a_sign_off() -> None:
    """Amendments and other people's signatures may; an amendment to FAIL that claims a pass is false."""
    chain = _signed(worked())
    assert faults(findings(chain, _amended(chain))) == []
    assert chain.state().passed is False
    chain = _signed(worked())
    assert faults(findings(chain, _amended(chain, result=Result.PASS))) == ["false-statement"]
    chain = _signed(worked())
    assert faults(findings(chain, attributed(stated(chain, Meaning.REVIEWED, RAVI)), RAVI)) == []
    assert faults(findings(chain, Pruned(files=("a.md",), older_than=MORNING))) == []
    for body in (events.Noted("look", "late"), Ticked("look"), Filled("notes", "late")):
        assert faults(findings(chain, body)) == ["after-sign-off"]


@pytest.mark.parametrize(
    ("meaning", "code"),
    [
        (Meaning.REVIEWED, "not-signed-off"),
        (Meaning.APPROVED, "not-signed-off"),
        (Meaning.AMENDED, "not-signed-off"),
    ],
)
def test_nothing_comes_before_the_sign_off(meaning: Meaning, code: str) -> None:
    """A review of a run that nobody has signed off is none."""
    chain = worked()
    assert code in faults(findings(chain, attributed(stated(chain, meaning, RAVI)), RAVI))


def test_a_second_sign_off() -> None:
    """A run is signed off once."""
    chain = _signed(worked())
    assert "signed-twice" in faults(findings(chain, attributed(stated(chain))))


def test_another_persons_eyes() -> None:
    """Nobody reviews what they performed or amended, nor a thing twice; after an amendment it is another thing."""
    chain = _signed(worked())
    assert faults(findings(chain, attributed(stated(chain, Meaning.REVIEWED)))) == ["own-work"]
    chain = _signed(worked())
    assert faults(findings(chain, attributed(stated(chain, Meaning.REVIEWED, RAVI)), RAVI)) == []
    assert faults(findings(chain, attributed(stated(chain, Meaning.REVIEWED, RAVI)), RAVI)) == ["own-work"]
    chain = _signed(worked())
    chain.add(attributed(stated(chain, Meaning.REVIEWED, RAVI)), RAVI)
    chain.add(_amended(chain))
    assert faults(findings(chain, attributed(stated(chain, Meaning.REVIEWED, RAVI)), RAVI)) == []


def test_a_tier_that_is_too_weak() -> None:
    """A checklist that asks for keys gets them, whatever a manipulated program has stored."""
    chain = Chain(asking_for(Tier.SIGNED))
    chain.add(Entered("tickets", None, "3", Judgement(Outcome.PASS, "fine"))).add(Ticked("look"))
    assert faults(findings(chain, attributed(stated(chain)))) == ["weak-tier"]


def test_a_principal_without_a_key() -> None:
    """A sign-off that names the owner of a key, and has no signature of it, pretends."""
    chain = worked()
    assert faults(findings(chain, attributed(stated(chain, principal="jane@example.com")))) == ["false-principal"]


@pytest.mark.parametrize(
    "pretence", [{"principal": "boss@example.com"}, {"fingerprint": "SHA256:boss"}, {"armored": "a signature"}]
)
def test_what_no_key_signed_shows_no_key(pretence: dict[str, str]) -> None:
    """A sign-off by login alone that carries somebody's principal or key would be shown under their name."""
    chain = worked()
    body = Signed(statement=stated(chain), signature=Signature(Tier.ATTRIBUTED, **pretence))
    assert faults(findings(chain, body)) == ["false-principal"]


def test_a_login_signs_under_its_own_name() -> None:
    """The printed name of a sign-off without a key is that of the account."""
    chain = worked()
    assert faults(findings(chain, attributed(stated(chain, name="The Boss")))) == ["false-statement"]


def test_only_an_amendment_holds_an_amendment() -> None:
    """A review that carries a correction is none, and an amendment that corrects nothing is none either."""
    chain = _signed(worked())
    amendment = Amendment(kind=AmendmentKind.NOTE, reason="r", text="x")
    review = stated(chain, Meaning.REVIEWED, RAVI, with_amendment=amendment)
    assert faults(findings(chain, attributed(review), RAVI)) == ["false-meaning"]
    chain = _signed(worked())
    empty = Amended(statement=stated(chain, Meaning.AMENDED), signature=Signature(Tier.ATTRIBUTED))
    assert faults(findings(chain, empty)) == ["false-meaning"]


def test_a_forged_judgement() -> None:
    """A value that fails its conditions was not judged a pass, typed or measured, at first or by an amendment."""
    bad, fine = Number(Decimal(5000)), Number(Decimal(3))
    passed = Judgement(Outcome.PASS, "fine")
    chain = Chain(signed_runs.CHECKLIST)
    assert faults(findings(chain, Entered("tickets", bad, "5000", passed))) == ["false-judgement"]
    chain = Chain(signed_runs.CHECKLIST).add(Entered("tickets", fine, "3", passed)).add(Ticked("look"))
    assert faults(findings(_signed(chain), Pruned(older_than=MORNING))) == []
    amendment = Amendment(
        kind=AmendmentKind.ENTRY, reason="r", item="tickets", text="5000", value=bad, judgement=passed
    )
    statement = stated(chain, Meaning.AMENDED, with_amendment=amendment)
    body = Amended(statement=statement, signature=Signature(Tier.ATTRIBUTED))
    assert faults(findings(chain, body)) == ["false-judgement"]
    chain = Chain()
    reading = Reading(columns=("name",), rows=(("one",),))
    chain.measured("collectors", Outcome.PASS)
    measured = chain.events[-1].event.body
    assert isinstance(measured, Measured)
    assert faults(findings(chain, msgspec.structs.replace(measured, reading=reading))) == ["false-judgement"]


def test_an_entry_judged_while_somebody_measured_again() -> None:
    """An entry that agreed with the reading on the screen is no forgery, though there was another one by then."""
    item = Item(
        id="tickets",
        title="Tickets agree",
        probe="sql",
        entry=EntryOf(label="Tickets"),
        require=(parse_condition("value == entry"),),
    )
    chain = Chain(Checklist(id="compared", title="Compared", sections=(Section("All", (item,)),)))
    for count in (100, 200):
        reading = Reading(measures={"value": Number(Decimal(count))})
        pending = Judgement(Outcome.PENDING)
        elapsed = Number(Decimal(1), Unit.SECONDS)
        chain.add(Measured(item="tickets", judgement=pending, started_at=MORNING, elapsed=elapsed, reading=reading))
    passed = Judgement(Outcome.PASS, "fine")
    assert faults(findings(chain, Entered("tickets", Number(Decimal(100)), "100", passed))) == []
    assert faults(findings(chain, Entered("tickets", Number(Decimal(200)), "200", passed))) == []
    forged = Entered("tickets", Number(Decimal(300)), "300", passed)
    assert faults(findings(chain, forged)) == ["false-judgement"]


def test_a_waiver_in_the_name_of_another() -> None:
    """A waiver names another author only where it was carried over from a run."""
    chain = Chain().measured("collectors", Outcome.FAIL)
    waived = Waived("collectors", "known", dt.date(2026, 12, 1), author="The Boss")
    assert faults(findings(chain, waived)) == ["false-waiver"]


def test_an_edit_just_before_the_sign_off() -> None:
    """A checklist that lost a failed item, or asks for less than before, shows; one that did neither does not."""
    strict = asking_for(Tier.SIGNED)

    def flags(chain: Chain, definition: Checklist) -> list[str]:
        body = Redefined(definition=definition, definition_hash=definition_hash(definition))
        return [each.code for each in findings(chain, body)]

    lax = msgspec.structs.replace(strict, sign_off=SignOffPolicy())
    assert flags(Chain(strict), lax) == ["weaker-policy"]
    assert flags(Chain(lax), strict) == []
    left = msgspec.structs.replace(CHECKLIST, sections=CHECKLIST.sections[1:])
    assert flags(Chain().measured("collectors", Outcome.FAIL), left) == ["dropped-failure"]
    assert flags(Chain().measured("collectors", Outcome.PASS), left) == []


def test_evidence_that_was_removed_before_the_sign_off() -> None:
    """Whoever signs what nobody can look at any more is flagged."""
    chain = worked().add(Pruned(through_seq=2, texts=1, older_than=MORNING))
    assert "evidence-removed" in {each.code for each in findings(chain, attributed(stated(chain)))}


def test_a_run_under_another_name() -> None:
    """Yesterday's run cannot be put down as that of today, nor as that of another checklist."""
    opened = worked().events[0].event.body
    assert isinstance(opened, Opened)
    assert opening_fault("qbr-daily@2026-11-21", opened) == ""
    assert "was opened as qbr-daily@2026-11-21" in opening_fault("qbr-daily@2026-11-22", opened)
    assert opening_fault("other@2026-11-21", opened)
    times = msgspec.structs.replace(opened.times, business_date=dt.date(2026, 11, 20))
    assert "not in its period" in opening_fault(
        "qbr-daily@2026-11-21", msgspec.structs.replace(opened, times=times)
    )


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":1,"a":2}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":\n1}',
        b'{"a":"\\u0041"}',
        b'{"a":1.0}',
        b"{",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_documents_that_two_readers_may_read_differently(document: bytes) -> None:
    """Keys given twice, white space, another order or spelling: the program never writes them."""
    assert not is_canonical(document)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_is_written_is_canonical(text: str) -> None:
    """No text of an operator makes its own event look forged."""
    assert is_canonical(canonical(worked().add(events.Noted("", text)).events[-1].event))


def test_flags() -> None:
    """What is odd and proves nothing is flagged: clocks, a statement long before its event, open hurdles."""
    chain = worked()
    early = MORNING - dt.timedelta(hours=1)
    found = findings(chain, attributed(stated(chain, clock=Clock.UNSYNCHRONISED, signed_at=early)))
    assert {each.code for each in found if each.weight is Weight.FLAG} == {"clock", "signed-at"}
    chain = Chain()
    found = findings(chain, attributed(stated(chain)))
    assert "hurdles" in {each.code for each in found if each.weight is Weight.FLAG}
    assert faults(found) == []


def test_definitions() -> None:
    """A definition that is not what its hash says, or that the run never followed, is a fault."""
    chain = worked()
    assert definition_fault(canonical(chain.events[0].event)) == ""
    other = msgspec.structs.replace(CHECKLIST, title="Other")
    forged = Event(
        id="x",
        run=chain.run,
        at=MORNING,
        actor=OPERATOR,
        body=Redefined(definition=other, definition_hash=chain.state().definition_hash),
    )
    assert "its definition has the hash" in definition_fault(canonical(forged))
    assert faults(findings(chain, Ticked("look", HASH))) == ["foreign-definition"]


# --- clocks ----------------------------------------------------------------------------------------


def dated(*moments: tuple[int, str]) -> list[tuple[int, bytes]]:
    """Return documents of one run, dated so many minutes after the morning on a host."""
    return [
        (
            seq,
            canonical(
                Event(
                    id=str(seq),
                    run="run",
                    at=MORNING + dt.timedelta(minutes=minutes),
                    actor=Actor("x", host=host),
                    body=Ticked("look"),
                )
            ),
        )
        for seq, (minutes, host) in enumerate(moments, 1)
    ]


@pytest.mark.parametrize(
    ("moments", "flagged"),
    [
        ([(0, "a"), (1, "a"), (2, "a")], []),
        ([(0, "a"), (60, "a"), (0, "a"), (1, "a")], [("clock-step", 3)]),
        ([(60, "a"), (0, "b"), (61, "a"), (1, "b")], []),
        ([(60, "a"), (60, "b"), (0, "b"), (61, "a")], [("clock-step", 3)]),
        ([(2, "a"), (1, "a"), (2, "a")], []),
        ([(0, "a"), (525600, "a"), (1, "a")], [("clock-ahead", 2), ("clock-step", 3)]),
    ],
)
def test_clock_steps(moments: list[tuple[int, str]], flagged: list[tuple[str, int]]) -> None:
    """A clock that was set back shows once, at the step, for its own host; a minute out of order is no step."""
    found = clock_steps(dated(*moments), MORNING + dt.timedelta(days=1))
    assert [(each.code, each.seq) for each in found.steps.get("run", [])] == flagged


def test_dates_that_no_clock_shows_are_passed_over() -> None:
    """The first and the last instant there are, and dates without a zone, break nothing."""
    documents = [document for _, document in dated((0, "a"), (0, "a"), (0, "a"), (0, "a"))]
    at = documents[0].split(b'"at":"')[1].split(b'"')[0]
    told = [
        b"0001-01-01T00:00:00Z",
        b"9999-12-31T23:59:59.999999Z",
        b"2026-11-21T14:00:00",
        b"0001-01-01T00:00:00Z",
    ]
    found = clock_steps([(seq, each.replace(at, told[seq])) for seq, each in enumerate(documents)], MORNING)
    assert [each.code for each in found.steps["run"]] == ["clock-ahead", "clock-step"]


def test_many_clock_steps_are_told_in_part() -> None:
    """A clock that jumps to and fro fills neither memory nor screen."""
    moments = [(60 * (number % 2), "a") for number in range(100)]
    found = clock_steps([*dated(*moments), (101, b"{")], MORNING + dt.timedelta(days=1))
    assert len(found.steps["run"]) == MOST_PER_RUN


# --- the whole -------------------------------------------------------------------------------------


class Answering:
    """A verifier that answers as told."""

    def __init__(self, answer: Person | Exception, *, people: Sequence[Person] | SigningError = ()) -> None:
        self._answer = answer
        self._people = people or ([answer] if isinstance(answer, Person) else [person("jane@example.com")])

    def people(self) -> list[Person]:
        """Return them, or fail."""
        if isinstance(self._people, SigningError):
            raise self._people
        return list(self._people)

    def check(self, *_: object) -> Person:
        """Answer."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def allowed_signers(self, *_: object) -> bytes:
        """Return nothing: nobody asks."""
        return b""


def unlooked() -> SignatureRefused:
    """Return what is raised where ssh-keygen cannot be used."""
    return SignatureRefused("no-ssh-keygen", "there is no ssh-keygen", unchecked=True)


JANES = person("jane@example.com")


@pytest.mark.parametrize(
    ("verifier", "standing", "code"),
    [
        (Answering(JANES), Standing.VERIFIED, ""),
        (Answering(SignatureRefused("altered", "it is another")), Standing.BROKEN, "signature-altered"),
        (Answering(person("ravi@example.com")), Standing.BROKEN, "signature-other-person"),
        (Answering(person("jane@example.com", "another")), Standing.BROKEN, "signature-other-person"),
        (Answering(unlooked()), Standing.UNCHECKED, "signature-unchecked"),
        (Answering(SigningError("timeout", "it hangs")), Standing.UNCHECKED, "signature-unchecked"),
        (Answering(ZeroDivisionError()), Standing.UNCHECKED, "signature-unchecked"),
        (Answering(JANES, people=SigningError("bad-file", "line 3")), Standing.UNCHECKED, "signature-unchecked"),
        (None, Standing.UNCHECKED, "signature-unchecked"),
    ],
)
async def test_signatures(tmp_path: Path, verifier: Answering | None, standing: Standing, code: str) -> None:
    """A signature that holds, one that does not, and one that nobody could look at are three things."""
    place = Place(tmp_path)
    async with place.session() as session:
        await done(session)
        statement = statement_now(session, Meaning.PERFORMED, JANES)
        await sign_statement(
            session, statement, Signature(Tier.SIGNED, JANES.principal, JANES.fingerprint, "played")
        )
    (run,) = Verifying(place.store, verifier, clock=place.clock).runs()
    assert run.standing is standing
    bad = [each.code for each in run.findings if each.weight in {Weight.FAULT, Weight.UNCHECKED}]
    assert bad == ([code] if code else [])
    place.store.close()


@pytest.mark.parametrize(
    ("ended", "standing", "codes"),
    [
        (NOW - dt.timedelta(hours=1), Standing.UNCHECKED, {"backdated", "signed-after-end"}),
        (None, Standing.VERIFIED, {"backdated"}),
    ],
)
async def test_a_key_that_had_ended_signs_with_a_date_before_its_end(
    tmp_path: Path, ended: dt.datetime | None, standing: Standing, codes: set[str]
) -> None:
    """Who has a retired key can lie about the time, on a made-up host too, but not stand before earlier events."""
    place = Place(tmp_path)
    async with place.session() as session:
        await done(session)
    place.now = NOW - dt.timedelta(hours=2)
    elsewhere = msgspec.structs.replace(JANE, host="made-up")
    async with place.session(elsewhere) as session:
        statement = statement_now(session, Meaning.PERFORMED, JANES)
        await sign_statement(
            session, statement, Signature(Tier.SIGNED, JANES.principal, JANES.fingerprint, "played")
        )
    place.now = NOW + SIGNING_TAKES * 2
    owner = msgspec.structs.replace(JANES, valid_before=ended)
    (run,) = Verifying(place.store, Answering(owner), clock=place.clock).runs()
    assert run.standing is standing
    assert {each.code for each in run.findings} & {"backdated", "signed-after-end"} == codes
    place.store.close()


async def test_a_name_that_is_not_the_persons(tmp_path: Path) -> None:
    """A key signs for its person; another printed name in what it signed is flagged, as names can change."""
    place = Place(tmp_path)
    async with place.session() as session:
        await done(session)
        statement = statement_now(session, Meaning.PERFORMED, msgspec.structs.replace(JANES, name="The Boss"))
        await sign_statement(
            session, statement, Signature(Tier.SIGNED, JANES.principal, JANES.fingerprint, "played")
        )
    (run,) = Verifying(place.store, Answering(JANES), clock=place.clock).runs()
    assert "other-name" in {each.code for each in run.findings}
    place.store.close()


async def test_a_checklist_of_ones_own(tmp_path: Path) -> None:
    """A run that was opened by a laxer checklist of the same name stands out against the one before it."""
    place = Place(tmp_path)
    for day, checklist in ((20, asking_for(Tier.SIGNED)), (21, signed_runs.CHECKLIST)):
        place.now = NOW.replace(day=day)
        async with place.session(checklist=checklist):
            pass
    first, second = Verifying(place.store, None, clock=place.clock).runs()
    assert {each.code for each in first.findings} == set()
    assert {each.code for each in second.findings} == {"weaker-policy", "edited-checklist"}
    place.store.close()


async def test_many_runs_in_order(tmp_path: Path) -> None:
    """More runs than are looked at at once come out in their order, each once, the named ones alone if asked."""
    place = Place(tmp_path)
    days = [dt.date(2026, 10, 1) + dt.timedelta(days=number) for number in range(20)]
    for day in days:
        place.now = dt.datetime.combine(day, NOW.timetz())
        async with place.session() as session:
            await done(session)
            await sign_statement(session, statement_now(session))
    verifying = Verifying(place.store, None, clock=place.clock)
    assert [each.run for each in verifying.runs()] == [f"morning@{day}" for day in days]
    assert {each.standing for each in verifying.runs()} == {Standing.ATTRIBUTED}
    assert [each.run for each in verifying.runs(["morning@2026-10-07"])] == ["morning@2026-10-07"]
    strict = Verifying(place.store, None, required=Tier.SIGNED, clock=place.clock)
    assert {each.standing for each in strict.runs()} == {Standing.BROKEN}
    place.store.close()


class Keeping:
    """An anchor that keeps what it is told, and may fail after it."""

    name = "keeping"

    def __init__(self, kept: Sequence[Kept], error: Exception | None = None) -> None:
        self._kept = kept
        self._error = error

    def keep(self, noted: Noted, record: Path | None) -> None:
        """Keep nothing more."""

    def kept(self) -> Iterator[Kept]:
        """Yield them, then fail."""
        yield from self._kept
        if self._error is not None:
            raise self._error


async def test_anchors(tmp_path: Path) -> None:
    """Every head is compared; what cannot be read is told after what could; of many lost ones some are named."""
    place = Place(tmp_path)
    async with place.session() as session:
        await done(session)
    store = place.store

    def kept(head: Head, store_id: str = store.store_id, location: str = "") -> Kept:
        return Kept(store_id=store_id, head=head, where="somewhere", store_location=location)

    def checked(*heads: Kept, error: Exception | None = None, accepted: str = "") -> tuple[int, list[str]]:
        anchor = Keeping(heads, error)
        verifying = Verifying(store, None, [anchor], accepted=lambda _: accepted, clock=place.clock)
        (one,) = verifying.anchors()
        return one.heads, [f"{each.weight}:{each.code}" for each in one.findings]

    good, lost = kept(store.head()), kept(Head(2, HASH))
    assert checked(good, good) == (1, [])
    assert checked(good, lost) == (2, ["fault:head-not-in-chain"])
    assert checked(kept(Head(99, HASH))) == (1, ["fault:head-not-in-chain"])
    assert checked(lost, accepted="accepted by jane") == (1, ["info:accepted-loss"])
    assert checked(kept(Head(2, HASH), "another")) == (0, ["info:other-records"])
    assert checked(kept(Head(2, HASH), "another", store.location)) == (0, ["fault:other-record-here"])
    assert checked(lost, error=AnchorError("no permission")) == (
        1,
        ["fault:head-not-in-chain", "unchecked:anchor-unreadable"],
    )
    assert checked(error=ZeroDivisionError()) == (0, ["unchecked:anchor-unreadable"])
    heads, told = checked(*(kept(Head(number, HASH)) for number in range(1000, 1050)))
    assert (heads, told[-1], len(told)) == (50, "fault:more", 21)
    store.close()


def test_the_console_shows_an_alarm_before_all_else() -> None:
    """A lost head is the first thing on Today, in words and not by colour alone."""
    shown = [
        "".join(piece.text for piece in each.pieces)
        for each in notice_paragraphs(("a note",), ("a problem",), ("the end was cut off",))
    ]
    assert shown[0] == "[ALARM] the end was cut off"
    assert len(shown) == 4
