"""Calls from asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from . import interruption
from .interruption import Interruption

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Awaits a call of this package.

    >>> snapshot = await in_thread(model.pull, since=snapshot, wait=30)

    Each call has its own thread, so any number of waits can run at once. When the task is cancelled, a wait ends
    immediately; any other call continues in the background, because the server may already be processing it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    cancelled = Interruption()

    def run() -> None:
        interruption.current.set(cancelled)
        settle: Callable[[Any], None]
        outcome: Any
        try:
            settle, outcome = future.set_result, call(*args, **kwargs)
        except BaseException as error:
            settle, outcome = future.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(lambda: None if future.done() else settle(outcome))

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="paramd", daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        cancelled.set()
        raise
