"""Keys that are typed faster than screens come up, or that a slow line delivers in one burst.

Textual hands every key to whatever has the focus when it arrives; a key that opens a form takes effect later, and
what was typed for the form goes to the screen behind it, or nowhere. Here each key waits for the one before.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

from textual import events, on
from textual.message import Message
from textual.message_pump import MessagePump
from textual.worker import Worker

from opsconsole.widgets.application import TerminalApp

ResultT = TypeVar("ResultT")

PATIENCE = 3.0
"""Seconds that keys wait for what came before them, at most: a key that leaves the console must always work."""
_LOOK_EVERY = 0.005


class Followed(Message):
    """Goes the way of a key right behind it; when it arrives at the application, the key has taken effect."""

    def __init__(self, arrived: asyncio.Event) -> None:
        super().__init__()
        self.arrived = arrived


class TypeAheadApp(TerminalApp[ResultT], inherit_bindings=False):
    """An application in which every key goes where it would have gone, had the operator waited."""

    _typing: asyncio.Task[None] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._typed: deque[events.Key | events.Paste] = deque()
        self._awaited: dict[Worker[None], float] = {}

    async def on_event(self, event: events.Event) -> None:
        """Take keys in their order, one at a time; everything else at once."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if self._typing is None or self._typing.done():
            self._typing = asyncio.create_task(self._type(), name="type ahead")

    def let_keys_wait_for(self, worker: Worker[None]) -> None:
        """Keep what is typed until `worker` is finished: it is meant for the screen that this brings."""
        self._awaited[worker] = monotonic()

    @on(Followed)
    def key_arrived(self, message: Followed) -> None:
        """Let the next key follow."""
        message.arrived.set()

    async def _type(self) -> None:
        while self._typed:
            await _patiently(self._ready())
            target = self.focused or self.screen
            await super().on_event(self._typed.popleft())
            await _patiently(_in_effect(target))

    async def _ready(self) -> None:
        """Wait until nothing is under way that keys wait for, and the screen in front has come up."""
        while self._is_awaiting() or not self.screen.is_mounted:  # noqa: ASYNC110  neither has an event
            await asyncio.sleep(_LOOK_EVERY)

    def _is_awaiting(self) -> bool:
        since = monotonic() - PATIENCE
        self._awaited = {each: at for each, at in self._awaited.items() if not each.is_finished and at > since}
        return bool(self._awaited)


async def _in_effect(target: MessagePump) -> None:
    """Wait until the key that `target` was given has been dealt with, by it or by the application."""
    arrived = asyncio.Event()
    if target.post_message(Followed(arrived)):
        await arrived.wait()


async def _patiently(condition: Coroutine[None, None, None]) -> None:
    """Wait for something, but not for ever."""
    with suppress(TimeoutError):
        await asyncio.wait_for(condition, PATIENCE)
