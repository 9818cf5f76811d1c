"""Rounds of several workers, seen by the client."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from answers import RECEIPT, REGISTERED, answer, refusal
from paramd import Client, Conflict, Model, Receipt, RoundDropped, Stale
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


def test_a_push_that_returns_the_parameters_of_its_round(daemon: Daemon, model: Model) -> None:
    """`push_pull` returns None while its push is held, and both workers get the parameters of the step."""
    name = f"{model.name}.pulls"
    first, second = (Client(daemon.url).model(name, worker=worker) for worker in "ab")
    consistency = {"mode": "sync", "workers": 2, "reduce": "weighted"}
    first.create({"w": [0, 0]}, "sgd", learning_rate=1, consistency=consistency)
    assert first.push_pull({"w": [4, 0]}, num_examples=3) is None
    assert second.push_pull({"w": [0, 8]}, num_examples=1, wait=60)["w"].tolist() == [-3, -2]
    pulled = []
    thread = threading.Thread(target=lambda: pulled.append(first.push_pull({"w": [4, 0]}, wait=60)))
    thread.start()
    snapshot = second.push_pull({"w": [0, 8]}, wait=60)
    thread.join(timeout=60)
    assert [(each.step, each.applied, each["w"].tolist()) for each in (snapshot, *pulled)] == [(2, True, [-5, -6])] * 2


def test_a_dropped_round(daemon: Daemon, model: Model) -> None:
    """A push that does not wait is held; one that waits beyond the deadline raises."""
    first, second = (Client(daemon.url).model(f"{model.name}.few", worker=worker) for worker in "ab")
    consistency = {"mode": "sync", "workers": 3, "round_timeout": "200ms"}
    first.create({"w": [0, 0]}, "sgd", consistency=consistency)
    held = first.push({"w": [1, 1]}, num_examples=8)
    assert held.held and not held.applied and held.lr == {}
    with pytest.raises(RoundDropped, match="of 3 pushes at its deadline"):
        second.push({"w": [1, 1]}, wait=60)
    np.testing.assert_array_equal(first.latest()["w"], [0, 0])


def test_a_round_that_is_closed_by_hand(client: Client, model: Model) -> None:
    """In mode `manual` pushes are held until `step`, which is refused while there are none."""
    manual = client.model(f"{model.name}.manual")
    manual.create({"w": [0, 0]}, "sgd", learning_rate=1, consistency={"mode": "manual", "reduce": "sum"})
    with pytest.raises(Conflict, match="no push"):
        manual.step()
    assert [manual.push({"w": [each, 0]}).held for each in (1, 2, 3)] == [True] * 3
    assert (manual.round()["mode"], manual.round()["received"]) == ("manual", 3)
    receipt = manual.step()
    assert (receipt.step, receipt.round["received"], manual.round()["received"]) == (1, 3, 0)
    np.testing.assert_array_equal(manual.latest()["w"], [-6, 0])
    assert model.round() == {"mode": "async"}


def test_stale_pushes(client: Client, model: Model) -> None:
    """A refusal has its figures; a receipt says what the gradient was divided by, or that its age is unknown."""
    bounded = client.model(f"{model.name}.bounded")
    bounded.create({"w": [0, 0]}, "sgd", learning_rate=1, consistency={"mode": "async", "max_staleness": 0})
    receipt = bounded.push({"w": [1, 0]})
    assert receipt.staleness is None
    assert "based_on" in receipt.warnings[0]
    with pytest.raises(Stale) as refused:
        bounded.push({"w": [1, 0]}, based_on=0)
    assert refused.value.figures == {"staleness": 1, "limit": 0, "step": 1, "based_on": 0}
    bounded.patch(consistency={"staleness_policy": "scale"})
    receipt = bounded.push({"w": [2, 0]}, based_on=0)
    assert (receipt.staleness, receipt.divisor, receipt.warnings) == (1, 2, [])
    np.testing.assert_array_equal(bounded.latest()["w"], [-2, 0])


def test_a_fast_worker_waits_for_a_slow_one(client: Client, model: Model) -> None:
    """In mode `ssp` with slack 1 the third push of one worker needs the first of the other."""
    fast, slow = (client.model(f"{model.name}.ssp", worker=worker) for worker in ("fast", "slow"))
    fast.create({"w": [0, 0]}, "sgd", learning_rate=1, consistency={"mode": "ssp", "workers": 2, "slack": 1})
    for _ in range(2):
        assert fast.pull(worker=True) is not None
        fast.push({"w": [1, 0]})
    with pytest.raises(Conflict, match="ahead"):
        fast.pull(worker=True)
    assert fast.pull(worker=True, wait=0.05) is None
    assert fast.latest().step == 2
    assert fast.round() == {
        "mode": "ssp", "workers": 2, "slack": 1, "slowest": 0, "clocks": {"fast": 2}, "missing": [],
    }  # fmt: skip
    pulled = []
    thread = threading.Thread(target=lambda: pulled.append(fast.pull(worker=True, wait=60)))
    thread.start()
    slow.push({"w": [0, 1]})
    thread.join(timeout=60)
    assert pulled[0].step == 3


def test_a_push_of_a_fast_worker_returns_no_parameters(client: Client, model: Model) -> None:
    """In mode `ssp`, `push_pull` waits like a pull; at its timeout it returns None, and the push is applied."""
    fast, slow = (client.model(f"{model.name}.gate", worker=worker) for worker in ("fast", "slow"))
    scaling = {"type": "dynamic", "init_loss_scale": 8, "scale_factor": 2, "scale_window": 100}
    consistency = {"mode": "ssp", "workers": 2, "slack": 0}
    fast.create({"w": [0, 0]}, "sgd", learning_rate=1, loss_scaling=scaling, consistency=consistency)
    assert fast.push_pull({"w": [8, 0]}) is None
    assert fast.latest()["w"].tolist() == [-1, 0]
    assert fast.push_pull({"w": [8, 0]}, wait=0.05) is None
    assert slow.push_pull({"w": [0, 8]})["w"].tolist() == [-2, -1]
    pulled = []
    thread = threading.Thread(target=lambda: pulled.append(fast.push_pull({"w": [np.inf, 0]}, wait=60)))
    thread.start()
    while fast.round()["clocks"]["fast"] < 3:
        pass
    for _ in range(2):
        slow.push({"w": [0, 8]})
    thread.join(timeout=60)
    assert [(each.applied, each.loss_scale, each["w"].tolist()) for each in pulled] == [(False, 4, [-2, -5])]


def test_a_push_whose_parameters_are_refused(scripted: Callable) -> None:
    """Only a worker that is too far ahead is told by None; for any other reason, a pull says what is wrong."""
    refused = {"type": "/problems/out-of-memory", "title": "No memory", "detail": "Pull a file."}
    applied = answer(200, {"receipt": RECEIPT, "pull": refused}, "Content-Type: application/json")
    server = scripted(REGISTERED, applied, refusal(409, "diverged"))
    with pytest.raises(Conflict, match="diverged"):
        Client(server.url).model("m", worker="w1").push_pull({"w": [1, 0]})
    assert [request.split()[0] for request in server.requests[1:]] == [b"POST", b"GET"]


def test_a_long_wait_for_a_slow_worker(scripted: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait of several requests continues after the refusal that ends one of them."""
    monkeypatch.setattr("paramd.transport.LONGEST_PART", 0.01)
    server = scripted(*[refusal(409, "too-far-ahead")] * 2, refusal(409, "diverged"))
    with pytest.raises(Conflict, match="diverged"):
        Client(server.url).model("m", worker="w1").pull(worker=True, wait=60)
    assert len(server.requests) == 3 and all(b"worker=w1&wait=10ms" in request for request in server.requests)
