"""Reads an HTML report back as a browser does, without one: what it shows, and what it would fetch or run."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

FETCHING = frozenset(
    {"src", "href", "srcset", "action", "formaction", "data", "poster", "background", "xlink:href"}
)
PLAIN_TAGS = frozenset(
    {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "ul", "li", "div"),
        *("table", "thead", "tbody", "tr", "th", "td", "blockquote", "figure", "figcaption", "strong"),
        *("svg", "path", "text", "line", "polyline", "circle"),
    }
)
"""Everything that a report writes itself."""
_VOID = frozenset({"meta"})


@dataclass
class Page(HTMLParser):
    """One document."""

    tags: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str, str]] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def __hash__(self) -> int:
        return id(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it; every tag must be closed again."""
        self.tags.add(tag)
        self.attributes |= {(tag, name, value or "") for name, value in attrs}
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one without content."""
        self.tags.add(tag)
        self.attributes |= {(tag, name, value or "") for name, value in attrs}

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what is shown."""
        if "style" not in self.open:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        """A report has none."""
        self.comments.append(data)

    @property
    def shown(self) -> str:
        """Everything that is shown, its white space as single blanks."""
        return " ".join(" ".join(self.texts).split())


def page_of(document: str) -> Page:
    """Read a document to its end."""
    page = Page()
    page.feed(document)
    page.close()
    assert not page.open
    return page
