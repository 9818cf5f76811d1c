"""Failed attempts: whether to try again, and what to raise in the end."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass

from .address import Address
from .connections import Answer, NoConnectionError
from .errors import BadAnswer, Problem, Unreachable, problem
from .proxies import foreign

#: Statuses that ask for the same request later; a proxy sends 502 and 504 while the server restarts.
_LATER = {408, 429, 502, 503, 504}
#: Statuses of a server that will return; a busy or full one is retried for a shorter time.
_OUTAGES = {"stopping", "storage-failed", "outcome-unknown"}
#: Failures that last until someone starts another server.
_LASTING = {"model-unavailable"}


@dataclass
class Failure:
    """One failed attempt."""

    error: BadAnswer | Problem | Unreachable
    #: Whether the same request may succeed later.
    may_be_repeated: bool
    #: Whether the server is away, rather than busy.
    is_outage: bool
    #: Whether a proxy may have ended a request that the server was still processing.
    is_cut: bool = False
    #: Whether this is paramd speaking.
    is_known: bool = False
    #: Seconds that the answer asks to wait.
    retry_after: float = 0
    #: Seconds that the attempt took, without the requested wait.
    took: float = 0


def of_answer(answer: Answer) -> Failure:
    """A refusal, or a proxy's answer."""
    refusal = problem(answer.status, answer.body)
    if refusal is None:
        error = foreign(answer.status, answer.headers, answer.body)
        return Failure(error, answer.status in _LATER, True, is_cut=answer.status == 504, retry_after=_pause(answer))
    may_be_repeated = answer.status in _LATER or refusal.slug == "in-flight"
    return Failure(
        refusal,
        may_be_repeated and refusal.slug not in _LASTING,
        refusal.slug in _OUTAGES,
        is_known=True,
        retry_after=_pause(answer),
    )


def of_connection(
    error: OSError | http.client.HTTPException | NoConnectionError, to: Address, timeout: float
) -> Failure:
    """No answer."""
    cause = error.error if isinstance(error, NoConnectionError) else error
    is_sent = not isinstance(error, NoConnectionError)
    reason, hint = f"{cause}" or type(cause).__name__, "is paramd running there?"
    if isinstance(cause, TimeoutError):
        reason = f"timed out after {timeout:g} s" if is_sent else "timed out while connecting"
    if isinstance(cause, ssl.SSLError):
        hint = _of_encryption(cause)
    unreachable = Unreachable(f"no answer from {to.host}:{to.port} ({reason}); {hint}")
    return Failure(
        unreachable,
        not isinstance(cause, ssl.SSLError) or is_sent,
        True,
        is_cut=is_sent and not isinstance(cause, TimeoutError),
    )


def _of_encryption(error: ssl.SSLError) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "does it speak TLS? A server without it is reached by http://"
    if "mismatch" in error.verify_message:
        return "write the address with the name that its certificate is for"
    return "its certificate is not trusted here: give Client the certificate of its authority, cafile='FILE.pem'"


def _pause(answer: Answer) -> float:
    text: str = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0
