"""The page about checklists: every example in it is loaded, and every key that there is stands in it."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from opsconsole.config.checklists import load_checklist
from opsconsole.config.decoding import fields_of
from opsconsole.config.formats import CHECKLIST_RULES
from opsconsole.config.textfiles import MAX_BYTES, MAX_LINE
from opsconsole.model.checklists import (
    Baseline,
    Checklist,
    Due,
    Entry,
    Escalation,
    Field,
    ForEach,
    Item,
    Retry,
    Schedule,
    Section,
    SignOffPolicy,
)
from opsconsole.model.condition_parser import ConditionError, parse_condition
from opsconsole.model.conditions import PAST, Operator, Quantifier
from opsconsole.model.encoding import plain
from opsconsole.model.values import UnitError, parse_quantity
from opsconsole.wiring.kinds import probe_kinds

PAGE = Path(__file__).parent.parent.parent / "docs" / "checklists.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
TOML = [body for kind, body in BLOCKS if kind == "toml"]
CONDITIONS = [line for kind, body in BLOCKS if kind == "conditions" for line in body.splitlines()]
TOP = 'title = "Example"\nschedule = { at = "02:00" }\n'
SECTION = '[[section]]\ntitle = "Section"\n'
ITEM = '[[section.item]]\nid = "example"\ntitle = "Example"\nmanual = true\n'

TABLES: dict[str, tuple[type[msgspec.Struct], dict[str, str]]] = {
    "## The checklist": (Checklist, {"id": "", "sections": "", "fields": ""}),
    "### due": (Due, {}),
    "### schedule": (Schedule, {}),
    "### sign_off": (SignOffPolicy, {}),
    "## Sections": (Section, {"items": "item"}),
    "## Items": (Item, {"options": ""}),
    "### entry": (Entry, {}),
    "### baseline": (Baseline, {}),
    "### on_fail": (Escalation, {}),
    "### for_each": (ForEach, {}),
    "### retry": (Retry, {}),
    "## Fields": (Field, {}),
}


def complete(example: str) -> str:
    """Make a whole checklist of an example that shows a part of one."""
    if example.startswith("title"):
        return example
    if example.startswith("[[section.item]]"):
        return TOP + SECTION + example
    if example.startswith("[["):
        return TOP + SECTION + ITEM + example
    return TOP.split("\n", maxsplit=1)[0] + "\n" + example + SECTION + ITEM


def rows(heading: str) -> dict[str, tuple[str, ...]]:
    """Return the rows of the first table below a heading by their first cell, without its backquotes."""
    part = TEXT.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in part.split("\n") if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {first.strip("`"): tuple(rest) for first, *rest in cells[1:]}


@pytest.mark.parametrize("example", TOML, ids=range(len(TOML)))
def test_every_example_works(tmp_path: Path, example: str) -> None:
    """Whoever copies an example gets a checklist that loads, with the probes that there are."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "collection-failure.md").write_text("# Help\n")
    path = tmp_path / "example.toml"
    path.write_text(complete(example), encoding="utf-8")
    loaded = load_checklist(path, probe_kinds(), sources={"inventory"}, check_trust=False)
    assert [str(each) for each in (*loaded.problems, *loaded.warnings)] == []
    assert loaded.checklist is not None


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_works(condition: str) -> None:
    """Whoever copies a condition gets one that is understood, and shown as it was written."""
    assert parse_condition(condition).text == condition


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_described(heading: str) -> None:
    """The tables have a row for each key, and none for a key that does not exist."""
    struct, renamed = TABLES[heading]
    keys = [renamed.get(field.encode_name, field.encode_name) for field in fields_of(struct)]
    assert list(rows(heading)) == [key for key in keys if key]


def written(value: object) -> str:
    """Return how the tables show a default."""
    match plain(value):
        case bool() as truth:
            return f"`{str(truth).lower()}`"
        case None | []:
            return "none"
        case "":
            return "empty"
        case dict():
            return "`{}`"
        case [*names]:
            return f"`{json.dumps(names)}`"
        case other:
            return f"`{str(other).lower() if str(other).isupper() else other}`"


@pytest.mark.parametrize("heading", TABLES)
def test_every_default_is_right(heading: str) -> None:
    """What the tables say of a key that is left out is what happens."""
    struct, renamed = TABLES[heading]
    table = rows(heading)
    for field in fields_of(struct):
        key = renamed.get(field.encode_name, field.encode_name)
        if not key:
            continue
        default = table[key][-1]
        if field.required:
            assert default == "required", key
        elif default == "none":
            assert not field.default or field.default is msgspec.NODEFAULT, key
        else:
            assert default == written(field.default), key


def test_every_choice_is_described() -> None:
    """The words that a key may have are all there."""
    for heading, (struct, _) in TABLES.items():
        table = rows(heading)
        for field in fields_of(struct):
            choices = CHECKLIST_RULES.choices.get((struct, field.name))
            words = list(choices or ())
            if isinstance(field.type, msgspec.inspect.EnumType) and not words:
                words = [str(each.value) for each in field.type.cls]
            for word in words:
                assert f"`{word}`" in table[field.encode_name][0], f"{field.name}: {word}"


def test_every_operator_and_quantifier_is_described() -> None:
    """The tables of the language are complete, and there is an example of each."""
    operators = {name for cell in rows("### Operators") for name in re.findall(r"[^`]+", cell) if name.strip()}
    assert operators == set(Operator)
    assert set(rows("### Subjects")) == set(Quantifier)
    shown = [parse_condition(condition) for condition in CONDITIONS]
    assert {each.operator for each in shown} == set(Operator)
    assert {each.quantifier for each in shown} == {None, *Quantifier}


def test_every_unit_is_described() -> None:
    """Each unit of the table is understood, each that is called ambiguous refused as such; none is left out."""
    with pytest.raises(UnitError) as unknown:
        parse_quantity("1 parsec")
    known = set(str(unknown.value).split("known are ")[1].split(", "))
    table = rows("### Numbers and units")
    described = {unit for (cell,) in table.values() for unit in re.findall(r"`([A-Za-z%]+)`", cell)}
    assert described == known
    part = TEXT.split("Units that can be read in", 1)[1].split("\n\n")[0]
    for unit in re.findall(r"`(\w+)`", part):
        with pytest.raises(UnitError, match="ambiguous"):
            parse_quantity(f"1 {unit}")


def test_mistakes_are_told_as_described() -> None:
    """Each mistake of the table is refused with the words that stand beside it."""
    table = rows("### Mistakes")
    assert len(table) >= 8
    for condition, (told,) in table.items():
        with pytest.raises(ConditionError) as refused:
            parse_condition(condition)
        assert str(refused.value).endswith(told)
    assert any(word in condition for condition in table for word in PAST)


def test_all_of_the_past_is_described() -> None:
    """Each name of the past has its row, and an example that compares with it."""
    assert set(rows("### The past")) == set(PAST)
    assert {parse_condition(condition).past() for condition in CONDITIONS} == {"", *PAST}


def test_all_that_history_measures_is_described() -> None:
    """Each measure of the probe `history` has its row."""
    options = {"item": "x", "subject": "used", "limit": "90%"}
    kind = probe_kinds()["history"]
    measured = set(kind.subjects(msgspec.convert(options, kind.options)) or ())
    told = {name for cell in rows("## Looking back") for name in re.findall(r"\w+", cell)} - {"measure"}
    assert told == measured - {"date", "value", "outcome", "run"}


def test_limits_are_as_described() -> None:
    """The size of a file and the length of a line are what the page says."""
    assert f"at most {MAX_BYTES // 1024} kB" in TEXT
    assert f"at most {MAX_LINE:,} characters" in TEXT


def test_links_lead_somewhere() -> None:
    """Every link within the page has its heading, every other its file."""
    titles = [line.lstrip("# ").lower() for line in TEXT.split("\n") if line.startswith("#")]
    headings = {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (PAGE.parent / target).is_file()
