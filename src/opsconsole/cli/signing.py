"""`sign` and `amend`: what a person says of a run, shown first, and signed."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from opsconsole.cli.common import UsageError, opened_services, options_of
from opsconsole.cli.exits import Exit
from opsconsole.model.events import AmendmentKind, Meaning, Via
from opsconsole.model.tiers import Tier

if TYPE_CHECKING:
    from opsconsole.cli.proposing import Correction


class SignAs(StrEnum):
    """What a signature of `sign` says."""

    PERFORMED = "performed"
    REVIEWED = "reviewed"


RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run such as qbr-daily@2026-11-21, or a checklist for its present one."),
]
KeyOption = Annotated[
    str,
    typer.Option(
        "--key", metavar="FINGERPRINT|PRINCIPAL", help="The key to sign with.", show_default="the best there is"
    ),
]
AttributedOption = Annotated[
    bool, typer.Option("--attributed", help="Sign without a key: attributed to the login, which proves nothing.")
]
ReauthenticateOption = Annotated[
    bool, typer.Option("--reauthenticate", help="Sign without a key, after the login's password was given again.")
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Sign without asking; needed where nobody can be asked.")
]


class _Signing(NamedTuple):
    """How it is to be signed."""

    meaning: Meaning
    key: str
    without_key: Tier | None
    yes: bool


def sign(
    context: typer.Context,
    name: RunArgument,
    meaning: Annotated[
        SignAs, typer.Option("--as", help="What it says: that you performed the run, or reviewed a signed one.")
    ] = SignAs.PERFORMED,
    key: KeyOption = "",
    attributed: AttributedOption = False,
    reauthenticate: ReauthenticateOption = False,
    yes: YesOption = False,
) -> None:
    """Sign a run, without the console: show exactly what is signed, ask, and sign it with your SSH key.

    What was measured headless can be signed so. Exit codes: 0 signed; 1 not signed (something is to be done first,
    no key that may sign, a signature too weak for the checklist, the answer was no, somebody else changed the run);
    2 wrong usage or configuration; 4 the record could not be written.
    """
    without = without_key_of(key, attributed=attributed, reauthenticate=reauthenticate)
    raise typer.Exit(_carried_out(context, name, _Signing(Meaning(meaning.value), key, without, yes)))


def amend(
    context: typer.Context,
    name: RunArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it becomes part of the record.")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Add a note.", show_default=False)] = "",
    item: Annotated[
        str, typer.Option("--item", metavar="ITEM", help="The item of the note.", show_default="the run")
    ] = "",
    entry: Annotated[
        str, typer.Option("--entry", metavar="ITEM=VALUE", help="Correct what was entered.", show_default=False)
    ] = "",
    field: Annotated[
        str,
        typer.Option(
            "--field", metavar="FIELD=TEXT", help="Correct a text of the day's sheet.", show_default=False
        ),
    ] = "",
    failed: Annotated[
        str,
        typer.Option(
            "--failed", metavar="ITEM", help="An item failed after all: so has the run.", show_default=False
        ),
    ] = "",
    key: KeyOption = "",
    attributed: AttributedOption = False,
    reauthenticate: ReauthenticateOption = False,
    yes: YesOption = False,
) -> None:
    """Amend a signed run: the old value stays in the record beside the new one, the reason and your signature.

    One amendment at a time. A new entry is judged as the old one was. Nothing can be declared to have passed, and a
    run that is amended to FAIL counts as failed for good. Exit codes: 0 amended; 1 not amended (the run is not
    signed yet, nothing would change, no key that may sign, the answer was no); 2 wrong usage or configuration;
    4 the record could not be written.
    """
    correction = _correction(reason, note=note, item=item, entry=entry, field=field, failed=failed)
    without = without_key_of(key, attributed=attributed, reauthenticate=reauthenticate)
    raise typer.Exit(_carried_out(context, name, _Signing(Meaning.AMENDED, key, without, yes), correction))


def without_key_of(key: str, *, attributed: bool, reauthenticate: bool) -> Tier | None:
    """Return in which way it is to be signed without a key, None where one is to sign; raises UsageError."""
    if sum((bool(key), attributed, reauthenticate)) > 1:
        raise UsageError("one of --key, --attributed and --reauthenticate, not several")
    if reauthenticate:
        return Tier.REAUTHENTICATED
    return Tier.ATTRIBUTED if attributed else None


def _correction(reason: str, *, note: str, item: str, entry: str, field: str, failed: str) -> "Correction":
    from opsconsole.cli.proposing import Correction

    if sum(map(bool, (note, entry, field, failed))) != 1:
        raise UsageError("say what is amended by one of --note, --entry, --field and --failed, one at a time")
    if item and not note:
        raise UsageError("--item says what a --note is about; the others name their item themselves")
    if note:
        return Correction(AmendmentKind.NOTE, reason, item=item, text=note)
    if failed:
        return Correction(AmendmentKind.FAILED, reason, item=failed)
    named, equals, text = (entry or field).partition("=")
    if not equals or not named.strip():
        raise UsageError(f"'{entry or field}' is to be written as NAME=VALUE")
    if entry:
        return Correction(AmendmentKind.ENTRY, reason, item=named.strip(), text=text)
    return Correction(AmendmentKind.FIELD, reason, field=named.strip(), text=text)


def _carried_out(context: typer.Context, name: str, how: _Signing, correction: "Correction | None" = None) -> Exit:
    options = options_of(context)
    from opsconsole.cli.asking import Asking, carried_out
    from opsconsole.cli.proposing import Means, SignedRun, run_named

    with opened_services(options, Via.COMMAND) as parts:
        means = Means(how.key, how.without_key)
        run = SignedRun(run_named(parts, name), how.meaning, means, correction)
        return carried_out(parts, run, Asking(how.yes))
