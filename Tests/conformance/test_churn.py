"""Models that come and go by the hundred: the journal stays as short as it is promised to be."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import Api, state_of

KEPT = ("first", "second")
ALLOWANCE = 256 << 10
BODY = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0.5] * 2000}}


def journal_size(directory: Path) -> int:
    """Bytes of all segments that have a name."""
    return sum(path.stat().st_size for path in (directory / "journal").glob("segment-*"))


def come_and_go(daemon: Daemon, name: str, way: str, times: int) -> None:
    """Creates a model, again and again."""
    api = Api(daemon.host, daemon.port)
    for _ in range(times):
        api("PUT", f"/v1/models/{name}?replace=1", BODY).expect(201)
        if way == "DELETE":
            api("DELETE", f"/v1/models/{name}").expect(204)


def push(daemon: Daemon, done: Event) -> int:
    """Trains the models that stay; how many pushes each got."""
    api = Api(daemon.host, daemon.port)
    for number in itertools.count(1):
        for model in KEPT:
            api.push_binary(model, {"w": np.ones(2000, np.float32)}).expect(200)
        if done.is_set():
            return number
    raise AssertionError("a count does not end")


@pytest.mark.parametrize("way", ["DELETE", "replace"])
def test_journal_is_cut_while_models_come_and_go(start: Callable[..., Daemon], tmp_path: Path, way: str) -> None:
    """Deletions do not keep snapshots waiting: 15 MB of creations leave no more than a few allowances."""
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
