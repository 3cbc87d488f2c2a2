"""Lines of plain text: as wide as they look, broken between words, harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.export.layout import cells, one_line, padded, wrapped
from support.hostile import any_text


@pytest.mark.parametrize(
    ("text", "width"), [("plain", 5), ("例え", 4), ("e\u0301", 1), ("", 0), ("\uff26ull", 5), ("😀", 2)]
)
def test_cells_are_what_a_terminal_shows(text: str, width: int) -> None:
    """Columns are aligned with wide characters and accents too."""
    assert cells(text) == width
    assert cells(padded(text, 9)) == 9


@given(any_text, st.integers(2, 12))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    """Every word is there in order, and no line is wider than was asked for."""
    lines = wrapped(text, width)
    assert "".join(lines).replace(" ", "") == "".join(text.split())
    assert max(map(cells, lines)) <= width
    assert lines


def test_words_stay_whole_where_they_can() -> None:
    """Lines are broken at spaces; only a word that is wider than a line is cut."""
    assert wrapped("one two three", 8) == ["one two", "three"]
    assert wrapped("a verylongword b", 6) == ["a", "verylo", "ngword", "b"]
    assert wrapped("", 10) == [""]


def test_one_line_keeps_the_words_of_all() -> None:
    """A text of several lines becomes one, its blank lines left out and its control characters visible."""
    assert one_line("a\n\n  b\x1b[0m\r\nc ") == r"a b\x1b[0m c"
