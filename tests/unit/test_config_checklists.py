"""Loading checklists: what arrives in the model, what is warned of, and directories of them."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from opsconsole.config.checklists import LoadedChecklist, load_checklist, load_checklists
from opsconsole.config.items import DESCRIPTIVE, json_safe
from opsconsole.config.runbooks import load_runbook, runbook_path
from opsconsole.contracts.probe import ProbeKind
from opsconsole.model.checklists import Baseline, Cadence, Checklist, Covers, LooksBack, Required, RetryOn
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.encoding import canonical, decoded, definition_hash
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Duration
from support.fake_kinds import KINDS

ROOT = Path(__file__).parent.parent.parent
EVERYTHING = ROOT / "tests" / "corpus" / "good" / "everything.toml"
GOOD = """
title = "Good"
[[section]]
title = "Section"
[[section.item]]
id = "disk"
title = "Disk"
probe = "disk"
path = "/"
require = ["used < 80%"]
"""


def load(path: Path, sources: set[str] | None = None) -> LoadedChecklist:
    """Load a file, whoever owns it."""
    return load_checklist(path, KINDS, sources=sources, check_trust=False)


@pytest.fixture(scope="module")
def everything() -> Checklist:
    """The checklist that uses every key."""
    loaded = load(EVERYTHING, {"inventory"})
    assert [str(each) for each in (*loaded.problems, *loaded.warnings)] == []
    assert loaded.checklist is not None
    return loaded.checklist


def test_the_checklist_arrives(everything: Checklist) -> None:
    """What the file says is what the console shows and the run keeps."""
    assert everything.id == "everything"
    assert everything.cadence is Cadence.WEEKLY
    assert everything.due.grace == Duration.parse("90 min")
    assert (everything.due.holidays, everything.due.closed) == ("US-TX", (dt.date(2026, 12, 28),))
    assert everything.looks_back is LooksBack.SAME
    assert everything.needs_signature
    assert everything.schedule is not None
    assert everything.schedule.covers is Covers.PREVIOUS_DAY
    assert [section.title for section in everything.sections] == ["First", "Second"]
    assert [item.id for item in everything.items] == [
        "database", "disks", "tickets", "weather", "coffee", "web", "log",
    ]  # fmt: skip
    assert [field.required for field in everything.fields] == [Required.NEVER, Required.UNLESS_GREEN]


def test_an_item_arrives(everything: Checklist) -> None:
    """Common keys are the item's own, what the probe is told stands apart."""
    item = everything.items[0]
    assert item.require == (parse_condition("value < 50"), parse_condition("every size < 10 GiB"))
    assert item.on_empty is Outcome.FAIL
    assert item.on_timeout is Outcome.WARN
    assert item.retry is not None
    assert item.retry.on == (RetryOn.ERROR, RetryOn.FAIL)
    assert item.on_fail.runbook == "collection-failure"
    assert item.options.keys() == {"source", "query", "units"}


def test_options_are_kept_as_json_can_hold_them(everything: Checklist) -> None:
    """Numbers and dates of options are the same when read back from a record: no edit shows that was none."""
    web = next(item for item in everything.items if item.id == "web")
    assert (web.baseline, web.on_no_history) == (Baseline(30, 10), Outcome.SKIPPED)
    assert web.options["weight"] == "1.50"
    assert web.options["extra"] == {"when": "2026-11-21", "list": ["1.5", {"deep": True}]}
    assert json_safe(Decimal("0.10")) == "0.10"
    document = canonical(everything)
    assert decoded(document, Checklist) == everything
    assert canonical(decoded(document, Checklist)) == document


def test_an_option_may_bear_the_name_of_a_descriptive_key(everything: Checklist) -> None:
    """On a journal item `priority` is the journal's; keys that the engine acts upon cannot be taken."""
    log = next(item for item in everything.items if item.id == "log")
    assert log.options["priority"] == "warning"
    assert log.priority == ""
    assert everything.items[0].priority == "high"
    assert "timeout" not in DESCRIPTIVE


def test_a_comment_does_not_change_the_definition(tmp_path: Path) -> None:
    """Reformatting a file leaves the hash of its definition alone; changing a limit does not."""
    path = tmp_path / "good.toml"
    hashes = []
    for text in (GOOD, f"# comment\n{GOOD}", GOOD.replace("80%", "81%")):
        path.write_text(text)
        checklist = load(path).checklist
        assert checklist is not None
        hashes.append(definition_hash(checklist))
    assert hashes[0] == hashes[1] != hashes[2]


def test_all_problems_of_a_file_at_once(tmp_path: Path) -> None:
    """A file with many mistakes shows all of them, in the order of its lines."""
    path = tmp_path / "many.toml"
    path.write_text(
        'titel = "Many"\n'
        'due = { at = "25:00", days = 7 }\n'
        "[[section]]\n"
        'title = ""\n'
        "[[section.item]]\n"
        'id = "one"\n'
        'title = "One"\n'
        'probe = "disk"\n'
        'path = "srv"\n'
        'require = ["used < 80", "used <"]\n'
        'requires = ["two", "tree"]\n'
        "[[section.item]]\n"
        'id = "two"\n'
        'title = "Two"\n'
        'probe = "dsk"\n'
        "timeout = 0\n"
        'target = ["used < 80%"]\n'
        'requires = ["one"]\n'
    )
    told = [str(each).removeprefix(f"{path}:") for each in load(path).problems]
    assert told == [
        "1: unknown key 'titel'; did you mean 'title'?",
        "2: due.at: '25:00' is not a time of day; write it like '08:00'",
        '2: due.days: must be a text, not a whole number; put it in quotes: "7"',
        "4: section[1].title: must not be empty",
        "9: item 'one': path: 'srv' must begin with /",
        "10: item 'one': require[2]: 'used <': the limit after '<' is missing at the end",
        "11: item 'one': requires[2]: there is no item 'tree'; there are: one, two",
        "11: item 'one': requires: the item requires itself: one -> two -> one",
        "15: item 'two': probe: unknown probe 'dsk'; did you mean 'disk'?",
        "16: item 'two': timeout: must be a duration in quotes such as '10 s', not a whole number",
    ]


def test_sources_that_are_not_configured_are_warned_of(tmp_path: Path) -> None:
    """The checklist can be used, for its other items work; lint tells that this one will not."""
    path = tmp_path / "good.toml"
    path.write_text(
        GOOD + '[[section.item]]\nid = "db"\ntitle = "DB"\nprobe = "sql"\nsource = "inventry"\n'
        'query = "select 1 where now() > :scheduled"\nrequire = ["value == 1"]\n'
    )
    loaded = load(path, {"inventory"})
    assert loaded.checklist is not None
    assert [str(each).removeprefix(f"{path}:") for each in loaded.warnings] == [
        "15: warning: item 'db': source: the configuration names no source 'inventry'; did you mean 'inventory'?",
        "16: warning: item 'db': query: asks for :scheduled; add a schedule = { at = \"02:00\" } to the checklist",
    ]
    assert len(load(path).warnings) == 1


def test_many_warnings_are_no_problem(tmp_path: Path) -> None:
    """A file with more warnings than are told can still be used."""
    path = tmp_path / "good.toml"
    item = '[[section.item]]\nid = "db%"\ntitle = "DB"\nprobe = "sql"\nsource = "x"\nquery = ""\n'
    item += 'require = ["a == 1"]\n'
    path.write_text(GOOD + "".join(item.replace("%", str(number)) for number in range(150)))
    loaded = load(path, set())
    assert loaded.checklist is not None
    assert loaded.problems == ()
    assert str(loaded.warnings[-1]).endswith("warning: and 50 more problems")


class BrokenKinds(dict[str, ProbeKind]):
    """Probes one of which cannot be imported, as a third party's may."""

    def __getitem__(self, name: str) -> ProbeKind:
        """Return a probe; the one called `foreign` is broken."""
        if name == "foreign":
            raise OpsconsoleError("the probe 'foreign' cannot be loaded: no module named 'foreign'")
        return super().__getitem__(name)


@pytest.mark.parametrize("probe", ['probe = "foreign"', "path = '/'"])
def test_a_broken_probe_of_a_third_party(tmp_path: Path, probe: str) -> None:
    """A probe that cannot be imported is a problem of the items that use it, and of nothing else."""
    path = tmp_path / "good.toml"
    item = f'[[section.item]]\nid = "x"\ntitle = "X"\n{probe}\nrequire = ["used < 80%"]\n'
    path.write_text(GOOD + item)
    (problem,) = load_checklist(path, BrokenKinds(KINDS, foreign=KINDS["disk"]), check_trust=False).problems
    assert problem.item == "x"
    assert ("cannot be loaded" in problem.message) == ("foreign" in probe)


def test_a_directory(tmp_path: Path) -> None:
    """A directory gives its checklists by name; what an editor leaves there and the configuration are none."""
    for name in ("b.toml", "a.toml", ".#a.toml", "a.toml~", "notes.md"):
        (tmp_path / name).write_text(GOOD)
    (tmp_path / "config.toml").write_text("")
    loaded = load_checklists([tmp_path], KINDS, check_trust=False)
    assert [each.id for each in loaded.found] == ["a", "b"]
    assert loaded.problems == ()


def test_a_broken_checklist_hides_no_other(tmp_path: Path) -> None:
    """One file with a mistake is told, and the others are there."""
    (tmp_path / "a.toml").write_text("title =")
    (tmp_path / "b.toml").write_text(GOOD)
    found = load_checklists([tmp_path], KINDS, check_trust=False).found
    assert [(each.id, each.checklist is None, len(each.problems)) for each in found] == [
        ("a", True, 1),
        ("b", False, 0),
    ]


def test_two_of_one_name(tmp_path: Path) -> None:
    """History hangs on the id, so the second file of a name is left out and told; the same file twice is once."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "good.toml").write_text(GOOD)
    one, two = tmp_path / "one", tmp_path / "two"
    loaded = load_checklists([one, one / "good.toml", two], KINDS, check_trust=False)
    assert [each.path for each in loaded.found] == [one / "good.toml"]
    assert [str(each) for each in loaded.problems] == [
        f"{two}/good.toml: left out, because {one}/good.toml is called 'good' too"
    ]


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    """A configured directory that is missing is told like a missing checklist."""
    (found,) = load_checklists([tmp_path / "missing"], KINDS, check_trust=False).found
    assert [str(each) for each in found.problems] == [f"{tmp_path}/missing: there is no such file"]


def test_the_line_of_an_item_that_is_not_named(tmp_path: Path) -> None:
    """An item without an id is told by its place, counted from one."""
    path = tmp_path / "good.toml"
    path.write_text(GOOD.replace('id = "disk"\n', ""))
    assert [str(each) for each in load(path).problems] == [f"{path}:5: section[1].item[1].id: is missing"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("good.md", "# Heading\n", None),
        ("good.md", " \n", "the runbook is empty"),
        ("Bad Name.md", "x", "'Bad Name' is no name of a runbook: lower-case letters, digits, '-' and '_'"),
        ("long.md", "word " * 3000, None),
        ("huge.md", "word\n" * 60_000, "is larger than 256 kB, so it is not read"),
    ],
)
def test_runbooks(tmp_path: Path, name: str, text: str, problem: str | None) -> None:
    """A runbook is read whole or refused with the reason; paragraphs may be long lines."""
    path = tmp_path / name
    path.write_text(text)
    loaded = load_runbook(path, check_trust=False)
    assert loaded.text == (None if problem else text)
    assert [each.message for each in loaded.problems] == ([problem] if problem else [])


def test_where_a_runbook_is() -> None:
    """Runbooks lie in a directory of their own beside the checklist."""
    assert runbook_path(Path("/x/a.toml"), "b") == Path("/x/runbooks/b.md")


def test_loading_is_light() -> None:
    """Cron starts the program often: neither a driver nor the console's library is loaded to read a checklist."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from opsconsole.config.checklists import load_checklist\n"
        "from opsconsole.config.loading import load_config\n"
        "from opsconsole.config.linting import lint_paths\n"
        f"load_checklist(Path({str(EVERYTHING)!r}), {{}}, check_trust=False)\n"
        "load_config(source_kinds={})\n"
        "heavy = {'psycopg', 'psutil', 'textual', 'rich', 'typer', 'asyncio', 'sqlite3', 'platformdirs.macos'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
