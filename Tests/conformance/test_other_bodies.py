"""A request that is sent again under its number or key: the same body gets the first answer, any other is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Answer, Api

FIELDS: dict[str, Any] = {
    "based_on": 0,
    "num_examples": 4,
    "loss": 1,
    "metrics": {"acc": 0.5, "f1": 1},
    "hyperparameters": {"learning_rate": 0.5},
    "complete": True,
}
OTHERS: dict[str, list[Any]] = {
    "based_on": [None, 1, "{uid}-1"],
    "num_examples": [None, 5, "many"],
    "loss": [None, 2, "low"],
    "metrics": [None, {}, {"acc": 0.5}, {"acc": 0.5, "f1": 2}, {"acc": 0.5, "f1": 1, "f2": 1}],
    "hyperparameters": [None, {"learning_rate": 0.25}, {"learning_rate": 0.5, "momentum": 0}],
    "complete": [None, False],
}
IDENTITIES = {
    "number": {"X_Paramd_Worker": "a", "X_Paramd_Seq": "1"},
    "key": {"Idempotency_Key": "k-1"},
}
MODES: dict[str, Any] = {"applied": {"mode": "async"}, "held": {"mode": "sync", "workers": 3}}
HEADERS = ("based_on", "num_examples", "loss", "hyperparameters")
GRADIENTS = np.array([1, 2], np.float32)


def text(value: Any) -> str:
    """A field as a header or as metadata has it."""
    return value if isinstance(value, str) else json.dumps(value)


def in_json(fields: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A body with everything in it."""
    return json.dumps({"gradients": {"w": GRADIENTS.tolist()}, **fields}).encode(), {}


def in_metadata(fields: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A file whose metadata has the fields."""
    metadata = {name: text(value) for name, value in fields.items()}
    return safetensors.numpy.save({"w": GRADIENTS}, metadata), {"Content_Type": SAFETENSORS}


def in_headers(fields: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A file whose request has headers for all fields that can be in one."""
    headers = {f"X_Paramd_{name}": text(value) for name, value in fields.items() if name in HEADERS}
    body, kind = in_metadata({name: value for name, value in fields.items() if name not in HEADERS})
    return body, headers | kind


FORMS = {"json": in_json, "metadata": in_metadata, "headers": in_headers}


def push(api: Api, model: str, form: str, identity: str, fields: dict[str, Any], query: str = "") -> Answer:
    """Sends the same gradients with these fields."""
    body, headers = FORMS[form](fields)
    return api("POST", f"/v1/models/{model}/gradients{query}", body, **headers, **IDENTITIES[identity])


def others(uid: str) -> list[dict[str, Any]]:
    """All fields, with one left out or changed."""
    found = []
    for name, values in OTHERS.items():
        for value in values:
            changed = value.format(uid=uid) if isinstance(value, str) else value
            found.append({k: v for k, v in {**FIELDS, name: changed}.items() if v is not None})
    return found


def check_retries(api: Api, model: str, form: str, identity: str, status: int) -> None:
    """Refuses each other body, then recognizes the same one in every form and order."""
    uid = api.get(f"/v1/models/{model}").json()["uid"]
    for fields in others(uid):
        for query in ("", "?dry_run=1"):
            problem = push(api, model, form, identity, fields, query).expect(422).json()
            assert problem["type"] == "/problems/key-reused", (fields, problem)
    turned = {name: FIELDS[name] for name in reversed(FIELDS)}
    turned["metrics"] = {"f1": 1.0, "acc": 0.5}
    for same in FORMS:
        for fields in (FIELDS, turned, {**FIELDS, "loss": 1.0, "num_examples": 4.0e0}):
            assert push(api, model, same, identity, fields).expect(status).json()["replayed"] is True


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("identity", IDENTITIES)
def test_each_field_of_a_push(tmp_path: Path, identity: str, mode: str) -> None:
    """In every form; also after a kill, and after the layout has changed."""
    daemon = Daemon(data_dir=tmp_path)
    status = 200 if mode == "applied" else 202
    try:
        api = Api(daemon.host, daemon.port)
        for form in FORMS:
            definition = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}}
            api.create(form, {**definition, "consistency": MODES[mode]})
            assert push(api, form, form, identity, FIELDS).expect(status).json()["replayed"] is False
            check_retries(api, form, form, identity, status)
        daemon.process.kill()
        daemon.process.wait(30)
        daemon = Daemon(data_dir=tmp_path)
        api = Api(daemon.host, daemon.port)
        for form in FORMS:
            check_retries(api, form, form, identity, status)
            growth = {"rows": {"w": {"count": 1, "init": "zeros"}}, "add": {"v": [0]}}
            api("POST", f"/v1/models/{form}/parameters", growth).expect(200)
            check_retries(api, form, form, identity, status)
            moved = [-0.5, -1, 0] if mode == "applied" else [0, 0, 0]
            assert api.pull(form)["w"].tolist() == moved
    finally:
        daemon.process.kill()
        daemon.process.wait(30)


def test_a_field_that_the_first_push_did_not_have(api: Api, name: str) -> None:
    """Nothing in the first body stands for any field."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}})
    for form in FORMS:
        for identity in IDENTITIES:
            push(api, name, form, identity, {}).expect(200)
            for field, value in FIELDS.items():
                problem = push(api, name, form, identity, {field: value}).expect(422).json()
                assert problem["type"] == "/problems/key-reused", (form, field)
            for empty in ({"metrics": {}}, {"hyperparameters": {}}, {"complete": False}):
                assert push(api, name, form, identity, empty).expect(200).json()["replayed"] is True
    assert api.pull(name)["w"].tolist() == [-2, -4]


def test_an_unknown_field_makes_another_body(api: Api, demo: str) -> None:
    """A retry with it was not accepted before, so it is not the first request; metadata of files is not read."""
    body = {"gradients": {"w": [1, 0]}, "worker": "a", "seq": 1}
    target = f"/v1/models/{demo}/gradients"
    api("POST", target, body).expect(200)
    assert api("POST", target, {**body, "lss": 1}).expect(422).json()["type"] == "/problems/key-reused"
    file = safetensors.numpy.save({"w": np.array([1, 0], np.float32)}, {"format": "pt", "worker": "a", "seq": "1"})
    assert api("POST", target, file, Content_Type=SAFETENSORS).expect(200).json()["replayed"] is True


OPTIMIZER = {"type": "momentum", "momentum": 0.5}
MODEL = {"optimizer": OPTIMIZER, "learning_rate": 1, "parameters": {"w": [0, 0]}}


def state(step: int, *moments: float) -> bytes:
    """The state of the model as a file."""
    slots = {"w#moments": np.array(moments, np.float32), "global_step": np.array([step], np.int32)}
    return safetensors.numpy.save(slots)


# Method, path, body, and bodies that ask for something else.
WRITES: dict[str, tuple[str, str, Any, list[Any]]] = {
    "create": (
        "PUT",
        "/v1/models/{new}",
        MODEL,
        [
            {**MODEL, "optimizer": {**OPTIMIZER, "momentum": 0.25}},
            {**MODEL, "learning_rate": 2},
            {**MODEL, "parameters": {"w": [0, 1]}},
            {**MODEL, "parameters": {"w": [0]}},
            {**MODEL, "consistency": {"mode": "manual"}},
            {**MODEL, "clip": {"value": 1}},
            {**MODEL, "averages": {"ema": {}}},
            {**MODEL, "step": 3},
            {**MODEL, "loss_scale": 2},
        ],
    ),
    "patch": (
        "PATCH",
        "/v1/models/{m}",
        {"learning_rate": 0.5},
        [{"learning_rate": 0.25}, {"learning_rate": 0.5, "momentum": 0.1}, {"consistency": {"mode": "manual"}}],
    ),
    "patch of a group": (
        "PATCH",
        "/v1/models/{m}/groups/default",
        {"lr": 0.5},
        [{"lr": 0.25}, {"lr": 0.5, "weight_decay": 0.1}],
    ),
    "import": (
        "PUT",
        "/v1/models/{m}/parameters",
        {"parameters": {"w": [1, 2]}},
        [{"parameters": {"w": [1, 3]}}, {"parameters": {"w": [-1, 2]}}],
    ),
    "growth": (
        "POST",
        "/v1/models/{m}/parameters",
        {"add": {"v": [0]}, "rows": {"w": {"count": 1, "init": "ones"}}},
        [
            {"add": {"v": [1]}, "rows": {"w": {"count": 1, "init": "ones"}}},
            {"add": {"v": [0]}},
            {"add": {"v": [0]}, "rows": {"w": {"count": 2, "init": "ones"}}},
            {"add": {"v": [0]}, "rows": {"w": {"count": 1, "init": "zeros"}}},
            {"add": {"v": [0]}, "group": "default", "rows": {"w": {"count": 1, "init": "ones"}}},
        ],
    ),
    "scalars": (
        "POST",
        "/v1/models/{m}/scalars",
        {"step": 0, "scalars": {"acc": 0.5}},
        [{"scalars": {"acc": 0.5}}, {"step": 0, "scalars": {"acc": 0.6}}, {"step": 0, "scalars": {"f1": 0.5}}],
    ),
    "registration": (
        "PUT",
        "/v1/models/{m}/workers/a",
        {"ttl": "30s"},
        [{"ttl": "40s"}, None],
    ),
    "rollback": ("POST", "/v1/models/{m}/rollback", {"step": 0}, [{"step": 1}]),
    "state": (
        "PUT",
        "/v1/models/{m}/state.safetensors",
        state(0, 1, 2),
        [state(0, 1, 3), state(1, 1, 2)],
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_each_member_of_another_write(api: Api, name: str, write: str) -> None:
    """Under a key, the first body is answered again, and any other is refused."""
    method, path, body, different = WRITES[write]
    api.create(name, MODEL)
    target = path.format(m=name, new=f"{name}-new")
    first = api(method, target, body, Idempotency_Key="k")
    assert first.status in (200, 201), first
    for other in different:
        problem = api(method, target, other, Idempotency_Key="k").expect(422).json()
        assert problem["type"] == "/problems/key-reused", (other, problem)
    again = api(method, target, body, Idempotency_Key="k").expect(first.status)
    assert again.headers["idempotency-replayed"] == "true"
