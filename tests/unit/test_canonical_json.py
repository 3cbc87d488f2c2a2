"""Canonical JSON is the same bytes whichever way it is written: hashes and signatures hang on it."""

import sys
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from opsconsole.model.encoding import canonical, is_canonical

_LARGEST = 2**53 - 1
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-_LARGEST, _LARGEST) | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
    max_leaves=20,
)


class Holder(msgspec.Struct):
    """Anything in a struct."""

    held: object


@given(_VALUES)
@example({"\U0001f600": 1, "\ufb33": 2})
@example({"b": {"\u00f6": 1, "o": 2}, "a": []})
def test_it_is_what_the_reference_writes(value: Any) -> None:
    """Any value, keys outside of ASCII and of the first plane included, is written as RFC 8785 has it."""
    written = canonical(Holder(value))
    assert written == rfc8785.dumps({"held": value})
    assert is_canonical(written)


def test_every_character_is_written_as_the_reference_does() -> None:
    """Control characters, quotes, separators of lines and emoji are escaped, or not, in the one way there is."""
    every = "".join(chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    assert canonical(every) == rfc8785.dumps(every)


@pytest.mark.parametrize(
    "value",
    [
        _LARGEST + 1,
        -_LARGEST - 1,
        1.5,
        [{"a": (1, 2.0)}],
        [2**60, 1.5],
        {"\u00f6": [{"\u00f6": 1}, 0.5]},
        "\ud800",
        {"\udfff": 1},
    ],
)
def test_what_does_not_survive_is_refused(value: object) -> None:
    """Floats, integers that other programs read as another number, and half characters never reach a record."""
    with pytest.raises(ValueError, match=r"float|exceeds|non-UTF-8|surrogates"):
        canonical(Holder(value))


def test_the_largest_integers_are_written() -> None:
    """The limit itself is inside."""
    assert canonical(Holder([_LARGEST, -_LARGEST])) == b'{"held":[%d,%d]}' % (_LARGEST, -_LARGEST)
