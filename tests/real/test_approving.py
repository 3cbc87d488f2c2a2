"""How a qualification is decided on, over records that real keys have signed: the deed behind every front end."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from opsconsole.contracts.signer import Candidate, Signer
from opsconsole.contracts.store import Conflict
from opsconsole.engine.approving import Case, Verdict, refuse_verdict
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.outlook import Trust, outlook, verification
from opsconsole.model.counting import Phase
from opsconsole.model.events import Actor, Meaning, Signature, Via
from opsconsole.model.tiers import Tier
from opsconsole.screens.qualification_rows import REVIEW, Looks, qualification_rows
from opsconsole.wiring.services import Services
from support.deciding import CLEAN, FINAL, NO, YES, Office, ago, lately, morning
from support.signed_runs import PlayedAnchor


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and heads are those of the test's own home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/.local/state"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Three clean days, until yesterday."""
    found = Office(tmp_path)
    found.days(3, 2, 1)
    return found


def decide(
    office: Office,
    verdict: Verdict = YES,
    who: str = "ann",
    at: dt.datetime | None = None,
    actor: Actor | None = None,
) -> tuple[str, ...]:
    """Decide, as a process of its own does; return what anchors missed."""
    with office.services(at, actor) as parts:
        return asyncio.run(office.decided(parts, verdict, who))


def case_of(office: Office) -> Case:
    """Return what somebody who decides is shown."""
    with office.services() as parts:
        return parts.approving().case("clean")


# --- what is signed ---------------------------------------------------------------------------------


def test_an_approval_says_what_it_rests_on(office: Office) -> None:
    """Days with the hashes that bind them, the review's verdict and whether it is ready stand in what is signed."""
    run = office.review()
    shown = case_of(office)
    assert (shown.blockers, shown.run) == ((), run)
    assert [each.who for each in shown.excluded] == ["jane@example.org", "ravi@example.org"]
    decide(office)
    with office.services() as parts:
        state = parts.engine.load(run)
        assert state is not None
        signed = state.signatures[-1]
        days = [parts.engine.load(f"morning@{ago(each)}") for each in (3, 2, 1)]
        counted = parts.engine.qualifying.state("clean")
    approval = signed.body.statement.approval
    assert approval is not None
    assert signed.body.statement.meaning is Meaning.APPROVED
    assert signed.body.signature.tier is Tier.SIGNED
    assert signed.body.signature.principal == "ann@example.org"
    assert [each.hash for each in approval.days] == [each.signatures[0].hash for each in days if each is not None]
    assert (approval.complete, approval.ready, approval.phase, approval.reason) == (True, True, "Phase 2", "")
    assert counted.phase is Phase.APPROVED


def test_the_anchors_note_what_was_decided(office: Office) -> None:
    """Whoever reads the journal sees what became of the qualification, not only that a run was signed again."""
    office.review()
    anchor = PlayedAnchor()

    async def noted(parts: Services) -> None:
        own = parts.signing
        own._anchors = (anchor,)
        await office.decided(parts)

    office.work(dt.datetime.now(dt.UTC), noted)
    told = [each.what for each, _ in anchor.noted]
    assert len(told) == 1
    assert told[0].startswith(f"approved clean {ago(3)} to {ago(1)} by Ann (")


NO_VERDICTS = (
    (Verdict(meaning=Meaning.PERFORMED), "approved or refused, not performed"),
    (Verdict(meaning=Meaning.APPROVED), "why it is not ready for Phase 2"),
    (Verdict(meaning=Meaning.REFUSED), "why it is refused"),
    (Verdict(meaning=Meaning.REFUSED, ready=True, reason="x"), "what is refused is not ready"),
)


@pytest.mark.parametrize(("verdict", "said"), NO_VERDICTS)
def test_verdicts_that_nobody_can_give(office: Office, verdict: Verdict, said: str) -> None:
    """A refusal, and an approval that is not ready, name their reason; nothing else is decided."""
    office.review()
    with pytest.raises(ActionRefused, match=said):
        decide(office, verdict)


def test_not_ready_is_part_of_what_is_signed(office: Office) -> None:
    """The days were clean, and the system is not ready all the same: both are on record, with the reason."""
    office.review()
    decide(office, Verdict(meaning=Meaning.APPROVED, reason="the second site waits"))
    decision = office.state().current.decision
    assert decision is not None
    assert (decision.approved, decision.ready, decision.reason) == (True, False, "the second site waits")


def test_nothing_is_decided_on_records_that_nobody_verified(office: Office) -> None:
    """A front end that shows the case without verifying cannot have it signed."""
    office.review()

    async def hasty(parts: Services) -> None:
        approving = parts.approving()
        case = approving.case("clean", verify=False)
        session = await parts.engine.resume(case.run)
        with pytest.raises(ActionRefused, match="not verified"):
            approving.statement(session, case, YES, office.candidate("ann").person, Tier.SIGNED)
        await session.aclose()

    office.work(dt.datetime.now(dt.UTC), hasty)


def test_it_is_signed_in_its_own_run_only(office: Office) -> None:
    """A front end that works on another run by mistake has nothing signed there."""
    office.review()

    async def mistaken(parts: Services) -> None:
        approving = parts.approving()
        session = await parts.engine.resume(f"morning@{ago(1)}")
        with pytest.raises(ValueError, match="is decided on in final@"):
            approving.statement(session, approving.case("clean"), YES, office.candidate("ann").person, Tier.SIGNED)
        await session.aclose()

    office.work(dt.datetime.now(dt.UTC), mistaken)


# --- who may decide ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["jane", "spare", "ravi"])
def test_nobody_decides_on_their_own_work(office: Office, who: str) -> None:
    """Neither who signed a day, with whatever key, nor who signed the final review."""
    office.review("ravi")
    with pytest.raises(ActionRefused, match=r"(jane|ravi)@example.org has signed .*: another person"):
        decide(office, who=who)
    decide(office)


def test_a_key_that_logged_in_for_a_day_is_known_again(tmp_path: Path) -> None:
    """Jane signed a day by her login alone, over SSH with her key; with that key she cannot approve it."""
    office = Office(tmp_path)
    over_ssh = Actor("ops", "", "ops01", Via.CONSOLE, office.keys["ann"].fingerprint)
    for each in (3, 2, 1):
        office.day(ago(each), "", actor=over_ssh)
    office.review("ravi")
    with pytest.raises(ActionRefused, match=r"the key SHA256:.* has signed"):
        decide(office)


def test_a_login_alone_is_one_person(tmp_path: Path) -> None:
    """Where nobody signs with keys the login is all there is: the same one is refused, another may decide."""
    office = Office(tmp_path, keys=False)
    office.days(3, 2, 1, who="")
    office.review("")
    with pytest.raises(ActionRefused, match="has signed"):
        decide(office, who="")
    decide(office, who="", actor=Actor("ann", "Ann Other", "ops01", Via.COMMAND))
    assert office.state().phase is Phase.APPROVED


def test_the_rules_may_lift_four_eyes_and_say_so(tmp_path: Path) -> None:
    """With own_work = true Jane's second key approves; that it was allowed is part of what she signs."""
    office = Office(tmp_path, CLEAN + "approval = { own_work = true }\n")
    office.days(3, 2, 1)
    run = office.review("jane")
    decide(office, who="spare")
    with office.services() as parts:
        state = parts.engine.load(run)
        assert state is not None
        approval = state.signatures[-1].body.statement.approval
        (checked,) = parts.verifying().runs([run])
    assert approval is not None
    assert approval.own_work_allowed
    assert checked.standing == "verified", checked.findings


def test_a_decision_is_as_strong_as_the_rules_ask(tmp_path: Path) -> None:
    """By the tier of the definition, and by that of the checklist in whose record it stands."""
    office = Office(tmp_path, CLEAN + 'approval = { tier = "signed" }\n')
    office.days(3, 2, 1)
    office.review()
    ann = Actor("ann", "Ann Other", "ops01", Via.COMMAND)
    with pytest.raises(ActionRefused, match="a decision on clean has to be signed"):
        decide(office, who="", actor=ann)
    office.define(CLEAN)
    strict = FINAL.replace('title = "Final review"', 'title = "Final review"\nsign_off = { tier = "signed" }')
    office.place.write("final", strict)
    other = Office(_made(tmp_path / "other"), final=strict)
    other.days(3, 2, 1)
    other.review()
    with pytest.raises(ActionRefused, match="final asks for a sign-off that is signed"):
        decide(other, who="", actor=ann)
    decide(other)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


# --- what stands against it -------------------------------------------------------------------------


def test_each_blocker_is_told(tmp_path: Path) -> None:
    """Unfinished, a reset that nobody explained, a review that is missing, unsigned or failed: all are listed."""
    office = Office(tmp_path)
    office.day(ago(4), tickets="50")
    office.days(3, 2)
    with office.services() as parts:
        early = parts.approving().case("clean", morning(ago(2), 20))
    assert early.blockers[0].startswith("2 of 3 days have passed")
    assert early.run == ""
    office.days(1)
    reset, missing = case_of(office).blockers
    assert reset.startswith(f"the reset of {ago(4)} has no documented reason: it failed: Tickets")
    assert missing.endswith("was not done")
    run = office.review("nobody")
    assert case_of(office).blockers[1] == f"the final review {run} is not signed"
    with pytest.raises(ActionRefused, match="2 things stand against an approval of clean"):
        decide(office)


def test_a_review_that_failed_stands_against_it_and_shows_why(office: Office) -> None:
    """The items of the review that are not green are shown with their notes; it can be refused."""
    run = office.review("ravi", gaps="7")
    shown = case_of(office)
    assert shown.blockers == (f"the final review {run} did not pass",)
    (item,) = shown.review_items
    assert (item.title, item.outcome.value, item.notes) == ("Gaps", "FAIL", ("the collector stood still",))
    decide(office, NO)
    assert office.state().phase is Phase.REFUSED


def test_evidence_expires(tmp_path: Path) -> None:
    """Forty days later nobody knows what those three mornings are worth: it is refused or done again."""
    office = Office(tmp_path)
    office.days(43, 42, 41)
    office.review("ravi", at=morning(ago(40)))
    assert [each.partition(" at ")[0] for each in case_of(office).blockers] == [
        "its evidence expired",
        "the final review was measured",
    ][: len(case_of(office).blockers)]
    with pytest.raises(ActionRefused, match="its evidence expired"):
        decide(office)


def test_a_tampered_day_changes_the_count_and_says_so(office: Office) -> None:
    """Whoever changes a byte of a day takes it from the count; what was wrong stands among the causes."""
    office.review()
    office.type_over(ago(2))
    shown = case_of(office)
    assert shown.evidence is not None
    assert not shown.evidence.holds
    assert any(str(ago(2)) in each for each in shown.evidence.faults)
    assert shown.blockers
    assert shown.state.phase is not Phase.APPROVED
    with pytest.raises(ActionRefused, match="stand against an approval"):
        refuse_verdict(shown, YES)


def test_keys_that_nobody_can_check_stand_against_it(office: Office) -> None:
    """Without the file of people nobody knows whose signatures these are: unchecked is not well."""
    office.review()
    office.people.unlink()
    shown = case_of(office)
    assert shown.evidence is not None
    assert shown.evidence.holds
    assert not shown.evidence.is_whole
    assert len(shown.blockers) >= 4
    assert shown.state.current.reached is not None, "nothing is known to be wrong: the count stands"


# --- refusals and what comes after ------------------------------------------------------------------


def test_after_a_refusal_the_count_begins_anew(tmp_path: Path) -> None:
    """The days up to the refusal are spent; three more make it full again, and another decision is taken."""
    office = Office(tmp_path)
    office.days(8, 7, 6)
    office.review("ravi", at=morning(ago(5)))
    decide(office, NO, at=morning(ago(5), 12))
    assert office.state(morning(ago(5), 13)).phase is Phase.REFUSED
    office.days(4, 3, 2)
    state = office.state()
    assert (state.current.number, state.current.first, state.phase) == (2, ago(4), Phase.REACHED)
    office.review("ravi")
    decide(office)
    assert [each.decision is not None for each in office.state().attempts] == [True, True]


def test_it_is_refused_before_its_review(office: Office) -> None:
    """Somebody who will not wait for the review refuses at once: that stands in the record of the last day."""
    assert case_of(office).run == f"morning@{ago(1)}"
    decide(office, NO)
    assert office.state().phase is Phase.REFUSED
    with pytest.raises(ActionRefused, match="was refused by Ann"):
        decide(office, NO)


def test_a_day_that_fails_afterwards_overturns_the_approval(office: Office) -> None:
    """What was approved rests on a day that is none: the state says so, and whose decision it was."""
    office.review()
    decide(office)
    office.fail(ago(2))
    state = office.state()
    assert state.phase is not Phase.APPROVED
    assert [each.by.partition(" ")[0] for each in state.overturned] == ["Ann"]


# --- what changes in between ------------------------------------------------------------------------


def test_what_changed_since_it_was_shown_is_not_signed(office: Office) -> None:
    """A note on one of the days is enough: it is another record than the one that was shown."""
    office.review()

    async def late(parts: Services) -> None:
        approving = parts.approving()
        case = approving.case("clean")
        session = await parts.engine.resume(case.run)
        ann = office.candidate("ann")
        shown = approving.statement(session, case, YES, ann.person, Tier.SIGNED)
        await asyncio.to_thread(office.fail, ago(3))
        with pytest.raises(Conflict, match="has changed since it was shown"):
            await approving.sign(session, parts.signing, case, YES, shown, ann)
        await session.aclose()

    with office.services() as parts:
        asyncio.run(late(parts))
    assert office.state().current.decision is None


def test_what_changes_while_the_key_is_touched_is_not_signed(office: Office) -> None:
    """A security key may take its minute; a day that fails in it leaves the signature worth nothing."""
    office.review()

    async def slow(parts: Services) -> None:
        own = parts.signing._signer
        assert own is not None
        parts.signing._signer = SlowSigner(own, lambda: office.fail(ago(1)))
        with pytest.raises(Conflict, match="has changed"):
            await office.decided(parts)

    with office.services() as parts:
        asyncio.run(slow(parts))
    assert office.state().current.decision is None


@dataclass
class SlowSigner:
    """Signs with a key while something else happens."""

    own: Signer
    meanwhile: Callable[[], None]

    def candidates(self, meaning: Meaning, at: dt.datetime) -> list[Candidate]:
        """Return the keys there are."""
        return self.own.candidates(meaning, at)

    def sign(self, payload: bytes, meaning: Meaning, candidate: Candidate) -> Signature:
        """Sign, with the other thing before it is done."""
        self.meanwhile()
        return self.own.sign(payload, meaning, candidate)

    def give_up(self) -> None:
        """Do nothing: it is waited for."""


def test_a_secret_in_a_reason_is_kept_out_of_the_record(office: Office) -> None:
    """Who pastes a URL with its password into a reason has it redacted before it is hashed."""
    office.review()
    decide(office, Verdict(meaning=Meaning.REFUSED, reason="see postgresql://ops:hunter2@db/qbr"), at=lately())
    decision = office.state().current.decision
    assert decision is not None
    assert "hunter2" not in decision.reason
    assert decision.reason.startswith("see postgresql://")


@pytest.mark.parametrize(("who", "trust"), [("ravi", Trust.VERIFIED), ("", Trust.HOLDS)])
def test_the_console_tells_how_strongly_the_final_review_was_signed(office: Office, who: str, trust: Trust) -> None:
    """One that was signed with a key shows as verified, as the days do; without one it only holds."""
    office.review(who)
    with office.services() as parts:
        found = verification(parts.engine, "clean", parts.verifying())
        seen = outlook(parts.engine, "clean", parts.checklist("morning"), found)
    (row,) = (each for each in qualification_rows(seen, Looks(width=200)) if each.key == REVIEW)
    assert [each.text for each in row.right] == [str(trust)]
