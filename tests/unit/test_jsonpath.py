"""Paths in JSON answers: what is there is found, and what is missing is never left out in silence."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._jsonpath import (
    MISSING,
    MOST_NODES,
    JsonError,
    PathError,
    TooManyError,
    parsed,
    path_of,
    path_problem,
)

DOCUMENT = parsed(
    '{"status": "ok", "ratio": 0.1, "none": null, "checks": [{"ok": true, "ms": 3}, {"ms": 0.5}],'
    ' "groups": {"eu": {"up": [1, 2]}, "us": {}}}'
)


def _found(path: str, document: Any = DOCUMENT) -> list[Any]:
    return [each.node for each in path_of(path).places(document)]


@pytest.mark.parametrize(
    ("path", "singular", "nodes"),
    [
        ("$", True, [DOCUMENT]),
        ("$.status", True, ["ok"]),
        ("$['status']", True, ["ok"]),
        ("$.none", True, [None]),
        ("$.nowhere", True, [MISSING]),
        ("$.status.deeper", True, [MISSING]),
        ("$.checks[-1].ms", True, [Decimal("0.5")]),
        ("$.checks[7]", True, [MISSING]),
        ("$.checks[*].ok", False, [True, MISSING]),
        ("$.checks[*].ms", False, [3, Decimal("0.5")]),
        ("$.checks[1:].ms", False, [Decimal("0.5")]),
        ("$.groups.*.up[*]", False, [1, 2, MISSING]),
        ("$.groups[*].up[0]", False, [1, MISSING]),
        ("$.nowhere[*]", False, [MISSING]),
        ("$.status[*]", False, [MISSING]),
        ("$.none[?@.x == 1]", False, [MISSING]),
        ("$.groups[1:]", False, [MISSING]),
        ("$..ok", False, [True]),
        ("$.checks[?@.ms == 0.5].ms", False, [Decimal("0.5")]),
        ("$.checks[?@.ms > 9]", False, []),
        ("$.checks[?@.ms > 1].ok", False, [True]),
        ("$['status', 'nowhere']", False, ["ok", MISSING]),
        ("$.checks[?@.state == 'down']", False, [MISSING]),
        ("$.checks[?@.state == 'down' || @.ms > 9]", False, []),
        ("$.checks[?@.state == 'down' && length(@.why) > 3]", False, [MISSING]),
        ("$.checks[?@.state && @.state == 'down']", False, []),
        ("$.checks[?@.state]", False, []),
        ("$.checks[?@.state != 'up'].ms", False, [3, Decimal("0.5")]),
        ("$.checks[?@.ok == false]", False, []),
        ("$.groups[*].up[?@.x == 1]", False, [MISSING, MISSING]),
        ("$.groups.us[?@.x == 1]", False, []),
    ],
)
def test_paths_lead_where_they_say(path: str, singular: bool, nodes: list[Any]) -> None:
    """Each step that leads nowhere leaves a gap that a condition stumbles over; a filter leaves out on purpose."""
    assert path_of(path).singular is singular
    assert _found(path) == nodes


def test_a_text_is_no_document_to_read_again() -> None:
    """A server that answers with a JSON text that itself spells JSON is taken at its word."""
    assert _found("$", parsed('"{\\"status\\": \\"ok\\"}"')) == ['{"status": "ok"}']
    assert _found("$.status", parsed('"{\\"status\\": \\"ok\\"}"')) == [MISSING]


def test_rows_of_several_paths_are_known_to_be_the_same() -> None:
    """Two paths make two columns of one table where they part from the same rows."""
    assert path_of("$.checks[*].ok").rows == path_of("$['checks'].*.ms").rows
    assert path_of("$.checks[*].ok").rows != path_of("$.checks[0:].ms").rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with $"),
        ("status", "begins with $"),
        ("$.", "is no path"),
        ("$.a b", "is no path"),
        ("$[", "is no path"),
        ("$.a | $.b", "is no path"),
        ("$.x[?@.y =~ /a/]", "is no path"),
        ("$[?count(@)]", "is no path"),
        ("$" + "[?@" * 300, "is no path"),
        ("$" + ".a" * 600, "characters at most"),
    ],
)
def test_what_is_no_path_is_refused(text: str, says: str) -> None:
    """A typo is found when the checklist is loaded, with what a path looks like."""
    problem = path_problem(text)
    assert problem is not None
    assert says in problem
    with pytest.raises(PathError):
        path_of(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (b" \n", "empty"),
        ("{", "line 1, column 2"),
        ("<html>", "expecting value"),
        ('{"status": "down", "status": "up"}', "'status' twice"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "too long"),
        ("[1e99999999999999999999]", "too large"),
        (b"\xff\xfe", "no UTF-8 from byte 0"),
    ],
)
def test_what_is_no_json_has_its_words(text: str | bytes, says: str) -> None:
    """Whoever reads the problem learns what is wrong with the answer, and where."""
    with pytest.raises(JsonError, match=says):
        parsed(text)


def test_json_as_servers_write_it() -> None:
    """A byte order mark and NaN, which many servers write, are read; NaN stays one."""
    assert parsed(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert parsed("[NaN, -Infinity]")[0].is_nan()


def test_a_path_that_selects_too_much_is_refused() -> None:
    """A document of a million elements does not become a million rows."""
    with pytest.raises(TooManyError, match=f"{MOST_NODES:,}"):
        _found("$[*]", list(range(MOST_NODES + 1)))


def test_a_filter_over_what_is_no_number_is_told() -> None:
    """NaN in a filter ends in a problem and not in a crash."""
    with pytest.raises(JsonError, match="none"):
        _found("$[?@.x < 1]", parsed('[{"x": NaN}]'))


def test_deep_documents_end_in_words() -> None:
    """A document nested beyond what `..` follows is a problem of its own."""
    with pytest.raises(JsonError, match="nested too deeply"):
        _found("$..a", parsed("[" * 300 + "]" * 300))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON, st.sampled_from(["$", "$.a", "$[*]", "$..a", "$.*.a", "$[0][*]", "$[?@.a > 1]", "$[?@.a == @.b]"]))
def test_any_document_can_be_searched(document: Any, path: str) -> None:
    """Whatever is answered, a path ends in places or in words."""
    try:
        places = path_of(path).places(parsed(json.dumps(document)))
    except JsonError:
        return
    assert not path_of(path).singular or len(places) == 1


@given(st.text(max_size=60).map(lambda text: f"${text}"))
def test_any_text_as_a_path(text: str) -> None:
    """No text makes the reading of paths fail in another way than with its own error."""
    with contextlib.suppress(PathError, JsonError):
        path_of(text).places(DOCUMENT)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_as_an_answer(answer: bytes | str) -> None:
    """No answer makes the reading of JSON fail in another way than with its own error."""
    with contextlib.suppress(JsonError):
        parsed(answer)
