"""What keeps heads of the chain outside of the record, as the configuration says."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from opsconsole.anchors.heads import LastSeenHeads
from opsconsole.config.places import state_home
from opsconsole.config.settings import Config
from opsconsole.contracts.anchor import Anchor, AnchorError, Kept, Noted
from opsconsole.contracts.store import Store, StoreError
from opsconsole.engine.session import utc_now
from opsconsole.model.events import Actor

NO_HOME = (
    "this account has no home directory, so it keeps no last-seen head of the record: an old copy put in its place "
    "shows by the other anchors only"
)


class _WhenUsed:
    """An Anchor whose module is loaded when a head is kept or asked for: no start waits for it."""

    def __init__(self, name: str, make: Callable[[], Anchor]) -> None:
        self.name = name
        self._make = make

    def keep(self, noted: Noted, record: Path | None) -> None:
        self._make().keep(noted, record)

    def kept(self) -> Iterator[Kept]:
        return self._make().kept()


@dataclass(frozen=True)
class Outside:
    """What this account and its host keep of one record outside of it."""

    store: Store
    actor: Actor
    heads: LastSeenHeads | None
    """None where the account has no home to keep them in."""
    kept_at_sign_off: tuple[Anchor, ...]
    read: tuple[Anchor, ...]
    """What `verify` compares the record with."""
    journal: Anchor | None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know."""
        return () if self.heads is not None else (NO_HOME,)

    def alarms(self) -> tuple[str, ...]:
        """Return what is wrong with the record by what this account saw of it: one small file and one query."""
        with suppress(StoreError):  # whoever uses the record is told
            found = self.heads.alarm() if self.heads is not None else ""
            return (found,) if found else ()
        return ()

    def look(self) -> None:
        """Note the present head for this account. It never fails: what was noted before is the worst there is."""
        if self.heads is not None:
            with suppress(AnchorError, StoreError):
                self.heads.look()

    def accept(self) -> tuple[str, tuple[str, ...]]:
        """Take the record as it is, although heads are lost; return what was wrong, and what went wrong with that.

        Raises AnchorError, StoreError.
        """
        if self.heads is None:
            raise AnchorError(NO_HOME)
        failures: list[str] = []
        fault = self.heads.accept(self.actor.login, self._lost(failures))
        if not fault or self.journal is None:
            return fault, tuple(failures)
        noted = Noted(
            store_id=self.store.store_id,
            store_location=self.store.location,
            head=self.store.head(),
            run="",
            what=f"accepted as it is by {self.actor.shown}: {fault}",
            at=utc_now(),
        )
        try:
            self.journal.keep(noted, None)
        except AnchorError as error:
            failures.append(f"that it was accepted is not noted in the journal: {error}")
        return fault, tuple(failures)

    def _lost(self, failures: list[str]) -> Iterator[Kept]:
        """Yield what is kept somewhere and is not in the record; what cannot be read stays a fault later."""
        for anchor in self.read:
            try:
                for kept in anchor.kept():
                    if kept.store_id == self.store.store_id:
                        if not self.store.holds(kept.head):
                            yield kept
                    elif kept.store_location == self.store.location:
                        yield kept
            except AnchorError as error:
                failures.append(f"{anchor.name} was not read: {error}")

    def accepted(self, kept: Kept) -> str:
        """Return in words who accepted that a head is lost; nothing where nobody has."""
        return self.heads.accepted(kept) if self.heads is not None else ""


def outside_of(config: Config, store: Store, actor: Actor) -> Outside:
    """Return what keeps heads of `store` for `actor`."""
    home = state_home()
    heads = LastSeenHeads(home / "heads", store) if home is not None else None
    journal = _WhenUsed("journal", _journal) if config.journal else None
    repository = config.git
    git = _WhenUsed("git", lambda: _git(repository, actor)) if repository is not None else None
    keeping: list[Anchor] = [each for each in (heads, journal, git) if each is not None]
    exports = _WhenUsed("exports", lambda: _exports(config, store))
    return Outside(store, actor, heads, tuple(keeping), (*keeping, exports), journal)


def _journal() -> Anchor:
    from opsconsole.anchors.journal import JournalAnchor

    return JournalAnchor()


def _git(directory: Path, actor: Actor) -> Anchor:
    from opsconsole.anchors.git import GitAnchor

    return GitAnchor(directory, author=actor.shown, host=actor.host)


def _exports(config: Config, store: Store) -> Anchor:
    from opsconsole.anchors.exports import ExportsAnchor
    from opsconsole.export.anchors import anchors_in

    own = config.exports.is_relative_to(config.state) and str(config.store).startswith(f"{config.state}/")
    return ExportsAnchor(config.exports, anchors_in, location=store.location if own else "")
