"""A state moves between models, and from other frameworks; values that no state can have are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.faults import run
from support.trained import DEFINITIONS, SHAPES, definition, gradients, trained
from support.wire import SAFETENSORS, Api

HEADERS = {"Content-Type": SAFETENSORS}
FIXED = {"type": "fixed", "loss_scale": 1}


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_state_goes_into_another_model(api: Api, name: str, kind: str) -> None:
    """State and parameters of one model make another equal to it: the same digest, the same next updates."""
    trained(api, name, kind)
    api.create(f"{name}-b", definition(kind))
    state = api.get(f"/v1/models/{name}/state.safetensors").expect(200).body
    page = api("PUT", f"/v1/models/{name}-b/state", state, **HEADERS).expect(200).json()
    assert page["step"] == 5
    values = api.get(f"/v1/models/{name}/parameters.safetensors").body
    api("PUT", f"/v1/models/{name}-b/parameters", values, **HEADERS).expect(200)
    for seed in (10, 11):
        one, other = (api.get(f"/v1/models/{model}/state").json() for model in (name, f"{name}-b"))
        assert (one["digest"], one["scalars"], one["slots"]) == (other["digest"], other["scalars"], other["slots"])
        for model in (name, f"{name}-b"):
            api.push(model, gradients(seed, "a.weight", "b"))
        assert {key: value.tobytes() for key, value in api.pull(name).items()} == {
            key: value.tobytes() for key, value in api.pull(f"{name}-b").items()
        }


def test_values_stay_and_the_version_goes_on(api: Api, name: str) -> None:
    """An import of a state moves no parameter; a suffix in the path names the type."""
    trained(api, name, "adam")
    api.create(f"{name}-b", definition("adam"))
    state = api.get(f"/v1/models/{name}/state.safetensors").body
    before = api.get(f"/v1/models/{name}-b/parameters").json()
    api("PUT", f"/v1/models/{name}-b/state.safetensors", state).expect(200)
    after = api.get(f"/v1/models/{name}-b/parameters").json()
    assert after["parameters"] == before["parameters"]
    assert (before["step"], after["step"]) == (0, 5) and after["version"] == before["version"] + 1


def torch_state() -> dict[str, np.ndarray]:
    """The result of a script from `optimizer.state_dict()`: torch keeps `step` as a float32 scalar."""
    return {
        "b#step": np.array(3, np.float32),
        "b#exp_avg": np.full(5, 0.1, np.float32),
        "b#exp_avg_sq": np.full(5, 0.01, np.float32),
    }


def test_a_torch_state(api: Api, name: str) -> None:
    """A parameter that the file omits has had no gradient; the next update follows torch's formula."""
    body = {"optimizer": {"type": "adam", "framework": "torch"}, "learning_rate": 0.1}
    api.create(name, {**definition("torch.adam"), **body})
    page = api("PUT", f"/v1/models/{name}/state", safetensors.numpy.save(torch_state()), **HEADERS).expect(200).json()
    assert page["step"] == 3
    slots = api.get(f"/v1/models/{name}/state").json()["slots"]
    assert slots["b#step"]["data"] == [3] and slots["a.weight#step"]["data"] == [0]
    api.push(name, gradients(0, "a.weight", "b"))
    gradient = np.array(gradients(0, "a.weight", "b")["b"])
    m, v = 0.9 * 0.1 + 0.1 * gradient, 0.999 * 0.01 + 0.001 * gradient**2
    wanted = 0.5 - 0.1 / (1 - 0.9**4) * m / (np.sqrt(v) / np.sqrt(1 - 0.999**4) + 1e-8)
    np.testing.assert_allclose(api.pull(name)["b"], wanted, rtol=1e-5, atol=1e-6)


def test_scalars_as_torch_keeps_them(api: Api, name: str) -> None:
    """NAdam's product is a tensor of one value in torch's state."""
    api.create(name, definition("torch.nadam"))
    refused = api("PUT", f"/v1/models/{name}/state", safetensors.numpy.save(torch_state()), **HEADERS).expect(422)
    assert "b#mu_product" in refused.json()["detail"]
    state = {**torch_state(), "b#mu_product": np.array(0.25, np.float32)}
    api("PUT", f"/v1/models/{name}/state", safetensors.numpy.save(state), **HEADERS).expect(200)
    assert api.get(f"/v1/models/{name}/state").json()["scalars"]["b#mu_product"] == 0.25


def test_a_mindspore_state(api: Api, name: str) -> None:
    """`moment1.b` of a checkpoint is `b#moment1`; the metadata has the step, which determines its powers."""
    api.create(name, {**definition("adam"), "optimizer": "adam", "learning_rate": 0.1, "loss_scaling": FIXED})
    state = {"b#moment1": np.full(5, 0.1, np.float32), "b#moment2": np.full(5, 0.01, np.float32)}
    nameless = api("PUT", f"/v1/models/{name}/state", safetensors.numpy.save(state), **HEADERS).expect(422)
    assert "global_step" in nameless.json()["detail"]
    tensor = safetensors.numpy.save({**state, "global_step": np.array([2], np.int32)})
    assert api("PUT", f"/v1/models/{name}/state", tensor, **HEADERS).expect(200).json()["step"] == 2
    file = safetensors.numpy.save(state, {"global_step": "3"})
    assert api("PUT", f"/v1/models/{name}/state", file, **HEADERS).expect(200).json()["step"] == 3
    api.push(name, gradients(0, "b"))
    gradient = np.array(gradients(0, "b")["b"])
    m, v = 0.9 * 0.1 + 0.1 * gradient, 0.999 * 0.01 + 0.001 * gradient**2
    wanted = 0.5 - 0.1 * np.sqrt(1 - 0.999**4) / (1 - 0.9**4) * m / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(api.pull(name)["b"], wanted, rtol=1e-5, atol=1e-6)


WRONG: list[tuple[str, dict[str, np.ndarray | None], dict[str, str], str]] = [
    ("a slot is missing", {"b#exp_avg": None}, {}, "b#exp_avg"),
    ("a count is missing", {"b#step": None}, {}, "b#step"),
    ("a fraction", {"b#step": np.array(2.5, np.float32)}, {}, "b#step"),
    ("a negative count", {"b#step": np.array(-1, np.int64)}, {}, "b#step"),
    ("a shape", {"b#exp_avg": np.zeros((5, 1), np.float32)}, {}, "b#exp_avg"),
    ("an unknown name", {"c#exp_avg": np.zeros(5, np.float32)}, {}, "c#exp_avg"),
    ("a slot of another rule", {"b#moment1": np.zeros(5, np.float32)}, {}, "b#moment1"),
    ("NaN", {"b#exp_avg": np.full(5, np.nan, np.float32)}, {}, "b#exp_avg"),
    ("no number", {}, {"global_step": "three"}, "global_step"),
    ("half a step", {}, {"global_step": "2.5"}, "global_step"),
    ("an infinite scalar", {}, {"b#started": "inf"}, "b#started"),
    ("a flag of seven", {}, {"b#started": "7"}, "b#started"),
    ("half a flag", {}, {"b#started": "0.5"}, "b#started"),
    ("a flag of seven as a tensor", {"b#started": np.array(7, np.float32)}, {}, "b#started"),
    ("a count that float32 would round", {"b#step": np.array(16777217.0)}, {}, "b#step"),
    ("a fraction that float32 would lose", {"b#step": np.array(3.00000001)}, {}, "b#step"),
    ("a fraction in the metadata", {"b#step": None}, {"b#step": "2.5"}, "b#step"),
    ("a negative step as a tensor", {"global_step": np.array([-1], np.int32)}, {}, "global_step"),
    ("two steps", {"global_step": np.array([1, 2], np.int32)}, {}, "global_step"),
    ("a negative step", {}, {"global_step": "-1"}, "global_step"),
    ("a step beyond all numbers", {}, {"global_step": "1e300"}, "global_step"),
    ("a negative average of squares", {"b#exp_avg_sq": np.float32([0, 0, -1, 0, 0])}, {}, "b#exp_avg_sq"),
    ("a power that is not a number", {}, {"beta1_power": "nan"}, "beta1_power"),
    ("a power above one", {}, {"beta2_power": "1.5"}, "beta2_power"),
    ("a loss scale of zero", {}, {"loss_scale": "0"}, "loss_scale"),
    ("a loss scale beyond float32", {}, {"loss_scale": "1e39"}, "loss_scale"),
    ("half an overflow", {}, {"loss_scale#overflows": "0.5"}, "loss_scale#overflows"),
]


@pytest.mark.parametrize(("_what", "tensors", "scalars", "named"), WRONG, ids=[row[0] for row in WRONG])
def test_what_is_wrong_with_a_state_is_named(
    api: Api, name: str, _what: str, tensors: dict[str, np.ndarray | None], scalars: dict[str, str], named: str
) -> None:
    """The import is all or nothing: the detail names the tensor, and the model is unchanged."""
    trained(api, name, "torch.adam")
    api("PATCH", f"/v1/models/{name}", {"optimizer": {"amsgrad": False}}).expect(200)
    before = api.get(f"/v1/models/{name}/state").body
    state = {key: value for key, value in {**torch_state(), **tensors}.items() if value is not None}
    answer = api("PUT", f"/v1/models/{name}/state", safetensors.numpy.save(state, scalars), **HEADERS).expect(422)
    assert named in answer.json()["detail"]
    assert api.get(f"/v1/models/{name}/state").body == before


#: Groups of a torch optimizer with different slots: the content of torch's own state_dict for `a.weight` and `b`.
GROUPS: list[tuple[dict[str, Any], dict[str, Any], dict[str, list[str]]]] = [
    (
        {"type": "adam", "amsgrad": False},
        {"amsgrad": True},
        {"a.weight": ["exp_avg", "exp_avg_sq"], "b": ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]},
    ),
    (
        {"type": "rmsprop", "centered": True},
        {"momentum": 0.9, "centered": False},
        {"a.weight": ["square_avg", "grad_avg"], "b": ["square_avg", "momentum_buffer"]},
    ),
    ({"type": "sgd", "momentum": 0.9}, {"momentum": 0.0}, {"a.weight": ["momentum_buffer"], "b": []}),
]


@pytest.mark.parametrize(("rule", "group", "slots"), GROUPS, ids=[row[0]["type"] for row in GROUPS])
def test_a_torch_state_of_groups(
    api: Api, name: str, rule: dict[str, Any], group: dict[str, Any], slots: dict[str, list[str]]
) -> None:
    """Each parameter has the slots of its own group, and all of those are still required."""
    optimizer = {**rule, "framework": "torch"}
    groups = [{"params": ["a.weight"]}, {"params": ["b"], **group}]
    api.create(name, {**definition("torch.adam"), "optimizer": optimizer, "groups": groups})
    state = {f"{key}#{slot}": np.full(SHAPES[key], 0.25, np.float32) for key, kept in slots.items() for slot in kept}
    counts = {} if rule["type"] == "sgd" else {f"{key}#step": np.array(3, np.float32) for key in SHAPES}
    for slot in state:
        lacking = {key: value for key, value in {**state, **counts}.items() if key != slot}
        if sum(key.split("#")[0] == slot.split("#")[0] for key in lacking if "#step" not in key) == 0:
            continue
        body = safetensors.numpy.save(lacking, {"global_step": "3"})
        assert slot in api("PUT", f"/v1/models/{name}/state", body, **HEADERS).expect(422).json()["detail"]
    body = safetensors.numpy.save({**state, **counts}, {"global_step": "3"})
    assert api("PUT", f"/v1/models/{name}/state", body, **HEADERS).expect(200).json()["step"] == 3
    tensors = api.get(f"/v1/models/{name}/state").json()["slots"]
    for key, shape in SHAPES.items():
        for kept in slots[key]:
            assert np.array(tensors[f"{key}#{kept}"]["data"]).tolist() == [0.25] * int(np.prod(shape))
    api.push(name, gradients(0, "a.weight", "b"))


def test_a_state_is_a_file(api: Api, name: str) -> None:
    """A JSON body is refused with the type to send."""
    trained(api, name, "adam")
    answer = api("PUT", f"/v1/models/{name}/state", {"slots": {}}).expect(415)
    assert "application/vnd.safetensors" in answer.json()["detail"]


def test_if_match(api: Api, name: str) -> None:
    """A state meant for another version is not imported."""
    trained(api, name, "adam")
    state = api.get(f"/v1/models/{name}/state.safetensors").body
    tag = api.get(f"/v1/models/{name}").headers["etag"]
    api.push(name, gradients(9, "b"))
    api("PUT", f"/v1/models/{name}/state", state, **HEADERS, If_Match=tag).expect(412)


def test_an_import_survives_a_restart(tmp_path: Path) -> None:
    """The journal has it, and `paramd replay` gives the same digest."""
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        trained(api, "m", "torch.nadam")
        state = api.get("/v1/models/m/state.safetensors").body
        api.create("n", definition("torch.nadam"))
        api.push("n", gradients(20, "b"))
        api("PUT", "/v1/models/n/state", state, **HEADERS).expect(200)
        api.push("n", gradients(21, "a.weight", "b"))
        before = api.get("/v1/models/n/state").json()
    with Daemon(data_dir=tmp_path) as daemon:
        after = Api(daemon.host, daemon.port).get("/v1/models/n/state").json()
    assert after == before
    assert before["digest"] in run("replay", tmp_path, "--model", "n").stdout
