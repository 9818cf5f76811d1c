"""One kept-alive connection to a server, and the patience to try again when that is safe."""

from __future__ import annotations

import http.client
import json
import random
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import BadAnswer, Unreachable, problem

#: Answers that mean "the same request again, later"; 502 and 504 are a proxy's, while the server starts again.
_LATER = {408, 429, 502, 503, 504}
#: Answers that leave open whether the server has seen the request.
_FROM_PROXIES = {502, 504}


@dataclass(frozen=True)
class Answer:
    """Status, headers with names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            document = json.loads(self.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise BadAnswer(f"this is not JSON as paramd writes it; is it a paramd? {self.body[:200]!r}")
        return document


class Transport:
    """Sends requests one after another over one connection; not for several threads at once.

    A request is repeated, `retries` times at most, when no answer came or the answer asks for it: waits grow from
    50 ms by doubling, with jitter, and last at least as long as `Retry-After` says; a server that says more than
    `timeout` is not asked again. That is safe because the requests of this package are idempotent: a push carries a
    key. One that is not is sent with `once`, and not repeated when its answer may have been lost.
    """

    def __init__(self, url: str, token: str | None, timeout: float, retries: int) -> None:
        if not (timeout > 0 and retries >= 0):
            raise ValueError(f"timeout is more than 0 seconds and retries are at least 0, not {timeout} and {retries}")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ValueError("a token is printable ASCII on one line; is there a line break at its end?")
        self._make, self._host, self._port, self._prefix = _address(url)
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
        once: bool = False,
    ) -> Answer:
        """The answer, if it is 2xx or 304; any other is raised. The server may hold it for `patience` seconds."""
        headers = {**self._headers, **(headers or {})}
        failure: Exception = Unreachable("nothing was sent")
        if once:
            # A kept connection may have ended, and then nobody knows whether the request was seen.
            self.close()
        least = 0.0
        for pause in self._pauses():
            time.sleep(max(pause, least))
            try:
                answer = self._once(method, self._prefix + target, body, headers, self._timeout + patience)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                failure, least = self._unreachable(error, self._timeout + patience, once), 0.0
                if not _may_be_repeated(error, once):
                    break
                continue
            if 200 <= answer.status < 300 or answer.status == 304:
                return answer
            failure, least = problem(answer.status, answer.body), _retry_after(answer)
            if not _asks_to_repeat(answer, once) or least > self._timeout:
                break
        raise failure

    def _unreachable(self, error: Exception, timeout: float, once: bool) -> Unreachable:
        reason, hint = f"{error}" or type(error).__name__, "is paramd running there?"
        if isinstance(error, TimeoutError):
            reason = f"{timeout:g} s are over"
        if isinstance(error, ssl.SSLError):
            hint = "a server without TLS is reached by http://"
        elif once and _may_have_arrived(error):
            hint = "the server may have done it: look before you try again"
        return Unreachable(f"no answer from {self._host}:{self._port} ({reason}); {hint}")

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
        # Names may be any Unicode; http.client takes text as Latin-1.
        connection.request(method, target, body, {name: value.encode() for name, value in headers.items()})
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        if self._connection:
            self._connection.close()
            self._connection = None


def _address(url: str) -> tuple[type[http.client.HTTPConnection], str, int, str]:
    """The kind of connection, host, port and the path in front of every target."""
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except (ValueError, TypeError):
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{url!r} is no address of a server; http://127.0.0.1:8470 is one")
    is_secure = parts.scheme == "https"
    make = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
    return make, host, port or (443 if is_secure else 80), parts.path.rstrip("/")


def _may_have_arrived(error: Exception) -> bool:
    return not isinstance(error, ConnectionRefusedError | ssl.SSLError)


def _may_be_repeated(error: Exception, once: bool) -> bool:
    return not isinstance(error, ssl.SSLError) and not (once and _may_have_arrived(error))


def _asks_to_repeat(answer: Answer, once: bool) -> bool:
    """Busy or draining; or a 409 with Retry-After, which says that the same push is still in flight."""
    if once and answer.status in _FROM_PROXIES:
        return False
    return answer.status in _LATER or (answer.status == 409 and "retry-after" in answer.headers)


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0
