"""Reads exported markdown back, as a renderer of CommonMark with GFM tables and strike-through sees it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

PLAIN_TOKENS = frozenset(
    {
        "heading_open",
        "heading_close",
        "paragraph_open",
        "paragraph_close",
        "blockquote_open",
        "blockquote_close",
        "bullet_list_open",
        "bullet_list_close",
        "list_item_open",
        "list_item_close",
        "table_open",
        "table_close",
        "thead_open",
        "thead_close",
        "tbody_open",
        "tbody_close",
        "tr_open",
        "tr_close",
        "th_open",
        "th_close",
        "td_open",
        "td_close",
        "fence",
        "inline",
        "text",
        "softbreak",
        "hardbreak",
        "strong_open",
        "strong_close",
    }
)
"""Everything that the program writes itself; links, images, HTML, code spans and the rest are never among it."""


@dataclass
class Parsed:
    """What a reader of the rendered document sees."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    fences: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)
    paragraphs: list[str] = field(default_factory=list)
    bullets: list[str] = field(default_factory=list)
    strong: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)


def seen_text(children: Sequence[Token]) -> str:
    """Return the text of a paragraph as it is rendered: only a hard break begins another line."""
    breaks = {"hardbreak": "\n", "softbreak": " "}
    return "".join(breaks.get(each.type, each.content) for each in children)


def parse(document: str) -> Parsed:
    """Read a document."""
    found = Parsed()
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(document)
    context: list[str] = []
    for token in tokens:
        found.kinds |= {token.type} | {child.type for child in token.children or ()}
        if token.type == "fence":
            found.fences.append(token.content)
        elif token.type == "table_open":
            found.tables.append([])
        elif token.type == "tr_open":
            found.tables[-1].append([])
        if token.nesting:
            context = [*context, token.tag] if token.nesting > 0 else context[:-1]
        if token.type == "inline":
            _take(found, context, token.children or [])
    return found


def _take(found: Parsed, context: Sequence[str], children: Sequence[Token]) -> None:
    text = seen_text(children)
    found.strong += _strong(children)
    if context[-1] in {"th", "td"}:
        found.tables[-1][-1].append(text)
    elif context[-1].startswith("h"):
        found.headings.append((int(context[-1][1]), text))
    elif "blockquote" in context:
        found.quotes.append(text)
    elif "li" in context:
        found.bullets.append(text)
    else:
        found.paragraphs.append(text)


def _strong(children: Sequence[Token]) -> Iterator[str]:
    inside = False
    for child in children:
        if child.type in {"strong_open", "strong_close"}:
            inside = child.type == "strong_open"
        elif inside:
            yield child.content
