"""Records the requests of many clients to one model and the answers, while the daemon is killed at random.

The search of `linearizability.py` then judges whether one order explains all of it.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.faults import Victim
from support.wire import Answer, Api

from .linearizability import Operation, State, is_linearizable

MODEL = "/v1/models/m"
RATES = (0.5, 1.0, 2.0)
"""Powers of two, so that sums of small integers times any of them are exact."""


@dataclass
class Settings:
    """The settings of one history: how much each client requests, and how often the daemon is killed."""

    seed: int
    clients: int = 8
    operations: int = 120
    kills: int = 2
    gives_up: float = 0.1
    """How often a client whose answer was lost does not ask again."""
    arguments: tuple[str, ...] = ()


def first_state(clients: int) -> State:
    """Version, step, rate and values of a new model."""
    return (1, 0, 1.0, (0.0,) * (clients + 1))


def training(state: State, asked: Any, answered: Any) -> tuple[bool, State]:
    """A model of plain sums: a push adds to its client's element and to the last one, which all clients share."""
    version, step, rate, values = state
    kind, *details = asked
    if kind == "pull":
        return answered == (version, step, values), state
    if kind == "wait":
        return answered == (version,), state
    if kind == "patch":
        # Setting the model's current rate changes nothing.
        after = version + (details[0] != rate)
        return answered in (None, (after,)), (after, step, details[0], values)
    client, amount = details
    sums = list(values)
    sums[client] += rate
    sums[-1] += rate * amount
    return answered in (None, (version + 1, step + 1, rate)), (version + 1, step + 1, rate, tuple(sums))


def holds(operations: list[Operation], clients: int) -> bool:
    """Whether the history is linearizable."""
    return is_linearizable(operations, training, first_state(clients))


@dataclass
class Recorder:
    """Clients, each with its own thread, seed and numbers."""

    settings: Settings
    operations: list[Operation] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    address: tuple[str, int] = ("", 0)
    kills: int = 0

    def run(self, place: Path) -> list[Operation]:
        """Returns the whole history, ordered by the start of its operations."""
        daemon = Victim(place, *self.settings.arguments)
        values = {"w": [0.0] * (self.settings.clients + 1)}
        daemon.api().create("m", {"optimizer": "sgd", "learning_rate": 1.0, "parameters": values})
        self.address = (daemon.host, daemon.port)
        threads = [threading.Thread(target=self._guarded, args=(client,)) for client in range(self.settings.clients)]
        for thread in threads:
            thread.start()
        daemon = self._kill_now_and_then(place, daemon, threads)
        for thread in threads:
            thread.join()
        _Client(self, 0).end()
        assert daemon.stop() == 0
        assert not self.failures, self.failures[:5]
        return sorted(self.operations, key=lambda operation: operation.began)

    def _kill_now_and_then(self, place: Path, daemon: Victim, threads: list[threading.Thread]) -> Victim:
        """Kills the daemon after a number of operations, at a moment that the seed chooses."""
        chance = random.Random(self.settings.seed)
        total = self.settings.clients * self.settings.operations
        for due in sorted(chance.sample(range(total // 10, total * 9 // 10), self.settings.kills)):
            while len(self.operations) < due and any(thread.is_alive() for thread in threads):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.003))
            daemon.kill()
            self.kills += 1
            daemon = Victim(place, *self.settings.arguments)
            self.address = (daemon.host, daemon.port)
        return daemon

    def _guarded(self, number: int) -> None:
        try:
            _Client(self, number).work()
        except Exception as error:
            self.failures.append(f"client {number}: {error!r}")


class _Client:
    """Sends one request after another; retries a change whose answer was lost under its key, or gives it up."""

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder, self._number = recorder, number
        self._chance = random.Random(recorder.settings.seed * 1000 + number)
        self._api = Api(*recorder.address)
        self._life, self._seq, self._version = 0, 0, 1

    def work(self) -> None:
        """Runs all operations of this client."""
        for count in range(self._recorder.settings.operations):
            kind = self._chance.random()
            if kind < 0.5:
                self._push()
            elif kind < 0.54:
                self._patch(count)
            elif kind < 0.9:
                self._pull()
            else:
                self._wait()

    def end(self) -> None:
        """Pulls, then waits for a newer version in vain: earlier, the pushes of others would end the wait."""
        self._pull()
        self._wait()

    def _push(self) -> None:
        self._seq += 1
        amount = self._seq % 7 + 1
        gradient = [0.0] * (self._recorder.settings.clients + 1)
        gradient[self._number], gradient[-1] = -1.0, -float(amount)
        body = {"gradients": {"w": gradient}, "worker": f"w{self._number}.{self._life}", "seq": self._seq}
        operation = self._begin("push", self._number, amount)
        answer = self._insist("POST", f"{MODEL}/gradients", body)
        if answer is None:
            # The outcome stays unknown: this client continues with other numbers.
            self._life, self._seq = self._life + 1, 0
            return
        receipt = answer.json()
        self._end(operation, receipt["version"], receipt["step"], receipt["lr"]["default"])

    def _patch(self, count: int) -> None:
        rate = self._chance.choice(RATES)
        operation = self._begin("patch", rate)
        answer = self._insist("PATCH", MODEL, {"learning_rate": rate}, Idempotency_Key=f"{self._number}.{count}")
        if answer is not None:
            self._end(operation, answer.json()["version"])

    def _pull(self) -> None:
        operation = self._begin("pull")
        answer = self._once("GET", f"{MODEL}/parameters")
        if answer is None or answer.status == 503:
            self._recorder.operations.remove(operation)
            return
        self._read(operation, answer.expect(200))

    def _wait(self) -> None:
        """Pulls and waits for a newer version: 304 means that the known version is still the newest."""
        operation = self._begin("pull")
        answer = self._once("GET", f"{MODEL}/parameters?since={self._version}&wait=5ms")
        if answer is None or answer.status == 503:
            self._recorder.operations.remove(operation)
        elif answer.status == 304:
            operation.asked = ("wait",)
            self._end(operation, int(answer.headers["x-paramd-version"]))
        else:
            self._read(operation, answer.expect(200))

    def _read(self, operation: Operation, answer: Answer) -> None:
        body = answer.json()
        self._end(operation, body["version"], body["step"], tuple(body["parameters"]["w"]["data"]))

    def _begin(self, *asked: Any) -> Operation:
        operation = Operation(asked, None, time.monotonic_ns(), None)
        self._recorder.operations.append(operation)
        return operation

    def _end(self, operation: Operation, *answered: Any) -> None:
        operation.answered, operation.ended = answered, time.monotonic_ns()
        self._version = max(self._version, answered[0])

    def _insist(self, method: str, target: str, body: Any, **headers: str) -> Answer | None:
        """Repeats a change until it is acknowledged; sometimes gives up after an answer was lost."""
        gives_up = self._chance.random() < self._recorder.settings.gives_up
        while True:
            answer = self._once(method, target, body, **headers)
            if answer is not None and answer.status not in (409, 503):
                return answer.expect(200)
            if answer is None and gives_up:
                return None
            time.sleep(0.005)

    def _once(self, method: str, target: str, body: Any = None, **headers: str) -> Answer | None:
        if (self._api.host, self._api.port) != self._recorder.address:
            self._api = Api(*self._recorder.address)
        try:
            return self._api(method, target, body, **headers)
        except (OSError, http.client.HTTPException):
            self._api.close()
            return None
