"""Numbers at the limits of their ranges get an answer in every place that accepts one, and the daemon continues."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from support.wire import SAFETENSORS, Api

LARGEST = 2**63 - 1
SGD = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 0]}}


def test_previews_at_the_last_step(api: Api) -> None:
    """A range ends at the largest whole number."""
    answer = api("POST", "/v1/lr_preview", {"learning_rate": 0.1, "from": LARGEST}).expect(422)
    assert answer.json()["errors"][0]["pointer"] == "/from"
    api("POST", "/v1/lr_preview", {"learning_rate": 0.1, "from": 2**53 - 1}).expect(200)


@pytest.mark.parametrize("rates", [[-3e38, 3e38], [-3e38, 0, 3e38, 1]])
@pytest.mark.parametrize("form", ["", ".txt", ".svg", ".csv"])
def test_previews_as_wide_as_float32(api: Api, rates: list[float], form: str) -> None:
    """The distance between two floats may be larger than a float."""
    api("POST", f"/v1/lr_preview{form}", {"learning_rate": rates}).expect(200)


@pytest.mark.parametrize("form", ["", ".txt", ".svg", ".csv"])
def test_previews_that_overflow(api: Api, form: str) -> None:
    """A schedule that leaves float32 is drawn as far as it is finite."""
    rule = {"schedule": "ExponentialDecayLR", "learning_rate": 1.0, "decay_rate": 10.0, "decay_steps": 1}
    api("POST", f"/v1/lr_preview{form}", {"learning_rate": rule, "to": 100}).expect(200)


def test_offsets_beyond_all_memory(api: Api, demo: str) -> None:
    """A safetensors header declares 2^60 indices."""
    entries = {
        "w#indices": {"dtype": "I32", "shape": [2**60], "data_offsets": [0, 2**62]},
        "w#values": {"dtype": "F32", "shape": [0], "data_offsets": [2**62, 2**62]},
    }
    head = json.dumps(entries).encode()
    body = struct.pack("<Q", len(head)) + head + bytes(64)
    answer = api("POST", f"/v1/models/{demo}/gradients", body, Content_Type=SAFETENSORS)
    assert 400 <= answer.status < 500
    assert api.get(f"/v1/models/{demo}").json()["step"] == 0


@pytest.mark.parametrize("field", ["seq", "epoch", "based_on", "num_examples"])
@pytest.mark.parametrize("number", [LARGEST, 2**53, 2**64, -LARGEST])
def test_fields_of_a_push(api: Api, demo: str, field: str, number: int) -> None:
    """Whole numbers can be as large as 2^53 - 1, which every JSON library keeps exactly."""
    push: dict[str, Any] = {"worker": "a", "seq": 1, "gradients": {"w": [1, 1]}} | {field: number}
    problem = api("POST", f"/v1/models/{demo}/gradients", push)
    assert 400 <= problem.status < 500
    assert api.get(f"/v1/models/{demo}").json()["step"] == 0


def test_the_last_number_of_a_worker(api: Api, demo: str) -> None:
    """The last number may be used, forgotten and requested."""
    for seq in [2**53 - 1, *range(1, 258)]:
        push = {"worker": "a", "seq": seq, "gradients": {"w": [1, 1]}}
        api("POST", f"/v1/models/{demo}/gradients", push)
    for seq in (1, 300, 2**53 - 1, LARGEST):
        assert api("GET", f"/v1/models/{demo}/pushes/a/{seq}").status in (200, 404)
    push = {"worker": "a", "seq": 300, "gradients": {"w": [1, 1]}}
    assert api("POST", f"/v1/models/{demo}/gradients", push).status == 409


QUERIES = [
    "/parameters?since={}",
    "/lr?step={}",
    "/lr?to={}",
    "/lr.txt?from={}",
    "/lr.svg?step={}",
    "/lr?from={}&to={}&every={}",
    "/weight_decay?step={}",
    "/parameters/w?rows={}",
    "/parameters?since={}&wait=1ms",
    "/pushes/a/{}",
    "/versions/{}",
    "/checkpoints/{}",
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("number", [LARGEST, LARGEST - 1, 2**53, 2**64, -1, -LARGEST - 1])
def test_queries(api: Api, demo: str, query: str, number: int) -> None:
    """Every number in a query may have its largest value."""
    assert api("GET", f"/v1/models/{demo}{query.replace('{}', str(number))}").status < 500
    api.get("/livez")


def test_loss_scales_stay_finite(api: Api, name: str) -> None:
    """MindSpore's scale grows to infinity; here it stays within float32, which a client's loss can be multiplied by."""
    scaling = {"type": "dynamic", "init_loss_scale": 1, "scale_factor": 1e30, "scale_window": 1}
    api.create(name, {**SGD, "loss_scaling": scaling})
    for _ in range(12):
        api("POST", f"/v1/models/{name}/gradients", {"gradients": {"w": [0, 0]}}).expect(200)
    assert api.get(f"/v1/models/{name}").json()["loss_scale"] == pytest.approx(1e30)


def test_inherited_arrays_are_not_repeated_for_every_group(api: Api, name: str) -> None:
    """An array of 10,000 rates in 200 groups makes a page of 10,000 rates, not 2,000,000."""
    parameters = {f"p{index}": [0.0] for index in range(200)}
    groups = [{"name": f"g{index}", "params": [f"p{index}"]} for index in range(200)]
    rates = [0.1] * 10_000
    api.create(name, {"optimizer": "sgd", "learning_rate": rates, "parameters": parameters, "groups": groups})
    for page in ("", "/groups", "/groups/g7"):
        assert len(api("GET", f"/v1/models/{name}{page}").expect(200).body) < 500_000
    few = api("GET", f"/v1/models/{name}/lr?param=p1").expect(200).json()
    assert few["parameters"][0]["learning_rate"] == rates
    all_of_them = "&".join(f"param=p{index}" for index in range(200))
    assert "fewer" in api("GET", f"/v1/models/{name}/lr?{all_of_them}").expect(422).json()["detail"]


def test_selections_with_separators_in_names(api: Api, name: str) -> None:
    """`name=a&name=nb` does not select the parameter `a&nnb`."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"a": [1], "b": [2], "a&nb": [3]}})
    two = api("GET", f"/v1/models/{name}/parameters?name=a&name=b").expect(200)
    one = api("GET", f"/v1/models/{name}/parameters?name=a%26nb").expect(200)
    assert list(two.json()["parameters"]) == ["a", "b"]
    assert list(one.json()["parameters"]) == ["a&nb"]
    assert two.headers["etag"] != one.headers["etag"]
