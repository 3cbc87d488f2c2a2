"""Puts what the fault tests came to into docs/faults.md: `make faults-page`.

    python tools/fault_docs.py FEW.json FULL.json

The files are those of `pytest --faults-summary`: one with the counts of CI, one with the full ones.
"""

import re
import sys
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.faults import ROWS, Found, Summary  # noqa: E402 - the path comes first

PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- counted -->", "<!-- end -->"
HEAD = ("fault", "passes when", "in CI: tried, lost", "in full: tried, lost", "and it met, in full")


def main(few: str, full: str) -> None:
    """Do what the module says."""
    summaries = [msgspec.json.decode(Path(each).read_bytes(), type=Summary) for each in (few, full)]
    told = [each.counts for each in summaries]
    if told != ["few", "full"]:
        raise SystemExit(f"name the summary with few counts and then the full one, not {' and '.join(told)}")
    text = PAGE.read_text(encoding="utf-8")
    place = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    block = f"{BEGIN}\n{table(*summaries)}\n\n{facts(*summaries)}\n{END}"
    PAGE.write_text(place.sub(lambda _: block, text, count=1), encoding="utf-8")


def table(few: Summary, full: Summary) -> str:
    """Return what both runs counted, a line for each kind of fault."""
    rows = [HEAD]
    for row in ROWS:
        in_ci, in_full = (each.rows.get(row.key, Found()) for each in (few, full))
        met = ", ".join(f"{what} {count:,}" for what, count in in_full.besides.items())
        rows.append((row.title, row.passes_when, counted(in_ci), counted(in_full), met))
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    rule = tuple("-" * width for width in widths)
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in (rows[0], rule, *rows[1:]))


def counted(found: Found) -> str:
    """Return how many faults were made, and after how many something was lost."""
    if not found.tried:
        return "not tried"
    missing = f" ({len(found.not_made)} kinds could not be made)" if found.not_made else ""
    return f"{found.tried:,}, {found.lost:,}{missing}"


def facts(few: Summary, full: Summary) -> str:
    """Return where and for how long both ran."""
    return "\n".join(
        f"In {name}: {each.where}; {sum(row.seconds for row in each.rows.values()):,.0f} s of tests."
        for name, each in (("CI", few), ("full", full))
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
