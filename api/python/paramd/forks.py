"""State that a forked child must not share: sockets, locks, and the worker's name."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """State that a child process needs its own copy of."""

    def after_fork(self) -> None:
        """Called in the child before anything else; the parent's object is not changed."""


_living: weakref.WeakSet[Forkable] = weakref.WeakSet()


def watch(each: Forkable) -> None:
    """Calls `each.after_fork()` in every child of this process, as long as the object exists."""
    _living.add(each)


def _in_child() -> None:
    for each in list(_living):
        each.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)
