"""Rounds of several workers: when a push is held, when it is applied, and that nothing is lost or counted twice."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import Answer, Api, until_waiting, wait_until, waiting

SYNC = {"mode": "sync", "workers": 2, "round_timeout": "120s"}
MODEL = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}, "consistency": SYNC}


def with_mode(**consistency: Any) -> dict[str, Any]:
    """The model with another consistency."""
    return {**MODEL, "consistency": consistency}


def slug(answer: Answer) -> str:
    """The last part of a problem's type."""
    return str(answer.json()["type"]).rsplit("/", 1)[-1]


@contextmanager
def waiting_push(api: Api, model: str, worker: str, seq: int, w: list[float], wait: str = "60s") -> Iterator[Any]:
    """A push of a worker that waits for its round, on a connection of its own; yields its future."""
    before = waiting(api)

    def send() -> Answer:
        own = Api(api.host, api.port)
        try:
            body = {"gradients": {"w": w}, "worker": worker, "seq": seq}
            return own("POST", f"/v1/models/{model}/gradients?wait={wait}", body)
        finally:
            own.close()

    with ThreadPoolExecutor(1) as pool:
        future: Future[Answer] = pool.submit(send)
        until_waiting(api, before + 1)
        # It also waits while it is being stored, and is then in no round yet.
        pushed = f"/v1/models/{model}/pushes/{worker}/{seq}"
        wait_until(lambda: api.get(pushed).json()["outcome"] not in ("unknown", "pending"))
        yield future


def test_two_workers_make_one_update(api: Api, name: str) -> None:
    """The first push waits, the second closes the round, and both get the same step with the mean applied."""
    api.create(name, MODEL)
    with waiting_push(api, name, "b", 1, [2, 0]) as first:
        shown = api.get(f"/v1/models/{name}/round").json()
        assert (shown["mode"], shown["step"], shown["received"], shown["needed"]) == ("sync", 1, 1, 2)
        assert shown["pushes"] == [{"worker": "b", "epoch": 0, "seq": 1}]
        assert 0 < float(shown["closes_in"].removesuffix("s")) <= 120
        second = api.push(name, {"w": [0, 4]}, worker="a", seq=1).json()
        waited = first.result(timeout=30).expect(200).json()
    assert second["round"] == waited["round"] == {"state": "closed", "step": 1, "received": 2}
    assert (second["step"], second["grad_norm"]) == (waited["step"], waited["grad_norm"]) == (1, np.sqrt(5))
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])
    assert api.get(f"/v1/models/{name}/pushes/b/1").json()["outcome"] == "applied"


def test_a_held_push_is_202(api: Api, name: str) -> None:
    """Without `wait`, and at the end of `wait`, the answer says what the round waits for and until when."""
    api.create(name, MODEL)
    held = api.push(name, {"w": [2, 0]}, 202, worker="b", seq=1).json()
    assert held["applied"] is False and held["durable"] is True
    assert (held["round"]["state"], held["round"]["received"], held["round"]["needed"]) == ("held", 1, 2)
    assert held["round"]["closes_in"].endswith("s")
    assert api.get(f"/v1/models/{name}/pushes/b/1").json()["outcome"] == "held"
    with waiting_push(api, name, "b", 1, [2, 0], wait="200ms") as retry:
        again = retry.result(timeout=30).expect(202).json()
    assert again["replayed"] is True and again["round"]["received"] == 1
    with waiting_push(api, name, "b", 1, [2, 0]) as retry:
        api.push(name, {"w": [0, 4]}, worker="a", seq=1)
        assert retry.result(timeout=30).expect(200).json()["step"] == 1
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])


def test_a_held_push_with_a_key_is_sent_again_to_wait(api: Api, name: str) -> None:
    """`wait` is not part of the request that the key identifies; `pull` is."""
    api.create(name, MODEL)
    target, body = f"/v1/models/{name}/gradients", {"gradients": {"w": [2, 0]}}
    api("POST", target, body, Idempotency_Key="first").expect(202)
    again = api("POST", f"{target}?wait=10ms", body, Idempotency_Key="first").expect(202)
    assert again.json()["replayed"] is True and again.json()["round"]["received"] == 1
    assert slug(api("POST", f"{target}?pull=1", body, Idempotency_Key="first").expect(422)) == "key-reused"
    api.push(name, {"w": [0, 4]}, worker="a", seq=1)
    assert api("POST", f"{target}?wait=60s", body, Idempotency_Key="first").expect(200).json()["step"] == 1
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])


def test_who_may_not_push(api: Api, name: str) -> None:
    """A second push of a worker, one without a key and a late one are refused with the reason; nothing is applied."""
    api.create(name, MODEL)
    api.push(name, {"w": [2, 0]}, 202, worker="b", seq=1)
    assert slug(api.push(name, {"w": [9, 9]}, 409, worker="b", seq=2)) == "already-in-round"
    assert slug(api.push(name, {"w": [9, 9]}, 400)) == "key-required"
    assert slug(api.push(name, {"w": [9, 9]}, 422, worker="b", seq=1)) == "key-reused"
    api.push(name, {"w": [0, 4]}, worker="a", seq=1)
    late = api.push(name, {"w": [9, 9]}, 409, worker="a", seq=2, based_on=0)
    assert slug(late) == "round-closed" and "step 1, which has closed" in late.json()["detail"]
    assert api.get(f"/v1/models/{name}/round").json()["late"] == 1
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])


def test_a_worker_pushes_with_its_number(api: Api, name: str) -> None:
    """With a key in its place one worker could fill a round of two; without `worker` the key is enough."""
    api.create(name, MODEL)
    target = f"/v1/models/{name}/gradients"
    for key in ("k1", "k2"):
        body = {"gradients": {"w": [2, 0]}, "worker": "a"}
        problem = api("POST", target, body, Idempotency_Key=key).expect(422).json()
        assert [error["pointer"] for error in problem["errors"]] == ["/seq"]
        assert "leave out `worker`" in problem["detail"] and "cannot replace it" in problem["detail"]
    file = {"w": np.float32([2, 0])}
    problem = api.push_binary(name, file, X_Paramd_Worker="a", Idempotency_Key="k3").expect(422).json()
    assert [error["pointer"] for error in problem["errors"]] == ["/seq"]
    assert api.get(f"/v1/models/{name}/round").json()["received"] == 0
    api("POST", target, {"gradients": {"w": [2, 0]}}, Idempotency_Key="k1").expect(202)
    api.push(name, {"w": [0, 4]}, worker="a", seq=1)
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_a_round_survives_the_daemon(tmp_path: Path, ending: str) -> None:
    """A held push is in the round after a restart; its retry is not a second push."""
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", MODEL)
        api.push("m", {"w": [2, 0]}, 202, worker="b", seq=1)
        if ending == "kill":
            daemon.signal(signal.SIGKILL)
            daemon.wait()
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        assert api.get("/v1/models/m/round").json()["pushes"] == [{"worker": "b", "epoch": 0, "seq": 1}]
        assert api.push("m", {"w": [2, 0]}, 202, worker="b", seq=1).json()["replayed"] is True
        api.push("m", {"w": [0, 4]}, worker="a", seq=1)
        np.testing.assert_array_equal(api.pull("m")["w"], [-1, -2])
        assert api.push("m", {"w": [2, 0]}, worker="b", seq=1).json()["step"] == 1


def test_a_round_is_dropped_at_its_deadline(api: Api, name: str) -> None:
    """Too few pushes at the deadline: the waiting request and a retry get 409, and the parameters do not change."""
    api.create(name, with_mode(mode="sync", workers=2, round_timeout="300ms"))
    with waiting_push(api, name, "a", 1, [2, 0]) as push:
        problem = push.result(timeout=30).expect(409).json()
    assert problem["type"] == "/problems/round-dropped"
    assert "it had 1 of 2 pushes at its deadline, 300ms after the first push." in problem["detail"]
    figures = {"reason": "timeout", "step": 1, "received": 1, "quorum": 2, "waited": "300ms"}
    assert problem["round"] == figures
    again = api.push(name, {"w": [2, 0]}, 409, worker="a", seq=1)
    assert slug(again) == "round-dropped" and "had 1 of 2 pushes at its deadline" in again.json()["detail"]
    known = api.get(f"/v1/models/{name}/pushes/a/1").json()
    assert known["outcome"] == "dropped"
    dropped = {"state": "dropped", "reason": "timeout", "step": 1, "received": 1, "quorum": 2}
    assert known["receipt"]["round"] == dropped
    np.testing.assert_array_equal(api.pull(name)["w"], [0, 0])


def test_a_quorum_is_enough_at_the_deadline(api: Api, name: str) -> None:
    """Two of three workers: the round closes at its deadline, and the mean is that of two."""
    api.create(name, with_mode(mode="sync", workers=3, min_pushes=2, round_timeout="300ms"))
    with waiting_push(api, name, "a", 1, [2, 0]) as one, waiting_push(api, name, "b", 1, [0, 4]) as other:
        receipts = [push.result(timeout=30).expect(200).json() for push in (one, other)]
    assert [receipt["round"]["received"] for receipt in receipts] == [2, 2]
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, -2])


def test_manual_rounds(api: Api, name: str) -> None:
    """Pushes are held until POST step, however many; with a key a retry closes one round only."""
    api.create(name, with_mode(mode="manual", reduce="sum"))
    step = f"/v1/models/{name}/step"
    assert slug(api("POST", step).expect(409)) == "round-empty"
    for seq in (1, 2, 3):
        api.push(name, {"w": [seq, 0]}, 202, worker="a", seq=seq)
    closed = api("POST", step, Idempotency_Key="close").expect(200).json()
    assert (closed["step"], closed["round"]["received"]) == (1, 3)
    api.push(name, {"w": [0, 1]}, 202, worker="a", seq=4)
    again = api("POST", step, Idempotency_Key="close").expect(200)
    assert again.json()["step"] == 1 and again.headers["idempotency-replayed"] == "true"
    np.testing.assert_array_equal(api.pull(name)["w"], [-6, 0])
    assert api("POST", step).expect(200).json()["step"] == 2


def test_an_asynchronous_model_has_no_rounds(api: Api, demo: str) -> None:
    """POST step says so, and the round is only its mode."""
    assert slug(api("POST", f"/v1/models/{demo}/step").expect(409)) == "no-rounds"
    assert api.get(f"/v1/models/{demo}/round").json() == {"mode": "async"}


def test_bits_do_not_depend_on_the_order_of_arrival(api: Api, name: str) -> None:
    """Three gradients whose float32 sum depends on the order give the same bits in all six orders."""
    api.create(name, with_mode(mode="sync", workers=3))
    gradients = {"a": [0.1, 1e8], "b": [0.2, 1.0], "c": [0.3, -1e8]}
    expected = np.mean(np.array(list(gradients.values()), dtype=np.float32).astype(np.float64), axis=0)
    before = api.pull_binary(name)["w"]
    for seq, order in enumerate(itertools.permutations(gradients), start=1):
        for worker in order[:2]:
            api.push(name, {"w": gradients[worker]}, 202, worker=worker, seq=seq)
        api.push(name, {"w": gradients[order[2]]}, worker=order[2], seq=seq)
        after = api.pull_binary(name)["w"]
        np.testing.assert_array_equal(after, before - expected.astype(np.float32))
        before = after


@pytest.mark.parametrize(
    "optimizer", ["sgd", {"type": "momentum", "momentum": 0.9}, "adam", {"type": "adamw", "framework": "torch"}]
)
def test_half_batches_are_the_whole_batch(api: Api, name: str, optimizer: Any) -> None:
    """Gradients of half batches, where sums are exact: two workers reach the bits of one with the whole batch."""
    definition = {**MODEL, "optimizer": optimizer, "learning_rate": 0.125, "weight_decay": 0.25, "loss_scale": 1}
    api.create(f"{name}.two", definition)
    api.create(f"{name}.one", {**definition, "consistency": {"mode": "async"}})
    rng = np.random.default_rng(7)
    for seq in range(1, 31):
        halves = rng.integers(-1000, 1000, (2, 2)).astype(np.float32) * 2
        api.push(f"{name}.two", {"w": halves[0]}, 202, worker="a", seq=seq)
        api.push(f"{name}.two", {"w": halves[1]}, worker="b", seq=seq)
        api.push(f"{name}.one", {"w": halves.mean(axis=0)}, worker="a", seq=seq)
    np.testing.assert_array_equal(api.pull_binary(f"{name}.two")["w"], api.pull_binary(f"{name}.one")["w"])


@pytest.mark.unsanitized
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_logistic_regression_by_halves(api: Api, name: str, optimizer: str) -> None:
    """300 rounds of two threads with half batches end where one with the whole batch does."""
    rng = np.random.default_rng(3)
    data = rng.normal(size=(300, 64, 8)).astype(np.float32)
    truth = rng.normal(size=8)
    labels = (data @ truth > 0).astype(np.float32)
    definition = {"optimizer": optimizer, "learning_rate": 0.1, "parameters": {"w": [0] * 8}}
    api.create(f"{name}.two", {**definition, "consistency": SYNC})
    api.create(f"{name}.one", definition)

    def gradient(w: np.ndarray, batch: int, part: slice) -> np.ndarray:
        x, y = data[batch, part], labels[batch, part]
        return x.T @ (1 / (1 + np.exp(-(x @ w))) - y) / len(x)

    def work(worker: str, part: slice) -> None:
        own = Api(api.host, api.port)
        for batch in range(300):
            grad = gradient(own.pull_binary(f"{name}.two")["w"], batch, part)
            body = {"gradients": {"w": grad.tolist()}, "worker": worker, "seq": batch + 1, "based_on": batch}
            own("POST", f"/v1/models/{name}.two/gradients?wait=60s", body).expect(200)
        own.close()

    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(work, "a", slice(0, 32)), pool.submit(work, "b", slice(32, 64))]:
            job.result(timeout=300)
    for batch in range(300):
        api.push(f"{name}.one", {"w": gradient(api.pull_binary(f"{name}.one")["w"], batch, slice(0, 64))})
    two, one = (api.pull_binary(f"{name}.{kind}")["w"] for kind in ("two", "one"))
    assert np.all(np.abs(two - one) <= 1e-6 + 1e-5 * np.abs(one)), (two, one)


def test_loss_scale_is_taken_out_first(api: Api, name: str) -> None:
    """With a loss scale of 4, both gradients arrive times 4, and decay is that of the plain weight_decay."""
    api.create(name, {**MODEL, "parameters": {"w": [8, 8]}, "loss_scale": 4, "weight_decay": 0.5})
    api.push(name, {"w": [8, 0]}, 202, worker="a", seq=1)
    api.push(name, {"w": [0, 16]}, worker="b", seq=1)
    np.testing.assert_array_equal(api.pull(name)["w"], [8 - (1 + 4), 8 - (2 + 4)])


def test_an_overflow_skips_the_round(api: Api, name: str) -> None:
    """One push with infinity under loss scaling: no update, and all receipts say so."""
    scaling = {"type": "dynamic", "init_loss_scale": 8, "scale_factor": 2, "scale_window": 100}
    api.create(name, {**MODEL, "loss_scaling": scaling})
    infinite = np.array([np.inf, 0], dtype=np.float32)
    api.push_binary(name, {"w": infinite}, X_Paramd_Worker="a", X_Paramd_Seq="1").expect(202)
    receipt = api.push(name, {"w": [1, 1]}, worker="b", seq=1).json()
    assert (receipt["applied"], receipt["overflow"], receipt["loss_scale"]) == (False, True, 4)
    again = api.push_binary(name, {"w": infinite}, X_Paramd_Worker="a", X_Paramd_Seq="1").expect(200).json()
    assert again["overflow"] is True and again["round"]["state"] == "closed"
    for worker in ("a", "b"):
        found = api.get(f"/v1/models/{name}/pushes/{worker}/1").json()
        assert found["outcome"] == "skipped" and found["receipt"]["applied"] is False
    np.testing.assert_array_equal(api.pull(name)["w"], [0, 0])


def test_weighted_by_examples(api: Api, name: str) -> None:
    """(3 * 1 + 1 * 5) / 4 = 2; in a safetensors push the number is a header."""
    api.create(name, with_mode(mode="sync", workers=2, reduce="weighted"))
    api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1, num_examples=3)
    fields = {"X_Paramd_Worker": "b", "X_Paramd_Seq": "1", "X_Paramd_Num_Examples": "1"}
    api.push_binary(name, {"w": np.array([5, 0], dtype=np.float32)}, **fields).expect(200)
    np.testing.assert_array_equal(api.pull(name)["w"], [-2, 0])


def test_registered_workers(api: Api, name: str) -> None:
    """A round waits for all who are registered; and stops waiting for one that leaves."""
    api.create(name, with_mode(mode="sync", workers="registered", round_timeout="120s"))
    epochs = {w: api("PUT", f"/v1/models/{name}/workers/{w}").expect(200).json()["epoch"] for w in "abc"}
    assert slug(api.push(name, {"w": [1, 0]}, 409, worker="d", seq=1)) == "not-registered"
    api.push(name, {"w": [3, 0]}, 202, worker="a", seq=1, epoch=epochs["a"])
    assert api.get(f"/v1/models/{name}/round").json()["missing"] == ["b", "c"]
    api.push(name, {"w": [5, 0]}, 202, worker="b", seq=1, epoch=epochs["b"])
    api("DELETE", f"/v1/models/{name}/workers/c").expect(204)
    np.testing.assert_array_equal(api.pull(name)["w"], [-4, 0])


def test_slow_workers_hold_the_fast_ones(api: Api, name: str) -> None:
    """Mode ssp: a worker two pushes ahead with slack 1 may pull once the other has pushed."""
    api.create(name, with_mode(mode="ssp", workers=2, slack=1))
    api.push(name, {"w": [1, 0]}, worker="a", seq=1)
    api.get(f"/v1/models/{name}/parameters?worker=a")
    api.push(name, {"w": [1, 0]}, worker="a", seq=2)
    refused = api("GET", f"/v1/models/{name}/parameters?worker=a").expect(409)
    assert slug(refused) == "too-far-ahead" and "has reached 1" in refused.json()["detail"]
    api.get(f"/v1/models/{name}/parameters?worker=b")
    before, answers = waiting(api), []

    def pull() -> None:
        own = Api(api.host, api.port)
        answers.append(own("GET", f"/v1/models/{name}/parameters?worker=a&wait=60s"))
        own.close()

    thread = threading.Thread(target=pull)
    thread.start()
    until_waiting(api, before + 1)
    api.push(name, {"w": [1, 0]}, worker="b", seq=1)
    thread.join(timeout=30)
    assert answers[0].expect(200).json()["step"] == 3
    assert api.get(f"/v1/models/{name}/round").json()["clocks"] == {"a": 2, "b": 1}


def test_staleness(api: Api, name: str) -> None:
    """Beyond `max_staleness` a push is refused, or divided by 1 + staleness."""
    api.create(name, with_mode(mode="async", max_staleness=1))
    for _ in range(2):
        api.push(name, {"w": [1, 0]}, based_on=0)
    refused = api.push(name, {"w": [1, 0]}, 409, based_on=0)
    assert slug(refused) == "stale" and "2 updates old" in refused.json()["detail"]
    api("PATCH", f"/v1/models/{name}", {"consistency": {"staleness_policy": "scale"}}).expect(200)
    assert api.push(name, {"w": [3, 0]}, based_on=0).json()["staleness"] == 2
    np.testing.assert_array_equal(api.pull(name)["w"], [-3, 0])


def test_the_end_of_a_model_ends_its_waits(api: Api, name: str) -> None:
    """A push that waits for a round of a deleted model gets 404."""
    api.create(name, MODEL)
    with waiting_push(api, name, "a", 1, [1, 1]) as push:
        api("DELETE", f"/v1/models/{name}").expect(204)
        assert push.result(timeout=30).status == 404


def test_a_change_of_the_mode_closes_the_round(api: Api, name: str) -> None:
    """Held gradients are applied when the new mode does not hold pushes; a round that still fits stays open."""
    api.create(name, MODEL)
    with waiting_push(api, name, "a", 1, [2, 4]) as push:
        api("PATCH", f"/v1/models/{name}", {"consistency": {"min_pushes": 1}}).expect(200)
        assert api.get(f"/v1/models/{name}/round").json()["received"] == 1
        api("PATCH", f"/v1/models/{name}", {"consistency": None}).expect(200)
        assert push.result(timeout=30).expect(200).json()["step"] == 1
    np.testing.assert_array_equal(api.pull(name)["w"], [-2, -4])
    assert "consistency" not in api.get(f"/v1/models/{name}").json()["definition"]


def test_a_change_of_the_mode_changes_the_deadline(api: Api, name: str) -> None:
    """A held push of mode manual gets the deadline of mode sync; back in mode manual, it has none."""
    path = f"/v1/models/{name}"
    api.create(name, with_mode(mode="manual", reduce="sum"))
    api.push(name, {"w": [1, 0]}, 202, worker="a", seq=1)
    for consistency, has_deadline in [
        ({"mode": "sync", "workers": 3, "round_timeout": "1000s"}, True),
        ({"mode": "manual", "reduce": "sum"}, False),
    ]:
        api("PATCH", path, {"consistency": consistency}).expect(200)
        shown = api.get(f"{path}/round").json()
        assert (shown["received"], shown["closes_in"] is not None) == (1, has_deadline)
    api("PATCH", path, {"consistency": {"mode": "sync", "workers": 3, "round_timeout": "200ms"}}).expect(200)
    wait_until(lambda: api.get(f"{path}/round").json()["received"] == 0)
    assert api.get(f"{path}/pushes/a/1").json()["outcome"] == "dropped"


def test_a_round_closes_by_the_reduction_of_its_mode(api: Api, name: str) -> None:
    """Two held gradients of a sum are still a sum when the mode that closes them has no rounds."""
    api.create(name, with_mode(mode="manual", reduce="sum"))
    for worker in "ab":
        api.push(name, {"w": [1, 2]}, 202, worker=worker, seq=1)
    api("PATCH", f"/v1/models/{name}", {"consistency": None}).expect(200)
    np.testing.assert_array_equal(api.pull(name)["w"], [-2, -4])


def test_a_round_keeps_its_rate(api: Api, name: str) -> None:
    """A PATCH after which the update of the open round would have no learning rate is refused until it is closed."""
    path = f"/v1/models/{name}"
    api.create(name, {**with_mode(mode="manual"), "learning_rate": [1, 1]})
    for seq in (1, 2):
        api.push(name, {"w": [1, 0]}, 202, worker="a", seq=seq)
        if seq == 1:
            api("POST", f"{path}/step").expect(200)
    assert slug(api("PATCH", path, {"learning_rate": [1]}).expect(409)) == "round-misfit"
    assert api.get(f"{path}/round").json()["received"] == 1
    assert api("POST", f"{path}/step").expect(200).json()["step"] == 2
    api("PATCH", path, {"learning_rate": [1]}).expect(200)
    assert slug(api.push(name, {"w": [1, 0]}, 409, worker="a", seq=3)) == "lr-schedule-exhausted"


def test_an_update_that_a_departure_causes_is_reported(api: Api, name: str) -> None:
    """The last missing worker leaves, and the update of the others diverges: the model says so."""
    path = f"/v1/models/{name}"
    api.create(name, {**with_mode(mode="sync", workers="registered"), "learning_rate": 1e30})
    epoch = api("PUT", f"{path}/workers/a").expect(200).json()["epoch"]
    api("PUT", f"{path}/workers/b").expect(200)
    api.push(name, {"w": [1e30, 0]}, 202, worker="a", epoch=epoch, seq=1)
    api("DELETE", f"{path}/workers/b").expect(204)
    assert api.get(path).json()["status"] == "diverged"


def test_a_restore_drops_the_round(api: Api, name: str) -> None:
    """The waiting push gets 409, which says that an earlier state was restored."""
    api.create(name, MODEL)
    saved = api("POST", f"/v1/models/{name}/checkpoints").expect(201).json()["id"]
    with waiting_push(api, name, "a", 1, [2, 4]) as push:
        api("POST", f"/v1/models/{name}/checkpoints/{saved}/restore").expect(200)
        dropped = push.result(timeout=30).expect(409)
    assert slug(dropped) == "round-dropped" and "restored" in dropped.json()["detail"]


def test_equal_definitions(api: Api, name: str) -> None:
    """Defaults written out are the same model; another mode is another one."""
    api.create(name, with_mode(mode="sync", workers=2))
    written = {"mode": "sync", "on_timeout": "drop", "reduce": "mean", "round_timeout": 60, "workers": 2}
    api.create(name, with_mode(**written), 200)
    api.create(name, with_mode(mode="sync", workers=3), 409)
    api.create(name, {key: value for key, value in MODEL.items() if key != "consistency"}, 409)


@pytest.mark.parametrize(
    ("short", "written"),
    [
        ({"consistency": {"mode": "sync", "workers": 2}}, {"min_pushes": 2}),
        ({"consistency": {"mode": "sync", "workers": 2, "min_pushes": 1}}, {"round_timeout": 60}),
        ({"consistency": {"mode": "sync", "workers": 2}}, {"round_timeout": "60000ms"}),
        ({"consistency": {"mode": "sync", "workers": 2}}, {"on_timeout": "drop"}),
        ({"consistency": {"mode": "sync", "workers": 2}}, {"reduce": "mean"}),
        ({"consistency": {"mode": "sync", "workers": 10, "reduce": "trimmed_mean"}}, {"trim": 0.1}),
        ({"consistency": {"mode": "sync", "workers": 1}}, {"min_pushes": 1}),
        ({"consistency": {"mode": "sync", "min_pushes": 3}}, {"workers": 1}),
        ({"consistency": {"mode": "sync", "workers": "registered"}}, {"round_timeout": "60s"}),
        ({"consistency": {"mode": "manual"}}, {"reduce": "mean"}),
        ({"consistency": {"mode": "manual", "reduce": "trimmed_mean"}}, {"trim": 0.1}),
        ({"consistency": {"mode": "async", "max_staleness": 3}}, {"staleness_policy": "reject"}),
        ({"clip": {"global_norm": 1}}, {"per": "update"}),
        ({"averages": {"ema": {}}}, {"ema": {"decay": 0.999, "start": 0}}),
        ({"averages": {"swa": {}}}, {"swa": {"start": 0, "every": 1}}),
        ({"loss_scaling": {"type": "dynamic"}}, {"init_loss_scale": 2**24, "scale_factor": 2, "scale_window": 2000}),
        ({"loss_scaling": {"type": "fixed"}}, {"loss_scale": 128, "drop_overflow_update": True}),
    ],
)
def test_a_default_may_be_written_out(
    api: Api, name: str, short: dict[str, dict[str, Any]], written: dict[str, Any]
) -> None:
    """A definition with and without the default of a member is the same model, whichever was first."""
    base = {key: value for key, value in MODEL.items() if key != "consistency"}
    ((member, setting),) = short.items()
    forms = [{**base, **short}, {**base, member: {**setting, **written}}]
    for number, (first, second) in enumerate([forms, forms[::-1]]):
        api.create(f"{name}.{number}", first)
        api.create(f"{name}.{number}", second, 200)


@pytest.mark.parametrize(
    ("short", "other"),
    [
        ({"mode": "sync", "workers": 2}, {"min_pushes": 1}),
        ({"mode": "sync", "workers": 1}, {"min_pushes": 2}),
        ({"mode": "sync", "workers": "registered"}, {"min_pushes": 1}),
        ({"mode": "async"}, {"max_staleness": 0}),
    ],
)
def test_what_is_no_default_makes_another_model(
    api: Api, name: str, short: dict[str, Any], other: dict[str, Any]
) -> None:
    """A round of registered workers without `min_pushes` needs all at its deadline, which no number means."""
    api.create(name, with_mode(**short))
    assert slug(api.create(name, with_mode(**short, **other), 409)) == "model-exists"


def test_min_pushes_of_one_worker(api: Api, name: str) -> None:
    """With several workers `min_pushes` is at most their number; one worker accumulates as many gradients."""
    path = f"/v1/models/{name}"
    api.create(name, with_mode(mode="sync", workers=3, min_pushes=2))
    refused = api("PATCH", path, {"consistency": {"min_pushes": 4}}).expect(422).json()["detail"]
    assert "at most `workers`, which is 3; got 4" in refused
    api("PATCH", path, {"consistency": {"workers": 1}}).expect(200)
    api.push(name, {"w": [1, 0]}, 202)
    assert api.push(name, {"w": [3, 0]}).json()["step"] == 1
    np.testing.assert_array_equal(api.pull(name)["w"], [-2, 0])


@pytest.mark.parametrize(
    ("consistency", "members"),
    [
        ({"mode": "async"}, "max_staleness, mode, staleness_policy"),
        (
            {"mode": "sync", "workers": 2},
            "byzantine, min_pushes, mode, on_timeout, reduce, round_timeout, trim, workers",
        ),
        ({"mode": "ssp", "workers": 2, "slack": 1}, "mode, slack, workers"),
        ({"mode": "manual"}, "byzantine, mode, reduce, trim"),
    ],
)
def test_an_unknown_member_lists_those_of_its_mode(
    api: Api, name: str, consistency: dict[str, Any], members: str
) -> None:
    """Optional members without a default are listed, too."""
    refused = api.create(name, with_mode(**consistency, quorum_size=1), 422).json()
    assert refused["errors"][0]["expected"] == members


@pytest.mark.parametrize(
    ("consistency", "pointer", "words"),
    [
        ({"mode": "sync"}, "/consistency/workers", "needs `workers`"),
        ({"mode": "sync", "workers": 0}, "/consistency/workers", ">= 1"),
        ({"mode": "sync", "workers": "all"}, "/consistency/workers", "registered"),
        ({"mode": "sync", "workers": 2, "min_pushes": 3}, "/consistency/min_pushes", "at most"),
        ({"mode": "sync", "workers": 2, "round_timeout": "soon"}, "/consistency/round_timeout", "30s"),
        ({"mode": "sync", "workers": 2, "round_timeout": 0}, "/consistency/round_timeout", "1ms"),
        ({"mode": "sync", "workers": 2, "on_timeout": "wait"}, "/consistency/on_timeout", "extend"),
        ({"mode": "sync", "workers": 2, "reduce": "avg"}, "/consistency/reduce", "mean"),
        ({"mode": "sync", "workers": 9, "reduce": "trimmed_mean"}, "/consistency/trim", "more than 1/9"),
        (
            {"mode": "sync", "workers": 20, "min_pushes": 6, "reduce": "trimmed_mean", "trim": 0.15},
            "/consistency/trim",
            "none of 6 pushes",
        ),
        ({"mode": "sync", "workers": 2, "reduce": "trimmed_mean", "trim": 0.4}, "/consistency/trim", "more workers"),
        (
            {"mode": "sync", "workers": "registered", "reduce": "trimmed_mean"},
            "/consistency/min_pushes",
            '`"min_pushes":10`',
        ),
        ({"mode": "sync", "workers": 2, "slak": 3}, "/consistency/slak", "no `slak`"),
        ({"mode": "ssp", "workers": 2}, "/consistency/slack", "needs `slack`"),
        ({"mode": "async", "max_staleness": -1}, "/consistency/max_staleness", ">= 0"),
        ({"mode": "async", "staleness_policy": "scale"}, "/consistency/staleness_policy", "max_staleness"),
        ({"mode": "asink"}, "/consistency/mode", "async"),
        ({}, "/consistency/mode", "needs `mode`"),
        ("sync", "/consistency", "an object"),
    ],
)
def test_wrong_consistency(api: Api, name: str, consistency: Any, pointer: str, words: str) -> None:
    """PUT and PATCH point at the member and say what to write."""
    answer = api.create(name, {**MODEL, "consistency": consistency}, 422).json()
    assert answer["errors"][0]["pointer"] == pointer and words in answer["detail"], answer
    api.create(name, {key: value for key, value in MODEL.items() if key != "consistency"})
    if isinstance(consistency, dict) and "mode" in consistency:
        patched = api("PATCH", f"/v1/models/{name}", {"consistency": consistency}).expect(422).json()
        assert patched["errors"][0]["pointer"] == pointer and words in patched["detail"], patched


def test_krum_compares_a_bounded_number_of_pushes(api: Api, name: str) -> None:
    """More workers are 422, a push beyond them is 409 until the round is closed, and both say what to do."""
    krum = {"reduce": "krum", "byzantine": 1}
    for mode, pointer in (
        ({"mode": "sync", "workers": 65}, "/consistency/workers"),
        ({"mode": "sync", "workers": "registered", "min_pushes": 65}, "/consistency/min_pushes"),
        ({"mode": "sync", "workers": 4}, "/consistency/workers"),
    ):
        refused = api("PUT", f"/v1/models/{name}", with_mode(**mode, **krum)).expect(422)
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    api.create(name, with_mode(mode="manual", **krum))
    for number in range(64):
        api.push(name, {"w": [number, 1]}, 202)
    full = api.push(name, {"w": [9, 9]}, 409)
    assert (
        slug(full) == "round-full" and "64 pushes" in full.json()["detail"] and "POST .../step" in full.json()["detail"]
    )
    api("POST", f"/v1/models/{name}/step").expect(200)
    # Without their two farthest neighbours, 30 to 33 have the same sum of squares; the first of them is the result.
    assert api.pull(name)["w"].tolist() == [-30, -1]
    api.push(name, {"w": [9, 9]}, 202)


def test_krum_waits_for_a_bounded_number_of_workers(api: Api, name: str) -> None:
    """The registration beyond them is 409; a worker that registers again or takes a free place is not."""
    api.create(name, with_mode(mode="sync", workers="registered", min_pushes=5, reduce="krum", byzantine=1))
    workers = f"/v1/models/{name}/workers"
    for number in range(64):
        api("PUT", f"{workers}/w{number}", {}).expect(200)
    full = api("PUT", f"{workers}/late", {}).expect(409)
    assert slug(full) == "round-full" and "64 workers are registered" in full.json()["detail"]
    api("PUT", f"{workers}/w7", {}).expect(200)
    api("DELETE", f"{workers}/w9").expect(204)
    api("PUT", f"{workers}/late", {}).expect(200)


@pytest.mark.parametrize("mode", [{"mode": "manual"}, {"mode": "sync", "workers": 5, "round_timeout": "120s"}])
def test_a_round_that_is_too_small_for_its_reduction_stays_open(api: Api, name: str, mode: dict[str, Any]) -> None:
    """Krum needs 5 pushes: 4 are applied neither by a request nor by a change of the mode."""
    path = f"/v1/models/{name}"
    api.create(name, with_mode(**mode, reduce="krum", byzantine=1))
    for worker, value in zip("abcd", (1, 90, 2, 3), strict=True):
        api.push(name, {"w": [value, 0]}, 202, worker=worker, seq=1)
    shown = api.get(f"{path}/round").json()
    assert (shown["received"], shown["quorum"]) == (4, 5)
    for method, where, body in (("POST", "/step", None), ("PATCH", "", {"consistency": {"mode": "async"}})):
        refused = api(method, path + where, body).expect(409)
        assert slug(refused) == "too-few-pushes"
        assert refused.json()["round"] == {"step": 1, "received": 4, "quorum": 5}
        assert "4 pushes" in refused.json()["detail"] and "at least 5 pushes" in refused.json()["detail"]
    assert api.get(path).json()["version"] == 1
    if mode["mode"] == "sync":
        api.push(name, {"w": [2.5, 0]}, worker="e", seq=1)
    else:
        api.push(name, {"w": [2.5, 0]}, 202, worker="e", seq=1)
        api("POST", f"{path}/step").expect(200)
    # The distances of 2 to its two nearest, 2.5 and 1 or 3, sum to 1.25; those of 2.5, to 2 and 3, to 0.5.
    np.testing.assert_array_equal(api.pull(name)["w"], [-2.5, 0])


def test_the_protection_can_be_given_up(api: Api, name: str) -> None:
    """A round that is too small for trimmed_mean is applied once `reduce` is the plain mean."""
    path = f"/v1/models/{name}"
    api.create(name, with_mode(mode="manual", reduce="trimmed_mean"))
    for value in (1, 3):
        api.push(name, {"w": [value, 0]}, 202)
    refused = api("POST", f"{path}/step").expect(409)
    assert slug(refused) == "too-few-pushes" and refused.json()["round"]["quorum"] == 10
    assert '{"consistency":{"reduce":"mean","trim":null}}' in refused.json()["detail"]
    api("PATCH", path, {"consistency": {"reduce": "mean", "trim": None}}).expect(200)
    api("POST", f"{path}/step").expect(200)
    np.testing.assert_array_equal(api.pull(name)["w"], [-2, 0])


@pytest.mark.parametrize(("wish", "applied"), [("wait=1", "wait=1"), ("wait=1000", "wait=300"), ("wait=soon", None)])
def test_a_push_says_how_long_it_would_have_waited(api: Api, name: str, wish: str, applied: str | None) -> None:
    """RFC 7240, section 3, also where the round closes at once; with `pull=1` too, and not for a wait in the query."""
    api.create(name, {**MODEL, "consistency": {"mode": "sync", "workers": 1}})
    path = f"/v1/models/{name}/gradients"
    for query in ("", "?pull=1"):
        answer = api("POST", path + query, {"gradients": {"w": [1, 1]}}, Prefer=wish).expect(200)
        assert answer.headers.get("preference-applied") == applied
    answer = api("POST", f"{path}?wait=1s", {"gradients": {"w": [1, 1]}}, Prefer=wish).expect(200)
    assert "preference-applied" not in answer.headers


def test_a_held_push_says_how_long_it_has_waited(api: Api, name: str) -> None:
    """The 202 at the end of a wait that a `Prefer` header asked for."""
    api.create(name, MODEL)
    body = {"gradients": {"w": [1, 1]}, "worker": "a", "seq": 1}
    held = api("POST", f"/v1/models/{name}/gradients", body, Prefer="wait=1").expect(202)
    assert held.headers["preference-applied"] == "wait=1"


def test_another_timeout_counts_from_the_first_push(api: Api, name: str) -> None:
    """A PATCH of `round_timeout` moves the deadline of the open round; it does not start its time again."""
    path = f"/v1/models/{name}"
    api.create(name, MODEL)
    api.push(name, {"w": [1, 1]}, 202, worker="a", seq=1)
    began = time.monotonic()
    for timeout in (400, 300, 200):
        time.sleep(0.2)
        api("PATCH", path, {"consistency": {"round_timeout": f"{timeout}s"}}).expect(200)
        passed = time.monotonic() - began
        left = float(api.get(f"{path}/round").json()["closes_in"].removesuffix("s"))
        assert left <= timeout - passed + 0.1
    api("PATCH", path, {"consistency": {"round_timeout": "100ms"}}).expect(200)
    wait_until(lambda: api.get(f"{path}/pushes/a/1").json()["outcome"] == "dropped")


def test_a_rollback_drops_the_round_of_its_step(api: Api, name: str) -> None:
    """The push was held for step 4 of version 4, whatever step the model returns to."""
    path = f"/v1/models/{name}"
    api.create(name, MODEL)
    for seq in (1, 2, 3):
        api.push(name, {"w": [1, 1]}, 202, worker="a", seq=seq)
        api.push(name, {"w": [1, 1]}, 200, worker="b", seq=seq)
    held = api.push(name, {"w": [1, 1]}, 202, worker="a", seq=4).json()
    api("POST", f"{path}/rollback", {"step": 1}).expect(200)
    found = api.get(f"{path}/pushes/a/4").json()
    assert found["outcome"] == "dropped"
    receipt = found["receipt"]
    assert (receipt["round"]["step"], receipt["step"], receipt["version"]) == (4, held["step"], held["version"])
