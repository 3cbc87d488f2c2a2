"""The threat model says nothing that is not there: its tests exist, its table agrees, its links lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_LINK = re.compile(r"\]\(([^)#:]*)(#[^)]*)?\)")
_FINDERS = {
    "chain": "chain",
    "signatures": "signatures",
    "last-seen heads": "last-seen heads",
    "journal, syslog": "journal",
    "git": "git",
    "exports": "exports",
}


def rows(page: Path, head: str) -> list[list[str]]:
    """Return the cells of the table whose first line begins so."""
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    found = []
    for line in lines:
        if line.startswith(head):
            found.append(line)
            break
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            break
        found.append(line)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def test_every_test_that_is_named_exists() -> None:
    """Whoever looks up where a defence is tested finds it."""
    named = _TEST.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 40
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in functions, f"{path} has no test {name}"


def test_every_defence_names_its_test() -> None:
    """No row of what is defended is a mere claim."""
    defended = PAGE.read_text(encoding="utf-8").partition("## What is defended")[2].partition("\n## ")[0]
    claims = [line for line in defended.splitlines() if line.startswith("|") and "---" not in line]
    claims = [line for line in claims if not line.startswith("| threat |")]
    assert len(claims) > 25
    assert [line for line in claims if not _TEST.search(line)] == []


def test_the_attacks_are_found_by_what_the_page_says() -> None:
    """The short table agrees with the one that the tests of the attacks are compared with."""
    whole = rows(ROOT / "docs" / "verification.md", "| attack | chain |")
    finders = [_FINDERS[name] for name in whole[0][1:]]
    by_attack = {
        row[0]: ", ".join(name for name, cell in zip(finders, row[1:], strict=True) if cell == "found")
        for row in whole[1:]
    }
    short = rows(PAGE, "| attack | found by |")[1:]
    assert len(short) == 9
    for attack, found in short:
        assert by_attack[attack] == found, attack


@pytest.mark.parametrize("page", [PAGE, ROOT / "SECURITY.md"])
def test_every_link_leads_somewhere(page: Path) -> None:
    """Pages and sections that are linked to are there."""
    text = page.read_text(encoding="utf-8")
    for path, section in _LINK.findall(text):
        target = (page.parent / path) if path else page
        assert target.is_file(), path
        if section:
            heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            assert section[1:] in anchors, section


def test_the_policy_names_the_repository_of_the_project() -> None:
    """Reports go to where the project is."""
    url = re.search(r"https://github\.com/[\w-]+/[\w-]+", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert url is not None
    assert f"{url[0]}/security/advisories/new" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
