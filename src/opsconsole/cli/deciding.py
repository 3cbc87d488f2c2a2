"""What `qualification approve` and `refuse` are about to have signed: see engine/approving.py for the deed."""

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opsconsole.cli.proposing import Means, Proposal, best_proposal, refuse_unsaved, resumed
from opsconsole.contracts.signer import Candidate
from opsconsole.contracts.store import Conflict
from opsconsole.engine.approving import Verdict, refuse_verdict
from opsconsole.model.events import Statement
from opsconsole.model.runs import SignOff
from opsconsole.model.tiers import Tier

if TYPE_CHECKING:
    from opsconsole.engine.approving import Case
    from opsconsole.wiring.services import Services


@dataclass(frozen=True)
class Decided:
    """A Matter (see proposing.py): a qualification that is approved or refused."""

    name: str
    verdict: Verdict
    means: Means
    seen: "Case | None" = None
    """What was shown already, because something was asked before."""

    async def proposed(self, parts: "Services") -> Proposal:
        """Return what would be signed now, over records that were verified for it."""
        approving = parts.approving()
        case = await asyncio.to_thread(approving.case, self.name)
        refuse_verdict(case, self.verdict)
        async with resumed(parts, case.run) as session:
            refuse_unsaved(session)

            def stated(candidate: Candidate | None, tier: Tier) -> Statement:
                person = candidate.person if candidate is not None else None
                return approving.statement(session, case, self.verdict, person, tier)

            weakest = max(
                case.state.definition.approval.tier, session.state.definition.sign_off.tier, key=_strength
            )
            found = await best_proposal(parts, session, self.verdict.meaning, self.means, stated, weakest)
            is_seen = self.seen is not None and self.seen.shows(case)
            return dataclasses.replace(found, case=case, is_seen=is_seen)

    async def signed(
        self, parts: "Services", proposal: Proposal, password: str | None
    ) -> tuple[SignOff, tuple[str, ...]]:
        """Sign what was shown, at the present moment; raises Conflict where anything of it has changed."""
        case = proposal.case
        if case is None:
            raise Conflict(f"{self.name} was not shown")
        async with resumed(parts, case.run) as session:
            before = session.state.last_seq
            failures = await parts.approving().sign(
                session, parts.signing, case, self.verdict, proposal.statement, proposal.candidate, password
            )
            made = (each for each in session.state.signatures if each.seq > before)
            return next(made), failures


def _strength(tier: Tier) -> int:
    return list(Tier).index(tier)
