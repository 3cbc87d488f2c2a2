r"""Names that come from outside and become paths: a file's, a run's, a period's, an output's. None leads elsewhere.

A checklist's id is `[a-z0-9][a-z0-9_-]{0,63}\Z` and a period one of five forms, so that no file that is made from
them, such as locks, spills, presence and exports, can lie anywhere but where it belongs.
"""

import re
import subprocess
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opsconsole.cli.main import main
from opsconsole.config.checklists import load_checklist
from opsconsole.config.limits import an_id
from opsconsole.contracts.store import RunKey
from opsconsole.export.files import OutputRefused, file_name
from opsconsole.model.calendar import period_named
from opsconsole.model.checklists import ID, Cadence, Checklist, Due
from opsconsole.model.values import Duration
from opsconsole.wiring.kinds import probe_kinds
from support.command import MANUAL, Installation, installed
from support.hostile import hostile_text

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
HOSTILE_NAMES = (
    "../../x",
    "..",
    ".",
    "a/../../b",
    "/etc/passwd",
    "-rf",
    "--all",
    "a b",
    "A",
    "é",
    "a\nb",
    "a\n",
    "a\x1b[2J",
    "x" * 65,
    "a.",
    "a%00b",
    "~root",
    "$(id)",
    "con\u202e",
    "a@b",
    "\uff41",
    "",
)
HOSTILE_RUNS = (
    "../../x@2026-11-21",
    "morning@../..",
    "morning@../../../../tmp/x",
    "morning@2026-11-21/../../x",
    "morning@2026-11-21\n",
    "morning@",
    "@2026-11-21",
    "@",
    "morning@2026-11-21@x",
    "morning@2026-W47",
    "morning@2026-13-01",
    "morning@99999-01-01",
    "morning@\u0662\u0660\u0662\u0666-11-21",
    "morning@2026-11-21\x1b]0;x\x07",
    "-x@2026-11-21",
    "MORNING@2026-11-21",
)


@given(hostile_text)
@example("a\n")
@example("\u0663")
def test_an_id_is_what_it_is_said_to_be(text: str) -> None:
    """The one pattern decides everywhere, to the very end of the text: no digit of another script, no line end."""
    assert (ID.fullmatch(text) is not None) == (NAME.match(text) is not None) == (an_id(text) is None)


@pytest.mark.parametrize(
    "name", [each for each in HOSTILE_NAMES if "/" not in each and each not in {"", ".", ".."}]
)
def test_a_checklist_is_named_after_its_file(tmp_path: Path, name: str) -> None:
    """A file of another name is refused with the reason, shown as text."""
    path = tmp_path / f"{name}.toml"
    path.write_text(MANUAL)
    loaded = load_checklist(path, probe_kinds(), check_trust=False)
    assert loaded.checklist is None
    assert all(str(each).isprintable() for each in loaded.problems)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation with one run, in a directory of its own."""
    found = installed(tmp_path_factory.mktemp("names"), morning=MANUAL)
    assert found.run("run", "morning", "--headless", "--quiet").code == 0
    return found


def everything(place: Installation) -> set[str]:
    """Return the names of all files of an installation and of the directory that it is in."""
    return {str(each) for each in place.directory.parent.rglob("*") if "locks" not in each.parts}


@pytest.mark.parametrize("run", HOSTILE_RUNS)
def test_a_run_that_is_none_makes_nothing(
    place: Installation, run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that takes a run refuses one that is none, and nothing is made anywhere."""
    monkeypatch.chdir(place.directory)
    before = everything(place)
    for words in (
        ("run", "--headless"),
        ("export",),
        ("export", "--format", "json"),
        ("verify",),
        ("sign",),
        ("amend", "--note", "x", "--reason", "y"),
        ("show",),
        ("history",),
    ):
        code = main(["--config", str(place.config), "--state", str(place.state), *words, "--", run])
        said = "".join(capsys.readouterr())
        assert code == 2, (words, said)
        assert "Traceback" not in said
        assert "\x1b" not in said
    assert everything(place) == before


@given(hostile_text, st.sampled_from(["2026-11-21", "2026-W47", "2026-11", "2026-Q4", "2026-11-21T1415Z", ""]))
def test_a_file_name_is_made_of_names_only(text: str, period: str) -> None:
    """Whatever stands in a run's name, its export lies in the directory that it was meant for."""
    for run in (f"{text}@{period}", f"morning@{text}", f"{text}@{text}", text, f"morning@{period}{text}"):
        try:
            name = file_name(run, ".md")
        except OutputRefused:
            continue
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}-[0-9QTWZ-]{7,16}\.md", name)
        assert Path(name).name == name


@given(hostile_text, st.sampled_from(Cadence))
@example("2026-11-21\n", Cadence.DAILY)
@example("20261121", Cadence.DAILY)
@example("2026-W47-1", Cadence.DAILY)
@example("\u0662\u0660\u0662\u0666-11-21", Cadence.DAILY)
def test_a_period_is_named_in_one_way_only(text: str, cadence: Cadence) -> None:
    """Two spellings of one day would be two runs."""
    definition = Checklist(id="morning", title="Morning", cadence=cadence, due=Due(every=Duration.parse("1 h")))
    found = period_named(text, definition, ZoneInfo("UTC"))
    assert found is None or (found.key == text and RunKey("morning", text).id == f"morning@{text}")


@pytest.mark.parametrize("name", ["../out.json", "sub/../../out.json", "é.json", "-x.json", "a b.json"])
def test_an_output_is_where_the_operator_says(place: Installation, name: str) -> None:
    """A path on the command line is the operator's own: it is written there, and a missing directory is refused."""
    target = place.directory / name
    done = place.run("export", "morning", "--format", "json", f"--output={name}")
    if "sub" in name:
        assert done.code == 2
        assert "there is no directory" in done.err
    else:
        assert done.code == 0, done
        assert target.resolve().is_file()
        target.unlink()


@pytest.mark.parametrize("name", ["", ".", "/", "nowhere/x", "x\ny", "/dev/full", "/proc/self/mem", "a" * 300])
def test_an_output_that_is_none(place: Installation, name: str) -> None:
    """What cannot be a file ends with words, not with a traceback or a device that was written to."""
    before = everything(place)
    done = place.run("export", "morning", "--format", "json", f"--output={name}")
    made = everything(place) - before
    assert "Traceback" not in done.err
    assert done.code in {2, 4} or (done.code == 0 and name == "x\ny")
    assert made <= {str(place.directory / "x\ny")}
    for each in made:
        Path(each).unlink()


# --- files made to cost time ---------------------------------------------------------------------------

BOMBS = {
    "40 kB of one dotted key": ".".join("a" * 20_000) + " = 1\n",
    "dotted keys on short lines": "".join(f"{'.'.join('a' * 900)}.k{n} = 1\n" for n in range(40)),
    "nested lists": "a = " + "[" * 1900,
    "nested lists on lines": "a = [" + "\n[" * 100_000,
    "nested tables": "a = " + "{a=" * 600,
    "a huge number": f"a = {'9' * 1990}\n",
    "many huge numbers": "".join(f"a{n} = {'9' * 1900}\n" for n in range(130)),
    "a huge exponent": "a = 1e999999999999\n",
    "a huge hexadecimal": f"a = 0x{'f' * 1900}\n",
    "a line of 2,001 characters": f"# {'x' * 1999}\n",
    "more than 256 kB": "#\n" * 140_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("where", ["config", "checklist"])
def test_a_bomb_ends_with_words(tmp_path: Path, bomb: str, where: str) -> None:
    """The real program, with a limit on memory, refuses a file that was made to cost time or memory, at once."""
    place = installed(tmp_path, morning=MANUAL)
    text = BOMBS[bomb]
    if where == "config":
        place.config.write_text(f'checklists = ["checklists"]\n{text}')
    else:
        place.write("bomb", f'title = "Bomb"\n{text}')
    began = time.monotonic()
    done = subprocess.run(
        ["prlimit", f"--as={2 << 30}", "--cpu=20", "--", *place.arguments("lint")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=place.environment(),
    )
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 15
    assert len(done.stdout) < 100_000


def test_a_deep_directory_of_links_ends(tmp_path: Path) -> None:
    """Links that lead on and on are followed so far and no further."""
    place = installed(tmp_path, morning=MANUAL)
    for number in range(60):
        (tmp_path / "checklists" / f"l{number}.toml").symlink_to(f"l{number + 1}.toml")
    (tmp_path / "checklists" / "loop.toml").symlink_to("loop.toml")
    done = place.run("lint")
    assert done.code == 2
    assert "Traceback" not in done.err
