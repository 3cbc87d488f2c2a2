"""The register of what is served holds against the shipped checklists, in both directions."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from opsconsole.cli.main import cli
from opsconsole.config.checklists import load_checklists
from opsconsole.config.runbooks import runbook_path
from opsconsole.model.checklists import Checklist
from opsconsole.wiring.definitions import shipped_checklists, shipped_qualifications
from opsconsole.wiring.kinds import probe_kinds

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| ([A-Z]\d\d) \| (.+?) \| (.+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def shipped() -> dict[str, Checklist]:
    """Return the checklists that come with the program; each of them has to be usable."""
    loaded = load_checklists([shipped_checklists()], probe_kinds(), check_trust=False)
    assert loaded.problems == ()
    assert [problem for each in loaded.found for problem in (*each.problems, *each.warnings)] == []
    return {each.id: each.checklist for each in loaded.found if each.checklist is not None}


@pytest.fixture(scope="module")
def register() -> dict[str, str]:
    """Return what serves each identifier, as the page says."""
    rows = ROW.findall((DOCS / "coverage.md").read_text(encoding="utf-8"))
    assert len(rows) == len({identifier for identifier, _, _ in rows})
    return {identifier: served for identifier, _, served in rows}


def named(served: str, what: str) -> set[str]:
    """Return the `checklist/item` names of a row, those of items or of fields."""
    lists = re.findall(rf"\b{what}s? (`[a-z0-9/-]+`(?:, `[a-z0-9/-]+`)*)", served)
    return set(re.findall(r"`([a-z0-9-]+/[a-z0-9-]+)`", " ".join(lists)))


def test_every_item_that_is_named_serves_it(shipped: dict[str, Checklist], register: dict[str, str]) -> None:
    """What the register promises is in the checklist, under that identifier."""
    for identifier, served in register.items():
        for name in named(served, "item"):
            checklist, _, item = name.partition("/")
            refs = {each.id: each.refs for each in shipped[checklist].items}
            assert identifier in refs[item], f"{name} does not serve {identifier}"


def test_every_reference_of_an_item_is_registered(shipped: dict[str, Checklist], register: dict[str, str]) -> None:
    """What an item says it serves is in the register, with that item."""
    for checklist in shipped.values():
        for item in checklist.items:
            for ref in item.refs:
                name = f"{checklist.id}/{item.id}"
                assert name in named(register[ref], "item"), f"{name} is not registered for {ref}"


def test_fields_runbooks_and_pages_exist(shipped: dict[str, Checklist], register: dict[str, str]) -> None:
    """Fields, runbooks, qualifications and pages that the register names are there."""
    offered = {item.on_fail.runbook for checklist in shipped.values() for item in checklist.items}
    for served in register.values():
        for name in named(served, "field"):
            checklist, _, field = name.partition("/")
            assert field in {each.id for each in shipped[checklist].fields}
        for runbook in re.findall(r"runbook `([a-z-]+)`", served):
            assert runbook_path(shipped_checklists() / "qbr-daily.toml", runbook).is_file()
            assert runbook in offered
        for qualification in re.findall(r"`qualifications/([a-z0-9-]+\.toml)`", served):
            assert (shipped_qualifications() / qualification).is_file()
        for page in re.findall(r"\]\(([a-z]+\.md)\)", served):
            assert (DOCS / page).is_file()


def test_every_command_that_is_named_exists(register: dict[str, str]) -> None:
    """What the register says to type is a command of the program."""
    commands = {words for served in register.values() for words in re.findall(r"`opsconsole ([a-z -]+)", served)}
    assert "qualification report qbr" in {each[: len("qualification report qbr")] for each in commands}
    for words in commands:
        group: Any = get_command(cli)
        for word in words.split():
            if word.startswith("-") or not hasattr(group, "commands"):
                break
            assert word in group.commands, f"opsconsole {words}"
            group = group.commands[word]


def test_the_procedure_is_served(register: dict[str, str]) -> None:
    """The whole QBR procedure is served but the mail on failure, from the first morning to the quarterly audit."""
    assert {f"Q{number:02}" for number in range(1, 34)} <= set(register)
