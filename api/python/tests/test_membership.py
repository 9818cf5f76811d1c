"""Leases and barriers, as the client uses them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from answers import answer, drop
from paramd import Client, Fenced, Model


def of(model: Model, worker: str) -> dict:
    """The entry of a worker in the list."""
    return next(each for each in model.workers() if each["worker"] == worker)


def bodies(requests: list[bytes]) -> list[dict]:
    """The JSON bodies of requests."""
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in requests]


def test_a_lease(model: Model) -> None:
    """Heartbeats and pushes renew it; a later registration has the same length."""
    epoch = model.register(ttl=600)
    assert (of(model, model.worker)["ttl"], of(model, model.worker)["registered"]) == (600, True)
    assert model.heartbeat()["epoch"] == epoch
    model.push({"w": [1, 0]})
    assert model.register() == epoch + 1
    assert of(model, model.worker)["ttl"] == 600


def test_a_lease_that_runs_out(model: Model) -> None:
    """The next push and heartbeat raise Fenced; after a registration both work again."""
    first = model.register(ttl=0.1)
    deadline = time.monotonic() + 60
    while of(model, model.worker)["registered"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for call in (lambda: model.push({"w": [1, 0]}), model.heartbeat, lambda: model.barrier("b", 1)):
        with pytest.raises(Fenced, match="no longer registered"):
            call()
    assert model.info()["step"] == 0
    assert model.register(ttl=600) > first
    assert model.push({"w": [1, 0]}).step == 1


def test_a_barrier(client: Client, model: Model) -> None:
    """All workers leave it together, each time they meet."""
    workers = [client.model(model.name, worker=f"w{number}") for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for passing in (1, 2, 3):
            assert list(pool.map(lambda each: each.barrier("epoch", 3, wait=120), workers)) == [passing] * 3
    assert workers[0].barrier("epoch", 3, wait=0) is None
    assert workers[1].barrier("epoch", 3, wait=0.05) is None
    assert workers[2].barrier("epoch", 3, wait=0) == 4
    assert [each.barrier("epoch", 3, wait=0) for each in workers[:2]] == [4, 4]
    assert model.barrier("alone", 1) == 1


def test_a_lost_answer_of_a_barrier(scripted: Callable) -> None:
    """The request is sent again with the generation that it means, which the client reads before the first one."""
    current = answer(200, {"released": False, "generation": 5})
    passed = answer(200, {"released": True, "generation": 5})
    later = answer(200, {"released": True, "generation": 6})
    server = scripted(answer(200, {"epoch": 1}), current, drop, passed, later)
    model = Client(server.url).model("m", worker="w1")
    model.register()
    assert model.barrier("b", 2) == 5
    assert model.barrier("b", 2) == 6
    assert server.requests[1].startswith(b"GET ")
    sent = bodies(server.requests[2:])
    assert [body.get("generation") for body in sent] == [5, 5, 6]
    assert all((body["worker"], body["epoch"], body["count"]) == ("w1", 1, 2) for body in sent)
