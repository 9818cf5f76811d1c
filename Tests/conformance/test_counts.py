"""Steps that each parameter counts itself: they match torch after partial pushes, and no operation loses a count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import golden
from support.daemon import Daemon
from support.faults import run
from support.wire import Api, from_json

CASES = sorted((golden.FOLDER.parent / "partial").glob("*.json"))
TORCH = {"optimizer": {"type": "adam", "framework": "torch"}, "learning_rate": 0.1, "parameters": {"a": [1], "b": [1]}}


def test_partial_cases_are_there() -> None:
    """Guards against a run that replays no case."""
    assert len(CASES) >= 46


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(api: Api, name: str, path: Path) -> None:
    """Compares each step's parameters, including those without a gradient, and the rate with the record."""
    case = golden.load(path)
    api.create(name, case["definition"])
    for index, step in enumerate(case["steps"]):
        if "patch" in step:
            api("PATCH", f"/v1/models/{name}", step["patch"]).expect(200)
        answer = api("POST", f"/v1/models/{name}/gradients?pull=1", {"gradients": step["gradients"]}).expect(200).json()
        for group, rate in step.get("lr", {}).items():
            assert answer["receipt"]["lr"][group] == pytest.approx(rate, rel=1e-6)
        for parameter, tensor in step["parameters"].items():
            got = from_json(answer["parameters"][parameter])
            golden.assert_close(got, golden.array(tensor), f"step {index}, {parameter}")
    api("DELETE", f"/v1/models/{name}").expect(204)


def late(api: Api, name: str) -> None:
    """A model at step 9 whose `b` has had no gradient yet."""
    api.create(name, TORCH)
    for _ in range(9):
        api.push(name, {"a": [1]})


def steps(api: Api, name: str) -> dict[str, int]:
    """The counts, which both forms of the state must report."""
    slots = api.get(f"/v1/models/{name}/state").json()["slots"]
    by_json = {key: slot["data"][0] for key, slot in slots.items() if key.endswith("#step")}
    tensors = api.get(f"/v1/models/{name}/state.safetensors").tensors()
    by_file = {key: tensor for key, tensor in tensors.items() if key.endswith("#step")}
    assert {key: (tensor.dtype, tensor.shape) for key, tensor in by_file.items()} == {
        key: (np.dtype(np.int64), ()) for key in by_json
    }
    assert {key: int(tensor) for key, tensor in by_file.items()} == by_json
    return by_json


def test_late_parameter(api: Api, name: str) -> None:
    """Under torch the first update of a parameter moves it by the rate. The export has the counts."""
    late(api, name)
    assert steps(api, name) == {"a#step": 9, "b#step": 0}
    api.push(name, {"b": [1]})
    assert api.pull(name)["b"] == pytest.approx(0.9, abs=1e-5)
    assert steps(api, name) == {"a#step": 9, "b#step": 1}


def test_mindspore_exports_none(api: Api, name: str) -> None:
    """MindSpore counts only the model's updates."""
    api.create(name, {**TORCH, "optimizer": "adam"})
    api.push(name, {"a": [1]})
    assert steps(api, name) == {}


def test_checkpoint_rollback_and_file(api: Api, name: str) -> None:
    """A restore and a rollback bring counts back, and so does a model from a checkpoint file."""
    late(api, name)
    checkpoint = api("POST", f"/v1/models/{name}/checkpoints", {}).expect(201).json()["id"]
    for _ in range(3):
        api.push(name, {"a": [1], "b": [1]})
    api("POST", f"/v1/models/{name}/rollback", {"step": 10}).expect(200)
    assert steps(api, name) == {"a#step": 10, "b#step": 1}
    api("POST", f"/v1/models/{name}/checkpoints/{checkpoint}/restore", {}).expect(200)
    assert steps(api, name) == {"a#step": 9, "b#step": 0}
    file = api.get(f"/v1/models/{name}/checkpoints/{checkpoint}.safetensors").expect(200).body
    api("PUT", f"/v1/models/{name}-b", file, **{"Content-Type": "application/vnd.safetensors"}).expect(201)
    assert steps(api, f"{name}-b") == {"a#step": 9, "b#step": 0}
    api.push(f"{name}-b", {"b": [1]})
    assert api.pull(f"{name}-b")["b"] == pytest.approx(0.9, abs=1e-5)


def test_restart_and_replay(tmp_path: Path) -> None:
    """The journal restores the counts, and `paramd replay` prints the same digest."""
    with Daemon(data_dir=tmp_path) as daemon:
        late(Api(daemon.host, daemon.port), "m")
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        assert steps(api, "m") == {"a#step": 9, "b#step": 0}
        api.push("m", {"b": [1]})
        digest = api.get("/v1/models/m/state").json()["digest"]
    assert digest in run("replay", tmp_path, "--model", "m").stdout
