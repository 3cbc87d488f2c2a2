"""Who may sign what, with which key, over which bytes; and what is left when a part of it fails."""

import asyncio
import itertools
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.config.settings import Config, SigningSettings, StorePlace
from opsconsole.contracts.anchor import Noted
from opsconsole.contracts.signer import SignatureRefused, SigningError
from opsconsole.contracts.store import AlreadySigned, Conflict
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.session import RunSession
from opsconsole.engine.signing import Signing, tier_of
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.events import Actor, AmendmentKind, Meaning, Signature
from opsconsole.model.foureyes import Signatory, in_common
from opsconsole.model.outcomes import Result
from opsconsole.model.people import Person
from opsconsole.model.record import record_bytes, statement_bytes
from opsconsole.model.signoff import says_the_same
from opsconsole.model.tiers import Tier
from opsconsole.wiring.signing import signing_of, verifier_of
from support.signed_runs import (
    FAILURES,
    JANE,
    RAVI,
    RUN,
    SHARED,
    Place,
    PlayedAnchor,
    PlayedAuthenticator,
    PlayedSigner,
    asking_for,
    candidate,
    done,
    person,
)

JANES = person("jane@example.org", "first")
JANES_OTHER = person("jane@example.org", "second")
RAVIS = person("ravi@example.org", "ravi")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A store of its own."""
    found = Place(tmp_path)
    yield found
    found.store.close()


# --- four eyes --------------------------------------------------------------------------------------

LOGINS = {"jane": JANE, "ravi": RAVI, "ops": SHARED}
KEYS = {"jane1": JANES, "jane2": JANES_OTHER, "ravi": RAVIS, "": None}


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (("jane", ""), ("ravi", ""), ""),
        (("jane", ""), ("jane", ""), "jane has performed"),
        (("jane", "jane1"), ("jane", "jane1"), "jane@example.org has performed"),
        (("jane", "jane1"), ("ravi", "jane1"), "jane@example.org has performed"),
        (("jane", "jane1"), ("ravi", "jane2"), "jane@example.org has performed"),
        (("jane", "jane1"), ("ravi", "ravi"), ""),
        (("jane", "jane1"), ("ravi", ""), ""),
        (("jane", "jane1"), ("jane", ""), "jane has performed"),
        (("jane", ""), ("jane", "ravi"), "jane has performed"),
        (("ops", "jane1"), ("ops", "ravi"), ""),
        (("ops", "jane1"), ("ops", "jane2"), "jane@example.org has performed"),
        (("ops", "jane1"), ("ops", ""), "ops has performed"),
        (("ops", ""), ("ops", "ravi"), "ops has performed"),
        (("ops", ""), ("ravi", "ravi"), ""),
    ],
)
async def test_nobody_reviews_what_they_performed(
    place: Place, first: tuple[str, str], second: tuple[str, str], refused: str
) -> None:
    """Another person is one with another key where both sign with keys, and else with another login too."""
    async with place.session(LOGINS[first[0]]) as session:
        await done(session)
        await signed_by(session, KEYS[first[1]])
    async with place.session(LOGINS[second[0]]) as session:
        if refused:
            with pytest.raises(ActionRefused, match=refused):
                await signed_by(session, KEYS[second[1]], Meaning.REVIEWED)
        else:
            await signed_by(session, KEYS[second[1]], Meaning.REVIEWED)
        assert len(session.state.signatures) == 1 + (not refused)


async def signed_by(session: RunSession, who: Person | None, meaning: Meaning = Meaning.PERFORMED) -> None:
    """Sign with a key, or with the login alone."""
    signing = Signing(session.store, PlayedSigner((who,) if who else ()))
    statement = statement_now(session, meaning, who)
    if who is None:
        await signing.attribute(session, statement)
    else:
        await signing.sign(session, statement, candidate(who))


async def test_a_review_is_held_to_four_eyes_when_it_is_stored_too(place: Place) -> None:
    """A statement that was made for one person cannot be signed by another, nor without a key."""
    async with place.session(SHARED) as session:
        await done(session)
        await signed_by(session, JANES)
        statement = statement_now(session, Meaning.REVIEWED, RAVIS)
        janes = Signature(Tier.SIGNED, JANES.principal, JANES.fingerprint, "played")
        for given_ in (janes, Signature(Tier.ATTRIBUTED), Signature(Tier.ATTRIBUTED, RAVIS.principal)):
            with pytest.raises(ActionRefused, match=r"not that of ravi@example\.org"):
                await sign_statement(session, statement, given_)
        nobodys = statement_now(
            session, Meaning.AMENDED, amendment=amendment_now(session, AmendmentKind.NOTE, "x", text="x")
        )
        with pytest.raises(ActionRefused, match="not that of a login without a key"):
            await sign_statement(session, nobodys, janes)
        await sign_statement(
            session, statement, Signature(Tier.SIGNED, RAVIS.principal, RAVIS.fingerprint, "played")
        )


async def test_a_key_that_logged_in_tells_people_apart(place: Place) -> None:
    """On other accounts but by the same SSH key: one person, as far as anybody can tell without signatures."""
    with_key = [Actor("one", key="SHA256:k"), Actor("two", key="SHA256:k"), Actor("three", key="SHA256:l")]
    async with place.signed(with_key[0]):
        pass
    async with place.session(with_key[1]) as session:
        with pytest.raises(ActionRefused, match="the key SHA256:k has performed"):
            statement_now(session, Meaning.REVIEWED)
        with pytest.raises(ActionRefused, match="the key SHA256:k has performed"):
            statement_now(session, Meaning.REVIEWED, person("x@example.org", "k"))
    async with place.session(with_key[2]) as session:
        statement_now(session, Meaning.REVIEWED)


async def test_who_amended_a_run_does_not_review_it(place: Place) -> None:
    """The corrections are the run's too: their author is no second pair of eyes, before the review and after it."""
    async with place.signed():
        pass
    async with place.session(RAVI) as session:
        note = amendment_now(session, AmendmentKind.NOTE, "forgotten", text="x")
        await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=note))
        with pytest.raises(ActionRefused, match="ravi has amended"):
            statement_now(session, Meaning.REVIEWED)
    async with place.session(SHARED) as session:
        statement = statement_now(session, Meaning.REVIEWED)
        assert statement.head_seq == session.state.signatures[-1].seq
        await sign_statement(session, statement)


async def test_one_person_reviews_a_run_once_for_what_it_is(place: Place) -> None:
    """A second review by the same person is refused until an amendment made the run another; others may join."""
    async with place.signed() as owner, place.session(RAVI) as session, place.session(SHARED) as third:
        await sign_statement(session, statement_now(session, Meaning.REVIEWED))
        with pytest.raises(ActionRefused, match="ravi has reviewed"):
            statement_now(session, Meaning.REVIEWED)
        await third.refresh()
        await sign_statement(third, statement_now(third, Meaning.REVIEWED))
        await owner.refresh()
        failed = amendment_now(owner, AmendmentKind.FAILED, "the log shows it", item="look")
        await sign_statement(owner, statement_now(owner, Meaning.AMENDED, amendment=failed))
        await session.refresh()
        again = statement_now(session, Meaning.REVIEWED)
        assert (again.result, again.head_seq) == (Result.FAIL, owner.state.last_seq)
        assert session.state.signed is not None
        assert again.amends == session.state.signed.hash
        await sign_statement(session, again)
        with pytest.raises(ActionRefused, match="ravi has reviewed"):
            statement_now(session, Meaning.REVIEWED)


_signatories = st.builds(
    Signatory,
    login=st.sampled_from(["a", "b"]),
    principal=st.sampled_from(["", "p", "q"]),
    key=st.sampled_from(["", "k", "l"]),
    login_key=st.sampled_from(["", "k", "l"]),
)


@given(_signatories, _signatories)
def test_one_person_is_one_person_from_either_side(one: Signatory, other: Signatory) -> None:
    """The rule does not depend on who comes first, and nobody is two people."""
    assert in_common(one, other) == in_common(other, one)
    assert in_common(one, one)
    if not (one.key and other.key) and one.login == other.login:
        assert in_common(one, other)


# --- keys -------------------------------------------------------------------------------------------


async def test_the_key_signs_the_record_and_nothing_else(place: Place) -> None:
    """What the signer is given are the stored lines and the statement; its signature stands in the event."""
    signer, anchor = PlayedSigner((JANES,)), PlayedAnchor()
    signing = Signing(place.store, signer, anchors=(anchor,))
    async with place.session() as session:
        await done(session)
        (found,) = (await signing.offer(session, Meaning.PERFORMED)).candidates
        statement = statement_now(session, Meaning.PERFORMED, found.person)
        assert await signing.sign(session, statement, found) == ()
        signed = session.state.signed
    assert signed is not None
    assert signed.body.statement == statement
    assert (statement.principal, statement.name) == ("jane@example.org", "Jane")
    assert signed.body.signature == Signature(Tier.SIGNED, JANES.principal, JANES.fingerprint, "played signature 1")
    links = list(place.store.links(RUN))
    told = record_bytes([each.document for each in links[:-1]], statement_bytes(links[-1].document))
    assert signer.signed == [(told, Meaning.PERFORMED)]
    ((noted, record),) = anchor.noted
    assert (noted.head.seq, noted.head.hash, record) == (signed.seq, signed.hash, None)
    assert noted.what == "performed PASS by Jane (jane), signed"


@pytest.mark.parametrize("reason", ["declined", "expired", "no-agent"])
async def test_a_key_that_does_not_sign_leaves_the_run_as_it_was(place: Place, reason: str) -> None:
    """Whatever the agent says, nothing is stored and no anchor hears of it; the statement can be tried again."""
    signer, anchor = PlayedSigner((JANES,), SigningError(reason, "no", "do this")), PlayedAnchor()
    signing = Signing(place.store, signer, anchors=(anchor,))
    async with place.session() as session:
        await done(session)
        before = session.state.last_seq
        statement = statement_now(session, Meaning.PERFORMED, JANES)
        with pytest.raises(SigningError) as raised:
            await signing.sign(session, statement, candidate(JANES))
        assert raised.value.reason == reason
        assert (place.store.last_seq(RUN), anchor.noted) == (before, [])
        signer.refusal = None
        await signing.sign(session, statement, candidate(JANES))
        assert session.state.signed is not None


async def test_an_offer_says_why_there_is_no_key(place: Place) -> None:
    """Without people nobody is offered a key; without an agent the reason and the way on come with the offer."""
    async with place.session() as session:
        nobody = await Signing(place.store).offer(session, Meaning.PERFORMED)
        assert (nobody.candidates, nobody.refused) == ((), None)
        unnamed = Signing(place.store, PlayedSigner(refusal=SigningError("no-people", "nobody")))
        assert unnamed.has_people
        assert await unnamed.offer(session, Meaning.PERFORMED) == nobody
        assert not unnamed.has_people
        none = await Signing(place.store, PlayedSigner()).offer(session, Meaning.PERFORMED)
        assert none.refused is not None
        assert (none.refused.reason, none.refused.hint) == ("no-agent", "start one")
        await done(session)
        with pytest.raises(SigningError, match="nobody may sign with a key"):
            await Signing(place.store).sign(session, statement_now(session), candidate(JANES))


@pytest.mark.parametrize(
    ("wanted", "given_", "enough"),
    [(wanted, given_, given_.satisfies(wanted)) for wanted, given_ in itertools.product(Tier, Tier)],
)
async def test_the_checklist_says_how_strong_a_signature_must_be(
    place: Place, wanted: Tier, given_: Tier, enough: bool
) -> None:
    """A weaker one is refused and nothing is stored; that goes for reviews and amendments too."""
    key = person("jane@example.org", hardware=given_ is Tier.HARDWARE)
    signing = Signing(place.store, PlayedSigner((key,)), PlayedAuthenticator())
    async with place.session(checklist=asking_for(wanted)) as session:
        await done(session)
        statement = statement_now(session, Meaning.PERFORMED, key if given_.keyed else None)

        async def sign() -> None:
            if given_.keyed:
                assert tier_of(candidate(key)) is given_
                await signing.sign(session, statement, candidate(key))
            else:
                password = "correct horse" if given_ is Tier.REAUTHENTICATED else None
                await signing.attribute(session, statement, password)

        if enough:
            await sign()
            assert session.state.signed is not None
            assert session.state.signed.body.signature.tier is given_
        else:
            with pytest.raises(ActionRefused, match=f"asks for a sign-off that is {wanted}"):
                await sign()
            assert session.state.signed is None


async def test_a_password_is_given_again_or_nothing_is_signed(place: Place) -> None:
    """A wrong password, or a host that cannot ask for any, signs nothing; with the right one it says so."""
    async with place.session() as session:
        await done(session)
        statement = statement_now(session)
        with pytest.raises(SigningError, match="passwords cannot be asked for"):
            await Signing(place.store).attribute(session, statement, "correct horse")
        signing = Signing(place.store, authenticator=PlayedAuthenticator())
        with pytest.raises(SigningError, match="not the password of jane"):
            await signing.attribute(session, statement, "12345")
        assert session.state.signed is None
        await signing.attribute(session, statement, "correct horse")
        assert session.state.signed is not None
        assert session.state.signed.body.signature == Signature(Tier.REAUTHENTICATED)
    assert b"correct horse" not in b"".join(each.document for each in place.store.links(RUN))


# --- at the same moment -----------------------------------------------------------------------------


async def test_a_signature_that_comes_back_too_late_is_not_stored(place: Place) -> None:
    """While the key was waited for, somebody took a tick back: nothing is stored, and the run is seen as it is."""
    async with place.session() as session, place.session(RAVI) as other:
        await done(session)
        await other.refresh()
        loop = asyncio.get_running_loop()

        def meanwhile() -> None:
            asyncio.run_coroutine_threadsafe(other.untick("look"), loop).result(20)

        anchor = PlayedAnchor()
        signing = Signing(place.store, PlayedSigner((JANES,), before=meanwhile), anchors=(anchor,))
        with pytest.raises(Conflict):
            await signing.sign(session, statement_now(session, Meaning.PERFORMED, JANES), candidate(JANES))
        assert (session.state.signed, anchor.noted) == (None, [])
        assert session.state.items["look"].ticked is None
        with pytest.raises(ActionRefused, match="tick it"):
            statement_now(session, Meaning.PERFORMED, JANES)


async def test_a_run_that_changed_before_the_key_was_asked_is_not_signed(place: Place) -> None:
    """The session knows of the change already: it is the same conflict, and no hurdle that nobody was shown."""
    async with place.session() as session:
        await done(session)
        statement = statement_now(session)
        await session.untick("look")
        with pytest.raises(Conflict, match="changed since it was shown"):
            await sign_statement(session, statement)


async def test_of_two_sign_offs_at_once_one_counts(place: Place) -> None:
    """Two people who performed the same run at the same moment: one signature closes it."""
    async with place.session() as one, place.session(RAVI) as other:
        await done(one)
        await other.refresh()
        results = await asyncio.gather(
            sign_statement(one, statement_now(one)),
            sign_statement(other, statement_now(other)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, Conflict | AlreadySigned) for each in results) == 1
        state = place.engine().load(RUN)
        assert state is not None
        assert len(state.signatures) == 1


async def test_ctrl_c_while_the_key_is_waited_for_stores_nothing(place: Place) -> None:
    """The operator gives up before touching the key: whatever the key says later, the run is not signed."""
    asked, answer = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        answer.wait(20)

    signing = Signing(place.store, PlayedSigner((JANES,), before=wait))
    async with place.session() as session:
        await done(session)
        before = session.state.last_seq
        task = asyncio.create_task(
            signing.sign(session, statement_now(session, Meaning.PERFORMED, JANES), candidate(JANES))
        )
        await asyncio.to_thread(asked.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answer.set()
    assert place.store.last_seq(RUN) == before


async def test_ctrl_c_while_it_is_stored_comes_too_late(place: Place) -> None:
    """A transaction is not called back: the run is signed, the anchors keep it, and the operator hears so."""
    anchor = PlayedAnchor()
    keeping, go_on = threading.Event(), threading.Event()

    class SlowAnchor(PlayedAnchor):
        def keep(self, noted: Noted, record: Path | None) -> None:
            keeping.set()
            go_on.wait(20)
            super().keep(noted, record)

    signing = Signing(place.store, anchors=(SlowAnchor(), anchor))
    async with place.session() as session:
        await done(session)
        task = asyncio.create_task(signing.attribute(session, statement_now(session)))
        await asyncio.to_thread(keeping.wait, 20)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        go_on.set()
        assert await task == ()
        assert session.state.signed is not None
    assert len(anchor.noted) == 1


# --- anchors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: type(each).__name__)
async def test_an_anchor_that_fails_undoes_nothing_and_is_told(
    place: Place, failure: Exception, tmp_path: Path
) -> None:
    """The run is signed, the other anchors keep it, and the operator is told which one did not and why."""
    good = PlayedAnchor(name="good")
    signing = Signing(
        place.store, anchors=(PlayedAnchor(failure, name="bad"), good), export_record=lambda _run: tmp_path
    )
    async with place.session() as session:
        await done(session)
        (told,) = await signing.attribute(session, statement_now(session))
        assert told == f"bad: {failure}"
        assert session.state.signed is not None
    ((noted, record),) = good.noted
    assert (noted.run, record) == (RUN, tmp_path)


async def test_a_record_that_cannot_be_exported_is_told(place: Place) -> None:
    """Anchors that keep the head keep it all the same."""

    def fails(_run: str) -> Path:
        raise OSError(28, "No space left on device")

    anchor = PlayedAnchor()
    signing = Signing(place.store, anchors=(anchor,), export_record=fails)
    async with place.session() as session:
        await done(session)
        (told,) = await signing.attribute(session, statement_now(session))
    assert told.startswith("the record was not exported: ")
    assert [record for _, record in anchor.noted] == [None]


async def test_reviews_and_amendments_are_anchored_too(place: Place) -> None:
    """Each signature moves the head, and so each is noted, with what it said."""
    anchor = PlayedAnchor()
    signing = Signing(place.store, anchors=(anchor,))
    async with place.signed() as session, place.session(RAVI) as other:
        failed = amendment_now(session, AmendmentKind.FAILED, "the log shows it", item="look")
        await signing.attribute(session, statement_now(session, Meaning.AMENDED, amendment=failed))
        await other.refresh()
        await signing.attribute(other, statement_now(other, Meaning.REVIEWED))
    assert [noted.what for noted, _ in anchor.noted] == [
        "amended FAIL by Jane Doe (jane), attributed",
        "reviewed FAIL by Ravi Rao (ravi), attributed",
    ]


async def test_the_moment_is_all_that_may_differ(place: Place) -> None:
    """A statement that is made again a second later says the same, until the run or the signer is another."""
    async with place.session() as session:
        await done(session)
        one, later = statement_now(session), statement_now(session)
        assert one != later
        assert says_the_same(one, later)
        assert not says_the_same(one, statement_now(session, Meaning.PERFORMED, JANES))
        await session.note("", "one more thing")
        assert not says_the_same(one, statement_now(session))


# --- with OpenSSH -----------------------------------------------------------------------------------


def keys_of_two_people(directory: Path) -> Path:
    """Make a key for an operator, Jane, and one for a reviewer, Ravi; return the file of people."""
    lines = []
    for name, namespace in (("jane", "run@opsconsole.v1"), ("ravi", "review@opsconsole.v1")):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(directory / name)]
        subprocess.run(words, check=True, timeout=60)
        public = (directory / f"{name}.pub").read_text().strip()
        lines.append(f'{name}@example.org namespaces="{namespace}" {public} {name.capitalize()}\n')
    people = directory / "allowed_signers"
    people.write_text("".join(lines))
    people.chmod(0o600)
    return people


async def test_real_keys_sign_each_meaning_and_nothing_else_verifies(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh-keygen signs what the store holds; for another meaning, run or byte the signature is bad."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    people = keys_of_two_people(tmp_path)

    def config(name: str) -> Config:
        key = SigningSettings(key=str(tmp_path / name))
        where = StorePlace(path=tmp_path / "records.db")
        return Config(state=tmp_path, store=where, exports=tmp_path, allowed_signers=people, signing=key)

    async with place.session(SHARED) as session:
        await done(session)
        for name, meaning in (("jane", Meaning.PERFORMED), ("ravi", Meaning.REVIEWED)):
            signing = signing_of(config(name), place.store)
            offer = await signing.offer(session, meaning)
            assert offer.refused is None
            (found,) = offer.candidates
            await signing.sign(session, statement_now(session, meaning, found.person), found)
        refused = await signing_of(config("ravi"), place.store).offer(session, Meaning.AMENDED)
        assert refused.refused is not None
        signatures = session.state.signatures
    links = list(place.store.links(RUN))
    verifier = verifier_of(config("jane"))
    for each in signatures:
        statement, signature = each.body.statement, each.body.signature
        before = [link.document for link in links if link.seq <= statement.head_seq]
        (own,) = (link.document for link in links if link.seq == each.seq)
        payload = record_bytes(before, statement_bytes(own))
        who = verifier.check(payload, signature, statement.meaning, statement.signed_at)
        assert (who.principal, who.name) == (statement.principal, statement.name)
        other = Meaning.REVIEWED if statement.meaning is Meaning.PERFORMED else Meaning.PERFORMED
        for wrong, meaning in ((payload, other), (payload[:-1], statement.meaning), (own, statement.meaning)):
            with pytest.raises(SignatureRefused):
                verifier.check(wrong, signature, meaning, statement.signed_at)
