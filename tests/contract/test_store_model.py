"""A store against the simplest model of one: random steps by several openers, compared after each."""

import datetime as dt
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from opsconsole.contracts.store import AlreadyOpen, AlreadySigned, Conflict, Head, Store, StoreError
from opsconsole.model.events import Event, Stored
from support.events import TODAY, note, opening, sign_off
from support.postgres import Postgres
from support.store_fixtures import server_of
from support.stores import KINDS, Stores

DAYS = st.integers(0, 2)
OPENERS = st.integers(0, 1)
TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=3)


class Comparison(RuleBasedStateMachine):
    """Two openers of one store, and a plain list of what has to be in it."""

    kind = KINDS[0]
    server: Postgres | None = None

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.place = Stores(self.kind, Path(self.directory.name), self.server)
        self.chain: list[Stored] = []
        self.heads: list[Head] = []

    @initialize()
    def begin(self) -> None:
        """Open the store twice."""
        self.openers: list[Store] = [self.place.open(), self.place.open()]
        self.heads = [self.openers[0].head()]

    def _run(self, day: int) -> str:
        return f"qbr-daily@{(TODAY - dt.timedelta(days=day)).isoformat()}"

    def _of(self, day: int) -> list[Stored]:
        return [each for each in self.chain if each.event.run == self._run(day)]

    def _taken(self, events: list[Event], stored: list[Stored]) -> None:
        assert [each.event for each in stored] == events
        assert [each.seq for each in stored] == [len(self.chain) + n for n in range(1, len(events) + 1)]
        self.chain += stored
        self.heads += [Head(each.seq, each.hash) for each in stored]

    def _signed(self, day: int) -> bool:
        return any(each.event.body.__class__.__name__ == "Signed" for each in self._of(day))

    @rule(day=DAYS, opener=OPENERS)
    def open_a_day(self, day: int, opener: int) -> None:
        """Open a day: the first opening is stored, every other refused."""
        event = opening(TODAY - dt.timedelta(days=day))
        if self._of(day):
            with pytest.raises(AlreadyOpen):
                self.openers[opener].append([event], after=0)
        else:
            self._taken([event], self.openers[opener].append([event], after=0))

    @rule(day=DAYS, opener=OPENERS, texts=TEXTS, behind=st.integers(0, 2))
    def decide(self, day: int, opener: int, texts: list[str], behind: int) -> None:
        """Append a batch: it is stored on the state it was decided on, and on no other."""
        of_day = self._of(day)
        last = of_day[-1].seq if of_day else 0
        events = [note(text, self._run(day)) for text in texts]
        store = self.openers[opener]
        if not of_day:
            with pytest.raises(StoreError, match="never opened"):
                store.append(events)
        elif self._signed(day):
            with pytest.raises(AlreadySigned):
                store.append(events, after=last)
        elif behind:
            with pytest.raises(Conflict):
                store.append(events, after=last + behind)
        else:
            self._taken(events, store.append(events, after=last))

    @rule(opener=OPENERS, data=st.data())
    def repeat(self, opener: int, data: st.DataObject) -> None:
        """Send stored events again: it changes nothing and answers the same."""
        if self.chain:
            first = data.draw(st.sampled_from(self.chain))
            again = [each for each in self.chain if each.event.run == first.event.run and each.seq >= first.seq]
            assert self.openers[opener].append([each.event for each in again], after=0) == again

    @rule(day=DAYS, opener=OPENERS)
    def sign(self, day: int, opener: int) -> None:
        """Sign a day: it is signed once."""
        of_day, store = self._of(day), self.openers[opener]
        if not of_day:
            return
        event = sign_off(store, of_day[-1])
        if self._signed(day):
            with pytest.raises(AlreadySigned):
                store.append([event])
        else:
            self._taken([event], store.append([event], after=of_day[-1].seq))

    @rule(opener=OPENERS)
    def reopen(self, opener: int) -> None:
        """Close and open again: it changes nothing."""
        self.openers[opener].close()
        self.openers[opener] = self.place.open()

    @invariant()
    def both_openers_agree_with_the_model(self) -> None:
        """Everything that was acknowledged is there in order, and every head that ever was still holds."""
        for store in getattr(self, "openers", []):
            assert store.head() == self.heads[-1]
            assert all(store.holds(head) for head in self.heads)
            for day in range(3):
                assert store.events(self._run(day)) == self._of(day)
            found = store.verify()
            assert (found.events, found.broken) == (len(self.chain), None)

    def teardown(self) -> None:
        """Close and remove the store."""
        self.place.close()
        self.directory.cleanup()


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_does_what_the_model_does(kind: str, request: pytest.FixtureRequest) -> None:
    """Whatever two consoles come up with (openings, notes, retries, sign-offs), the record is right."""
    machine = type("ComparisonOfKind", (Comparison,), {"kind": kind, "server": server_of(kind, request)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
