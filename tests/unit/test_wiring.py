"""What front ends are given, and that it is what the files say now."""

from pathlib import Path

import pytest

from opsconsole.model.events import Via
from opsconsole.wiring.definitions import ChecklistError
from opsconsole.wiring.kinds import probe_kinds
from opsconsole.wiring.services import services
from support.command import MANUAL, installed


def test_an_edit_is_seen_by_a_console_that_was_open_before_it(tmp_path: Path) -> None:
    """A run is opened by the checklist as it is, and not as it was when the console was started yesterday."""
    place = installed(tmp_path, morning=MANUAL)
    with services(place.config, place.state, Via.CONSOLE) as parts:
        assert parts.current("morning").title == "Morning"
        place.write("morning", MANUAL.replace('"Morning"', '"Early morning"'))
        assert parts.current("morning").title == "Early morning"
        assert parts.checklist("morning").title == "Morning"
        place.write("morning", MANUAL.replace("require", "requre"))
        with pytest.raises(ChecklistError, match="did you mean 'require'"):
            parts.current("morning")


def test_kinds_are_known_without_being_loaded() -> None:
    """The kinds of probes can be listed and asked for; an unknown one is none."""
    kinds = probe_kinds()
    assert {"sql", "journal", "disk"} <= set(kinds)
    assert len(kinds) == len(set(kinds))
    assert "telepathy" not in kinds
    assert kinds.get("telepathy") is None
