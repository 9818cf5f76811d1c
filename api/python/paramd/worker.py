"""Who pushes: the key of a push, (worker, epoch, seq), and whose turn it is to use the next."""

from __future__ import annotations

import os
import secrets
import socket
import threading

from . import forks

#: The server's limit in bytes, less what makes a name that was given unique.
_LONGEST = 128 - 20


class Worker:
    """A name, the epoch of its registration and the number of its last push.

    Pushes of one worker go one after another, so that the numbers arrive in order: `turn` is held meanwhile. A forked
    child, and an object that was unpickled, is another worker: two under one name would take each other's receipts.
    """

    def __init__(self, given: str | None) -> None:
        self.given = given
        self.name = given or _unique(socket.gethostname())
        self.forget()
        self.turn = threading.RLock()
        forks.watch(self)

    def forget(self) -> None:
        """The model is gone, or soon will be; the next push registers."""
        self.epoch: int | None = None
        self.seq = 0

    def after_fork(self) -> None:
        """Becomes a worker of its own, while the other goes on under the name."""
        self.name = _unique(self.given or socket.gethostname())
        self.forget()
        self.turn = threading.RLock()


def _unique(base: str) -> str:
    return f"{base.encode()[:_LONGEST].decode(errors='ignore')}-{os.getpid()}-{secrets.token_hex(4)}"
