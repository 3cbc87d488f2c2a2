"""Which conditions can go red: each is broken on a reading, and those that nothing breaks are told."""

from decimal import Decimal

import pytest

from opsconsole.model.checklists import Entry, Item
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.proving import Proven, prove_item
from opsconsole.model.readings import Past, Reading
from opsconsole.model.values import Moment, Number, Unit
from support.states import measures, moment, percent, seconds, table

HOST = measures(
    used=percent(41.3), free=12, state="active", ok=True, took=seconds(0.2), since=moment("02:00"), gone=0
)
NIGHTS = table("collector records", ("ConnectWise", 412), ("NinjaOne", 12))
QUIET = table("collector records")
SIGNED = measures(difference=Number(Decimal(-3)))


@pytest.mark.parametrize(
    ("condition", "reading", "proven"),
    [
        ("used < 80%", HOST, Proven.RED),
        ("used <= 100%", HOST, Proven.DOUBTFUL),
        ("used >= 0%", HOST, Proven.DOUBTFUL),
        ("used <= 200%", HOST, Proven.RED),
        ("used >= -3%", HOST, Proven.RED),
        ("used between 0% and 100%", HOST, Proven.DOUBTFUL),
        ("free >= 0", HOST, Proven.DOUBTFUL),
        ("free > 0", HOST, Proven.RED),
        ("gone == 0", HOST, Proven.RED),
        ("gone != 1", HOST, Proven.RED),
        ("took < 30 s", HOST, Proven.RED),
        ("took >= 0 s", HOST, Proven.DOUBTFUL),
        ("difference >= 0", SIGNED, Proven.RED),
        ("state == 'active'", HOST, Proven.RED),
        ("state != 'failed'", HOST, Proven.RED),
        ("state in ['active', 'reloading']", HOST, Proven.RED),
        ("state not in ['failed']", HOST, Proven.RED),
        ("state contains 'act'", HOST, Proven.RED),
        ("state not contains 'fail'", HOST, Proven.RED),
        ("state matches /^active$/", HOST, Proven.RED),
        ("state matches /.*/", HOST, Proven.NEVER),
        ("state matches /^/", HOST, Proven.NEVER),
        ("state not matches /CRITICAL: [0-9]+/", HOST, Proven.RED),
        ("state not matches /(?!)/", HOST, Proven.NEVER),
        ("ok == true", HOST, Proven.RED),
        ("free within 10% of 12", HOST, Proven.RED),
        ("free < baseline * 1.5", HOST, Proven.RED),
        ("free < baseline * 1.5 + 10", HOST, Proven.RED),
        ("free within 10% of gone * 2 + 12", HOST, Proven.RED),
        ("free >= gone * 2 + 12", HOST, Proven.RED),
        ("every records > 5", NIGHTS, Proven.RED),
        ("every records >= 0", NIGHTS, Proven.DOUBTFUL),
        ("no records == 0", NIGHTS, Proven.RED),
        ("any records > 400", NIGHTS, Proven.RED),
        ("every records <= 5", QUIET, Proven.RED),
        ("every records <= 5 s", QUIET, Proven.RED),
        ("no collector == 'x'", QUIET, Proven.RED),
        ("every records >= 0", QUIET, Proven.DOUBTFUL),
        ("count == 2", NIGHTS, Proven.RED),
        ("count >= 1", NIGHTS, Proven.RED),
        ("count >= 0", NIGHTS, Proven.DOUBTFUL),
        ("count < 100000", NIGHTS, Proven.RED),
        ("absent > 5", HOST, Proven.UNSEEN),
    ],
)
def test_conditions(condition: str, reading: Reading, proven: Proven) -> None:
    """What can be broken by what could be measured, what only by something that could not, and what never."""
    (proof,) = prove_item(Item(id="x", title="x", probe="told", require=(parse_condition(condition),)), [reading])
    assert (proof.proven, bool(proof.how)) == (proven, True)


def test_what_was_never_measured_is_told() -> None:
    """Without a reading nothing is proven, and that is no proof of anything."""
    (proof,) = prove_item(Item(id="x", title="x", probe="told", require=(parse_condition("used < 80%"),)), [])
    assert proof.proven is Proven.UNSEEN


def test_an_entry_is_broken_by_what_is_typed() -> None:
    """What a person would type wrong turns the item red."""
    item = Item(id="x", title="x", entry=Entry("Tickets"), require=(parse_condition("entry between 1 and 500"),))
    (proof,) = prove_item(item, [])
    assert proof.proven is Proven.RED
    assert "an entry of" in proof.how


def test_a_pass_of_an_empty_table_is_none_to_break_with() -> None:
    """Where `on_empty` is a pass, taking the rows away breaks nothing."""
    condition = parse_condition("count >= 1")
    item = Item(id="x", title="x", probe="told", require=(condition,), on_empty=Outcome.PASS)
    (proof,) = prove_item(item, [NIGHTS])
    assert proof.proven is Proven.DOUBTFUL


def test_the_proof_leaves_the_reading_alone() -> None:
    """The reading is what it was, and as green."""
    before = Reading(measures={"used": Number(Decimal(5), Unit.PERCENT)}, past=(Past("used"),))
    condition = parse_condition("used < 80%")
    prove_item(Item(id="x", title="x", probe="told", require=(condition,)), [before])
    assert judge(before, [condition]).outcome is Outcome.PASS
    assert isinstance(HOST.measures["since"], Moment)
