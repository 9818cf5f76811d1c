"""Limits of a definition: names that URLs can express, equal rules for PUT and PATCH, the number of rates."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import Api

PLAIN = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 1], "v": [[1, 2]]}}


@pytest.mark.parametrize("dots", [".", ".."])
def test_names_that_no_url_reaches(api: Api, demo: str, name: str, dots: str) -> None:
    """Clients drop such a segment even when it is percent-encoded, so it is not a valid name."""
    name = f"{name}-new"
    api.create(name, {**PLAIN, "parameters": {dots: [0]}}, 422)
    groups = [{"name": dots, "params": ["*"]}]
    problem = api.create(name, {**PLAIN, "groups": groups}, 422).json()
    assert problem["errors"][0]["pointer"] == "/groups/0/name"
    api.push(demo, {"w": [1, 0]}, 422, worker=dots, seq=1)
    api.push_binary(demo, {"w": np.float32([1, 0])}, X_Paramd_Worker=dots, X_Paramd_Seq="1").expect(422)
    api("GET", f"/v1/models/{name}").expect(404)


WRONG: dict[str, Any] = {
    "consistency": [17, "x", [], {"mode": "sync", "workers": 0}, {"mode": "async", "slack": 1}, {"mode": 1}],
    "learning_rate": ["x", True, -1, {"schedule": "none"}, {}, [[1]], [1e39]],
    "weight_decay": ["x", -1, [1], {}],
    "loss_scale": ["x", 0, -1, []],
    "loss_scaling": [1, {}, {"type": "none"}],
    "groups": [1, "x"],
    "past_end": [1, "x"],
    "on_nonfinite": [1, "x"],
    "unique": [1, "x"],
    "target": [1, "GPU"],
    "optimizer": [1, {"type": "sgd", "momentum": "x"}, {"type": "sgd", "none": 1}],
    "no_such_key": [1, {}],
}


@pytest.mark.parametrize("key", WRONG)
def test_one_reader_for_put_and_patch(api: Api, demo: str, key: str) -> None:
    """PUT and PATCH refuse the same values, for every member of a definition, and store nothing."""
    before = api.get(f"/v1/models/{demo}").body
    for value in WRONG[key]:
        body = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 0]}, key: value}
        api("PUT", f"/v1/models/{demo}-other", body).expect(422)
        api("PATCH", f"/v1/models/{demo}", {key: value}).expect(422)
        assert api.get(f"/v1/models/{demo}").body == before, value


def test_consistency_that_holds(api: Api, demo: str) -> None:
    """The mode of every model may be patched and removed; the page shows it as it was written."""
    definition = api.get(f"/v1/models/{demo}").json()["definition"]
    for mode in ({"mode": "async"}, {"mode": "manual"}):
        patched = api("PATCH", f"/v1/models/{demo}", {"consistency": mode}).expect(200).json()["definition"]
        assert patched == {**definition, "consistency": mode}
    assert api("PATCH", f"/v1/models/{demo}", {"consistency": None}).expect(200).json()["definition"] == definition


def test_a_group_named_twice(api: Api, name: str) -> None:
    """The server does not guess which of two values was meant."""
    api.create(name, {**PLAIN, "groups": [{"name": "g", "params": ["*"], "lr": 1}]})
    twice = {"groups": [{"name": "g", "lr": 2}, {"name": "g", "lr": 3}]}
    api("PATCH", f"/v1/models/{name}", twice).expect(422)
    assert api.get(f"/v1/models/{name}/lr").json()["lr"] == {"g": 1}


@pytest.mark.heavy
def test_a_million_rates(start: Callable[..., Daemon], tmp_path: Any) -> None:
    """They are accepted, returned, appended to, and restored after a restart."""
    first = start("--memory", "1G", data_dir=tmp_path)
    api = Api(first.host, first.port)
    rates = np.float32(1) / np.arange(1, 1_000_001, dtype=np.float32)
    api.create("m", {"optimizer": "sgd", "learning_rate": [float(rate) for rate in rates], "parameters": {"w": [0]}})
    api("PATCH", "/v1/models/m", {"learning_rate": {"append": [0.25] * 500_000}}).expect(200)
    api.close()
    assert first.stop() == 0
    second = start("--memory", "1G", data_dir=tmp_path)
    api = Api(second.host, second.port)
    query = urllib.parse.urlencode({"from": 999_998, "to": 1_499_999, "every": 250_000})
    curve = api.get(f"/v1/models/m/lr?{query}").json()
    assert curve["steps"] == [999_998, 1_249_998, 1_499_998]
    assert np.float32(curve["lr"]["default"]).tolist() == [rates[999_998], 0.25, 0.25]
    api("GET", "/v1/models/m/lr?step=1500000").expect(409)
    api.close()


def test_rates_beyond_the_memory(start: Callable[..., Daemon]) -> None:
    """The answer names memory and rates, and the daemon continues."""
    daemon = start("--memory", "32M")
    api = Api(daemon.host, daemon.port)
    body = {"optimizer": "sgd", "learning_rate": [0.5] * 1_000_000, "parameters": {"w": [0]}}
    detail = api("PUT", "/v1/models/m", body).expect(422).json()["detail"]
    assert "memory" in detail and "rate" in detail
    api.create("m", {**body, "learning_rate": [0.5] * 1000})
    api.close()
