"""`opsconsole demo` on the command line: which systems and faults there are, and which list sees what."""

from pathlib import Path

import pytest

from opsconsole.demo.systems import SystemName, demo_system
from support.command import Installation, installed


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with nothing in it."""
    return installed(tmp_path)


@pytest.mark.parametrize("system", SystemName)
def test_faults_are_listed(place: Installation, system: SystemName) -> None:
    """What can be wrong is told without starting anything: its name, the list that sees it, and what it is."""
    done = place.run("demo", "--system", system, "--faults")
    head, *rows = done.out.splitlines()
    assert (done.code, head.split()) == (0, ["FAULT", "SEEN", "BY", "WHAT", "IS", "WRONG"])
    shown = demo_system(system)
    assert [row.split()[:2] for row in rows] == [[each.value, shown.first_of(each)] for each in shown.faults]
    assert {row.split()[1] for row in rows} <= set(shown.checklists)


def test_a_fault_of_another_system(place: Installation) -> None:
    """The message says what there is, and nothing is started."""
    done = place.run("demo", "--system", "sync", "--fault", "alarms-stoped", "--headless")
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'alarms-stopped'?" in done.err
    assert not (place.state / "demo").exists()
    assert place.run("demo", "--system", "sync", "--fault", "late-collector").code == 2


def test_headless_with_a_fault_runs_the_list_that_sees_it(place: Installation) -> None:
    """Somebody who asks for a fault without a terminal sees it at once."""
    done = place.run(
        "demo", "--system", "monitoring", "--fault", "broken-backup", "--headless", "--only", "backups"
    )
    assert done.code == 1
    assert "monitoring-quarterly" in done.out
    assert "archive is 'damaged'" in done.out
    assert "the fault 'broken-backup' is seen by monitoring-quarterly" in done.err
