"""What a benchmark found: a table, the same on the terminal and in docs/benchmarks.md."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Table:
    """One table with its name."""

    name: str
    """Names the place in the page: `<!-- measured: NAME -->`."""
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    about: str
    """How it was measured, in a sentence or two."""

    def __str__(self) -> str:
        """Return it as markdown whose columns are aligned."""
        lines = [list(self.head), *map(list, self.rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.head))]
        rule = ["-" * width for width in widths]
        shown = [lines[0], rule, *lines[1:]]
        texts = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in shown]
        return "\n".join([*texts, "", self.about])


def write_into_page(tables: Sequence[Table], facts: str, page: Path = PAGE) -> None:
    """Put the tables, each with the facts about the machine, in their places; the text around them stays."""
    text = page.read_text(encoding="utf-8")
    for table in tables:
        begin, end = f"<!-- measured: {table.name} -->", "<!-- end -->"
        place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if place.search(text) is None:
            raise ValueError(f"{page} has no place for '{table.name}'")
        block = f"{begin}\n{table}\n{facts}\n{end}"
        text = place.sub(lambda _, block=block: block, text, count=1)  # type: ignore[misc]
    page.write_text(text, encoding="utf-8")
