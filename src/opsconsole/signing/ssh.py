"""Signs with the SSH keys that an operator has at hand: in an agent, forwarded ones too, or in files.

ssh-keygen signs (`-Y sign`); the private key never comes near this program. What it signed is verified before
anybody gets it.
"""

import datetime as dt
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from opsconsole.contracts.signer import Candidate, KeyPlace, SignatureRefused, SigningError
from opsconsole.model.events import Meaning, Signature
from opsconsole.model.people import Person, Role, role_for
from opsconsole.model.record import LINE_FEED
from opsconsole.model.text import shortened, visible
from opsconsole.signing.agents import SOCKETS, VARIABLE, Agent, AgentProblem, find_agents, listed
from opsconsole.signing.allowed_signers import Signers
from opsconsole.signing.keyfiles import KeyFile, named_key_file, usual_key_files, why_unusable
from opsconsole.signing.keygen import KeygenProblem, KeygenTimedOut, Said, end, keygen, name_of, sealed
from opsconsole.signing.keys import PublicKey, key_of_text
from opsconsole.signing.refusals import (
    agent_empty,
    agent_problem,
    key_absent,
    no_people,
    not_eligible,
    not_signed,
    unusable_keygen,
)
from opsconsole.signing.sshsig import read_sshsig
from opsconsole.signing.verifying import OpenSshVerifier
from opsconsole.signing.wire import WireError


class SshSigner:
    """Offers the keys of agents and files that belong to somebody who may sign, and signs with one of them."""

    def __init__(
        self,
        verifier: OpenSshVerifier,
        *,
        key: Path | None = None,
        timeout: float = 60.0,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
        sockets: Sequence[str] = SOCKETS,
    ) -> None:
        """`key`: the only key to use, public or private. `timeout`: seconds for an agent or a touch to sign.

        The rest is where agents and key files are looked for: the environment, home directory and socket patterns
        of this process.
        """
        self._verifier = verifier
        self._key = key
        self._timeout = timeout
        self._environ = os.environ if environ is None else environ
        self._home = home
        self._sockets = sockets
        self._running: set[subprocess.Popen[bytes]] = set()

    # --- which keys there are ----------------------------------------------------------------------

    def candidates(self, meaning: Meaning, at: dt.datetime) -> list[Candidate]:
        """Return the keys that may sign with this meaning at `at`: security keys first, agents before files."""
        role = role_for(meaning)
        signers = self._verifier.signers()
        only = named_key_file(self._key) if self._key is not None else None
        if not signers.entries:
            raise no_people(self._verifier.path, role)
        found = find_agents(self._environ, self._sockets)
        offers = [*_offers(found.agents), *self._file_offers(only)]
        if only is not None:
            offers = [each for each in offers if each.key.blob == only.key.blob]
        usable: dict[bytes, Candidate] = {}
        obstacles: list[SigningError] = []
        known = {entry.key.blob for entry in signers.entries}
        for offer in offers:
            if offer.key.blob in usable or offer.key.blob not in known:
                continue
            try:
                usable[offer.key.blob] = self._candidate(offer, signers, role, at)
            except SigningError as error:
                obstacles.append(error)
        if not usable:
            strangers = [each.key for each in offers if each.key.blob not in known]
            raise _nobody(role, strangers, obstacles, found.problems)
        _refuse_guessed(found.agents, usable.values())
        return sorted(usable.values(), key=lambda each: not each.person.hardware)

    def _file_offers(self, only: KeyFile | None) -> Iterator["_Offer"]:
        for file in (only,) if only is not None else usual_key_files(self._home):
            yield _Offer(file.key, KeyPlace.FILE, str(file.path), file.comment, file)

    def _candidate(self, offer: "_Offer", signers: Signers, role: Role, at: dt.datetime) -> Candidate:
        person = _person(signers, offer.key, role, at)
        if self._verifier.is_revoked(offer.key):
            raise not_eligible("revoked", person, role, at)
        if offer.file is not None:
            try:
                problem = why_unusable(offer.file)
            except KeygenProblem as error:
                raise unusable_keygen(error) from error
            if problem is not None:
                raise problem
        return Candidate(person=person, place=offer.place, path=offer.path, comment=offer.comment)

    # --- signing -----------------------------------------------------------------------------------

    def sign(self, payload: bytes, meaning: Meaning, candidate: Candidate) -> Signature:
        """Return the signature of `payload` by that key, after it was verified as anybody would verify it."""
        role = role_for(meaning)
        key, _ = key_of_text(candidate.person.public_key)
        said = self._signed(payload, role, candidate, key)
        if not said.ok:
            raise self._failed(said, candidate, key)
        armored = said.stdout.decode("ascii", "replace")
        try:
            tier = read_sshsig(armored).tier
        except WireError as error:
            raise SigningError("bad-signature", f"ssh-keygen made no signature: {error}", "try again") from error
        signature = Signature(
            tier=tier,
            principal=candidate.person.principal,
            fingerprint=candidate.person.fingerprint,
            armored=armored,
        )
        try:
            self._verifier.check(payload, signature, meaning, _signed_at(payload))
        except SignatureRefused as error:
            reason = "expired" if error.reason == "retired" else error.reason
            raise SigningError(reason, str(error), error.hint) from error
        return signature

    def give_up(self) -> None:
        """End every ssh-keygen that waits for an agent, a touch or a file: it would outlive this process."""
        for process in tuple(self._running):
            end(process)

    def _signed(self, payload: bytes, role: Role, candidate: Candidate, key: PublicKey) -> Said:
        """Run `ssh-keygen -Y sign` with the agent, or with the file and no agent: one or the other."""
        arguments = ["-Y", "sign", "-n", role.namespace, "-P", "", "-f"]
        try:
            if candidate.place is KeyPlace.FILE:
                words = [*arguments, candidate.path]
                return keygen(words, stdin=payload, timeout=self._timeout, running=self._running)
            with sealed(f"{key.text}\n".encode("ascii")) as (public,):
                return keygen(
                    [*arguments, name_of(public)],
                    stdin=payload,
                    descriptors=(public,),
                    environ={VARIABLE: candidate.path},
                    timeout=self._timeout,
                    running=self._running,
                )
        except KeygenTimedOut as error:
            raise not_signed("timeout", candidate, f"{self._timeout:g} s") from error
        except KeygenProblem as error:
            raise unusable_keygen(error) from error

    def _failed(self, said: Said, candidate: Candidate, key: PublicKey) -> SigningError:
        """Return why it did not sign: what the agent looks like now tells more than what ssh-keygen says."""
        why = visible(shortened(said.last_line, 200)) or "it does not say why"
        if candidate.place is KeyPlace.FILE:
            if "device not found" in said.stderr.lower():
                return not_signed("no-device", candidate, why)
            try:
                problem = why_unusable(KeyFile(Path(candidate.path), key, ""))
            except KeygenProblem as error:
                return unusable_keygen(error)
            return problem or not_signed("declined", candidate, why)
        try:
            keys = listed(candidate.path)
        except AgentProblem as error:
            return SigningError(error.reason, str(error), agent_problem((error,)).hint)
        if not any(each.key.blob == key.blob for each in keys):
            return not_signed("key-gone", candidate, why)
        return not_signed("declined", candidate, why)


class _Offer(msgspec.Struct, frozen=True):
    """A key that is at hand, whoever it belongs to."""

    key: PublicKey
    place: KeyPlace
    path: str
    comment: str
    file: KeyFile | None = None


class _Statement(msgspec.Struct, frozen=True):
    signed_at: dt.datetime


def _signed_at(payload: bytes) -> dt.datetime:
    """Return when the statement in the last line says that it is signed (see model/record.py)."""
    try:
        return msgspec.json.decode(payload.rstrip(LINE_FEED).rpartition(LINE_FEED)[2], type=_Statement).signed_at
    except msgspec.MsgspecError:
        return dt.datetime.now(dt.UTC)


def _offers(agents: Sequence[Agent]) -> Iterator[_Offer]:
    for agent in agents:
        for each in agent.keys:
            yield _Offer(each.key, KeyPlace.AGENT, agent.socket, each.comment)


def _person(signers: Signers, key: PublicKey, role: Role, at: dt.datetime) -> Person:
    """Return whose key it is and who may use it now in that role; raises SigningError."""
    lines = [entry.person for entry in signers.entries if entry.key.blob == key.blob]
    able = [each for each in lines if role in each.roles]
    for each in able:
        if each.is_valid(at):
            return each
    if not able or any(each.is_valid(at) for each in lines):
        raise not_eligible("wrong-role", lines[-1], role, at)
    early = [each for each in able if each.valid_after is not None and at < each.valid_after]
    raise not_eligible("not-valid-yet" if early else "expired", (early or able)[-1], role, at)


def _nobody(
    role: Role,
    strangers: Sequence[PublicKey],
    obstacles: Sequence[SigningError],
    problems: Sequence[AgentProblem],
) -> SigningError:
    """Return what is nearest to a signature: a key that is known and cannot sign, then the agent, then others."""
    missing = [each for each in obstacles if each.reason == "no-key-file"]
    for obstacle in obstacles:
        if obstacle not in missing:
            return obstacle
    if strangers and all(each.reason == "no-agent" for each in problems):
        return key_absent(strangers, role, tuple(map(str, problems)))
    if problems:
        return agent_problem(problems)
    return missing[0] if missing else agent_empty(role)


def _refuse_guessed(agents: Sequence[Agent], candidates: Iterable[Candidate]) -> None:
    """Refuse agents that were guessed where they are of several people: on a shared account that is no guess."""
    guessed = {agent.socket for agent in agents if agent.guessed}
    people = sorted({each.person.principal for each in candidates if each.path in guessed})
    if len(people) > 1:
        raise SigningError(
            "ambiguous-agent",
            f"the agent of this login is gone, and this account has agents of several people: {', '.join(people)}",
            f"say which is yours: export {VARIABLE}=...; or log in again with your agent (ssh -A)",
        )
