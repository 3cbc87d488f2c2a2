"""`probe`: measures one thing and shows all that is known of it, for whoever writes a checklist."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import emit, options_of, plain_json
from opsconsole.cli.exits import Exit, exit_code
from opsconsole.cli.looping import Interrupted, finished
from opsconsole.cli.tables import table
from opsconsole.model.text import visible, visible_lines
from opsconsole.model.values import shown

if TYPE_CHECKING:
    from opsconsole.contracts.probe import ProbeKind
    from opsconsole.model.events import Measured
    from opsconsole.model.item_state import ItemState
    from opsconsole.model.readings import Reading
    from opsconsole.wiring.trying import Trial

_ROWS_SHOWN = 50
_CELL = 100
"""Characters of a cell that are shown: the labels of a series are told apart by the last of them."""


def probe(
    context: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[KIND]", help="A kind of probe; all of them are listed without.", show_default=False
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON; stands ahead of KIND.")] = False,
) -> None:
    """Measure once, and show the reading, its evidence, and what conditions may speak of.

    What follows KIND are the keys of an item, as options, such as `disk --path /srv --require 'used < 80%'`;
    `opsconsole probe KIND --help` lists them. Nothing is kept. Exit codes: 0 measured, and good where conditions
    are given; 1 a condition does not hold; 2 wrong usage; 3 it could not be measured.
    """
    from opsconsole.wiring.kinds import probe_kinds
    from opsconsole.wiring.trying import trial_of

    kinds = probe_kinds()
    if not kind:
        emit(table([(name, kinds[name].summary) for name in sorted(kinds)]), None)
        return
    if {"--help", "-h"} & set(context.args) and kind in kinds:
        emit(_help(kinds[kind]), None)
        return
    options = options_of(context)
    with trial_of(options.config, options.state, kind, context.args) as trial:
        try:
            state = finished(trial.measured())
        except Interrupted as ending:
            raise typer.Exit(128 + ending.number) from None
        emit(_json(state) if as_json else "\n".join(_text(trial, state)) + "\n", None)
    raise typer.Exit(_code(trial, state))


probe.context_settings = {  # type: ignore[attr-defined]
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
}


def _code(trial: "Trial", state: "ItemState") -> Exit:
    if trial.item.require or trial.item.target:
        return exit_code({state.outcome: 1})
    unseen = any(each.body.problem is not None for each in state.latest.values())
    return Exit.UNMEASURED if unseen else Exit.OK


def _help(kind: "ProbeKind") -> str:
    import msgspec

    from opsconsole.wiring.describing import default_text, field_docs, type_name

    docs = field_docs(kind.options)
    lines = [f"{kind.name}: {kind.summary}", ""]
    for field in msgspec.structs.fields(kind.options):
        default = default_text(field).strip("`")
        told = f"{type_name(field.type)}{f', {default}' if default else ''}".replace("`", "")
        lines.append(f"  --{field.encode_name.replace('_', '-')}  ({told})")
        lines += textwrap.wrap(docs.get(field.name, ""), 78, initial_indent="      ", subsequent_indent="      ")
    lines += ["", "and the keys of any item: --require CONDITION, --target CONDITION, --timeout '10 s' …"]
    return "\n".join(lines) + "\n"


def _json(state: "ItemState") -> str:
    import json

    from opsconsole.model.encoding import plain

    found = [plain(each.body) for each in state.latest.values()]
    return plain_json(json.dumps(found, indent=2)) + "\n"


def _text(trial: "Trial", state: "ItemState") -> Iterator[str]:
    judged = bool(trial.item.require or trial.item.target)
    for target, attempt in state.latest.items():
        body = attempt.body
        yield f"{trial.kind.name}{f' · {visible(target)}' if target else ''}, took {shown(body.elapsed, 'ms')}"
        if judged:
            yield from _judged(body)
        if body.problem is not None:
            yield f"problem   {body.problem.reason}: {visible(body.problem.cause)}"
            if body.problem.hint:
                yield f"hint      {visible(body.problem.hint)}"
        if body.reading is not None:
            yield from _reading(body.reading)
    if not judged:
        yield from _subjects(trial)


def _judged(body: "Measured") -> Iterator[str]:
    yield f"outcome   {body.judgement.outcome}: {visible(body.judgement.summary)}"
    for finding in body.judgement.findings:
        yield f"  {finding.verdict:<8} {finding.condition}: {visible(finding.text)}"


def _reading(reading: "Reading") -> Iterator[str]:
    if reading.measures:
        yield "measures"
        width = max(map(len, reading.measures))
        for name, value in reading.measures.items():
            least = "at least " if name in reading.lower_bounds else ""
            text = "(nothing)" if value is None else visible(shown(value)) or "(empty)"
            yield f"  {name:<{width}}  {least}{text}"
    if reading.tabular:
        cut = ", cut off" if reading.truncated else ""
        yield f"rows ({len(reading.rows)}{cut})"
        rows = [reading.columns, *reading.rows[:_ROWS_SHOWN]]
        cells = [tuple(_cell(each) if index else str(each) for each in row) for index, row in enumerate(rows)]
        yield textwrap.indent(table(cells).rstrip("\n"), "  ")
        if len(reading.rows) > _ROWS_SHOWN:
            yield f"  … and {len(reading.rows) - _ROWS_SHOWN} more"
    for evidence in reading.evidence:
        yield f"evidence  {visible(evidence.title)}{' (cut off)' if evidence.truncated else ''}"
        yield from (f"  {line}" for line in visible_lines(evidence.text.rstrip("\r\n")) or ["(empty)"])
    if reading.command:
        first, *others = map(visible, reading.command.split("\n"))
        yield f"by hand   {first}"
        yield from others  # where they begin belongs to what is pasted


def _cell(value: object) -> str:
    text = "(nothing)" if value is None else shown(value)  # type: ignore[arg-type]
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"


def _subjects(trial: "Trial") -> Iterator[str]:
    subjects = trial.subjects
    if subjects is None:
        yield "conditions may speak of the columns, and of count, value and latency"
        return
    named = ", ".join(f"{name} ({unit})" if unit else name for name, unit in subjects.items())
    yield from textwrap.wrap(f"conditions may speak of {named}", 100, subsequent_indent="  ")
