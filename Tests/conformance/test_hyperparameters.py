"""Hyperparameters of a push: they apply to its update alone, and the receipt, retries and restarts agree on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Api

ADAM = {"optimizer": "adam", "learning_rate": 0.01, "parameters": {"w": [1, -2, 0.5, 4]}}


def values(api: Api, model: str, parameter: str = "w") -> np.ndarray:
    """The parameter's current values, flat."""
    return np.float32(api.get(f"/v1/models/{model}/parameters").json()["parameters"][parameter]["data"])


def test_sgd_by_hand(api: Api, demo: str) -> None:
    """W = 0 - 0.25 * 4, then -1 - 0.5 * 4 with the definition's rate, which GET lr shows all along."""
    receipt = api.push(demo, {"w": [4, 0]}, hyperparameters={"learning_rate": 0.25}).json()
    assert receipt["lr"] == {"default": 0.25} and receipt["hyperparameters"] == {"learning_rate": 0.25}
    assert values(api, demo)[0] == -1
    assert api.get(f"/v1/models/{demo}/lr").json()["lr"] == {"default": 0.5}
    receipt = api.push(demo, {"w": [4, 0]}).json()
    assert receipt["lr"] == {"default": 0.5} and "hyperparameters" not in receipt
    assert values(api, demo)[0] == -3
    page = api.get(f"/v1/models/{demo}").json()
    assert page["definition"]["learning_rate"] == 0.5 and page["groups"][0]["learning_rate"] == 0.5


def adam(weights: np.ndarray, steps: list[dict[str, float]], gradients: np.ndarray) -> np.ndarray:
    """MindSpore's Adam in float64: lr_t = lr sqrt(1 - beta2^t) / (1 - beta1^t), w -= lr_t m / (sqrt(v) + eps)."""
    m = v = np.zeros_like(weights)
    for t, (own, g) in enumerate(zip(steps, gradients, strict=True), start=1):
        b1, b2 = own["beta1"], own["beta2"]
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        rate = own["learning_rate"] * np.sqrt(1 - b2**t) / (1 - b1**t)
        weights = weights - rate * m / (np.sqrt(v) + own["eps"])
    return weights


def test_adam_with_other_betas_and_rate_each_time(api: Api, name: str) -> None:
    """The same numbers as the formula in numpy; the receipt repeats the hyperparameters."""
    api.create(name, ADAM)
    gradients = np.random.default_rng(1).normal(size=(5, 4))
    steps = [
        {"learning_rate": 0.02 * (t + 1), "beta1": 0.9 - 0.1 * t, "beta2": 0.999 - 0.01 * t, "eps": 1e-6}
        for t in range(5)
    ]
    for own, gradient in zip(steps, gradients, strict=True):
        receipt = api.push(name, {"w": gradient.tolist()}, hyperparameters=own).json()
        assert receipt["hyperparameters"] == own and receipt["lr"]["default"] == np.float32(own["learning_rate"])
    expected = adam(np.array([1, -2, 0.5, 4.0]), steps, gradients)
    assert np.allclose(values(api, name), expected, rtol=2e-6)
    plain = adam(np.array([1, -2, 0.5, 4.0]), [{**steps[0], "learning_rate": 0.01}] * 5, gradients)
    assert not np.allclose(values(api, name), plain, rtol=1e-3)


def test_rates_of_pushes_equal_an_array_of_rates(api: Api, name: str) -> None:
    """Bit for bit, with a group of its own, for torch's Adam."""
    rates, own = [0.1, 0.01, 0.3], [0.2, 0.02, 0.4]
    groups = [{"name": "x", "params": ["a"], "lr": 0.5}, {"name": "y", "params": ["b"]}]
    body: dict[str, Any] = {"optimizer": "torch.Adam", "parameters": {"a": [1, 2], "b": [3, 4]}}
    api.create(name, {**body, "learning_rate": 1, "groups": groups})
    api.create(name + "-array", {**body, "learning_rate": rates, "groups": [{**groups[0], "lr": own}, groups[1]]})
    for step in range(3):
        gradients = {"a": [0.1 * step, 1], "b": [-1, 0.3]}
        brought = {"learning_rate": rates[step], "groups": {"x": {"lr": own[step]}}}
        one = api.push(name, gradients, hyperparameters=brought).json()
        other = api.push(name + "-array", gradients).json()
        assert one["lr"] == other["lr"] and one["update_ratio"] == other["update_ratio"]
    for parameter in "ab":
        assert values(api, name, parameter).tobytes() == values(api, name + "-array", parameter).tobytes()


@pytest.mark.parametrize("where", ["json", "header", "metadata", "header wins"])
def test_places(api: Api, demo: str, where: str) -> None:
    """A member in JSON, JSON text in a header or in metadata; a header takes precedence."""
    text = json.dumps({"learning_rate": 0.25})
    headers = {"X_Paramd_Hyperparameters": text} if "header" in where else {}
    if where == "json":
        receipt = api.push(demo, {"w": [4, 0]}, hyperparameters={"learning_rate": 0.25}).json()
    else:
        metadata = {"metadata": {"hyperparameters": text}, "header wins": {"hyperparameters": '{"learning_rate":9}'}}
        body = safetensors.numpy.save({"w": np.float32([4, 0])}, metadata.get(where))
        path = f"/v1/models/{demo}/gradients"
        receipt = api("POST", path, body, Content_Type=SAFETENSORS, **headers).expect(200).json()
    assert receipt["hyperparameters"] == {"learning_rate": 0.25}
    assert values(api, demo)[0] == -1


def test_a_retry_brings_the_same(api: Api, demo: str) -> None:
    """The notation does not matter, the values do; without a worker, the Idempotency-Key protects in the same way."""
    push = {"gradients": {"w": [4, 0]}, "worker": "a", "seq": 1}
    path = f"/v1/models/{demo}/gradients"
    one = {"learning_rate": 0.25, "momentum": 0.0}
    first = api("POST", path, {**push, "hyperparameters": one}).expect(200).json()
    again = b'{"hyperparameters":{"momentum":0,"learning_rate":2.5e-1},"seq":1,"worker":"a","gradients":{"w":[4,0]}}'
    assert api("POST", path, again).expect(200).json() == {**first, "replayed": True}
    for other in ({"learning_rate": 0.5}, {}, None, 7):
        body = {**push, "hyperparameters": other}
        problem = api("POST", path, body).expect(422).json()
        assert problem["type"] == "/problems/key-reused"
    api("POST", path, push).expect(422)
    known = api.get(f"/v1/models/{demo}/pushes/a/1").json()
    assert known["receipt"] == {**first, "replayed": False} and known["receipt"]["hyperparameters"] == one
    key = {"Idempotency_Key": demo}
    body = {"gradients": {"w": [4, 0]}, "hyperparameters": {"learning_rate": 0.25}}
    answer = api("POST", path, body, **key).expect(200)
    assert api("POST", path, body, **key).expect(200).json() == {**answer.json(), "replayed": True}
    api("POST", path, {"gradients": {"w": [4, 0]}}, **key).expect(422)
    assert api.get(f"/v1/models/{demo}").json()["step"] == 2


def test_restart_replays_them(start: Callable[..., Daemon], tmp_path_factory: pytest.TempPathFactory) -> None:
    """After a kill the same bits and the same receipt, hyperparameters included; after a snapshot too."""
    directory = str(tmp_path_factory.mktemp("data"))
    definition = {**ADAM, "optimizer": {"type": "adam"}}

    def run(after: Callable[[Daemon], object]) -> tuple[bytes, dict[str, Any]]:
        daemon = start("--data-dir", directory)
        api = Api(daemon.host, daemon.port)
        if not api.get("/v1/models").json()["models"]:
            api.create("m", definition)
            for seq in range(1, 4):
                brought = {"learning_rate": 0.1 * seq, "beta1": 0.5}
                api.push("m", {"w": [seq, 1, -1, 2]}, worker="w", seq=seq, hyperparameters=brought)
        state = values(api, "m").tobytes(), api.get("/v1/models/m/pushes/w/3").json()
        api.close()
        after(daemon)
        return state

    first = run(lambda daemon: daemon.process.kill())
    assert first[1]["receipt"]["hyperparameters"]["beta1"] == 0.5
    assert run(lambda daemon: daemon.stop()) == first
    assert run(lambda daemon: daemon.process.kill()) == first


def test_an_exhausted_array_does_not_stop_a_rate_of_its_own(api: Api, name: str) -> None:
    """409 without, 200 with; GET lr answers from the definition, so that it stays 409."""
    api.create(name, {"optimizer": "sgd", "learning_rate": [0.5], "parameters": {"w": [0]}})
    api.push(name, {"w": [1]})
    api.push(name, {"w": [1]}, 409)
    receipt = api.push(name, {"w": [1]}, hyperparameters={"learning_rate": 0.25}).json()
    assert receipt["step"] == 2 and receipt["lr"] == {"default": 0.25}
    api("GET", f"/v1/models/{name}/lr").expect(409)


def test_dry_run_shows_them(api: Api, name: str) -> None:
    """decay_weight adds 0.5 * 2 to the gradient, and the update is 0.25 * 2; nothing changes."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [2]}})
    push = {"gradients": {"w": [1]}, "hyperparameters": {"learning_rate": 0.25, "weight_decay": 0.5}}
    run = api("POST", f"/v1/models/{name}/gradients?dry_run=1&stages=1", push).expect(200).json()
    assert run["lr"] == {"default": 0.25} and run["hyperparameters"] == push["hyperparameters"]
    assert run["stages"]["flatten_gradients"]["w"]["data"] == [1]
    assert run["stages"]["decay_weight"]["w"]["data"] == [2] and run["update"]["w"]["data"] == [0.5]
    assert api.get(f"/v1/models/{name}").json()["step"] == 0 and values(api, name)[0] == 2


def test_push_and_pull_in_one(api: Api, demo: str) -> None:
    """The receipt in front of the parameters has them too."""
    push = {"gradients": {"w": [4, 0]}, "hyperparameters": {"learning_rate": 0.25}}
    answer = api("POST", f"/v1/models/{demo}/gradients?pull=1", push).expect(200).json()
    assert answer["receipt"]["hyperparameters"] == {"learning_rate": 0.25}
    assert answer["parameters"]["w"]["data"] == [-1, 0]


REFUSED: dict[str, tuple[object, str, str, str | None]] = {
    "not an object": ([0.1], "/hyperparameters", "must be an object", "TypeError"),
    "an array of rates": (
        {"learning_rate": [0.1, 0.2]},
        "/hyperparameters/learning_rate",
        "The hyperparameters of a push must be",
        "TypeError",
    ),
    "a schedule": (
        {"learning_rate": {"schedule": "cosine_decay_lr"}},
        "/hyperparameters/learning_rate",
        "The hyperparameters of a push must be",
        "TypeError",
    ),
    "negative": ({"learning_rate": -1}, "/hyperparameters/learning_rate", "number >= 0", "ValueError"),
    "misspelt": ({"momentun": 0.5}, "/hyperparameters/momentun", "did you mean `momentum`", "TypeError"),
    "no such group": ({"groups": {"conv": {"lr": 1}}}, "/hyperparameters/groups/conv", "`default`", "KeyError"),
    "of the definition": ({"loss_scale": 2}, "/hyperparameters/loss_scale", "PATCH", "KeyError"),
    "too many": (
        {"groups": {f"g{i}": {"lr": 1} for i in range(4097)}},
        "/hyperparameters",
        "at most 4096",
        "ValueError",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(api: Api, demo: str, kind: str) -> None:
    """422 with the place in the push and the line to write; nothing is applied."""
    brought, pointer, words, exception = REFUSED[kind]
    problem = api.push(demo, {"w": [1, 0]}, 422, hyperparameters=brought).json()
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert words in problem["detail"] and problem["exception"] == exception
    assert api.get(f"/v1/models/{demo}").json()["step"] == 0


def test_header_that_is_not_json(api: Api, demo: str) -> None:
    """The text is shown as it was sent."""
    problem = api.push_binary(demo, {"w": np.float32([1, 0])}, X_Paramd_Hyperparameters="lr=0.1").expect(422).json()
    assert problem["errors"][0]["header"] == "X-Paramd-Hyperparameters" and "lr=0.1" in problem["detail"]


def test_slots_outlast_an_update(api: Api, name: str) -> None:
    """Torch's SGD without momentum has no buffer, so that one push cannot use it."""
    optimizer = {"type": "SGD", "framework": "torch"}
    api.create(name, {"optimizer": optimizer, "learning_rate": 1, "parameters": {"w": [0]}})
    problem = api.push(name, {"w": [1]}, 422, hyperparameters={"momentum": 0.9}).json()
    assert "momentum_buffer" in problem["detail"] and "PATCH" in problem["detail"]
    api("PATCH", f"/v1/models/{name}", {"optimizer": {"momentum": 0.5}}).expect(200)
    api.push(name, {"w": [1]}, hyperparameters={"momentum": 0.9})
