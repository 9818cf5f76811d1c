"""Workers of a synchronous and a manual model on a daemon that is killed again and again: nothing is lost or twice."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from support.daemon import Daemon
from support.wire import Answer, Api

#: The writes of the contract that the other kill loop leaves to this one.
ROUTES = ["POST /v1/models/{model}/step"]
WORKERS = ("a", "b", "c")
DEFINITION = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0, 0]}}
SYNC = {"mode": "sync", "workers": 3, "reduce": "sum", "round_timeout": "3600s"}
MANUAL = {"mode": "manual", "reduce": "sum"}


class Place:
    """The address of the daemon that runs now; requests are repeated until one answers."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._address: tuple[str, int] | None = None

    def move(self, address: tuple[str, int] | None) -> None:
        """Tells everyone where the daemon is; None while there is none."""
        with self._lock:
            self._address = address
            self._lock.notify_all()

    def _find(self) -> tuple[str, int]:
        with self._lock:
            assert self._lock.wait_for(lambda: self._address, timeout=120), "no daemon was started"
            assert self._address
            return self._address

    def send(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """Sends the same request until it is answered by other than a daemon that stops."""
        end = time.monotonic() + 240
        while time.monotonic() < end:
            host, port = self._find()
            api = Api(host, port)
            try:
                answer = api(method, target, body, **headers)
                if answer.status != 503:
                    return answer
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
            finally:
                api.close()
        raise AssertionError(f"{method} {target} was never answered")


def push(place: Place, model: str, worker: str, seq: int, wait: str = "") -> dict[str, Any]:
    """A push of one worker: its own element is its number, so that the sum tells which numbers were applied."""
    w = [0.0, 0.0, 0.0]
    w[WORKERS.index(worker)] = float(seq)
    body = {"gradients": {"w": w}, "worker": worker, "seq": seq}
    return place.send("POST", f"/v1/models/{model}/gradients{wait}", body).expect(202 if not wait else 200).json()


def work(place: Place, worker: str, rounds: int, steps: dict[tuple[str, int], int]) -> None:
    """Pushes for each round of the synchronous model, and records the step that each push became."""
    for seq in range(1, rounds + 1):
        steps[worker, seq] = push(place, "sync", worker, seq, "?wait=60s")["step"]


def gather(place: Place, rounds: int) -> None:
    """Pushes three times to the manual model and closes its round, again and again."""
    for number in range(1, rounds + 1):
        for worker in WORKERS:
            held = push(place, "manual", worker, number)
            assert held["round"]["step"] == number, held
        closed = place.send("POST", "/v1/models/manual/step", Idempotency_Key=f"close-{number}").expect(200).json()
        assert (closed["step"], closed["round"]["received"]) == (number, 3), closed


def kill_rounds(data: Path, rounds: int, kills: int) -> None:
    """Runs the workers while the daemon is killed, then compares steps and sums."""
    place, steps, failures = Place(), dict[tuple[str, int], int](), list[BaseException]()

    def guarded(body: Any, *arguments: Any) -> None:
        try:
            body(place, *arguments)
        except BaseException as failure:
            failures.append(failure)

    jobs = [threading.Thread(target=guarded, args=(work, worker, rounds, steps)) for worker in WORKERS]
    jobs.append(threading.Thread(target=guarded, args=(gather, rounds)))
    daemon = Daemon(data_dir=data)
    for model, consistency in (("sync", SYNC), ("manual", MANUAL)):
        Api(daemon.host, daemon.port).create(model, {**DEFINITION, "consistency": consistency})
    place.move((daemon.host, daemon.port))
    for job in jobs:
        job.start()
    for turn in range(kills):
        until_step(daemon, (turn + 1) * rounds // (kills + 1))
        place.move(None)
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        daemon = Daemon(data_dir=data)
        place.move((daemon.host, daemon.port))
    for job in jobs:
        job.join(timeout=300)
    assert not failures, failures
    api = Api(daemon.host, daemon.port)
    for model in ("sync", "manual"):
        total = rounds * (rounds + 1) // 2
        np.testing.assert_array_equal(api.pull(model)["w"], [-total] * 3)
        assert api.get(f"/v1/models/{model}").json()["step"] == rounds
    assert steps == {(worker, seq): seq for worker in WORKERS for seq in range(1, rounds + 1)}
    daemon.stop()


def until_step(daemon: Daemon, step: int) -> None:
    """Returns once the synchronous model has reached a step."""
    api = Api(daemon.host, daemon.port)
    api("GET", f"/v1/models/sync/parameters?meta_only=1&min_step={step}&wait=240s").expect(200)
    api.close()
