"""Who else is in a run now: a courtesy between colleagues, which never holds anything up."""

import threading
from collections.abc import Sequence
from contextlib import suppress

from opsconsole.contracts.store import Presence, Store, StoreError
from opsconsole.engine.threads import in_daemon_thread
from opsconsole.model.events import Actor
from opsconsole.widgets.pieces import clean, cut

_CELLS = 30
"""What the names may take of the top line."""


def name_of(actor: Actor) -> str:
    """Return under which name an operator is shown to the others."""
    return actor.shown if actor.name or not actor.host else f"{actor.login}@{actor.host}"


class Company:
    """This console's place in a run, and who else is there. Everything that may wait does so in a thread."""

    def __init__(self, store: Store, run: str, who: str) -> None:
        self.others: tuple[str, ...] = ()
        """Who else is in the run, as far as is known; nobody where the store cannot be asked."""
        self._store = store
        self._run = run
        self._who = who
        self._presence: Presence | None = None
        self._in_turn = threading.Lock()
        self._left = False
        self._looking = False

    async def look(self) -> bool:
        """Enter the run where that was not done yet, and look who is there; tell whether that has changed."""
        if self._looking or self._left:
            return False
        self._looking = True
        try:
            found = await in_daemon_thread("presence", self._seen)
        finally:
            self._looking = False
        before, self.others = self.others, found
        return found != before

    def leave(self) -> None:
        """Leave the run; the others see that soon."""
        self._left = True
        threading.Thread(target=self._close, name="opsconsole-leaving", daemon=True).start()

    def words(self) -> str:
        """Return `with Jane Roe (jane)`, with a number for more; empty where nobody else is there."""
        return company_words(self.others, self._who)

    def _seen(self) -> tuple[str, ...]:
        with self._in_turn:
            if self._left:
                return ()
            try:
                if self._presence is None:
                    self._presence = self._store.enter(self._run, self._who)
                return tuple(self._presence.others())
            except StoreError:
                self._let_go()
                return ()

    def _close(self) -> None:
        with self._in_turn:
            self._let_go()

    def _let_go(self) -> None:
        presence, self._presence = self._presence, None
        if presence is not None:
            with suppress(StoreError):
                presence.close()


def company_words(others: Sequence[str], who: str) -> str:
    """Return who else is there in a few words; `who` is this operator, at another terminal maybe."""
    if not others:
        return ""
    first = "yourself elsewhere" if others[0] == who else clean(others[0])
    more = f" +{len(others) - 1}" if len(others) > 1 else ""
    return f"with {cut(first, _CELLS - len(more))}{more}"
