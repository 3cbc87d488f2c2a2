"""One pass over a run: every item measured concurrently, each with its own timeout, retries and prerequisites."""

import asyncio
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from opsconsole.contracts.probe import Context, Environment, Probe, ProbeError, ProbeKind
from opsconsole.contracts.store import AlreadySigned, StoreError, Unrecordable
from opsconsole.engine.changes import Progress
from opsconsole.engine.inputs import cutoff_of, input_of, inputs_of, measured_together, was_read
from opsconsole.engine.lanes import Lane, Spare
from opsconsole.engine.mapping import broken_by, confirmed, judged_problem, judged_reference, outcome_of
from opsconsole.engine.past import pasts
from opsconsole.engine.recorder import NotSaved
from opsconsole.engine.session import RunSession
from opsconsole.model.checklists import ForEach, Item, RetryOn, substituted
from opsconsole.model.encoding import dec_hook
from opsconsole.model.events import Listed, Measured
from opsconsole.model.judging import judge_item
from opsconsole.model.listing import listed
from opsconsole.model.outcomes import Outcome
from opsconsole.model.past import looks_back
from opsconsole.model.readings import Judgement, Problem, Reading
from opsconsole.model.redaction import redacted_past, redacted_problem, redacted_reading
from opsconsole.model.values import seconds

_BLOCKING = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED, Outcome.PENDING})
_UNWIND = 2.0
"""Seconds that a cancelled probe has to end its children before it is left behind."""

_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)

_REPORT = "this is a fault of the probe; please report it"


class MeasuringOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a pass is made."""

    concurrency: int = 16
    """Lanes that are measured at once; an item whose probe names none is a lane of its own."""
    skip: frozenset[tuple[str, str]] = frozenset()
    """Kinds of probes with reasons of problems that make any item SKIPPED instead of ERROR: the demo's collectors
    are no units of the host."""
    secrets: tuple[str, ...] = ()
    """Values that must not reach a record, whatever a probe brings back."""


class Pass:
    """Measures items of one run; `run` returns when each has its outcome on disk."""

    def __init__(
        self,
        session: RunSession,
        kinds: Mapping[str, ProbeKind],
        environment: Environment,
        options: MeasuringOptions,
    ) -> None:
        self._session = session
        self._kinds = kinds
        self._environment = msgspec.structs.replace(environment, pool={})
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._spare = Spare()
        self._lanes: dict[str, Lane] = {}
        self._probes: dict[str, Probe] = {}
        self._finished: dict[str, asyncio.Event] = {}
        self._definition_hash = ""
        self._cutoff = _NEVER
        self._inputs: dict[str, tuple[str, ...]] = {}
        """By item, those whose readings it computes with or takes its targets from."""
        self._measured_here: dict[str, dict[str, Measured]] = {}
        """What this pass has recorded, by item and target: the run may hold what others measure beside it."""
        self._unsaved: set[str] = set()
        """Items whose readings could not be recorded: nothing is computed with what was read before them."""
        self._done = 0
        self._longest = 0.0
        """The longest timeout of an item: so long may one wait for each ahead of it in a line of its probe's."""
        self._refused: NotSaved | StoreError | None = None
        """Why something could not be recorded; the last such error."""

    async def run(self, only: Collection[str] = ()) -> None:
        """Measure all items, or those whose ids are in `only` with what computes with them.

        Cancelling it ends every probe; what was measured stays. Raises at the end what kept something from being
        recorded: NotSaved, or another StoreError; AlreadySigned where somebody signed the run meanwhile.
        """
        state = self._session.state
        self._definition_hash = state.definition_hash
        self._cutoff = cutoff_of(self._session.clock(), state.definition)
        self._inputs = {name: self._inputs_of(each.item) for name, each in state.items.items()}
        wanted = measured_together(only, self._inputs)
        chosen = [
            each.item for name, each in state.items.items() if each.item.measured and (not only or name in wanted)
        ]
        self._finished = {item.id: asyncio.Event() for item in chosen}
        self._longest = max((float(item.timeout.seconds) for item in chosen), default=0.0)
        try:
            async with asyncio.TaskGroup() as tasks:
                for item in chosen:
                    tasks.create_task(self._item(item), name=f"measure {item.id}")
        finally:
            await self._close()
        if self._refused is not None:
            raise self._refused

    async def _record(self, measured: Measured) -> None:
        """Record what was measured; the pass goes on where that fails, for the other items may still be saved."""
        try:
            await self._session.measured(measured)
            self._measured_here.setdefault(measured.item, {})[measured.target] = measured
        except Unrecordable as error:
            await self._record(_without_reading(measured, str(error)))
        except (NotSaved, StoreError) as error:
            self._refused = error
            self._unsaved.add(measured.item)

    async def _close(self) -> None:
        for probe in self._probes.values():
            try:
                async with asyncio.timeout(_UNWIND):
                    await probe.aclose()
            except Exception:  # noqa: BLE001, S112 - a plug-in that cannot close must not undo the pass
                continue
        with suppress(Exception):  # what probes share comes from them, and must not undo the pass either
            async with asyncio.timeout(_UNWIND):
                await self._environment.aclose()

    async def _item(self, item: Item) -> None:
        try:
            blocker = await self._blocker(item)
            if isinstance(self._refused, AlreadySigned):
                return
            self._progress(item, measuring=True)
            if blocker is not None:
                await self._blocked(item, blocker)
                return
            targets = await self._targets(item)
            async with asyncio.TaskGroup() as tasks:
                for target in targets:
                    tasks.create_task(self._attempts(item, target))
        finally:
            self._finished[item.id].set()
            self._done += 1
            self._progress(item, measuring=False)

    def _progress(self, item: Item, *, measuring: bool) -> None:
        self._session.announce(Progress(item.id, measuring, self._done, len(self._finished)))

    async def _blocker(self, item: Item) -> str | None:
        for name in (*item.requires, *self._inputs[item.id]):
            if name in self._finished:
                await self._finished[name].wait()
            state = self._session.state.items.get(name)
            if state is None:
                continue
            if name in item.requires and state.outcome in _BLOCKING:
                return name
            if name in self._inputs[item.id] and not self._can_be_used(name):
                return name
        return None

    def _can_be_used(self, name: str) -> bool:
        """Return whether there is a reading of this pass to compute with."""
        return name not in self._unsaved and any(map(was_read, self._measured_here.get(name, {}).values()))

    def _inputs_of(self, item: Item) -> tuple[str, ...]:
        try:
            return inputs_of(item, self._kinds.get(item.probe))
        except Exception:  # noqa: BLE001 - a plug-in's fault; what is wrong with the options is told when it is measured
            return (item.listed_by,) if item.listed_by else ()

    async def _targets(self, item: Item) -> Sequence[str]:
        """Return the targets to measure, `("",)` for none; those that another item found out are recorded first."""
        if not isinstance(item.for_each, ForEach):
            return item.for_each or ("",)
        lister = self._session.state.items.get(item.for_each.item)
        if lister is None:
            found: tuple[str, ...] | Problem = Problem(
                "not-found", f"an edit has removed '{item.for_each.item}' meanwhile"
            )
        else:
            found = listed(item.for_each, lister)
        if isinstance(found, Problem):
            await self._record(self._unlisted(item, redacted_problem(found, self._options.secrets)))
            return ()
        try:
            await self._session.record(
                Listed(item=item.id, by=item.listed_by, targets=found, definition_hash=self._definition_hash)
            )
        except (NotSaved, StoreError) as error:
            self._refused = error
            self._unsaved.add(item.id)
            return ()
        return found

    def _unlisted(self, item: Item, problem: Problem) -> Measured:
        return Measured(
            item=item.id,
            judgement=Judgement(outcome_of(item, problem, self._options.skip), problem.cause),
            started_at=self._session.clock(),
            elapsed=seconds(0),
            problem=problem,
            definition_hash=self._definition_hash,
        )

    async def _blocked(self, item: Item, blocker: str) -> None:
        state = self._session.state.items[blocker]
        why = "could not be saved" if blocker in self._unsaved else f"is {state.outcome}"
        if blocker not in self._unsaved and state.outcome not in _BLOCKING:
            why = "brought nothing to compute with"
        problem = Problem("blocked", f"needs '{state.item.title}', which {why}")
        for target in item.targets or ("",):
            await self._record(
                Measured(
                    item=item.id,
                    target=target,
                    judgement=Judgement(Outcome.BLOCKED, problem.cause),
                    started_at=self._session.clock(),
                    elapsed=seconds(0),
                    problem=problem,
                    definition_hash=self._definition_hash,
                )
            )

    async def _attempts(self, item: Item, target: str) -> None:
        attempts = 1 + (item.retry.times if item.retry else 0)
        broken = ""
        for attempt in range(1, attempts + 1):
            measured = confirmed(await self._measured(item, target, attempt), broken)
            broken = broken or broken_by(measured.judgement)
            final = attempt == attempts or not _worth_retrying(item, measured.judgement.outcome)
            await self._record(msgspec.structs.replace(measured, final=final))
            if final:
                return
            if item.retry is not None:
                await asyncio.sleep(float(item.retry.delay.seconds))

    async def _measured(self, item: Item, target: str, attempt: int) -> Measured:
        started_at = self._session.clock()
        reading: Reading | None = None
        problem: Problem | None = None
        began = asyncio.get_running_loop().time()
        try:
            kind = self._kind(item)
            options = decoded_options(kind, item, target)
            async with self._lane(kind, options).turn():
                started_at = self._session.clock()
                began = asyncio.get_running_loop().time()
                reading = await self._bounded(kind, options, self._context(item, target), item)
        except ProbeError as error:
            problem = error.problem
            reading = error.seen or (Reading(evidence=error.evidence) if error.evidence else None)
        except Exception as error:  # noqa: BLE001 - a plug-in's faults are values of the run, also before it measures
            problem = _fault(item, error)
        elapsed = seconds(asyncio.get_running_loop().time() - began)
        try:
            reading = None if reading is None else redacted_reading(reading, self._options.secrets)
            reading = None if reading is None else await self._with_past(item, target, reading)
            problem = None if problem is None else redacted_problem(problem, self._options.secrets)
            judgement = self._judged(item, reading, problem)
        except Exception as error:  # noqa: BLE001 - what a plug-in brings back may be of any shape
            reading, problem = None, redacted_problem(_fault(item, error), self._options.secrets)
            judgement = self._judged(item, reading, problem)
        return Measured(
            item=item.id,
            target=target,
            attempt=attempt,
            judgement=judgement,
            started_at=started_at,
            elapsed=elapsed,
            reading=reading,
            problem=problem,
            definition_hash=self._definition_hash,
        )

    async def _with_past(self, item: Item, target: str, reading: Reading) -> Reading:
        """Return the reading with what its conditions compare it with, which is kept beside it."""
        history = self._environment.history
        if history is None or not looks_back(item):
            return reading
        state = self._session.state
        read = partial(pasts, history, state.run, state.definition, state.times, item, reading, target)
        past = await asyncio.to_thread(read)
        return msgspec.structs.replace(reading, past=redacted_past(past, self._options.secrets))

    def _kind(self, item: Item) -> ProbeKind:
        kind = self._kinds.get(item.probe)
        if kind is None:
            raise ProbeError("unknown-probe", f"there is no probe '{item.probe}'")
        return kind

    def _lane(self, kind: ProbeKind, options: Any) -> Lane:
        server = kind.server(options, self._environment.sources)
        name, depth = (server.name, server.depth) if server is not None else (kind.lane(options), kind.depth)
        fresh = Lane(depth, self._slots, self._spare)
        return self._lanes.setdefault(name, fresh) if name else fresh

    def _context(self, item: Item, target: str) -> Context:
        return Context(
            run=self._session.state.run,
            checklist=self._session.state.definition.id,
            item=item.id,
            times=self._session.state.times,
            now=self._session.clock(),
            cutoff=self._cutoff,
            inputs={
                name: input_of(self._session.state.items[name].item, self._measured_here[name], self._cutoff)
                for name in self._inputs[item.id]
                if name in self._measured_here and name in self._session.state.items  # an edit may have removed it
            },
            timeout=float(item.timeout.seconds),
            target=target,
        )

    async def _bounded(self, kind: ProbeKind, options: Any, context: Context, item: Item) -> Reading:
        """Measure within the timeout, also where the probe does not listen to being cancelled."""
        if kind.name not in self._probes:
            self._probes[kind.name] = kind.open(self._environment)
        task = asyncio.ensure_future(self._probes[kind.name].measure(options, context))
        try:
            in_line = (kind.depth - 1) * self._longest if kind.in_line and kind.lane(options) else 0
            done, _ = await asyncio.wait({task}, timeout=context.timeout + in_line)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task}, timeout=_UNWIND)
            raise
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=_UNWIND)
            raise ProbeError(
                "timeout", f"no answer within {item.timeout}", "see whether it is overloaded, or raise `timeout`"
            )
        if task.cancelled():
            raise ProbeError("bug", f"the probe '{kind.name}' gave up by itself", _REPORT)
        return task.result()

    def _judged(self, item: Item, reading: Reading | None, problem: Problem | None) -> Judgement:
        if problem is not None:
            return judged_problem(item, problem, reading, self._options.skip)
        if reading is None:
            return Judgement(Outcome.ERROR, "the probe brought nothing back")
        if item.entry is not None:
            return judged_reference(item, reading)
        return judge_item(item, reading)


def _fault(item: Item, error: Exception) -> Problem:
    cause = f"the probe '{item.probe}' failed unexpectedly: {type(error).__name__}: {error}"
    return Problem("bug", cause, _REPORT)


def _without_reading(measured: Measured, why: str) -> Measured:
    """Return the ERROR to record in place of a measurement that cannot be written down."""
    problem = Problem("bad-answer", f"what was measured cannot be kept: {why}", _REPORT)
    judgement = Judgement(Outcome.ERROR, problem.cause)
    return msgspec.structs.replace(measured, judgement=judgement, reading=None, problem=problem)


def decoded_options(kind: ProbeKind, item: Item, target: str) -> Any:
    """Return the typed options of an item for one target; raise ProbeError where they do not fit."""
    raw = substituted(item.options, target) if target else item.options
    try:
        options = msgspec.convert(raw, kind.options, strict=False, dec_hook=dec_hook)
    except msgspec.ValidationError as error:
        raise ProbeError("bad-options", f"the options of '{item.id}' do not fit: {error}") from error
    problems = kind.validate(options)
    if problems:
        raise ProbeError("bad-options", "; ".join(f"{key}: {message}" for key, message in problems))
    return options


def _worth_retrying(item: Item, outcome: Outcome) -> bool:
    if item.retry is None:
        return False
    wanted = {RetryOn.ERROR: Outcome.ERROR, RetryOn.FAIL: Outcome.FAIL}
    return outcome in {wanted[each] for each in item.retry.on}
