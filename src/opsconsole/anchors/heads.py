"""The operator's own file of last-seen heads: finds a record that was wiped, cut off, or replaced by an old copy.

It is in the home of the account, whatever `--state` says, so that restoring an old state directory does not restore
it. There is one file for each place of a record, with the id and the head of the record that was last seen there.
A head that the record no longer holds is never replaced silently: it stays until the operator accepts the loss, and
that is written down too.
"""

import contextlib
import datetime as dt
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec

from opsconsole.config.trust import untrusted
from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.store import Head, Store, StoreError
from opsconsole.model.text import storable

ACCEPT = "opsconsole verify --accept-head"
_WAY_ON = f"Look at it: opsconsole verify --all. Where that is explained, accept the record as it is: {ACCEPT}"
_SUFFIX = ".json"
_ACCEPTED = "accepted.jsonl"
_LOCK = ".lock"
_LARGEST = 1 << 20
_PATIENCE = 2.0
"""Seconds to wait for another process of this account; it holds the lock for milliseconds."""
_POLL = 0.02


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a record as this account saw it last."""

    schema: str = "opsconsole.head.v1"
    store_location: str
    store_id: str
    seq: Annotated[int, msgspec.Meta(ge=0, lt=10**15)]
    hash: str
    at: dt.datetime

    @property
    def head(self) -> Head:
        """The head itself."""
        return Head(self.seq, self.hash)


class Lost(msgspec.Struct, frozen=True):
    """A head that is kept somewhere, and that the record does not hold."""

    store_id: str
    seq: int
    hash: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A loss that the operator has accepted: these heads are not in the record, and it goes on from `taken`."""

    schema: str = "opsconsole.accepted.v1"
    at: dt.datetime
    login: str
    fault: str
    lost: tuple[Lost, ...]
    taken: Seen
    """What the record was then."""


class LastSeenHeads:
    """An Anchor (see contracts) in the directory `directory`, for what this account sees of `store`."""

    name = "last-seen heads"

    def __init__(
        self, directory: Path, store: Store, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self._directory = directory
        self._store = store
        self._clock = clock
        self._path = directory / f"{hashlib.sha256(storable(store.location).encode()).hexdigest()[:32]}{_SUFFIX}"

    def alarm(self) -> str:
        """Return what is wrong with the record by what this account has seen of it; nothing where all is well.

        It takes one small file and one indexed query. Raises StoreError where the store cannot be asked.
        """
        try:
            self._refuse_untrusted()
        except AnchorError as error:
            return str(error)
        try:
            return self._fault(self._seen())
        except AnchorError as error:
            return f"{error}. {_WAY_ON}"

    def look(self) -> None:
        """Note the present head, unless what was seen before is gone; raises AnchorError and StoreError."""
        present = self._present()
        with contextlib.suppress(AnchorError):
            before = _read(self._path)
            if before is not None and (before.store_id, before.head) == (present.store_id, present.head):
                return
        self._note(present)

    def keep(self, noted: Noted, record: Path | None) -> None:  # noqa: ARG002 - heads are kept, no files
        """Note the head of a sign-off; raises AnchorError."""
        try:
            self._note(
                Seen(
                    store_location=storable(noted.store_location),
                    store_id=noted.store_id,
                    seq=noted.head.seq,
                    hash=noted.head.hash,
                    at=self._clock(),
                )
            )
        except StoreError as error:
            raise AnchorError(str(error)) from error

    def kept(self) -> Iterator[Kept]:
        """Yield what this account has seen last, of every record; raises AnchorError."""
        unread = []
        for path in self._files():
            try:
                seen = _read(path)
            except AnchorError as error:
                unread.append(str(error))
                continue
            if seen is not None:
                where = f"{path}, seen {seen.at:%Y-%m-%d %H:%M:%SZ}"
                yield Kept(store_id=seen.store_id, head=seen.head, where=where, store_location=seen.store_location)
        if unread:
            raise AnchorError("; ".join(unread))

    def accept(self, login: str, lost: Iterable[Kept]) -> str:
        """Take the record as it is from now on, and write that down; return in words what was wrong.

        `lost` is what anchors keep and the record does not hold: exactly that is excused, and nothing that is lost
        later. Where nothing is wrong, nothing is written, and the answer is empty. Raises AnchorError, StoreError.
        """
        fresh = (each for each in lost if not self.accepted(each))
        heads = tuple({Lost(each.store_id, each.head.seq, each.head.hash): None for each in fresh})
        with self._locked():
            try:
                fault = self._fault(self._seen())
            except AnchorError as error:
                fault = str(error)
            if not fault and not heads:
                return ""
            fault = fault or f"of the heads that are kept outside, {len(heads)} are not in the record"
            taken = self._present()
            self._log(Accepted(at=taken.at, login=login, fault=fault, lost=heads, taken=taken))
            self._write(taken)
            return fault

    def accepted(self, kept: Kept) -> str:
        """Return in words who accepted that a head is not in this record; nothing where nobody has."""
        wanted = Lost(kept.store_id, kept.head.seq, kept.head.hash)
        for each in self._acceptances:
            if each.taken.store_location == storable(self._store.location) and wanted in each.lost:
                return f"accepted by {each.login} at {each.at:%Y-%m-%d %H:%M:%SZ}"
        return ""

    # --- what was seen -----------------------------------------------------------------------------

    def _present(self) -> Seen:
        head = self._store.head()
        return Seen(
            store_location=storable(self._store.location),
            store_id=self._store.store_id,
            seq=head.seq,
            hash=head.hash,
            at=self._clock(),
        )

    def _seen(self) -> Seen | None:
        """Return what was last seen at this place; where nothing was, the same record seen at another place."""
        return _read(self._path) or self._elsewhere()

    def _elsewhere(self) -> Seen | None:
        found = None
        for path in self._files():
            with contextlib.suppress(AnchorError):
                seen = _read(path)
                if (
                    seen is not None
                    and seen.store_id == self._store.store_id
                    and (found is None or seen.seq > found.seq)
                ):
                    found = seen
        return found

    def _files(self) -> list[Path]:
        try:
            return sorted(each for each in self._directory.iterdir() if each.suffix == _SUFFIX)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise AnchorError(f"{self._directory} cannot be read: {error.strerror}") from error

    def _fault(self, seen: Seen | None) -> str:
        if seen is None:
            return ""
        where, when = self._store.location, f"{seen.at:%Y-%m-%d %H:%M:%SZ}"
        if seen.store_id != self._store.store_id:
            what = (
                f"{where} holds another record than before: it is {self._store.store_id} now, and was "
                f"{seen.store_id} with {seen.seq} events at {when}"
            )
        elif not self._store.holds(seen.head):
            what = (
                f"event {seen.seq}, which this account saw at {when}, is not in the record at {where}: its end was "
                "cut off, an old copy was put back, or it was made anew"
            )
        else:
            return ""
        return f"{what}. {_WAY_ON}"

    def _refuse_untrusted(self) -> None:
        """Refuse a directory in which others could put heads of their own."""
        doubt = untrusted(self._directory)
        if doubt is not None:
            raise AnchorError(f"the last-seen heads in {self._directory} prove nothing: {doubt}")

    # --- files -------------------------------------------------------------------------------------

    def _note(self, present: Seen) -> None:
        with self._locked():
            before = self._seen()
            fault = self._fault(before)
            if fault:
                raise AnchorError("not noted, because what was last seen is not in this record", ACCEPT)
            there = before is not None and before.store_location == present.store_location
            if before is None or not there or before.seq < present.seq:
                self._write(present)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._directory / _LOCK, flags, 0o600)
        except OSError as error:
            raise AnchorError(f"{self._directory} cannot be written to: {error.strerror}") from error
        try:
            self._refuse_untrusted()
            _lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _write(self, seen: Seen) -> None:
        """Replace the file in one step: after a power cut there is the old one or the new one."""
        partial = self._directory / f".{self._path.stem}.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(partial, flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(seen) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise AnchorError(f"{self._path} cannot be written: {error.strerror}") from error

    def _log(self, accepted: Accepted) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        path = self._directory / _ACCEPTED
        try:
            with os.fdopen(os.open(path, flags, 0o600), "ab") as file:
                file.write(msgspec.json.encode(accepted) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise AnchorError(f"{path} cannot be written: {error.strerror}") from error

    @cached_property
    def _acceptances(self) -> list[Accepted]:
        path = self._directory / _ACCEPTED
        try:
            return [msgspec.json.decode(line, type=Accepted) for line in path.read_bytes().splitlines() if line]
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError, ValueError):
            return []  # then nothing counts as accepted


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise AnchorError("another process of this account holds the file of heads") from None
            time.sleep(_POLL)
        except OSError:  # a file system without flock: the last one who writes counts
            return
        else:
            return


def _read(path: Path) -> Seen | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return msgspec.json.decode(file.read(_LARGEST), type=Seen)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AnchorError(f"the last-seen head in {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise AnchorError(f"the last-seen head in {path} was damaged or changed: {error}") from error
