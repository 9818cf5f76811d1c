"""What a recorded history consists of: every request of every client, its answer, and the time of both."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Push = tuple[int, int]
"""A push: its client, and its number among all pushes of the client, from 1."""


@dataclass
class Call:
    """One request with all its attempts, from the beginning of the first to the end of the answer.

    Without an answer `status` is 0 and `ended` is None: it may have taken effect at any later time, or never.

    The kinds are `push`, `outcome` (the later question for the result of a push), `pull`, `wait` (a pull that nothing
    newer ended), `patch`, `close` (`POST .../step`), `register`, `delete` and `end` (the change of the mode that closes
    the last round).
    """

    kind: str
    client: int
    asked: dict[str, Any]
    began: int = 0
    ended: int | None = None
    status: int = 0
    attempts: int = 0
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def push(self) -> Push:
        """The push that a `push` or an `outcome` is about."""
        return (self.client, self.asked["number"])

    @property
    def slug(self) -> str:
        """The last part of a problem's type; empty for any other answer."""
        return str(self.told.get("type", "")).rsplit("/", 1)[-1]

    @property
    def receipt(self) -> dict[str, Any]:
        """The receipt that the answer contains; empty if it has none."""
        found = self.told.get("receipt", {}) if self.kind == "outcome" else self.told
        return found if self.status in (200, 202) else {}


@dataclass
class History:
    """The calls of one daemon's model, ordered by their beginning."""

    consistency: dict[str, Any]
    clients: int
    numbers: int
    """The most pushes of a client; each push has its own element of the parameter."""
    calls: list[Call] = field(default_factory=list)

    def place(self, push: Push) -> int:
        """The element of the parameter that this push alone changes."""
        client, number = push
        return client * self.numbers + number - 1

    @property
    def width(self) -> int:
        """The number of elements: one for each push, and a last one that all pushes change."""
        return self.clients * self.numbers + 1

    def amount(self, push: Push) -> int:
        """The amount that a push adds; a mean over all workers divides it without a remainder."""
        return (push[1] % 7 + 1) * (self.clients if self.consistency.get("reduce") == "mean" else 1)

    def answered(self, kind: str, *statuses: int) -> list[Call]:
        """The calls of a kind that were answered with one of these statuses."""
        return [call for call in self.calls if call.kind == kind and call.status in (statuses or (200,))]

    def save(self, path: Path) -> None:
        """Writes the history as compressed JSON, the same bytes for the same history."""
        path.write_bytes(gzip.compress(json.dumps(asdict(self)).encode(), mtime=0))

    @staticmethod
    def load(path: Path) -> History:
        """Reads a saved history."""
        content = json.loads(gzip.decompress(path.read_bytes()))
        return History(**{**content, "calls": [Call(**call) for call in content["calls"]]})
