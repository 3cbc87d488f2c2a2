"""The daily items about units, timers and the journal, on a good and on a bad night of a real systemd."""

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsconsole.model.outcomes import Outcome
from support.judged import outcome
from support.systemd import REPOSITORY, SystemdBox, settle

pytestmark = [pytest.mark.systemd, pytest.mark.xdist_group("systemd")]

KINDS = ("journal", "timer", "unit")


def _items() -> dict[str, dict[str, Any]]:
    """Return every item of these kinds by its name; those of other than daily lists are in test_qbr_journal.py."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((REPOSITORY / "checklists").glob("*-daily.toml")):
        checklist = tomllib.loads(path.read_text(encoding="utf-8"))
        items = (item for section in checklist["section"] for item in section["item"])
        found |= {f"{path.stem}/{item['id']}": item for item in items if item.get("probe") in KINDS}
    return found


def _outcomes(box: SystemdBox) -> dict[str, Outcome]:
    outcomes = {}
    for name, item in _items().items():
        known = importlib.import_module(f"opsconsole.checks.{item['probe']}").Options.__struct_fields__
        options = {key: value for key, value in item.items() if key in known}
        outcomes[name] = outcome(box.reading(item["probe"], options), *item["require"])
    return outcomes


@pytest.fixture
def own_box(systemd_box: SystemdBox, tmp_path: Path) -> Iterator[SystemdBox]:
    """Give a box that is not shared, after the shared one has shown that there can be any."""
    box = SystemdBox(tmp_path, name="shipped")
    try:
        box.start()
        settle(box)
        yield box
    finally:
        box.stop()


def test_a_good_and_a_bad_night(own_box: SystemdBox) -> None:
    """After a good night every item is green; after a failed collection those that ought to see it are red."""
    own_box.systemctl("reset-failed")
    good = _outcomes(own_box)
    assert {"host-daily/failed-units", "qbr-daily/service-journal", "qbr-daily/timer"} <= good.keys()
    assert set(good.values()) == {Outcome.PASS}

    own_box.write("/run/qbr-fail", "")
    assert own_box.run(["systemctl", "start", "qbr-collector.service"]).returncode == 1
    own_box.systemctl("disable", "--now", "qbr-collector.timer")
    own_box.sync()
    assert set(_outcomes(own_box).values()) == {Outcome.FAIL}
