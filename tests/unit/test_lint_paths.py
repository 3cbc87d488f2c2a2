"""`opsconsole lint`: it finds out what a file is, and checks everything that hangs together."""

from pathlib import Path

import pytest

from opsconsole.config.diagnostics import Severity
from opsconsole.config.linting import lint_paths
from opsconsole.wiring.configuration import SOURCE_KINDS as REAL_SOURCES
from opsconsole.wiring.kinds import probe_kinds
from support.fake_kinds import KINDS, SOURCE_KINDS

ROOT = Path(__file__).parent.parent.parent
CONFIG = 'checklists = ["lists"]\n[sources.inventory]\nkind = "postgresql"\ndsn = "dbname=inventory"\n'
CHECKLIST = """
title = "Good"
[[section]]
title = "Section"
[[section.item]]
id = "db"
title = "Database"
probe = "sql"
source = "inventory"
query = "select 1"
require = ["value == 1"]
on_fail = { runbook = "help" }
"""


def lint(*paths: Path, sources: set[str] | None = None) -> list[str]:
    """Lint with the declared probes, whoever owns the files."""
    found = lint_paths(paths, KINDS, SOURCE_KINDS, sources=sources, check_trust=False)
    return [str(each) for each in found]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory as `opsconsole init` would leave it, with nothing wrong in it."""
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "lists" / "runbooks").mkdir(parents=True)
    (tmp_path / "lists" / "good.toml").write_text(CHECKLIST)
    (tmp_path / "lists" / "runbooks" / "help.md").write_text("# Help\n")
    return tmp_path


def test_nothing_wrong(site: Path) -> None:
    """A good site has no problems, by whichever name it is given."""
    for paths in ([site], [site / "config.toml"], [site / "lists"], [site / "lists" / "good.toml"]):
        assert lint(*paths, sources={"inventory"}) == []


def test_a_mistyped_configuration_is_still_one(tmp_path: Path) -> None:
    """A key of qualifications in `config.toml` is a typing error there, and the only thing that is told."""
    config = tmp_path / "config.toml"
    config.write_text('checklist = ["lists"]\n')
    assert lint(config) == [f"{config}:1: unknown key 'checklist'; did you mean 'checklists'?"]


def test_a_configuration_brings_its_checklists_along(site: Path) -> None:
    """Linting the configuration lints what it names, with the sources that it has."""
    path = site / "lists" / "good.toml"
    path.write_text(CHECKLIST.replace('"inventory"', '"inventry"'))
    told = f"{path}:9: warning: item 'db': source: the configuration names no source 'inventry'"
    assert lint(site / "config.toml") == [f"{told}; did you mean 'inventory'?"]
    assert lint(path, site / "config.toml") == [f"{told}; did you mean 'inventory'?"]
    assert lint(path) == []


def test_a_checklist_brings_its_runbooks_along(site: Path) -> None:
    """An empty runbook is found before somebody in need opens it."""
    path = site / "lists" / "runbooks" / "help.md"
    path.write_text("")
    for paths in ([site], [site / "lists" / "good.toml"], [path], [path.parent]):
        assert lint(*paths) == [f"{path}: the runbook is empty"]


def test_files_are_told_apart_by_what_they_say(site: Path) -> None:
    """A configuration of any name is checked as one, and so is a checklist called config.toml."""
    other = site / "other.toml"
    other.write_text("[run]\nconcurrency = 0\n")
    assert lint(other) == [f"{other}:2: run.concurrency: must be from 1 to 256, not 0"]
    (site / "config.toml").write_text(CHECKLIST)
    assert any("runbooks/help.md" in each for each in lint(site / "config.toml"))


def test_other_files(site: Path) -> None:
    """What is neither is told when it was named, and passed over with a warning where it was only found."""
    project = site / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n')
    (site / "README.txt").write_text("x")
    assert lint(site) == [
        f"{project}: warning: looks like neither a checklist, a qualification nor a configuration; left out"
    ]
    assert "unknown key 'project'" in "".join(lint(project))
    assert lint(site / "README.txt") == [
        f"{site}/README.txt: is neither a checklist, qualification or configuration (.toml) nor a runbook (.md)"
    ]


def test_what_is_missing(site: Path) -> None:
    """A name that leads nowhere is a problem, given on the command line or in the configuration."""
    assert lint(site / "missing.toml") == [f"{site}/missing.toml: there is no such file"]
    assert lint(site / "missing") == [f"{site}/missing: there is no such file or directory"]
    (site / "config.toml").write_text(CONFIG.replace('"lists"', '"list"'))
    assert lint(site / "config.toml") == [f"{site}/list: there is no such file or directory"]


def test_one_file_is_told_once(site: Path) -> None:
    """However often a file is named, its problems are told once."""
    path = site / "lists" / "good.toml"
    path.write_text(CHECKLIST.replace("value == 1", "value = 1"))
    assert len(lint(site, path, site / "lists", site / "config.toml")) == 1


def test_files_are_named_as_a_person_would(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies below the current directory is told by its short name, which an editor can open."""
    monkeypatch.chdir(site)
    (site / "lists" / "good.toml").write_text(CHECKLIST.replace("value == 1", "value = 1"))
    (told,) = lint(site / "config.toml")
    assert told.startswith("lists/good.toml:11: item 'db': require[1]: ")


def test_two_checklists_of_one_name(site: Path) -> None:
    """Ids are unique among all checklists, for history hangs on them."""
    (site / "more" / "runbooks").mkdir(parents=True)
    (site / "more" / "good.toml").write_text(CHECKLIST)
    (site / "more" / "runbooks" / "help.md").write_text("x")
    (site / "config.toml").write_text(CONFIG.replace('["lists"]', '["lists", "more"]'))
    assert lint(site) == [
        f"{site}/more/good.toml: {site}/lists/good.toml is called 'good' too; the id of a checklist must be its own"
    ]


def test_everything_at_once(site: Path) -> None:
    """Problems of one file do not hide those of the next."""
    (site / "config.toml").write_text(CONFIG + "\n[consol]\n")
    (site / "lists" / "good.toml").write_text("title = 1")
    (site / "lists" / "runbooks" / "help.md").write_text("")
    assert len(lint(site / "config.toml", site / "lists")) == 4


def test_permissions(site: Path) -> None:
    """Lint tells what would be refused when it is used."""
    (site / "lists" / "runbooks" / "help.md").chmod(0o646)
    (problem,) = lint_paths([site], KINDS, SOURCE_KINDS)
    assert problem.severity is Severity.ERROR
    assert "can be changed by everybody: chmod o-w " in problem.message


def test_what_is_shipped_is_right() -> None:
    """The shipped checklists, qualifications and runbooks have no problem and no warning, with the real probes.

    Nor has the shipped configuration, but for the connections of the systems that it does not name.
    """
    shipped = [ROOT / "checklists", ROOT / "qualifications"]
    found = lint_paths(shipped, probe_kinds(), REAL_SOURCES, check_trust=False)
    found += lint_paths([ROOT / "config.toml"], probe_kinds(), REAL_SOURCES, check_trust=False)
    assert [str(each) for each in found if "the configuration names no source" not in each.message] == []
    assert {each.severity for each in found} <= {Severity.WARNING}


def test_the_real_source_refuses_passwords(tmp_path: Path) -> None:
    """A password in a connection string is found in both of its forms, and never repeated."""
    for dsn in ("dbname=x password=hunter2", "postgresql://ops:hunter2@db.example/x"):
        path = tmp_path / "config.toml"
        path.write_text(f'[sources.inventory]\nkind = "postgresql"\ndsn = "{dsn}"\n')
        (problem,) = lint_paths([path], {}, REAL_SOURCES, check_trust=False)
        assert problem.line == 3
        assert problem.key == "sources.inventory.dsn"
        assert "PGPASSFILE" in problem.message
        assert "hunter2" not in str(problem)


def test_no_probe_takes_a_key_that_the_engine_acts_upon() -> None:
    """An option called `timeout` would silently take the place of the item's: no probe of the project has one."""
    from opsconsole.config.decoding import keys_of
    from opsconsole.config.formats import ITEM_KEYS
    from opsconsole.config.items import DESCRIPTIVE

    for kind in probe_kinds().values():
        assert not set(keys_of(kind.options)) & (set(ITEM_KEYS) - DESCRIPTIVE), kind.name


# --- qualifications ---------------------------------------------------------------------------------

QUALIFICATION = 'title = "Nine days"\nchecklist = "good"\ndays = 9\n'


@pytest.fixture
def qualified(site: Path) -> Path:
    """The same site, with a qualification that its configuration names."""
    (site / "qualifications").mkdir()
    (site / "qualifications" / "nine.toml").write_text(QUALIFICATION)
    (site / "config.toml").write_text('qualifications = ["qualifications"]\n' + CONFIG)
    return site


def test_a_qualification_is_checked_as_one(qualified: Path) -> None:
    """By whichever name it is given, alone or along with what it counts, and by a misspelt key too."""
    path = qualified / "qualifications" / "nine.toml"
    for paths in ([path], [path.parent], [qualified / "config.toml"], [qualified / "lists", path]):
        assert lint(*paths, sources={"inventory"}) == []
    path.write_text(QUALIFICATION.replace("days", "dayz"))
    for paths in ([path], [path.parent], [qualified / "config.toml"]):
        assert lint(*paths) == [f"{path}:3: unknown key 'dayz'; did you mean 'days'?"]


def test_a_qualification_names_a_checklist(qualified: Path) -> None:
    """What it counts is looked up where checklists are linted along; one that is broken is not called missing."""
    path = qualified / "qualifications" / "nine.toml"
    path.write_text(QUALIFICATION.replace('"good"', '"god"'))
    missing = f"{path}:2: checklist: there is no checklist 'god'; did you mean 'good'?"
    assert lint(qualified / "config.toml") == [missing]
    assert lint(path, qualified / "lists") == [missing]
    assert lint(path) == []
    (qualified / "lists" / "good.toml").write_text(CHECKLIST.replace("value == 1", "value = 1"))
    (told,) = lint(qualified / "config.toml")
    assert "unknown operator" in told


def test_a_place_that_a_configuration_names_is_read_as_that(qualified: Path) -> None:
    """A qualification among the checklists is told, for it would be read as one of them and left out."""
    (qualified / "lists" / "nine.toml").write_text(QUALIFICATION)
    told = lint(qualified / "config.toml")
    assert f"{qualified}/lists/nine.toml:2: unknown key 'checklist'" in "".join(told)
    (qualified / "config.toml").write_text('qualifications = ["nowhere"]\n' + CONFIG)
    assert f"{qualified}/nowhere: there is no such file or directory" in lint(qualified / "config.toml")


def test_two_qualifications_of_one_name(qualified: Path) -> None:
    """Their ids are unique too."""
    (qualified / "more").mkdir()
    (qualified / "more" / "nine.toml").write_text(QUALIFICATION)
    first, second = qualified / "more" / "nine.toml", qualified / "qualifications" / "nine.toml"
    told = f"{second}: {first} is called 'nine' too; the id of a qualification must be its own"
    assert lint(first, second) == [told]
