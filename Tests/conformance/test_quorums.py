"""How many pushes a round waits for, and what `GET .../round` shows of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from support.contract import is_valid
from support.wire import Api, wait_until


def create(api: Api, name: str, **consistency: Any) -> None:
    """A model in mode `sync` with a long deadline unless told otherwise."""
    settings = {"mode": "sync", "round_timeout": "120s", **consistency}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}, "consistency": settings})


def register(api: Api, name: str, worker: str) -> int:
    """The epoch of a new registration."""
    return int(api("PUT", f"/v1/models/{name}/workers/{worker}").expect(200).json()["epoch"])


def shown(api: Api, name: str, *members: str) -> Any:
    """Members of the open round."""
    told = api.get(f"/v1/models/{name}/round").json()
    return tuple(told.get(member) for member in members)


def test_one_registered_worker_does_not_train_alone(api: Api, name: str) -> None:
    """With `min_pushes`, a round of registered workers waits for a quorum, however few are registered."""
    create(api, name, workers="registered", min_pushes=2)
    assert shown(api, name, "registered", "needed", "quorum", "missing") == (0, 2, 2, [])
    first = register(api, name, "a")
    held = api.push(name, {"w": [2, 0]}, 202, worker="a", seq=1, epoch=first).json()
    assert (held["round"]["received"], held["round"]["needed"]) == (1, 2)
    assert shown(api, name, "registered", "needed", "quorum", "missing") == (1, 2, 2, [])
    second = register(api, name, "b")
    assert shown(api, name, "registered", "needed", "missing") == (2, 2, ["b"])
    assert api.push(name, {"w": [0, 4]}, worker="b", seq=1, epoch=second).json()["round"]["received"] == 2
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])
    register(api, name, "c")
    assert shown(api, name, "registered", "needed", "quorum", "missing") == (3, 3, 2, ["a", "b", "c"])


def test_the_last_registered_worker_does_not_train_alone(api: Api, name: str) -> None:
    """Its round is dropped at the deadline, though no other is registered any more."""
    create(api, name, workers="registered", min_pushes=2, round_timeout="300ms")
    epochs = {worker: register(api, name, worker) for worker in "ab"}
    api("DELETE", f"/v1/models/{name}/workers/b").expect(204)
    api.push(name, {"w": [2, 0]}, 202, worker="a", seq=1, epoch=epochs["a"])
    wait_until(lambda: api.get(f"/v1/models/{name}/pushes/a/1").json()["outcome"] == "dropped")
    np.testing.assert_array_equal(api.pull(name)["w"], [0, 0])


def test_registered_workers_without_a_quorum(api: Api, name: str) -> None:
    """A round needs every registered worker, and at least one."""
    create(api, name, workers="registered")
    assert shown(api, name, "registered", "needed", "quorum") == (0, 1, 1)
    epochs = {worker: register(api, name, worker) for worker in "ab"}
    assert shown(api, name, "registered", "needed", "quorum") == (2, 2, 2)
    api.push(name, {"w": [2, 0]}, 202, worker="a", seq=1, epoch=epochs["a"])
    api.push(name, {"w": [0, 4]}, worker="b", seq=1, epoch=epochs["b"])


def test_missing_of_a_number_of_workers(api: Api, name: str) -> None:
    """Registered workers, and those that have pushed before; not those whose registration has ended."""
    create(api, name, workers=3)
    assert shown(api, name, "needed", "missing", "registered") == (3, [], None)
    epochs = {worker: register(api, name, worker) for worker in "ab"}
    api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1, epoch=epochs["a"])
    assert shown(api, name, "received", "needed", "missing") == (1, 3, ["b"])
    api.push(name, {"w": [1, 0]}, 202, worker="c", seq=1)
    api.push(name, {"w": [1, 0]}, worker="b", seq=1, epoch=epochs["b"])
    assert shown(api, name, "received", "missing") == (0, ["a", "b", "c"])
    api("DELETE", f"/v1/models/{name}/workers/b").expect(204)
    assert shown(api, name, "missing") == (["a", "c"],)


def test_pushes_without_a_worker_are_counted(api: Api, name: str) -> None:
    """`pushes` lists the pushes of workers, `unnamed` counts the others; one worker alone misses no one."""
    create(api, name, workers=4)
    api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1, num_examples=3)
    for key in ("one", "two"):
        api("POST", f"/v1/models/{name}/gradients", {"gradients": {"w": [1, 0]}}, Idempotency_Key=key).expect(202)
    listed = [{"worker": "a", "epoch": 0, "seq": 1, "num_examples": 3}]
    assert shown(api, name, "received", "pushes", "unnamed") == (3, listed, 2)
    for mode in ({"mode": "sync", "workers": 1, "min_pushes": 5}, {"mode": "manual"}):
        api("PATCH", f"/v1/models/{name}", {"consistency": mode}).expect(200)
        assert shown(api, name, "received", "unnamed", "missing") == (3, 2, None)


def test_fewer_workers_than_a_written_quorum(api: Api, name: str) -> None:
    """A PATCH merges: the quorum stays, so the refusal names both numbers, and one request can change both."""
    create(api, name, workers=4, min_pushes=4)
    path = f"/v1/models/{name}"
    refused = api("PATCH", path, {"consistency": {"mode": "sync", "workers": 3}}).expect(422).json()
    assert "`workers`, which is 3; got 4" in refused["detail"]
    assert "Send `min_pushes` of at most 3 in the same request." in refused["detail"]
    both = api("PATCH", path, {"consistency": {"workers": 3, "min_pushes": 3}}).expect(200).json()
    assert both["definition"]["consistency"]["workers"] == 3


def test_a_round_without_workers(api: Api, name: str) -> None:
    """The mode alone is refused with what to add, and the contract requires one of the two members."""
    definition = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0]}}
    schema = {"$ref": "#/components/schemas/Consistency"}
    alone: dict[str, Any] = {"mode": "sync"}
    refused = api("PUT", f"/v1/models/{name}", {**definition, "consistency": alone}).expect(422).json()
    assert """Add `"workers":N`""" in refused["detail"] and """`"min_pushes":N`""" in refused["detail"]
    assert not is_valid(schema, alone)
    for number, members in enumerate(({"workers": 2}, {"workers": "registered"}, {"min_pushes": 2})):
        api.create(f"{name}-{number}", {**definition, "consistency": {**alone, **members}})
        assert is_valid(schema, {**alone, **members})
