"""What signs a statement with an SSH key, and what checks a signature: the engine knows neither ssh nor PAM."""

import datetime as dt
from enum import StrEnum
from typing import Protocol

import msgspec

from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Meaning, Signature
from opsconsole.model.people import Person


class SigningError(OpsconsoleError):
    """It could not be signed; the message says why and the hint the way on. Nothing was stored."""

    title = "not signed"

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        """`reason`: a stable code in kebab case, such as `no-agent`, `declined` or `expired`."""
        super().__init__(message, hint)
        self.reason = reason


class SignatureRefused(OpsconsoleError):
    """A signature does not hold; the message says why."""

    title = "bad signature"

    def __init__(self, reason: str, message: str, hint: str = "", *, unchecked: bool = False) -> None:
        """`reason`: a stable code in kebab case, such as `wrong-namespace`, `unknown-key` or `revoked`.

        `unchecked`: it says something about this host (no ssh-keygen, a file that cannot be read), and nothing
        about the signature, which nobody has looked at.
        """
        super().__init__(message, hint)
        self.reason = reason
        self.unchecked = unchecked


class KeyPlace(StrEnum):
    """Where a private key is."""

    AGENT = "agent"
    FILE = "file"


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A key that could sign now, and whose it is."""

    person: Person
    place: KeyPlace
    path: str = ""
    """Of the key file, where it is one; else the socket of the agent."""
    comment: str = ""
    """Of the key, as the agent or the file tells it; for the eye only."""


class Signer(Protocol):
    """Signs with the keys that this operator can use now. Synchronous: called from a thread."""

    def candidates(self, meaning: Meaning, at: dt.datetime) -> list[Candidate]:
        """Return the keys that may sign with this meaning at `at`, the best one first.

        Raises SigningError, saying what there is and what is missing, where there is none.
        """
        ...

    def sign(self, payload: bytes, meaning: Meaning, candidate: Candidate) -> Signature:
        """Return the signature of `payload`; it was checked against the allowed signers.

        A hardware key waits for its touch. Raises SigningError, one reason for each way in which it can fail.
        """
        ...

    def give_up(self) -> None:
        """End what `sign` still waits for in another thread: nobody wants the signature any more."""
        ...


class Authenticator(Protocol):
    """Lets a person prove again, by a password, that the login is theirs. Synchronous."""

    def authenticate(self, login: str, password: str) -> None:
        """Return where the system takes the password for `login`; raises SigningError otherwise."""
        ...


class Verifier(Protocol):
    """Checks signatures against the allowed-signers file. Synchronous; safe to call from several threads."""

    def people(self) -> list[Person]:
        """Return everybody of the file, one entry a key, in its order; raises SigningError for a bad file."""
        ...

    def check(self, payload: bytes, signature: Signature, meaning: Meaning, at: dt.datetime) -> Person:
        """Return whose signature it is; raises SignatureRefused where it does not hold at `at`.

        `at` is the signed time: a key that was retired later does not make its earlier signatures bad, one that was
        revoked does. The tier that the signature claims is checked too: a hardware key with its touch flag.
        """
        ...

    def allowed_signers(self, principals: list[str]) -> bytes:
        """Return the lines of the allowed-signers file for these people, exactly as they stand there."""
        ...
