"""Measures one item that stands in no checklist, for somebody who writes one: nothing of it is kept."""

import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from opsconsole.config.decoding import Decoder, fields_of
from opsconsole.config.diagnostics import WHOLE, Diagnostic, Report, Severity
from opsconsole.config.formats import CHECKLIST_RULES
from opsconsole.config.items import ItemReader
from opsconsole.config.shapes import fits
from opsconsole.contracts.probe import Environment, ProbeKind
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.model.checklists import Checklist, Item, Schedule, Section
from opsconsole.model.encoding import dec_hook
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Via
from opsconsole.model.item_state import ItemState
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.configuration import configured
from opsconsole.wiring.definitions import definitions_of
from opsconsole.wiring.kinds import probe_kinds
from opsconsole.wiring.secrets import known_secrets
from opsconsole.wiring.services import services

TRIAL = "trial"
"""What the item is called."""


class TrialError(OpsconsoleError):
    """What was asked for cannot be measured: an option is unknown, or has a wrong value."""

    title = "wrong usage"


def tables_of(kind: ProbeKind, arguments: Sequence[str]) -> dict[str, Any]:
    """Return `--name value` pairs as a checklist would say them; raise TrialError.

    Each value is read by the type of its key: a text as it is, anything else as TOML. A key that takes a list may
    be given several times; one that is true or false needs no value.
    """
    nodes = {field.encode_name: field.type for field in (*fields_of(Item), *fields_of(kind.options))}
    found: dict[str, Any] = {}
    left = list(arguments)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if not name.startswith("--") or len(name) < 3:  # noqa: PLR2004 - the dashes and a letter
            raise TrialError(
                f"'{name}' is no option", "options follow the kind, as in: --path /srv --require 'used < 80%'"
            )
        key = name.removeprefix("--").replace("-", "_")
        if key == "json" and key not in nodes:
            raise TrialError(f"--json stands ahead of the kind: opsconsole probe --json {kind.name}")
        node = nodes.get(key, inspect.StrType())
        if not equals and fits(node, True):
            value = "true" if not left or left[0] not in {"true", "false"} else left.pop(0)
        elif not equals:
            if not left:
                raise TrialError(f"{name} needs a value")
            value = left.pop(0)
        given = _value(node, value)
        if isinstance(found.get(key), list) and isinstance(given, list):
            found[key] += given
        elif key in found:
            raise TrialError(f"{name} is given twice")
        else:
            found[key] = given
    return found


def _value(node: inspect.Type, text: str) -> Any:
    as_text, as_list = fits(node, text), fits(node, [])
    structured = text.startswith(("[", "{")) and (as_list or fits(node, {}))
    if as_text and not structured:
        return [text] if as_list else text
    try:
        value = tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return [value] if as_list and not isinstance(value, list) and not fits(node, value) else value


@contextmanager
def trial_of(config: Path | None, state: Path | None, name: str, arguments: Sequence[str]) -> Iterator["Trial"]:
    """Prepare one item of a kind, with the configured sources; raise TrialError with all that is wrong with it."""
    found, _ = configured(config, state)
    kinds = probe_kinds()
    if name not in kinds:
        from opsconsole.config.words import guess

        raise TrialError(f"unknown probe '{name}'{guess(name, kinds, 'there are')}")
    kind = kinds[name]
    help_line = f"`opsconsole probe {name} --help` says what each key means"
    report = Report(name)
    decoder = Decoder(report, CHECKLIST_RULES)
    reader = ItemReader(decoder, kinds, lambda _: None, found.sources, has_schedule=True, needs_condition=False)
    table = {"id": TRIAL, "title": kind.summary, **tables_of(kind, arguments), "probe": name}
    item = reader.read(table, WHOLE)
    if item is None or report.failed:
        raise TrialError("; ".join(_words(each) for each in report.diagnostics(Severity.ERROR)), help_line)
    if name == "history" and not item.options.get("checklist"):
        raise TrialError(f"checklist: is missing: here it is not known whose item '{item.options['item']}' is")
    inputs = reader.inputs(item)
    if inputs or item.requires:
        raise TrialError(
            f"{name} computes here with other items ({', '.join((*inputs.values(), *item.requires))})",
            "write it into their checklist, and measure it there: opsconsole run ID --headless --only ITEM",
        )
    checklist = Checklist(
        id=TRIAL, title=kind.summary, schedule=Schedule(at="00:00"), sections=(Section("Trial", (item,)),)
    )
    definitions = definitions_of(found)
    secrets = known_secrets(found, (*definitions.checklists.values(), checklist))
    with ExitStack() as stack:
        history = None
        if name == "history":  # which looks at the record that there is
            history = stack.enter_context(services(config, state, Via.COMMAND)).engine.history
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opsconsole-trial-")))
        store = stack.enter_context(closing(SqliteStore(directory / "trial.db")))
        engine = Engine(
            store,
            kinds,
            Environment(sources=found.sources),
            current_actor(Via.COMMAND),
            directory,
            options=MeasuringOptions(concurrency=found.run.concurrency, secrets=secrets),
            history=history,
        )
        yield Trial(engine, checklist, item, kind)


def _words(problem: Diagnostic) -> str:
    return f"{problem.key}: {problem.message}" if problem.key else problem.message


class Trial:
    """One item that can be measured."""

    def __init__(self, engine: Engine, checklist: Checklist, item: Item, kind: ProbeKind) -> None:
        self.item = item
        self.kind = kind
        self._engine = engine
        self._checklist = checklist

    async def measured(self) -> ItemState:
        """Measure it, and return what it came to."""
        session = await self._engine.open(self._checklist)
        try:
            await self._engine.measure(session)
            return session.state.items[TRIAL]
        finally:
            await session.aclose()

    @property
    def subjects(self) -> dict[str, str] | None:
        """What conditions may speak of, each with its unit (empty for texts); None where only the source knows."""
        options = msgspec.convert(self.item.options, self.kind.options, strict=False, dec_hook=dec_hook)
        found = self.kind.subjects(options)
        return None if found is None else {name: unit.value if unit else "" for name, unit in found.items()}
