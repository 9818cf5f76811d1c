"""Who pushes: the key of a push, (worker, epoch, seq), and whose turn it is to use the next."""

from __future__ import annotations

import os
import secrets
import socket
import threading

from . import forks

#: The server's limit in bytes, less the suffix that makes a given name unique.
_LONGEST = 128 - 20


class Worker:
    """A name, the epoch of its registration and the number of its last push.

    Pushes of one worker are sent one after another, so that the numbers arrive in order; `turn` is held meanwhile. A
    forked child and an unpickled object are separate workers, because two under one name would share receipts.
    """

    def __init__(self, given: str | None) -> None:
        self.given = given
        self.name = given or _unique(socket.gethostname())
        #: The length of the lease in seconds, for every registration; None without a lease.
        self.ttl: float | None = None
        self.forget()
        self.turn = threading.RLock()
        forks.watch(self)

    def forget(self) -> None:
        """The model is deleted, or soon will be; the next push registers."""
        self.epoch: int | None = None
        self.seq = 0
        #: By barrier, the last generation that this worker has passed.
        self.barriers: dict[str, int] = {}

    def after_fork(self) -> None:
        """Becomes a separate worker, while the other keeps the name."""
        self.name = _unique(self.given or socket.gethostname())
        self.forget()
        self.turn = threading.RLock()


def _unique(base: str) -> str:
    return f"{base.encode()[:_LONGEST].decode(errors='ignore')}-{os.getpid()}-{secrets.token_hex(4)}"
