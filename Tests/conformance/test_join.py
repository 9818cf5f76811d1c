"""`PUT ?join=1`: workers with different seeds share one model, under conditions and keys as with any other PUT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from support.daemon import Daemon
from support.wire import Api

PLAIN = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 1], "v": [[1, 2]]}}


def test_join(api: Api, name: str) -> None:
    """The first worker creates the model, the others join with any seed; a refusal names shapes that differ."""
    path = f"/v1/models/{name}?join=1"
    uid = api("PUT", path, PLAIN).expect(201).json()["uid"]
    other = {"optimizer": "adam", "parameters": {"v": [[5, 6]], "w": [7, 8]}}
    joined = api("PUT", path, other).expect(200).json()
    assert (joined["uid"], joined["definition"]["optimizer"]) == (uid, "sgd")
    differing = {"w": [1, 2, 3], "v": {"data": [[1, 2]], "trainable": False}, "a/b": [1]}
    problem = api("PUT", path, {**PLAIN, "parameters": differing}).expect(409).json()
    assert [error["pointer"] for error in problem["errors"]] == [
        "/parameters/w",
        "/parameters/v/trainable",
        "/parameters/a~1b",
    ]
    assert (problem["errors"][0]["expected"], problem["errors"][0]["got"]) == ([2], [3])
    problem = api("PUT", path, {**PLAIN, "parameters": {"w": [1, 2]}}).expect(409).json()
    assert [error["pointer"] for error in problem["errors"]] == ["/parameters/v"]
    api("PUT", path, {**PLAIN, "optimizer": "no such"}).expect(422)
    detail = api("PUT", f"{path}&replace=1", PLAIN).expect(400).json()["detail"]
    assert "?join=1" in detail and "?replace=1" in detail
    assert api.get(f"/v1/models/{name}").json()["uid"] == uid


def test_what_differs_is_named(api: Api, name: str) -> None:
    """The sentence names the first parameter that prevents a join, in the order in which the worker sent them."""
    api.create(name, PLAIN)
    for parameters, named in (
        (
            {"v": [[1, 2], [3, 4]], "w": [1]},
            "`v` of the model has another shape, [1, 2], not [2, 2]. `errors` lists 1 more.",
        ),
        ({"w": [0, 1], "v": {"data": [[1, 2]], "trainable": False}}, "`v` of the model is trained"),
        ({"w": [0, 1], "v": [[1, 2]], "x": [1]}, "has no parameter `x`"),
        ({"w": [0, 1]}, "also has `v`"),
    ):
        detail = (
            api("PUT", f"/v1/models/{name}?join=1", {**PLAIN, "parameters": parameters}).expect(409).json()["detail"]
        )
        assert named in detail and "Nothing was applied." in detail, detail
    assert "?join=1" in api.create(name, {**PLAIN, "learning_rate": 0.25}, 409).json()["detail"]


def test_join_under_conditions(api: Api, name: str) -> None:
    """If-Match and If-None-Match apply to a PUT that joins as to any other; names are case-sensitive."""
    path, seeded = f"/v1/models/{name}?join=1", {**PLAIN, "parameters": {"w": [5, 6], "v": [[7, 8]]}}
    api("PUT", path, PLAIN, If_Match='"0-1"').expect(412)
    tag = api("PUT", path, PLAIN, If_None_Match="*").expect(201).headers["etag"]
    api("PUT", path, seeded, If_None_Match="*").expect(412)
    assert api("PUT", path, seeded, If_Match=tag).expect(200).json()["version"] == 1
    api("PUT", path, seeded, If_Match='"0-1"').expect(412)
    api("PUT", f"/v1/models/{name.swapcase()}?join=1", seeded).expect(201)


def test_join_under_a_key(api: Api, name: str) -> None:
    """A retry of the creating request gets the first answer; the key of a worker that joined stays free."""
    path, seeded = f"/v1/models/{name}?join=1", {**PLAIN, "parameters": {"w": [5, 6], "v": [[7, 8]]}}
    uid = api("PUT", path, PLAIN, Idempotency_Key=f"{name}-a").expect(201).json()["uid"]
    for _ in range(2):
        assert api("PUT", path, seeded, Idempotency_Key=f"{name}-b").expect(200).json()["uid"] == uid
    again = api("PUT", path, PLAIN, Idempotency_Key=f"{name}-a").expect(201)
    assert (again.json()["uid"], again.headers["idempotency-replayed"]) == (uid, "true")
    api("PUT", path, seeded, Idempotency_Key=f"{name}-a").expect(422)
    np.testing.assert_array_equal(api.pull(name)["w"], np.float32([0, 1]))


def test_join_of_a_model_that_is_not_served(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """The name is taken: a worker neither joins nor replaces the model, and the answer says why."""
    first = start(data_dir=tmp_path)
    api = Api(first.host, first.port)
    uid = api.create("m", PLAIN).json()["uid"]
    api.close()
    assert first.stop() == 0
    second = start("--without-model", "m", data_dir=tmp_path)
    api = Api(second.host, second.port)
    problem = api("PUT", "/v1/models/m?join=1", PLAIN).expect(503).json()
    assert problem["type"] == "/problems/model-unavailable" and "--without-model" in problem["detail"]
    api.close()
    assert second.stop() == 0
    third = start(data_dir=tmp_path)
    api = Api(third.host, third.port)
    assert api("PUT", "/v1/models/m?join=1", PLAIN).expect(200).json()["uid"] == uid
    api.close()
