"""Hundreds of models are created and deleted, and the journal stays within its bound."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import Api, state_of

KEPT = ("first", "second")
ALLOWANCE = 256 << 10
SMALL = {"optimizer": {"type": "momentum", "momentum": 0.9}, "learning_rate": 1, "parameters": {"w": [0] * 50}}
BODY = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0.5] * 2000}}


def journal_size(directory: Path) -> int:
    """The bytes of all segments."""
    return sum(path.stat().st_size for path in (directory / "journal").glob("segment-*"))


def come_and_go(daemon: Daemon, name: str, way: str, times: int) -> None:
    """Creates a model again and again, and deletes or replaces it each time."""
    api = Api(daemon.host, daemon.port)
    for _ in range(times):
        api("PUT", f"/v1/models/{name}?replace=1", BODY).expect(201)
        if way == "DELETE":
            api("DELETE", f"/v1/models/{name}").expect(204)


def push(daemon: Daemon, done: Event) -> int:
    """Trains the permanent models; returns the number of pushes of each."""
    api = Api(daemon.host, daemon.port)
    for number in itertools.count(1):
        for model in KEPT:
            api.push_binary(model, {"w": np.ones(2000, np.float32)}).expect(200)
        if done.is_set():
            return number
    raise AssertionError("a count does not end")


@pytest.mark.parametrize("way", ["DELETE", "replace"])
def test_journal_is_cut_while_models_come_and_go(start: Callable[..., Daemon], tmp_path: Path, way: str) -> None:
    """Deletions do not delay snapshots: after 15 MB of creations only a few allowances are left."""
    daemon = start("--snapshot-after", "256K", data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    for model in KEPT:
        api.create(model, BODY)
    done = Event()
    with ThreadPoolExecutor(5) as pool:
        pushes = pool.submit(push, daemon, done)
        churn = [pool.submit(come_and_go, daemon, f"passing-{number}", way, 200) for number in range(4)]
        for part in churn:
            part.result()
        done.set()
        count = pushes.result()
    size = journal_size(tmp_path)
    before = {model: state_of(api, model) for model in KEPT}
    daemon.process.kill()
    daemon.process.wait(20)
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    assert {model: state_of(api, model) for model in KEPT} == before
    assert api.get("/v1/models/first").json()["step"] == count
    assert size < 16 * ALLOWANCE
    assert len(list((tmp_path / "snapshots").iterdir())) < 30


class Sizes:
    """The largest observed sizes of the journal."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.most, self.seen = directory, 0, 0

    def watch(self, done: Event) -> None:
        """Observes the journal until the end; a segment may disappear between two looks."""
        while not done.wait(0.02):
            with contextlib.suppress(FileNotFoundError):
                self.most = max(self.most, journal_size(self.directory))
                self.seen += 1


def take(api: Api, method: str, target: str, body: object, status: int, **headers: str) -> int:
    """Sends a change until it is accepted; returns how often the daemon answered that it must wait."""
    for waits in itertools.count():
        answer = api(method, target, body, **headers)
        if answer.status == status:
            return waits
        assert answer.expect(503).json()["type"] == "/problems/journal-behind", answer.body
        assert answer.headers["retry-after"] == "1" and "Nothing was applied" in answer.json()["detail"]
        time.sleep(0.05)
    raise AssertionError("a count does not end")


def crowd(daemon: Daemon, numbers: range) -> None:
    """Creates models that then only get occasional pushes."""
    api = Api(daemon.host, daemon.port)
    for number in numbers:
        take(api, "PUT", f"/v1/models/idle-{number}", SMALL, 201)


def disturb(daemon: Daemon, name: str, times: int, models: int, values: int) -> tuple[int, int]:
    """Creates and deletes models, and pushes to the crowd after each; returns the waits and the pushes."""
    api = Api(daemon.host, daemon.port)
    passing = {**BODY, "parameters": {"w": [0.5] * values}}
    waits = pushes = 0
    body = {"gradients": {"w": [1] * 50}}
    for number in range(times):
        waits += take(api, "PUT", f"/v1/models/{name}", passing, 201)
        # A deletion never has to wait.
        api("DELETE", f"/v1/models/{name}").expect(204)
        waits += take(api, "POST", f"/v1/models/idle-{number % models}/gradients", body, 200)
        pushes += 1
    return waits, pushes


@pytest.mark.parametrize(
    ("models", "after", "times", "values"),
    [(60, 64 << 10, 60, 2000), pytest.param(2000, 1 << 20, 200, 8000, marks=pytest.mark.heavy)],
)
@pytest.mark.timeout(300)
def test_journal_is_bounded_beside_idle_models(
    start: Callable[..., Daemon], tmp_path: Path, models: int, after: int, times: int, values: int
) -> None:
    """However many models have to be written out, the journal stays below the documented bound."""
    daemon = start("--snapshot-after", str(after), "--limit", "journal=64K", data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    done, sizes = Event(), Sizes(tmp_path)
    with ThreadPoolExecutor(5) as pool:
        share = models // 4
        for part in [pool.submit(crowd, daemon, range(k * share, (k + 1) * share)) for k in range(4)]:
            part.result()
        watching = pool.submit(sizes.watch, done)
        work = [pool.submit(disturb, daemon, f"passing-{k}", times, models, values) for k in range(4)]
        results = [part.result() for part in work]
        done.set()
        watching.result()
    # 50 parameters and their momenta of 4 bytes; at most 4 other models.
    weight = models * 2 * 50 * 4 + 4 * values * 4
    allowance = max(after, 8 * weight)
    bound = 3 * allowance + 2 * (after // 2) + 4 * 16_384
    logged = 4 * times * values * 4
    assert logged > bound, "the test asks for too little"
    assert sizes.seen > 10 and sizes.most < bound, (sizes.most, bound)
    assert api.get("/v1/server").json()["journal"]["limit"] <= 3 * allowance
    daemon.process.kill()
    daemon.process.wait(20)
    daemon = start(data_dir=tmp_path)
    listed = Api(daemon.host, daemon.port).get("/v1/models?page_size=1000&prefix=idle-").json()["models"]
    pages = sum(model["step"] for model in listed)
    assert len(listed) == min(models, 1000) and (models > 1000 or pages == sum(pushes for _, pushes in results))
    print(f"journal {sizes.most} of at most {bound} bytes, {sum(waits for waits, _ in results)} waits")


@dataclass
class Kept:
    """What a client knows about a model: whether it exists, if that is known, and bounds of its step."""

    is_there: bool | None = None
    least: int = 0
    most: int = 0


class Churn:
    """A client that creates, trains and deletes its own models until the daemon dies, and records what it did."""

    def __init__(self, number: int, seed: int) -> None:
        self.models: dict[str, Kept] = {}
        self._number, self._random = number, random.Random(seed)

    def run(self, daemon: Daemon) -> None:
        """Works until the connection breaks."""
        api = Api(daemon.host, daemon.port)
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            while True:
                self._change(api)

    def _change(self, api: Api) -> None:
        there = [name for name, kept in self.models.items() if kept.is_there]
        kind = self._random.random()
        if kind < 0.25 or not there:
            # Some names are used again.
            name = f"c{self._number}-{self._random.randrange(200)}"
            if name not in there:
                kept = self.models[name] = Kept()
                api.create(name, SMALL)
                kept.is_there = True
        elif kind < 0.45:
            kept = self.models[name := self._random.choice(there)]
            kept.is_there = None
            api("DELETE", f"/v1/models/{name}").expect(204)
            kept.is_there = False
        else:
            kept = self.models[name := self._random.choice(there)]
            kept.most += 1
            api.push(name, {"w": [1] * 50})
            kept.least += 1

    def check(self, steps: dict[str, int]) -> None:
        """Compares the record with the models after a start, and continues from those."""
        for name, kept in self.models.items():
            if kept.is_there is not None:
                assert (name in steps) == kept.is_there, name
            if name in steps:
                assert kept.least <= steps[name] <= kept.most, name
            kept.is_there = name in steps
            kept.least = kept.most = steps.get(name, 0)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(2))
def test_kills_while_models_come_and_go(start: Callable[..., Daemon], tmp_path: Path, seed: int) -> None:
    """Over ten kills no acknowledged change is lost, no deleted model comes back, and the files stay few."""
    chance = random.Random(seed)
    clients = [Churn(number, chance.getrandbits(32)) for number in range(4)]
    for _ in range(11):
        daemon = start("--snapshot-after", chance.choice(["8K", "16K", "64K"]), data_dir=tmp_path)
        listed = Api(daemon.host, daemon.port).get("/v1/models?page_size=1000").json()["models"]
        for client in clients:
            client.check({model["model"]: model["step"] for model in listed})
        with ThreadPoolExecutor(len(clients)) as pool:
            work = [pool.submit(client.run, daemon) for client in clients]
            time.sleep(chance.uniform(0.2, 1.5))
            daemon.process.kill()
            daemon.process.wait(20)
            for part in work:
                part.result()
    assert sum(kept.most for client in clients for kept in client.models.values()) > 0
    assert journal_size(tmp_path) < 64 * (64 << 10)
