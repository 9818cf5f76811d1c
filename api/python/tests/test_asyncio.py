"""From asyncio: the loop keeps running, waits do not queue, and a wait ends with its task."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from paramd import Invalid, Model, in_thread


def threads_at_work() -> int:
    """Threads that `in_thread` has started and that have not ended."""
    return sum(thread.name == "paramd" for thread in threading.enumerate())


def test_waits_go_on_side_by_side(model: Model) -> None:
    """Forty, which all see the push that is made beside them."""

    async def main() -> list[int]:
        waits = [asyncio.create_task(in_thread(model.pull, since=1, wait=100)) for _ in range(40)]
        await asyncio.sleep(0.1)
        receipt = await in_thread(model.push, {"w": [1, 0]})
        assert receipt.step == 1
        return [snapshot.version for snapshot in await asyncio.gather(*waits) if snapshot]

    assert asyncio.run(main()) == [2] * 40


def test_wait_ends_with_its_task(model: Model) -> None:
    """Neither the loop nor a thread is held until its time is up."""

    async def main() -> None:
        waits = [in_thread(model.pull, since=1, wait=1000) for _ in range(5)]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*waits), 0.2)

    asyncio.run(main())
    until = time.monotonic() + 30
    while threads_at_work() and time.monotonic() < until:
        time.sleep(0.01)
    assert threads_at_work() == 0
    assert model.push({"w": [1, 0]}).step == 1


def test_push_whose_task_ends_is_made_all_the_same(model: Model) -> None:
    """Its number is used, and the next one is right."""

    async def main() -> None:
        task = asyncio.create_task(in_thread(model.push, {"w": [1, 0]}))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        receipt = await in_thread(model.push, {"w": [1, 0]})
        assert receipt.step == 2

    asyncio.run(main())


def test_refusal_is_raised_where_it_is_awaited(model: Model) -> None:
    """As it is without a loop."""
    with pytest.raises(Invalid, match="nope"):
        asyncio.run(in_thread(model.push, {"nope": [1]}))
