"""A PATCH with which the open round could not be an update is refused, and no round stays open past its deadline."""

from __future__ import annotations

import base64
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.trained import checkpoint, metadata
from support.wire import SAFETENSORS, Answer, Api, until_waiting, wait_until, waiting

MODEL = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}}
GROUPED = {**MODEL, "groups": [{"name": "g", "params": ["w"]}]}
TORCH = {**MODEL, "optimizer": {"type": "sgd", "framework": "torch", "momentum": 0.5}}
TWO = {"groups": [{"name": "x", "params": ["w"]}, {"name": "y", "params": ["v"]}], "parameters": {"w": [0], "v": [0]}}
SYNC = {"mode": "sync", "workers": 2, "min_pushes": 1, "round_timeout": "120s"}
MANUAL = {"mode": "manual"}


def misfit(answer: Answer) -> tuple[str, dict[str, Any]]:
    """The detail of a refusal of this kind, and its facts about the round."""
    document = answer.expect(409).json()
    assert document["type"] == "/problems/round-misfit" and "errors" not in document
    return document["detail"], document["round"]


@pytest.mark.parametrize("consistency", [SYNC, MANUAL], ids=["sync", "manual"])
@pytest.mark.parametrize(
    ("model", "brought", "patch", "words"),
    [
        (GROUPED, {"learning_rate": 0.1}, {"groups": {"g": {"lr": 0.5}}}, "`learning_rate` would have no effect"),
        (TORCH, {"nesterov": True}, {"optimizer": {"momentum": 0}}, "`nesterov` needs a momentum"),
        (
            {**TORCH, **TWO},
            {"weight_decay": 0.1},
            {"groups": {"x": {"weight_decay": 0.2}, "y": {"weight_decay": 0.2}}},
            "`weight_decay` would have no effect",
        ),
        ({**MODEL, "learning_rate": [1, 1], "step": 1}, None, {"learning_rate": [1]}, "none for step 1"),
    ],
    ids=["rate", "nesterov", "decay", "exhausted"],
)
def test_a_change_that_the_round_does_not_fit(
    api: Api, name: str, model: Any, brought: Any, patch: Any, words: str, consistency: Any
) -> None:
    """The refusal names the step, the pushes and what to do; once that is done, the change is accepted."""
    path = f"/v1/models/{name}"
    api.create(name, {**model, "consistency": consistency})
    fields = {} if brought is None else {"hyperparameters": brought}
    api.push(name, {"w": np.ones(len(model["parameters"]["w"]))}, 202, worker="a", seq=1, **fields)
    step = model.get("step", 0) + 1
    detail, facts = misfit(api("PATCH", path, patch))
    assert facts == {"step": step, "received": 1, "hyperparameters": brought}
    assert f"The open round of step {step} has 1 push" in detail and words in detail and "POST .../step" in detail
    assert ("deadline" in detail) == (consistency is SYNC) and "Set it for" not in detail
    if brought is not None:
        assert json.dumps(brought, separators=(",", ":")) in detail
    before = api.get(path).json()
    assert before["version"] == 1 and api.get(f"{path}/pushes/a/1").json()["outcome"] == "held"
    assert api("POST", f"{path}/step").expect(200).json()["step"] == step
    api("PATCH", path, patch).expect(200)


def test_the_endpoint_of_a_group(api: Api, name: str) -> None:
    """The endpoint of one group refuses the same change, and a change that the round fits is accepted."""
    path = f"/v1/models/{name}"
    api.create(name, {**GROUPED, "consistency": SYNC})
    api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1, hyperparameters={"learning_rate": 0.25})
    misfit(api("PATCH", f"{path}/groups/g", {"lr": 0.5}))
    api("PATCH", f"{path}/groups/g", {"weight_decay": 0}).expect(200)
    done = api.push(name, {"w": [1, 2]}, worker="b", seq=1, hyperparameters={"learning_rate": 0.25}).json()
    assert done["round"] == {"state": "closed", "step": 1, "received": 2}
    np.testing.assert_array_equal(api.pull(name)["w"], [-0.25, -0.25])


def test_sparse_gradients_that_the_optimizer_would_not_take(api: Api, name: str) -> None:
    """AMSGrad takes whole gradients only, so it cannot be turned on while the round has rows."""
    path = f"/v1/models/{name}"
    api.create(name, {**MODEL, "optimizer": "adam", "parameters": {"e": [[0, 0], [0, 0]]}, "consistency": MANUAL})
    rows = {"indices": [1], "values": [[1, 2]]}
    api("POST", f"{path}/gradients", {"gradients": {"e": rows}, "worker": "a", "seq": 1}).expect(202)
    detail, _ = misfit(api("PATCH", path, {"optimizer": {"use_amsgrad": True}}))
    assert "does not support sparse gradients" in detail
    api.push(name, {"e": [[1, 1], [1, 1]]}, 202, worker="b", seq=1)
    # The sum of rows and a whole gradient is a whole gradient.
    api("PATCH", path, {"optimizer": {"use_amsgrad": True}}).expect(200)
    assert api("POST", f"{path}/step").expect(200).json()["round"]["received"] == 2


def stuck(api: Api, model: str, **consistency: Any) -> bytes:
    """The file of a model whose rates have ended, although its round holds a push of worker `a`."""
    api.create(model, {**MODEL, "learning_rate": [0.75, 0.625], "step": 1, "consistency": consistency})
    api.push(model, {"w": [1, 0]}, 202, worker="a", seq=1)
    file = checkpoint(api, model)
    tensors, known = safetensors.numpy.load(file), metadata(file)
    del known["paramd.checksum"]
    image = base64.b64decode(known["paramd.image"])
    two, one = struct.pack("<qdd", 2, 0.75, 0.625), struct.pack("<qd", 1, 0.75)
    assert two in image
    known["paramd.image"] = base64.b64encode(image.replace(two, one)).decode()
    return safetensors.numpy.save(tensors, known)


@pytest.mark.parametrize("extra", [{"min_pushes": 1}, {"on_timeout": "extend"}], ids=["quorum", "extend"])
def test_the_deadline_ends_such_a_round(api: Api, name: str, extra: dict[str, Any]) -> None:
    """A file can have such a round. It is dropped at its deadline, and a retry that waits hears why."""
    file = stuck(api, f"{name}-first", mode="sync", workers=2, round_timeout="2s", **extra)
    path = f"/v1/models/{name}"
    api("PUT", path, file, Content_Type=SAFETENSORS).expect(201)
    before = waiting(api)
    with ThreadPoolExecutor(1) as pool:

        def retry() -> Answer:
            own = Api(api.host, api.port)
            try:
                body = {"gradients": {"w": [1, 0]}, "worker": "a", "seq": 1}
                return own("POST", f"{path}/gradients?wait=60s", body)
            finally:
                own.close()

        future = pool.submit(retry)
        until_waiting(api, before + 1)
        dropped = future.result(timeout=60).expect(409).json()
    assert dropped["type"] == "/problems/round-dropped" and dropped["round"]["reason"] == "refused"
    wait_until(lambda: api.get(f"{path}/round").json()["received"] == 0)
    assert api.get(f"{path}/pushes/a/1").json()["outcome"] == "dropped"
    api("PATCH", path, {"learning_rate": 1}).expect(200)
    assert api.push(name, {"w": [1, 0]}, 202, worker="b", seq=1).json()["round"]["received"] == 1


@pytest.mark.parametrize(
    ("settings", "patch", "scales", "same"),
    [
        ({"loss_scale": 4}, {"loss_scale": 2}, (4, 2), {"loss_scale": 4}),
        ({"loss_scale": 4}, {"loss_scale": None}, (4, 1), {"loss_scale": 4.0, "weight_decay": 0}),
        ({"loss_scale": 4}, {"loss_scale": 8, "consistency": {"mode": "async"}}, (4, 8), {"weight_decay": 0}),
        ({}, {"loss_scaling": {"type": "fixed", "loss_scale": 16}}, (1, 16), {"weight_decay": 0}),
        (
            {"loss_scaling": {"type": "dynamic", "init_loss_scale": 1024}},
            {"loss_scaling": {"type": "dynamic", "init_loss_scale": 512}},
            (1024, 512),
            {"loss_scaling": {"type": "dynamic", "init_loss_scale": 1024, "scale_window": 100}},
        ),
    ],
    ids=["number", "default", "mode", "fixed", "dynamic"],
)
def test_another_loss_scale(api: Api, name: str, settings: Any, patch: Any, scales: Any, same: Any) -> None:
    """A round divides its gradients by the scale that they were multiplied by; the scale may change after it."""
    path = f"/v1/models/{name}"
    api.create(name, {**MODEL, **settings, "consistency": SYNC})
    scale, other = scales
    api.push(name, {"w": [2 * scale, 0]}, 202, worker="a", seq=1)
    detail, facts = misfit(api("PATCH", path, patch))
    assert facts == {"step": 1, "received": 1, "hyperparameters": None}
    assert f"the loss scale {scale};" in detail and f"divided by {other}." in detail and "POST .../step" in detail
    assert api.get(path).json()["version"] == 1
    api("PATCH", path, same).expect(200)
    api.push(name, {"w": [0, 4 * scale]}, worker="b", seq=1)
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])
    api("PATCH", path, patch).expect(200)


EMBEDDED = {
    "optimizer": "lazyadam",
    "learning_rate": 0.1,
    "parameters": {"a": [[1, 1], [1, 1]], "b": [[1, 1], [1, 1]], "c": [1]},
}
ROWS = {"b": {"indices": [1], "values": [[1, 1]]}}


@pytest.mark.parametrize("rest", [{}, {"consistency": None}], ids=["moved", "moved and without rounds"])
@pytest.mark.parametrize(("optimizer", "fits"), [("sgd", False), ("adagrad", False), ("adam", True)])
def test_a_move_to_a_group_that_takes_no_rows(api: Api, name: str, optimizer: str, fits: bool, rest: Any) -> None:
    """The round has rows of a parameter: it can move only to a group whose optimizer takes them."""
    path = f"/v1/models/{name}"
    groups = [{"name": "x", "params": ["a"], "optimizer": optimizer}, {"name": "y", "params": ["*"]}]
    api.create(name, {**EMBEDDED, "groups": groups, "consistency": SYNC | {"min_pushes": 2}})
    api.push(name, ROWS, 202, worker="a", seq=1)
    patch = {"parameters": {"b": {"group": "x"}}, **rest}
    if fits:
        api("PATCH", path, patch).expect(200)
    else:
        detail, facts = misfit(api("PATCH", path, patch))
        assert facts["received"] == 1 and "does not support sparse gradients" in detail
    if not (fits and rest):
        api.push(name, {"c": [1]}, 200, worker="b", seq=1)
    assert api.get(path).json()["step"] == 1
    api("PATCH", path, {"parameters": {"b": {"group": "x"}}}).expect(200)
