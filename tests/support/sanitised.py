"""Checks that a text is nothing but text: no character in it steers a terminal, hides or reorders."""

import re
import unicodedata

UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories: control, format, surrogate, private use, unassigned, line and paragraph separators."""
_SUSPECT = re.compile("[^\x20-\x7e\n]")


def assert_only_text(text: str, *, lines: bool = True) -> None:
    """Check that nothing in a text is anything but text, and that it is one line where it is to be."""
    for char in {*_SUSPECT.findall(text)}:
        assert unicodedata.category(char) not in UNSAFE, ascii(char)
    assert lines or "\n" not in text
