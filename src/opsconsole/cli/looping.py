"""Runs a coroutine to its end, or until a signal ends it, and never waits for what does not listen."""

import asyncio
import signal
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_UNWIND = 2.0
"""Seconds that tasks have to end once everything is done."""


class Interrupted(Exception):
    """A signal ended the work."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; raise Interrupted where SIGINT, SIGTERM or SIGHUP cancelled it.

    Like `asyncio.run`, but a task that swallows its cancellation (a probe of a third party) is left behind instead
    of being waited for without end. A signal that the caller ignores (nohup) stays ignored.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    received: list[int] = []

    def end(number: int) -> None:
        received.append(number)
        task.cancel()

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, partial(end, number))
    try:
        return loop.run_until_complete(task)
    except asyncio.CancelledError:
        raise Interrupted(received[0] if received else signal.SIGTERM) from None
    finally:
        _wind_up(loop)


def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    stray = asyncio.all_tasks(loop)
    for each in stray:
        each.cancel()
    if stray:
        loop.run_until_complete(asyncio.wait(stray, timeout=_UNWIND))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.set_exception_handler(lambda _loop, _context: None)  # those left behind have nothing to tell any more
    loop.close()
