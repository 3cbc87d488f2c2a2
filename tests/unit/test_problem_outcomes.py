"""What an item comes to that could not be measured, as it says itself: never green for a thing unseen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.cli.exits import Exit, exit_code
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.checklists import ForEach
from opsconsole.model.events import Listed
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.runs import fold
from opsconsole.model.signoff import hurdles
from opsconsole.model.values import number
from support.told import Desk, checklist, item, table, value

RUN = "morning@2026-11-21"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An engine whose probe brings back what it is told."""
    made = Desk(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("on_connect_error", ProbeError("source-down", "nobody answers")),
        ("on_timeout", ProbeError("timeout", "no answer")),
        ("on_empty", ProbeError("empty", "nothing there")),
        ("on_empty", Reading(columns=("value",))),
        ("on_nan", value(number("NaN"))),
        ("on_nan", table("value", (number("NaN"),))),
    ],
    ids=["down", "timeout", "empty", "no rows", "nan", "nan in a table"],
)
@pytest.mark.parametrize("meant", [None, Outcome.WARN, Outcome.FAIL, Outcome.ERROR])
async def test_each_has_its_key(desk: Desk, key: str, answer: Reading | Exception, meant: Outcome | None) -> None:
    """The key of the very reason decides and no other does; without one it is an ERROR, whatever the rest say."""
    others = {"on_connect_error", "on_timeout", "on_empty", "on_nan"} - {key}
    keys = dict.fromkeys(others, Outcome.WARN) | ({} if meant is None else {key: meant})
    desk.told.answers = {"one": answer}
    states = await desk.measured(checklist(item("one", "value < 5", **keys)))
    assert states["one"].outcome is (meant or Outcome.ERROR)


async def test_no_number_beside_one_beyond_its_limit_fails(desk: Desk) -> None:
    """However mild `on_nan` is, a value that is beyond its limit beside it fails the item."""
    desk.told.answers = {"one": table("name up", ("a", number("NaN")), ("b", 0))}
    states = await desk.measured(checklist(item("one", "every up == 1", on_nan=Outcome.SKIPPED)))
    assert states["one"].outcome is Outcome.FAIL
    desk.told.answers = {"one": table("name up", ("a", number("NaN")), ("b", None))}
    states = await desk.measured(checklist(item("one", "every up == 1", on_nan=Outcome.SKIPPED)))
    assert states["one"].outcome is Outcome.ERROR, "what is missing is not what `on_nan` speaks of"


async def test_targets_that_wait_hold_up_the_sign_off(desk: Desk) -> None:
    """A run with targets not measured yet exits with 0, or 1 where that is asked for, and cannot be signed."""
    services = item("services", "value < 5", for_each=ForEach("catalogue"), options={"about": "{target}"})
    desk.told.answers = {"catalogue": table("name", ("a",)), "services": value(1)}
    listed = checklist(item("catalogue"), services)
    await desk.measured(listed)
    async with desk.opened(listed) as (_, session):
        more = Listed(
            item="services", by="catalogue", targets=("a", "b"), definition_hash=session.state.definition_hash
        )
        await session.record(more)
    state = fold(desk.store.events(RUN))
    assert state is not None
    assert state.items["services"].outcome is Outcome.PENDING
    assert exit_code(state.counts) is Exit.OK
    assert exit_code(state.counts, fail_on_pending=True) is Exit.FAILED
    assert [each.item for each in hurdles(state)] == ["services"]
