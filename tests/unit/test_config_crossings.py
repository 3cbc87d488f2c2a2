"""What items ask of each other's readings is told by `lint`: with the place, and with what there is instead."""

from pathlib import Path

import pytest

from opsconsole.config.checklists import load_checklist, load_checklists
from opsconsole.config.linting import lint_paths
from opsconsole.contracts.probe import Source
from opsconsole.wiring.configuration import SOURCE_KINDS
from opsconsole.wiring.kinds import probe_kinds

HEAD = 'title = "List"\n[[section]]\ntitle = "All"\n'
SOURCES = {
    "inventory": Source(kind="postgresql", dsn="dbname=inventory"),
    "shop": Source(kind="mysql", dsn="mysql://reader@db/shop"),
    "app": Source(kind="http", url="https://app.example"),
    "metrics": Source(kind="http", url="http://metrics.example:9090"),
}
DISKS = """
[[section.item]]
id = "disks"
title = "No disk is full"
probe = "disk"
all = true
require = ["every used < 90%"]
"""
LOAD = """
[[section.item]]
id = "load"
title = "The processors keep up"
probe = "load"
require = ["load1 < 100"]
"""
ROWS = """
[[section.item]]
id = "rows"
title = "There are rows"
probe = "sql"
source = "inventory"
query = "select name, size from things"
require = ["count > 0"]
"""
UNITS = """
[[section.item]]
id = "units"
title = "The services run"
probe = "unit"
unit = "{target}"
for_each = ["a.service", "b.service"]
require = ["active == 'active'"]
"""
EACH = """
[[section.item]]
id = "each"
title = "Each of them"
probe = "command"
argv = ["/usr/bin/check", "{target}"]
require = ["exit_code == 0"]
"""
TICKETS = """
[[section.item]]
id = "tickets"
title = "Tickets"
entry = { label = "Tickets" }
require = ["entry > 0"]
"""


def each_of(text: str) -> str:
    """Return an item that is measured for each row of another."""
    return f"{EACH}for_each = {text}\n"


def compared(left: str, right: str = '{ item = "load", value = "load5" }') -> str:
    """Return an item that compares two others."""
    return (
        '\n[[section.item]]\nid = "agree"\ntitle = "They agree"\nprobe = "compare"\n'
        f'left = {left}\nright = {right}\nrequire = ["same == true"]\n'
    )


def shared(numerator: str, denominator: str = '{ item = "load", value = "load5" }') -> str:
    """Return an item that divides one by another."""
    return (
        '\n[[section.item]]\nid = "share"\ntitle = "A share"\nprobe = "ratio"\n'
        f'numerator = {numerator}\ndenominator = {denominator}\nrequire = ["value < 5%"]\n'
    )


def looking_back(options: str) -> str:
    """Return an item that looks back at another."""
    return (
        '\n[[section.item]]\nid = "past"\ntitle = "The past"\nprobe = "history"\n'
        f'{options}\nrequire = ["failed == 0"]\n'
    )


def written(directory: Path, name: str = "list", *items: str) -> Path:
    """Write a checklist of these items."""
    path = directory / f"{name}.toml"
    path.write_text(HEAD + "".join(items), encoding="utf-8")
    return path


def told(path: Path, *, warnings: bool = False) -> list[str]:
    """Load a checklist, and return what is said of it: the line, the item, the key and the message."""
    loaded = load_checklist(path, probe_kinds(), sources=SOURCES, check_trust=False)
    found = loaded.warnings if warnings else loaded.problems
    for each in found:
        line = path.read_text(encoding="utf-8").splitlines()[each.line - 1]
        assert line.startswith((each.key.split(".")[0].split("[")[0], "[[section.item]]")), (each.key, line)
    return [f"{each.item}: {each.key}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (
            (DISKS, each_of('{ item = "disks", column = "mont" }')),
            "each: for_each.column: 'disks' has no column 'mont'; did you mean 'mount'?",
        ),
        (
            (DISKS, each_of('{ item = "disks", column = "used" }')),
            "each: for_each.column: 'used' of 'disks' is a percentage, and a target is named by a text: ",
        ),
        ((LOAD, each_of('{ item = "load" }')), "each: for_each.item: 'load' measures numbers only"),
        ((DISKS, each_of('{ item = "disks", column = "mount" }')), None),
        ((DISKS, each_of('{ item = "disks" }')), None),
        ((ROWS, each_of('{ item = "rows", column = "anything" }')), None),
        (
            (LOAD, compared('{ item = "load", value = "load2" }')),
            "agree: left.value: 'load' does not measure 'load2'; did you mean 'load",
        ),
        (
            (LOAD, compared('{ item = "load" }')),
            "agree: left.value: 'load' does not measure 'value'; it ",
        ),
        (
            (LOAD, DISKS, compared('{ item = "disks", column = "size" }')),
            "agree: left.column: 'disks' does not measure 'size'",
        ),
        ((LOAD, compared('{ item = "load", value = "load1" }')), None),
        ((LOAD, ROWS, compared('{ item = "rows", value = "whatever" }')), None),
        (
            (
                DISKS,
                ROWS,
                compared(
                    '{ item = "disks", key = "mont", column = "used" }',
                    '{ item = "rows", key = "a" }',
                ),
            ),
            "agree: left.key: 'disks' does not measure 'mont'; did you mean 'mount'?",
        ),
        (
            (
                UNITS,
                LOAD,
                compared(
                    '{ item = "load", value = "load1", targets = true }',
                    '{ item = "units", value = "restarts", targets = true }',
                ),
            ),
            "agree: left.value: 'load' has no targets (for_each) that could be the keys",
        ),
        (
            (UNITS, LOAD, compared('{ item = "units", value = "restarts" }')),
            "agree: left.value: 'units' is measured for several targets, and none of them is meant here",
        ),
        (
            (LOAD, shared('{ item = "load", value = "loud1" }')),
            "share: numerator.value: 'load' does not measure 'loud1'; did you mean 'load1'?",
        ),
        (
            (LOAD, shared('[{ item = "load", value = "load1" }, { item = "load", value = "lod15" }]')),
            "share: numerator[2].value: 'load' does not measure 'lod15'; did you mean 'load15'?",
        ),
        ((LOAD, shared('{ item = "load", value = "load1" }')), None),
    ],
)
def test_what_others_do_not_have(tmp_path: Path, items: tuple[str, ...], said: str | None) -> None:
    """A column, measure or key that the other item never has is a mistake in the file, and told as one."""
    found = told(written(tmp_path, "list", *items))
    assert len(found) == (said is not None), found
    assert said is None or found[0].startswith(said)


@pytest.mark.parametrize(
    ("probe", "source", "rest", "said"),
    [
        ("sql", "app", 'query = "select 1"\nrequire = ["value == 1"]', "'app' is a source of the kind http"),
        ("sql", "inventory", 'query = "select 1"\nrequire = ["value == 1"]', None),
        ("mysql", "inventory", 'query = "select 1"\nrequire = ["value == 1"]', "and one of mysql is needed: shop"),
        ("mysql", "shop", 'query = "select 1"\nrequire = ["value == 1"]', None),
        ("http", "shop", 'path = "/"\nrequire = ["status == 200"]', "one of http is needed: app, metrics"),
        ("http", "app", 'path = "/"\nrequire = ["status == 200"]', None),
        ("prometheus", "inventory", 'query = "up"\nrequire = ["every value == 1"]', "one of http is needed"),
        ("prometheus", "metrics", 'query = "up"\nrequire = ["every value == 1"]', None),
    ],
)
def test_a_source_of_another_kind(tmp_path: Path, probe: str, source: str, rest: str, said: str | None) -> None:
    """A query that is sent to a web server is told before a morning depends on it, with the sources that fit."""
    item = f'[[section.item]]\nid = "one"\ntitle = "One"\nprobe = "{probe}"\nsource = "{source}"\n{rest}\n'
    found = told(written(tmp_path, "list", item), warnings=True)
    assert len(found) == (said is not None), found
    if said is not None:
        assert found[0].startswith("one: source: ")
        assert said in found[0]
    names_only = load_checklist(tmp_path / "list.toml", probe_kinds(), sources=set(SOURCES), check_trust=False)
    assert names_only.warnings == (), "nothing is said of sources of which nothing is known but the name"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('item = "lod"', "past: item: 'list' has no item 'lod'; did you mean 'load'?"),
        (
            'item = "load"\nsubject = "lod1"',
            "past: subject: 'load' does not measure 'lod1'; did you mean 'load1'?",
        ),
        ('item = "load"\nsubject = "load1"\nminus = "loud"', "past: minus: 'load' does not measure 'loud'"),
        ('item = "load"\nsubject = "entry"', "past: subject: nothing is typed in for 'load'"),
        ('item = "tickets"\nsubject = "value"', "past: subject: 'tickets' is not measured, so it has no 'value'"),
        ('checklist = "mornin"\nitem = "load"', "past: checklist: there is no checklist 'mornin'; did you mean"),
        ('checklist = "morning"\nitem = "rows"\nsubject = "x"', None),
        ('checklist = "morning"\nitem = "row"', "past: item: 'morning' has no item 'row'; did you mean 'rows'?"),
        ('checklist = "broken"\nitem = "anything"', None),
        ('item = "load"\nsubject = "load1"', None),
        ('item = "load"\nsubject = "elapsed"', None),
        ('item = "tickets"\nsubject = "entry"', None),
        ('item = "past"', None),
    ],
)
def test_a_past_that_nothing_is_added_to(tmp_path: Path, options: str, said: str | None) -> None:
    """What is looked back at and not measured any more, or never was, is a warning wherever all lists are known."""
    paths = [
        written(tmp_path, "list", LOAD, TICKETS, looking_back(options)),
        written(tmp_path, "morning", ROWS),
        written(tmp_path, "broken", "[[section.item]]\n"),
    ]
    whole = load_checklists([tmp_path], probe_kinds(), sources=SOURCES, check_trust=False)
    found = [
        f"{each.item}: {each.key}: {each.message}" for one in whole.found for each in one.warnings if each.line
    ]
    linted = lint_paths([tmp_path], probe_kinds(), SOURCE_KINDS, sources=SOURCES, check_trust=False)
    of_list = [f"{each.item}: {each.key}: {each.message}" for each in linted if each.file == str(paths[0])]
    assert len(found) == (said is not None), found
    assert of_list == found
    assert said is None or found[0].startswith(said)
    alone = lint_paths(paths[:1], probe_kinds(), SOURCE_KINDS, sources=SOURCES, check_trust=False)
    expected = len(found) if "checklist =" not in options else 0
    assert len(alone) == expected, "of lists that nobody named nothing is said"


@pytest.mark.parametrize("meant", ["fail", "warn", "error", "pass", "skipped"])
@pytest.mark.parametrize(
    ("probe", "rest", "what"),
    [
        (
            "file",
            'path = "/srv"\npattern = "*"\nsecrets = true\nrequire = ["secrets == 0"]',
            "secrets that were found",
        ),
        ("file", 'path = "/srv/app"\npattern = "*.env"\nrequire = ["count > 0"]', ""),
        ("unit", 'state = "failed"\nrequire = ["count == 0"]', "units that have failed"),
        ("unit", 'units = ["app-*"]\nrequire = ["count > 0"]', ""),
        ("history", 'item = "one"\nby = "cause"\nrequire = ["causes < 5"]', "what was wrong"),
        ("history", 'item = "one"\nby = "target"\nrequire = ["every failing < 5"]', ""),
    ],
)
def test_an_empty_table_that_is_good(tmp_path: Path, probe: str, rest: str, what: str, meant: str) -> None:
    """Who fails an empty table of secrets fails the clean ones: that is told."""
    item = f'[[section.item]]\nid = "one"\ntitle = "One"\nprobe = "{probe}"\n{rest}\non_empty = "{meant}"\n'
    found = told(written(tmp_path, "list", item), warnings=True)
    if what and meant in {"fail", "warn", "error"}:
        assert found == [
            f"one: on_empty: the rows are {what}, so an empty table is a good one, which '{meant}' calls bad"
        ]
    else:
        assert found == []
