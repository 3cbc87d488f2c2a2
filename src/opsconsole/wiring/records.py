"""Writes the record of a run into files that stand on their own."""

from collections.abc import Callable
from pathlib import Path

from opsconsole.contracts.exporter import Report
from opsconsole.contracts.signer import Verifier
from opsconsole.contracts.store import Head, Store, StoreError
from opsconsole.model.qualifications import DayOfMonitoring
from opsconsole.model.runs import RunState, fold
from opsconsole.model.version import VERSION


def write_record(
    store: Store,
    run: str,
    target: Path,
    *,
    monitoring: Callable[[RunState], DayOfMonitoring | None],
    verifier: Verifier | None,
    force: bool = False,
    make_directory: bool = False,
) -> Path:
    """Write the record of a run as the directory `target`, or as one tar where that ends in `.tar`; return it.

    With `make_directory` what it lies in is made first. What is there already stays where it is the same, and is
    replaced where it is an earlier state of this record, or with `force` any record. Raises RecordBroken,
    OutputRefused, NotWritten and StoreError.
    """
    from opsconsole.export.bundles import write_bundle
    from opsconsole.export.files import file_name
    from opsconsole.export.record import has_grown, is_record, record_bundle

    events = tuple(store.events(run))
    state = fold(events)
    if state is None:
        raise StoreError(f"there is no record of {run}", "opsconsole history lists the runs there are")
    links = [each for each in store.links(run, evidence=True) if each.seq <= state.last_seq]
    report = Report(
        state=state,
        head=Head(state.last_seq, state.head_hash),
        store_id=store.store_id,
        exported_at=None,
        version=VERSION,
        monitoring=monitoring(state),
        events=events,
    )
    bundle = record_bundle(report, links, verifier)
    last = state.signatures[-1].body.statement.signed_at if state.signatures else state.last_at
    write_bundle(
        target,
        bundle,
        last or state.opened.at,
        lambda there: has_grown(there, bundle) or (force and is_record(there)),
        root=file_name(run, ""),
        make_directory=make_directory,
    )
    return target
