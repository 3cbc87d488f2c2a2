"""With what the operator signs: the ways there are, the chosen one, and why there may be none."""

from collections.abc import Callable
from dataclasses import dataclass

from opsconsole.contracts.signer import Candidate, SigningError
from opsconsole.engine.approving import Approving, Case, Verdict
from opsconsole.engine.session import RunSession
from opsconsole.engine.signing import Signing, tier_of
from opsconsole.model.events import Meaning, Statement
from opsconsole.model.people import Person
from opsconsole.model.tiers import Tier


@dataclass(frozen=True, slots=True)
class Way:
    """One way of signing: with a key, with the password of the login, or with nothing but the login."""

    tier: Tier
    """What the signature will be."""
    candidate: Candidate | None = None

    @property
    def id(self) -> str:
        """Tells it from the other ways: keys may come and go while one chooses."""
        if self.candidate is None:
            return str(self.tier)
        person = self.candidate.person
        return f"{person.principal} {person.fingerprint} {self.candidate.place}"

    @property
    def person(self) -> Person | None:
        """Whose key signs; None where none does."""
        return self.candidate.person if self.candidate is not None else None


@dataclass(frozen=True, slots=True)
class Deciding:
    """A decision on a qualification that is about to be signed, and what it is made on."""

    approving: Approving
    case: Case
    verdict: Verdict


class PasswordNotChecked(SigningError):
    """What takes passwords failed in a way that nobody foresaw."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            "not-checked",
            f"the password could not be checked: {kind}",
            "sign with a key, or ask whoever set up signing.pam_service",
        )


class Pen:
    """The ways of signing a run, or what is decided in it, with one meaning."""

    def __init__(
        self, signing: Signing, session: RunSession, meaning: Meaning, deciding: Deciding | None = None
    ) -> None:
        self.ways: tuple[Way, ...] = ()
        self.chosen: Way | None = None
        """None as long as nobody has looked."""
        self.refused: SigningError | None = None
        """Why no key can be used, where there are people who could."""
        self.is_looking = False
        self._is_picked = False
        self._signing = signing
        self._session = session
        self._meaning = meaning
        self._deciding = deciding

    @property
    def wanted(self) -> Tier:
        """The weakest signature that is taken: by the checklist, and by the qualification that is decided on."""
        wanted = self._session.state.definition.sign_off.tier
        if self._deciding is None:
            return wanted
        approval = self._deciding.case.state.definition.approval.tier
        return approval if approval.satisfies(wanted) else wanted

    @property
    def has_people(self) -> bool:
        """Whether anybody signs with keys here: then a signature without one is the exception."""
        return self._signing.has_people

    @property
    def needs_confirmation(self) -> bool:
        """Whether the chosen way proves nothing although others would: it has to be meant."""
        return self.has_people and self.chosen is not None and self.chosen.tier is Tier.ATTRIBUTED

    async def look(self, is_fit: Callable[[Way], bool]) -> None:
        """Look which keys there are now; keep what the operator picked if it is still there, else choose the best.

        `is_fit`: whether whoever signs in this way may sign with this meaning at all.
        """
        self.is_looking = True
        try:
            offer = await self._signing.offer(self._session, self._meaning)
        finally:
            self.is_looking = False
        self.refused = offer.refused
        ways = [Way(tier_of(each), each) for each in offer.candidates]
        if self._signing.authenticator is not None:
            ways.append(Way(Tier.REAUTHENTICATED))
        self.ways = (*ways, Way(Tier.ATTRIBUTED))
        if self.chosen is None or not self._is_picked or not self.pick(self.chosen.id):
            self._is_picked = False
            enough = [each for each in self.ways if each.tier.satisfies(self.wanted)]
            self.chosen = next(filter(is_fit, enough), (*enough, *self.ways)[0])

    def pick(self, way: str) -> bool:
        """Choose a way by its id, as the operator asks; return whether it is there."""
        found = next((each for each in self.ways if each.id == way), None)
        self.chosen, self._is_picked = found or self.chosen, found is not None
        return found is not None

    async def sign(self, way: Way, statement: Statement, password: str | None = None) -> tuple[str, ...]:
        """Sign `statement`; return what could not be noted outside of the record. Raises like Signing.sign.

        A decision is signed only where everything that it is made on is still as it was shown.
        """
        if self._deciding is not None:
            case, verdict = self._deciding.case, self._deciding.verdict
            sign = self._deciding.approving.sign
            return await sign(self._session, self._signing, case, verdict, statement, way.candidate, password)
        if way.candidate is not None:
            return await self._signing.sign(self._session, statement, way.candidate)
        if password is None:
            return await self._signing.attribute(self._session, statement)
        return await self._signing.attribute(self._session, statement, password)
