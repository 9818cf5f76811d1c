"""Receipts of pushes that wait in a round: what a retry and a look-up say of the round, and of the first request."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import Answer, Api, until_waiting, wait_until, waiting

MODEL = {
    "optimizer": "sgd",
    "learning_rate": 1,
    "parameters": {"w": [0, 0]},
    "consistency": {"mode": "sync", "workers": 3, "round_timeout": "1000s"},
}

Push = Callable[[Api, str, str], Answer]


def numbered(api: Api, name: str, query: str) -> Answer:
    """The push of worker `a` as JSON."""
    body = {"gradients": {"w": [3, 0]}, "worker": "a", "seq": 1}
    return api("POST", f"/v1/models/{name}/gradients{query}", body)


def keyed(api: Api, name: str, query: str) -> Answer:
    """The same gradient under an Idempotency-Key."""
    return api("POST", f"/v1/models/{name}/gradients{query}", {"gradients": {"w": [3, 0]}}, Idempotency_Key="k")


def binary(api: Api, name: str, query: str) -> Answer:
    """The push of worker `a` as safetensors."""
    tensors = {"w": np.array([3, 0], dtype=np.float32)}
    return api.push_binary(name, tensors, query, X_Paramd_Worker="a", X_Paramd_Seq="1")


def binary_keyed(api: Api, name: str, query: str) -> Answer:
    """The same gradient as safetensors, under an Idempotency-Key."""
    return api.push_binary(name, {"w": np.array([3, 0], dtype=np.float32)}, query, Idempotency_Key="k")


FORMS = [numbered, keyed, binary, binary_keyed]


def told(answer: Answer) -> tuple[Any, ...]:
    """The counts of the round, and whether the answer says that the push was sent before."""
    receipt = answer.json().get("receipt", answer.json())
    counts = receipt["round"]["received"], receipt["round"].get("needed")
    return *counts, receipt["replayed"], answer.headers.get("idempotency-replayed")


@pytest.mark.parametrize("push", FORMS)
def test_a_retry_tells_of_the_round_as_it_is_now(api: Api, name: str, push: Push) -> None:
    """The first answer counts one push of three, a retry after another push and a PATCH of the workers two of four.

    So does a dry run; in mode `manual` it has no deadline and no number of pushes, and in mode `sync` both again.
    """
    path = f"/v1/models/{name}"
    api.create(name, MODEL)
    assert told(push(api, name, "").expect(202)) == (1, 3, False, None)
    api.push(name, {"w": [1, 1]}, 202, worker="b", seq=1)
    assert told(push(api, name, "").expect(202)) == (2, 3, True, "true")
    api("PATCH", path, {"consistency": {"workers": 4}}).expect(200)
    assert told(push(api, name, "").expect(202)) == (2, 4, True, "true")
    preview = push(api, name, "?dry_run=1").expect(200).json()["round"]
    assert (preview["received"], preview["needed"]) == (2, 4)
    for mode, needed in (({"mode": "manual"}, None), ({**MODEL["consistency"], "workers": 5}, 5)):
        api("PATCH", path, {"consistency": mode}).expect(200)
        again = push(api, name, "").expect(202)
        assert told(again) == (2, needed, True, "true")
        assert (again.json()["round"]["closes_in"] is None) == (needed is None)


@pytest.mark.parametrize("push", [numbered, binary])
def test_a_held_push_that_is_looked_up(api: Api, name: str, push: Push) -> None:
    """GET .../pushes/a/1 counts the pushes that are in the round at that time."""
    api.create(name, MODEL)
    push(api, name, "").expect(202)
    shown = f"/v1/models/{name}/pushes/a/1"
    assert told(api.get(shown))[:2] == (1, 3)
    api.push(name, {"w": [1, 1]}, 202, worker="b", seq=1)
    assert told(api.get(shown))[:2] == (2, 3)
    api("PATCH", f"/v1/models/{name}", {"consistency": {"workers": 4}}).expect(200)
    assert told(api.get(shown))[:2] == (2, 4)


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "registered-again"])
def test_a_held_push_of_a_worker_that_has_left(api: Api, name: str, again: bool) -> None:
    """The round still holds its push, and so says the look-up; a new epoch of the worker has not pushed."""
    path = f"/v1/models/{name}"
    api.create(name, MODEL)
    numbered(api, name, "").expect(202)
    api("DELETE", f"{path}/workers/a").expect(204)
    if again:
        api("PUT", f"{path}/workers/a").expect(200)
        assert api.get(f"{path}/pushes/a/1").json()["outcome"] == "unknown"
    shown = api.get(f"{path}/pushes/a/1{'?epoch=0' if again else ''}")
    assert shown.json()["outcome"] == "held" and told(shown)[:2] == (1, 3)
    assert api.get(f"{path}/pushes/a/2{'?epoch=0' if again else ''}").json()["outcome"] == "unknown"


def test_a_held_push_beyond_the_window(start: Callable[..., Daemon]) -> None:
    """A worker pushes four times into one round, and two receipts are kept: the look-up finds the first push too."""
    daemon = start("--receipt-window", "2")
    api = Api(daemon.host, daemon.port)
    api.create("m", {**MODEL, "consistency": {"mode": "manual"}})
    for seq in range(1, 5):
        api.push("m", {"w": [1, 0]}, 202, worker="a", seq=seq)
    for seq in range(1, 5):
        shown = api.get(f"/v1/models/m/pushes/a/{seq}")
        assert shown.json()["outcome"] == "held" and told(shown)[:2] == (4, None)
        assert shown.json()["receipt"]["durable"] is True
    api("POST", "/v1/models/m/step").expect(200)
    outcomes = [api.get(f"/v1/models/m/pushes/a/{seq}").json()["outcome"] for seq in range(1, 5)]
    assert outcomes == ["unknown", "unknown", "applied", "applied"]


@pytest.mark.parametrize("push", FORMS)
def test_a_retry_that_waits_says_that_it_is_one(api: Api, name: str, push: Push) -> None:
    """Two requests with the same push wait for its round: only the second is marked as repeated."""
    api.create(name, MODEL)

    def send() -> Answer:
        own = Api(api.host, api.port)
        try:
            return push(own, name, "?wait=60s")
        finally:
            own.close()

    with ThreadPoolExecutor(2) as pool:
        requests: list[Future[Answer]] = []
        before = waiting(api)
        for number in (1, 2):
            requests.append(pool.submit(send))
            until_waiting(api, before + number)
            wait_until(lambda: api.get(f"/v1/models/{name}/round").json()["received"] == 1)
        api.push(name, {"w": [0, 0]}, 202, worker="b", seq=1)
        api.push(name, {"w": [0, 0]}, worker="c", seq=1)
        first, second = (request.result(timeout=60).expect(200) for request in requests)
    assert told(first) == (3, None, False, None)
    assert told(second) == (3, None, True, "true")
    assert {**second.json(), "replayed": False} == first.json()
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, 0])


def test_a_wait_that_ends_tells_of_the_round_as_it_is_then(api: Api, name: str) -> None:
    """A push of another worker arrives while the first waits: the 202 at the end of the wait counts both."""
    api.create(name, MODEL)
    with ThreadPoolExecutor(1) as pool:

        def send() -> Answer:
            own = Api(api.host, api.port)
            try:
                return numbered(own, name, "?wait=3s")
            finally:
                own.close()

        first = pool.submit(send)
        wait_until(lambda: api.get(f"/v1/models/{name}/round").json()["received"] == 1)
        api.push(name, {"w": [1, 1]}, 202, worker="b", seq=1)
        answer = first.result(timeout=60).expect(202)
    assert told(answer) == (2, 3, False, None) and "retry-after" not in answer.headers
    assert float(answer.json()["round"]["closes_in"].removesuffix("s")) < 998


def pushed_at_a_stop(daemon: Daemon) -> Answer:
    """Sends a push that waits for its round, stops the daemon, and returns the answer."""
    api = Api(daemon.host, daemon.port)
    api.create("m", MODEL)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(numbered, Api(daemon.host, daemon.port), "m", "?wait=60s")
        wait_until(lambda: api.get("/v1/models/m/round").json()["received"] == 1)
        daemon.signal(signal.SIGTERM)
        return first.result(timeout=60)


def test_a_stop_tells_the_deadline(start: Callable[..., Daemon]) -> None:
    """A push that waits when the daemon is told to stop is answered with the time that its round had left."""
    answer = pushed_at_a_stop(start()).expect(202)
    assert answer.headers["retry-after"] == "5"
    assert 900 < float(answer.json()["round"]["closes_in"].removesuffix("s")) < 1000


def test_a_stop_without_a_journal_drops_it(start: Callable[..., Daemon]) -> None:
    """A round in memory ends with the daemon, so its push is not told that it is held."""
    problem = pushed_at_a_stop(start("--durability", "memory")).expect(503).json()
    assert problem["type"] == "/problems/stopping"
