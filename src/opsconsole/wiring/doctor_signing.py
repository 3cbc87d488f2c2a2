"""What `opsconsole doctor` looks at so that tomorrow's sign-off works: people, keys, and who takes note of it."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

from opsconsole.config.settings import Config
from opsconsole.config.trust import untrusted
from opsconsole.contracts.signer import SigningError
from opsconsole.model.events import Meaning
from opsconsole.model.outcomes import Outcome
from opsconsole.wiring.checked import Checked
from opsconsole.wiring.signing import signer_of, verifier_of

_LISTENERS = (Path("/run/systemd/journal/socket"), Path("/dev/log"))


def signing_findings(config: Config) -> Iterator[Checked]:
    """Yield what was found about signing and anchors, in a fixed order."""
    yield from _people(config)
    yield from _anchors(config)


def _people(config: Config) -> Iterator[Checked]:
    try:
        people = verifier_of(config).people()
    except SigningError as error:
        yield Checked("people", Outcome.FAIL, str(error), error.hint)
        return
    if not people:
        text = f"nobody may sign with a key: {config.allowed_signers} names no one; sign-offs prove nothing"
        yield Checked("people", Outcome.PASS, text)
        return
    now = dt.datetime.now(dt.UTC)
    able = sorted({each.principal for each in people if each.is_valid(now)})
    yield Checked("people", Outcome.PASS, f"{len(able)} may sign now: {', '.join(able) or 'nobody'}")
    try:
        found = signer_of(config).candidates(Meaning.PERFORMED, now)
    except SigningError as error:
        yield Checked("signing", Outcome.WARN, f"this account cannot sign now: {error}", error.hint)
        return
    first = found[0]
    where = first.path if first.place == "file" else "the agent"
    yield Checked(
        "signing",
        Outcome.PASS,
        f"as {first.person.principal}, {first.person.key_type} {first.person.fingerprint} in {where}",
    )


def _anchors(config: Config) -> Iterator[Checked]:
    if config.journal:
        heard = any(each.exists() for each in _LISTENERS)
        text = "takes a line of each sign-off" if heard else "nobody listens: no line of a sign-off is kept there"
        hint = "" if heard else "where that is meant: anchors.journal = false, and anchors.git instead"
        yield Checked("anchor journal", Outcome.PASS if heard else Outcome.WARN, text, hint)
    if config.git is not None:
        yield _repository(config.git)


def _repository(path: Path) -> Checked:
    if not path.exists():
        return Checked("anchor git", Outcome.PASS, f"{path} is made by the first sign-off")
    doubt = untrusted(path)
    if doubt is not None:
        return Checked("anchor git", Outcome.WARN, f"{path} {doubt}")
    if not os.access(path, os.W_OK):
        return Checked("anchor git", Outcome.FAIL, f"this account cannot write to {path}", "chown it")
    return Checked("anchor git", Outcome.PASS, f"{path} gets each signed record as a commit")
