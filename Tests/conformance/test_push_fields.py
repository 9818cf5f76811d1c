"""Fields of a push besides its gradients: names of workers, counters, metrics; in JSON, headers and metadata."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.wire import SAFETENSORS, Api

GRADIENT = {"w": np.float32([1, 0])}
NAMES = ["007", "7", "1e3", "nan", "true", "0x10", "null", '"w"']


@pytest.mark.parametrize("worker", NAMES)
def test_worker_in_a_header_is_text(api: Api, demo: str, worker: str) -> None:
    """Even a name that looks like a number belongs to the worker that PUT registered under it."""
    path = worker.replace('"', "%22")
    epoch = api("PUT", f"/v1/models/{demo}/workers/{path}").expect(200).json()["epoch"]
    headers = {"X_Paramd_Worker": worker, "X_Paramd_Epoch": str(epoch), "X_Paramd_Seq": "1"}
    api.push_binary(demo, GRADIENT, **headers).expect(200)
    assert api.get(f"/v1/models/{demo}/workers/{path}").json()["last_seq"] == 1


def test_two_workers_whose_names_are_one_number(api: Api, demo: str) -> None:
    """`7` and `007` are two workers: both pushes are applied, from headers and from metadata."""
    for worker in ("7", "007"):
        receipt = api.push_binary(demo, GRADIENT, X_Paramd_Worker=worker, X_Paramd_Seq="1").expect(200).json()
        assert receipt["replayed"] is False
    for worker in ("8", "008"):
        body = safetensors.numpy.save(GRADIENT, {"worker": worker, "seq": "1", "format": "pt"})
        answer = api("POST", f"/v1/models/{demo}/gradients", body, Content_Type=SAFETENSORS).expect(200)
        assert answer.json()["replayed"] is False
    assert api.get(f"/v1/models/{demo}").json()["step"] == 4


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "worker as a number": ({"worker": 5, "seq": 1}, "/worker"),
    "worker without a name": ({"worker": "", "seq": 1}, "/worker"),
    "no examples": ({"num_examples": -3}, "/num_examples"),
    "half an example": ({"num_examples": 1.5}, "/num_examples"),
    "nested metric": ({"metrics": {"a": {"b": 1}}}, "/metrics/a"),
    "metric in words": ({"metrics": {"good": 1, "a/b": "x"}}, "/metrics/a~1b"),
    "seq without a worker": ({"seq": 1}, "/worker"),
    "worker without a seq": ({"worker": "w"}, "/seq"),
    "epoch without a worker": ({"epoch": 1}, "/worker"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_field(api: Api, demo: str, kind: str) -> None:
    """The answer is 422 with one error that points to the field."""
    fields, pointer = WRONG[kind]
    problem = api.push(demo, {"w": [1, 0]}, 422, **fields).json()
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_fields_as_the_contract_has_them(api: Api, demo: str) -> None:
    """All fields are accepted at once; metadata may hold them as text."""
    fields = {"num_examples": 64, "loss": 0.41, "metrics": {"accuracy": 0.5, "top5": 1}, "based_on": 0}
    api.push(demo, {"w": [1, 0]}, worker="w3", seq=1, **fields)
    text = {"num_examples": "64", "loss": "4.1e-1", "metrics": '{"accuracy":0.5}', "complete": "true"}
    body = safetensors.numpy.save(GRADIENT, text)
    api("POST", f"/v1/models/{demo}/gradients", body, Content_Type=SAFETENSORS).expect(200)


@pytest.mark.parametrize("loss", ["nan", "inf", "1e400", "low"])
def test_loss_that_is_no_number(api: Api, demo: str, loss: str) -> None:
    """The sentence shows the value that was sent."""
    problem = api.push_binary(demo, GRADIENT, X_Paramd_Loss=loss).expect(422).json()
    assert "finite number" in problem["detail"] and f'"{loss}"' in problem["detail"]


@pytest.mark.parametrize("epoch", [1.5, -1, "q", [1], 2**53])
def test_an_epoch_that_cannot_be_read_is_not_another_push(api: Api, demo: str, epoch: object) -> None:
    """The push is refused, although worker and seq have a receipt without the epoch."""
    push = {"gradients": {"w": [1, 0]}, "worker": "x", "seq": 1}
    api("POST", f"/v1/models/{demo}/gradients", push).expect(200)
    refused = api("POST", f"/v1/models/{demo}/gradients", {**push, "epoch": epoch}).expect(422).json()
    assert refused["errors"][0]["pointer"] == "/epoch"


def test_thousands_of_unknown_tensors(api: Api, name: str) -> None:
    """Each is named; only the first are compared with the model's thousands of names."""
    api.create(name, {"optimizer": "sgd", "parameters": {f"p{i:04}": [1] for i in range(2000)}})
    gradients = {f"q{i:04}": [1] for i in range(2000)}
    errors = api("POST", f"/v1/models/{name}/gradients", {"gradients": gradients}).expect(422).json()["errors"]
    assert len(errors) == 2000
    assert sum("did you mean" in error["detail"] for error in errors) == 8


@pytest.mark.parametrize("headers", [{"X_Paramd_Epoch": "1"}, {"X_Paramd_Epoch": "1", "Idempotency_Key": "k"}])
def test_an_epoch_in_a_header_needs_a_worker(api: Api, demo: str, headers: dict[str, str]) -> None:
    """Without a worker nothing would check the epoch, and the client would believe that it is fenced."""
    problem = api.push_binary(demo, GRADIENT, **headers).expect(422).json()
    assert "`worker`" in problem["detail"]
    assert api.get(f"/v1/models/{demo}").json()["step"] == 0


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "k"}], ids=["plain", "keyed"])
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({"worker": "a"}, "/seq"), ({"worker": "a", "epoch": 1}, "/seq"), ({"seq": 1}, "/worker")],
    ids=["worker", "epoch", "seq"],
)
def test_a_worker_and_its_number_go_together(
    api: Api, demo: str, fields: dict[str, Any], pointer: str, headers: dict[str, str]
) -> None:
    """One without the other would have no effect, and the client would believe that it has; a key changes nothing."""
    target = f"/v1/models/{demo}/gradients"
    problem = api("POST", target, {"gradients": {"w": [1, 0]}, **fields}, **headers).expect(422).json()
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert api.get(f"/v1/models/{demo}").json()["step"] == 0


@pytest.mark.parametrize("header", ["X-Paramd-Seq", "X-Paramd-Epoch", "X-Paramd-Loss", "X-Paramd-Num-Examples"])
def test_a_mistake_in_a_header_names_the_header(api: Api, demo: str, header: str) -> None:
    """The body has no such member, so there is no pointer into it."""
    fields = {"X_Paramd_Worker": "a", "X_Paramd_Seq": "1", header.replace("-", "_"): "x"}
    problem = api.push_binary(demo, GRADIENT, **fields).expect(422).json()
    assert [error.get("header") for error in problem["errors"]] == [header]
    assert "pointer" not in problem["errors"][0] and f"`{header}`" in problem["detail"]


def test_a_header_takes_precedence_over_the_body(api: Api, demo: str) -> None:
    """A field that is in both is taken from the header."""
    body = {"gradients": {"w": [1, 0]}, "worker": "body", "seq": 5}
    headers = {"X_Paramd_Worker": "header", "X_Paramd_Seq": "1"}
    api("POST", f"/v1/models/{demo}/gradients", body, **headers).expect(200)
    assert api.get(f"/v1/models/{demo}/pushes/header/1").json()["outcome"] == "applied"
    assert [each["worker"] for each in api.get(f"/v1/models/{demo}/workers").json()["workers"]] == ["header"]
