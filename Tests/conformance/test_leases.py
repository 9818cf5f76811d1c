"""Leases and epochs: a silent worker loses its registration, and no request of an ended epoch is accepted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import Api, wait_until

MODEL = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}}


def register(api: Api, model: str, worker: str, **body: Any) -> dict[str, Any]:
    """The answer to a registration."""
    return api("PUT", f"/v1/models/{model}/workers/{worker}", body).expect(200).json()


def fenced(answer: Any) -> str:
    """The detail of a 409 that says to register again."""
    problem = answer.expect(409).json()
    assert problem["type"].endswith("/fenced")
    assert "PUT .../workers/" in problem["detail"]
    return problem["detail"]


def is_registered(api: Api, model: str, worker: str) -> bool:
    """Whether a worker's registration has not ended."""
    return bool(api.get(f"/v1/models/{model}/workers/{worker}").json()["registered"])


def test_epochs_come_from_one_counter(api: Api, demo: str) -> None:
    """No two registrations of a model have the same epoch, whatever their names."""
    epochs = [register(api, demo, worker)["epoch"] for worker in ("a", "b", "a", "c")]
    assert epochs == [1, 2, 3, 4]


def test_a_forgotten_epoch_stays_fenced(tmp_path: Path) -> None:
    """After the deletion of its worker, a restart from the log, and a restart from a snapshot."""
    arguments = ("--snapshot-after", "1K")
    with Daemon(*arguments, data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", MODEL)
        old = register(api, "m", "a")["epoch"]
        api.push("m", {"w": [1, 0]}, worker="a", epoch=old, seq=1)
        api("DELETE", "/v1/models/m/workers/a").expect(204)
        for seq in (1, 2):
            body = {"gradients": {"w": [1, 0]}, "worker": "a", "epoch": old, "seq": seq}
            assert "no longer registered" in fenced(api("POST", "/v1/models/m/gradients", body))
    for _ in range(2):
        with Daemon(*arguments, data_dir=tmp_path) as daemon:
            api = Api(daemon.host, daemon.port)
            body = {"gradients": {"w": [1, 0]}, "worker": "a", "epoch": old, "seq": 2}
            fenced(api("POST", "/v1/models/m/gradients", body))
            new = register(api, "m", "a")["epoch"]
            assert new > old
            api.push("m", {"w": [1, 0]}, worker="a", epoch=new, seq=1)
            # Enough records for a snapshot, so that the next start reads one.
            for _ in range(40):
                api.push("m", {"w": [0, 0]})
            api("DELETE", "/v1/models/m/workers/a").expect(204)
            old = new
    assert new == 3


def test_an_unregistered_worker_that_comes_back(api: Api, demo: str) -> None:
    """If its first number is above 1, the receipt says how many numbers are missing."""
    assert api.push(demo, {"w": [1, 0]}, worker="late", seq=5).json()["gap"] == 4
    assert "gap" not in api.push(demo, {"w": [1, 0]}, worker="late", seq=6).json()


def test_a_lease_in_answers(api: Api, demo: str) -> None:
    """Every way to write its length; without one, the worker stays registered until it is deleted."""
    path = f"/v1/models/{demo}/workers/a"
    for body, query, seconds in (
        ({"ttl": "30s"}, "", 30),
        ({"ttl": 30}, "", 30),
        ({"ttl": 0.5}, "", 0.5),
        ({"ttl": "500ms"}, "", 0.5),
        (None, "?ttl=2.5s", 2.5),
        ({}, "?ttl=7", 7),
        (None, "", None),
        ({}, "", None),
    ):
        told = api("PUT", path + query, body).expect(200).json()
        assert (told["ttl"], told["expires_in"], told["registered"]) == (seconds, seconds, True)
    told = api("PUT", path, {"ttl": 600}).json()
    found = api.get(path).json()
    assert found["worker"] == "a" and found["epoch"] == told["epoch"] == 9
    assert 0 < found["expires_in"] <= 600 and 0 <= found["seen_ago"] < 300
    listed = api.get(f"/v1/models/{demo}/workers").json()["workers"]
    assert [(each["worker"], each["ttl"], each["registered"]) for each in listed] == [("a", 600, True)]
    api.push(demo, {"w": [0, 0]}, worker="b", seq=1)
    assert api.get(f"/v1/models/{demo}/workers/b").json()["registered"] is False


@pytest.mark.parametrize("ttl", ["0s", "99ms", 0, -1, "100000s", "soon", "", True, None, [30], "1e3", "30 s"])
def test_an_invalid_length(api: Api, demo: str, ttl: Any) -> None:
    """Too short, too long, or not a time: 422 says what to write, and no worker is registered."""
    problem = api("PUT", f"/v1/models/{demo}/workers/a", {"ttl": ttl}).expect(422).json()
    assert problem["errors"][0]["pointer"] == "/ttl"
    assert "100ms" in problem["detail"] and "86400s" in problem["detail"]
    api("GET", f"/v1/models/{demo}/workers/a").expect(404)


def test_other_mistakes(api: Api, demo: str) -> None:
    """A misspelled field, both places, a wrong query, a body that is not an object."""
    path = f"/v1/models/{demo}/workers/a"
    assert "`ttl`" in api("PUT", path, {"tll": "30s"}).expect(422).json()["detail"]
    api("PUT", f"{path}?ttl=30s", {"ttl": "30s"}).expect(400)
    assert "30s or 30" in api("PUT", f"{path}?ttl=never").expect(422).json()["detail"]
    api("PUT", path, [30]).expect(422)
    api("PUT", f"{path}?ttl=1s&ttl=2s").expect(400)
    api("GET", path).expect(404)
    api("POST", f"{path}/heartbeat").expect(404)
    fenced(api("POST", f"{path}/heartbeat", {"epoch": 1}))
    register(api, demo, "a")
    for epoch in (0, 2):
        fenced(api("POST", f"{path}/heartbeat", {"epoch": epoch}))
        fenced(api("POST", f"{path}/heartbeat?epoch={epoch}"))
    api("POST", f"{path}/heartbeat", {"epoch": "1"}).expect(422)
    api("POST", f"{path}/heartbeat?epoch=1", {"epoch": 1}).expect(400)
    for body in ({"epoch": 1}, {}, None):
        assert api("POST", f"{path}/heartbeat", body).expect(200).json()["ttl"] is None


def test_a_worker_that_falls_silent(api: Api, demo: str) -> None:
    """Its lease runs out; a retry still gets its receipt, a new push 409, a registration the next epoch."""
    path = f"/v1/models/{demo}/workers/a"
    epoch = register(api, demo, "a", ttl="150ms")["epoch"]
    own = {"worker": "a", "epoch": epoch}
    first = api("POST", f"/v1/models/{demo}/gradients", {"gradients": {"w": [1, 0]}, "seq": 1, **own})
    wait_until(lambda: not is_registered(api, demo, "a"))
    fenced(api("POST", f"/v1/models/{demo}/gradients", {"gradients": {"w": [1, 0]}, "seq": 2, **own}))
    fenced(api("POST", f"{path}/heartbeat", {"epoch": epoch}))
    fenced(api("POST", f"{path}/heartbeat"))
    found = api.get(path).json()
    assert (found["registered"], found["expires_in"], found["ttl"]) == (False, None, 0.15)
    if first.status == 200:
        assert api.push(demo, {"w": [1, 0]}, seq=1, **own).json()["replayed"] is True
        assert api.get(f"/v1/models/{demo}/pushes/a/1").json()["outcome"] == "applied"
    again = register(api, demo, "a", ttl="600s")
    assert (again["epoch"], again["last_seq"]) == (epoch + 1, 1 if first.status == 200 else 0)
    api.push(demo, {"w": [1, 0]}, worker="a", epoch=again["epoch"], seq=1)


def test_heartbeats_and_pushes_renew_a_lease(api: Api, demo: str) -> None:
    """A heartbeat and a push extend the lease; a pull does not, because it does not name its worker.

    The bounds follow from the times at which this test sent and received, however long each of them took.
    """
    epoch = register(api, demo, "a", ttl="600s")["epoch"]
    path = f"/v1/models/{demo}/workers/a"
    heard = time.monotonic()

    def left() -> float:
        return float(api.get(path).json()["expires_in"])

    for renew in (
        lambda: api("POST", f"{path}/heartbeat", {"epoch": epoch}).expect(200),
        lambda: api.push(demo, {"w": [0, 0]}, worker="a", epoch=epoch, seq=1),
    ):
        api.pull(demo)
        while time.monotonic() <= heard + 0.5:
            time.sleep(0.05)
        assert left() < 599.6, "only requests of the worker renew a lease"
        sent = time.monotonic()
        renew()
        heard = time.monotonic()
        assert left() > 600 - (time.monotonic() - sent) - 0.01


def test_leases_over_a_restart(tmp_path: Path) -> None:
    """A lease that has ended stays ended; one that runs does so for its full time again."""
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", MODEL)
        register(api, "m", "short", ttl="100ms")
        register(api, "m", "long", ttl="600s")
        wait_until(lambda: not is_registered(api, "m", "short"))
        assert api.get("/v1/models/m/workers/long").json()["expires_in"] < 600
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        listed = {each["worker"]: each for each in api.get("/v1/models/m/workers").json()["workers"]}
        assert [listed[name]["registered"] for name in ("short", "long")] == [False, True]
        assert listed["long"]["expires_in"] > 500
        body = {"gradients": {"w": [1, 0]}, "worker": "short", "epoch": 1, "seq": 1}
        fenced(api("POST", "/v1/models/m/gradients", body))
        np.testing.assert_array_equal(api.pull("m")["w"], [0, 0])


def test_an_ended_lease_makes_room(tmp_path: Path) -> None:
    """The table of workers is full of running leases: 429; as soon as one has run out, there is room."""
    with Daemon("--limit", "workers=2", data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", MODEL)
        register(api, "m", "a", ttl="600s")
        register(api, "m", "b", ttl="600s")
        assert api.push("m", {"w": [0, 0]}, 429, worker="c", seq=1).json()["type"].endswith("/too-many")
        register(api, "m", "b", ttl="100ms")
        wait_until(lambda: not is_registered(api, "m", "b"))
        api.push("m", {"w": [0, 0]}, worker="c", seq=1)
        listed = [each["worker"] for each in api.get("/v1/models/m/workers").json()["workers"]]
        assert listed == ["a", "c"]


def test_a_repeated_registration(api: Api, demo: str) -> None:
    """Under one key it is one registration; with another lease it is another request."""
    path = f"/v1/models/{demo}/workers/a"
    first, second = (api("PUT", path, {"ttl": 30}, Idempotency_Key="r-1").expect(200) for _ in range(2))
    assert first.json() == second.json() and second.headers["idempotency-replayed"] == "true"
    api("PUT", path, {"ttl": 40}, Idempotency_Key="r-1").expect(422)
    assert api.get(path).json()["epoch"] == 1
