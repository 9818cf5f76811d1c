"""The exchanges under api/examples: tests read them, send them again and compare.

PARAMD_BIN=.build/debug/paramd .venv/bin/python -m support.examples     (in Tests/conformance) records every answer
"""

from __future__ import annotations

import re
from pathlib import Path

from .daemon import REPOSITORY, Daemon
from .wire import Answer, Api

FOLDER = REPOSITORY / "api/examples"

#: The headers that belong to the contract; others (dates, lengths) belong to the transport.
KEPT = (
    "allow",
    "cache-control",
    "content-location",
    "content-type",
    "etag",
    "idempotency-replayed",
    "location",
    "retry-after",
)


def requests() -> list[Path]:
    """The request files, in the order in which tests send them."""
    return sorted(FOLDER.glob("*.request"))


def send(api: Api, path: Path, uids: dict[str, str]) -> str:
    """Sends one request file and returns the answer as text, with `{uid}` for the part that differs from run to run."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    first, *fields = head.decode().splitlines()
    method, target, _ = first.split(" ")
    model = target.split("/")[3].partition("?")[0] if target.startswith("/v1/models/") else ""
    headers = dict(field.replace("{uid}", uids.get(model, "")).split(": ", 1) for field in fields)
    body = body.rstrip(b"\n").replace(b"{uid}", uids.get(model, "").encode())
    answer = api(method, target, body or None, **headers)
    if found := re.search(rb'"uid": "([0-9a-f]{8})"', answer.body):
        uids.setdefault(model, found[1].decode())
    return neutral(as_text(answer), uids)


def as_text(answer: Answer) -> str:
    """Formats the status, the headers that belong to the contract, and the body."""
    names = [name for name in sorted(answer.headers) if name in KEPT or name.startswith("x-paramd-")]
    lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {answer.headers[name]}" for name in names)]
    return "\n".join(lines) + "\n\n" + answer.body.decode()


def neutral(text: str, uids: dict[str, str]) -> str:
    """Removes the numbers that a model gets at its creation."""
    for uid in uids.values():
        text = text.replace(uid, "{uid}")
    return re.sub(r'"uid": "[0-9a-f]{8}"', '"uid": "{uid}"', text)


def record() -> None:
    """Writes the answers of a new daemon beside the requests."""
    with Daemon() as daemon:
        api, uids = Api(daemon.host, daemon.port), dict[str, str]()
        for path in requests():
            path.with_suffix(".response").write_text(send(api, path, uids))


if __name__ == "__main__":
    record()
