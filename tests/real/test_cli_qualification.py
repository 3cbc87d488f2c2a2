"""`opsconsole qualification`, as operators, approvers and scripts use it, with real keys of OpenSSH."""

import re
import sqlite3
from pathlib import Path

import msgspec
import pytest

from opsconsole.model.events import Amendment, AmendmentKind
from opsconsole.wiring.services import Services
from support.deciding import CLEAN, Office, ago, morning
from support.forging import replaced, rewritten
from support.ptys import Pty
from support.records import commands_of
from support.ssh import ran
from support.tampering import tampered


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


def fact(out: str, label: str) -> str:
    """Return what stands beside a label."""
    found = re.search(rf"^ *{label} +(.*)$", out, re.MULTILINE)
    return found[1] if found is not None else ""


# --- the whole story --------------------------------------------------------------------------------


def test_from_the_first_day_to_the_approval(tmp_path: Path) -> None:
    """Each command says what comes next; in the end the record holds, and programs can ask for it."""
    office = Office(tmp_path)
    office.days(2, 1)
    status = office.qualification("status")
    assert status.code == 0, status.err
    assert fact(status.out, "stands") == f"running: day 3 of 3, 2 passed since {ago(2)}"
    assert fact(status.out, "records") == "verified, and they hold"
    assert f"{ago(0)} is to be run" in status.out
    early = office.qualification("review")
    assert (early.code, early.out) == (1, "")
    assert "opens when clean has been reached: day 3 of 3, 2 passed" in early.err
    refused = office.decide("approve", "ann", "--ready")
    assert (refused.code, refused.out) == (1, "")
    assert "2 of 3 days have passed" in refused.err

    office.days(0)
    measured = office.qualification("review")
    assert "PENDING  Gaps: to be entered" in measured.out
    assert "Gaps is still pending" in measured.err
    run = office.review("ravi")
    again = office.qualification("review")
    assert "what is measured now is no part of it" in again.err

    done = office.decide("approve", "ann", "--ready", "--reason", "clean mornings")
    assert done.code == 0, done.err
    for label, said in {
        "decision": f"clean is approved: count 1, {ago(2)} to {ago(0)}, 3 of 3 days passed",
        "phase": "READY for Phase 2",
        "reason": "clean mornings",
        "evidence": "complete by the rules",
        "strength": "signed with an SSH key",
    }.items():
        assert fact(done.out, label) == said
    assert f"{run}  passed, signed by Ravi" in done.out
    assert f"clean is approved by Ann ({office.login}) at " in done.err
    document = office.document()
    assert (document["phase"], document["ready"], document["exit_code"]) == ("approved", True, 0)
    assert document["decision"]["reason"] == "clean mornings"
    assert document["review"]["tier"] == "signed"
    assert fact(office.run("qualification", "list").out, "clean").startswith("approved  3 passed")
    assert office.run("verify", "--all").code == 0


def test_openssh_verifies_the_approval(office: Office) -> None:
    """An auditor has the exported record and ssh-keygen: the approval is Ann's, in the approver's namespace."""
    run = office.review()
    assert office.decide("approve", "ann", "--ready").code == 0
    target = office.place.directory / "audit"
    exported = office.run("export", run, "--output", str(target))
    assert exported.code == 0, exported.err
    commands = commands_of((target / "README").read_text())
    command = next(each for each in commands if "approved.record.sig" in each)
    said = ran("sh", "-c", f"cd {target} && {command}").decode()
    fingerprint = office.keys["ann"].fingerprint
    assert said.strip() == (
        f'Good "approve@opsconsole.v1" signature for ann@example.org with ED25519 key {fingerprint}'
    )
    statement = (target / "02-approved.record").read_text().splitlines()[-1]
    assert all(f'"run":"morning@{ago(each)}"' in statement for each in (3, 2, 1))


def test_before_anything_has_happened(tmp_path: Path) -> None:
    """No definition, no run, no name: each is said, and nothing is a fault of the record."""
    office = Office(tmp_path)
    listed = office.run("qualification", "list")
    assert fact(listed.out, "clean").startswith("not begun  day 1 of 3, 0 passed")
    status = office.qualification("status")
    assert (status.code, fact(status.out, "stands")) == (0, "not begun: no run of morning counts yet")
    assert office.document()["attempts"][0]["days"] == []
    office.define("days = 0\n")
    listed = office.run("qualification", "list")
    assert "clean.toml" in listed.err
    broken = office.qualification("status")
    assert broken.code == 2
    assert "'clean' cannot be used" in broken.err


# --- who may decide ---------------------------------------------------------------------------------


def test_a_second_person_decides(office: Office) -> None:
    """Neither the operator, nor another key of hers, nor the reviewer, nor the login; and it is said beforehand."""
    office.review("ravi")
    shown = office.qualification("status").out
    assert "jane@example.org: signed 3 runs" in shown
    for who, said in (
        ("jane", "no key of"),
        ("spare", f"jane@example.org has signed morning@{ago(3)}: another person has to decide"),
        ("ravi", "ravi@example.org has signed the final review"),
    ):
        done = office.decide("approve", who, "--ready")
        assert (done.code, done.out) == (1, ""), who
        assert said in done.err
    assert office.qualification("approve", "--ready", "--yes").code == 0, "the key that may is chosen"


def test_a_login_without_keys_is_one_person(tmp_path: Path) -> None:
    """Where nobody has a key, whoever signed the days is refused by the login, and told so."""
    office = Office(tmp_path, keys=False)
    office.days(3, 2, 1, who="")
    office.review("")
    done = office.qualification("approve", "--ready", "--yes")
    assert done.code == 1
    assert f"{office.login} has signed morning@{ago(3)}" in done.err


def test_lifted_four_eyes_are_shown_before_and_after(tmp_path: Path) -> None:
    """own_work = true lets the operator approve; whoever reads it, then or later, sees that."""
    office = Office(tmp_path, CLEAN + "approval = { own_work = true }\n")
    office.days(3, 2, 1)
    office.review("jane")
    done = office.decide("approve", "spare", "--ready")
    assert done.code == 0, done.err
    assert "own_work = true" in done.out
    assert fact(done.out, "four eyes").startswith("LIFTED")
    assert office.document()["qualification"]["own_work_allowed"] is True
    assert office.run("verify", "--all").code == 0


def test_the_rules_ask_for_a_key(tmp_path: Path) -> None:
    """approval.tier is demanded, and the way on is told."""
    office = Office(tmp_path, CLEAN + 'approval = { tier = "signed" }\n')
    office.days(3, 2, 1)
    office.review()
    done = office.qualification("approve", "--ready", "--attributed", "--yes")
    assert (done.code, done.out) == (1, "")
    assert "a decision on clean has to be signed; this one would be attributed" in done.err


# --- asking -----------------------------------------------------------------------------------------


def test_nothing_is_decided_unasked(office: Office) -> None:
    """Without a terminal --yes is needed, and whether it is ready has no default."""
    office.review()
    silent = office.qualification("approve", "--ready")
    assert silent.code == 2
    assert "What is signed:" in silent.out
    assert "say --yes" in silent.err
    unsaid = office.qualification("approve", "--yes")
    assert (unsaid.code, unsaid.out) == (2, "")
    assert "say --ready or --not-ready" in unsaid.err
    reasonless = office.decide("approve", "ann", "--not-ready")
    assert (reasonless.code, reasonless.out) == (1, "")
    assert "give the reason why it is not ready for Phase 2" in reasonless.err
    assert office.state().current.decision is None


def test_it_is_shown_again_when_a_day_changes_meanwhile(office: Office) -> None:
    """Asked about what is no more, the yes counts for nothing: what is wrong now is said instead."""
    office.review()
    argv = office.place.arguments("qualification", "approve", "clean")
    with Pty(argv, env=office.environment, cwd=office.place.directory) as terminal:
        terminal.wait_for("Is it ready for Phase 2? [y/n]")
        assert b"Count 1" in terminal.output, "what it is about is shown before it is asked for"
        terminal.send(b"y\n")
        terminal.wait_for("Sign this? [y/N]")
        assert b"READY for Phase 2" in terminal.output
        assert terminal.output.count(b"Count 1") == 1, "and not a second time"
        note = Amendment(kind=AmendmentKind.NOTE, reason="looked again", item="look", text="one lamp was out")
        office.amend(f"morning@{ago(2)}", note)
        terminal.send(b"y\n")
        terminal.wait_for("has changed since it was shown")
        terminal.wait_until(lambda: terminal.output.count(b"Sign this? [y/N]") == 2)
        assert b"amended once" in terminal.output
        terminal.send(b"n\n")
        assert terminal.wait_exit() == 1
    assert office.state().current.decision is None


def test_who_says_not_ready_is_asked_why(office: Office) -> None:
    """At a terminal the reason can be typed; it is part of what is signed."""
    office.review()
    argv = office.place.arguments("qualification", "approve", "clean")
    with Pty(argv, env=office.environment, cwd=office.place.directory) as terminal:
        for asked, answer in (("[y/n]", b"n\n"), ("Why not", b"no standby yet\n"), ("Sign this? [y/N]", b"y\n")):
            terminal.wait_for(asked)
            terminal.send(answer)
        assert terminal.wait_exit() == 0
    decision = office.state().current.decision
    assert decision is not None
    assert (decision.approved, decision.ready, decision.reason) == (True, False, "no standby yet")


def test_wrong_usage(office: Office) -> None:
    """What makes no sense ends with 2 and says what would."""
    for words, said in (
        (("status", "cleen"), "did you mean 'clean'?"),
        (("approve", "cleen", "--ready"), "did you mean 'clean'?"),
        (("refuse", "clean"), "--reason"),
        (("reset", "clean", "yesterday", "--reason", "x"), "no date"),
        (("approve", "clean", "--key", "x", "--attributed", "--ready"), "not several"),
        (("status", "clean", "--at", "noon"), "no moment"),
    ):
        done = office.run("qualification", *words)
        assert (done.code, done.out) == (2, ""), words
        assert said in done.err
        assert "Traceback" not in done.err
    sign = office.run("sign", f"morning@{ago(1)}", "--as", "approved", "--yes")
    assert sign.code == 2, "a decision is made by `qualification` only"


# --- what stands against it -------------------------------------------------------------------------


def test_an_open_review_stands_against_it(office: Office) -> None:
    """Not done, not signed, not passed: each is the cause that is told."""
    run = f"final@{ago(1)}"
    for gaps, who, said in (("0", "", "was not done"), ("0", "nobody", "is not signed")):
        if who:
            office.review(who, gaps)
        done = office.decide("approve", "ann", "--ready")
        assert done.code == 1
        assert f"the final review {run} {said}" in done.err


def test_a_tampered_day_is_named(office: Office) -> None:
    """The status ends with 1 and says which record does not hold and why; nothing is approved on it."""
    office.review()
    office.type_over(ago(2))
    status = office.qualification("status")
    assert status.code == 1
    assert fact(status.out, "records") == "BROKEN: not all of them hold"
    assert f"BROKEN: morning@{ago(2)}: " in status.out
    done = office.decide("approve", "ann", "--ready")
    assert done.code == 1
    assert "chain" in done.err
    assert office.document()["records"]["hold"] is False
    unverified = office.qualification("status", "--no-verify")
    assert fact(unverified.out, "records").startswith("NOT VERIFIED")


def test_signatures_that_cannot_be_checked_end_with_three(office: Office) -> None:
    """Nothing is known to be wrong, and nobody knows: the exit code is that of `verify`."""
    office.people.unlink()
    status = office.qualification("status")
    assert status.code == 3, status.out
    assert fact(status.out, "records") == "NOT EVERYTHING COULD BE CHECKED"
    said = "nothing is known to be wrong; 3 of 3 records could not be checked."
    report = office.qualification("report")
    assert report.code == 3, report.err
    assert f"- Records: the chain is intact, and {said}" in report.out
    assert "not everything could be checked" in report.err
    week = office.run("report", "weekly", "--at", str(ago(1)), "--verify")
    assert week.code == 3, week.err


# --- resets, exclusions, missed days ----------------------------------------------------------------


def test_a_reset_stays_open_until_its_reason_is_signed(tmp_path: Path) -> None:
    """A failed morning: exit code 1 until somebody documents why; then it is approved with the reset in sight."""
    office = Office(tmp_path)
    office.day(ago(4), tickets="50")
    office.days(3, 2, 1)
    office.review()
    status = office.qualification("status")
    assert status.code == 1
    assert f"OPEN: opsconsole qualification reset clean {ago(4)} --reason TEXT" in status.out
    blocked = office.decide("approve", "ann", "--ready")
    assert blocked.code == 1
    assert f"the reset of {ago(4)} has no documented reason: it failed: Tickets" in blocked.err
    other = office.qualification("reset", str(ago(3)), "--reason", "x", "--yes")
    assert other.code == 1
    assert f"no count of clean ended on {ago(3)}; resets: {ago(4)}" in other.err
    key = office.keys["jane"].fingerprint
    reset = office.qualification("reset", str(ago(4)), "--reason", "a burst\n\x1b[31mpipe", "--key", key, "--yes")
    assert reset.code == 0, reset.err
    assert fact(reset.out, "about") == "clean: why the count began anew with this run"
    assert "\x1b" not in reset.out
    done = office.decide("approve", "ann", "--ready")
    assert done.code == 0, done.err
    assert "pipe" in done.out
    assert fact(done.out, "seen").startswith("resets before: 1,")
    assert office.document()["attempts"][0]["reset"]["reason"]["text"] == "a burst\n\x1b[31mpipe"


def test_an_exclusion_needs_a_second_person(tmp_path: Path) -> None:
    """A day that failed for reasons of its own counts for nothing once another person agrees, and not before."""
    office = Office(tmp_path)
    office.days(4)
    office.day(ago(3), tickets="50")
    office.days(2, 1)
    jane, ravi = office.keys["jane"].fingerprint, office.keys["ravi"].fingerprint
    run = f"morning@{ago(3)}"
    asked = office.qualification("exclude", str(ago(3)), "--reason", "the drill", "--key", jane, "--yes")
    assert asked.code == 0, asked.err
    assert f"opsconsole sign {run} --as reviewed" in asked.err
    status = office.qualification("status")
    assert status.code == 1
    assert "asks to exclude it, which a second person has to accept" in status.out
    assert office.run("sign", run, "--as", "reviewed", "--key", ravi, "--yes").code == 0
    status = office.qualification("status")
    assert status.code == 0, status.out
    assert re.search(rf"- +\w+ {ago(3)}  excluded  FAIL .*excluded by Jane .* and Ravi .*: the drill", status.out)
    assert fact(status.out, "stands").startswith("reached: 3 days")
    again = office.qualification("exclude", str(ago(3)), "--reason", "x", "--yes")
    assert again.code == 1
    assert "is excluded already, by Jane" in again.err


def test_a_missed_day_is_explained_before_it_is_documented(tmp_path: Path) -> None:
    """Nobody can amend what nobody has signed: the command that comes first is told."""
    office = Office(tmp_path)
    office.days(3, 1)
    done = office.qualification("reset", str(ago(2)), "--reason", "a holiday", "--yes")
    assert (done.code, fact(done.err, "first:")) == (1, f"opsconsole explain morning@{ago(2)} --reason TEXT")


# --- refused, overturned ----------------------------------------------------------------------------


def test_a_refusal_is_on_record_and_the_count_begins_anew(office: Office) -> None:
    """With its reason; a second decision is refused, and the days so far are spent."""
    office.review()
    done = office.decide("refuse", "ann", "--reason", "too quiet to be true")
    assert done.code == 0, done.err
    assert fact(done.out, "phase") == "NOT READY for Phase 2"
    assert "too quiet to be true" in office.qualification("status").out
    assert office.document()["phase"] == "refused"
    again = office.decide("approve", "ann", "--ready")
    assert again.code == 1
    assert "it was refused by Ann" in again.err


def test_an_approval_that_no_longer_stands_is_said(office: Office) -> None:
    """A day is amended to FAIL after the approval: the status ends with 1, names both, and list shows it."""
    office.review()
    assert office.decide("approve", "ann", "--ready").code == 0
    assert office.qualification("status").code == 0
    assert office.run("amend", f"morning@{ago(2)}", "--failed", "look", "--reason", "dark", "--yes").code == 0
    status = office.qualification("status")
    assert status.code == 1
    assert "Decisions that do not stand" in status.out
    assert "approved by Ann" in status.out
    assert "a decision no longer stands" in office.run("qualification", "list").out
    document = office.document()
    assert document["phase"] != "approved"
    assert [each["approved"] for each in document["overturned"]] == [True]


def test_the_document_is_described(office: Office) -> None:
    """Every key of what programs read stands in the page, and hostile text in it steers no terminal."""
    office.review()
    assert office.decide("refuse", "ann", "--reason", "odd \x1b[31m").code == 0
    printed = office.qualification("status", "--json").out
    assert "\x1b" not in printed
    page = (Path(__file__).parents[2] / "docs" / "qualifications.md").read_text()
    section = page.partition("## The document of")[2]
    described = set(re.findall(r"[a-z_]+", section))
    assert keys_of(msgspec.json.decode(printed)) - described == set()


def keys_of(value: object) -> set[str]:
    """Return every key of a document that a program can rely on: not the outcomes and runs that things hang on."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    plain = {key: each for key, each in value.items() if key.islower() and "@" not in key}
    return plain.keys() | set().union(*map(keys_of, plain.values()))


def test_a_reset_by_a_broken_record_is_looked_into_first(office: Office) -> None:
    """The command knows the reset that the verified count has; nothing is added to a run that was tampered with."""
    office.type_over(ago(1))
    assert f"first: opsconsole verify morning@{ago(1)}" in office.qualification("status").out
    key = office.keys["jane"].fingerprint
    done = office.qualification("reset", str(ago(1)), "--reason", "somebody edited it", "--key", key, "--yes")
    assert f"{ago(1)} after 2 days: its record does not hold" in done.out
    assert done.code == 1
    assert f"morning@{ago(1)} takes no amendment" in done.err
    assert "the first run after it that is signed and holds, and there is none yet" in done.err
    assert office.qualification("status").code == 1


def test_the_reason_of_a_tampered_day_is_signed_in_a_later_run(tmp_path: Path) -> None:
    """A run whose signature does not hold takes no amendment: the next one that holds says why, and names it."""
    office = Office(tmp_path)
    office.days(5, 4)

    def attack(connection: sqlite3.Connection) -> None:
        ((seq,),) = connection.execute(
            "SELECT seq FROM events WHERE kind = 'entered' AND run = ?", (f"morning@{ago(5)}",)
        )
        rewritten(replaced(seq, b'"text":"3"', b'"text":"2"'))(connection)

    tampered(office.place.state / "opsconsole.db", attack)
    office.days(3, 2, 1)
    key = office.keys["jane"].fingerprint
    before = office.document()
    assert str(ago(5)) in before["open_resets"]
    assert before["reached"] == str(ago(1))
    for date in before["open_resets"]:
        done = office.qualification("reset", date, "--reason", "INC-1: somebody edited it", "--key", key, "--yes")
        assert done.code == 0, done.err
        assert f"its reason is given in the record of morning@{ago(3)}" in done.err
        assert f"why the count began anew with morning@{date}" in done.out
    after = office.document()
    assert after["open_resets"] == []
    assert [each["reset"]["reason"]["text"] for each in after["attempts"] if each["reset"]] == [
        "INC-1: somebody edited it"
    ] * len(before["open_resets"])
    assert "INC-1: somebody edited it" in office.qualification("status").out


# --- how it was, how it is ruled, and what can still be done ------------------------------------------


def test_another_moment_knows_nothing_of_the_review_that_came_later(office: Office) -> None:
    """`--at` yesterday shows the final review as it was then: not done, though it passed this morning."""
    office.review()
    then = office.qualification("status", "--at", str(ago(1)))
    assert fact(then.out, "stands").startswith("reached: 3 days")
    assert f"final@{ago(1)}  not done" in then.out
    assert f"the final review final@{ago(1)} was not done" in then.out
    assert "signed by Ravi" not in then.out
    assert "signed by Ravi" in office.qualification("status").out


def test_the_date_from_which_on_days_count_is_shown(office: Office) -> None:
    """Whoever decides sees that earlier days were left out by the definition, and programs can read it."""
    assert fact(office.qualification("status").out, "start") == ""
    assert office.document()["qualification"]["start"] is None
    office.define(f"{CLEAN}start = {ago(2)}\n")
    assert fact(office.qualification("status").out, "start") == f"{ago(2)}: nothing counts before it"
    assert office.document()["qualification"]["start"] == str(ago(2))
    rules = office.qualification("report").out.partition("## Rules")[2]
    assert re.search(rf"nothing counts before +\| {ago(2)} ", rules)


def test_what_nobody_can_sign_any_more_is_not_to_be_signed_first(tmp_path: Path) -> None:
    """A run that nobody is asked to sign is over: the hint names no command that would be refused."""
    office = Office(tmp_path, f'{CLEAN}unsigned = "count"\n')
    path = office.place.directory / "checklists" / "morning.toml"
    path.write_text(f"sign_off = {{ needed = false }}\n{path.read_text()}")

    async def failed(parts: Services) -> None:
        session = await parts.engine.open(parts.checklist("morning"))
        await session.enter("tickets", "50")
        await session.tick("look")
        await session.aclose()

    office.work(morning(ago(3)), failed)
    run, why = f"morning@{ago(3)}", "takes no amendment: it is over, and Tickets is FAIL"
    early = office.qualification("status").out
    assert f"OPEN: {run} {why}" in early
    assert "there is none yet" in early
    refused = office.qualification("exclude", str(ago(3)), "--reason", "the drill", "--yes")
    assert refused.code == 1
    assert f"{run} {why}" in refused.err
    for shown in (early, refused.err):
        assert f"opsconsole sign {run}" not in shown
    office.days(2)
    later = office.qualification("status").out
    assert f"OPEN: opsconsole qualification reset clean {ago(3)} --reason TEXT" in later
    assert f"opsconsole sign {run}" not in later
    key = office.keys["jane"].fingerprint
    done = office.qualification("reset", str(ago(3)), "--reason", "a burst pipe", "--key", key, "--yes")
    assert done.code == 0, done.err
