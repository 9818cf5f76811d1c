"""Exceptions, which carry the server's problem document."""

from __future__ import annotations

import json
import re
from typing import Any


class ParamdError(Exception):
    """The base class of all exceptions of this package."""


class Unreachable(ParamdError, ConnectionError):
    """No answer came, even after all retries. Whether a push was applied is unknown."""


class BadAnswer(ParamdError):
    """The answer does not follow the API: most likely another program listens at that address."""


class ProxyAnswer(BadAnswer):
    """An answer of a proxy in front of paramd, or of something else at its address, with its `status`.

    Whether a push was applied is unknown if the status is 500 or more.
    """

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)

    def __reduce__(self) -> tuple[type[ProxyAnswer], tuple[int, str], dict[str, Any]]:
        return type(self), (self.status, str(self)), self.__dict__


class Problem(ParamdError):
    """A refusal, with the server's problem document (RFC 9457).

    `detail` is a sentence that says what to change; `errors` point to the places in the request;
    `exception` names the class that MindSpore raises for the same mistake, if any; `retry_after` is the number of
    seconds to wait before the next attempt, if the server sets it. `figures` are the other members of the document,
    such as `staleness`, `limit` and `step` of a stale push.
    """

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.document = document
        self.slug: str = str(document.get("type", "")).rpartition("/")[2]
        self.title: str = document.get("title", "")
        # What a URL writes as ?replace=1 is an argument here.
        self.detail: str = re.sub(r"\?(\w+)=1\b", r"\1=True", document.get("detail", ""))
        self.errors: list[dict[str, Any]] = document.get("errors", [])
        self.exception: str | None = document.get("exception")
        self.retry_after: float | None = document.get("retry_after")
        self.figures: dict[str, Any] = {name: value for name, value in document.items() if name not in _COMMON}
        super().__init__(self._sentence())

    def __reduce__(self) -> tuple[type[Problem], tuple[int, dict[str, Any]], dict[str, Any]]:
        return type(self), (self.status, self.document), self.__dict__

    def _sentence(self) -> str:
        title = "" if self.detail.startswith(self.title) else f"{self.title}: "
        lines = [f"{self.status} {title}{self.detail}"]
        lines += [_place(error) for error in self.errors if error.get("pointer") or error.get("header")]
        return "\n".join(lines)


class Invalid(Problem, ValueError):
    """400 or 422: the request is invalid; repeating it does not help."""


class Unauthorized(Problem, PermissionError):
    """401 or 403: no token, or one without the scope that this needs."""


class NotFound(Problem, LookupError):
    """404: no such model, group or parameter; `detail` names the nearest."""


class Conflict(Problem):
    """409 or 412: valid, but not in the model's current state."""


class Fenced(Conflict):
    """The worker's lease has run out, or another process has registered under its name or has replaced the model.

    Stop, or call `Model.register()` and pull to continue.
    """


class CursorUnknown(Conflict):
    """The version in `since` is not one of this model, which has been replaced or created again.

    Pull without `since` to continue with the current model.
    """


class Stale(Conflict):
    """The gradient was computed too many updates ago: pull, and compute it again."""


class RoundDropped(Conflict):
    """The round of the push was dropped, and its gradient with it: pull, and push again."""


class ScheduleExhausted(Conflict):
    """The array of learning rates has no entry for this step: append to it with `patch`."""


class Diverged(Conflict):
    """The update made a parameter infinite or NaN; it was not published. Restore, or import values."""


class EventsTooOld(Problem):
    """410: events after this place are no longer available. Read the model again, then follow it from now on."""


class TooLarge(Problem):
    """413: more than the server accepts in one request or can hold in memory."""


class Unavailable(Problem):
    """408, 429, 503 or 507: too slow, busy, draining or full, even after all retries; or a model that is not served."""


_BY_SLUG: dict[str, type[Problem]] = {
    "fenced": Fenced,
    "stale": Stale,
    "round-closed": Stale,
    "round-dropped": RoundDropped,
    "cursor-unknown": CursorUnknown,
    "lr-schedule-exhausted": ScheduleExhausted,
    "diverged": Diverged,
    "events-too-old": EventsTooOld,
}
_BY_STATUS: dict[int, type[Problem]] = {
    **dict.fromkeys((400, 415, 422), Invalid),
    **dict.fromkeys((401, 403), Unauthorized),
    **dict.fromkeys((409, 412), Conflict),
    **dict.fromkeys((408, 429, 503, 507), Unavailable),
    404: NotFound,
    413: TooLarge,
}

#: The members that any problem may have.
_COMMON = frozenset(("type", "title", "status", "detail", "errors", "exception", "retry_after", "instance"))

#: Refusals of a push that say that its number was used before.
_UNDECIDED = ("in-flight", "key-reused", "receipt-forgotten", "round-dropped")


def problem(status: int, body: bytes | bytearray) -> Problem | None:
    """The exception for an answer outside 2xx and 304; None if it is not paramd's."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not document.keys() >= {"type", "detail"}:
        return None
    slug = str(document.get("type", "")).rpartition("/")[2]
    return _BY_SLUG.get(slug, _BY_STATUS.get(status, Problem))(status, document)


def may_have_been_applied(problem: Problem) -> bool:
    """Whether a refused push may have been applied: its number must not be reused."""
    return problem.status >= 500 or problem.status in (408, 429) or problem.slug in _UNDECIDED


def _place(error: dict[str, Any]) -> str:
    sentence = error.get("detail", "")
    if "expected" in error:
        got = f", got {error['got']}" if "got" in error else ""
        sentence = f"expected {error['expected']}{got}"
    return f"  at {error.get('pointer') or error['header']}: {sentence}"
