"""The register of what is served holds against the shipped checklists, in both directions."""

import re
from pathlib import Path

import pytest

from opsconsole.config.checklists import load_checklists
from opsconsole.config.runbooks import runbook_path
from opsconsole.model.checklists import Checklist
from opsconsole.wiring.definitions import shipped_checklists
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


def named(served: str) -> set[str]:
    """Return the `checklist/item` names of a row."""
    return set(re.findall(r"`([a-z0-9-]+/[a-z0-9-]+)`", served))


def test_every_item_that_is_named_serves_it(shipped: dict[str, Checklist], register: dict[str, str]) -> None:
    """What the register promises is in the checklist, under that identifier."""
    for identifier, served in register.items():
        if not served.startswith("item"):
            continue
        for name in named(served):
            checklist, _, item = name.partition("/")
            refs = {each.id: each.refs for each in shipped[checklist].items}
            assert identifier in refs[item], f"{name} does not serve {identifier}"


def test_every_reference_of_an_item_is_registered(shipped: dict[str, Checklist], register: dict[str, str]) -> None:
    """What an item says it serves is in the register, with that item."""
    for checklist in shipped.values():
        for item in checklist.items:
            for ref in item.refs:
                assert f"{checklist.id}/{item.id}" in named(register[ref])


def test_fields_runbooks_and_pages_exist(shipped: dict[str, Checklist], register: dict[str, str]) -> None:
    """Fields, runbooks and pages that the register names are there."""
    for served in register.values():
        if served.startswith("field"):
            for name in named(served):
                checklist, _, field = name.partition("/")
                assert field in {each.id for each in shipped[checklist].fields}
        for runbook in re.findall(r"runbook `([a-z-]+)`", served):
            assert runbook_path(shipped_checklists() / "qbr-daily.toml", runbook).is_file()
            assert any(item.on_fail.runbook == runbook for item in shipped["qbr-daily"].items)
        for page in re.findall(r"\]\(([a-z]+\.md)\)", served):
            assert (DOCS / page).is_file()


def test_the_first_twenty_are_served(register: dict[str, str]) -> None:
    """The whole daily part of the QBR procedure is served."""
    assert {f"Q{number:02}" for number in range(1, 21)} <= set(register)
