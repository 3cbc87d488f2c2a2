"""Calls that may never come back: an agent nobody answers, a database server that is gone."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(name: str, function: Callable[[], T]) -> T:
    """Return what `function` returns, or raise what it raises, without blocking the event loop.

    Unlike with `asyncio.to_thread`, a call that never comes back holds up neither cancellation nor the end of the
    process. What a call comes to that nobody waits for any more is dropped.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from now on, giving up waiting for it cannot cancel it
    threading.Thread(target=_work, args=(function, future), name=f"opsconsole-{name}", daemon=True).start()
    return await asyncio.wrap_future(future)


def _work(function: Callable[[], T], future: "Future[T]") -> None:
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - it is raised again where the call is awaited
        future.set_exception(error)
    else:
        future.set_result(result)
