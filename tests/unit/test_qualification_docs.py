"""docs/qualifications.md says what a definition may hold, and its examples are good."""

import re
import shlex
from pathlib import Path

import msgspec
import pytest
from typer.main import get_command

from opsconsole.cli.qualifying import qualification_commands
from opsconsole.config.qualifications import load_qualification
from opsconsole.model.counting import DayState, Phase
from opsconsole.model.qualifications import ApprovalPolicy, Effect, Qualification

PAGE = (Path(__file__).parents[2] / "docs" / "qualifications.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ opsconsole qualification (\w+)(.*)$", PAGE, re.MULTILINE)
DEFINITIONS = [
    each for each in re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) if "days =" in each
]


def rows(table: str) -> dict[str, str]:
    """Return the last cell of each row of the table whose head begins with `table`, by the first one."""
    text = PAGE.partition(f"| {table} | what | default |\n")[2].partition("\n\n")[0]
    cells = [re.split(r"(?<!\\)\|", line.strip("| \n")) for line in text.splitlines()]
    return {row[0].strip("` "): row[-1].strip("` ") for row in cells}


def test_every_key_is_there_with_its_default() -> None:
    """What the page says is left out is what the program takes then, and no key is missing."""
    for kind, table in ((Qualification, "key"), (ApprovalPolicy, "key of `approval`")):
        told = rows(table)
        fields = {each.name: each for each in msgspec.structs.fields(kind) if each.name != "id"}
        assert {name for name in told if name != "---"} == fields.keys()
        for name, field in fields.items():
            if field.required:
                assert told[name] == "required", name
            elif isinstance(field.default, bool):
                assert told[name] == str(field.default).lower(), name
            elif name not in {"help", "system", "start", "review", "approval"}:
                assert told[name] == str(field.default), name


@pytest.mark.parametrize("text", DEFINITIONS)
def test_definitions_of_the_page_can_be_used(text: str, tmp_path: Path) -> None:
    """Whoever copies one out of the page has one without a problem."""
    path = tmp_path / "qbr-9day.toml"
    path.write_text(text)
    path.chmod(0o644)
    loaded = load_qualification(path, check_trust=False)
    assert loaded.problems == ()
    assert loaded.qualification is not None
    assert loaded.qualification.days == 9


def test_words_of_policies_states_and_phases_are_explained() -> None:
    """What a screen shows can be looked up."""
    for each in (*Effect, *DayState, *Phase):
        assert f"`{each}`" in PAGE or f"`{str(each).upper()}`" in PAGE, each


def test_commands_of_the_page_are_those_there_are() -> None:
    """Each is in the table, and each example is one that the command line takes."""
    group = get_command(qualification_commands)
    known = getattr(group, "commands")  # noqa: B009 - typer keeps the class of groups to itself
    assert {name for name in known if f"| `opsconsole qualification {name}" in PAGE} == known.keys()
    assert len(COMMANDS) >= 8
    for name, rest in COMMANDS:
        words = shlex.split(rest.partition("|")[0])
        with known[name].make_context(name, words):
            pass
