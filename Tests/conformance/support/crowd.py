"""Many connections of one thread that send the same request and read all answers."""

from __future__ import annotations

import resource
import select
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass

#: Descriptors of the test itself, beside those of the crowd.
SPARE = 200


@dataclass
class Seen:
    """The answers that one request got: how many of each status and cursor, and how long all of them took."""

    answers: Counter[tuple[int, str]]
    seconds: float


class Crowd:
    """Open connections; the context manager closes them."""

    def __init__(self, host: str, port: int, count: int) -> None:
        self.host, self.port = host, port
        _allow_files(count + SPARE)
        self.sockets: dict[int, socket.socket] = {}
        self.poll = select.epoll()
        for _ in range(count):
            connection = socket.create_connection((host, port), timeout=60)
            self.sockets[connection.fileno()] = connection
            self.poll.register(connection, select.EPOLLIN)

    def send(self, target: str) -> None:
        """Sends a GET on every connection."""
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for connection in self.sockets.values():
            connection.sendall(request)

    def read(self, within: float = 60) -> Seen:
        """Reads one answer on every connection; fails if one does not come in time."""
        began = time.monotonic()
        open_answers = dict.fromkeys(self.sockets, b"")
        answers: Counter[tuple[int, str]] = Counter()
        while open_answers:
            left = began + within - time.monotonic()
            assert left > 0, f"{len(open_answers)} of {len(self.sockets)} have no answer after {within} s"
            for descriptor, _ in self.poll.poll(left, 1024):
                data = open_answers[descriptor] + self.sockets[descriptor].recv(65536)
                open_answers[descriptor] = data
                if answer := _whole(data):
                    answers[answer] += 1
                    del open_answers[descriptor]
        return Seen(answers, time.monotonic() - began)

    def vanish(self, reset: bool) -> None:
        """Closes all connections, with a reset or cleanly."""
        for connection in self.sockets.values():
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self.sockets = {}

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish(reset=True)
        self.poll.close()


def _whole(data: bytes) -> tuple[int, str] | None:
    """The status and the cursor of a complete answer."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return None
    lines = head.decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    if len(body) < int(fields.get("content-length", 0)):
        return None
    return int(lines[0].split(" ")[1]), fields.get("x-paramd-cursor", "")


def _allow_files(count: int) -> None:
    """Raises the limit of open files as far as the crowd needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, count)
    if hard not in (resource.RLIM_INFINITY,) and wanted > hard:
        raise ValueError(f"{count} connections need ulimit -n {wanted}, and this system allows {hard}; ask for fewer")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
