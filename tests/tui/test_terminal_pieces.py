"""Text in cells: cut, wrapped, cleaned and turned to ASCII without ever being a cell too wide."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from opsconsole.model.text import visible
from opsconsole.widgets.ascii import to_ascii
from opsconsole.widgets.pieces import Piece, clean, cut, cut_pieces, width_of, wrap

_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("ab  漢\u0301\ufe0f❤é\x1b\u202e\n\u200d")), max_size=40)
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@settings(deadline=None)
@given(_TEXT)
@example("\u0301\u0301\u0301")
@example("\ufe0f❤\ufe0f")
@example("\u1160")
def test_clean_text_steers_nothing(text: str) -> None:
    """No text, whatever it holds, changes the terminal or the character before it."""
    result = clean(text)
    assert not {unicodedata.category(char) for char in result} & _UNSAFE
    assert clean(result) == result
    if result:
        assert cell_len(result[0]) > 0


@settings(deadline=None)
@given(_TEXT, st.integers(0, 20))
def test_cut_text_fits(text: str, cells: int) -> None:
    """A cut title never pushes the value beside it out of its column, and shows that it was cut."""
    text = clean(text)
    result = cut(text, cells)
    assert cell_len(result) <= cells
    assert result == text or result.endswith("…") or cells == 0
    if cell_len(text) <= cells:
        assert result == text


@settings(deadline=None)
@given(st.lists(st.builds(Piece, _TEXT), max_size=4), st.integers(0, 30))
def test_cut_pieces_fit_together(pieces: list[Piece], cells: int) -> None:
    """Any number of pieces stays within its room; what had room enough is all there."""
    kept = cut_pieces(pieces, cells)
    assert width_of(kept) <= cells
    whole = [clean(piece.text) for piece in pieces]
    if sum(map(cell_len, whole)) <= cells:
        assert "".join(piece.text for piece in kept) == "".join(whole)


def test_flood_of_combining_marks_is_held_back() -> None:
    """A cell of evidence cannot carry a hundred thousand bytes over the line."""
    (piece,) = cut_pieces([Piece("a" + "\u0301" * 100_000)], 10)
    assert len(piece.text) < 20
    assert piece.text.endswith("…")


@settings(deadline=None)
@given(
    st.lists(st.builds(Piece, _TEXT, st.sampled_from(["", "bold"])), max_size=4),
    st.integers(2, 30),
    st.integers(0, 6),
)
def test_wrapped_lines_fit_and_lose_only_spaces(pieces: list[Piece], width: int, indent: int) -> None:
    """Evidence is shown whole at any width: lines fit, nothing is missing, nothing doubled, styles stay."""
    pieces = [Piece(text, piece.style) for piece in pieces if (text := clean(piece.text))]
    lines = list(wrap(pieces, width, indent))
    assert lines
    assert all(width_of(line) <= width for line in lines)
    shown = [(char, piece.style) for line in lines for piece in line for char in piece.text if char != " "]
    assert shown == [(char, piece.style) for piece in pieces for char in piece.text if char != " "]


@pytest.mark.parametrize(
    ("text", "width", "indent", "lines"),
    [
        ("", 10, 0, [""]),
        ("one two three", 8, 0, ["one two", "three"]),
        ("one two three", 7, 2, ["one two", "  three"]),
        ("  indented text here", 12, 4, ["  indented", "    text", "    here"]),
        ("abcdefghij", 4, 0, ["abcd", "efgh", "ij"]),
        ("漢字漢字", 5, 0, ["漢字", "漢字"]),
        ("a b c d", 80, 0, ["a b c d"]),
    ],
)
def test_text_breaks_between_words(text: str, width: int, indent: int, lines: list[str]) -> None:
    """Lines break at spaces where there are any, and continue under their own beginning."""
    wrapped = wrap([Piece(text)] if text else [], width, indent)
    assert ["".join(piece.text for piece in line) for line in wrapped] == lines


@settings(deadline=None)
@given(_TEXT)
def test_ascii_takes_the_same_cells(text: str) -> None:
    """Columns stay in line on a terminal without UTF-8."""
    text = visible(text)
    result = to_ascii(text)
    assert result.isascii()
    assert result.isprintable()
    assert len(result) == cell_len(text)


@pytest.mark.parametrize("first", [0xA0, 0x2010, 0x2190, 0x2500, 0x2580, 0x25A0, 0x2700])
def test_ascii_knows_what_frames_are_made_of(first: int) -> None:
    """Every sign that Textual draws with has an ASCII sign of the same width."""
    for char in map(chr, range(first, first + 0x60)):
        if unicodedata.category(char) not in _UNSAFE:
            assert to_ascii(char).isascii()
            assert len(to_ascii(char)) == cell_len(char)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("╭─ é │ ╰━┓ ═║", "+- e | +-+ =|"),
        ("naïve Müller…", "naive Muller~"),
        ("✓ 漢 ● ▅ → \u2013", "v ?? * = > -"),
        ("\uff21", "A "),
    ],
)
def test_ascii_looks_like_what_it_stands_for(text: str, drawn: str) -> None:
    """Frames remain frames, and letters lose no more than their accents."""
    assert to_ascii(text) == drawn
