"""A proxy as small as can be, which times out, cuts and refuses as large ones do."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"


class Proxy(socketserver.ThreadingTCPServer):
    """Passes requests on to `upstream`, a port, and answers for it as nginx does when that goes wrong."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        #: Seconds that it waits for an answer, and whether it then closes the connection without an answer.
        self.patience, self.cuts = 60.0, False
        self.longest_body = 1 << 40
        #: Of how many requests it passes one on and loses the answer, and loses one itself; 0 for none.
        self.loses_answers, self.loses_requests = 0, 0
        self.requests: list[bytes] = []
        #: What it answers, instead of passing on: statuses, one after another.
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def waits(self) -> list[int]:
        """The milliseconds that each request asked the server to wait."""
        found = (re.search(rb"[?&]wait=(\d+)ms", request) for request in self.requests)
        return [int(match[1]) for match in found if match]


class _Handler(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with self.request.makefile("rb") as stream:
            while head := _head(stream):
                self.server.requests.append(head)
                answer = self._answer(head, stream)
                if not answer:
                    return
                self.request.sendall(answer)
                if b"Connection: close" in answer:
                    return

    def _answer(self, head: bytes, stream: socket.SocketIO) -> bytes:
        if self.server.answers:
            stream.read(_length(head))
            return page(self.server.answers.pop(0))
        if _length(head) > self.server.longest_body:
            return page(413)
        body, number = stream.read(_length(head)), len(self.server.requests)
        if self.server.loses_requests and number % self.server.loses_requests == 0:
            return b""
        try:
            answer = self._pass_on(head + body)
            return b"" if self.server.loses_answers and number % self.server.loses_answers == 0 else answer
        except TimeoutError:
            return b"" if self.server.cuts else page(504)
        except OSError:
            return page(502)

    def _pass_on(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.server.upstream)) as upstream:
            upstream.settimeout(self.server.patience)
            upstream.sendall(request)
            with upstream.makefile("rb") as stream:
                head = _head(stream)
                return head + stream.read(_length(head))


def page(status: int) -> bytes:
    """An answer as nginx gives it."""
    body = PAGE.format(f"{status} Something").encode()
    return (
        f"HTTP/1.1 {status} X\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


def _head(stream: socket.SocketIO) -> bytes:
    head = b""
    while line := stream.readline():
        head += line
        if line == b"\r\n":
            return head
    return b""


def _length(head: bytes) -> int:
    match = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(match[1]) if match else 0


@contextmanager
def proxy(upstream: int) -> Iterator[Proxy]:
    """A running proxy."""
    with Proxy(upstream) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield running
        running.shutdown()
