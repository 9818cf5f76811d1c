"""Refusals and receipts say the numbers that a program needs as members, not only in their text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.wire import Answer, Api

MODEL = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}}
PAIR = {"mode": "sync", "workers": 2, "round_timeout": "120s"}


def create(api: Api, name: str, **consistency: Any) -> None:
    """A model with this consistency."""
    api.create(name, {**MODEL, "consistency": consistency})


def figures(answer: Answer) -> tuple[str, dict[str, Any]]:
    """The name of a problem, and the members that only it has."""
    common = ("type", "title", "status", "detail", "retry_after")
    document = answer.json()
    own = {name: value for name, value in document.items() if name not in common}
    return document["type"].rpartition("/")[2], own


def test_stale(api: Api, name: str) -> None:
    """How old the gradient is, how old it may be, the step that it names, and the step to pull."""
    create(api, name, mode="async", max_staleness=1)
    first = api.get(f"/v1/models/{name}").json()["cursor"]
    for _ in range(3):
        api.push(name, {"w": [1, 0]})
    for basis in (0, first):
        stale = api.push(name, {"w": [1, 0]}, 409, based_on=basis)
        assert figures(stale) == ("stale", {"staleness": 3, "limit": 1, "step": 3, "based_on": 0})
    assert figures(api.push(name, {"w": [1, 0]}, 409, based_on=9)) == ("stale", {"based_on": 9, "step": 3})


def test_rounds(api: Api, name: str) -> None:
    """The round that a worker has pushed in already, and the one that it has missed."""
    create(api, name, **PAIR)
    api.push(name, {"w": [2, 0]}, 202, worker="b", seq=1)
    again = figures(api.push(name, {"w": [9, 9]}, 409, worker="b", seq=2))
    assert again == ("already-in-round", {"worker": "b", "round": {"step": 1, "received": 1, "needed": 2}})
    other = figures(api.push(name, {"w": [1, 0]}, 409, worker="a", seq=1, hyperparameters={"learning_rate": 2}))
    assert other == ("other-hyperparameters", {"round": {"hyperparameters": None}})
    api.push(name, {"w": [0, 4]}, worker="a", seq=1)
    late = figures(api.push(name, {"w": [9, 9]}, 409, worker="a", seq=2, based_on=0))
    assert late == ("round-closed", {"based_on": 0, "step": 1})


def test_the_hyperparameters_of_a_round(api: Api, name: str) -> None:
    """A push without hyperparameters is told those of the round."""
    create(api, name, **PAIR)
    api.push(name, {"w": [2, 0]}, 202, worker="b", seq=1, hyperparameters={"learning_rate": 2})
    refused = figures(api.push(name, {"w": [1, 0]}, 409, worker="a", seq=1))
    assert refused == ("other-hyperparameters", {"round": {"hyperparameters": {"learning_rate": 2}}})


def test_a_round_dropped_at_its_deadline(api: Api, name: str) -> None:
    """How many pushes it had, and how many would have been enough; a lookup of the push says the same."""
    create(api, name, mode="sync", workers=3, min_pushes=2, round_timeout="100ms")
    pushed = api("POST", f"/v1/models/{name}/gradients?wait=60s", {"gradients": {"w": [1, 0]}, "worker": "a", "seq": 1})
    assert "1 of 2 pushes" in pushed.expect(409).json()["detail"]
    round_ = {"reason": "timeout", "step": 1, "received": 1, "quorum": 2}
    assert figures(pushed) == ("round-dropped", {"round": {**round_, "waited": "100ms"}})
    receipt = api.get(f"/v1/models/{name}/pushes/a/1").json()["receipt"]
    assert receipt["round"] == {"state": "dropped", **round_}


def test_a_round_that_diverges(api: Api, name: str) -> None:
    """The worker whose push was held is told why the round was dropped, as is the one whose push closed it."""
    api.create(name, {**MODEL, "learning_rate": 3e38, "consistency": PAIR})
    api.push(name, {"w": [8, 0]}, 202, worker="a", seq=1)
    assert api.push(name, {"w": [8, 0]}, 409, worker="b", seq=1).json()["type"] == "/problems/diverged"
    told = api.push(name, {"w": [8, 0]}, 409, worker="a", seq=1)
    assert figures(told) == ("round-dropped", {"round": {"reason": "diverged", "step": 1, "received": 2}})
    assert "non-finite" in told.json()["detail"]


def test_too_far_ahead(api: Api, name: str) -> None:
    """The clocks, and the one to wait for; after a wait in vain, how long it was and when to try again."""
    create(api, name, mode="ssp", workers=2, slack=1)
    for seq in (1, 2):
        api.push(name, {"w": [1, 0]}, worker="a", seq=seq)
    clocks = {"worker": "a", "clock": 2, "slowest": 0, "wait_for": 1}
    refused = api("GET", f"/v1/models/{name}/parameters?worker=a").expect(409)
    assert figures(refused) == ("too-far-ahead", clocks) and "retry-after" not in refused.headers
    waited = api("GET", f"/v1/models/{name}/parameters?worker=a&wait=200ms").expect(409)
    assert figures(waited) == ("too-far-ahead", clocks)
    assert waited.headers["retry-after"] == "1" and waited.json()["retry_after"] == 1
    assert "waited 200ms" in waited.json()["detail"] and "wait=30s" not in waited.json()["detail"]


def test_fenced(api: Api, name: str) -> None:
    """The epoch of the request, and the worker's current one."""
    create(api, name, mode="async")
    first, second = (api("PUT", f"/v1/models/{name}/workers/a").expect(200).json()["epoch"] for _ in range(2))
    refused = figures(api.push(name, {"w": [1, 0]}, 409, worker="a", epoch=first, seq=1))
    assert refused == ("fenced", {"worker": "a", "epoch": first, "current_epoch": second, "has_ended": False})


def test_a_receipt_says_the_divisor(api: Api, name: str) -> None:
    """Under `scale`, a gradient three updates old is divided by 4; a retry gets the same receipt."""
    create(api, name, mode="async", max_staleness=0, staleness_policy="scale")
    fresh = [api.push(name, {"w": [1, 0]}, based_on=step).json() for step in range(3)]
    assert all("divisor" not in receipt for receipt in fresh)
    scaled = api.push(name, {"w": [4, 8]}, based_on=0, worker="a", seq=1).json()
    assert (scaled["staleness"], scaled["divisor"]) == (3, 4)
    assert scaled["grad_norm"] == pytest.approx(5**0.5)
    np.testing.assert_array_equal(api.pull(name)["w"], [-4, -2])
    assert api.push(name, {"w": [4, 8]}, based_on=0, worker="a", seq=1).json() == {**scaled, "replayed": True}


def test_without_based_on_the_staleness_is_unknown(api: Api, name: str) -> None:
    """The receipt has null, the history no point, and a model that judges late pushes warns."""
    create(api, name, mode="async")
    receipt = api.push(name, {"w": [1, 0]}).json()
    assert receipt["staleness"] is None and "warnings" not in receipt
    api.push(name, {"w": [1, 0]}, based_on=0)
    assert api.get(f"/v1/models/{name}/history").json()["series"]["staleness"]["value"] == [1]
    api("PATCH", f"/v1/models/{name}", {"consistency": {"max_staleness": 0}}).expect(200)
    warned = api.push(name, {"w": [1, 0]}).json()
    assert "`max_staleness` does not apply" in warned["warnings"][0]
    assert "warnings" not in api.push(name, {"w": [1, 0]}, based_on=3).json()


def test_a_quorum_needs_based_on(api: Api, name: str) -> None:
    """In a round that can close without a worker, a push that does not name its step is accepted with a warning."""
    create(api, name, mode="sync", workers=2, min_pushes=1, round_timeout="120s")
    held = api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1).json()
    assert "not recognized" in held["warnings"][0] and held["staleness"] is None
    assert "warnings" not in api.push(name, {"w": [1, 0]}, worker="b", seq=1, based_on=0).json()


def test_only_a_request_closes_a_manual_round(api: Api, name: str) -> None:
    """A held push says which one; its receipt has no staleness and no warning, because it is not of a push."""
    create(api, name, mode="manual")
    held = api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1).json()
    assert held["round"]["closes_with"] == f"POST /v1/models/{name}/step" and held["round"]["closes_in"] is None
    assert "needed" not in held["round"]
    closed = api("POST", f"/v1/models/{name}/step").expect(200).json()
    assert closed["staleness"] is None and "warnings" not in closed


def test_a_lookup_says_when_the_round_closes(api: Api, name: str) -> None:
    """The time until the deadline, as in `round`."""
    create(api, name, **PAIR)
    api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1)
    found = api.get(f"/v1/models/{name}/pushes/a/1").json()
    assert found["outcome"] == "held"
    assert 0 < float(found["receipt"]["round"]["closes_in"].removesuffix("s")) <= 120
