"""Calls that may hang in the kernel or in a resolver, where nothing can cancel them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_pending: dict[str, Future[Any]] = {}
"""Calls by name that have not come back, so that a dead mount costs one thread and not one for every pass."""


async def in_thread(name: str, function: Callable[[], T]) -> T:
    """Return what `function` returns, or raise what it raises, without blocking the event loop.

    It runs in a daemon thread: unlike with `asyncio.to_thread`, a call that never comes back holds up neither
    cancellation nor the end of the process. A call of the same name that is still under way is waited for instead
    of being made again, so names must say all that the call depends on.
    """
    future: Future[T] | None = _pending.get(name)
    if future is None:
        future = Future()
        future.set_running_or_notify_cancel()  # from now on, giving up waiting for it cannot cancel it
        _pending[name] = future
        threading.Thread(target=_work, args=(name, function, future), name=name, daemon=True).start()
    return await asyncio.wrap_future(future)


def _work(name: str, function: Callable[[], T], future: Future[T]) -> None:
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - it is raised again where the call is awaited
        _pending.pop(name, None)
        future.set_exception(error)
    else:
        _pending.pop(name, None)
        future.set_result(result)
