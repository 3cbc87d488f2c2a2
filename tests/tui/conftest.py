"""A console whose pictures and answers are the same on every machine."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from opsconsole.model.events import Clock
from opsconsole.model.values import Number, seconds

_OWN = "TEXTUAL_SNAPSHOT_TEMPDIR"  # of the plug-in that compares pictures
for _name in [name for name in os.environ if name == "NO_COLOR" or name.startswith("TEXTUAL_")]:
    if _name != _OWN:
        del os.environ[_name]  # before Textual is imported, which reads them then

if TYPE_CHECKING:
    from support.console import Morning

MakeMorning = Callable[..., "Morning"]


@pytest.fixture(autouse=True)
def settled_heap() -> None:
    """Leave out of the collector's sight what earlier tests made: walking it keeps the process busy.

    Textual's pilot takes a process for idle that uses less than a twentieth of a processor, and waits up to a
    second after each key otherwise; in a worker that has run two thousand tests the collector alone uses more.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep out what differs from run to run, how long measuring took, and long waits."""

    def quarter(_value: float) -> Number:
        return seconds(0.25)

    monkeypatch.setattr("opsconsole.engine.measuring.seconds", quarter)
    for module in ("engine.signoff", "screens.signoff"):
        monkeypatch.setattr(f"opsconsole.{module}.clock_state", lambda: Clock.SYNCHRONISED)
    monkeypatch.setattr("opsconsole.engine.recorder.RETRIES", (0.001,))
    monkeypatch.setattr("opsconsole.screens.keeping_up.RETRY_EVERY", 0.05)
    # The pilot looks after each key whether the process is idle, and waits up to a second for that. Tests wait for
    # what they want to see, and pictures for a screen that stands still.
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.004)
    monkeypatch.setattr("opsconsole.screens.keeping_up.REFRESH_EVERY", 0.05)


@pytest.fixture
def make_morning(tmp_path: Path) -> Iterator[MakeMorning]:
    """Make a morning in a directory of the test's own."""
    from support.console import Morning

    made: list[Morning] = []

    def make(*args: Any, **options: Any) -> Morning:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        made.append(Morning(directory, *args, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def morning(make_morning: MakeMorning) -> "Morning":
    """A good morning."""
    return make_morning()
