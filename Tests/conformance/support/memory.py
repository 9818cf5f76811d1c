"""Measures a daemon's memory, and opens clients that make the daemon use as much as they can."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .daemon import Daemon
from .wire import Api

CLIENTS = 64
LIMIT = 256 << 20


def reserved(api: Api) -> int:
    """The bytes of the budget that are reserved."""
    return int(api.get("/v1/server").json()["memory"]["reserved"])


def taken(daemon: Daemon) -> int:
    """The peak of the daemon's physical memory, without file pages that the system may drop."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines())
    peak, files = (int(fields[name].split()[0]) * 1024 for name in ("VmHWM", "RssFile"))
    return peak - files


class Idler:
    """A connection that its first request opens, and that reads only the status of an answer."""

    def __init__(self, daemon: Daemon) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(100)
        self.address: tuple[str, int] | None = (daemon.host, daemon.port)
        self.head = f"Host: {daemon.host}:{daemon.port}\r\n"

    def send(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Idler:
        """Sends a whole request."""
        self.send_head(method, target, None if body is None else len(body), **headers)
        if body:
            self.socket.sendall(body)
        return self

    def send_head(self, method: str, target: str, length: int | None = None, **headers: str) -> Idler:
        """Sends the head of a request; the body may follow."""
        if self.address:
            self.socket.connect(self.address)
            self.address = None
        head = f"{method} {target} HTTP/1.1\r\n{self.head}"
        if length is not None:
            head += f"Content-Length: {length}\r\n"
        for name, value in headers.items():
            head += f"{name.replace('_', '-')}: {value}\r\n"
        self.socket.sendall(head.encode() + b"\r\n")
        return self

    @property
    def status(self) -> int:
        """Reads the status of the answer and leaves the rest unread."""
        return int(self.socket.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL)[9:])


@contextmanager
def idlers(daemon: Daemon, count: int = CLIENTS) -> Iterator[list[Idler]]:
    """Opens the given number of connections and closes them at the end."""
    made = [Idler(daemon) for _ in range(count)]
    try:
        yield made
    finally:
        for idler in made:
            idler.socket.close()
