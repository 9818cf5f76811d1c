"""Connections that break: a request whose sender hangs up in the middle of it, or before it reads the answer."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

from support.wire import Answer, Api

WHOLE, UNREAD, HALF = "whole", "unread", "half"
"""How far an exchange gets: to its answer, to the end of the request, or to the middle of its body."""


class Lines:
    """Sends requests to the daemon that runs now, each over a connection that is reused until it breaks."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._api = Api(*address)

    def send(
        self, address: tuple[str, int], how: str, method: str, target: str, body: Any, headers: dict[str, str]
    ) -> Answer | None:
        """Returns the answer, or None if the connection broke before it came."""
        if (self._api.host, self._api.port) != address:
            self._api.close()
            self._api = Api(*address)
        try:
            if how == WHOLE:
                return self._api(method, target, body, **headers)
            self._hang_up(address, how, method, target, body, headers)
        except (OSError, http.client.HTTPException):
            self._api.close()
        return None

    def close(self) -> None:
        """Closes the connection."""
        self._api.close()

    @staticmethod
    def _hang_up(
        address: tuple[str, int], how: str, method: str, target: str, body: Any, headers: dict[str, str]
    ) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named |= {"Host": f"{address[0]}:{address[1]}", "Content-Length": str(len(content))}
        named |= {"Content-Type": "application/json"} if content else {}
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in named.items())
        sent = head.encode() + b"\r\n" + content
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(sent if how == UNREAD else sent[: len(sent) - max(1, len(content) // 2)])
