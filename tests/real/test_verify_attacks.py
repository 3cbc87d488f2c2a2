"""Which attack on a record is found by what: the chain, the signatures, and each place that keeps heads."""

import asyncio
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsconsole.engine.signoff import payload_of, sign_statement, statement_now
from opsconsole.model.events import Meaning, Signature
from opsconsole.model.tiers import Tier
from opsconsole.model.verification import Standing
from opsconsole.store.sqlite import SqliteStore
from support import tampering
from support.anchored import RUN_1, RUN_2, RUN_3, Scene, filled, found, replaced, run_of, scene, written
from support.events import opening
from support.forging import replaced as document_replaced
from support.forging import rewritten, signature_moved
from support.ssh import make_key, signed
from support.tampering import Attack, tampered

NOTE, FIRST, SECOND, OPEN = 4, 5, 12, 14
"""Events of the record: a note, the sign-offs of two runs, and the last note of the open one."""

PAPER = Path(__file__).parents[2] / "docs" / "verification.md"
CHAIN, SIGNATURES = "chain", "signatures"
HEADS, SYSLOG, GIT, EXPORTS = "last-seen heads", "syslog", "git", "exports"
KEPT = (HEADS, SYSLOG, GIT, EXPORTS)
FINDERS = (CHAIN, SIGNATURES, *KEPT)


def in_database(attack: Attack) -> Callable[[Scene, Path], None]:
    """Return an attack with a database tool."""
    return lambda at, _copy: tampered(at.database, attack)


def wiped(at: Scene, _copy: Path) -> None:
    """Remove the record, and begin another one in its place."""
    at.database.unlink()
    with SqliteStore(at.database) as store:
        store.append([opening()])


def forged(at: Scene, _copy: Path) -> None:
    """Sign the open run under Jane's name, with a key that is not hers."""
    stranger = make_key(at.directory / "stranger")

    async def work() -> None:
        with SqliteStore(at.database) as store:
            async with run_of(at, store, at.now.date()) as session:
                assert session.state.run == RUN_3
                await filled(session)
                person = at.verifier().people()[0]
                statement = statement_now(session, Meaning.PERFORMED, person)
                armored = signed(stranger.path, "run@opsconsole.v1", payload_of(session, statement))
                signature = Signature(Tier.SIGNED, person.principal, person.fingerprint, armored)
                await sign_statement(session, statement, signature)

    asyncio.run(work())


ATTACKS: dict[str, tuple[Callable[[Scene, Path], None], set[str]]] = {
    "an event edited": (in_database(tampering.edit(NOTE)), {CHAIN}),
    "an event edited, with a fitting hash": (in_database(tampering.edit_and_hash(NOTE)), {CHAIN, EXPORTS}),
    "an event deleted": (in_database(tampering.delete_and_close_up(NOTE)), {CHAIN, *KEPT}),
    "an event inserted": (in_database(tampering.insert_before(NOTE)), {CHAIN, *KEPT}),
    "events reordered": (in_database(tampering.swap(NOTE - 1)), {CHAIN, EXPORTS}),
    "an event edited, all after it hashed anew": (in_database(tampering.edit_and_chain(NOTE)), {CHAIN, *KEPT}),
    "the same, with the statements rewritten": (
        in_database(rewritten(tampering.edit(NOTE))),
        {SIGNATURES, *KEPT},
    ),
    "an unsigned event at the end edited, hashed anew": (in_database(tampering.edit_and_chain(OPEN)), {HEADS}),
    "the end cut off, a sign-off with it": (in_database(tampering.cut_off(SECOND)), set(KEPT)),
    "wiped, and begun anew": (wiped, set(KEPT)),
    "an old copy put back": (replaced, set(KEPT)),
    "a signature moved from another run": (
        in_database(rewritten(signature_moved(FIRST, SECOND))),
        {SIGNATURES, *KEPT},
    ),
    "a sign-off forged with another key": (forged, {SIGNATURES}),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, Path]]:
    """Write the record, with its heads in every place, once for all tests."""
    with scene(tmp_path_factory.mktemp("scene")) as at:
        copy = written(at)
        yield at, copy


@pytest.fixture
def attacked(template: tuple[Scene, Path], tmp_path: Path) -> Iterator[tuple[Scene, Path]]:
    """Give the scene with its record as it was written, whatever tests do to it."""
    at, copy = template
    sound = tmp_path / "sound.db"
    shutil.copy2(at.database, sound)
    now = at.now
    yield at, copy
    replaced(at, sound)
    at.now = now


def finders(at: Scene) -> set[str]:
    """Return what finds that the record is not what was written."""
    with SqliteStore(at.database) as store:
        alone = at.verifying(store)
        broken = {CHAIN} if alone.chain.broken is not None else set()
        if any(code.startswith("signature-") for code in found(list(alone.runs()))):
            broken.add(SIGNATURES)
        for name, anchor in at.anchors(store).items():
            if found(list(at.verifying(store, anchor).anchors())):
                broken.add(name)
    return broken


def test_an_untouched_record_holds(attacked: tuple[Scene, Path]) -> None:
    """Nothing is called broken where nothing was done: an alarm that is always on is none."""
    at, _ = attacked
    assert finders(at) == set()
    with SqliteStore(at.database) as store:
        verifying = at.verifying(store, *at.anchors(store).values())
        assert [str(each.standing) for each in verifying.runs()] == ["verified", "verified", "unsigned"]
        anchors = {each.name: each for each in verifying.anchors()}
        assert anchors["git"].heads == 4
        assert anchors["git"].furthest_seq == SECOND
        assert anchors[HEADS].furthest_seq == OPEN


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_is_found(attacked: tuple[Scene, Path], name: str) -> None:
    """Whoever changes the record is found out, by exactly what the page on verification says."""
    at, copy = attacked
    attack, expected = ATTACKS[name]
    attack(at, copy)
    assert finders(at) == expected


SHAPES: dict[str, tuple[int, bytes, bytes]] = {
    "nested without end": (NOTE, b'"id":', b'"a":' + b"[" * 100_000 + b"]" * 100_000 + b',"id":'),
    "no UTF-8": (NOTE, b"a note", b"a \xff\xfe"),
    "dated in no zone": (NOTE, b'Z","body"', b'","body"'),
    "signed in no zone": (FIRST, b'Z","store_id"', b'","store_id"'),
    "a key given twice": (NOTE, b'"text":"a note"', b'"text":"another","text":"a note"'),
    "in two lines": (NOTE, b'{"actor":', b'{\n"actor":'),
}
"""Documents as only hands make them: the event, what stands there, and what is put in its place."""


@pytest.mark.parametrize("name", SHAPES)
def test_a_document_of_any_shape(attacked: tuple[Scene, Path], name: str) -> None:
    """It is called broken, whatever it is, and every run is told of: nothing ends the verification."""
    at, _ = attacked
    seq, old, new = SHAPES[name]
    tampered(at.database, document_replaced(seq, old, new))
    tampered(at.database, tampering.chain_anew)
    with SqliteStore(at.database) as store:
        runs = list(at.verifying(store).runs())
    assert [each.run for each in runs] == [RUN_1, RUN_2, RUN_3]
    assert runs[0].standing is Standing.BROKEN


def test_the_page_says_what_these_tests_show() -> None:
    """The table that operators and auditors read is the table that is tested."""
    rows = re.findall(r"^\| ([^|]+) \|(.*)\|$", PAPER.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name.strip(): [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    assert told["attack"] == ["chain", "signatures", "last-seen heads", "journal, syslog", "git", "exports"]
    for name, (_, expected) in ATTACKS.items():
        assert told[name] == ["found" if each in expected else "" for each in FINDERS], name


def test_what_an_attack_leaves_is_still_told(attacked: tuple[Scene, Path]) -> None:
    """After a break in the second run the first one is still verified, and the others are called broken."""
    at, _ = attacked
    tampered(at.database, tampering.edit(11))
    with SqliteStore(at.database) as store:
        verifying = at.verifying(store)
        assert verifying.chain.broken is not None
        runs = list(verifying.runs())
        assert [str(each.standing) for each in runs] == ["verified", "broken", "broken"]
        assert {each.code for each in runs[2].findings if each.weight == "fault"} == {"behind-break"}
