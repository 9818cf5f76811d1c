"""Sends raw bytes, reads every answer until the connection ends, and reports what is wrong with an answer."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass


@dataclass
class Reply:
    """One answer on a connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def fault(self) -> str | None:
        """Returns what is wrong with the answer, or None."""
        if self.status == 500 or self.status >= 600 or self.status < 100:
            return f"status {self.status}"
        if self.status < 400 or not self.body:
            return None
        if self.headers.get("content-type") != "application/problem+json":
            return f"a refusal of type {self.headers.get('content-type')}"
        problem = json.loads(self.body)
        is_whole = problem.get("status") == self.status and len(problem.get("detail", "")) > 10
        return None if is_whole else "a refusal without its status or its text"


def exchange(address: tuple[str, int], wire: bytes) -> list[Reply]:
    """Returns all answers to the bytes; closes the sending side after them, so that no one waits for more."""
    received = b""
    with socket.create_connection(address, timeout=60) as connection:
        # A server that answered early may have closed the connection: its answer is read anyway.
        with contextlib.suppress(OSError):
            connection.sendall(wire)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(1 << 16):
                received += piece
    return replies(received)


def replies(received: bytes) -> list[Reply]:
    """Splits a stream into answers and omits the interim ones."""
    found = []
    while received.startswith(b"HTTP/1."):
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        # Answers to HEAD, and 304, announce a length and have no body.
        size = 0 if rest.startswith(b"HTTP/1.") else length
        status = int(first.split(" ")[1])
        if status >= 200:
            found.append(Reply(status, headers, rest[:size]))
        received = rest[size:]
    if received:
        raise ValueError(f"behind the last answer came {received[:100]!r}")
    return found
