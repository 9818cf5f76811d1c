"""Kept-alive connections to one server: each request has its own, so threads do not share a socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import forks
from .address import Address
from .errors import BadAnswer
from .interruption import Interruption

#: Seconds that opening a connection may take; a longer timeout is for answers.
_OPENING = 10.0
#: Idle connections that are kept.
_MOST_IDLE = 8


@dataclass(frozen=True)
class Answer:
    """Status, headers with names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            document = json.loads(self.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise BadAnswer(f"the answer is not JSON from paramd; is this a paramd? {bytes(self.body[:200])!r}")
        return document


class NoConnectionError(Exception):
    """No connection could be opened, so nothing was sent; `error` says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


class Connections:
    """Any number of threads may use it; a forked child opens its own."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """Closes the child's copies of the parent's sockets; the server does not notice."""
        for connection in getattr(self, "_open", ()):
            with contextlib.suppress(OSError):
                connection.close()
        self._open: set[http.client.HTTPConnection] = set()
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def exchange(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float,
        interruption: Interruption | None = None,
    ) -> Answer:
        """Sends one request and reads its answer; NoConnectionError, OSError or HTTPException if there is none."""
        connection = self._take(timeout)
        is_usable = False
        try:
            with interruption.watching(connection.sock) if interruption else contextlib.nullcontext():
                answer, is_usable = _exchange(connection, method, self._address.prefix + target, body, headers)
            return answer
        finally:
            # Also after KeyboardInterrupt: the next request must not read this one's answer.
            self._give_back(connection, is_usable)

    @contextlib.contextmanager
    def opened(self, target: str, headers: Mapping[str, str], timeout: float) -> Iterator[http.client.HTTPResponse]:
        """The answer to a GET while it arrives; NoConnectionError, OSError or HTTPException if none comes.

        `timeout` applies to each part of it.
        """
        connection = self._take(timeout)
        try:
            connection.request("GET", self._address.prefix + target, headers=headers)
            yield connection.getresponse()
        finally:
            self._give_back(connection, is_usable=False)

    def close(self) -> None:
        """Closes idle connections, and those in use as soon as they are idle."""
        with self._lock:
            idle, self._idle, self._open = self._idle, [], set()
        for connection in idle:
            connection.close()

    def _take(self, timeout: float) -> http.client.HTTPConnection:
        while connection := self._idle_one():
            if not _has_ended(connection):
                connection.sock.settimeout(timeout)
                return connection
            self._give_back(connection, is_usable=False)
        connection = self._address.connection(min(timeout, _OPENING))
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NoConnectionError(error) from error
        connection.sock.settimeout(timeout)
        with self._lock:
            self._open.add(connection)
        return connection

    def _idle_one(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: http.client.HTTPConnection, is_usable: bool) -> None:
        with self._lock:
            if is_usable and connection in self._open and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
            self._open.discard(connection)
        connection.close()


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed an idle connection: nothing else can be there to be read."""
    try:
        return bool(select.select([connection.sock], [], [], 0)[0])
    except (OSError, ValueError):  # select takes no more than 1024 files; the request will tell
        return False


def _exchange(
    connection: http.client.HTTPConnection, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[Answer, bool]:
    is_sent = True
    try:
        # Names may be any Unicode; http.client takes text as Latin-1.
        connection.request(method, target, body, {name: value.encode() for name, value in headers.items()})
    except (BrokenPipeError, ConnectionResetError):
        # A server that refuses a long body does not read all of it, but may have sent the reason.
        is_sent = False
    response = connection.getresponse()
    fields = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, fields, _read(response))
    return answer, is_sent and not response.will_close


def _read(response: http.client.HTTPResponse) -> bytes | bytearray:
    """The body, in writable memory that arrays can be views of."""
    if not response.length:  # also where there is no body: reading it is what ends the answer
        return bytearray(response.read())
    body = bytearray(response.length)
    at = 0
    with memoryview(body) as view:
        while at < len(body):
            count = response.readinto(view[at:])
            if not count:
                raise http.client.IncompleteRead(bytes(body[:at]), len(body) - at)
            at += count
    return body
