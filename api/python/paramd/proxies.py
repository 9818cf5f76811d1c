"""Answers of proxies: their origin, and what to change there."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import BadAnswer, ProxyAnswer

_ADVICE = {
    401: "it wants a user and a password: write them into the address, https://USER:PASSWORD@HOST",
    403: "it does not let this request through: allow it there",
    404: "it has nothing at this path: check the address, and the path in front of /v1 if there is one",
    405: "it does not let this method through: allow GET, POST, PUT, PATCH and DELETE there",
    407: "it needs a user and a password",
    408: "the request was too slow for it: raise its limit (nginx: client_body_timeout)",
    413: "the body is too large for it: raise its limit (nginx: client_max_body_size 0)",
    414: "the address is too long for it: raise its limit (nginx: large_client_header_buffers)",
    429: "it allows fewer requests per second: raise its limit (nginx: limit_req)",
    431: "the headers are too large for it: raise its limit (nginx: large_client_header_buffers)",
    502: "it got no answer from paramd: is paramd running, and is its address right in the proxy?",
    503: "it cannot reach paramd: is paramd running, and is its address right in the proxy?",
    504: "it did not wait for paramd's answer: raise its limit (nginx: proxy_read_timeout 75s)",
}
#: Statuses that only proxies give.
_OF_PROXIES = {407, 502, 504}


def foreign(status: int, headers: Mapping[str, str], body: bytes | bytearray) -> BadAnswer:
    """The exception for an answer that is not a problem document."""
    who = _who(headers, body)
    said = f"It said {bytes(body[:200])!r}"
    if not who and status not in _OF_PROXIES and status != 413:
        return ProxyAnswer(status, f"status {status} without a problem document; is this a paramd? {said}")
    if 300 <= status < 400:
        advice = f"it sends on to {headers.get('location', 'another address')}; use that address"
    else:
        advice = _ADVICE.get(status, f"is this a paramd? {said}")
    return ProxyAnswer(status, f"{status} is an answer of a proxy{who}, not of paramd: {advice}")


def _who(headers: Mapping[str, str], body: bytes | bytearray) -> str:
    """The proxy's name in brackets; empty if unknown."""
    name = headers.get("server", "")
    if not name:
        signature = re.search(rb"<center>([\w./ -]{1,40})</center>\s*</body>", body)
        name = signature[1].decode() if signature else ""
    return f" ({name})" if name else ""
