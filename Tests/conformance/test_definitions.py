"""What a definition means: names that URLs reach, when two definitions are one, what PATCH takes, how many rates."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import Api

PLAIN = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 1], "v": [[1, 2]]}}


@pytest.mark.parametrize("dots", [".", ".."])
def test_names_that_no_url_reaches(api: Api, demo: str, name: str, dots: str) -> None:
    """Clients drop such a segment even when it is percent-encoded; so nothing may be called so."""
    name = f"{name}-new"
    api.create(name, {**PLAIN, "parameters": {dots: [0]}}, 422)
    groups = [{"name": dots, "params": ["*"]}]
    problem = api.create(name, {**PLAIN, "groups": groups}, 422).json()
    assert problem["errors"][0]["pointer"] == "/groups/0/name"
    api.push(demo, {"w": [1, 0]}, 422, worker=dots, seq=1)
    api.push_binary(demo, {"w": np.float32([1, 0])}, X_Paramd_Worker=dots, X_Paramd_Seq="1").expect(422)
    api("GET", f"/v1/models/{name}").expect(404)


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
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_definition(api: Api, name: str, kind: str) -> None:
    """200 with the model that is there, in both directions."""
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
    """409 for everything that makes another model."""
    api.create(name, PLAIN)
    api.create(name, {**PLAIN, **OTHER[kind]}, 409)


def test_order_that_a_definition_gives(api: Api, name: str) -> None:
    """Groups, their `params` and `order_params` are arrays: their order is part of what they mean."""
    groups = [{"name": "a", "params": ["w", "v"]}, {"order_params": ["w", "v"]}]
    api.create(name, {**PLAIN, "groups": groups})
    api.create(name, {**PLAIN, "groups": [groups[0], {"order_params": ["v", "w"]}]}, 409)


def test_the_same_definition_after_changes_and_a_restart(start: Callable[..., Daemon], tmp_path: Any) -> None:
    """What a worker PUTs at its start still finds the model that was trained and patched since."""
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


def test_join(api: Api, name: str) -> None:
    """The first creates, the others join whatever their seeds say; one with other shapes is told what differs."""
    path = f"/v1/models/{name}?join=1"
    uid = api("PUT", path, PLAIN).expect(201).json()["uid"]
    other = {"optimizer": "adam", "parameters": {"v": [[5, 6]], "w": [7, 8]}}
    joined = api("PUT", path, other).expect(200).json()
    assert (joined["uid"], joined["definition"]["optimizer"]) == (uid, "sgd")
    differing = {"w": [1, 2, 3], "v": {"data": [[1, 2]], "trainable": False}, "a/b": [1]}
    problem = api("PUT", path, {**PLAIN, "parameters": differing}).expect(409).json()
    assert [error["pointer"] for error in problem["errors"]] == [
        "/parameters/w",
        "/parameters/v/trainable",
        "/parameters/a~1b",
    ]
    assert (problem["errors"][0]["expected"], problem["errors"][0]["got"]) == ([2], [3])
    problem = api("PUT", path, {**PLAIN, "parameters": {"w": [1, 2]}}).expect(409).json()
    assert [error["pointer"] for error in problem["errors"]] == ["/parameters/v"]
    api("PUT", path, {**PLAIN, "optimizer": "no such"}).expect(422)
    api("PUT", f"{path}&replace=1", PLAIN).expect(400)
    assert api.get(f"/v1/models/{name}").json()["uid"] == uid


WRONG: dict[str, Any] = {
    "consistency": [17, "x", [], {"mode": "sync", "workers": 2}, {"mode": "async", "slack": 1}, {"mode": 1}, {}],
    "learning_rate": ["x", True, -1, {"schedule": "none"}, {}, [[1]], [1e39]],
    "weight_decay": ["x", -1, [1], {}],
    "loss_scale": ["x", 0, -1, []],
    "loss_scaling": [1, {}, {"type": "none"}],
    "groups": [1, "x"],
    "past_end": [1, "x"],
    "on_nonfinite": [1, "x"],
    "unique": [1, "x"],
    "target": [1, "GPU"],
    "optimizer": [1, {"type": "sgd", "momentum": "x"}, {"type": "sgd", "none": 1}],
    "no_such_key": [1, {}],
}


@pytest.mark.parametrize("key", WRONG)
def test_one_reader_for_put_and_patch(api: Api, demo: str, key: str) -> None:
    """What one refuses the other refuses, for every member of a definition, and nothing is stored."""
    before = api.get(f"/v1/models/{demo}").body
    for value in WRONG[key]:
        body = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 0]}, key: value}
        api("PUT", f"/v1/models/{demo}-other", body).expect(422)
        api("PATCH", f"/v1/models/{demo}", {key: value}).expect(422)
        assert api.get(f"/v1/models/{demo}").body == before, value


def test_consistency_that_holds(api: Api, demo: str) -> None:
    """The one mode that there is may be patched and removed; the page shows the same definition."""
    definition = api.get(f"/v1/models/{demo}").json()["definition"]
    for patch in ({"consistency": {"mode": "async"}}, {"consistency": None}):
        assert api("PATCH", f"/v1/models/{demo}", patch).expect(200).json()["definition"] == definition


def test_a_group_named_twice(api: Api, name: str) -> None:
    """Which of two values was meant is not guessed."""
    api.create(name, {**PLAIN, "groups": [{"name": "g", "params": ["*"], "lr": 1}]})
    twice = {"groups": [{"name": "g", "lr": 2}, {"name": "g", "lr": 3}]}
    api("PATCH", f"/v1/models/{name}", twice).expect(422)
    assert api.get(f"/v1/models/{name}/lr").json()["lr"] == {"g": 1}


def test_a_million_rates(start: Callable[..., Daemon], tmp_path: Any) -> None:
    """They are taken, asked about, appended to, and come back after a restart."""
    first = start("--memory", "1G", data_dir=tmp_path)
    api = Api(first.host, first.port)
    rates = np.float32(1) / np.arange(1, 1_000_001, dtype=np.float32)
    api.create("m", {"optimizer": "sgd", "learning_rate": [float(rate) for rate in rates], "parameters": {"w": [0]}})
    api("PATCH", "/v1/models/m", {"learning_rate": {"append": [0.25] * 500_000}}).expect(200)
    api.close()
    assert first.stop() == 0
    second = start("--memory", "1G", data_dir=tmp_path)
    api = Api(second.host, second.port)
    query = urllib.parse.urlencode({"from": 999_998, "to": 1_499_999, "every": 250_000})
    curve = api.get(f"/v1/models/m/lr?{query}").json()
    assert curve["steps"] == [999_998, 1_249_998, 1_499_998]
    assert np.float32(curve["lr"]["default"]).tolist() == [rates[999_998], 0.25, 0.25]
    api("GET", "/v1/models/m/lr?step=1500000").expect(409)
    api.close()


def test_rates_beyond_the_memory(start: Callable[..., Daemon]) -> None:
    """The answer speaks of memory and of rates, and the daemon goes on."""
    daemon = start("--memory", "32M")
    api = Api(daemon.host, daemon.port)
    body = {"optimizer": "sgd", "learning_rate": [0.5] * 1_000_000, "parameters": {"w": [0]}}
    detail = api("PUT", "/v1/models/m", body).expect(422).json()["detail"]
    assert "memory" in detail and "rate" in detail
    api.create("m", {**body, "learning_rate": [0.5] * 1000})
    api.close()
