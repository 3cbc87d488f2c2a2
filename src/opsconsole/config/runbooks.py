"""Runbooks: markdown files in the directory `runbooks` beside the checklists that name them."""

from pathlib import Path

import msgspec

from opsconsole.config.diagnostics import WHOLE, Diagnostic, Report
from opsconsole.config.textfiles import is_file, read_text
from opsconsole.config.words import guess, quoted
from opsconsole.model.checklists import ID

DIRECTORY = "runbooks"

_LONGEST_LINE = 100_000
"""Characters; prose is often one line a paragraph."""


class LoadedRunbook(msgspec.Struct, frozen=True):
    """A runbook as it was found."""

    path: Path
    text: str | None
    """Markdown; None where it cannot be used."""
    problems: tuple[Diagnostic, ...] = ()


def runbook_path(checklist: Path, name: str) -> Path:
    """Return where the runbook `name` of a checklist file is."""
    return checklist.parent / DIRECTORY / f"{name}.md"


def load_runbook(path: Path, *, check_trust: bool = True) -> LoadedRunbook:
    """Read a runbook; an empty one is a problem, because it would be opened by somebody in need."""
    report = Report(str(path))
    text = read_text(path, report, check_trust=check_trust, max_line=_LONGEST_LINE)
    if ID.fullmatch(path.stem) is None:
        report.error(WHOLE, f"{quoted(path.stem)} is no name of a runbook: lower-case letters, digits, '-' and '_'")
    if text is not None and not text.strip():
        report.error(WHOLE, "the runbook is empty")
    return LoadedRunbook(path, None if report.failed else text, report.diagnostics())


def missing_runbook(checklist: Path, name: str) -> str | None:
    """Return why the runbook that a checklist names cannot be offered, or None."""
    if ID.fullmatch(name) is None:
        return f"{quoted(name)} is no name of a runbook; write it without directory and '.md'"
    if is_file(runbook_path(checklist, name)):
        return None
    known = [path.stem for path in runbook_path(checklist, name).parent.glob("*.md")]
    return f"there is no file {DIRECTORY}/{name}.md beside the checklist{guess(name, known, 'there are')}"
