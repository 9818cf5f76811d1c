"""Rounds of several workers, seen by the client."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from paramd import Client, Model, Receipt, RoundDropped
from support.daemon import Daemon


def test_two_workers_wait_for_each_other(daemon: Daemon, model: Model) -> None:
    """Both pushes return with the same step once the second has arrived."""
    name = f"{model.name}.pair"
    consistency = {"mode": "sync", "workers": 2}
    Client(daemon.url).model(name).create({"w": [0, 0]}, "sgd", learning_rate=1, consistency=consistency)
    receipts: list[Receipt] = []

    def work(worker: str, gradient: list[float]) -> None:
        receipts.append(Client(daemon.url).model(name, worker=worker).push({"w": gradient}, wait=60))

    threads = [threading.Thread(target=work, args=given) for given in (("a", [2, 0]), ("b", [0, 4]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [(receipt.step, receipt.held, receipt.round["received"]) for receipt in receipts] == [(1, False, 2)] * 2
    np.testing.assert_array_equal(Client(daemon.url).model(name).latest()["w"], [-1, -2])


def test_a_round_that_is_given_up(daemon: Daemon, model: Model) -> None:
    """A push that does not wait is held; one that waits beyond the deadline raises."""
    first, second = (Client(daemon.url).model(f"{model.name}.few", worker=worker) for worker in "ab")
    consistency = {"mode": "sync", "workers": 3, "round_timeout": "200ms"}
    first.create({"w": [0, 0]}, "sgd", consistency=consistency)
    held = first.push({"w": [1, 1]}, num_examples=8)
    assert held.held and not held.applied and held.lr == {}
    with pytest.raises(RoundDropped, match="too few pushes"):
        second.push({"w": [1, 1]}, wait=60)
    np.testing.assert_array_equal(first.latest()["w"], [0, 0])
