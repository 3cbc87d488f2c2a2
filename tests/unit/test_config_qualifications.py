"""Loading qualifications: what arrives in the model, and every problem of a file in words."""

import datetime as dt
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.config.qualifications import LoadedQualification, load_qualification, load_qualifications
from opsconsole.model.checklists import Cadence, Checklist, Due
from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.qualifications import ApprovalPolicy, Effect, Qualification
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Duration
from support.damaged import MUTATIONS, check

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "qualifications" / "qbr-9day.toml"
GOOD = """
title = "Nine clean days"
checklist = "qbr-daily"
days = 9
"""
EVERYTHING = """
title = "Nine clean days"
system = "qbr"
help = "Long\\ntext"
checklist = "qbr-daily"
days = 9
start = 2026-11-21
tier = "signed"
sign_within = "12 h"
warnings = "hold"
waivers = "reset"
skips = "hold"
unsigned = "hold"
missed = "hold"
definition_changes = "count"
review = "final"
phase = "Phase 5"
approval = { tier = "hardware-signed", own_work = true, within = "14 d" }
"""
CHECKLISTS = {
    "qbr-daily": Checklist(id="qbr-daily", title="Daily"),
    "weekly": Checklist(id="weekly", title="Weekly", cadence=Cadence.WEEKLY),
    "final": Checklist(id="final", title="Final", cadence=Cadence.ONCE, due=Due(after="nine")),
    "once": Checklist(id="once", title="Once", cadence=Cadence.ONCE, due=Due(on=dt.date(2026, 11, 21))),
    "other": Checklist(id="other", title="Other", cadence=Cadence.ONCE, due=Due(after="another")),
}


def load(tmp_path: Path, text: str, name: str = "nine") -> LoadedQualification:
    """Load a file of that text."""
    path = tmp_path / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return load_qualification(path, CHECKLISTS, check_trust=False)


def test_every_key_arrives(tmp_path: Path) -> None:
    """What a file says is what is counted by, and it survives being written down."""
    loaded = load(tmp_path, EVERYTHING)
    assert [str(each) for each in loaded.problems] == []
    assert loaded.qualification == Qualification(
        id="nine",
        title="Nine clean days",
        system="qbr",
        help="Long\ntext",
        checklist="qbr-daily",
        days=9,
        start=dt.date(2026, 11, 21),
        tier=Tier.SIGNED,
        sign_within=Duration.parse("12 h"),
        warnings=Effect.HOLD,
        waivers=Effect.RESET,
        skips=Effect.HOLD,
        unsigned=Effect.HOLD,
        missed=Effect.HOLD,
        definition_changes=Effect.COUNT,
        review="final",
        phase="Phase 5",
        approval=ApprovalPolicy(tier=Tier.HARDWARE, own_work=True, within=Duration.parse("14 d")),
    )
    assert decoded(canonical(loaded.qualification), Qualification) == loaded.qualification


def test_what_is_left_out_is_strict(tmp_path: Path) -> None:
    """Without a word a missed, unsigned or changed day resets, and nobody approves their own work."""
    found = load(tmp_path, GOOD).qualification
    assert found is not None
    assert (found.missed, found.unsigned, found.definition_changes) == (Effect.RESET,) * 3
    assert (found.approval.own_work, found.review) == (False, "")


def test_the_shipped_one_loads() -> None:
    """The nine days of the QBR collection are counted as its procedure says."""
    loaded = load_qualification(SHIPPED, check_trust=False)
    assert [str(each) for each in loaded.problems] == []
    assert loaded.qualification is not None
    assert (loaded.id, loaded.qualification.days, loaded.qualification.missed) == ("qbr-9day", 9, Effect.RESET)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["title", "checklist", "days"]),
        (f"{GOOD}dayz = 3\n", ["dayz", "days"]),
        (f'{GOOD}id = "nine"\n', ["the id of a qualification is the name of its file"]),
        (f'{GOOD}warnings = "hodl"\n', ["warnings", "hodl", "hold"]),
        (f'{GOOD}warnings = "pass"\n', ["warnings", "count"]),
        (f"{GOOD}warnings = 1\n", ["warnings"]),
        (f'{GOOD}missed = "count"\n', ["missed", "a day that nobody saw cannot count"]),
        (f'{GOOD}tier = "strong"\n', ["tier", "signed"]),
        (f'{GOOD}start = "tomorrow"\n', ["start"]),
        (f'{GOOD}sign_within = "soon"\n', ["sign_within"]),
        (f"{GOOD}sign_within = 24\n", ["sign_within"]),
        (f"{GOOD}approval = {{ own_wrok = true }}\n", ["own_wrok", "own_work"]),
        (f'{GOOD}approval = {{ own_work = "yes" }}\n', ["own_work"]),
        (f'{GOOD}approval = {{ within = "0 s" }}\n', ["within", "longer than nothing"]),
        (f'{GOOD}approval = "eva"\n', ["approval"]),
        (GOOD.replace("9", "0"), ["days", "1 to 366"]),
        (GOOD.replace("9", "367"), ["days", "1 to 366"]),
        (GOOD.replace("9", '"9"'), ["days"]),
        (GOOD.replace("9", "9.5"), ["days"]),
        (GOOD.replace("Nine clean days", ""), ["title", "must not be empty"]),
        (GOOD.replace("Nine clean days", "a\\nb"), ["title", "one line"]),
        (GOOD.replace("qbr-daily", "qbr-dialy"), ["there is no checklist 'qbr-dialy'", "qbr-daily"]),
        (GOOD.replace("qbr-daily", "QBR daily"), ["checklist", "is no id"]),
        (GOOD.replace("qbr-daily", "weekly"), ["days are counted, and 'weekly' is weekly"]),
        (f'{GOOD}review = "finale"\n', ["there is no checklist 'finale'", "final"]),
        (f'{GOOD}review = "qbr-daily"\n', ["'qbr-daily' is no review of it", 'after = "nine"']),
        (f'{GOOD}review = "once"\n', ["'once' is no review of it", 'cadence = "once"']),
        (f'{GOOD}review = "other"\n', ["'other' is no review of it"]),
        (f'{GOOD}help = "postgresql://u:hunter2@db/x"\n', ["help"]),
        ("title = ", ["nine.toml"]),
    ],
)
def test_a_problem_is_told_in_words(tmp_path: Path, text: str, words: list[str]) -> None:
    """Each mistake names the key and what could be written instead; nothing is counted by half a file."""
    loaded = load(tmp_path, text)
    told = "\n".join(str(each) for each in loaded.problems)
    assert loaded.qualification is None
    for each in words:
        assert each in told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Three mistakes are three lines, not three mornings."""
    text = GOOD.replace("9", "0") + 'warnings = "hodl"\ncolour = "red"\n'
    assert len(load(tmp_path, text).problems) == 3


def test_a_file_is_named_after_its_qualification(tmp_path: Path) -> None:
    """A name that cannot be typed on the command line is refused."""
    loaded = load(tmp_path, GOOD, "Nine Days")
    assert "the file is named after the id of its qualification" in str(loaded.problems[0])


def test_of_two_with_one_name_the_first_is_taken(tmp_path: Path) -> None:
    """Two places may hold qualifications; a doubled name is told, and which one was left out."""
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "nine.toml").write_text(GOOD)
    (tmp_path / "two" / "ten.toml").write_text(GOOD)
    loaded = load_qualifications([tmp_path / "one", tmp_path / "two"], CHECKLISTS, check_trust=False)
    assert [each.id for each in loaded.found] == ["nine", "ten"]
    assert [each.path.parent.name for each in loaded.found] == ["one", "two"]
    (problem,) = loaded.problems
    assert "left out, because" in str(problem)


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A typing mistake in the configuration is no empty list of qualifications."""
    loaded = load_qualifications([tmp_path / "nowhere"], CHECKLISTS, check_trust=False)
    assert [each.qualification for each in loaded.found] == [None]
    assert "there is no such file" in str(loaded.found[0].problems[0])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the damaged files are written."""
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), times=st.integers(1, 4))
def test_a_damaged_qualification_never_raises(directory: Path, seed: int, times: int) -> None:
    """A file with some accidents in it is loaded or refused with reasons, and never both."""
    pick, text = random.Random(seed), EVERYTHING
    for _ in range(times):
        text = pick.choice(MUTATIONS)(text, pick)
    path = directory / "nine.toml"
    path.write_text(text, encoding="utf-8")
    loaded = load_qualification(path, CHECKLISTS, check_trust=False)
    check(loaded.problems, text)
    assert (loaded.qualification is None) == bool(loaded.problems)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_bytes_never_raise(directory: Path, content: bytes) -> None:
    """A file that is no text at all is refused."""
    path = directory / "nine.toml"
    path.write_bytes(content)
    loaded = load_qualification(path, CHECKLISTS, check_trust=False)
    assert loaded.qualification is None
    assert loaded.problems
