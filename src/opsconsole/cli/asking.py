"""Shows what would be signed, asks, and has it signed: what all signing has in common."""

import getpass
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from opsconsole.cli.common import UsageError, emit, narrate, report
from opsconsole.cli.exits import Exit
from opsconsole.cli.looping import Interrupted, finished
from opsconsole.cli.proposing import Matter, Proposal
from opsconsole.cli.qualification_text import case_lines
from opsconsole.cli.telling import failure_lines, proposal_lines, signature_line
from opsconsole.contracts.signer import SigningError
from opsconsole.contracts.store import Conflict
from opsconsole.engine.entering import ActionRefused
from opsconsole.model.tiers import Tier

if TYPE_CHECKING:
    from opsconsole.wiring.services import Services

_ROUNDS = 5
"""Times that a matter is shown anew because somebody else changed it, before it is left alone."""


@dataclass(frozen=True)
class Asking:
    """How the person is asked."""

    yes: bool

    def agreed(self, question: str) -> bool:
        """Return whether the person wants it; Ctrl-C ends the command. Raises UsageError where nobody is there."""
        if not self.yes and not sys.stdin.isatty():
            raise UsageError("not signed: there is no terminal to ask on", "say --yes to sign what is shown")
        return self.yes or typer.confirm(question, default=False, err=True)


def carried_out(parts: "Services", matter: Matter, asking: Asking) -> Exit:
    """Have it signed, if the person agrees; return how that ended."""
    for each in parts.notices:
        narrate(each)
    try:
        return _signed(parts, matter, asking)
    except (ActionRefused, SigningError) as error:
        report(error)
        return Exit.FAILED
    except (typer.Abort, KeyboardInterrupt):
        narrate("\nnot signed")
        raise
    except Interrupted as ending:
        narrate("not signed")
        raise typer.Exit(128 + ending.number) from None


def _signed(parts: "Services", matter: Matter, asking: Asking) -> Exit:
    """Show what would be signed and have it signed, as often as somebody else changes it in between."""
    for _ in range(_ROUNDS):
        proposal = finished(matter.proposed(parts))
        _show(parts, proposal)
        if not asking.agreed("Sign this?"):
            narrate("not signed")
            return Exit.FAILED
        password = _password(proposal.statement.login) if proposal.tier is Tier.REAUTHENTICATED else None
        if proposal.tier is Tier.HARDWARE:
            narrate("touch the security key while it blinks")
        try:
            signature, failures = finished(matter.signed(parts, proposal, password))
        except Conflict as error:
            narrate(f"not signed: {error}")
            continue
        emit(f"{signature_line(signature)}\n", None)
        for line in failure_lines(failures):
            narrate(line)
        return Exit.OK
    narrate(f"{matter.name} keeps changing; sign it when nobody else works on it")
    return Exit.FAILED


def _show(parts: "Services", proposal: Proposal) -> None:
    """Print the run or the qualification that is signed as a whole, and everything that the signature says."""
    for each in proposal.notices:
        narrate(each)
    if proposal.candidate is None and proposal.tier is Tier.ATTRIBUTED and not parts.signing.has_people:
        narrate("nobody may sign with a key here: it will be attributed to the login (see `opsconsole people add`)")
    if proposal.case is not None:
        lines = () if proposal.is_seen else (*case_lines(proposal.case), "")
        whole = "".join(f"{line}\n" for line in lines)
    else:
        whole = "" if proposal.corrected is not None else parts.rendered(proposal.state, "text") + "\n"
    said = "".join(f"{line}\n" for line in proposal_lines(proposal))
    emit(f"{whole}What is signed:\n{said}", None)


def _password(login: str) -> str:
    """Ask for a password on the terminal; raises UsageError where that would show it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"Password of {login}: ")
        except (getpass.GetPassWarning, EOFError, OSError) as error:
            raise UsageError("a password is only asked for on a terminal") from error
