"""Sends every alternative in the contract once and checks it: in bodies, in arguments, in answers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from support import contract
from support.contract import CONTRACT, OPERATIONS
from support.wire import Api

B64 = {"dtype": "F32", "shape": [2], "b64": "AACAPwAAAMA="}
COSINE = {"schedule": "cosine_decay_lr", "min_lr": 0.001, "max_lr": 0.1, "decay_steps": 2000}
PARAMETERS = {
    "scalar": 1,
    "list": [1, 2],
    "nested": [[1, 2], [3, 4]],
    "flat": {"shape": [2], "data": [1, 2], "dtype": "F32"},
    "init": {"shape": [2, 2], "init": "zeros"},
    "seeded": {"shape": [2, 2], "init": {"type": "he_uniform", "seed": 1}},
    "b64": B64,
    "count": {"shape": [], "dtype": "I64", "data": [0], "trainable": False},
    "flags": {"shape": [2], "dtype": "BOOL", "init": "ones", "trainable": False},
}
GROUPS = [{"name": "one", "params": ["list"], "lr": 0.1}, {"params": ["*"], "weight_decay": 0.1}]
LISTED = ["list", "scalar", "nested", "flat", "init", "seeded", "b64", "count", "flags"]
MODEL = "/v1/models/{model}"
SGD = {
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "parameters": {"scalar": 1, "list": [1, 2], "nested": [[1, 2], [3, 4]]},
}
TORCH = {"optimizer": {"type": "adam", "framework": "torch"}, "parameters": {"w": [0]}, "groups": [{"params": ["w"]}]}
BROUGHT = {"maximize": True, "eps": 1e-6, "betas": [0.8, 0.9], "groups": {"group0": {"lr": 0.2}}}

#: A body for every alternative that a body can have: method, path of the contract, body.
BODIES: list[tuple[str, str, Any]] = [
    ("put", MODEL, {"optimizer": "sgd", "learning_rate": 0.1, "parameters": PARAMETERS}),
    ("put", MODEL, {**SGD, "learning_rate": [0.2, 0.1], "loss_scaling": {"type": "fixed", "loss_scale": 128}}),
    ("put", MODEL, {**SGD, "optimizer": "adam", "weight_decay": COSINE, "loss_scaling": {"type": "dynamic"}}),
    ("put", MODEL, {**SGD, "parameters": PARAMETERS, "groups": [*GROUPS, {"order_params": LISTED}]}),
    ("patch", MODEL, {"parameters": {"list": {"trainable": False}}}),
    ("patch", MODEL, {"parameters": {"list": {"group": "one", "trainable": True}}}),
    ("patch", MODEL, {"groups": {"one": {"lr": 0.2, "weight_decay": 0.2}}}),
    ("patch", MODEL, {"groups": [{"name": "one", "lr": None, "weight_decay": None}]}),
    ("put", MODEL, {**SGD, "optimizer": {"type": "momentum", "momentum": 0.9}, "weight_decay": 0.1}),
    ("patch", MODEL, {"learning_rate": COSINE, "weight_decay": None, "past_end": "hold"}),
    ("patch", MODEL, {"learning_rate": [0.2, 0.1], "weight_decay": 0.2, "past_end": None}),
    ("patch", MODEL, {"learning_rate": {"append": [0.05]}}),
    ("patch", MODEL + "/groups/{group}", {"lr": {"append": [0.05]}}),
    ("put", MODEL, {**SGD, "optimizer": "lazy_adam"}),
    ("patch", MODEL, {"learning_rate": None}),
    ("post", MODEL + "/gradients", {"gradients": {"scalar": 1, "list": {"data": [1, 2]}, "nested": [[1, 2], [3, 4]]}}),
    ("post", MODEL + "/gradients", {"gradients": {"list": B64, "nested": {"indices": [1], "values": [[1, 2]]}}}),
    ("post", MODEL + "/gradients", {"gradients": {"list": {"indices": [1, 0], "values": [1, 2]}}, "based_on": 0}),
    ("post", MODEL + "/gradients", {"gradients": {"list": [1, 2]}, "based_on": "CURSOR"}),
    ("put", MODEL + "/parameters", {"parameters": {"list": [1, 2], "scalar": 2}}),
    ("post", MODEL + "/parameters", {"add": {"more": 1, "most": [[1, 2]]}}),
    ("post", MODEL + "/parameters", {"rows": {"list": {"count": 1, "init": "ones"}}}),
    ("put", MODEL, {**TORCH, "groups": [{"params": ["w"], "lr": 0.1}]}),
    ("post", MODEL + "/gradients", {"gradients": {"w": [1]}, "hyperparameters": BROUGHT}),
    ("patch", MODEL, {"groups": {"group0": {"betas": [0.8, 0.9]}}}),
    ("patch", MODEL, {"groups": {"group0": {"betas": None}}}),
    ("put", MODEL + "/workers/{worker}", {"ttl": "30s"}),
    ("put", MODEL + "/workers/{worker}", {"ttl": 30}),
    ("put", MODEL, {**SGD, "clip": {"global_norm": 1}}),
    ("put", MODEL, {**SGD, "clip": {"value": 0.5, "per": "worker"}}),
    ("put", MODEL, {**SGD, "consistency": {"mode": "manual", "reduce": "sum"}}),
    ("put", MODEL, {**SGD, "consistency": {"mode": "ssp", "workers": 2, "slack": 3}}),
    ("put", MODEL, {**SGD, "consistency": {"mode": "sync", "workers": 2, "round_timeout": 30}}),
    ("put", MODEL, {**SGD, "consistency": {"mode": "sync", "workers": "registered", "round_timeout": "auto"}}),
    ("put", MODEL, {**SGD, "consistency": {"mode": "sync", "min_pushes": 2}}),
    ("put", MODEL, {**SGD, "consistency": {"mode": "async", "max_staleness": 2}}),
    ("post", "/v1/lr_preview", {"learning_rate": COSINE, "to": 3}),
]


def test_every_alternative_has_an_example(api: Api, name: str) -> None:
    """A valid body matches every branch of an anyOf or oneOf, and the daemon accepts it."""
    covered: set[tuple[int, int]] = set()
    for method, path, template in BODIES:
        cursor = api("GET", f"/v1/models/{name}").json().get("cursor", "")
        body = json.loads(json.dumps(template).replace("CURSOR", cursor))
        schema = contract.body_schema(method, path)
        assert contract.is_valid(schema, body), body
        replacing = "?replace=1" if (method, path) == ("put", MODEL) else ""
        answer = api(method.upper(), contract.named(path, name) + replacing, body)
        assert answer.status in (200, 201), (body, answer.body)
        covered |= set(contract.taken(schema, body))
    seen: set[int] = set()
    for method, path in OPERATIONS:
        if "application/json" in CONTRACT["paths"][path][method].get("requestBody", {}).get("content", {}):
            for key, index, place in contract.alternatives(contract.body_schema(method, path), path, seen):
                assert (key, index) in covered, f"no body takes {place}"


#: Values of the arguments with alternatives: operation, argument, values with CURSOR for the model's.
ARGUMENTS: list[tuple[str, str, str, list[Any]]] = [
    ("get", MODEL + "/parameters", "since", ["CURSOR", 0]),
    ("post", MODEL + "/gradients", "X-Paramd-Based-On", ["CURSOR", 0]),
]
#: Requests whose answers each match a different alternative.
ANSWERS: list[tuple[str, str]] = [
    (MODEL + "/lr", ""),
    (MODEL + "/lr", "?to=3"),
    (MODEL + "/lr", "?param=w"),
    (MODEL + "/weight_decay", ""),
    (MODEL + "/weight_decay", "?to=3"),
]


def test_every_alternative_of_an_argument_is_sent(api: Api, demo: str) -> None:
    """A value matches every branch of an anyOf or oneOf of a query argument or header, and the answer is 200."""
    covered: set[tuple[int, int]] = set()
    for method, path, argument, values in ARGUMENTS:
        schema = contract.arguments(method, path)[argument]["schema"]
        for value in values:
            sent = api.get(f"/v1/models/{demo}").json()["cursor"] if value == "CURSOR" else value
            api.push(demo, {"w": [0, 0]})
            if argument == "since":
                api("GET", f"{contract.named(path, demo)}?since={sent}").expect(200)
            else:
                api.push_binary(demo, {"w": np.float32([0, 0])}, **{argument: str(sent)}).expect(200)
            covered |= set(contract.taken(schema, sent))
    seen: set[int] = set()
    for method, path in OPERATIONS:
        for argument, parameter in contract.arguments(method, path).items():
            for key, index, place in contract.alternatives(parameter["schema"], argument, seen):
                assert (key, index) in covered, f"no value takes {place}"


def test_every_alternative_of_an_answer_is_given(api: Api, demo: str) -> None:
    """Some answer matches every branch at the top of an answer's schema."""
    covered: set[tuple[int, int]] = set()
    for path, query in ANSWERS:
        schema = CONTRACT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        covered |= set(contract.taken(schema, api.get(contract.named(path, demo) + query).json()))
    for path in {path for path, _ in ANSWERS}:
        schema = CONTRACT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert {(id(schema["anyOf"]), index) for index, _ in enumerate(schema["anyOf"])} <= covered, path
    for path, item in CONTRACT["paths"].items():
        for answer in item.get("get", {}).get("responses", {}).values():
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            assert not {"anyOf", "oneOf"} & schema.keys() or contract.unsuffixed(path) in dict(ANSWERS), path


@pytest.mark.parametrize("flag", [*CONTRACT["components"]["schemas"]["Flag"]["enum"], "2", "TRUE", "yes", "-1"])
def test_flags_are_what_their_schema_says(api: Api, demo: str, flag: str) -> None:
    """A flag accepts every word of its enumeration, including the empty one, and no other."""
    status = 200 if flag in CONTRACT["components"]["schemas"]["Flag"]["enum"] else 422
    answer = api("GET", f"/v1/models/{demo}/parameters?meta_only={flag}").expect(status)
    if status == 200:
        assert ("data" in answer.json()["parameters"]["w"]) == (flag in ("0", "false"))
    api("PUT", f"/v1/models/{demo}/parameters?partial={flag}", {"parameters": {"w": [0, 0]}}).expect(status)
