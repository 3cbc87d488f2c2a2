"""docs/formats.md says what the formats are: the page and the program cannot drift apart."""

import inspect
import re
from pathlib import Path

import msgspec
import pytest

from opsconsole.cli.exits import Exit
from opsconsole.export import documents
from opsconsole.export.text import TextExporter
from opsconsole.model.readings import Finding
from opsconsole.model.values import Moment, Number
from support.states import STATES

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"

_ROW = re.compile(r"\| `(?P<key>\w+)` \| (?P<type>[^|]+) \| (?P<meaning>[^|]+) \|")
_EXAMPLE = re.compile(r"<!-- example: (?P<state>\w+) -->\n```text\n(?P<text>.*?)```\n", re.DOTALL)


def described(name: str) -> list[tuple[str, str, str]]:
    """Return key, type and meaning of each row below the heading of an object."""
    page = PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^### {name}\n(.*?)(?=^##)", page, re.DOTALL | re.MULTILINE)
    return [(match["key"], match["type"], match["meaning"]) for match in _ROW.finditer(section)]


def objects() -> dict[str, tuple[str, ...]]:
    """Return the keys of each object of the schema by its name in the page."""
    found = {Finding.__name__: Finding.__struct_fields__}
    for name, each in inspect.getmembers(documents, inspect.isclass):
        if issubclass(each, msgspec.Struct) and each.__module__ == documents.__name__:
            found[name] = each.__struct_fields__
    found |= {each.__name__: ("type", *each.__struct_fields__) for each in (Number, Moment)}
    return {name.removesuffix("Document").lower(): fields for name, fields in found.items()}


@pytest.mark.parametrize("name", objects())
def test_every_key_is_explained(name: str) -> None:
    """Each key of the JSON stands in the page, in its order, with a type and a meaning, and no other does."""
    rows = described(name)
    assert tuple(key for key, _, _ in rows) == objects()[name]
    assert all(kind.strip() and meaning.strip() for _, kind, meaning in rows)


def test_links_within_the_page_lead_somewhere() -> None:
    """A reader who follows the type of a key finds its object."""
    page = PAGE.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    assert {link for link in re.findall(r"\]\(#([^)]+)\)", page) if link not in anchors} == set()
    assert set(objects()) <= anchors


def test_every_exit_code_is_explained() -> None:
    """A script's author finds each exit code, and no other."""
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition("## Exit codes")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == [int(each) for each in Exit]


def test_the_example_is_real(request: pytest.FixtureRequest) -> None:
    """The text shown in the page is what the program prints; `make golden` puts the present one there."""
    page = PAGE.read_text(encoding="utf-8")
    (example,) = _EXAMPLE.finditer(page)
    printed = TextExporter().render(STATES[example["state"]]().report())
    if request.config.getoption("--update-golden", default=False):
        page = page[: example.start("text")] + printed + page[example.end("text") :]
        PAGE.write_text(page, encoding="utf-8")
        return
    assert example["text"] == printed
