"""Query arguments are used or refused, and never ignored."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from support.wire import SAFETENSORS, Api

GRADIENTS = {"gradients": {"a": [1, 1]}}


@pytest.fixture
def model(api: Api, name: str) -> str:
    """Two groups, each with its own rate."""
    groups = [{"name": "fast", "params": ["a"], "lr": [4, 2, 1]}, {"name": "slow", "params": ["b"], "lr": 0.5}]
    parameters = {"a": [1, 2], "b": [[1, 2], [3, 4]]}
    api.create(name, {"optimizer": "sgd", "learning_rate": [1, 1, 1], "parameters": parameters, "groups": groups})
    return name


TWICE = [
    "/parameters?since=0&since=1",
    "/parameters?wait=1s&wait=2s",
    "/parameters/b?rows=0&rows=1",
    "/lr?step=0&step=1",
    "/lr?to=1&to=2",
    "/parameters?encoding=b64&encoding=b64",
]


@pytest.mark.parametrize("target", TWICE)
def test_single_values_given_twice(api: Api, model: str, target: str) -> None:
    """The answer is 400, because it is unclear which of the two was meant."""
    problem = api("GET", f"/v1/models/{model}{target}").expect(400).json()
    assert "more than once" in problem["detail"]


PUSHES = ["dry_run=1&dry_run=0", "stages=1", "dry_run=1&pull=1", "group=fast", "dtype=F16", "dry_run=1&name=a"]


@pytest.mark.parametrize("query", PUSHES)
def test_pushes_that_contradict_themselves(api: Api, model: str, query: str) -> None:
    """The answer is 400, and nothing is applied."""
    api("POST", f"/v1/models/{model}/gradients?{query}", GRADIENTS).expect(400)
    assert api.get(f"/v1/models/{model}").json()["step"] == 0


def test_stages_say_what_is_missing(api: Api, model: str) -> None:
    """`stages` requires a dry run."""
    answer = api("POST", f"/v1/models/{model}/gradients?stages=1", GRADIENTS).expect(400)
    assert "dry_run=1" in answer.json()["detail"]


CONFLICTS = {
    "/lr?step=1&to=2": 400,
    "/lr.csv?step=1&from=0&to=2": 400,
    "/weight_decay?step=1&to=2": 400,
    "/parameters/b.npy?dtype=BF16": 400,
    "/parameters/b.npy?encoding=b64": 400,
    "/parameters.safetensors?meta_only=1": 400,
    "/parameters.safetensors?encoding=b64": 400,
    "/state?dtype=F16": 422,
}


@pytest.mark.parametrize("target", CONFLICTS)
def test_arguments_without_effect(api: Api, model: str, target: str) -> None:
    """The argument is refused with a reason, not ignored."""
    assert api("GET", f"/v1/models/{model}{target}").expect(CONFLICTS[target]).json()["detail"]


def test_names_repeat(api: Api, model: str) -> None:
    """`param`, `name` and `group` are lists."""
    api.get(f"/v1/models/{model}/lr?param=a&param=b")
    api.get(f"/v1/models/{model}/parameters?name=a&name=b&group=fast&group=slow")


def rows(body: bytes) -> list[list[str]]:
    """The rows of a CSV answer."""
    return list(csv.reader(io.StringIO(body.decode())))


def test_curve_of_a_parameter(api: Api, model: str) -> None:
    """A range with `param` returns only the curves of those parameters' groups, in every form."""
    answer = api.get(f"/v1/models/{model}/lr?param=a&from=0&to=2").json()
    assert answer == {"steps": [0, 1, 2], "lr": {"fast": [4, 2, 1]}}
    assert rows(api.get(f"/v1/models/{model}/lr.csv?param=b").body)[0] == ["step", "slow"]
    assert rows(api.get(f"/v1/models/{model}/lr.csv?param=b&param=a").body)[0] == ["step", "fast", "slow"]
    assert b"slow" not in api.get(f"/v1/models/{model}/lr.svg?param=a").body
    api("GET", f"/v1/models/{model}/lr.csv?param=c").expect(404)


def test_one_step_as_a_table(api: Api, model: str) -> None:
    """The table has one row."""
    table = rows(api.get(f"/v1/models/{model}/lr.csv?step=1").body)
    assert table == [["step", "fast", "slow"], ["1", "2.0", "0.5"]]
    assert len(rows(api.get(f"/v1/models/{model}/weight_decay.csv?step=1").body)) == 2


def test_half_precision_for_numpy(api: Api, model: str) -> None:
    """`.npy` supports F16, also for rows."""
    whole = np.load(io.BytesIO(api.get(f"/v1/models/{model}/parameters/b.npy?dtype=F16").body))
    assert whole.dtype == np.float16 and whole.tolist() == [[1, 2], [3, 4]]
    part = np.load(io.BytesIO(api.get(f"/v1/models/{model}/parameters/b.npy?dtype=F16&rows=1").body))
    assert part.tolist() == [[3, 4]]


FORMS = {
    "application/json": "application/json",
    "text/html,*/*;q=0.8": "application/json",
    "*/*": "application/json",
    "text/csv": "text/csv",
    "application/json;q=0.5, text/csv": "text/csv",
    "image/avif,image/svg+xml,*/*;q=0.8": "image/svg+xml",
    "text/plain": "text/plain",
}


@pytest.mark.parametrize("accept", FORMS)
@pytest.mark.parametrize("path", ["/lr", "/weight_decay"])
def test_curves_by_accept(api: Api, model: str, path: str, accept: str) -> None:
    """Accept selects the same forms as the suffix, and the suffix takes precedence."""
    answer = api.get(f"/v1/models/{model}{path}", Accept=accept)
    assert answer.headers["content-type"].startswith(FORMS[accept])
    if FORMS[accept] != "application/json":
        suffix = {"text/csv": ".csv", "image/svg+xml": ".svg", "text/plain": ".txt"}[FORMS[accept]]
        assert answer.body == api.get(f"/v1/models/{model}{path}{suffix}", Accept="image/png").body


@pytest.mark.parametrize("path", ["/lr", "/weight_decay", "/parameters/b", "/parameters"])
@pytest.mark.parametrize("accept", ["application/xml", "application/json;q=0", "image/png"])
def test_nothing_acceptable(api: Api, model: str, path: str, accept: str) -> None:
    """The answer is 406 with the supported types."""
    problem = api("GET", f"/v1/models/{model}{path}", Accept=accept).expect(406).json()
    assert "application/json" in problem["detail"]


def test_previews_by_accept(api: Api) -> None:
    """A preview supports the same formats as other curves."""
    body = {"learning_rate": [0.5, 0.25]}
    answer = api("POST", "/v1/lr_preview", body, Accept="text/csv").expect(200)
    assert answer.headers["content-type"].startswith("text/csv")
    api("POST", "/v1/lr_preview", body, Accept="image/png").expect(406)


def test_one_tensor_as_safetensors(api: Api, model: str) -> None:
    """The contract promises it, for rows and lookups too."""
    target = f"/v1/models/{model}/parameters/b"
    assert api.get(target, Accept=SAFETENSORS).tensors()["b"].tolist() == [[1, 2], [3, 4]]
    halves = api.get(target + "?rows=1,0&dtype=F16", Accept=SAFETENSORS).tensors()["b"]
    assert halves.dtype == np.float16 and halves.tolist() == [[3, 4], [1, 2]]
    found = api("POST", target + "/lookup", {"rows": [1]}, Accept=SAFETENSORS).expect(200).tensors()["b"]
    assert found.tolist() == [[3, 4]]


def test_names_that_end_like_files(api: Api, name: str) -> None:
    """`x.npy` reads the parameter of that name; its file has the suffix twice."""
    api.create(name, {"optimizer": "sgd", "parameters": {"x.npy": [1, 2], "y": [3]}})
    target = f"/v1/models/{name}/parameters/"
    assert api.get(target + "x.npy").json()["data"] == [1, 2]
    assert api.get(target + "x%2Enpy").json()["data"] == [1, 2]
    assert np.load(io.BytesIO(api.get(target + "x.npy.npy").body)).tolist() == [1, 2]
    assert np.load(io.BytesIO(api.get(target + "y.npy").body)).tolist() == [3]
    api("GET", target + "x").expect(404)
