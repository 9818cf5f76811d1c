"""A reader of Server-Sent Events that follows the standard, over a connection of its own."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass
from typing import Any


@dataclass
class Event:
    """One dispatched event."""

    type: str
    data: Any
    id: str


class Events:
    """A stream from a path; `next()` dispatches as a browser does.

    Source: WHATWG HTML, sections 9.2.5 and 9.2.6.
    """

    def __init__(self, host: str, port: int, target: str, last: str | None = None) -> None:
        self.connection = http.client.HTTPConnection(host, port, timeout=30)
        self.connection.request("GET", target, headers={"Last-Event-ID": last} if last else {})
        self.response = self.connection.getresponse()
        self.last_id, self.retry, self.comments = "", 0, 0
        self._buffer = b""

    def __enter__(self) -> Events:
        assert self.response.status == 200, self.response.read()
        assert self.response.getheader("Content-Type") == "text/event-stream"
        assert self.response.getheader("Cache-Control") == "no-cache"
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection, as a closed browser tab does."""
        self.response.close()
        self.connection.close()

    def next(self, within: float = 20) -> Event | None:
        """The next event; None at the end of the stream."""
        until = time.monotonic() + within
        kind, data = "", []
        while (line := self._line(until)) is not None:
            if not line:
                if data:
                    return Event(kind or "message", json.loads("\n".join(data)), self.last_id)
                kind, data = "", []
                continue
            if line.startswith(":"):
                self.comments += 1
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                kind = value
            elif field == "data":
                data.append(value)
            else:
                self._note(field, value)
        assert not data, "the stream ended within an event"
        return None

    def _note(self, field: str, value: str) -> None:
        if field == "id" and "\0" not in value:
            self.last_id = value
        if field == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value)

    def until(self, kind: str, within: float = 20) -> Event:
        """The next event of a kind; others are skipped."""
        end = time.monotonic() + within
        while event := self.next(end - time.monotonic()):
            if event.type == kind:
                return event
        raise AssertionError(f"the stream ended without the event {kind}")

    def open(self, within: float = 20) -> Events:
        """Reads the start of the stream, after which nothing is missed."""
        end = time.monotonic() + within
        while not (self.last_id and self.retry):
            line = self._line(end)
            assert line is not None
            field, _, value = line.partition(": ")
            self._note(field, value)
        return self

    def _line(self, until: float) -> str | None:
        while b"\n" not in self._buffer:
            sock = self.response.fp and self.response.fp.raw._sock
            if isinstance(sock, socket.socket):
                sock.settimeout(max(0.01, until - time.monotonic()))
            piece = self.response.read1(65536)
            if not piece:
                return None
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()
