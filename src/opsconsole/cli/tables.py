"""Rows as aligned columns."""

from collections.abc import Sequence

from opsconsole.model.text import visible


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as aligned columns, the last one as long as it likes; hostile text in them is harmless."""
    clean = [tuple(visible(cell) for cell in row) for row in rows]
    widths = [max(len(row[at]) for row in clean) for at in range(len(clean[0]) - 1)] if clean else []
    lines = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in clean
    )
    return "".join(f"{line}\n" for line in lines)
