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

    Each call has a thread of its own, so that any number of waits go on side by side. When the task is cancelled, a
    wait ends at once; any other call goes on in the background, since the server may be at it already.
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
