"""Daemons that die, workers that keep retrying, and the list of pushes that were acknowledged."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from support.daemon import BINARY, Daemon
from support.wire import Api

WORKERS = 4
"""Workers of a load; each owns two elements of `w`."""


class Victim(Daemon):
    """A daemon on the test's own directory; a test may kill it and start it again."""

    def __init__(
        self, data_dir: Path, *arguments: str, environment: Mapping[str, str] | None = None, binary: Path = BINARY
    ) -> None:
        with mock.patch.dict(os.environ, environment or {}):
            super().__init__(*arguments, data_dir=data_dir, binary=binary)

    def kill(self) -> None:
        """Kills the daemon as kill -9 does: nothing is flushed, and no client is notified."""
        self.process.kill()
        self.process.wait()

    def api(self) -> Api:
        """A client with its own connection."""
        return Api(self.host, self.port)


def has_failpoints(place: Path) -> bool:
    """Whether this is a debug build: a release build has no failpoints, and starts."""
    try:
        Victim(place, environment={"PARAMD_FAIL": "recovered"}).stop()
    except AssertionError:
        return True
    return False


@dataclass
class Acknowledged:
    """A push that was acknowledged to a worker as applied."""

    worker: int
    seq: int
    receipt: dict[str, Any]


def definition(width: int = 2 * WORKERS) -> dict[str, Any]:
    """A model of plain sums: each push subtracts its gradient, so the values show lost and repeated pushes."""
    return {"optimizer": "sgd", "learning_rate": 1.0, "parameters": {"w": [0.0] * width}}


def gradient(worker: int, seq: int, width: int = 2 * WORKERS) -> list[float]:
    """A gradient that counts the worker's pushes in one element and adds a function of their numbers to another."""
    values = [0.0] * width
    values[2 * worker], values[2 * worker + 1] = -1.0, -float(seq % 7 + 1)
    return values


def sums(pushes: Mapping[int, int], width: int = 2 * WORKERS) -> list[float]:
    """The value of `w` after each worker's pushes from 1 to its last have been applied once."""
    values = [0.0] * width
    for worker, last in pushes.items():
        values[2 * worker] = float(last)
        values[2 * worker + 1] = float(sum(seq % 7 + 1 for seq in range(1, last + 1)))
    return values


@dataclass
class Load:
    """Workers that push numbers in order and repeat each until it is acknowledged."""

    model: str
    width: int = 2 * WORKERS
    acknowledged: list[Acknowledged] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    address: tuple[str, int] | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, daemon: Daemon) -> None:
        """Starts the workers."""
        self.retarget(daemon)
        self._threads = [threading.Thread(target=self._work, args=(worker,)) for worker in range(WORKERS)]
        for thread in self._threads:
            thread.start()

    def retarget(self, daemon: Daemon) -> None:
        """Redirects unacknowledged pushes to another process."""
        self.address = (daemon.host, daemon.port)

    def finish(self) -> dict[int, int]:
        """Lets each worker end with an acknowledgement; returns the last number of each."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.failures, self.failures[:5]
        return {w: max((a.seq for a in self.acknowledged if a.worker == w), default=0) for w in range(WORKERS)}

    def abandon(self) -> None:
        """Stops the workers without waiting for their answers."""
        self.failures.append("abandoned")
        self._stop.set()

    def _work(self, worker: int) -> None:
        api, seq = None, 0
        while not self._stop.is_set():
            seq += 1
            receipt = None
            while receipt is None and not self.failures:
                if api is None or (api.host, api.port) != self.address:
                    api = Api(*self.address)
                receipt, api = self._try(api, worker, seq)
            if receipt is None:
                return
            self.acknowledged.append(Acknowledged(worker, seq, receipt))

    def _try(self, api: Api, worker: int, seq: int) -> tuple[dict[str, Any] | None, Api | None]:
        body = {"gradients": {"w": gradient(worker, seq, self.width)}, "worker": f"w{worker}", "seq": seq}
        try:
            answer = api("POST", f"/v1/models/{self.model}/gradients", body)
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)
            return None, None
        if answer.status == 200:
            return answer.json(), api
        if answer.status not in (409, 503):
            self.failures.append(f"{worker}/{seq}: {answer.status} {answer.body[:300]!r}")
        time.sleep(0.01)
        return None, api


def check_sums(api: Api, model: str, pushes: Mapping[int, int]) -> None:
    """Checks that every acknowledged push is included exactly once."""
    body = api.get(f"/v1/models/{model}/parameters").json()
    data = body["parameters"]["w"]["data"]
    assert data == sums(pushes, len(data)), "a push was lost, or was applied twice"
    assert body["step"] == sum(pushes.values())


def check_steps(acknowledged: list[Acknowledged]) -> list[Acknowledged]:
    """Returns the pushes in the order of their steps; each step must occur once."""
    ordered = sorted(acknowledged, key=lambda push: push.receipt["step"])
    assert [push.receipt["step"] for push in ordered] == list(range(1, len(ordered) + 1))
    return ordered


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand of paramd that ends without a signal."""
    environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no"}
    command = [str(BINARY), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=environment, check=False
    )


def start_fails(data_dir: Path) -> subprocess.CompletedProcess[str]:
    """Runs a start that must fail."""
    return run("--listen", "127.0.0.1:0", "--data-dir", data_dir)


def digest(data_dir: Path, model: str, step: int | None = None) -> str | None:
    """The digest of a model by `paramd replay`; None if the journal does not cover the step."""
    ended = run("replay", data_dir, "--model", model, *(() if step is None else ("--to", str(step))))
    found = re.search(r"digest (\w+)", ended.stdout)
    return found[1] if found else None


def reference_digest(model: str, ordered: list[Acknowledged], width: int = 2 * WORKERS) -> str:
    """The digest of a new daemon that gets the same pushes, one after another, without a kill."""
    with temporary() as place:
        daemon = Victim(place)
        api = daemon.api()
        api.create(model, definition(width))
        for push in ordered:
            body = {"w": gradient(push.worker, push.seq, width)}
            api.push(model, body, worker=f"w{push.worker}", seq=push.seq)
        assert daemon.stop() == 0
        return digest(place, model)


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    """A directory that is deleted at the end."""
    place = Path(tempfile.mkdtemp(prefix="paramd-fault-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def journal_bytes(data_dir: Path) -> np.ndarray:
    """Reads the only segment of a small journal."""
    (segment,) = (data_dir / "journal").glob("segment-*")
    return np.fromfile(segment, dtype=np.uint8)
