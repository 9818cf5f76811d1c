"""Numbers outside the range of their type: the answer says so, and nothing silently grows to infinity."""

from __future__ import annotations

from urllib.parse import unquote

import numpy as np
import pytest
from support.wire import Api

HEADER = "x-paramd-beyond-range"
#: The smallest float32 that NumPy rounds to an infinite half, and the largest that it does not.
FIRST_BEYOND, LAST_WITHIN = 65520.0, 65519.996
PULLS = [
    "/parameters?dtype=F16",
    "/parameters.safetensors?dtype=F16",
    "/parameters/big?dtype=F16",
    "/parameters/big.npy?dtype=F16",
    "/parameters/big?dtype=F16&rows=1",
    "/parameters/big?dtype=FP16&encoding=b64",
]


@pytest.fixture
def model(api: Api, name: str) -> str:
    """A model with one parameter that is beyond F16 in its last row."""
    definition = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"small": [LAST_WITHIN, -1]}}
    definition["parameters"]["big"] = {"shape": [2, 1], "data": [1, -FIRST_BEYOND]}
    api.create(name, definition)
    return name


def test_boundary_is_numpys() -> None:
    """NumPy confirms the two numbers of this file."""
    with np.errstate(over="ignore"):
        assert np.isinf(np.float32(FIRST_BEYOND).astype(np.float16))
        assert np.isfinite(np.float32(LAST_WITHIN).astype(np.float16))


@pytest.mark.parametrize("path", PULLS)
def test_half_precision_pull(api: Api, model: str, path: str) -> None:
    """The head names the parameter, and so does `warnings` in JSON, also in a second, cached answer."""
    for _ in range(2):
        answer = api.get(f"/v1/models/{model}{path}").expect(200)
        assert answer.headers[HEADER] == "big"
        if answer.headers["content-type"] == "application/json":
            (warning,) = answer.json()["warnings"]
            assert "`big`" in warning and "F16" in warning and "small" not in warning


def test_version_lookup_and_push(api: Api, model: str) -> None:
    """The same applies to retained versions, to looked-up rows, and to the parameters in a push's answer."""
    place = api.get(f"/v1/models/{model}/parameters").headers["content-location"]
    assert api.get(f"{place}?dtype=F16").expect(200).headers[HEADER] == "big"
    looked_up = api("POST", f"/v1/models/{model}/parameters/big/lookup?dtype=F16", {"rows": [1, 1]}).expect(200)
    assert looked_up.headers[HEADER] == "big" and len(looked_up.json()["warnings"]) == 1
    pushed = api("POST", f"/v1/models/{model}/gradients?pull=1&dtype=F16", {"gradients": {"small": [1, 1]}})
    assert pushed.expect(200).headers[HEADER] == "big" and len(pushed.json()["warnings"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/parameters",
        "/parameters.safetensors",
        "/parameters?dtype=BF16",
        "/parameters?dtype=F16&name=small",
        "/parameters?dtype=F16&meta_only=1",
        "/parameters/big?dtype=F16&rows=0",
        "/parameters/big.npy",
    ],
)
def test_nothing_is_said_where_all_fits(api: Api, model: str, path: str) -> None:
    """Wider types, other parameters, other rows and pulls without values get no warning."""
    answer = api.get(f"/v1/models/{model}{path}").expect(200)
    assert HEADER not in answer.headers
    assert b"warnings" not in answer.body


def test_bfloat16_has_an_end_too(api: Api, name: str) -> None:
    """float32 reaches half a step beyond the largest bfloat16."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [3.4e38], "v": [3.38e38]}})
    answer = api.get(f"/v1/models/{name}/parameters?dtype=BF16").expect(200)
    assert answer.headers[HEADER] == "w" and "F32" in answer.json()["warnings"][0]


def test_many_and_odd_names(api: Api, name: str) -> None:
    """The head stays small, and names are percent-encoded."""
    odd = "a,b é"
    parameters = {odd: [1e6]} | {f"{'x' * 200}{index}": [1e6] for index in range(40)}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": parameters})
    answer = api.get(f"/v1/models/{name}/parameters?dtype=F16").expect(200)
    value = answer.headers[HEADER]
    assert len(value) < 1100 and value.endswith(",...") and unquote(value.split(",")[0]) == odd
    assert "and 21 more" in answer.json()["warnings"][0]


def test_loss_scale_stays_in_float32(api: Api, name: str) -> None:
    """Clients multiply a float32 loss by it."""
    scaling = {"type": "dynamic", "init_loss_scale": 1e38, "scale_factor": 10, "scale_window": 1}
    definition = {"optimizer": "sgd", "learning_rate": 1, "weight_decay": 100, "parameters": {"w": [0]}}
    api.create(name, {**definition, "loss_scaling": scaling})
    for _ in range(3):
        assert api.push(name, {"w": [0]}).json()["loss_scale"] == pytest.approx(1e38)
    decay = api.get(f"/v1/models/{name}/weight_decay").json()
    assert decay["scaled_weight_decay"]["default"] == pytest.approx(3.4028235e38)


def test_growing_rate_stays_in_float32(api: Api, name: str) -> None:
    """A growing schedule ends at the largest float32, in every form of a curve."""
    schedule = {"schedule": "exponential_decay_lr", "learning_rate": 1.0, "decay_rate": 10.0, "decay_steps": 1}
    api.create(name, {"optimizer": "sgd", "learning_rate": schedule, "parameters": {"w": [0]}})
    curve = api.get(f"/v1/models/{name}/lr?from=37&to=40").json()["lr"]["default"]
    assert curve == pytest.approx([1e37, 1e38, 3.4028235e38, 3.4028235e38], rel=1e-6)
    for form in ("csv", "svg", "txt"):
        text = api.get(f"/v1/models/{name}/lr.{form}?from=0&to=400").expect(200).body.lower()
        assert b"inf" not in text and b"nan" not in text
