"""A run of the fuzzer: the seed and a number determine each request, so that any request can be generated again."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.daemon import BINARY, Daemon
from support.wire import Api

from . import mutations
from .corpus import DEFINITIONS, MODEL, endings, foreign_bodies, prepare, raw_cases, reads, writes
from .judge import exchange

#: Little memory, so that large numbers are refused and not tried; no request waits for the disk.
ARGUMENTS = ("--memory", "64M", "--log-level", "error", "--durability", "none")
VIEWS = ("", "/state", "/parameters", "/workers", "/checkpoints")

#: The members in which two daemons with the same history differ.
UNEQUAL = {"uid", "cursor", "created", "seen_ago", "expires_in"}


class Finding(AssertionError):
    """A request after which something is wrong."""


@dataclass
class Side:
    """A daemon, and a client for the requests that are not fuzzed."""

    daemon: Daemon

    def __post_init__(self) -> None:
        self.api = Api(self.daemon.host, self.daemon.port)
        self.checkpoints = prepare(self.api)

    @property
    def address(self) -> tuple[str, int]:
        """The address on which the daemon listens."""
        return self.daemon.host, self.daemon.port

    def models(self) -> dict[str, str]:
        """The uid of each model by its name."""
        return {model["model"]: model["uid"] for model in self.api.get("/v1/models").json()["models"]}

    def views(self, left_out: set[str]) -> dict[str, Any]:
        """Everything visible of every model, without the members that differ between two daemons."""
        # This is answered after all earlier work on the files, also that of other clients.
        self.api("POST", f"{MODEL}/checkpoints")
        found: dict[str, Any] = {"models": sorted(self.models())}
        for name in DEFINITIONS.keys() & set(found["models"]):
            for view in VIEWS:
                found[name + view] = _neutral(self.api("GET", f"/v1/models/{name}{view}").json(), left_out)
        return found

    def renew(self) -> None:
        """Returns to the models of the start."""
        for name in self.models():
            self.api("DELETE", "/v1/models/" + _escaped(name)).expect(204)
        self.checkpoints = prepare(self.api)

    def addressed(self, wire: bytes) -> bytes:
        """Puts the current checkpoint numbers into the request; numbers are never used again."""
        first, second = self.checkpoints
        return re.sub(
            rb"checkpoints/([12])\b", lambda found: b"checkpoints/%d" % (first, second)[found[1] == b"2"], wire
        )


def _neutral(value: Any, left_out: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _neutral(item, left_out) for key, item in value.items() if key not in left_out}
    return [_neutral(item, left_out) for item in value] if isinstance(value, list) else value


def _escaped(name: str) -> str:
    return "".join(f"%{byte:02x}" for byte in name.encode())


@dataclass
class Campaign:
    """Sends requests to one daemon; a twin gets only those that succeeded, and must not differ."""

    seed: int
    batch: int = 100
    binary: Path = BINARY
    statuses: Counter[int] = field(default_factory=Counter)
    silent: int = 0
    _changes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._kinds = [reads(), foreign_bodies(), *[writes()] * 4] * 8 + [endings()]
        self._raw = raw_cases()

    def request(self, number: int) -> bytes:
        """Returns the bytes of one request."""
        rng = random.Random(f"{self.seed}/{number}")
        if rng.random() < 0.05:
            return mutations.scrambled(rng, rng.choice(self._raw))
        return mutations.mutated(rng, rng.choice(rng.choice(self._kinds)))

    def run(self, count: int, start: int = 0) -> None:
        """Sends `count` requests.

        Raises:
            Finding: with the seed, the number and the bytes of the wrong request.

        """
        with Daemon(*ARGUMENTS, binary=self.binary) as daemon, Daemon(*ARGUMENTS, binary=self.binary) as other:
            subject, twin = Side(daemon), Side(other)
            pending: list[int] = []
            for number in range(start, start + count):
                if _is_ending(self.request(number)) or len(pending) == self.batch:
                    pending = self._settle(subject, twin, pending)
                pending.append(number)
                if self._send(subject, number) and _is_ending(self.request(number)):
                    pending = self._settle(subject, twin, pending)
            self._settle(subject, twin, pending)

    def _settle(self, subject: Side, twin: Side, numbers: list[int]) -> list[int]:
        """Compares everything visible and starts again; returns the requests left to compare, which are none."""
        changes, self._changes = self._changes, []
        identities = subject.models(), twin.models()
        for number in changes:
            exchange(twin.address, _translated(twin.addressed(self.request(number)), *identities))
        # A key is kept with its answer, which contains uids and times, and the digest includes it.
        are_keyed = any(b"dempotency-Key" in self.request(number) for number in changes)
        left_out = UNEQUAL | {"digest"} if are_keyed else UNEQUAL
        mine, other = subject.views(left_out), twin.views(left_out)
        if mine != other:
            differing = [view for view in mine.keys() | other.keys() if mine.get(view) != other.get(view)]
            said = "".join(f"\n{view}\n  is {mine.get(view)}\n  not {other.get(view)}"[:2000] for view in differing)
            raise Finding(
                f"seed {self.seed}: one of the requests {numbers[0]} to {numbers[-1]} was refused and changed "
                f"something; --batch 1 names it. With success came {changes}.{said}"
            )
        if changes:
            for side in (subject, twin):
                side.renew()
        return []

    def _send(self, subject: Side, number: int) -> bool:
        """Sends one request; returns whether it succeeded and may have changed something."""
        wire = subject.addressed(self.request(number))
        try:
            answers = exchange(subject.address, wire)
        except (OSError, ValueError) as problem:
            raise self._finding(number, wire, subject, str(problem)) from problem
        self.statuses.update(answer.status for answer in answers)
        self.silent += not answers
        for answer in answers:
            if answer.fault:
                raise self._finding(number, wire, subject, f"{answer.fault}: {answer.body[:500]!r}")
        is_change = any(answer.status < 300 for answer in answers) and not _is_reading(wire)
        if is_change:
            self._changes.append(number)
        return is_change

    def _finding(self, number: int, wire: bytes, subject: Side, problem: str) -> Finding:
        ended = subject.daemon.process.poll()
        fate = "" if ended is None else f"; the daemon ended with {ended}"
        return Finding(f"seed {self.seed}, request {number}: {problem}{fate}\n{_short(wire)}")


def _is_reading(wire: bytes) -> bool:
    return wire.startswith((b"GET ", b"HEAD "))


def _is_ending(wire: bytes) -> bool:
    """Whether the request may undo what an earlier one has done, so that a comparison must come first."""
    takes = any(word in wire for word in (b"replace", b"restore", b"rollback", b"/state"))
    return wire.startswith(b"DELETE ") or (takes and not _is_reading(wire))


def _translated(wire: bytes, mine: dict[str, str], other: dict[str, str]) -> bytes:
    """Replaces the subject's uids in the request by the twin's."""
    for name in mine.keys() & other.keys():
        wire = wire.replace(mine[name].encode(), other[name].encode())
    return wire


def _short(wire: bytes) -> str:
    """Formats the bytes as a literal, with long runs shortened."""
    return re.sub(r"(.)\1{99,}", r"\1...", repr(wire))[:4000]
