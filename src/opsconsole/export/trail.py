"""The trail of a run: who did what when, with what was changed or taken back later."""

from collections.abc import Iterable, Iterator

from opsconsole.model.events import (
    Amended,
    AmendmentKind,
    Body,
    Entered,
    Filled,
    Handled,
    Listed,
    Measured,
    Noted,
    Opened,
    Pruned,
    Raised,
    Redefined,
    Restored,
    Signed,
    Skipped,
    Statement,
    Stored,
    Ticked,
    Unticked,
    Waived,
)


def deeds(events: Iterable[Stored]) -> Iterator[tuple[Stored, str]]:
    """Yield every event but the measurements, which stand at their items, and what it was in words.

    Texts of people and sources are in the words as they came.
    """
    numbers: dict[str, int] = {}
    for stored in events:
        body = stored.event.body
        if isinstance(body, Raised):
            numbers.setdefault(body.action, len(numbers) + 1)
        if isinstance(body, Raised | Handled):
            yield stored, _words_of_action(body, numbers.get(body.action, 0))
        elif not isinstance(body, Measured):
            yield stored, _words(body)


def _words(body: Body) -> str:
    match body:
        case Opened(version=version, missed=missed):
            late = ", as missed: its period was over" if missed else ""
            return f"opened the run with opsconsole {version}{late}"
        case Redefined(definition_hash=definition_hash):
            return f"took over the edited checklist, definition {definition_hash}"
        case Noted(item="", text=text):
            return f"noted on the run: {text}"
        case Filled(field=field, text=text):
            return f"wrote in '{field}': {text}"
        case Signed(statement=statement):
            about = f" {statement.approval.qualification}" if statement.approval is not None else ""
            return f"signed as {statement.meaning}{about}: {statement.result}"
        case Amended(statement=statement):
            return _words_of_amendment(statement)
        case Pruned():
            return _words_of_pruning(body)
        case Measured(item=item):
            return f"measured {item}"
        case Listed(item=item, targets=targets, by=by):
            return f"took the {len(targets)} targets of {item} from {by}"
        case Raised() | Handled():
            return _words_of_action(body, 0)
        case body:
            return _words_on_item(body)


def _words_of_action(body: Raised | Handled, number: int) -> str:
    """Return what was said of an action item, which people know by its number."""
    if isinstance(body, Raised):
        owner = f" for {body.owner}" if body.owner else ""
        due = f", due {body.due}" if body.due is not None else ""
        return f"raised action item {number}{owner}{due}: {body.text}"
    owner = f", for {body.owner or 'nobody'}" if body.owner is not None else ""
    due = f", due {body.due}" if body.due is not None else ""
    return f"action item {number} is {body.state}{owner}{due}{f': {body.text}' if body.text else ''}"


def _words_of_amendment(statement: Statement) -> str:
    amendment = statement.amendment
    if amendment is None:
        return f"amended: {statement.result}"
    where = amendment.item or amendment.field
    what = {
        AmendmentKind.NOTE: f"added a note{f' to {where}' if where else ''}: {amendment.text}",
        AmendmentKind.ENTRY: f"corrected the entry of {where} to '{amendment.text}'",
        AmendmentKind.FIELD: f"corrected '{where}' to: {amendment.text}",
        AmendmentKind.FAILED: f"found {where} failed after all",
        AmendmentKind.RESET: f"documented the reset of {amendment.about}",
        AmendmentKind.EXCLUDED: f"asked for the exclusion from {amendment.qualification}",
    }[amendment.kind]
    return f"amended, {what}; because: {amendment.reason}; the run is {statement.result}"


def _words_of_pruning(body: Pruned) -> str:
    found = []
    if body.texts:
        found.append(f"{body.texts} evidence texts up to event {body.through_seq}")
    if body.files:
        found.append(f"the exported files {', '.join(body.files)}")
    return f"removed because of their age: {' and '.join(found) or 'nothing'}"


def _words_on_item(body: Ticked | Unticked | Entered | Noted | Skipped | Waived | Restored) -> str:
    match body:
        case Ticked(item=item):
            return f"ticked {item}"
        case Unticked(item=item):
            return f"took back the tick of {item}"
        case Entered(item=item, text=text, judgement=judgement):
            return f"entered '{text}' for {item}: {judgement.outcome}"
        case Noted(item=item, text=text):
            return f"noted on {item}: {text}"
        case Skipped(item=item, reason=reason):
            return f"skipped {item}: {reason}"
        case Waived(item=item, reason=reason, expires=expires, origin=origin):
            given = f", given in {origin}" if origin else ""
            return f"waived {item} until {expires}{given}: {reason}"
        case Restored(item=item):
            return f"took back the skip or waiver of {item}"
