"""Ending a wait that another thread is in."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar


class Interruption:
    """Whether the caller of a wait has lost interest, and the socket that the wait is on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_set = False

    def set(self) -> None:
        """Ends the wait, and any that would follow it."""
        with self._lock:
            self.is_set = True
            if self._socket:
                with contextlib.suppress(OSError):
                    # Also where it is encrypted: nothing more is to be said.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    @contextlib.contextmanager
    def watching(self, waited_on: socket.socket) -> Iterator[None]:
        """Has the socket shut down when the interruption comes meanwhile, or has come before."""
        with self._lock:
            if self.is_set:
                raise ConnectionAbortedError("the wait was cancelled")
            self._socket = waited_on
        try:
            yield
        finally:
            with self._lock:
                self._socket = None


#: That of the call which the present thread is at; None where it cannot be cancelled.
current: ContextVar[Interruption | None] = ContextVar("paramd_interruption", default=None)
