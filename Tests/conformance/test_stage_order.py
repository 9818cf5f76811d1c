"""The stages of a dry run are those of the update, in its order: names and numbers are computed by hand.

The loss scale is 4, the weights are [2, 4], and weight decay adds half of them: [1, 2]. The three pushes are, unscaled,
[2, 5], [5, 6] and [11, 19]; the last one is shown. No value may exceed 5 where gradients are clipped.
"""

from __future__ import annotations

from typing import Any

import pytest
from support.wire import Api

MODEL = {
    "optimizer": "sgd",
    "learning_rate": 1,
    "weight_decay": 0.5,
    "loss_scale": 4,
    "parameters": {"w": [2, 4]},
}
CLIPS: dict[str, dict[str, Any]] = {
    "none": {},
    "update": {"clip": {"value": 5}},
    "worker": {"clip": {"value": 5, "per": "worker"}},
}
CENTER = "gradients_centralization"
PUSHED = ("flatten_gradients", [44, 76])
UNSCALED = ("scale_grad", [11, 19])
CLIPPED = ("clip_by_value", [5, 5])
ROUNDS = {
    ("none", "mean"): [("reduce", [6, 10]), ("decay_weight", [7, 12]), (CENTER, [7, 12])],
    ("none", "median"): [("reduce", [5, 6]), ("decay_weight", [6, 8]), (CENTER, [6, 8])],
    ("update", "mean"): [("reduce", [6, 10]), CLIPPED, ("decay_weight", [6, 7]), (CENTER, [6, 7])],
    ("update", "median"): [("reduce", [5, 6]), CLIPPED, ("decay_weight", [6, 7]), (CENTER, [6, 7])],
    ("worker", "mean"): [CLIPPED, ("reduce", [4, 5]), ("decay_weight", [5, 7]), (CENTER, [5, 7])],
    ("worker", "median"): [CLIPPED, ("reduce", [5, 5]), ("decay_weight", [6, 7]), (CENTER, [6, 7])],
}
ALONE = {
    # MindSpore adds the decay of the scaled gradient, [4, 8], and unscales the sum.
    "none": [PUSHED, ("decay_weight", [48, 84]), (CENTER, [48, 84]), ("scale_grad", [12, 21])],
    "update": [PUSHED, UNSCALED, CLIPPED, ("decay_weight", [6, 7]), (CENTER, [6, 7])],
    "worker": [PUSHED, UNSCALED, CLIPPED, ("decay_weight", [6, 7]), (CENTER, [6, 7])],
}


def check(api: Api, model: str, stages: list[tuple[str, list[int]]], **fields: Any) -> None:
    """Compares the stages of the last push, then what the push itself subtracts."""
    push = {"gradients": {"w": [44, 76]}, **fields}
    target = f"/v1/models/{model}/gradients"
    run = api("POST", f"{target}?dry_run=1&stages=1", push).expect(200).json()
    assert [(name, stage["w"]["data"]) for name, stage in run["stages"].items()] == stages
    subtracted = stages[-1][1]
    assert run["update"]["w"]["data"] == subtracted
    api("POST", target, push).expect(200)
    assert api.pull(model)["w"].tolist() == [2 - subtracted[0], 4 - subtracted[1]]


@pytest.mark.parametrize(("clip", "reduce"), ROUNDS)
def test_a_push_that_closes_a_round(api: Api, name: str, clip: str, reduce: str) -> None:
    """Its own stages, then those of the round; a clip per worker comes before the reduction, any other after it."""
    api.create(name, {**MODEL, **CLIPS[clip], "consistency": {"mode": "sync", "workers": 3, "reduce": reduce}})
    api.push(name, {"w": [8, 20]}, 202, worker="a", seq=1)
    api.push(name, {"w": [20, 24]}, 202, worker="b", seq=1)
    check(api, name, [PUSHED, UNSCALED, *ROUNDS[clip, reduce]], worker="c", seq=1)


@pytest.mark.parametrize("clip", ALONE)
def test_a_push_alone(api: Api, name: str, clip: str) -> None:
    """Without rounds there is nothing to reduce, and both clips are the same."""
    api.create(name, {**MODEL, **CLIPS[clip], "consistency": {"mode": "async"}})
    check(api, name, ALONE[clip])


@pytest.mark.parametrize(("clip", "norm"), [("none", 136**0.5), ("update", 136**0.5), ("worker", 41**0.5)])
def test_the_norm_in_the_history(api: Api, name: str, clip: str, norm: float) -> None:
    """That of the reduced gradient before its clip: [6, 10], or [4, 5] where each push was clipped before."""
    api.create(name, {**MODEL, **CLIPS[clip], "consistency": {"mode": "sync", "workers": 3}})
    for worker, gradient in (("a", [8, 20]), ("b", [20, 24])):
        api.push(name, {"w": gradient}, 202, worker=worker, seq=1)
    receipt = api.push(name, {"w": [44, 76]}, worker="c", seq=1).json()
    series = api.get(f"/v1/models/{name}/history?series=grad_norm").json()["series"]["grad_norm"]
    assert series["value"] == [pytest.approx(norm)]
    assert receipt["grad_norm"] == pytest.approx(482**0.5 if clip == "worker" else norm)


def test_the_norm_in_the_history_of_pushes_alone(api: Api, name: str) -> None:
    """Before the clip, whichever it is: |[11, 19]| is the root of 482."""
    for clip in ("update", "worker"):
        model = f"{name}-{clip}"
        api.create(model, {**MODEL, **CLIPS[clip], "consistency": {"mode": "async"}})
        api.push(model, {"w": [44, 76]})
        series = api.get(f"/v1/models/{model}/history?series=grad_norm").json()["series"]["grad_norm"]
        assert series["value"] == [pytest.approx(482**0.5)]
