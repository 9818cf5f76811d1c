"""A dry run is refused like the push itself, and shows what the push would do: apply, hold, or close a round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.wire import Answer, Api, wait_until

MODEL = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}}
PAIR = {"mode": "sync", "workers": 2, "round_timeout": "120s"}


def create(api: Api, name: str, **consistency: Any) -> None:
    """A model with this consistency."""
    api.create(name, {**MODEL, "consistency": consistency})


def dry(api: Api, name: str, w: list[float], status: int = 200, query: str = "", **fields: Any) -> Answer:
    """A dry run of a push."""
    body = {"gradients": {"w": w}, **fields}
    return api("POST", f"/v1/models/{name}/gradients?dry_run=1{query}", body).expect(status)


def slug(answer: Answer) -> str:
    """The last part of a problem's type."""
    return str(answer.json()["type"]).rsplit("/", 1)[-1]


def test_staleness_is_scaled(api: Api, name: str) -> None:
    """After 3 updates, [4, 8] of step 0 is divided by 4; the real push does the same."""
    create(api, name, mode="async", max_staleness=0, staleness_policy="scale")
    for step in range(3):
        api.push(name, {"w": [0, 0]}, based_on=step)
    run = dry(api, name, [4, 8], query="&stages=1", based_on=0).json()
    assert (run["update"]["w"]["data"], run["staleness"], run["divisor"]) == ([1, 2], 3, 4)
    assert run["grad_norm"] == pytest.approx(5**0.5)
    assert next(iter(run["stages"])) == "scale_by_staleness"
    assert run["stages"]["scale_by_staleness"]["w"]["data"] == [1, 2]
    api.push(name, {"w": [4, 8]}, based_on=0)
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])


def test_a_fresh_gradient_has_no_such_stage(api: Api, name: str) -> None:
    """Nothing is divided, so the stages are those of the update."""
    create(api, name, mode="async", max_staleness=0, staleness_policy="scale")
    run = dry(api, name, [4, 8], query="&stages=1", based_on=0).json()
    assert run["update"]["w"]["data"] == [4, 8] and run["staleness"] == 0 and "divisor" not in run
    assert list(run["stages"]) == ["flatten_gradients", "decay_weight", "gradients_centralization", "scale_grad"]


def test_a_stale_gradient_is_refused(api: Api, name: str) -> None:
    """The same answer as that to the real push."""
    create(api, name, mode="async", max_staleness=0)
    api.push(name, {"w": [0, 0]}, based_on=0)
    refused = dry(api, name, [4, 8], 409, based_on=0)
    assert refused.json() == api.push(name, {"w": [4, 8]}, 409, based_on=0).json()


def test_who_may_not_push(api: Api, name: str) -> None:
    """A worker that is not registered, one that has pushed, and one whose epoch has ended."""
    create(api, name, mode="sync", workers="registered", round_timeout="120s")
    assert slug(dry(api, name, [1, 0], 409, worker="z", seq=1)) == "not-registered"
    epochs = {w: api("PUT", f"/v1/models/{name}/workers/{w}").expect(200).json()["epoch"] for w in "ab"}
    api.push(name, {"w": [1, 0]}, 202, worker="a", epoch=epochs["a"], seq=1)
    assert slug(dry(api, name, [1, 0], 409, worker="a", epoch=epochs["a"], seq=2)) == "already-in-round"
    assert slug(dry(api, name, [1, 0], 409, worker="b", epoch=0, seq=1)) == "fenced"


def test_rounds(api: Api, name: str) -> None:
    """The first push of two would be held, the second would close the round with the mean; neither is counted."""
    create(api, name, **PAIR)
    held = dry(api, name, [2, 0], query="&stages=1", worker="a", seq=1).json()
    assert (held["applied"], held["dry_run"], "update" in held, "stages" in held) == (False, True, False, False)
    round_ = held["round"]
    assert (round_["state"], round_["step"], round_["received"], round_["needed"]) == ("held", 1, 1, 2)
    assert float(round_["closes_in"].removesuffix("s")) == 120
    assert api.get(f"/v1/models/{name}/round").json()["received"] == 0
    assert api.get(f"/v1/models/{name}/pushes/a/1").json()["outcome"] == "unknown"
    api.push(name, {"w": [2, 0]}, 202, worker="a", seq=1)
    run = dry(api, name, [0, 4], query="&stages=1", worker="b", seq=1).json()
    assert run["round"] == {"state": "closed", "step": 1, "received": 2}
    assert run["update"]["w"]["data"] == [1, 2] and run["grad_norm"] == pytest.approx(5**0.5)
    own, combined = ["flatten_gradients", "scale_grad"], ["reduce", "decay_weight", "gradients_centralization"]
    assert list(run["stages"]) == own + combined
    assert [run["stages"][stage]["w"]["data"] for stage in own] == [[0, 4]] * 2
    assert [run["stages"][stage]["w"]["data"] for stage in combined] == [[1, 2]] * 3
    assert api.get(f"/v1/models/{name}/round").json()["received"] == 1
    api.push(name, {"w": [0, 4]}, worker="b", seq=1)
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])


def test_a_late_dry_run_is_not_a_late_push(api: Api, name: str) -> None:
    """It is refused as the push would be, but `late` of the round counts pushes only."""
    create(api, name, **PAIR)
    for worker, status in (("a", 202), ("b", 200)):
        api.push(name, {"w": [1, 0]}, status, worker=worker, seq=1)
    assert slug(dry(api, name, [1, 0], 409, worker="a", seq=2, based_on=0)) == "round-closed"
    before = api.get(f"/v1/models/{name}/round").json()["late"]
    assert slug(api.push(name, {"w": [1, 0]}, 409, worker="a", seq=2, based_on=0)) == "round-closed"
    assert (before, api.get(f"/v1/models/{name}/round").json()["late"]) == (0, 1)


def test_the_median_of_a_round(api: Api, name: str) -> None:
    """Three pushes, one far off: the update is the median of each number, with the loss scale taken out."""
    api.create(name, {**MODEL, "loss_scale": 2, "consistency": {**PAIR, "workers": 3, "reduce": "median"}})
    api.push(name, {"w": [2, 8]}, 202, worker="a", seq=1)
    api.push(name, {"w": [2e6, 4]}, 202, worker="b", seq=1)
    run = dry(api, name, [4, 6], query="&stages=1", worker="c", seq=1).json()
    assert run["stages"]["reduce"]["w"]["data"] == run["update"]["w"]["data"] == [2, 3]


def test_sparse_rows_in_a_round(api: Api, name: str) -> None:
    """A row that one of two workers pushes counts half."""
    rows = {"w": {"shape": [3, 1], "init": "zeros"}}
    api.create(name, {**MODEL, "optimizer": "lazy_adam", "parameters": rows, "consistency": PAIR})
    first = {"gradients": {"w": {"indices": [0, 2], "values": [[2], [4]]}}, "worker": "a", "seq": 1}
    api("POST", f"/v1/models/{name}/gradients", first).expect(202)
    body = {"gradients": {"w": {"indices": [2], "values": [[2]]}}, "worker": "b", "seq": 1}
    run = api("POST", f"/v1/models/{name}/gradients?dry_run=1&stages=1", body).expect(200).json()
    assert run["stages"]["reduce"]["w"] == {"indices": [0, 2], "shape": [2, 1], "data": [1, 3]}
    assert run["stages"]["scale_grad"]["w"] == {"indices": [2], "shape": [1, 1], "data": [2]}


def test_each_worker_clipped(api: Api, name: str) -> None:
    """With `clip` per worker, the norms are those of the push itself: 10 before, 1 after."""
    api.create(name, {**MODEL, "clip": {"global_norm": 1, "per": "worker"}, "consistency": PAIR})
    api.push(name, {"w": [0, 0]}, 202, worker="a", seq=1)
    run = dry(api, name, [6, 8], worker="b", seq=1).json()
    assert (run["grad_norm"], run["clipped_grad_norm"]) == (pytest.approx(10), pytest.approx(1))
    np.testing.assert_allclose(run["update"]["w"]["data"], [0.3, 0.4], rtol=1e-6)


def test_manual_rounds(api: Api, name: str) -> None:
    """A push would be held until a request closes the round."""
    create(api, name, mode="manual")
    api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1)
    run = dry(api, name, [1, 0], worker="a", seq=2).json()
    assert run["round"]["received"] == 2 and run["round"]["closes_with"] == f"POST /v1/models/{name}/step"


@pytest.mark.parametrize("key", ["number", "header"])
def test_keys(api: Api, demo: str, key: str) -> None:
    """A key is not used up by a dry run; one that was used gets its receipt, or 422 with another body."""
    fields = {"worker": "a", "seq": 1} if key == "number" else {}
    headers = {} if key == "number" else {"Idempotency_Key": "k"}
    target = f"/v1/models/{demo}/gradients"
    push = {"gradients": {"w": [1, 0]}, **fields}
    for _ in range(2):
        run = api("POST", f"{target}?dry_run=1", push, **headers).expect(200).json()
        assert "update" in run and "replayed" not in run
    receipt = api("POST", target, push, **headers).expect(200).json()
    assert receipt["replayed"] is False
    again = api("POST", f"{target}?dry_run=1", push, **headers).expect(200).json()
    assert again["dry_run"] is True and again["replayed"] is True and again["step"] == receipt["step"]
    other = {"gradients": {"w": [2, 0]}, **fields}
    assert slug(api("POST", f"{target}?dry_run=1", other, **headers).expect(422)) == "key-reused"


def test_a_dry_run_does_not_renew_a_lease(api: Api, demo: str) -> None:
    """The lease of 60 s runs on: only a push gives it the whole time again."""
    worker = f"/v1/models/{demo}/workers/a"
    epoch = api("PUT", worker, {"ttl": "60s"}).expect(200).json()["epoch"]

    def left() -> float:
        return float(api.get(worker).json()["expires_in"])

    wait_until(lambda: left() < 59.9)
    dry(api, demo, [1, 0], worker="a", epoch=epoch, seq=1)
    assert left() < 59.9
