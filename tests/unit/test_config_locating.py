"""Lines of keys and values: what an author is sent to."""

import datetime as dt
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.config.locating import TomlLines

ROOT = Path(__file__).parent.parent.parent
GOOD = sorted([*(ROOT / "tests" / "corpus" / "good").glob("*.toml"), *(ROOT / "checklists").glob("*.toml")])
Keys = tuple[str | int, ...]


def every_place(value: Any, keys: Keys = ()) -> Iterator[Keys]:
    """Yield the way to every value of a document."""
    entries: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    for key, each in entries:
        yield (*keys, key)
        yield from every_place(each, (*keys, key))


def stands_on(line: str, keys: Keys, value: Any) -> bool:
    """Return whether a line holds what the way leads to: the key, a header of it, or a piece of the value."""
    last = keys[-1]
    if isinstance(last, str):
        return last in line
    if isinstance(value, dict):
        return "[[" in line or "{" in line
    if isinstance(value, dt.date):
        return value.isoformat() in line
    return str(value).lower().split("\n", 1)[0] in line.lower()


def at(document: Any, keys: Keys) -> Any:
    """Return the value that a way leads to."""
    for key in keys:
        document = document[key]
    return document


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_every_value_of_a_checklist_is_found(path: Path) -> None:
    """Whatever is wrong in a checklist, the message names the line it stands on."""
    text = path.read_text()
    document, lines, written = tomllib.loads(text), TomlLines(text), text.split("\n")
    for keys in every_place(document):
        line = lines.of(keys)
        assert line > 0, keys
        assert stands_on(written[line - 1], keys, at(document, keys)), (keys, line, written[line - 1])


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        ("a = 1\n", ("a",), 1),
        ("\n\na = 1", ("a",), 3),
        ("a = 1\r\nb = 2\r\n", ("b",), 2),
        ("a = 1\n", ("b",), 0),
        ("[a]\nb = 1\n", ("a", "c"), 1),
        ("[a]\n[a.b]\nc = 1\n", ("a", "b", "c"), 3),
        ("a.b.c = 1\n", ("a", "b", "c"), 1),
        ("a.b = 1\na.c = 2\n", ("a", "c"), 2),
        ('"a b".c = 1\n"a b"."d\\u0065" = 2\n', ("a b", "de"), 2),
        ("'a.b' = 1\n", ("a.b",), 1),
        ("[[s]]\n[[s]]\nx = 1\n", ("s", 1, "x"), 3),
        ("[[s]]\n[[s.i]]\n[[s.i]]\n[[s]]\n[[s.i]]\nx = 1\n", ("s", 1, "i", 0, "x"), 6),
        ("[[s]]\n[[s.i]]\n[s.i.t]\nx = 1\n", ("s", 0, "i", 0, "t", "x"), 4),
        ("[ s . t ] # comment\nx = 1\n", ("s", "t", "x"), 2),
        ("a = [\n  1, # one\n  2,\n]\n", ("a", 1), 3),
        ("a = [[1],\n[2, 3]]\n", ("a", 1, 1), 2),
        ('a = """\n[b]\nc = 1\n"""\nd = 1\n', ("d",), 5),
        ("a = '''\n'quoted' [b] ''\n'''\nd = 1\n", ("d",), 4),
        ('a = """x"""""\nd = 1\n', ("d",), 2),
        ('a = "# no comment"\nd = 1\n', ("d",), 2),
        ("a = { b = 1, c = { d = [1, 2] } }\n", ("a", "c", "d", 1), 1),
        ("a = [{ b = 1 },\n     { b = 2 }]\n", ("a", 1, "b"), 2),
        ("a = 1979-05-27 07:32:00\nb = 1\n", ("b",), 2),
        ("a = -1.5e3\nb = 1\n", ("b",), 2),
    ],
)
def test_lines_of_toml(text: str, keys: Keys, line: int) -> None:
    """All ways to write a key are followed; what is not there has the line of what encloses it."""
    tomllib.loads(text)
    assert TomlLines(text).of(keys) == line


@given(st.text(alphabet="ab.=[]{}\"'#,\\ \n1", max_size=60))
def test_no_text_upsets_the_walk(text: str) -> None:
    """A file that cannot be followed costs the line numbers, never the message."""
    assert TomlLines(text).of(("a", 0, "b")) >= 0
