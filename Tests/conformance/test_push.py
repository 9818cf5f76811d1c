"""Pushes: every form of a tensor, receipts, and exactly-once application."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from support.wire import SAFETENSORS, Api

FORMS: dict[str, Any] = {
    "nested": [[1, 2], [3, 4]],
    "flat": {"shape": [2, 2], "data": [1, 2, 3, 4]},
    "flat floats": {"shape": [2, 2], "data": [1.0, 2e0, 30e-1, 4.0]},
    "b64 F32": ("F32", "<f4"),
    "b64 FP32": ("FP32", "<f4"),
    "b64 F64": ("F64", "<f8"),
    "b64 F16": ("F16", "<f2"),
}


def tensor(form: str) -> Any:
    """The matrix ((1, 2), (3, 4)) in the given form."""
    given = FORMS[form]
    if not isinstance(given, tuple):
        return given
    data = np.array([1, 2, 3, 4], dtype=given[1]).tobytes()
    return {"dtype": given[0], "shape": [2, 2], "b64": base64.b64encode(data).decode()}


@pytest.fixture
def matrix(api: Api, name: str) -> str:
    """A model with a 2x2 matrix and a scalar, learning rate 1."""
    parameters = {"m": [[0, 0], [0, 0]], "s": {"shape": [], "data": [0]}}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": parameters})
    return name


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_a_tensor(api: Api, matrix: str, form: str) -> None:
    """Nested, flat and base64 tensors give the same result."""
    api.push(matrix, {"m": tensor(form)})
    np.testing.assert_array_equal(api.pull(matrix)["m"], [[-1, -2], [-3, -4]])


def test_bfloat16(api: Api, matrix: str) -> None:
    """BF16 is the upper half of a float32."""
    upper = (np.array([1, 2, 3, 4], dtype="<f4").view("<u4") >> 16).astype("<u2")
    api.push(matrix, {"m": {"dtype": "BF16", "shape": [2, 2], "b64": base64.b64encode(upper.tobytes()).decode()}})
    np.testing.assert_array_equal(api.pull(matrix)["m"], [[-1, -2], [-3, -4]])


def test_bare_number_is_a_scalar(api: Api, matrix: str) -> None:
    """The nested form of a 0-D tensor is a number; 0-D parameters are pulled with shape []."""
    api.push(matrix, {"s": 2.5})
    pulled = api.get(f"/v1/models/{matrix}/parameters").json()["parameters"]["s"]
    assert pulled == {"shape": [], "data": [-2.5]}


def test_receipt(api: Api, demo: str) -> None:
    """Every field that api.md names, with a gradient of norm sqrt(5)."""
    answer = api.push(demo, {"w": [1, -2]})
    receipt = answer.json()
    assert receipt["applied"] is True
    assert (receipt["step"], receipt["version"]) == (1, 2)
    assert receipt["lr"] == {"default": 0.5}
    assert receipt["grad_norm"] == pytest.approx(5**0.5)
    assert receipt["update_ratio"] is None
    assert receipt["staleness"] is None
    assert receipt["replayed"] is False
    assert receipt["durable"] in (True, False)
    assert (answer.headers["x-paramd-step"], answer.headers["x-paramd-version"]) == ("1", "2")
    np.testing.assert_array_equal(api.pull(demo)["w"], [-0.5, 1])


def test_update_ratio(api: Api, demo: str) -> None:
    """|w'-w| / |w| is null from zero, then a number."""
    api.push(demo, {"w": [1, -2]})
    assert api.push(demo, {"w": [1, -2]}).json()["update_ratio"] == pytest.approx(1)


def test_staleness(api: Api, demo: str) -> None:
    """The staleness is the number of updates since the step at which the gradient was computed."""
    api.push(demo, {"w": [1, 1]}, based_on=0)
    api.push(demo, {"w": [1, 1]}, based_on=1)
    assert api.push(demo, {"w": [1, 1]}, based_on=0).json()["staleness"] == 2


def test_left_out_parameters_are_untouched_unless_complete(api: Api, matrix: str) -> None:
    """A partial push moves the parameters that it names; `complete` makes a gap an error."""
    api.push(matrix, {"s": 1})
    assert not api.pull(matrix)["m"].any()
    problem = api.push(matrix, {"s": 1}, 422, complete=True).json()
    assert "m" in problem["detail"] + str(problem.get("errors"))


def test_push_and_pull_in_one(api: Api, demo: str) -> None:
    """`pull=1` returns the parameters of the step that this push made."""
    answer = api("POST", f"/v1/models/{demo}/gradients?pull=1", {"gradients": {"w": [1, 0]}}).expect(200).json()
    assert answer["step"] == 1
    assert answer["parameters"]["w"] == {"shape": [2], "data": [-0.5, 0]}


def test_push_and_pull_in_one_by_safetensors(api: Api, demo: str) -> None:
    """With `Accept`, the parameters come as safetensors and the receipt's numbers as headers."""
    body = {"gradients": {"w": [1, 0]}}
    answer = api("POST", f"/v1/models/{demo}/gradients?pull=1", body, Accept=SAFETENSORS).expect(200)
    np.testing.assert_array_equal(answer.tensors()["w"], np.float32([-0.5, 0]))
    assert answer.headers["x-paramd-step"] == "1"


def test_dry_run_changes_nothing(api: Api, demo: str) -> None:
    """The answer is the receipt that a real push would get."""
    answer = api("POST", f"/v1/models/{demo}/gradients?dry_run=1", {"gradients": {"w": [1, 0]}}).expect(200)
    assert answer.json()["applied"] is False
    assert api.get(f"/v1/models/{demo}").json()["step"] == 0


def test_replay_gives_the_stored_receipt(api: Api, demo: str) -> None:
    """A retry under the same key is not applied again; other values under the key are 422."""
    key = {"worker": "w1", "seq": 1}
    first = api.push(demo, {"w": [1, 0]}, **key).json()
    again = api.push(demo, {"w": [1.0, 0.0]}, **key).json()
    assert again == {**first, "replayed": True}
    api.push(demo, {"w": [2, 0]}, 422, **key)
    assert api.get(f"/v1/models/{demo}").json()["step"] == 1


def test_key_as_headers_with_safetensors(api: Api, demo: str) -> None:
    """Worker and seq are headers beside a binary body."""
    gradient = {"w": np.float32([1, 0])}
    headers = {"X_Paramd_Worker": "w1", "X_Paramd_Seq": "1"}
    assert api.push_binary(demo, gradient, **headers).expect(200).json()["replayed"] is False
    assert api.push_binary(demo, gradient, **headers).expect(200).json()["replayed"] is True
    assert api.get(f"/v1/models/{demo}").json()["step"] == 1


def test_jump_of_seq_is_reported(api: Api, demo: str) -> None:
    """A gap is accepted and reported."""
    api.push(demo, {"w": [1, 0]}, worker="w1", seq=1)
    assert api.push(demo, {"w": [1, 0]}, worker="w1", seq=5).json()["gap"] == 3


def test_refused_push_does_not_consume_its_seq(api: Api, demo: str) -> None:
    """Only an applied or held push consumes it."""
    api.push(demo, {"w": [1, 0, 0]}, 422, worker="w1", seq=1)
    assert api.push(demo, {"w": [1, 0]}, worker="w1", seq=1).json()["replayed"] is False


@pytest.mark.parametrize(
    "fields", [{"worker": "w"}, {"seq": 1}, {"worker": "w", "seq": 0}, {"worker": "w", "seq": 1.5}]
)
def test_half_a_key(api: Api, demo: str, fields: dict[str, Any]) -> None:
    """Worker without seq, seq without worker, and a seq that is not an integer >= 1 are refused."""
    api.push(demo, {"w": [1, 0]}, 422, **fields)


def test_registration_fences_the_older_epoch(api: Api, demo: str) -> None:
    """A worker that registers again after a restart gets a higher epoch; the earlier one is refused."""
    first, second = (api("PUT", f"/v1/models/{demo}/workers/w1", {}).expect(200).json()["epoch"] for _ in range(2))
    assert second == first + 1
    problem = api.push(demo, {"w": [1, 0]}, 409, worker="w1", epoch=first, seq=1).json()
    assert problem["type"].endswith("/problems/fenced")


def test_exhausted_array(api: Api, name: str) -> None:
    """After its last entry an array refuses the push; `hold` repeats the last value."""
    parameters = {"w": [0]}
    api.create(name, {"optimizer": "sgd", "learning_rate": [0.5], "parameters": parameters})
    api.push(name, {"w": [1]})
    problem = api.push(name, {"w": [1]}, 409).json()
    assert problem["type"].endswith("/problems/lr-schedule-exhausted")
    np.testing.assert_array_equal(api.pull(name)["w"], [-0.5])
    held = f"{name}-hold"
    api.create(held, {"optimizer": "sgd", "learning_rate": [0.5], "past_end": "hold", "parameters": parameters})
    assert [api.push(held, {"w": [1]}).json()["lr"]["default"] for _ in range(3)] == [0.5, 0.5, 0.5]


def test_divergence_is_not_published(api: Api, demo: str) -> None:
    """Finite gradients that make a non-finite parameter: 409 names the tensor, pulls keep the last good version."""
    api("PATCH", f"/v1/models/{demo}", {"learning_rate": 1e30}).expect(200)
    problem = api.push(demo, {"w": [1e30, 0]}, 409).json()
    assert problem["type"].endswith("/problems/diverged")
    assert "w" in problem["detail"] + str(problem.get("errors"))
    np.testing.assert_array_equal(api.pull(demo)["w"], [0, 0])


def test_overflow_of_a_slot(api: Api, name: str) -> None:
    """Only the gradient whose square is beyond float32 is refused: the state stays, and the next push is accepted."""
    reference = f"{name}-reference"
    for each in (name, reference):
        api.create(each, {"optimizer": "adam", "learning_rate": 0.5, "parameters": {"w": [1, 2], "v": [3]}})
        api.push(each, {"w": [1, 1], "v": [1]})
    before = api.get(f"/v1/models/{name}/state").json()
    problem = api.push(name, {"w": [3e38, 0]}, 409, worker="a", seq=1).json()
    assert problem["type"].endswith("/problems/diverged")
    assert "moment2" in problem["detail"]
    assert "Nothing was applied" in problem["detail"]
    assert api.get(f"/v1/models/{name}/state").json() == before
    assert api.get(f"/v1/models/{name}").json()["status"] == "ready"
    for each in (name, reference):
        api.push(each, {"w": [1, -1]}, worker="a", seq=1)
    digests = {api.get(f"/v1/models/{each}/state").json()["digest"] for each in (name, reference)}
    assert len(digests) == 1


def test_slots_after_a_divergence(api: Api, name: str) -> None:
    """A parameter that would overflow leaves the slots unchanged; an import continues with them."""
    body = {"optimizer": {"type": "momentum", "momentum": 0.5}, "learning_rate": 0.5, "parameters": {"w": [0, 0]}}
    api.create(name, body)
    api.push(name, {"w": [1, 1]})
    before = api.get(f"/v1/models/{name}/state").json()["digest"]
    api("PATCH", f"/v1/models/{name}", {"learning_rate": 1e30}).expect(200)
    api.push(name, {"w": [1e30, 0]}, 409)
    assert api.get(f"/v1/models/{name}").json()["status"] == "diverged"
    assert api.get(f"/v1/models/{name}/state").json()["digest"] == before
    api("PATCH", f"/v1/models/{name}", {"learning_rate": 0.5}).expect(200)
    api("PUT", f"/v1/models/{name}/parameters", {"parameters": {"w": [0, 0]}}).expect(200)
    api.push(name, {"w": [1, 1]})
    np.testing.assert_array_equal(api.pull(name)["w"], [-0.75, -0.75])


def test_skip_on_nonfinite(api: Api, name: str) -> None:
    """`on_nonfinite: skip` answers 200 and leaves the step unchanged; the default refuses."""
    body = {"optimizer": "sgd", "on_nonfinite": "skip", "parameters": {"w": [0]}}
    api.create(name, body)
    receipt = api.push_binary(name, {"w": np.float32([np.nan])}).expect(200).json()
    assert (receipt["applied"], receipt["overflow"], receipt["step"]) == (False, True, 0)


def test_sparse_rows(api: Api, name: str) -> None:
    """Named rows move; duplicates are summed first."""
    body = {"optimizer": "lazy_adam", "learning_rate": 0.1, "parameters": {"e": {"shape": [4, 2], "init": "zeros"}}}
    api.create(name, body)
    api.push(name, {"e": {"indices": [2, 0, 2], "values": [[1, 1], [1, 1], [-2, 1]]}})
    rows = api.pull(name)["e"]
    assert not rows[[1, 3]].any()
    np.testing.assert_allclose(rows[[0, 2]], [[-0.1, -0.1], [0.1, -0.1]], rtol=1e-5)


def test_sparse_without_rows(api: Api, name: str) -> None:
    """A batch without any of the rows makes a step like any other, and moves nothing."""
    body = {"optimizer": "lazy_adam", "learning_rate": 0.1, "parameters": {"e": {"shape": [4, 2], "init": "ones"}}}
    api.create(name, body)
    assert api.push(name, {"e": {"indices": [], "values": []}}).json()["step"] == 1
    assert (api.pull(name)["e"] == 1).all()
    api.push(name, {"e": {"indices": [1], "values": []}}, 422)


def test_sparse_where_it_is_not_defined(api: Api, demo: str) -> None:
    """SGD accepts only dense gradients, and the refusal says so."""
    api.push(demo, {"w": {"indices": [0], "values": [1]}}, 422)


def test_whole_and_rows_at_once(api: Api, name: str) -> None:
    """A tensor has one form: the server refuses two and drops neither silently."""
    api.create(name, {"optimizer": "adam", "parameters": {"e": [[0], [0], [0]]}})
    rows = {"e#indices": np.array([0]), "e#values": np.ones((1, 1), dtype=np.float32)}
    for tensors in ({"e": np.ones((3, 1), dtype=np.float32), **rows}, {**rows, "e": np.ones((3, 1), np.float32)}):
        problem = api.push_binary(name, tensors).expect(422).json()
        assert "one of the two" in problem["errors"][0]["detail"]
    assert api.get(f"/v1/models/{name}").json()["step"] == 0


def test_receipt_in_the_head_of_binary_pulls(api: Api, name: str) -> None:
    """The body has no place for the receipt, so the head says whether the step was made and gives the next scale."""
    scaling = {"type": "dynamic", "init_loss_scale": 1024, "scale_factor": 2, "scale_window": 1000}
    api.create(name, {"optimizer": "sgd", "loss_scaling": scaling, "parameters": {"w": [0]}})
    for value, said in ((np.inf, ("false", "true", 512.0)), (1.0, ("true", "false", 512.0))):
        gradient = {"w": np.array([value], dtype=np.float32)}
        head = api.push_binary(name, gradient, "?pull=1", Accept=SAFETENSORS).expect(200).headers
        scale = float(head["x-paramd-loss-scale"])
        assert (head["x-paramd-applied"], head["x-paramd-overflow"], scale) == said


def test_answers_that_are_no_pull_have_no_tag_of_one(api: Api, demo: str) -> None:
    """With such a tag, a later If-None-Match would claim that the client has the parameters."""
    waiting = api("GET", f"/v1/models/{demo}/parameters?min_step=9&wait=1ms").expect(202)
    pushed = api("POST", f"/v1/models/{demo}/gradients?pull=1", {"gradients": {"w": [1, 1]}}).expect(200)
    for answer in (waiting, pushed):
        assert not {"etag", "content-location"} & answer.headers.keys()
