"""Whatever a source or a person wrote: in a report it is text, and steers neither terminal, reader nor browser."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from opsconsole.export.report_blocks import Block, Bullets, Heading, Paragraph, Quote, Table
from opsconsole.export.report_html import html
from opsconsole.export.report_markdown import markdown
from support.hostile import hostile_text
from support.markdown import PLAIN_TOKENS, parse
from support.report_pages import FETCHING, PLAIN_TAGS, page_of

blocks = st.one_of(
    st.builds(Heading, st.integers(1, 3), hostile_text),
    st.builds(Paragraph, hostile_text, st.booleans()),
    st.builds(Bullets, st.tuples(hostile_text, hostile_text)),
    st.builds(Quote, hostile_text, hostile_text),
    st.builds(
        lambda head, row: Table((head, "b"), ((row, "1"), ("2", row))),
        hostile_text,
        hostile_text,
    ),
)
documents = st.lists(blocks, min_size=1, max_size=5)


def steering(document: str) -> set[str]:
    """Return the characters that could steer a terminal."""
    return {each for each in document if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co"} and each != "\n"}


@given(documents)
def test_markdown(found: list[Block]) -> None:
    """No text becomes a link, a picture, HTML, code or a rule."""
    document = markdown(found)
    assert parse(document).kinds <= PLAIN_TOKENS
    assert not steering(document)
    assert document.endswith("\n")


@given(documents, hostile_text)
def test_html(found: list[Block], title: str) -> None:
    """No text becomes a tag or an attribute, every tag is closed, and nothing is fetched."""
    document = html(found, title)
    page = page_of(document)
    assert page.tags <= PLAIN_TAGS
    assert not page.comments
    assert not {name for _, name, _ in page.attributes} & FETCHING
    assert {value for _, name, value in page.attributes if name == "class"} <= {
        *("verdict", "about", "scroll", "number", "long", "good", "warn", "bad"),
    }
    assert not steering(document)
