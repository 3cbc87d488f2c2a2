"""The one boundary that hostile text passes on its way to a person."""

import re
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from opsconsole.model.text import visible, visible_lines

_any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


@given(_any_text)
@example("\x1b[31mred\x1b]0;title\x07\x9b2J")
@example("\u202eevil\u2066 \ufeff\u200d\U000e0041\ud800\uffff")
def test_nothing_steers_the_terminal(text: str) -> None:
    """No control, format, surrogate, private or separator character is left, and what was harmless stays."""
    clean = visible(text)
    assert not {unicodedata.category(char) for char in clean} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    harmless = [char for char in text if visible(char) == char]
    assert [char for char in harmless if char not in clean] == []


def test_what_it_looks_like() -> None:
    """Steering characters are spelled out where they stood."""
    assert visible("a\x1b[31mb\n\u202ec") == r"a\x1b[31mb\x0a\u202ec"
    assert visible("Grüße 例 😀") == "Grüße 例 😀"
    assert visible_lines("one\r\ntwo\n\tthree\x07") == ["one", "two", "        three" + r"\x07"]
    assert visible_lines("") == [""]


@given(_any_text)
def test_lines_hold_no_line_breaks(text: str) -> None:
    """Each line is one line to every terminal."""
    assert all(len(re.split(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", line)) == 1 for line in visible_lines(text))
