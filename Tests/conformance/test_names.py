"""Names are compared by their bytes: two texts that Unicode calls equivalent are two names everywhere."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Api

# Unicode's canonical equivalence (UAX 15) makes each pair one text; RFC 8259, section 8.3, and RFC 3986 make it two.
TWINS = [("\u00e9", "e\u0301"), ("K", "\u212a"), ("\u2126", "\u03a9"), (";", "\u037e")]


def quoted(name: str) -> str:
    """Quotes a name for a segment of a path or a value of a query."""
    return urllib.parse.quote(name, safe="")


def text(document: Any) -> bytes:
    """Encodes JSON as UTF-8 without escapes, unlike the client's default."""
    return json.dumps(document, ensure_ascii=False).encode()


def defined(*names: str, **fields: Any) -> dict[str, Any]:
    """A model in which parameter i starts at i + 1."""
    parameters = {name: [index + 1] for index, name in enumerate(names)}
    return {"optimizer": "sgd", "learning_rate": 1, "parameters": parameters, **fields}


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_two_parameters(api: Api, name: str, one: str, other: str) -> None:
    """Each is pushed, pulled, imported and requested separately, in JSON and in safetensors."""
    api.create(name, defined(one, other))
    api.push(name, {one: [10], other: [100]})
    assert {key: value.tolist() for key, value in api.pull(name).items()} == {one: [-9], other: [-98]}
    api.push_binary(name, {other: np.float32([1])}).expect(200)
    assert {key: value.tolist() for key, value in api.pull_binary(name).items()} == {one: [-9], other: [-99]}
    body = safetensors.numpy.save({one: np.float32([5]), other: np.float32([6])})
    api("PUT", f"/v1/models/{name}/parameters", body, Content_Type=SAFETENSORS).expect(200)
    for key, value in ((one, 5), (other, 6)):
        path = f"/v1/models/{name}/parameters"
        assert api.get(f"{path}/{quoted(key)}").json()["data"] == [value]
        assert list(api.pull(name, f"?name={quoted(key)}")) == [key]
        (row,) = api.get(f"/v1/models/{name}/lr?param={quoted(key)}").json()["parameters"]
        assert row["name"] == key


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_one_parameter_under_the_other_name(api: Api, name: str, one: str, other: str) -> None:
    """A push that names both is refused for the one that the model lacks; so is every other use of that name."""
    api.create(name, defined(one))
    path = f"/v1/models/{name}"
    for body in ({"gradients": {one: [1], other: [100]}}, {"gradients": {one: [1], other: [100]}, "complete": True}):
        api("POST", f"{path}/gradients", text(body), Content_Type="application/json").expect(422)
        api("POST", f"{path}/gradients", body).expect(422)
    api.push_binary(name, {other: np.float32([1])}).expect(422)
    api("PUT", f"{path}/parameters", {"parameters": {other: [1]}}).expect(422)
    for target in (f"parameters/{quoted(other)}", f"parameters?name={quoted(other)}", f"lr?param={quoted(other)}"):
        api("GET", f"{path}/{target}").expect(404)
    assert api.get(path).json()["step"] == 0


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_two_groups(api: Api, name: str, one: str, other: str) -> None:
    """Each group has its own parameter, rate and page."""
    groups = [{"name": one, "params": [one], "lr": 1}, {"name": other, "params": [other], "lr": 2}]
    api.create(name, defined(one, other, groups=groups))
    path = f"/v1/models/{name}"
    for group, rate in ((one, 1), (other, 2)):
        page = api.get(f"{path}/groups/{quoted(group)}").json()
        assert (page["name"], page["params"], page["lr"]) == (group, [group], rate)
        assert list(api.pull(name, f"?group={quoted(group)}")) == [group]
    api("PATCH", f"{path}/groups/{quoted(other)}", {"lr": 8}).expect(200)
    api("PATCH", path, {"groups": {one: {"lr": 4}}}).expect(200)
    assert api.get(f"{path}/lr").json()["lr"] == {one: 4, other: 8}


@pytest.mark.parametrize(("one", "other"), TWINS)
@pytest.mark.parametrize("by", ["body", "header", "metadata"])
def test_two_workers(api: Api, demo: str, by: str, one: str, other: str) -> None:
    """Both first pushes are applied, and neither counts as a repetition; then each is replayed separately."""
    for replayed in (False, True):
        for worker in (one, other):
            assert pushed(api, demo, by, worker)["replayed"] is replayed
    assert api.get(f"/v1/models/{demo}").json()["step"] == 2
    workers = [worker["worker"] for worker in api.get(f"/v1/models/{demo}/workers").json()["workers"]]
    assert workers == sorted((one, other), key=lambda worker: worker.encode())
    epoch = api("PUT", f"/v1/models/{demo}/workers/{quoted(other)}").expect(200).json()["epoch"]
    assert (epoch, api.get(f"/v1/models/{demo}/workers/{quoted(one)}").json()["epoch"]) == (1, 0)


def pushed(api: Api, model: str, by: str, worker: str) -> dict[str, Any]:
    """The receipt of a worker's first push, with the worker's name in one of three places; headers carry UTF-8."""
    tensors = {"w": np.float32([1, 0])}
    path = f"/v1/models/{model}/gradients"
    if by == "body":
        body = text({"gradients": {"w": [1, 0]}, "worker": worker, "seq": 1})
        return api("POST", path, body, Content_Type="application/json").expect(200).json()
    if by == "metadata":
        body = safetensors.numpy.save(tensors, {"worker": worker, "seq": "1"})
        return api("POST", path, body, Content_Type=SAFETENSORS).expect(200).json()
    header = worker.encode().decode("latin-1")  # http.client needs the UTF-8 bytes in this form
    return api.push_binary(model, tensors, X_Paramd_Worker=header, X_Paramd_Seq="1").expect(200).json()


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_two_idempotency_keys(api: Api, demo: str, one: str, other: str) -> None:
    """A key is ASCII, so that two spellings are never confused: others are refused, and nothing is applied."""
    keys = [key for key in (one, other) if not key.isascii()]
    for key in keys:
        header = key.encode().decode("latin-1")
        body = {"gradients": {"w": [1, 0]}}
        problem = api("POST", f"/v1/models/{demo}/gradients", body, Idempotency_Key=header).expect(400).json()
        assert "ASCII" in problem["detail"], problem
    assert keys and api.get(f"/v1/models/{demo}").json()["step"] == 0


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_two_members_of_an_object(api: Api, demo: str, one: str, other: str) -> None:
    """The two are not duplicate keys: each unknown field is refused by its own name."""
    api.push(demo, {"w": [1, 0]}, metrics={one: 1, other: 2})
    for key in ("o\u0301ptimizer", "learning_rate\u0301"):
        body = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0]}, key: 1}
        assert api("PUT", f"/v1/models/{demo}", body).expect(422).json()["errors"][0]["pointer"] == f"/{key}"


def test_equivalent_name_of_a_model(api: Api, name: str) -> None:
    """A character that is canonically equivalent to a letter does not reach a model with an ASCII name."""
    api.create(f"K{name}", defined("w"))
    api("GET", f"/v1/models/{quoted(chr(0x212A))}{name}").expect(404)
    assert api.get(f"/v1/models?prefix={quoted(chr(0x212A))}{name}").json()["models"] == []


def test_a_mark_of_a_glob_is_one_code_point(api: Api, name: str) -> None:
    """`?` matches one code point, so `?` finds the composed letter and `??` the decomposed one."""
    composed, decomposed = TWINS[0]
    api.create(name, defined(composed, decomposed))
    assert list(api.pull(name, f"?name={quoted('?')}")) == [composed]
    assert list(api.pull(name, f"?name={quoted('??')}")) == [decomposed]
    assert list(api.pull(name, f"?name={quoted('e*')}")) == [decomposed]


def test_tags_of_the_other_parameter(api: Api, name: str) -> None:
    """The tag of one parameter's pull does not validate the pull of the other."""
    composed, decomposed = TWINS[0]
    api.create(name, defined(composed, decomposed))
    tags = {api.get(f"/v1/models/{name}/parameters?name={quoted(key)}").headers["etag"] for key in TWINS[0]}
    assert len(tags) == 2
    tag = api.get(f"/v1/models/{name}/parameters?name={quoted(composed)}").headers["etag"]
    api("GET", f"/v1/models/{name}/parameters?name={quoted(decomposed)}", If_None_Match=tag).expect(200)


def test_rows_of_a_name_that_ends_in_a_mark(api: Api, name: str) -> None:
    """A combining character does not hide `#indices`, `#values` or `.npy`."""
    prepending = "w\u0600"
    api.create(name, {"optimizer": "lazy_adam", "parameters": {prepending: [[1], [2], [3]]}})
    rows = {f"{prepending}#indices": np.int64([1]), f"{prepending}#values": np.float32([[5]])}
    api.push_binary(name, rows).expect(200)
    values = api.pull(name)[prepending].reshape(-1).tolist()
    assert (values[0], values[1] < 2, values[2]) == (1, True, 3)
    assert api.get(f"/v1/models/{name}/parameters/{quoted(prepending)}.npy").body.startswith(b"\x93NUMPY")


def test_a_mistake_in_one_name_hides_none_in_a_longer_one(api: Api, demo: str) -> None:
    """`/gradients/w` is a prefix of `/gradients/wx`: both are reported."""
    problem = api.push(demo, {"wx": "x", "w": [1, 2, 3]}, 422).json()
    assert {error["pointer"] for error in problem["errors"]} == {"/gradients/w", "/gradients/wx"}


def test_names_over_a_restart(start: Callable[..., Daemon], tmp_path: Any) -> None:
    """Parameters, groups, workers and keys are still two each after a restart."""
    first = start(data_dir=tmp_path)
    api = Api(first.host, first.port)
    one, other = TWINS[0]
    groups = [{"name": one, "params": [one], "lr": 1}, {"name": other, "params": [other], "lr": 2}]
    api.create("m", defined(one, other, groups=groups))
    for worker in (one, other):
        api.push("m", {one: [1], other: [1]}, worker=worker, seq=1)
    before = api.get("/v1/models/m/state").json()["digest"]
    api.close()
    assert first.stop() == 0
    second = start(data_dir=tmp_path)
    api = Api(second.host, second.port)
    assert api.get("/v1/models/m/state").json()["digest"] == before
    for worker in (one, other):
        receipt = api.push("m", {one: [1], other: [1]}, worker=worker, seq=1).json()
        assert receipt["replayed"] is True
    assert {key: value.tolist() for key, value in api.pull("m").items()} == {one: [-1], other: [-2]}
    api.close()
