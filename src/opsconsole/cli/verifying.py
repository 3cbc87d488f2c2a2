"""`verify`: whether the record still is what was written and signed, run by run."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import UsageError, narrate, opened_services, options_of, plain_json, report
from opsconsole.cli.exits import Exit
from opsconsole.model.events import Via
from opsconsole.model.text import counted, visible
from opsconsole.model.tiers import Tier

if TYPE_CHECKING:
    from opsconsole.cli.common import Options
    from opsconsole.contracts.store import StoreError, Verified
    from opsconsole.engine.verifying import Verifying
    from opsconsole.model.verification import CheckedAnchor, CheckedRun, Finding, Summary
    from opsconsole.wiring.services import Services

_TOLD = ("fault", "unchecked")
"""Weights of findings that are said on stderr too, which cron mails."""
_MOST_TOLD = 20


class VerifyFormat(StrEnum):
    """How what was found is printed."""

    TEXT = "text"
    JSON = "json"


def verify(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs, by name.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every run of the record.")] = False,
    form: Annotated[VerifyFormat, typer.Option("--format", help="How it is printed.")] = VerifyFormat.TEXT,
    require_tier: Annotated[
        Tier, typer.Option("--require-tier", help="The weakest signature that passes.")
    ] = Tier.ATTRIBUTED,
    accept_head: Annotated[
        bool,
        typer.Option(
            "--accept-head",
            help="Take the record as it is, although a head that was seen before is lost. Who did is written down.",
        ),
    ] = False,
) -> None:
    """Verify the chain, every signature at its signed time, what was signed, and the heads kept outside.

    The whole chain is walked and every anchor read in any case: a run holds together only with what stands before
    it. Exit codes: 0 everything holds; 1 something is broken; 2 wrong usage or configuration; 3 nothing is known to
    be broken, but something could not be checked (an anchor, the file of allowed signers).
    """
    if not names and not everything and not accept_head:
        raise UsageError("name the runs to verify, or say --all")
    from opsconsole.contracts.store import StoreError

    options = options_of(context)
    _refuse_missing(options)
    with ExitStack() as stack:
        parts = _opened(options, stack)
        if accept_head:
            raise typer.Exit(_accepted(parts))
        runs = [_recorded(parts, name) for name in names or ()]
        show = _json if form is VerifyFormat.JSON else _text
        try:
            raise typer.Exit(show(parts, parts.verifying(require_tier), runs))
        except StoreError as error:
            raise typer.Exit(_unreadable(error)) from error


def _refuse_missing(options: "Options") -> None:
    """Refuse to verify what is not there: opening it would make an empty one, in which everything holds."""
    from opsconsole.wiring.configuration import configured
    from opsconsole.wiring.stores import is_made

    config, _ = configured(options.config, options.state)
    if not is_made(config.store):
        narrate(f"there is no record at {config.store}; if there was one, it is lost")
        raise typer.Exit(Exit.UNMEASURED)


def _opened(options: "Options", stack: ExitStack) -> "Services":
    """Open the record; one that cannot be opened at all has an exit code that says so."""
    from opsconsole.contracts.store import StoreError

    try:
        return stack.enter_context(opened_services(options, Via.COMMAND))
    except StoreError as error:
        raise typer.Exit(_unreadable(error)) from error


def _unreadable(error: "StoreError") -> Exit:
    """Say why the record cannot be read; it is broken, unless it is only out of reach for now."""
    from opsconsole.contracts.store import StoreUnavailable

    report(error)
    return Exit.UNMEASURED if isinstance(error, StoreUnavailable) else Exit.FAILED


def _recorded(parts: "Services", name: str) -> str:
    """Return the run that is meant, the present one where a checklist is named; raises UsageError where none is."""
    from opsconsole.cli.running import named

    run = name
    if "@" not in name:
        checklist, period = named(parts, name)
        run = parts.engine.key_of(checklist, period).id
    if not parts.engine.store.last_seq(run):
        raise UsageError(f"there is no record of {run}", "`opsconsole history` lists the runs there are")
    return run


def _accepted(parts: "Services") -> Exit:
    outside = parts.outside
    if outside is None:
        raise UsageError("no heads are kept of this record")
    fault, failures = outside.accept()
    for each in failures:
        narrate(each)
    _line(f"accepted: {fault}" if fault else "nothing to accept: no head is lost")
    return Exit.OK


# --- text ------------------------------------------------------------------------------------------


def _text(parts: "Services", verifying: "Verifying", names: list[str]) -> Exit:
    from opsconsole.model.verification import Tally

    chain = verifying.chain
    whole = f"{counted(chain.events, 'event')} of {counted(chain.runs, 'run')}"
    _line(f"{whole}, head {chain.head.seq} {chain.head.hash}")
    _line(f"record {parts.engine.store.store_id} at {parts.engine.store.location}")
    tell = _Teller()
    tell.chain(chain)
    _line(f"the chain is {_broken_words(chain)}" if chain.broken is not None else "the chain is intact")
    tally = Tally(chain_broken=chain.broken is not None)
    many = _Many()
    for run in verifying.runs(names):
        tally.add(run)
        tell.findings(run.run, run.findings)
        if names or not many.takes(run):
            for line in _run_lines(run):
                _line(line)
    for line in many.lines():
        _line(line)
    for anchor in verifying.anchors():
        tally.add(anchor)
        for line in _anchor_lines(anchor):
            _line(line)
        tell.findings(anchor.name, anchor.findings)
    tell.rest()
    summary = tally.summary()
    _line(_summary_line(summary))
    return _exit_of(summary)


def _line(text: str) -> None:
    sys.stdout.write(visible(text) + "\n")


def _run_lines(run: "CheckedRun") -> Iterator[str]:
    shown = "BROKEN" if run.standing == "broken" else str(run.standing)
    yield f"{run.run}  {shown}  {run.result or '-'}, last event {run.last_seq} {run.last_hash}"
    for each in run.signatures:
        holds = {True: "holds", False: "DOES NOT HOLD", None: "no key" if not each.tier.keyed else "not checked"}
        who = f"{each.name} ({each.principal or each.login})"
        key = f" {each.fingerprint}" if each.fingerprint else ""
        at = f"{each.signed_at:%Y-%m-%d %H:%M:%SZ}"
        yield f"    {each.meaning} {each.result} by {who} at {at}, {each.tier}{key}: {holds[each.verified]}"
    yield from _finding_lines(run.findings)


class _Many:
    """Sums up unsigned runs of lists that are due every few minutes, where nothing was found of them."""

    def __init__(self) -> None:
        self._results: dict[str, Counter[str]] = {}
        self._first: dict[str, CheckedRun] = {}
        self._last: dict[str, str] = {}

    def takes(self, run: "CheckedRun") -> bool:
        """Take a run to be summed up; return whether it is one of those."""
        from opsconsole.model.calendar import is_slot
        from opsconsole.model.verification import Standing

        checklist, _, period = run.run.partition("@")
        if run.standing is not Standing.UNSIGNED or run.findings or run.signatures or not is_slot(period):
            return False
        self._results.setdefault(checklist, Counter())[str(run.result)] += 1
        self._first.setdefault(checklist, run)
        self._last[checklist] = period
        return True

    def lines(self) -> Iterator[str]:
        """Yield a line for each list."""
        for checklist, results in self._results.items():
            first = self._first[checklist]
            if results.total() == 1:
                yield from _run_lines(first)
                continue
            came_to = ", ".join(f"{number} {result}" for result, number in results.items())
            yield f"{first.run} to {self._last[checklist]}, {results.total()} runs  unsigned  {came_to}"


def _anchor_lines(anchor: "CheckedAnchor") -> Iterator[str]:
    if anchor.heads:
        heads = "1 head" if anchor.heads == 1 else f"{anchor.heads} heads"
        yield f"anchor {anchor.name}: {heads} of this record, the furthest that of event {anchor.furthest_seq}"
    else:
        yield f"anchor {anchor.name}: no head of this record"
    yield from _finding_lines(anchor.findings)


def _finding_lines(findings: "tuple[Finding, ...]") -> Iterator[str]:
    for each in findings:
        yield f"    {_WORDS[each.weight]} {each.text} [{each.code}]"


_WORDS = {"fault": "FAULT", "unchecked": "NOT CHECKED", "flag": "flag", "info": "note"}


def _summary_line(summary: "Summary") -> str:
    counts = (
        f"{summary.verified} verified",
        f"{summary.attributed} attributed only",
        f"{summary.unsigned} unsigned",
        f"{summary.unchecked} not checked",
        f"{summary.broken} broken",
    )
    verdict = {"verified": "everything that was checked holds", "unchecked": "NOT EVERYTHING COULD BE CHECKED"}
    said = verdict.get(summary.standing, "BROKEN")
    return f"{counted(summary.runs, 'run')}: {', '.join(counts)}; {counted(summary.flags, 'flag')}; {said}"


def _broken_words(chain: "Verified") -> str:
    broken = chain.broken
    if broken is None:
        return ""
    where = f"event {broken.seq} of {broken.run or 'an unknown run'}" if broken.seq else "the record itself"
    return f"BROKEN at {where}: {broken.why}"


class _Teller:
    """Says on stderr what is wrong, up to a number of lines."""

    def __init__(self) -> None:
        self._said = 0

    def __call__(self, text: str) -> None:
        self._said += 1
        if self._said <= _MOST_TOLD:
            narrate(text)

    def chain(self, chain: "Verified") -> None:
        if chain.broken is not None:
            self(_broken_words(chain))

    def findings(self, subject: str, findings: "tuple[Finding, ...]") -> None:
        for each in findings:
            if each.weight in _TOLD:
                self(f"{'BROKEN' if each.weight == 'fault' else 'NOT CHECKED'}: {subject}: {each.text}")

    def rest(self) -> None:
        if self._said > _MOST_TOLD:
            narrate(f"and {self._said - _MOST_TOLD} more")


# --- JSON ------------------------------------------------------------------------------------------


def _json(parts: "Services", verifying: "Verifying", names: list[str]) -> Exit:
    """Print one document piece by piece, so that a long record need not be in memory."""
    import msgspec

    from opsconsole.model.verification import SCHEMA, Tally
    from opsconsole.model.version import VERSION

    chain = verifying.chain
    store = parts.engine.store
    tally = Tally(chain_broken=chain.broken is not None)
    tell = _Teller()
    tell.chain(chain)
    head = {
        "schema": SCHEMA,
        "version": VERSION,
        "verified_at": parts.engine.clock(),
        "store": {"id": store.store_id, "location": store.location},
        "chain": chain,
    }

    def encoded(value: object) -> str:
        return plain_json(msgspec.json.encode(value).decode())

    write: Callable[[str], object] = sys.stdout.write
    write(encoded(head)[:-1] + ',"runs":[')
    for number, run in enumerate(verifying.runs(names)):
        tally.add(run)
        tell.findings(run.run, run.findings)
        write((",\n" if number else "\n") + encoded(run))
    write('\n],"anchors":[')
    for number, anchor in enumerate(verifying.anchors()):
        tally.add(anchor)
        tell.findings(anchor.name, anchor.findings)
        write((",\n" if number else "\n") + encoded(anchor))
    summary = tally.summary()
    code = _exit_of(summary)
    write(f'\n],"summary":{encoded(summary)},"exit_code":{int(code)}}}\n')
    tell.rest()
    return code


def _exit_of(summary: "Summary") -> Exit:
    codes = {"broken": Exit.FAILED, "unchecked": Exit.UNMEASURED}
    return codes.get(summary.standing, Exit.OK)
