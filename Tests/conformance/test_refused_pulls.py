"""A push with `pull=1` that was applied, but whose parameters are refused: 200 with the receipt and the reason.

The refusals: a worker that is too far ahead, an average that has not started or is gone, parameters that a restore has
taken away, a deleted model, and no memory for the copy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import SAFETENSORS, Answer, Api, wait_until

FORMATS = pytest.mark.parametrize("accept", ["application/json", SAFETENSORS])
SSP = {"mode": "ssp", "workers": 2, "slack": 0}
AVERAGED = {
    "optimizer": "sgd",
    "learning_rate": 1,
    "parameters": {"w": [0, 0]},
    "averages": {"ema": {}, "swa": {"start": 3}},
}


def told(answer: Answer, problem: str, status: int) -> dict[str, Any]:
    """The answer's document, checked to have the receipt of an applied push and the reason instead of parameters."""
    document: dict[str, Any] = answer.expect(200).json()
    assert answer.headers["content-type"] == "application/json" and "parameters" not in document
    assert answer.headers["x-paramd-applied"] == "true" and document["receipt"]["applied"] is True
    pull = document["pull"]
    assert (pull["type"], pull["status"]) == (f"/problems/{problem}", status)
    assert "othing was applied" not in pull["detail"]
    return document


@FORMATS
def test_an_average_that_has_not_started(api: Api, name: str, accept: str) -> None:
    """The push is applied, and sent again it is not applied twice."""
    api.create(name, AVERAGED)
    body = {"gradients": {"w": [-1, 0]}, "worker": "a", "seq": 1}
    for replayed in (False, True):
        answer = api("POST", f"/v1/models/{name}/gradients?pull=1&average=swa", body, Accept=accept)
        document = told(answer, "average-not-started", 409)
        assert (document["step"], document["receipt"]["step"]) == (1, 1)
        assert document["receipt"]["replayed"] is replayed
    np.testing.assert_array_equal(api.pull(name)["w"], [1, 0])


class WaitingPush:
    """A push of worker `a` in mode `ssp`, applied on a connection of its own; its pull waits for worker `b`."""

    def __init__(self, api: Api, name: str, query: str, accept: str, gradients: Any = None) -> None:
        """Sends it and waits until it has been applied."""
        target = f"/v1/models/{name}/gradients?pull=1&wait=60s&{query}"
        body = {"gradients": gradients or {"w": [1, 0]}, "worker": "a", "seq": 1}
        self._answers: list[Answer] = []

        def run() -> None:
            own = Api(api.host, api.port)
            self._answers.append(own("POST", target, body, Accept=accept))
            own.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        wait_until(lambda: api.get(f"/v1/models/{name}/round").json()["clocks"] == {"a": 1})

    def answer(self) -> Answer:
        """The answer."""
        self._thread.join(timeout=60)
        return self._answers[0]


def remove_average(api: Api, name: str, _: int) -> None:
    """Takes the average away."""
    api("PATCH", f"/v1/models/{name}", {"averages": {"ema": None}}).expect(200)


def restore(api: Api, name: str, saved: int) -> None:
    """Takes a parameter away."""
    api("POST", f"/v1/models/{name}/checkpoints/{saved}/restore").expect(200)


def delete(api: Api, name: str, _: int) -> None:
    """Takes the model away."""
    api("DELETE", f"/v1/models/{name}").expect(204)


@FORMATS
@pytest.mark.parametrize(
    ("change", "query", "problem", "status"),
    [
        (remove_average, "average=ema", "invalid-query", 422),
        (restore, "name=x", "not-found", 404),
        (delete, "", "unknown-model", 404),
    ],
    ids=["average", "restore", "deletion"],
)
def test_what_a_waiting_push_was_to_pull_is_gone(
    api: Api, name: str, accept: str, change: Any, query: str, problem: str, status: int
) -> None:
    """In mode `ssp` a push is applied and its pull waits for the slowest; meanwhile the model changes."""
    api.create(name, {**AVERAGED, "averages": {"ema": {}}, "consistency": SSP})
    saved = int(api("POST", f"/v1/models/{name}/checkpoints").expect(201).json()["id"])
    api("POST", f"/v1/models/{name}/parameters", {"add": {"x": [0]}}).expect(200)
    push = WaitingPush(api, name, query, accept)
    change(api, name, saved)
    if change is not delete:
        api.push(name, {"w": [1, 0]}, worker="b", seq=1)
    told(push.answer(), problem, status)


@pytest.mark.parametrize(("query", "accept"), [("", "application/json"), ("dtype=F16", SAFETENSORS)])
def test_no_memory_for_the_copy(start: Callable[..., Daemon], query: str, accept: str) -> None:
    """When the pull of a push may continue, there is no room for its text, or for its values in another type."""
    daemon = start("--memory", "2M")
    api = Api(daemon.host, daemon.port)
    large = {**AVERAGED, "averages": {}, "parameters": {"b": [0], "w": {"shape": [45_000], "init": "zeros"}}}
    api.create("m", {**large, "consistency": SSP})
    api("PUT", "/v1/models/m/workers/b").expect(200)
    push = WaitingPush(api, "m", query, accept, {"b": [1]})
    # The whole memory is for other models.
    for size in (10_000, 1_000):
        other = {"optimizer": "sgd", "parameters": {"w": {"shape": [size], "init": "zeros"}}}
        number = 0
        while (answer := api("PUT", f"/v1/models/other-{size}-{number}", other)).status == 201:
            number += 1
        assert answer.json()["type"] == "/problems/out-of-memory"
    # The push waits only for this worker.
    api("DELETE", "/v1/models/m/workers/b").expect(204)
    document = told(push.answer(), "out-of-memory", 503)
    assert document["receipt"]["step"] == 1 and "parameters.safetensors" in document["pull"]["detail"]
    assert api.get("/v1/models/m/parameters.safetensors").tensors()["w"].shape == (45_000,)
