"""`prune`: removes what has become older than it is to be kept."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import narrate, opened_services, options_of
from opsconsole.cli.exits import Exit
from opsconsole.model.events import Via
from opsconsole.model.text import visible

if TYPE_CHECKING:
    import datetime as dt

    from opsconsole.engine.pruning import OldEvidence, OldFile, Plan, Pruning, Spared

_MOST_DAYS = 36_500


def prune(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    evidence: Annotated[
        int | None,
        typer.Option(
            "--evidence",
            metavar="DAYS",
            min=0,
            max=_MOST_DAYS,
            help="Age of the evidence of unsigned runs; 0 keeps it.",
            show_default="as configured",
        ),
    ] = None,
    exports: Annotated[
        int | None,
        typer.Option(
            "--exports",
            metavar="DAYS",
            min=0,
            max=_MOST_DAYS,
            help="Age of exported day logs; 0 keeps them.",
            show_default="as configured",
        ),
    ] = None,
) -> None:
    """Remove what is older than [retention] of the configuration keeps it; an event of each run tells what went.

    That is the evidence texts of runs that were never signed, counted from the end of their period, and day logs
    in the directory of exports, counted from when they were written. Events, signed runs, exported records and
    everything that this program did not write are never removed. Exit codes: 0 done, or nothing to do; 1 the record
    is broken, or contradicts a day log or a noted head: then those stay; 2 wrong usage or configuration; 4 the
    record could not be written.
    """
    options = options_of(context)
    from opsconsole.wiring.configuration import configured

    config, _ = configured(options.config, options.state)
    evidence_days = config.retention.evidence if evidence is None else evidence
    export_days = config.retention.exports if exports is None else exports
    if not evidence_days and not export_days:
        narrate("everything is kept for ever: nothing is said in [retention], nor by --evidence or --exports")
        raise typer.Exit(Exit.OK)
    from opsconsole.engine.exports import ExportsDirectory
    from opsconsole.engine.pruning import Pruning
    from opsconsole.export.recognising import recognised

    with opened_services(options, Via.COMMAND) as parts:
        if parts.alarms:
            narrate("nothing is removed before that is cleared up")
            raise typer.Exit(Exit.FAILED)
        directory = ExportsDirectory(config.exports, recognised)
        pruning = Pruning(parts.engine.store, parts.actor, directory)
        now = parts.engine.clock()
        plan = pruning.plan(now, evidence_days=evidence_days, export_days=export_days)
        raise typer.Exit(_carried_out(pruning, plan, now, dry_run=dry_run))


def _carried_out(pruning: "Pruning", plan: "Plan", now: "dt.datetime", *, dry_run: bool) -> Exit:
    for each in plan.spared:
        _spare(each)
    contradicted = any(each.is_contradiction for each in plan.spared)
    if not plan.evidence and not plan.files:
        narrate("nothing is old enough to be removed")
        return Exit.FAILED if contradicted else Exit.OK
    if dry_run:
        removal = _Removals("would remove")
        for evidence in plan.evidence:
            removal.add(evidence, evidence.texts)
        removal.tell()
        for file in plan.files:
            _say("would remove", _file(file))
        return Exit.FAILED if contradicted else Exit.OK
    from opsconsole.engine.pruning import BrokenRecord

    try:
        pruning.refuse_broken()
    except BrokenRecord as error:
        narrate(f"{error}\n  {error.hint}")
        return Exit.FAILED
    _remove(pruning, plan, now)
    return Exit.FAILED if contradicted else Exit.OK


def _remove(pruning: "Pruning", plan: "Plan", now: "dt.datetime") -> None:
    from opsconsole.engine.pruning import Spared

    if plan.evidence:
        pruning.refuse_powerless()
    removal = _Removals("removed")
    try:
        for evidence in plan.evidence:
            removed = pruning.remove_evidence(plan, evidence, now)
            if isinstance(removed, Spared):
                _spare(removed)
            else:
                removal.add(evidence, removed)
    finally:
        removal.tell()
    for file in plan.files:
        gone = pruning.remove_file(plan, file, now)
        if isinstance(gone, Spared):
            _spare(gone)
        elif gone:
            _say("removed", _file(file))


def _say(verb: str, what: str) -> None:
    sys.stdout.write(visible(f"{verb} {what}") + "\n")
    sys.stdout.flush()


def _spare(spared: "Spared") -> None:
    narrate(f"kept {spared.what}: {spared.why}")


class _Removals:
    """Says whose evidence goes: each run as it happens, the many of an interval in one line a list."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._many: dict[str, list[tuple[OldEvidence, int]]] = {}

    def add(self, evidence: "OldEvidence", texts: int) -> None:
        """Say, or keep for the end, that so many texts of a run go."""
        from opsconsole.model.calendar import is_slot

        checklist, _, period = evidence.run.partition("@")
        if is_slot(period):
            self._many.setdefault(checklist, []).append((evidence, texts))
        else:
            _say(self._verb, f"{_texts(texts, evidence.characters)} of {evidence.run}, which was never signed")

    def tell(self) -> None:
        """Say what was kept for the end."""
        for found in self._many.values():
            runs = [evidence.run for evidence, _ in found]
            sizes = _texts(sum(texts for _, texts in found), sum(evidence.characters for evidence, _ in found))
            if len(runs) == 1:
                _say(self._verb, f"{sizes} of {runs[0]}, which was never signed")
            else:
                last = runs[-1].partition("@")[2]
                _say(self._verb, f"{sizes} of {runs[0]} to {last}, {len(runs)} runs that were never signed")


def _texts(texts: int, characters: int) -> str:
    return f"{texts} {'evidence text' if texts == 1 else 'evidence texts'} ({characters:,} characters)"


def _file(file: "OldFile") -> str:
    return f"{file.file.name} of {file.run}, written {file.file.written_at:%Y-%m-%d}"
