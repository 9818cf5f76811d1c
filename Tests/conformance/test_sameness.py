"""Equal definitions: a PUT of an equal one finds the existing model, a PUT of a different one does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.daemon import Daemon
from support.wire import Api

PLAIN = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 1], "v": [[1, 2]]}}


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "order of keys": (PLAIN, dict(reversed(PLAIN.items()))),
    "order of parameters": (PLAIN, {**PLAIN, "parameters": dict(reversed(PLAIN["parameters"].items()))}),
    "spelling": (PLAIN, {**PLAIN, "optimizer": "SGD"}),
    "name or object": (PLAIN, {**PLAIN, "optimizer": {"type": "sgd"}}),
    "framework spelled out": (PLAIN, {**PLAIN, "optimizer": {"framework": "mindspore", "type": "SGD"}}),
    "default of the rule": (PLAIN, {**PLAIN, "optimizer": {"type": "sgd", "momentum": 0, "dampening": -0.0}}),
    "defaults of the model": (
        PLAIN,
        {**PLAIN, "weight_decay": 0, "loss_scale": 1, "past_end": "error", "unique": True, "step": 0, "target": "CPU"},
    ),
    "consistency": (PLAIN, {**PLAIN, "consistency": {"mode": "async"}}),
    "whole numbers": ({**PLAIN, "learning_rate": 1}, {**PLAIN, "learning_rate": 1.0}),
    "zero": (PLAIN, {**PLAIN, "parameters": {"w": [-0.0, 1], "v": [[1, 2]]}}),
    "form of values": (
        PLAIN,
        {
            **PLAIN,
            "parameters": {
                "w": {"shape": [2], "data": [0, 1.0]},
                "v": {"dtype": "F32", "shape": [1, 2], "b64": "AACAPwAAAEA="},
            },
        },
    ),
    "seed of an initializer": (
        {**PLAIN, "parameters": {"w": {"shape": [2], "init": "he_uniform"}}},
        {**PLAIN, "parameters": {"w": {"init": {"seed": 0, "type": "he_uniform"}, "shape": [2], "trainable": True}}},
    ),
    "default of a schedule": (
        {
            **PLAIN,
            "learning_rate": {
                "schedule": "exponential_decay_lr",
                "learning_rate": 0.1,
                "decay_rate": 0.9,
                "decay_steps": 10,
            },
        },
        {
            **PLAIN,
            "learning_rate": {
                "decay_steps": 10,
                "decay_rate": 0.9,
                "is_stair": False,
                "learning_rate": 0.1,
                "schedule": "ExponentialDecayLR",
            },
        },
    ),
    "rate of the model or of the group": (
        {**PLAIN, "groups": [{"params": ["*"]}]},
        {**PLAIN, "groups": [{"name": "group0", "params": ["?"], "lr": 0.5}], "weight_decay": 0.0},
    ),
    "optimizer inside": (
        {**PLAIN, "optimizer": {"type": "lars", "optimizer": {"type": "Momentum", "momentum": 0.9}}},
        {**PLAIN, "optimizer": {"optimizer": {"momentum": 0.9, "type": "momentum"}, "type": "LARS"}},
    ),
    "defaults of the optimizer inside": (
        {**PLAIN, "optimizer": {"type": "lars", "optimizer": "adam"}},
        {
            **PLAIN,
            "optimizer": {
                "type": "lars",
                "framework": "mindspore",
                "epsilon": 1e-05,
                "lars_filter": ["LayerNorm", "bias"],
                "optimizer": {"type": "Adam", "beta1": 0.9, "eps": 1e-8, "use_locking": True},
            },
        },
    ),
    "rate of the optimizer inside": (
        {"optimizer": {"type": "lars", "optimizer": "adam"}, "parameters": {"w": [1]}},
        {"optimizer": {"type": "lars", "optimizer": "adam"}, "parameters": {"w": [1]}, "learning_rate": 0.001},
    ),
    "zeros": (
        {**PLAIN, "parameters": {"w": {"shape": [2], "init": "zeros"}}},
        {**PLAIN, "parameters": {"w": [0, -0.0]}},
    ),
    "ones": (
        {**PLAIN, "parameters": {"w": {"shape": [2], "init": {"type": "ones", "seed": 3}}}},
        {**PLAIN, "parameters": {"w": {"data": [1, 1.0]}}},
    ),
    "steps of a sequence": (
        {**PLAIN, "learning_rate": {"schedule": "sequence", "of": [{"steps": 10, "lr": 1}, {"lr": 0.5}]}},
        {
            **PLAIN,
            "learning_rate": {"of": [{"learning_rate": 1.0, "steps": 10.0}, {"lr": 0.5}], "schedule": "Sequence"},
        },
    ),
    "order that holds anyway": (
        {**PLAIN, "groups": [{"params": ["v", "w"]}]},
        {**PLAIN, "groups": [{"params": ["v", "w"]}, {"order_params": ["v", "w"]}]},
    ),
    "loss scaling": (
        {**PLAIN, "loss_scaling": {"type": "dynamic"}},
        {**PLAIN, "loss_scaling": {"scale_window": 2000, "scale_factor": 2.0, "type": "dynamic"}},
    ),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_definition(api: Api, name: str, kind: str) -> None:
    """The answer is 200 with the existing model, in both directions."""
    for index, (first, second) in enumerate((SAME[kind], SAME[kind][::-1])):
        model = f"{name}-{index}"
        uid = api.create(model, first).json()["uid"]
        assert api.create(model, second, 200).json()["uid"] == uid


OTHER: dict[str, dict[str, Any]] = {
    "optimizer": {"optimizer": {"type": "momentum", "momentum": 0.9}},
    "framework": {"optimizer": {"type": "sgd", "framework": "torch"}},
    "rate": {"learning_rate": 0.25},
    "hyperparameter": {"optimizer": {"type": "sgd", "momentum": 0.5}},
    "weight decay": {"weight_decay": 0.1},
    "values": {"parameters": {"w": [0, 2], "v": [[1, 2]]}},
    "drawn values": {"parameters": {"w": {"shape": [2], "init": "normal"}, "v": [[1, 2]]}},
    "other constant": {"parameters": {"w": {"shape": [2], "init": "ones"}, "v": [[1, 2]]}},
    "sequence": {"learning_rate": {"schedule": "sequence", "of": [{"lr": 0.5}]}},
    "array": {"learning_rate": [0.5]},
    "loss scaling": {"loss_scaling": {"type": "dynamic"}},
    "non-finite gradients": {"on_nonfinite": "skip"},
    "rows": {"unique": False},
    "optimizer inside": {"optimizer": {"type": "lars", "optimizer": "sgd"}},
    "shape": {"parameters": {"w": [0, 1], "v": [1, 2]}},
    "trainable": {"parameters": {"w": {"data": [0, 1], "trainable": False}, "v": [[1, 2]]}},
    "dtype": {"parameters": {"w": {"data": [0, 1], "trainable": False, "dtype": "I64"}, "v": [[1, 2]]}},
    "one parameter more": {"parameters": {"w": [0, 1], "v": [[1, 2]], "u": [1]}},
    "groups": {"groups": [{"name": "g", "params": ["*"]}]},
    "past the end": {"past_end": "hold"},
    "loss scale": {"loss_scale": 2},
    "step": {"step": 3},
}


@pytest.mark.parametrize("kind", OTHER)
def test_another_definition(api: Api, name: str, kind: str) -> None:
    """Everything that would make a different model is 409."""
    api.create(name, PLAIN)
    api.create(name, {**PLAIN, **OTHER[kind]}, 409)


def test_order_that_a_definition_gives(api: Api, name: str) -> None:
    """Groups, their `params` and `order_params` are arrays, so their order is part of the definition."""
    groups = [{"name": "a", "params": ["w", "v"]}, {"order_params": ["w", "v"]}]
    api.create(name, {**PLAIN, "groups": groups})
    api.create(name, {**PLAIN, "groups": [groups[0], {"order_params": ["v", "w"]}]}, 409)


def test_the_same_definition_after_changes_and_a_restart(start: Callable[..., Daemon], tmp_path: Any) -> None:
    """A worker's initial PUT still finds the model that was trained and patched since."""
    first = start(data_dir=tmp_path)
    api = Api(first.host, first.port)
    uid = api.create("m", PLAIN).json()["uid"]
    api.push("m", {"w": [1, 1]})
    api("PATCH", "/v1/models/m", {"learning_rate": 0.125}).expect(200)
    api.close()
    assert first.stop() == 0
    second = start(data_dir=tmp_path)
    api = Api(second.host, second.port)
    assert api.create("m", {**dict(reversed(PLAIN.items())), "optimizer": "SGD"}, 200).json()["uid"] == uid
    api.close()
