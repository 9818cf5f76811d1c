"""One kept-alive connection to a server, and the patience to try again when that is safe."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import BadAnswer, Unreachable, problem

#: Answers that mean "the same request again, later".
_LATER = {429, 503}


@dataclass(frozen=True)
class Answer:
    """Status, headers with names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise BadAnswer(f"this is not JSON; is it a paramd? {self.body[:200]!r}") from None


class Transport:
    """Sends requests one after another over one connection; not for several threads at once.

    A request is repeated, `retries` times at most, when no answer came or the answer asks for it: waits grow from
    50 ms by doubling, with jitter, and last at least as long as `Retry-After` says. That is safe because every request
    of this package is idempotent: a push carries a key.
    """

    def __init__(self, url: str, token: str | None, timeout: float, retries: int) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a server; http://127.0.0.1:8470 is one")
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout, self._retries = timeout, retries
        self._connection: http.client.HTTPConnection | None = None

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        patience: float = 0,
    ) -> Answer:
        """The answer, if it is 2xx or 304; any other is raised. The server may hold it for `patience` seconds."""
        headers = {**self._headers, **(headers or {})}
        failure: Exception | None = None
        for pause in self._pauses():
            time.sleep(pause)
            try:
                answer = self._once(method, self._prefix + target, body, headers, self._timeout + patience)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                failure = error
                continue
            if answer.status < 400:
                return answer
            failure = problem(answer.status, answer.body)
            if not _asks_to_repeat(answer):
                raise failure
            time.sleep(_retry_after(answer))
        raise self._given_up(failure)

    def _given_up(self, failure: Exception | None) -> Exception:
        if isinstance(failure, OSError | http.client.HTTPException):
            reason = f"{failure}" or type(failure).__name__
            return Unreachable(f"no answer from {self._host}:{self._port} ({reason}); is paramd running there?")
        return failure or Unreachable("nothing was sent")

    def _pauses(self) -> Iterator[float]:
        yield 0
        for attempt in range(self._retries):
            yield min(5.0, 0.05 * 2**attempt) * random.uniform(0.5, 1.5)

    def _once(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        connection = self._connection or self._make(self._host, self._port)
        self._connection = connection
        connection.timeout = timeout
        if connection.sock:
            connection.sock.settimeout(timeout)
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        if self._connection:
            self._connection.close()
            self._connection = None


def _asks_to_repeat(answer: Answer) -> bool:
    """Busy or draining; or a 409 with Retry-After, which says that the same push is still in flight."""
    return answer.status in _LATER or (answer.status == 409 and "retry-after" in answer.headers)


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), 30.0) if text.isdigit() else 0.0
