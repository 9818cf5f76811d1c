"""Schedules evaluated by `lr_preview`, without a model, against MindSpore's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import golden
from support.wire import Api

SCHEDULES = [case for case in golden.schedules() if case["kind"] in ("class", "function")]
LOSS_SCALES = [case for case in golden.schedules() if case["kind"] == "loss_scale"]


def label(case: dict[str, Any]) -> str:
    """A readable test id."""
    return f"{case['kind']}-{case['name']}"


@pytest.mark.parametrize("case", SCHEDULES, ids=label)
def test_schedule(api: Api, case: dict[str, Any]) -> None:
    """Within 1e-6 of the schedule's largest value at every recorded step."""
    body = {"learning_rate": {"schedule": case["name"], **case["args"]}, "from": 0, "to": len(case["values"]) - 1}
    answer = api("POST", "/v1/lr_preview", body).expect(200).json()
    assert answer["steps"] == list(range(len(case["values"])))
    largest = max(map(abs, case["values"]))
    assert answer["lr"] == pytest.approx(case["values"], rel=0, abs=1e-6 * largest)


@pytest.mark.parametrize("case", [case for case in SCHEDULES if case["kind"] == "function"], ids=label)
def test_function_is_an_array_that_ends(api: Api, case: dict[str, Any]) -> None:
    """A `*_lr` function gives total_step values; the step after the last is refused, or held if the request says so."""
    length = len(case["values"])
    body = {"learning_rate": {"schedule": case["name"], **case["args"]}, "from": 0, "to": length}
    problem = api("POST", "/v1/lr_preview", body).expect(409).json()
    assert problem["type"].endswith("/problems/lr-schedule-exhausted")


@pytest.mark.parametrize("case", LOSS_SCALES, ids=label)
def test_dynamic_loss_scale(api: Api, name: str, case: dict[str, Any]) -> None:
    """Overflows skip the update and shrink the scale, long runs without one grow it, as in the recorded trace."""
    arguments = case["args"]
    scaling = {
        "type": "dynamic",
        "init_loss_scale": arguments.get("init_loss_scale", arguments.get("scale_value")),
        "scale_factor": arguments["scale_factor"],
        "scale_window": arguments["scale_window"],
    }
    api.create(name, {"optimizer": "sgd", "learning_rate": 0.1, "loss_scaling": scaling, "parameters": {"w": [0]}})
    wanted = case.get("loss_scale_after") or case["scale_value_after"]
    step = 0
    for overflow, scale in zip(case["overflow"], wanted, strict=True):
        receipt = push_scaled(api, name, overflow)
        step += not overflow
        assert receipt["applied"] == (not overflow)
        assert receipt["step"] == step
        assert receipt["loss_scale"] == scale
    assert api.get(f"/v1/models/{name}").json()["loss_scale"] == scale


def push_scaled(api: Api, model: str, overflow: bool) -> dict[str, Any]:
    """Pushes safetensors, which can carry an infinity."""
    gradient = np.array([np.inf if overflow else 1], dtype=np.float32)
    return api.push_binary(model, {"w": gradient}).expect(200).json()
