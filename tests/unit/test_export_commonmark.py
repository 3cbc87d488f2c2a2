"""Escaping for markdown: whatever the text, a renderer shows it as text, and a person can still read the source."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opsconsole.export.commonmark import fenced, heading, inline, line, quoted, table
from opsconsole.export.layout import one_line
from opsconsole.model.text import visible, visible_lines
from support.hostile import hostile_text
from support.markdown import PLAIN_TOKENS, parse
from support.states import HOSTILE, HOSTILE_LINES


@given(hostile_text)
@example("\\")
@example("a_b_ _c")
@example("<")
@example("&")
def test_a_text_in_a_paragraph_is_only_text(text: str) -> None:
    """A summary never becomes a link, a tag or emphasis; its reader sees what the source said, made visible."""
    found = parse(f"It said: {inline(text)}")
    assert found.kinds <= PLAIN_TOKENS - {"strong_open"}
    assert [each.rstrip() for each in found.paragraphs] == [f"It said: {visible(text)}".rstrip()]


@given(hostile_text)
def test_a_text_at_the_start_of_a_line_is_only_text(text: str) -> None:
    """Something to do that begins like a heading, a list or a table does not become one."""
    found = parse(f"- {line(text)}\n- next\n\n{line(text)}\n\nend")
    expected = visible(text.strip())
    assert found.kinds <= PLAIN_TOKENS - {"strong_open", "blockquote_open"}
    assert [each.strip() for each in found.bullets if each] == [each for each in (expected.strip(), "next") if each]
    assert found.paragraphs[-1] == "end"


@given(st.integers(1, 6), hostile_text)
@example(1, "C #")
@example(2, "# #")
@example(3, "")
def test_a_heading_stays_one_heading(level: int, text: str) -> None:
    """The title of an item is one heading of its level, closing signs included."""
    found = parse(f"before\n\n{heading(level, text)}\n\nafter")
    assert found.headings == [(level, visible(" ".join(text.split())).strip())]
    assert found.paragraphs == ["before", "after"]


@given(hostile_text)
@example("```\n````\n`````")
def test_evidence_cannot_leave_its_fence(text: str) -> None:
    """Evidence is shown line by line as it was, whatever fences or HTML it holds."""
    found = parse(f"{fenced(text)}\n\nafter")
    assert found.fences == ["\n".join(visible_lines(text)) + "\n"]
    assert found.paragraphs == ["after"]
    assert found.kinds <= PLAIN_TOKENS


@given(hostile_text)
@example(HOSTILE_LINES)
@example("a|b\n:--\nc")
@example("#  \n\xa0")
@example("last\n\u2003")
def test_a_note_keeps_its_lines(text: str) -> None:
    """A note stays within its quotation, each line on a line of its own, its list signs and indents to be seen."""
    found = parse(f"{quoted(text)}\n\nafter")
    written = [each.strip() for each in visible_lines(text) if each.strip(" ")]
    shown = [each.strip() for quote in found.quotes for each in quote.split("\n") if each.strip(" ")]
    assert [each for each in shown if each] == [each for each in written if each]
    assert found.paragraphs == ["after"]
    assert found.kinds <= PLAIN_TOKENS - {"strong_open"}


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(hostile_text, min_size=width, max_size=width), min_size=1, max_size=4)
    )
)
@example([["a\\", "|"], ["\\|", "`|`"]])
def test_a_table_keeps_its_shape(rows: list[list[str]]) -> None:
    """No cell adds a column, ends a row or ends the table; each shows its text."""
    found = parse(f"before\n\n{table(rows[0], rows[1:])}\n\nafter")
    assert found.tables == [[[one_line(cell) for cell in row] for row in rows]]
    assert found.paragraphs == ["before", "after"]
    assert found.kinds <= PLAIN_TOKENS - {"strong_open"}


@pytest.mark.parametrize("text", [*HOSTILE, HOSTILE_LINES])
def test_github_finds_no_address_to_link(text: str) -> None:
    """Addresses are not made links by themselves, as GitHub does with `https://` and `www.` in plain text."""
    words = inline(f"_www.example.org {text}")
    assert "https://" not in words
    assert "www." not in words


@pytest.mark.parametrize(
    "text",
    [
        "used is 76.2 %, near the limit 80 % (95 % of it)",
        "every duration < 30 s",
        "tickets_created is 412; a & b",
        "2026-11-21 08:12:03 CST (UTC-06:00) by operator on host-1",
        "status is 'failed', required 'success'!",
        "count >= 2 + 1 = 3 - #4",
    ],
)
def test_common_texts_are_not_escaped(text: str) -> None:
    """The plain text of a day log reads like plain text."""
    assert inline(text) == text


def test_columns_are_aligned_by_what_a_terminal_shows() -> None:
    """The columns of a table stand below each other also with wide characters."""
    assert table(("name", "n"), [("例", "1"), ("plain", "22")]) == (
        "| name  | n |\n| ----- | --- |\n| 例    | 1 |\n| plain | 22 |"
    )


def test_a_note_of_one_column_is_no_table() -> None:
    """GitHub makes a table of two lines of which the second is `:--`; a note that looks like it stays a note."""
    assert quoted("a\n:--\nb") == "> a\\\n> \\:--\\\n> b"
