"""What a signed run can be amended by: nothing that was signed is changed, and nothing is made green by hand."""

from opsconsole.engine.entering import ActionRefused, judged_entry, typed_value, written
from opsconsole.engine.session import RunSession
from opsconsole.model.checklists import EntryKind
from opsconsole.model.events import Amendment, AmendmentKind
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import UNMEASURED
from opsconsole.model.runs import RunState
from opsconsole.model.text import storable

_OF_MEASURED = frozenset({AmendmentKind.ENTRY, AmendmentKind.FIELD, AmendmentKind.FAILED})


def amendment_now(
    session: RunSession,
    kind: AmendmentKind,
    reason: str,
    *,
    item: str = "",
    field: str = "",
    text: str = "",
    qualification: str = "",
    about: str = "",
) -> Amendment:
    """Return an amendment of the session's run like `amendment_of`, with the secrets taken out of what is typed."""
    state = session.state.items.get(item)
    is_number = state is not None and state.item.entry is not None and state.item.entry.kind is EntryKind.NUMBER
    said = text if kind is AmendmentKind.ENTRY and is_number else session.redact(text)
    why = session.redact(reason)
    names = {"item": item, "field": field, "qualification": qualification, "about": about}
    return amendment_of(session.state, kind, why, text=said, **names)


def amendment_of(
    run: RunState,
    kind: AmendmentKind,
    reason: str,
    *,
    item: str = "",
    field: str = "",
    text: str = "",
    qualification: str = "",
    about: str = "",
) -> Amendment:
    """Return an amendment of the signed `run`; raises ActionRefused where it makes none.

    A new entry is judged against the reading that the old one was judged against. An item that an edit of the
    checklist removed counts no more, and so takes nothing but notes. `about` is the run of the same checklist that
    a reset is documented for, where that is another one.
    """
    if run.signed is None:
        raise ActionRefused(f"{run.run} is not signed: change it as usual")
    if run.missed and kind in _OF_MEASURED:
        raise ActionRefused(f"{run.run} was missed: nothing was seen that could be corrected")
    why = written(reason)
    match kind:
        case AmendmentKind.NOTE:
            if item:
                _item(run, item, among_retired=True)
            return Amendment(kind=kind, reason=why, item=item, text=written(text))
        case AmendmentKind.FIELD:
            return _field(run, why, field, text)
        case AmendmentKind.ENTRY:
            return _entry(_item(run, item), why, text)
        case AmendmentKind.FAILED:
            state = _item(run, item)
            if state.failed is not None:
                raise ActionRefused(f"{state.item.title} was amended to FAIL already")
            return Amendment(kind=kind, reason=why, item=item)
        case AmendmentKind.RESET | AmendmentKind.EXCLUDED:
            if not qualification:
                raise ActionRefused("name the qualification that is meant")
            return Amendment(kind=kind, reason=why, qualification=qualification, run=_other(run, kind, about))


def _other(run: RunState, kind: AmendmentKind, about: str) -> str:
    """Return the run that an amendment of `run` speaks of, empty for itself."""
    if about in {"", run.run}:
        return ""
    if kind is not AmendmentKind.RESET or about.partition("@")[0] != run.definition.id:
        raise ActionRefused(f"{run.run} cannot be amended to say something of {about}")
    return about


def _item(run: RunState, name: str, *, among_retired: bool = False) -> ItemState:
    if not name:
        raise ActionRefused("name the item that is meant")
    found = run.items.get(name)
    retired = run.retired.get(name)
    if found is None and retired is not None and not among_retired:
        raise ActionRefused(
            f"an edit of the checklist removed {retired.item.title} while the run was open, so it does not count",
            "a note can be added to it",
        )
    found = found or retired
    if found is None:
        raise ActionRefused(f"{run.run} has no item '{name}'; it has {', '.join(run.items)}")
    return found


def _field(run: RunState, why: str, field: str, text: str) -> Amendment:
    known = [each.id for each in run.definition.fields]
    if field not in known:
        raise ActionRefused(f"{run.run} has no field '{field}'; it has {', '.join(known) or 'none'}")
    clean = written(text)
    before = run.fields.get(field)
    if before is not None and before.text == clean:
        raise ActionRefused(f"'{field}' says that already")
    return Amendment(kind=AmendmentKind.FIELD, reason=why, field=field, text=clean)


def _entry(state: ItemState, why: str, text: str) -> Amendment:
    if state.item.entry is None:
        raise ActionRefused(f"{state.item.title} takes no entry that could be corrected")
    value = typed_value(state.item.entry, text)
    judgement = judged_entry(state, value, state.typed.body.past if state.typed is not None else ())
    if judgement.outcome in UNMEASURED:
        raise ActionRefused(f"'{text}' cannot be judged: {judgement.summary}")
    clean = storable(text.strip())
    if state.typed is not None and state.typed.body.text == clean:
        raise ActionRefused(f"{state.item.title} has that entry already")
    return Amendment(
        kind=AmendmentKind.ENTRY, reason=why, item=state.item.id, text=clean, value=value, judgement=judgement
    )
