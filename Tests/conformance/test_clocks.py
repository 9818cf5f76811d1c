"""Mode ssp: which workers may pull, alone or with a push, and what the others see of them."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from support.wire import Answer, Api, until_waiting, wait_until, waiting


def create(api: Api, name: str, **consistency: Any) -> None:
    """A model in mode `ssp`, for two workers without slack unless told otherwise."""
    settings = {"mode": "ssp", "workers": 2, "slack": 0, **consistency}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}, "consistency": settings})


def push_pull(api: Api, name: str, worker: str, seq: int, query: str = "", **headers: str) -> Answer:
    """A push of (1, 0) with `pull=1`."""
    body = {"gradients": {"w": [1, 0]}, "worker": worker, "seq": seq}
    return api("POST", f"/v1/models/{name}/gradients?pull=1{query}", body, **headers).expect(200)


def register(api: Api, name: str, worker: str, query: str = "") -> int:
    """The epoch of a new registration."""
    return int(api("PUT", f"/v1/models/{name}/workers/{worker}{query}").expect(200).json()["epoch"])


class Elsewhere:
    """A call on a thread and a connection of its own; `answer` waits for its end."""

    def __init__(self, api: Api, call: Any) -> None:
        """Starts the call and waits until the daemon has it among the waiting requests."""
        self._answers: list[Answer] = []
        before = waiting(api)

        def run() -> None:
            own = Api(api.host, api.port)
            self._answers.append(call(own))
            own.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        until_waiting(api, before + 1)

    def answer(self) -> Answer:
        """The answer."""
        self._thread.join(timeout=60)
        return self._answers[0]


def waiting_push(api: Api, name: str) -> Elsewhere:
    """The first push of worker `a`, which has been applied and waits for its parameters."""
    push = Elsewhere(api, lambda own: push_pull(own, name, "a", 1, "&wait=60s"))
    # It also waits while it is being stored.
    wait_until(lambda: api.get(f"/v1/models/{name}/round").json()["clocks"] == {"a": 1})
    return push


@pytest.mark.parametrize("accept", ["application/json", "application/vnd.safetensors"])
def test_a_push_returns_parameters_only_within_the_slack(api: Api, name: str, accept: str) -> None:
    """The push of a worker that is too far ahead is applied; its answer has the receipt and the clock to wait for."""
    create(api, name, slack=1)
    first = push_pull(api, name, "a", 1, Accept=accept)
    assert first.headers["content-type"] == accept and first.headers["x-paramd-applied"] == "true"
    second = push_pull(api, name, "a", 2, Accept=accept)
    told = second.json()
    assert second.headers["content-type"] == "application/json" and "parameters" not in told
    assert (told["step"], told["receipt"]["step"], told["receipt"]["applied"]) == (2, 2, True)
    assert (told["pull"]["type"], told["pull"]["status"]) == ("/problems/too-far-ahead", 409)
    assert "`a` is at clock 2" in told["pull"]["detail"] and "has reached 1" in told["pull"]["detail"]
    assert "Nothing was applied" not in told["pull"]["detail"]
    np.testing.assert_array_equal(api.pull(name)["w"], [-2, 0])
    api.push(name, {"w": [0, 1]}, worker="b", seq=1)
    again = push_pull(api, name, "a", 2).json()
    assert again["receipt"]["replayed"] is True and again["parameters"]["w"]["data"] == [-2, -1]


def test_a_push_waits_for_its_parameters(api: Api, name: str) -> None:
    """With `wait` the answer comes when the slowest worker has caught up, with the parameters of that time."""
    create(api, name)
    push = waiting_push(api, name)
    assert push_pull(api, name, "b", 1).json()["parameters"]["w"]["data"] == [-2, 0]
    waited = push.answer().json()
    assert waited["receipt"]["step"] == 1 and waited["parameters"]["w"]["data"] == [-2, 0]
    late = push_pull(api, name, "a", 2, "&wait=50ms").json()
    assert late["receipt"]["step"] == 3 and late["pull"]["type"] == "/problems/too-far-ahead"


def test_a_push_that_waits_outlives_its_model(api: Api, name: str) -> None:
    """If the model is deleted meanwhile, the answer has the receipt, and says that there are no parameters."""
    create(api, name)
    push = waiting_push(api, name)
    api("DELETE", f"/v1/models/{name}").expect(204)
    told = push.answer().json()
    assert told["receipt"]["applied"] is True and told["pull"]["status"] == 404 and "parameters" not in told


def test_a_lease_frees_the_others_of_a_silent_worker(api: Api, name: str) -> None:
    """A worker that has registered and never pushed is not waited for once its lease has run out."""
    create(api, name)
    epoch = register(api, name, "a")
    register(api, name, "b", "?ttl=500ms")
    api.push(name, {"w": [1, 0]}, worker="a", seq=1, epoch=epoch)
    began = time.monotonic()
    api.get(f"/v1/models/{name}/parameters?worker=a&wait=60s")
    assert time.monotonic() - began < 30
    shown = api.get(f"/v1/models/{name}/round").json()
    assert (shown["slowest"], shown["clocks"], shown["missing"]) == (1, {"a": 1}, [])


def test_who_is_in_and_who_is_missing(api: Api, name: str) -> None:
    """The open round of mode ssp: what is expected, the clocks, and the workers that have not pushed."""
    create(api, name, workers=3, slack=2)
    empty = {"mode": "ssp", "workers": 3, "slack": 2, "slowest": 0, "clocks": {}, "missing": []}
    assert api.get(f"/v1/models/{name}/round").json() == empty
    epoch = register(api, name, "a")
    register(api, name, "b")
    for seq in (1, 2):
        api.push(name, {"w": [1, 0]}, worker="a", seq=seq, epoch=epoch)
    shown = api.get(f"/v1/models/{name}/round").json()
    assert shown == {**empty, "clocks": {"a": 2}, "missing": ["b"]}


def test_a_worker_joins_at_the_slowest_clock(api: Api, name: str) -> None:
    """A third worker of two is accepted; its clock starts where the slowest is, and then the others wait for it."""
    create(api, name)
    for seq, worker in ((1, "a"), (1, "b"), (2, "a"), (2, "b"), (1, "c")):
        api.push(name, {"w": [1, 0]}, worker=worker, seq=seq)
    shown = api.get(f"/v1/models/{name}/round").json()
    assert (shown["workers"], shown["slowest"], shown["clocks"]) == (2, 2, {"a": 2, "b": 2, "c": 3})
    for seq, worker in ((3, "a"), (3, "b"), (4, "a")):
        api.push(name, {"w": [1, 0]}, worker=worker, seq=seq)
    refused = api("GET", f"/v1/models/{name}/parameters?worker=a").expect(409).json()["detail"]
    assert "`a` is at clock 4, and the slowest worker is at 3" in refused


def test_a_push_counts_the_pulls_that_it_lets_continue(api: Api, name: str) -> None:
    """Two pulls wait for the slowest worker, and the receipt of its push has both in `woken`."""
    create(api, name)
    assert api.push(name, {"w": [1, 0]}, worker="a", seq=1).json()["woken"] == 0
    path = f"/v1/models/{name}/parameters?worker=a&wait=60s"
    pulls = [Elsewhere(api, lambda own: own("GET", path)) for _ in range(2)]
    assert api.push(name, {"w": [0, 1]}, worker="b", seq=1).json()["woken"] == 2
    assert [pull.answer().expect(200).json()["parameters"]["w"]["data"] for pull in pulls] == 2 * [[-1, -1]]
