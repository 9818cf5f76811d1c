"""Lines of a scripted server's script."""

from __future__ import annotations

import json
from collections.abc import Callable

RECEIPT = {"applied": True, "step": 1, "version": 2, "lr": {"default": 0.5}, "staleness": 0, "replayed": False}


def answer(status: int, document: object, *headers: str) -> Callable[[bytes], bytes]:
    """A script line that answers with JSON."""
    body = json.dumps(document).encode()
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return lambda _: ("\r\n".join(head) + "\r\n\r\n").encode() + body


def refusal(status: int, slug: str, *headers: str) -> Callable[[bytes], bytes]:
    """A script line that answers with a problem document."""
    return answer(status, {"type": f"/problems/{slug}", "title": slug, "detail": "Do this.", "errors": []}, *headers)


def drop(_: bytes) -> None:
    """A script line that closes the connection without an answer."""


REGISTERED = answer(200, {"epoch": 3, "last_seq": 0, "ttl": 30})
