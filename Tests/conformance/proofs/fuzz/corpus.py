"""The fuzzer's starting points: a valid request of every route, and the collections of other suites as bodies."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from support.daemon import REPOSITORY
from support.wire import SAFETENSORS, Api

JSON = "application/json"
MODEL = "/v1/models/m"
#: The models at the start of every batch.
DEFINITIONS: dict[str, dict[str, Any]] = {
    "m": {
        "optimizer": {"type": "momentum", "momentum": 0.5},
        "learning_rate": [0.5, 0.25, 0.125, 0.0625],
        "parameters": {"w": [1, 2], "v": [[1, 2], [3, 4]]},
        "groups": [{"name": "g", "params": ["v"], "lr": 0.1}, {"name": "rest", "params": ["*"]}],
    },
    "sparse": {"optimizer": "adam", "parameters": {"table": {"shape": [4, 2], "init": "ones"}, "b": [0.5]}},
}


@dataclass(frozen=True)
class Case:
    """A request before it is serialized; its length is computed then."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def wire(self) -> bytes:
        """Returns the bytes for the socket."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body is not None and not any(name == "Content-Length" for name, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + (self.body or b"")

    def with_body(self, body: bytes) -> Case:
        """Returns the same request with another body."""
        return replace(self, body=body)


def prepare(api: Api) -> list[int]:
    """Creates the models for a batch, with steps, a worker and two checkpoints; returns the checkpoints' numbers."""
    checkpoints = []
    for name, definition in DEFINITIONS.items():
        api.create(name, definition)
    for step in (1, 2):
        api.push("m", {"w": [1, 1], "v": [[0, 1], [1, 0]]}, worker="a", seq=step)
        checkpoints.append(api("POST", f"{MODEL}/checkpoints").expect(201).json()["id"])
    api.push("sparse", {"table": {"indices": [1, 3], "values": [[1, 1], [2, 2]]}})
    return checkpoints


def raw_cases() -> list[bytes]:
    """Requests that are already broken, from the server's own collection."""
    path = REPOSITORY / "Tests/HTTPServingTests/Corpora/raw-cases.json"
    return [base64.b64decode(case["request_b64"]) for case in json.loads(path.read_text())]


def reads() -> list[Case]:
    """Requests for everything that can be read."""
    views = [f"{MODEL}/{view}" for view in _VIEWS.split()]
    fixed = [
        "/",
        "/openapi.json",
        "/livez",
        "/healthz",
        "/readyz",
        "/version",
        "/problems/not-found",
        "/v1/server",
        "/v1/models",
    ]
    return [Case("GET", target) for target in [*fixed, MODEL, *views]] + [Case("HEAD", MODEL), Case("OPTIONS", "*")]


_VIEWS = """
groups groups/g parameters parameters.json parameters.safetensors parameters?name=w parameters?dtype=F16
parameters?since=1&wait=1ms parameters/w parameters/v.npy versions/2/parameters versions/2/parameters.safetensors
versions/2/parameters.json state state.json state.safetensors workers workers/a pushes/a/1 checkpoints checkpoints/1
checkpoints/1.safetensors lr lr?from=0&to=3 lr?param=w lr.json?from=0&to=3 lr.csv?from=0&to=3 lr.svg?from=0&to=3
lr.txt?from=0&to=3 weight_decay weight_decay.json weight_decay.csv?from=0&to=3 weight_decay.svg?from=0&to=3
weight_decay.txt?from=0&to=3 round barriers/b history history.json history.csv?series=loss
"""


def _json(method: str, target: str, body: Any, **headers: str) -> Case:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Case(method, target, (("Content-Type", JSON), *named), json.dumps(body).encode())


def _file(method: str, target: str, tensors: dict[str, np.ndarray]) -> Case:
    return Case(method, target, (("Content-Type", SAFETENSORS),), safetensors.numpy.save(tensors, {"worker": "b"}))


def writes() -> list[Case]:
    """A request of every kind that has a body or changes something."""
    push = {"gradients": {"w": [1, -1], "v": [[0, 1], [1, 0]]}}
    arrays = {"w": np.float32([1, 2]), "v": np.float32([[1, 2], [3, 4]])}
    table = {"table": {"indices": [0, 2], "values": [[1, 1], [2, 2]]}, "b": [0.1]}
    rows = {"table#indices": np.int64([0, 2]), "table#values": np.float32([[1, 1], [2, 2]])}
    schedule = {"schedule": "cosine_decay_lr", "min_lr": 0.001, "max_lr": 0.1, "decay_steps": 20}
    return [
        *(_json("PUT", f"/v1/models/{name}?join=1", body) for name, body in DEFINITIONS.items()),
        _json("PUT", "/v1/models/new", {**DEFINITIONS["m"], "learning_rate": schedule, "weight_decay": 0.01}),
        _json("PATCH", MODEL, {"learning_rate": {"append": [0.3]}, "weight_decay": 0.1}),
        _json("PATCH", f"{MODEL}/groups/g", {"lr": schedule}),
        _json("POST", f"{MODEL}/gradients", push),
        _json("POST", f"{MODEL}/gradients", {**push, "worker": "a", "seq": 3, "based_on": 2}),
        _json("POST", f"{MODEL}/gradients?pull=1", push, Idempotency_Key="key-1"),
        _json("POST", f"{MODEL}/gradients", push, If_Match="*"),
        _json("POST", "/v1/models/sparse/gradients", {"gradients": table}),
        _file("POST", f"{MODEL}/gradients", arrays),
        _file("POST", "/v1/models/sparse/gradients", rows),
        _json("PUT", f"{MODEL}/parameters", {"parameters": {"w": [7, 8], "v": [[1, 2], [3, 4]]}}),
        _json(
            "POST",
            f"{MODEL}/parameters",
            {"add": {"x": {"shape": [2], "init": "zeros"}}, "group": "g", "rows": {"v": {"count": 2, "init": "ones"}}},
        ),
        _json("PUT", f"{MODEL}/parameters.json?partial=1", {"parameters": {"w": [7, 8]}}),
        _file("PUT", f"{MODEL}/parameters", arrays),
        _file("PUT", f"{MODEL}/parameters.safetensors", arrays),
        _json("POST", f"{MODEL}/parameters/v/lookup", {"indices": [0, 1, 0]}),
        Case("PUT", f"{MODEL}/workers/b"),
        _json("POST", f"{MODEL}/workers/a/heartbeat", {"epoch": 0}),
        _json("POST", f"{MODEL}/barriers/b", {"worker": "a", "count": 2}),
        _json("POST", f"{MODEL}/scalars", {"scalars": {"acc": 0.5}}),
        Case("POST", f"{MODEL}/step"),
        Case("POST", f"{MODEL}/checkpoints"),
        *(_json("POST", f"/v1/lr_preview{end}", {"learning_rate": schedule, "from": 0, "to": 9}) for end in _FORMS),
    ]


def endings() -> list[Case]:
    """Requests that delete something, and with it the effects of other requests."""
    slots = {"w#moments": np.float32([1, 2]), "v#moments": np.float32([[1, 2], [3, 4]])}
    return [
        _json("PUT", f"{MODEL}?replace=1", DEFINITIONS["m"]),
        Case("DELETE", MODEL),
        Case("DELETE", f"{MODEL}/checkpoints/1"),
        Case("DELETE", f"{MODEL}/workers/a"),
        Case("POST", f"{MODEL}/checkpoints/2/restore"),
        _json("POST", f"{MODEL}/rollback", {"step": 1}),
        _file("PUT", f"{MODEL}/state", slots),
        _file("PUT", f"{MODEL}/state.safetensors", slots),
    ]


_FORMS = ("", ".json", ".csv", ".svg", ".txt")


def foreign_bodies() -> list[Case]:
    """Test files of other parsers, as bodies of pushes."""
    folder = REPOSITORY / "Tests/TensorCodingTests/Corpora"
    documents = _small(folder / "json/nst-JSONTestSuite", "**/*.json")
    files = _small(folder / "safetensors", "*.safetensors")
    push = Case("POST", f"{MODEL}/gradients")
    return [
        *(replace(push, headers=(("Content-Type", JSON),), body=path.read_bytes()) for path in documents),
        *(replace(push, headers=(("Content-Type", SAFETENSORS),), body=path.read_bytes()) for path in files),
    ]


def _small(folder: Path, pattern: str) -> list[Path]:
    return [path for path in sorted(folder.glob(pattern)) if path.stat().st_size < 10_000]
