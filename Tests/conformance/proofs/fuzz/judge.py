"""Sends bytes as they are, reads every answer to the end of the connection, and says what is wrong with one."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass


@dataclass
class Reply:
    """One answer of a connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def fault(self) -> str | None:
        """What no answer may be; nil where it is in order."""
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
    """All answers to what is sent; the sending side is closed behind it, so that nothing is waited for."""
    received = b""
    with socket.create_connection(address, timeout=60) as connection:
        # A server that has answered early may have closed: what it said is read anyway.
        with contextlib.suppress(OSError):
            connection.sendall(wire)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(1 << 16):
                received += piece
    return replies(received)


def replies(received: bytes) -> list[Reply]:
    """The answers in a stream; interim ones are left out."""
    found = []
    while received.startswith(b"HTTP/1."):
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        # Answers to HEAD, and 304, tell a length and have no body.
        size = 0 if rest.startswith(b"HTTP/1.") else length
        status = int(first.split(" ")[1])
        if status >= 200:
            found.append(Reply(status, headers, rest[:size]))
        received = rest[size:]
    if received:
        raise ValueError(f"behind the last answer came {received[:100]!r}")
    return found
