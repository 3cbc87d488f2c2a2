"""Hears from the store, in a thread of its own, when anybody has stored something."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from textual.message import Message

from opsconsole.contracts.store import StoreError, Watch
from opsconsole.widgets.crash import summary

_LISTEN_FOR = 30.0
"""Seconds of one call of `Watch.wait`; nothing happens between two of them."""
_BREATH = 0.1
"""Seconds that what is stored in a burst is heard of together."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
"""Seconds before the next attempt at a store that cannot be asked; each pause is twice the one before."""


@dataclass(eq=False)
class Stirred(Message):
    """Something may have been stored since the last time."""


@dataclass(eq=False)
class Deaf(Message):
    """The store cannot be listened to now; said once for each outage."""

    cause: str
    """Why."""


@dataclass(eq=False)
class HearsAgain(Message):
    """It can be listened to again."""


class StoreWatcher:
    """Listens until it is closed. Its thread touches nothing of the screens: it only posts messages.

    A thread of its own, and no worker: it waits most of its life, and the process does not wait for it to end.
    """

    def __init__(self, begin: Callable[[], Watch], post: Callable[[Message], object]) -> None:
        """`begin` is the store's `watch`; `post` takes messages from any thread."""
        self._begin = begin
        self._post = post
        self._closed = threading.Event()
        self._watch: Watch | None = None
        self._thread = threading.Thread(target=self._listen, name="opsconsole-watch", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Listen no longer; the thread ends soon."""
        self._closed.set()
        watch = self._watch
        if watch is not None:
            watch.close()

    def _listen(self) -> None:
        try:
            self._listen_on()
        except Exception as error:  # noqa: BLE001 - a thread's own traceback would be written over the screen
            self._tell(Deaf(summary(error)))
        if self._watch is not None:
            self._watch.close()
            with suppress(StoreError):
                self._watch.wait(0)  # a closed one lets go of what it holds in the thread that uses it

    def _tell(self, message: Message) -> None:
        try:
            self._post(message)
        except RuntimeError:  # the event loop is closed: nobody is there to be told
            self._closed.set()

    def _listen_on(self) -> None:
        pause, outage = 0.0, False
        while not self._closed.wait(pause):
            try:
                if self._watch is None:
                    self._watch = self._begin()
                stirred = self._watch.wait(0.0 if outage else _LISTEN_FOR)
            except StoreError as error:
                if not outage:
                    self._tell(Deaf(str(error)))
                pause = min(2 * pause, _LONGEST_PAUSE) if outage else _SHORTEST_PAUSE
                outage = True
                continue
            if outage:
                self._tell(HearsAgain())
            if stirred:
                self._tell(Stirred())
            pause, outage = (_BREATH if stirred else 0.0), False
