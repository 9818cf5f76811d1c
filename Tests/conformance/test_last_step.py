"""The end of counting: 2^53 - 1 is the last step, and a model that reaches it can be loaded again."""

from __future__ import annotations

import http.client
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.faults import run
from support.wire import SAFETENSORS, Answer, Api

#: The largest integer whose neighbours a double, and so every JSON library, can represent: IEEE 754.
LAST = 9007199254740991
HEADERS = {"Content-Type": SAFETENSORS}
MOMENTUM = {
    "optimizer": {"type": "momentum", "momentum": 0.5},
    "learning_rate": 0.5,
    "parameters": {"w": [1], "v": [1]},
}
TORCH = {**MOMENTUM, "optimizer": {"type": "adam", "framework": "torch"}}


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[tuple[Api, Path]]:
    """A daemon with its own directory, which is opened again at the end: every model must be unchanged."""
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        yield api, tmp_path
        models = [model["model"] for model in api.get("/v1/models").json()["models"]]
        before = {model: api.get(f"/v1/models/{model}/state").json() for model in models}
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        assert {model: api.get(f"/v1/models/{model}/state").json() for model in models} == before
    for model, state in before.items():
        assert state["digest"] in run("replay", tmp_path, "--model", model).stdout


def push(api: Api, model: str, *names: str, query: str = "") -> Answer:
    """A push for these parameters."""
    return api("POST", f"/v1/models/{model}/gradients{query}", {"gradients": {name: [1] for name in names}})


def refused(answer: Answer, *words: str) -> None:
    """Checks that the steps are used up, and that the answer says what to do."""
    problem = answer.expect(409).json()
    assert problem["type"] == "/problems/steps-used-up", problem
    for word in (str(LAST), "othing was applied", "PUT .../state", *words):
        assert word in problem["detail"], problem


def checkpoint(api: Api, model: str) -> int:
    """Saves a checkpoint and returns its number."""
    return api("POST", f"/v1/models/{model}/checkpoints", {}).expect(201).json()["id"]


@pytest.mark.parametrize("definition", [MOMENTUM, TORCH], ids=["mindspore", "torch"])
def test_the_last_push(directory: tuple[Api, Path], definition: dict[str, Any]) -> None:
    """One push succeeds and the next does not; a checkpoint restores and makes a model."""
    api, _ = directory
    api.create("m", {**definition, "step": LAST - 1})
    first = checkpoint(api, "m")
    assert push(api, "m", "w").expect(200).json()["step"] == LAST
    before = api.get("/v1/models/m/state").json()
    refused(push(api, "m", "w"), "global_step", "estore a checkpoint")
    refused(push(api, "m", "w", query="?dry_run=1"), "global_step")
    assert api.get("/v1/models/m/state").json() == before
    last = checkpoint(api, "m")
    file = api.get(f"/v1/models/m/checkpoints/{last}.safetensors").body
    api("PUT", "/v1/models/copy", file, **HEADERS).expect(201)
    refused(push(api, "copy", "w"))
    api("POST", f"/v1/models/m/checkpoints/{first}/restore").expect(200)
    push(api, "m", "w").expect(200)
    api("POST", f"/v1/models/m/checkpoints/{last}/restore").expect(200)
    refused(push(api, "m", "w"))
    api("PATCH", "/v1/models/m", {"learning_rate": 0.25}).expect(200)
    assert api.get("/v1/models/m").json()["step"] == LAST


def test_pushes_at_once(directory: tuple[Api, Path]) -> None:
    """Of several pushes in progress, only one takes the last step."""
    api, _ = directory
    api.create("m", {**MOMENTUM, "step": LAST - 2})
    ways = [http.client.HTTPConnection(api.host, api.port, timeout=90) for _ in range(6)]
    for way in ways:
        way.request("POST", "/v1/models/m/gradients", b'{"gradients":{"w":[1]}}', {"Content-Type": "application/json"})
    statuses = sorted(way.getresponse().status for way in ways)
    for way in ways:
        way.close()
    assert statuses == [200, 200, 409, 409, 409, 409]
    assert api.get("/v1/models/m").json()["step"] == LAST


def test_a_state_at_the_end(directory: tuple[Api, Path]) -> None:
    """`PUT .../state` accepts the last step, and none beyond it; after an import of a smaller one pushes continue."""
    api, _ = directory
    api.create("m", MOMENTUM)

    def put(step: int, status: int) -> Any:
        tensors = {f"{name}#moments": np.zeros(1, np.float32) for name in "wv"}
        body = safetensors.numpy.save(tensors, {"global_step": str(step)})
        return api("PUT", "/v1/models/m/state", body, **HEADERS).expect(status).json()

    assert "2^53 - 1" in put(LAST + 1, 422)["detail"]
    assert put(LAST, 200)["step"] == LAST
    refused(push(api, "m", "w"))
    put(LAST - 1, 200)
    assert push(api, "m", "w").expect(200).json()["step"] == LAST


def test_counts_of_parameters(directory: tuple[Api, Path]) -> None:
    """The framework torch counts per parameter: one whose count is used up takes no gradient, the others do."""
    api, _ = directory
    api.create("m", TORCH)
    tensors = {f"w#{slot}": np.zeros(1, np.float32) for slot in ("exp_avg", "exp_avg_sq")}
    state = {**tensors, "w#step": np.array(LAST - 1, np.int64)}
    api("PUT", "/v1/models/m/state", safetensors.numpy.save(state, {"global_step": "5"}), **HEADERS).expect(200)
    push(api, "m", "w", "v").expect(200)
    before = api.get("/v1/models/m/state").json()
    assert before["slots"]["w#step"]["data"] == [LAST]
    refused(push(api, "m", "w", "v"), "`w#step`")
    assert api.get("/v1/models/m/state").json() == before
    assert push(api, "m", "v").expect(200).json()["step"] == 7


def test_steps_of_a_loss_scale(directory: tuple[Api, Path]) -> None:
    """MindSpore's manager counts steps too."""
    api, _ = directory
    scaling = {"type": "dynamic", "init_loss_scale": 4, "scale_window": 3}
    api.create("m", {**MOMENTUM, "loss_scaling": scaling})
    push(api, "m", "w").expect(200)
    file = api.get("/v1/models/m/state.safetensors").body
    head = json.loads(file[8 : 8 + struct.unpack("<Q", file[:8])[0]])["__metadata__"]
    del head["paramd.checksum"]
    head["loss_scale#steps"] = str(LAST - 1)
    body = safetensors.numpy.save(safetensors.numpy.load(file), head)
    api("PUT", "/v1/models/m/state", body, **HEADERS).expect(200)
    push(api, "m", "w").expect(200)
    refused(push(api, "m", "w"), "`loss_scale#steps`")


def test_a_definition_beyond_the_end(api: Api, name: str) -> None:
    """2^53 is not a valid step."""
    problem = api("PUT", f"/v1/models/{name}", {**MOMENTUM, "step": LAST + 1}).expect(422).json()
    assert problem["errors"][0]["pointer"] == "/step"
    api.create(name, {**MOMENTUM, "step": LAST})
    refused(push(api, name, "w"))
