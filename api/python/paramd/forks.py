"""What must not be shared with a forked child: sockets, locks, and the name under which a process pushes."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that a child process needs for itself."""

    def after_fork(self) -> None:
        """Called in the child, before anything else of it runs; the parent's object is not touched."""


_living: weakref.WeakSet[Forkable] = weakref.WeakSet()


def watch(each: Forkable) -> None:
    """Has `each.after_fork()` called in every child of this process, for as long as the object lives."""
    _living.add(each)


def _in_child() -> None:
    for each in list(_living):
        each.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)
