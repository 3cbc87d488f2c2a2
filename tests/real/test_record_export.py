"""A record in the hands of an auditor: signed with real keys, verified with nothing but OpenSSH and sha256sum.

The commands are the ones that the README of the record gives, taken from its text. As root they run in a chroot
that holds `sh`, `ssh-keygen` and `sha256sum`, as nobody; otherwise in an empty environment.
"""

import datetime as dt
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.export.record_readme import CHAIN_COMMANDS, SUMS_COMMAND
from opsconsole.model.events import Actor, AmendmentKind, Meaning, Noted, Via
from opsconsole.model.tiers import Tier
from opsconsole.signing.verifying import OpenSshVerifier
from support.needs import missing
from support.records import Auditor, Book, FileVerifier, Key, commands_of, make_key
from support.states import HOSTILE

FIRST = dt.date(2026, 11, 20)
SECOND = dt.date(2026, 11, 21)


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    """Somebody who has never heard of this program."""
    return Auditor(tmp_path_factory.mktemp("auditor"))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A store."""
    found = Book(tmp_path)
    yield found
    found.close()


@pytest.fixture
def jane(tmp_path: Path) -> Key:
    """An operator."""
    return make_key(tmp_path, "jane@example.org", "Jane Doe")


@pytest.fixture
def rob(tmp_path: Path) -> Key:
    """A reviewer."""
    return make_key(tmp_path, "rob@example.org", "Rob Roe")


@pytest.fixture
def record(book: Book, jane: Key, rob: Key, tmp_path: Path) -> Path:
    """The record of a run that was performed, reviewed and amended, with a run before and after it."""
    run = book.opened(FIRST)
    book.sign(run, jane)
    other = book.opened(SECOND)
    book.sign(run, rob, Meaning.REVIEWED, actor=Actor("rob", "Rob Roe", "ops02"))
    book.sign(other, jane)
    book.amend(run, jane, "the table was last week's")
    return book.write(run, tmp_path / "record", FileVerifier(jane.line(), rob.line()))


def readme_of(record: Path) -> str:
    """Return the README of a record."""
    return (record / "README").read_text()


def test_the_readme_s_commands_verify_it(record: Path, auditor: Auditor, jane: Key, rob: Key) -> None:
    """An auditor copies the commands out of the README, and each signature and each file is good."""
    auditor.receive(record)
    commands = commands_of(readme_of(record))
    assert [command.partition("-s ")[2].split()[0] for command in commands[:-1]] == [
        "01-performed.record.sig",
        "02-reviewed.record.sig",
        "03-amended.record.sig",
    ]
    assert commands[-1] == SUMS_COMMAND
    answers = [auditor.run(each) for each in commands]
    assert [each.code for each in answers] == [0] * 4
    for answer, namespace, key in zip(answers, ("run", "review", "run"), (jane, rob, jane), strict=False):
        good = f'Good "{namespace}@opsconsole.v1" signature for {key.principal} with ED25519 key {key.fingerprint}'
        assert answer.said.strip() == good
        assert key.fingerprint in readme_of(record)
    named = {line.partition(":")[0] for line in answers[-1].said.splitlines()}
    files = {each.relative_to(record).as_posix() for each in record.rglob("*") if each.is_file()}
    assert named == files - {"SHA256SUMS.sha256"}


def test_there_is_nothing_else_on_the_auditor_s_machine(record: Path, auditor: Auditor) -> None:
    """The test would be worth nothing if the program or its Python could be reached."""
    auditor.receive(record)
    if not auditor.confined:
        missing("NOT ROOT: the commands saw the machine's programs, in an empty environment only.")
    for command in ("python3 -V", "opsconsole --version", "ls"):
        assert auditor.run(command).code == 127


def test_the_chain_can_be_recomputed(record: Path, auditor: Auditor) -> None:
    """The optional lines of the README print nothing for a sound chain, and name an event that was changed."""
    place = auditor.receive(record)
    assert f"    {CHAIN_COMMANDS.splitlines()[0]}\n" in readme_of(record)
    answer = auditor.run(CHAIN_COMMANDS)
    assert (answer.code, answer.said) == (0, "")
    events = place / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b"both look fine", b"all looks fine"))
    assert "was changed" in auditor.run(CHAIN_COMMANDS).said


def test_every_signed_file_is_the_events_and_the_statement(record: Path) -> None:
    """What was signed is nothing but the stored events up to the signature, and the statement as the last line."""
    events = (record / "events.jsonl").read_bytes().splitlines()
    for name, count in (("01-performed", 5), ("02-reviewed", 6), ("03-amended", 7)):
        *lines, statement = (record / f"{name}.record").read_bytes().splitlines()
        assert lines == events[:count]
        assert statement in events[count]


# --- what is changed is noticed ---------------------------------------------------------------------


def flipped(content: bytes, bit: int) -> bytes:
    """Return `content` with one bit turned over."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def bits_of(content: bytes, count: int, seed: str) -> list[int]:
    """Return the first, the last and some bits between."""
    chosen = random.Random(seed).sample(range(len(content) * 8), min(count, len(content) * 8))
    return sorted({0, len(content) * 8 - 1, *chosen})


def test_a_flipped_bit_is_noticed_in_every_file(record: Path, auditor: Auditor) -> None:
    """Damage anywhere in a record, be it one bit, is found by the README's commands: 100 % of them."""
    place = auditor.receive(record)
    commands = commands_of(readme_of(record))
    assert auditor.verifies(commands)
    files = sorted(each for each in place.rglob("*") if each.is_file())
    tried = 0
    for path in files:
        content = path.read_bytes()
        for bit in bits_of(content, 8, path.name):
            if spelt_otherwise(content, bit) and path.name == "SHA256SUMS.sha256":
                continue
            tried += 1
            path.write_bytes(flipped(content, bit))
            assert not auditor.verifies([commands[-1]]), f"bit {bit} of {path.name} was flipped"
        path.write_bytes(content)
    assert auditor.verifies(commands)
    assert tried >= 8 * len(files) - 8


def spelt_otherwise(content: bytes, bit: int) -> bool:
    """Return whether a flip makes `a` of a hexadecimal sum `A`, which is the same sum."""
    byte = content[bit // 8]
    return bit % 8 == 5 and chr(byte) in "abcdef"


def test_every_bit_of_the_list_of_sums_counts(record: Path, auditor: Auditor) -> None:
    """No bit of the outermost sum can be turned without notice, but for the case of its hexadecimal digits.

    Those are the only bits of a whole record that say nothing.
    """
    place = auditor.receive(record)
    outermost = place / "SHA256SUMS.sha256"
    content = outermost.read_bytes()
    digits = content[:64]
    (place / "flips").mkdir()
    for bit in range(len(content) * 8):
        (place / "flips" / f"{bit}").write_bytes(flipped(content, bit))
    auditor.give(place / "flips")
    loop = (
        'for f in flips/*; do sha256sum --strict -c "$f" SHA256SUMS > /dev/null 2>&1 && echo "${f#flips/}"; done; :'
    )
    unnoticed = {int(each) for each in auditor.run(loop).said.split()}
    assert unnoticed == {8 * at + 5 for at, digit in enumerate(digits) if chr(digit) in "abcdef"}


@pytest.mark.parametrize("name", ["SHA256SUMS", "SHA256SUMS.sha256", "events.jsonl", "chain.txt", "README"])
def test_a_lost_line_is_noticed(record: Path, auditor: Auditor, name: str) -> None:
    """A line that is gone is found, also where it is one of the sums, which `sha256sum -c` alone would not miss."""
    path = auditor.receive(record) / name
    lines = path.read_bytes().splitlines(keepends=True)
    for gone in {0, len(lines) // 2, len(lines) - 1}:
        path.write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
        assert not auditor.verifies([SUMS_COMMAND]), f"line {gone} of {name} is gone"


def rewritten_sums(place: Path, auditor: Auditor) -> None:
    """Do what a forger does last: write sums that fit."""
    files = sorted(each for each in place.rglob("*") if each.is_file() and not each.name.startswith("SHA256SUMS"))
    names = " ".join(each.relative_to(place).as_posix() for each in files)
    (place / "SHA256SUMS").write_text(auditor.run(f"sha256sum {names}").said)
    (place / "SHA256SUMS.sha256").write_text(auditor.run("sha256sum SHA256SUMS").said)
    assert auditor.verifies([SUMS_COMMAND])


def test_a_forged_record_is_noticed_although_its_sums_fit(record: Path, auditor: Auditor) -> None:
    """Whoever changes what was signed, and every sum with it, is found by the signature: any bit, any line."""
    place = auditor.receive(record)
    command = commands_of(readme_of(record))[0]
    path = place / "01-performed.record"
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    forged = [flipped(content, bit) for bit in bits_of(content, 20, "record")]
    forged += [b"".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines))]
    forged += [content + b"\n", content[:-1], lines[1] + lines[0] + b"".join(lines[2:])]
    for each in forged:
        path.write_bytes(each)
        assert not auditor.verifies([command])
    rewritten_sums(place, auditor)
    assert not auditor.verifies([command])


def test_signatures_cannot_change_places(record: Path, auditor: Auditor) -> None:
    """A review is no sign-off, and an amendment's signature is not the one of the run."""
    commands = commands_of(readme_of(record))[:-1]
    names = ["01-performed", "02-reviewed", "03-amended"]
    for command, own in zip(commands, names, strict=True):
        for other in names:
            place = auditor.receive(record)
            shutil.copy(record / f"{other}.record.sig", place / f"{own}.record.sig")
            auditor.give(place / f"{own}.record.sig")
            assert auditor.verifies([command]) is (own == other)


def test_a_signature_of_another_run_does_not_fit(book: Book, jane: Key, tmp_path: Path, auditor: Auditor) -> None:
    """Two runs of one operator, alike but for their day: neither signature stands for the other run."""
    verifier = FileVerifier(jane.line())
    records = []
    for date in (FIRST, SECOND):
        run = book.opened(date)
        book.sign(run, jane)
        records.append(book.write(run, tmp_path / run, verifier))
    for own, other in (records, reversed(records)):
        place = auditor.receive(own)
        command = commands_of(readme_of(own))[0]
        assert auditor.verifies([command])
        shutil.copy(other / "01-performed.record.sig", place)
        auditor.give(place / "01-performed.record.sig")
        assert not auditor.verifies([command])
        shutil.copy(other / "01-performed.record", place)
        auditor.give(place / "01-performed.record")
        assert str(SECOND if own == records[0] else FIRST) in (place / "01-performed.record").read_text()


# --- keys -------------------------------------------------------------------------------------------


def test_a_retired_key_still_verifies(book: Book, jane: Key, tmp_path: Path, auditor: Auditor) -> None:
    """Jane left a month after she signed: her line has an end now, and what she signed before stays good."""
    run = book.opened(FIRST)
    book.sign(run, jane)
    retired = jane.line('namespaces="run@opsconsole.v1"', 'valid-before="20261221Z"')
    out = book.write(run, tmp_path / "record", FileVerifier(retired))
    place = auditor.receive(out)
    assert (place / "allowed_signers").read_text() == retired
    assert auditor.verifies(commands_of(readme_of(out)))


def test_a_key_that_was_retired_before_does_not(book: Book, jane: Key, tmp_path: Path, auditor: Auditor) -> None:
    """A signature that was made after the end of its key is refused at its own time."""
    run = book.opened(FIRST)
    book.sign(run, jane)
    out = book.write(run, tmp_path / "record", FileVerifier(jane.line('valid-before="20261101Z"')))
    auditor.receive(out)
    answer = auditor.run(commands_of(readme_of(out))[0])
    assert answer.code != 0
    assert "expired" in answer.said


def test_somebody_else_s_key_under_the_same_name_does_not(
    book: Book, jane: Key, rob: Key, tmp_path: Path, auditor: Auditor
) -> None:
    """With the auditor's own list of signers a forged one is worth nothing."""
    run = book.opened(FIRST)
    book.sign(run, jane)
    out = book.write(run, tmp_path / "record", FileVerifier(jane.line()))
    place = auditor.receive(out)
    (place / "allowed_signers").write_text(rob.line().replace(rob.principal, jane.principal))
    assert not auditor.verifies(commands_of(readme_of(out))[:1])


@pytest.mark.parametrize(
    ("revoked", "listed", "said"),
    [
        (False, True, "When this was written, it held."),
        (True, True, "WHEN THIS WAS WRITTEN, IT DID NOT HOLD: the key SHA256:"),
        (False, False, "When this was written, nobody knew whose key that is: nobody of the allowed signers"),
    ],
)
def test_the_readme_tells_what_its_host_made_of_it(
    book: Book, jane: Key, tmp_path: Path, auditor: Auditor, revoked: bool, listed: bool, said: str
) -> None:
    """A revoked key is told where the signature stands: OpenSSH alone, without the list of them, takes it."""
    run = book.opened(FIRST)
    book.sign(run, jane)
    signers, revocations = tmp_path / "allowed_signers", tmp_path / "revoked_keys"
    signers.write_text(jane.line() if listed else "")
    revocations.write_text(f"{jane.public}\n" if revoked else "")
    for each in (signers, revocations):
        each.chmod(0o644)
    out = book.write(run, tmp_path / "record", OpenSshVerifier(signers, revocations))
    auditor.receive(out)
    assert said in " ".join(readme_of(out).split())
    assert auditor.verifies(commands_of(readme_of(out)))
    assert (out / "allowed_signers").exists() is listed


def test_an_unlisted_signer_is_not_pretended_to_be_known(
    book: Book, jane: Key, tmp_path: Path, auditor: Auditor
) -> None:
    """Where nobody says whose key it is, the README proves the key and says that it proves no more."""
    run = book.opened(FIRST)
    book.sign(run, jane)
    out = book.write(run, tmp_path / "record", None)
    auditor.receive(out)
    assert not (out / "allowed_signers").exists()
    first, sums = commands_of(readme_of(out))
    assert "-Y check-novalidate" in first
    assert "It was not checked when this was written" in readme_of(out)
    assert "Whose key signed 01-performed is not told by the allowed signers" in " ".join(readme_of(out).split())
    assert jane.fingerprint in auditor.run(first).said
    assert auditor.verifies([first, sums])


@pytest.mark.parametrize("principal", ["o'brien; rm -rf *", "$(id)", "jürgen `id`", "-I", "two words"])
def test_a_principal_is_quoted(book: Book, tmp_path: Path, auditor: Auditor, principal: str) -> None:
    """Whatever the signer is called, the command says it and does nothing else."""
    key = make_key(tmp_path, principal, "Odd Name")
    run = book.opened(FIRST)
    book.sign(run, key)
    out = book.write(run, tmp_path / "record", FileVerifier(key.line()))
    auditor.receive(out)
    answer = auditor.run(commands_of(readme_of(out))[0])
    assert answer.said.startswith(f'Good "run@opsconsole.v1" signature for {principal} with ED25519 key ')
    assert auditor.verifies(commands_of(readme_of(out)))


# --- what was not signed ----------------------------------------------------------------------------


@pytest.mark.parametrize("tier", [Tier.ATTRIBUTED, Tier.REAUTHENTICATED])
def test_a_login_is_no_signature(book: Book, tmp_path: Path, auditor: Auditor, tier: Tier) -> None:
    """A run that is attributed to a login says so, offers no signature to verify, and its files are still whole."""
    run = book.opened(FIRST)
    book.sign(run, None, tier=tier)
    out = book.write(run, tmp_path / "record", None)
    auditor.receive(out)
    text = " ".join(readme_of(out).split())
    assert "No key signed this: nothing proves who it was." in text
    assert "not cryptographically signed" in text
    assert "There is no signature of a key in here" in text
    assert commands_of(readme_of(out)) == [SUMS_COMMAND]
    assert auditor.verifies([SUMS_COMMAND])
    assert sorted(each.name for each in out.glob("01-*")) == ["01-performed.record"]


def test_an_unsigned_run_says_so(book: Book, tmp_path: Path, auditor: Auditor) -> None:
    """A run that nobody signed can be exported, and nobody can take it for a signed one."""
    run = book.opened(FIRST)
    out = book.write(run, tmp_path / "record", None)
    auditor.receive(out)
    assert "Nobody: THIS RUN IS NOT SIGNED." in readme_of(out)
    assert commands_of(readme_of(out)) == [SUMS_COMMAND]
    assert auditor.verifies([SUMS_COMMAND])
    assert auditor.run(CHAIN_COMMANDS).said == ""


def test_a_hostile_run_is_harmless(book: Book, jane: Key, tmp_path: Path, auditor: Auditor) -> None:
    """Escapes, markup and shell in notes, names and reasons change neither the README nor its commands."""
    run = book.opened(FIRST)
    hostile = Actor("ev|l;reboot", "\x1b]0;owned\x07 `id` $(id)", "host\n    rm -rf /", Via.CONSOLE)
    for text in HOSTILE:
        book.add(run, Noted("collectors", text), actor=hostile)
    book.sign(run, jane, actor=hostile)
    amendment = "\n    sha256sum /etc/shadow\nHow to verify it\n    reboot\x1b[2J"
    book.amend(run, jane, amendment)
    out = book.write(run, tmp_path / "record", FileVerifier(jane.line()))
    readme = readme_of(out)
    assert readme.isprintable() or set(readme) - {"\n"} == {char for char in readme if char.isprintable()}
    assert all("ssh-keygen" in each or each == SUMS_COMMAND for each in commands_of(readme))
    assert readme.count("\nHow to verify it\n") == 1
    auditor.receive(out)
    assert auditor.verifies(commands_of(readme))
    assert "\x1b" not in (out / "record.md").read_text() + (out / "record.json").read_text()
    assert AmendmentKind.FAILED in (out / "record.json").read_text()
