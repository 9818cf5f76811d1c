"""Ends a wait of another thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar


class Interruption:
    """Whether a wait has been cancelled, and its socket."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_set = False

    def set(self) -> None:
        """Ends the current wait, and any that follow."""
        with self._lock:
            self.is_set = True
            if self._socket:
                with contextlib.suppress(OSError):
                    # Even if it is encrypted: nothing more will be sent.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    @contextlib.contextmanager
    def watching(self, waited_on: socket.socket) -> Iterator[None]:
        """Shuts the socket down if the interruption comes meanwhile, or has come before."""
        with self._lock:
            if self.is_set:
                raise ConnectionAbortedError("the wait was cancelled")
            self._socket = waited_on
        try:
            yield
        finally:
            with self._lock:
                self._socket = None


#: The interruption of the current thread's call; None if it cannot be cancelled.
current: ContextVar[Interruption | None] = ContextVar("paramd_interruption", default=None)
