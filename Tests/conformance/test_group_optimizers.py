"""A group's own optimizer: its arithmetic matches NumPy, files keep it, and invalid ones are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.faults import run
from support.rules import Adam, Momentum
from support.trained import SHAPES, definition, gradients
from support.wire import SAFETENSORS, Api

MOMENTUM = {"type": "momentum", "momentum": 0.9}
TWO: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 0.01,
    "groups": [{"name": "x", "params": ["a*"]}, {"name": "y", "params": ["b"], "lr": 0.1, "optimizer": MOMENTUM}],
    "parameters": {name: {"shape": list(shape), "init": "zeros"} for name, shape in SHAPES.items()},
}


def test_each_group_follows_its_optimizer(api: Api, name: str) -> None:
    """Adam and Momentum in one model, by JSON and safetensors, match NumPy; Momentum matches to the bit."""
    api.create(name, TWO)
    adam, momentum = Adam(), Momentum(0.9)
    local = {key: np.zeros(shape, np.float32) for key, shape in SHAPES.items()}
    for seed in range(20):
        sent = gradients(seed, "a.weight", "b")
        arrays = {key: np.asarray(value, np.float32) for key, value in sent.items()}
        if seed % 2:
            api.push_binary(name, arrays)
        else:
            api.push(name, sent)
        weights, rest = ({key: local[key]} for key in ("a.weight", "b"))
        adam.update(weights, {"a.weight": arrays["a.weight"]}, 0.01)
        momentum.update(rest, {"b": arrays["b"]}, {"b": 0.1})
        local = weights | rest
    remote = api.pull(name)
    assert remote["b"].tobytes() == local["b"].tobytes()
    np.testing.assert_allclose(remote["a.weight"], local["a.weight"], rtol=1e-5, atol=1e-7)


def test_sparse_rows_follow_the_optimizer_of_their_group(api: Api, name: str) -> None:
    """LazyAdam accepts rows; Momentum refuses them with a reason."""
    groups = [{"params": ["a*"], "optimizer": "lazyadam"}, {"params": ["b"]}]
    api.create(name, TWO | {"optimizer": MOMENTUM, "groups": groups})
    row = {"indices": [1], "values": [[1, 1, 1, 1]]}
    api.push(name, {"a.weight": row})
    moved = api.pull(name)["a.weight"]
    assert not moved[[0, 2]].any() and moved[1] == pytest.approx(-0.01, rel=1e-4)
    refused = api.push(name, {"b": {"indices": [1], "values": [1]}}, 422).json()
    assert "Momentum does not support sparse gradients" in refused["detail"]


def test_the_page_and_the_state_tell(api: Api, name: str) -> None:
    """The group shows its optimizer; slots exist for the parameters whose optimizer has them."""
    page = api.create(name, TWO).json()
    assert [group.get("optimizer") for group in page["groups"]] == [None, MOMENTUM]
    assert page["definition"]["groups"] == TWO["groups"]
    slots = api.get(f"/v1/models/{name}/state").json()["slots"]
    assert set(slots) == {"a.weight#moment1", "a.weight#moment2", "b#moments"}
    assert api.get(f"/v1/models/{name}/lr").json()["lr"] == pytest.approx({"x": 0.01, "y": 0.1})
    api.create(name, TWO, 200)
    other = [TWO["groups"][0], TWO["groups"][1] | {"optimizer": MOMENTUM | {"momentum": 0.5}}]
    api.create(name, TWO | {"groups": other}, 409)


def test_hyperparameters_change_and_types_do_not(api: Api, name: str) -> None:
    """A patch of the group affects its optimizer from the next update on."""
    api.create(name, TWO)
    api.push(name, {"b": [1] * 5})
    api("PATCH", f"/v1/models/{name}/groups/y", {"optimizer": {"momentum": 0}, "lr": 1}).expect(200)
    api.push(name, {"b": [1] * 5})
    assert api.pull(name)["b"] == pytest.approx(-1.1)
    for patch in ({"optimizer": "adam"}, {"optimizer": {"type": "sgd"}}, {"optimizer": None}):
        refused = api("PATCH", f"/v1/models/{name}/groups/y", patch).expect(422).json()
        assert refused["errors"][0]["pointer"].endswith("/optimizer"), refused
    unknown = api("PATCH", f"/v1/models/{name}/groups/y", {"optimizer": {"beta1": 0.5}}).expect(422).json()
    assert "`beta1`" in unknown["detail"]


REFUSED: list[tuple[Any, Any, str]] = [
    ("adam", "adamm", "/groups/0/optimizer"),
    ("adam", 5, "/groups/0/optimizer"),
    ("adam", {"type": "sgd", "beta1": 0.9}, "/groups/0/optimizer/beta1"),
    ("adam", {"type": "sgd", "lr": 0.9}, "/groups/0/optimizer/lr"),
    ("adam", {"type": "momentum"}, "/groups/0/optimizer/momentum"),
    ("adam", "torch.Adam", "/groups/0/optimizer"),
    ("adam", "adafactor", "/groups/0/optimizer"),
    ("adam", {"type": "lars", "optimizer": "sgd"}, "/groups/0/optimizer"),
    ({"type": "lars", "optimizer": "sgd"}, "sgd", "/groups/0/optimizer"),
]


@pytest.mark.parametrize(("model", "own", "pointer"), REFUSED)
def test_invalid_optimizers_of_groups(api: Api, name: str, model: Any, own: Any, pointer: str) -> None:
    """An invalid optimizer is 422 with its place in the group, like the model's own, and creates nothing."""
    body = TWO | {"optimizer": model, "groups": [{"params": ["*"], "optimizer": own}]}
    refused = api.create(name, body, 422).json()
    assert refused["errors"][0]["pointer"] == pointer
    api("GET", f"/v1/models/{name}").expect(404)


def test_hyperparameters_beside_the_optimizer(api: Api, name: str) -> None:
    """The answer shows the line to write."""
    groups = [{"params": ["*"], "optimizer": "sgd", "momentum": 0.9}]
    refused = api.create(name, TWO | {"groups": groups}, 422).json()
    assert '"momentum":0.9}' in refused["detail"] and refused["errors"][0]["pointer"] == "/groups/0/momentum"


@pytest.mark.parametrize("kind", ["two", "torch.two"])
def test_files_keep_both(tmp_path: Path, kind: str) -> None:
    """Restart, `replay`, checkpoint, restore, rollback and a copy by files keep the digest."""
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", definition(kind))
        found = [digest(api, "m")]
        for seed in range(4):
            api.push("m", gradients(seed, "a.weight", *(["b"] if seed else [])))
            found.append(digest(api, "m"))
        number = api("POST", "/v1/models/m/checkpoints", {}).expect(201).json()["id"]
        file = api.get(f"/v1/models/m/checkpoints/{number}.safetensors").expect(200).body
    for step, wanted in enumerate(found):
        assert wanted in run("replay", tmp_path, "--model", "m", "--to", str(step)).stdout
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        assert digest(api, "m") == found[4]
        api.push("m", gradients(9, "a.weight", "b"))
        after = digest(api, "m")
        api("POST", f"/v1/models/m/checkpoints/{number}/restore").expect(200)
        api.push("m", gradients(9, "a.weight", "b"))
        assert parts(api, "m") == parts_after(api, file)
        assert after != found[4]
        api("POST", "/v1/models/m/rollback", {"step": 2}).expect(200)
        api.push("m", gradients(2, "a.weight", "b"))
        api.push("m", gradients(3, "a.weight", "b"))
        api("PUT", "/v1/models/n", file, **{"Content-Type": SAFETENSORS}).expect(201)
        assert parts(api, "m") == parts(api, "n")


def parts_after(api: Api, file: bytes) -> dict[str, bytes]:
    """Creates a model from the file, makes the same push, and returns its state."""
    api("PUT", "/v1/models/copy", file, **{"Content-Type": SAFETENSORS}).expect(201)
    api.push("copy", gradients(9, "a.weight", "b"))
    return parts(api, "copy")


def parts(api: Api, model: str) -> dict[str, bytes]:
    """Returns parameters, slots and counts as bytes."""
    views = ("parameters", "state")
    found = [api.get(f"/v1/models/{model}/{view}.safetensors").tensors() for view in views]
    return {name: tensor.tobytes() for tensors in found for name, tensor in tensors.items()}


def digest(api: Api, model: str) -> str:
    """The digests that the daemon reports for everything in a model."""
    return api.get(f"/v1/models/{model}/state").json()["digest"]
