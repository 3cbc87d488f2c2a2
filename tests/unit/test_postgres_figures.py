"""What is made of the answers to the ready-made queries: whatever they hold, a reading or a cause."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._pganswers import Answer, Column
from opsconsole.checks._pgproblems import Place
from opsconsole.checks._pgstats import FIGURES, About, found
from opsconsole.contracts.probe import ProbeError

PLACE = Place("inventory", {"host": "db.example"})
CELL = st.none() | st.binary(max_size=12) | st.sampled_from([b"1", b"NaN", b"-1.5", b"infinity", b"t", b"role"])
TYPES = st.sampled_from([16, 20, 25, 701, 1184, 1186, 1700])


@st.composite
def answers(draw: st.DrawFn, width: int) -> Answer:
    """Make an answer of about that width, with any cells."""
    rows = draw(st.lists(st.tuples(*[CELL] * draw(st.sampled_from([width, width, width - 1, 2]))), max_size=4))
    columns = tuple(Column("c", draw(TYPES)) for _ in range(max(width, 2)))
    return Answer(columns=columns, rows=tuple(rows), truncated=draw(st.booleans()), seconds=Decimal(0), notices=())


@pytest.mark.parametrize("about", FIGURES)
@given(data=st.data())
def test_any_answer_is_a_reading_or_a_cause(about: About, data: st.DataObject) -> None:
    """A server that answers nonsense makes an item an error, never the console stumble."""
    figures = FIGURES[about]
    width = 2 + len(figures.measures) + len(figures.columns)
    answer = data.draw(answers(width))
    seen = None
    with contextlib.suppress(ProbeError):
        seen = found(figures, answer, PLACE, "opsconsole")
    if seen is None:
        return
    assert not answer.truncated
    assert set(seen.measures) == set(figures.measures)
    assert all(len(row) == len(figures.columns) for row in seen.rows)


@pytest.mark.parametrize("about", About)
def test_every_figure_has_its_query(about: About) -> None:
    """What can be asked for is known, and no name is a measure and a column with different units."""
    if about is About.RESPONSE:
        return
    figures = FIGURES[about]
    both = set(figures.measures) & set(figures.columns)
    assert not both
    assert figures.sql.strip().startswith(("with", "select"))
