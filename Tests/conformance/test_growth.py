"""Models that grow: what was there stays to the bit, what is new starts as in a new model, and workers are told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.events import Events
from support.wire import SAFETENSORS, Answer, Api, from_json, until_waiting

RATE = {"learning_rate": 0.01}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "Adam": {"optimizer": "adam", **RATE},
    "torch AdamW": {"optimizer": {"type": "torch.AdamW", "amsgrad": True}, **RATE},
    "AdaFactor": {"optimizer": "AdaFactor"},
}
EMBEDDING = {"shape": [3, 2], "init": "normal"}


def grow(api: Api, model: str, body: dict[str, Any], status: int = 200, **headers: str) -> Answer:
    """Sends a growth."""
    return api("POST", f"/v1/models/{model}/parameters", body, **headers).expect(status)


def state(api: Api, model: str) -> dict[str, bytes]:
    """Every parameter and every slot, as bytes."""
    files = (api.get(f"/v1/models/{model}/{kind}.safetensors").tensors() for kind in ("parameters", "state"))
    return {name: tensor.tobytes() for file in files for name, tensor in file.items()}


def gradient(shape: tuple[int, ...], step: int) -> list[Any]:
    """Numbers that differ at every place and step."""
    return (np.arange(np.prod(shape), dtype=np.float32) * 7 % 5 - step - 1).reshape(shape).tolist()


@pytest.mark.parametrize("settings", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_what_was_there_stays_to_the_bit(api: Api, name: str, settings: dict[str, Any]) -> None:
    """A model that grows and one that never did move the same parameters alike, slots included."""
    parameters = {"e": EMBEDDING, "b": [0, 1]}
    for model in (f"{name}-a", f"{name}-b"):
        api.create(model, {**settings, "parameters": parameters})
    for step in range(6):
        if step == 3:
            before = state(api, f"{name}-a")
            grow(api, f"{name}-a", {"add": {"w2": {"shape": [2, 2], "init": "ones"}}})
            after = state(api, f"{name}-a")
            assert {key: after[key] for key in before} == before
        for model in (f"{name}-a", f"{name}-b"):
            more = {"w2": gradient((2, 2), step)} if step > 3 and model.endswith("-a") else {}
            api.push(model, {"e": gradient((3, 2), step), "b": gradient((2,), step), **more})
    grown, plain = state(api, f"{name}-a"), state(api, f"{name}-b")
    assert {key: grown[key] for key in plain} == plain
    assert grown["w2"] != np.ones(4, np.float32).tobytes()


def test_torch_counts_a_late_parameter_from_its_first_gradient(api: Api, name: str) -> None:
    """The first step of torch's Adam is lr * sign(g) for a parameter that is added after other updates, too."""
    api.create(name, {"optimizer": "torch.Adam", "learning_rate": 0.5, "parameters": {"w": [0]}})
    for _ in range(5):
        api.push(name, {"w": [1]})
    grow(api, name, {"add": {"late": [0, 0, 0]}})
    api.push(name, {"late": [2, -0.125, 0]})
    assert api.pull(name)["late"].tolist() == pytest.approx([-0.5, 0.5, 0], abs=1e-6)


def test_rows_of_an_embedding(api: Api, name: str) -> None:
    """New rows are those of a longer embedding; old rows and moments stay, and new moments are 0."""
    settings = {"optimizer": "adam", "learning_rate": 0.01}
    api.create(name, {**settings, "parameters": {"e": EMBEDDING}})
    api.create(f"{name}-long", {**settings, "parameters": {"e": {**EMBEDDING, "shape": [5, 2]}}})
    api.push(name, {"e": gradient((3, 2), 1)})
    before, moments = api.pull(name)["e"], api.get(f"/v1/models/{name}/state.safetensors").tensors()
    page = grow(api, name, {"rows": {"e": {"count": 2, "init": "normal"}}}).json()
    assert (page["step"], page["version"], page["parameters"]["e"]["shape"]) == (1, 3, [5, 2])
    after = api.pull(name)["e"]
    assert after[:3].tobytes() == before.tobytes()
    assert after[3:].tobytes() == api.pull(f"{name}-long")["e"][3:].tobytes()
    for slot, values in api.get(f"/v1/models/{name}/state.safetensors").tensors().items():
        assert values[:3].tobytes() == moments[slot].tobytes() and not values[3:].any(), slot


def test_workers_that_push_the_old_shape_are_told(api: Api, name: str) -> None:
    """Dense gradients in the old shape are 422 with the version; rows are accepted, also those that exist now."""
    api.create(name, {"optimizer": "lazy_adam", "learning_rate": 0.5, "parameters": {"e": [[0, 0], [0, 0]], "b": [0]}})
    grow(api, name, {"rows": {"e": {"count": 1, "init": "zeros"}}})
    for body, headers in (({"gradients": {"e": [[1, 1], [1, 1]]}}, {}), (None, {"Content_Type": SAFETENSORS})):
        if body is None:
            answer = api.push_binary(name, {"e": np.ones((2, 2), np.float32)})
        else:
            answer = api("POST", f"/v1/models/{name}/gradients", body, **headers)
        problem = answer.expect(422).json()
        assert problem["detail"].startswith(
            "`e` has shape [3, 2] since version 2, not [2, 2]; pull again, and push that shape."
        )
        assert problem["errors"][0]["expected"] == [3, 2]
    api.push(name, {"e": {"indices": [1, 2], "values": [[1, 1], [1, 1]]}})
    np.testing.assert_allclose(api.pull(name)["e"], [[0, 0], [-0.5, -0.5], [-0.5, -0.5]], rtol=1e-6)
    api.push(name, {"b": [1]})


def test_a_growth_wakes_waiting_pulls_and_old_versions_keep_their_layout(api: Api, demo: str, daemon: Daemon) -> None:
    """A growth is a version: a pull that waits gets the new layout; the version before still has the old one."""
    cursor = api.get(f"/v1/models/{demo}").json()["cursor"]
    answers: list[Answer] = []

    def wait() -> None:
        other = Api(daemon.host, daemon.port)
        answers.append(other("GET", f"/v1/models/{demo}/parameters?since={cursor}&wait=60s"))
        other.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    until_waiting(api, 1)
    grow(api, demo, {"add": {"v": [7]}})
    waiting.join(60)
    assert {key: from_json(value).tolist() for key, value in answers[0].expect(200).json()["parameters"].items()} == {
        "w": [0, 0],
        "v": [7],
    }
    old = api.get(f"/v1/models/{demo}/versions/{cursor}/parameters").json()
    assert list(old["parameters"]) == ["w"]


def test_a_growth_is_an_event_with_old_and_new(api: Api, demo: str, daemon: Daemon) -> None:
    """Followers get the parameters that are new, and the shapes before and after."""
    with Events(daemon.host, daemon.port, f"/v1/models/{demo}/events?types=grown") as stream:
        grow(api, demo, {"add": {"v": [7]}, "rows": {"w": {"count": 1, "init": "ones"}}})
        event = stream.next().data
    assert event["changes"] == [
        {"path": "/parameters/w/shape", "old": [2], "new": [3]},
        {"path": "/parameters/v", "old": None, "new": {"shape": [1], "trainable": True, "group": "default"}},
    ]
    assert (event["step"], event["version"]) == (0, 2)


def test_a_key_and_a_condition(api: Api, demo: str) -> None:
    """A repeated request adds nothing again; another body under the key, and a missed version, are refused."""
    body = {"rows": {"w": {"count": 1, "init": "zeros"}}}
    first = grow(api, demo, body, Idempotency_Key=f"{demo}-1")
    again = grow(api, demo, body, Idempotency_Key=f"{demo}-1")
    assert again.headers["idempotency-replayed"] == "true" and again.json()["version"] == first.json()["version"] == 2
    grow(api, demo, {"add": {"x": [1]}}, 422, Idempotency_Key=f"{demo}-1")
    uid = first.json()["uid"]
    grow(api, demo, body, 412, If_Match=f'"{uid}.1"')
    assert api.get(f"/v1/models/{demo}").json()["version"] == 2


def test_kill_after_a_growth(tmp_path: Path, start: Callable[..., Daemon]) -> None:
    """After a kill the model has the new layout, to the bit, and continues; its checkpoint brings the old one back."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    settings = {"optimizer": "torch.AdamW", "learning_rate": 0.1, "averages": {"ema": {"decay": 0.5}}}
    api.create("m", {**settings, "parameters": {"e": EMBEDDING}})
    api.push("m", {"e": gradient((3, 2), 0)})
    old, saved = state(api, "m"), api("POST", "/v1/models/m/checkpoints").expect(201).json()["id"]
    body = {"add": {"w": {"shape": [2], "init": "uniform"}}, "rows": {"e": {"count": 2, "init": "normal"}}}
    grow(api, "m", body)
    api.push("m", {"e": gradient((5, 2), 1), "w": [1, 2]})
    new, digest = state(api, "m"), api.get("/v1/models/m/state").json()["digest"]
    daemon.process.kill()
    daemon.process.wait(20)

    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    assert state(api, "m") == new and api.get("/v1/models/m/state").json()["digest"] == digest
    short = api("POST", "/v1/models/m/gradients", {"gradients": {"e": gradient((3, 2), 1)}}).expect(422).json()
    assert "since version 3" in short["detail"]
    api("POST", f"/v1/models/m/checkpoints/{saved}/restore").expect(200)
    assert state(api, "m") == old and list(api.pull("m")) == ["e"]
    api.push("m", {"e": gradient((3, 2), 1)})
    api("POST", "/v1/models/m/rollback", {"step": 0}).expect(200)
    assert list(api.pull("m")) == ["e"]
    continued = state(api, "m")
    daemon.process.kill()
    daemon.process.wait(20)
    daemon = start(data_dir=tmp_path)
    assert state(Api(daemon.host, daemon.port), "m") == continued


def test_the_file_of_a_grown_model_becomes_a_model_again(api: Api, name: str) -> None:
    """A checkpoint's file has the new layout; the model that it makes is the same."""
    api.create(name, {"optimizer": "adam", "learning_rate": 0.1, "parameters": {"e": EMBEDDING}})
    api.push(name, {"e": gradient((3, 2), 0)})
    grow(api, name, {"add": {"w": [1, 2]}, "rows": {"e": {"count": 1, "init": "ones"}}})
    saved = api("POST", f"/v1/models/{name}/checkpoints").expect(201).json()["id"]
    file = api.get(f"/v1/models/{name}/checkpoints/{saved}.safetensors").body
    api("PUT", f"/v1/models/{name}-again", file, Content_Type=SAFETENSORS).expect(201)
    assert state(api, f"{name}-again") == state(api, name)


def test_averages_start_with_the_new_values(api: Api, name: str) -> None:
    """The average of a new parameter is its value at first, and follows it from there: 0.5 * 1 + 0.5 * (1 - 1)."""
    settings = {"optimizer": "sgd", "learning_rate": 1, "averages": {"ema": {"decay": 0.5}}}
    api.create(name, {**settings, "parameters": {"w": [0]}})
    api.push(name, {"w": [-1]})
    api.push(name, {"w": [-1]})
    grow(api, name, {"add": {"x": [1]}})
    path = f"/v1/models/{name}/parameters?average=ema"
    assert [from_json(tensor).tolist() for tensor in api.get(path).json()["parameters"].values()] == [[1.5], [1]]
    api.push(name, {"x": [1]})
    assert from_json(api.get(path).json()["parameters"]["x"]).tolist() == [0.5]


def test_groups_and_their_order(api: Api, name: str) -> None:
    """New parameters are last in the update order, in the group that was named, whatever the globs match."""
    groups = [{"name": "conv", "params": ["conv*"]}, {"name": "heads", "params": ["h"], "lr": 0.5}]
    parameters = {"conv1": [0], "h": [0]}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "groups": groups, "parameters": parameters})
    detail = grow(api, name, {"add": {"conv2": [0]}}, 422).json()["detail"]
    assert "say the group of the new parameters" in detail
    page = grow(api, name, {"add": {"conv2": [0], "x": [0]}, "group": "heads"}).json()
    assert {key: facts["group"] for key, facts in page["parameters"].items()} == {
        "conv1": "conv",
        "h": "heads",
        "conv2": "heads",
        "x": "heads",
    }
    page = grow(api, name, {"add": {"conv3": [0]}, "group": "conv"}).json()
    assert list(page["parameters"]) == ["conv1", "h", "conv2", "x", "conv3"]
    api.push(name, {key: [1] for key in page["parameters"]})
    assert [float(value[0]) for value in api.pull(name).values()] == [-1, -0.5, -0.5, -0.5, -1]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"rows": {}}, ""),
        ({"add": {"w": [1]}}, "/add/w"),
        ({"add": {"x": {"shape": [1]}}}, "/add/x"),
        ({"add": {"x": {"shape": [1], "init": "zeroes"}}}, "/add/x/init/type"),
        ({"add": {"x": {"rows": 1}}}, "/add/x/rows"),
        ({"add": {"x": [1]}, "group": "heads"}, "/group"),
        ({"add": {"x": [1]}, "group": 1}, "/group"),
        ({"group": "default", "rows": {"w": {"count": 1, "init": "ones"}}}, "/group"),
        ({"rows": {"v": {"count": 1, "init": "zeros"}}}, "/rows/v"),
        ({"rows": {"w": {"count": 0, "init": "zeros"}}}, "/rows/w/count"),
        ({"rows": {"w": {"count": 1}}}, "/rows/w/init"),
        ({"rows": {"w": {"count": 1, "init": "zero"}}}, "/rows/w/init/type"),
        ({"rows": {"w": {"count": 1, "init": "ones", "shape": 1}}}, "/rows/w/shape"),
        ({"rows": {"w": 3}}, "/rows/w"),
        ({"rows": {"scalar": {"count": 1, "init": "ones"}}}, "/rows/scalar"),
        ({"parameters": {"x": [1]}}, "/parameters"),
        ({"add": {"x": [1]}, "rows": {"v": {"count": 1, "init": "ones"}}}, "/rows/v"),
    ],
    ids=json.dumps,
)
def test_refused_bodies(api: Api, name: str, body: dict[str, Any], pointer: str) -> None:
    """Each mistake is 422 with its place, and nothing is applied."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0], "scalar": 1}})
    before = api.get(f"/v1/models/{name}").body
    problem = grow(api, name, body, 422).json()
    assert problem["errors"][0]["pointer"] == pointer, problem
    assert api.get(f"/v1/models/{name}").body == before


def test_a_growth_that_does_not_fit(start: Callable[..., Daemon]) -> None:
    """One that could never fit is 422, and the model continues."""
    daemon = start("--memory", "64M")
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "adam", "learning_rate": 1, "parameters": {"w": [0, 0]}})
    problem = grow(api, "m", {"add": {"x": {"shape": [1 << 22], "init": "zeros"}}}, 422).json()
    assert problem["type"] == "/problems/exceeds-memory"
    grow(api, "m", {"rows": {"w": {"count": 1 << 40, "init": "zeros"}}}, 422)
    api.push("m", {"w": [1, 1]})
    assert list(api.pull("m")) == ["w"]


TWO_RULES = {
    "optimizer": "torch.Adam",
    "learning_rate": 0.5,
    "groups": [
        {"name": "a", "params": ["w", "v"]},
        {"name": "b", "params": ["u"], "lr": 0.25},
        {"name": "c", "params": ["t"], "optimizer": {"type": "SGD", "momentum": 0.5}},
    ],
    "parameters": {"w": [0], "v": [0], "u": [0], "t": [0]},
}


def place(api: Api, model: str, changes: dict[str, Any], status: int = 200) -> dict[str, Any]:
    """Moves or freezes parameters; returns the page."""
    return api("PATCH", f"/v1/models/{model}", {"parameters": changes}).expect(status).json()


def test_a_parameter_moves_to_another_group(api: Api, name: str) -> None:
    """It keeps values, slots and count, and has the rate of the new group; another optimizer resets its slots."""
    api.create(name, TWO_RULES)
    api.push(name, {"w": [1], "v": [1]})
    before = state(api, name)
    page = place(api, name, {"v": {"group": "b"}})
    assert (page["version"], page["step"], page["parameters"]["v"]["group"]) == (3, 1, "b") and "reset" not in page
    assert state(api, name) == before
    assert api.get(f"/v1/models/{name}/groups/a").json()["params"] == ["w"]
    # torch's Adam with equal gradients moves by lr at each step.
    api.push(name, {"v": [1]})
    assert api.pull(name)["v"][0] == pytest.approx(-0.75, abs=1e-5)
    page = place(api, name, {"v": {"group": "c"}})
    assert page["reset"] == ["v"] and list(page["parameters"]) == ["w", "v", "u", "t"]
    slots = api.get(f"/v1/models/{name}/state.safetensors").tensors()
    assert slots["v#momentum_buffer"].tolist() == [0] and "v#exp_avg" not in slots
    detail = place(api, name, {"w": {"group": "b"}}, 422)["detail"]
    assert "Group `a` would have no parameters" in detail


def test_a_frozen_parameter(api: Api, name: str) -> None:
    """Gradients for it are refused, its values and slots stay, and it continues from them."""
    api.create(name, {"optimizer": "adam", "learning_rate": 0.5, "parameters": {"w": [0, 1], "v": [0]}})
    api.push(name, {"w": [1, 2], "v": [1]})
    before = state(api, name)
    page = place(api, name, {"w": {"trainable": False}})
    assert page["parameters"]["w"]["trainable"] is False
    api.push(name, {"w": [1, 1]}, 422)
    api.push(name, {"v": [1]})
    place(api, name, {"w": {"trainable": True}})
    after = state(api, name)
    assert {key: after[key] for key in before if key.startswith("w")} == {
        key: value for key, value in before.items() if key.startswith("w")
    }
    api.push(name, {"w": [1, 1]})
    assert state(api, name)["w"] != before["w"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"v": {"group": "c"}}, "/parameters/v/group"),
        ({"v": {"group": None}}, "/parameters/v/group"),
        ({"v": {"trainable": 1}}, "/parameters/v/trainable"),
        ({"v": {"lr": 1}}, "/parameters/v/lr"),
        ({"v": {}}, "/parameters/v"),
        ({"v": None}, "/parameters/v"),
        ({"x": {"trainable": False}}, "/parameters/x"),
        ({"count": {"trainable": True}}, "/parameters/count/trainable"),
        (["v"], "/parameters"),
        ({"v": {"trainable": False}, "w": {"group": "b"}}, "/parameters"),
    ],
    ids=json.dumps,
)
def test_refused_moves(api: Api, name: str, changes: Any, pointer: str) -> None:
    """Each mistake is 422 with its place, and nothing is applied."""
    groups = [{"name": "a", "params": ["w"]}, {"name": "b", "params": ["v"]}]
    parameters = {"w": [0], "v": [0], "count": {"shape": [1], "data": [1], "dtype": "I64", "trainable": False}}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "groups": groups, "parameters": parameters})
    before = api.get(f"/v1/models/{name}").body
    assert place(api, name, changes, 422)["errors"][0]["pointer"] == pointer
    assert api.get(f"/v1/models/{name}").body == before


def test_what_a_round_holds_for_a_frozen_parameter(api: Api, name: str) -> None:
    """It is dropped for good: (2 + 4) / 2 for `w`, and only the second push, (0 + 4) / 2, for `v`."""
    consistency = {"mode": "sync", "workers": 2, "round_timeout": "120s"}
    parameters = {"w": [0], "v": [0]}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": parameters, "consistency": consistency})
    api.push(name, {"w": [2], "v": [2]}, 202, worker="a", seq=1)
    for is_trained in (False, True):
        place(api, name, {"v": {"trainable": is_trained}})
    api.push(name, {"w": [4], "v": [4]}, worker="b", seq=1)
    assert {key: value.tolist() for key, value in api.pull(name).items()} == {"w": [-3], "v": [-2]}
