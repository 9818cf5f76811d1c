"""Training through the daemon: the model learns, and the result equals NumPy's."""

from __future__ import annotations

import multiprocessing
import time

import numpy as np
import pytest
from support import digits, golden
from support.daemon import Daemon
from support.rules import Adam, Momentum
from support.wire import Api

GROUPS = [{"name": "weights", "params": ["weight"], "lr": 0.2}, {"name": "biases", "params": ["bias"]}]


def definition(rate: object, groups: list[dict[str, object]]) -> dict[str, object]:
    """Momentum over the digits' parameters."""
    values = {name: value.tolist() for name, value in digits.parameters().items()}
    optimizer = {"type": "momentum", "momentum": 0.9}
    return {"optimizer": optimizer, "learning_rate": rate, "parameters": values, "groups": groups}


def test_two_workers_learn_digits(daemon: Daemon, api: Api, name: str) -> None:
    """Two processes, groups with two rates and an lr array: at least 90 % accuracy on samples never trained on."""
    steps = 100
    rates = np.linspace(0.1, 0.01, 2 * steps).tolist()
    api.create(name, definition(rates, GROUPS))
    spawn = multiprocessing.get_context("spawn")
    arguments = (daemon.host, daemon.port, name)
    workers = [spawn.Process(target=digits.work, args=(*arguments, seed, steps)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert api.get(f"/v1/models/{name}").json()["step"] == 2 * steps
    assert digits.accuracy(api.pull_binary(name)) >= 0.90


@pytest.mark.unsanitized
def test_training_takes_less_than_thirty_seconds(daemon: Daemon, api: Api, name: str) -> None:
    """The same training, with a time limit."""
    began = time.monotonic()
    test_two_workers_learn_digits(daemon, api, name)
    assert time.monotonic() - began < 30


def test_one_worker_equals_numpy_bit_for_bit(api: Api, name: str) -> None:
    """200 steps of Momentum, two groups with a rate array each, gradients by JSON."""
    fast, slow = (np.linspace(first, 0.01, 200).tolist() for first in (0.2, 0.05))
    groups = [{"name": "weights", "params": ["weight"], "lr": fast}, {"name": "biases", "params": ["bias"]}]
    api.create(name, definition(slow, groups))
    local, rule = digits.parameters(), Momentum(0.9)
    for step, batch in enumerate(digits.batches(3, 200)):
        gradients = digits.gradients(local, batch)
        rule.update(local, gradients, {"weight": fast[step], "bias": slow[step]})
        api.push(name, gradients)
        remote = api.pull(name)
        for key in local:
            assert remote[key].tobytes() == local[key].tobytes(), f"{key} differs after step {step}"
    assert digits.accuracy(local) >= 0.90


def test_adam_equals_numpy(api: Api, name: str) -> None:
    """50 steps, pushed as safetensors, within 1e-6 + 1e-5 |x|."""
    body = {**definition(0.01, []), "optimizer": "adam"}
    del body["groups"]
    api.create(name, body)
    local, rule = digits.parameters(), Adam()
    for step, batch in enumerate(digits.batches(4, 50)):
        gradients = digits.gradients(local, batch)
        rule.update(local, gradients, 0.01)
        api.push_binary(name, gradients).expect(200)
        remote = api.pull_binary(name)
        for key in local:
            golden.assert_close(remote[key], local[key].astype(np.float64), f"{key} after step {step}")
