"""Fixtures: the daemon of the conformance tests, and servers that misbehave on purpose."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from paramd import Client, Model
from support.daemon import BINARY, Daemon


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """One real daemon for all tests."""
    if not BINARY.exists():
        pytest.exit(f"{BINARY} does not exist: build it with `swift build --product paramd`, or set PARAMD_BIN", 2)
    with Daemon() as running:
        yield running


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    """A client of the real daemon."""
    with Client(daemon.url) as connected:
        yield connected


@pytest.fixture
def model(client: Client, request: pytest.FixtureRequest) -> Iterator[Model]:
    """A small model: two parameters, a learning rate of 0.5."""
    made = client.model(re.sub(r"[^\w.-]+", "-", request.node.name))
    made.create({"w": [0, 0], "m": [[1, 2], [3, 4]]}, "sgd", learning_rate=0.5)
    yield made
    made.delete()


Script = list[Callable[[bytes], bytes | None]]


class ScriptedServer:
    """Answers each request by the next line of a script; None closes the connection without an answer."""

    def __init__(self, script: Script, port: int = 0) -> None:
        self.requests: list[bytes] = []
        #: Set when a connection is closed, be it after an answer that says `X-Then: close`.
        self.has_closed = threading.Event()
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while self._script:
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(ConnectionError):
                self._converse(connection)
            self.has_closed.set()
        self._listener.close()

    def _converse(self, connection: socket.socket) -> None:
        while self._script and (request := _read_request(connection)):
            self.requests.append(request)
            answer = self._script.pop(0)(request)
            if answer is None:
                return
            connection.sendall(answer)
            if b"X-Then: close" in answer:
                return


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def scripted() -> Callable[..., ScriptedServer]:
    """Makes servers that follow a script."""
    return lambda *script, port=0: ScriptedServer(list(script), port)
