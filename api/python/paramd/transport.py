"""Requests and their answers, with retries where they are safe."""

from __future__ import annotations

import http.client
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import failures, interruption
from .address import address
from .connections import Answer, Connections, NoConnectionError
from .errors import BadAnswer
from .failures import Failure
from .interruption import Interruption
from .patience import Patience

_log = logging.getLogger("paramd")

#: Default seconds for which a request is repeated: before a server first answers, and in an outage.
_FIRST_CONTACT, _OUTAGE = 1.0, 300.0
#: Seconds of an outage after which it is logged.
_TELL_AFTER = 2.0
#: The longest wait of one request in seconds; proxies cut connections that are silent for a minute.
LONGEST_PART = 50.0
#: The longest time between two heartbeats of a stream, in seconds.
_LONGEST_SILENCE = 15.0
#: Seconds between a wait that was cut and the next, in case that is cut immediately.
_BREATH = 0.2


class Transport:
    """Sends requests, from any number of threads, and repeats them when that is safe.

    That is safe because the requests of this package can be identified: a push has its number, any other write a key.
    A server that never answered is tried for one second, an outage is retried for 300, a busy or full server for
    `timeout` seconds; `retry_for`, if given, replaces all three.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 30,
        retry_for: float | None = None,
        cafile: str | os.PathLike[str] | None = None,
    ) -> None:
        if not timeout > 0 or not (retry_for is None or retry_for >= 0):
            raise ValueError(
                f"timeout must be more than 0 seconds and retry_for at least 0, not {timeout}, {retry_for}"
            )
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ValueError("a token must be printable ASCII on one line; remove the line break at its end")
        self._made_of = {"url": url, "token": token, "timeout": timeout, "retry_for": retry_for, "cafile": cafile}
        self.address = address(url, cafile)
        if token and self.address.basic:
            raise ValueError("a token and a user in the address cannot both be sent; leave one of them out")
        authorization = f"Bearer {token}" if token else self.address.basic
        self._headers = {"Authorization": authorization} if authorization else {}
        self._timeout, self._retry_for = timeout, retry_for
        self._connections = Connections(self.address)
        self._has_met = False

    def __getstate__(self) -> dict[str, Any]:
        """The arguments for a copy in another process."""
        return self._made_of

    def __setstate__(self, made_of: dict[str, Any]) -> None:
        self.__init__(**made_of)  # type: ignore[misc]

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        spent: float = 0,
        held: float = 0,
    ) -> Answer:
        """The answer, if it is 2xx or 304; any other is raised.

        `spent` seconds of its retries have already passed; the server may hold the answer for `held` seconds.
        """
        patience = Patience()
        while isinstance(answer := self._try(method, target, body, headers, held), Failure):
            answer.took += spent
            self._pause_or_raise(answer, patience)
        self._tell_end(patience)
        return answer

    def wait(self, target: str, headers: Mapping[str, str], seconds: float) -> Answer:
        """The answer to a GET that the server may hold for that long; 304 at the timeout.

        The seconds are counted here: a proxy that cuts a wait does not restart it.
        """
        until, left, patience = time.monotonic() + seconds, seconds, Patience()
        cancelled = interruption.current.get()
        while True:
            part = min(left, LONGEST_PART)
            answer = self._try("GET", f"{target}&wait={part * 1000:.0f}ms", None, headers, part, cancelled)
            if isinstance(answer, Answer):
                self._tell_end(patience)
                if answer.status not in (202, 304) or left <= part:
                    return answer
            elif cancelled and cancelled.is_set:
                raise answer.error
            elif not (answer.is_cut and (self._has_met or isinstance(answer.error, BadAnswer))):
                self._pause_or_raise(answer, patience)
            elif not left:
                if not self._has_met:
                    raise answer.error
                return Answer(304, {}, b"")
            else:
                time.sleep(min(left, _BREATH))
            left = max(0.0, until - time.monotonic())

    def follow(self, target: str, headers: Callable[[], Mapping[str, str]]) -> Iterator[bytes]:
        """The lines of an endless answer. When it ends, requests it again, with headers made at that time.

        Before the lines of each answer comes an empty string.
        """
        patience, timeout = Patience(), self._timeout + _LONGEST_SILENCE
        while True:
            began = time.monotonic()
            try:
                with self._connections.opened(target, {**self._headers, **headers()}, timeout) as response:
                    if response.status == 200:
                        self._has_met = True
                        self._tell_end(patience)
                        yield b""
                        yield from response
                        failure = failures.of_connection(ConnectionError("the stream ended"), self.address, timeout)
                    else:
                        fields = {name.lower(): value for name, value in response.getheaders()}
                        failure = failures.of_answer(Answer(response.status, fields, response.read()))
            except (OSError, http.client.HTTPException, NoConnectionError) as error:
                failure = failures.of_connection(error, self.address, timeout)
            failure.took = 0.0 if patience.spent else min(time.monotonic() - began, timeout)
            self._pause_or_raise(failure, patience)

    def close(self) -> None:
        """Closes the connections; the next request opens a new one."""
        self._connections.close()

    def _try(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        held: float = 0,
        cancelled: Interruption | None = None,
    ) -> Answer | Failure:
        began, timeout = time.monotonic(), self._timeout + held
        fields = {**self._headers, **(headers or {})}
        try:
            answer = self._connections.exchange(method, target, body, fields, timeout, cancelled)
        except (OSError, http.client.HTTPException, NoConnectionError) as error:
            failure = failures.of_connection(error, self.address, timeout)
        else:
            if 200 <= answer.status < 300 or answer.status == 304:
                self._has_met = True
                return answer
            failure = failures.of_answer(answer)
            self._has_met = self._has_met or failure.is_known
        failure.took = max(0.0, time.monotonic() - began - held)
        return failure

    def _pause_or_raise(self, failure: Failure, patience: Patience) -> None:
        limit = self._limit(failure)
        if not failure.may_be_repeated or not patience.pause(limit, failure.retry_after, failure.took):
            raise failure.error
        if patience.spent > _TELL_AFTER and not patience.is_told:
            patience.is_told = True
            _log.warning("%s; trying again for up to %g s", failure.error, limit)

    def _tell_end(self, patience: Patience) -> None:
        if patience.is_told:
            _log.warning("%s answers again, after %.0f s", self.address, patience.spent)
        patience.end()

    def _limit(self, failure: Failure) -> float:
        if self._retry_for is not None:
            return self._retry_for
        if not self._has_met:
            return _FIRST_CONTACT
        return _OUTAGE if failure.is_outage else self._timeout
