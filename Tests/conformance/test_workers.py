"""Workers that come and go, and keys beyond their window: what a client learns, and that nothing is applied twice."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from typing import Any

import numpy as np
from support.daemon import Daemon
from support.wire import Api

MODEL = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}}


def push(api: Api, worker: str, seq: int, status: int) -> dict[str, Any]:
    """One push of a worker."""
    return api.push("m", {"w": [1, 0]}, status, worker=worker, seq=seq).json()


def test_room_for_a_new_worker(tmp_path: Path) -> None:
    """The worker unseen for longest makes room; its pushes are known over a restart and never applied again."""
    limits = ("--limit", "workers=2", "--limit", "worker-lifetime=1s")
    with Daemon(*limits, data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", MODEL)
        push(api, "a", 1, 200)
        push(api, "b", 1, 200)
        deadline = time.monotonic() + 60
        body = {"gradients": {"w": [1, 0]}, "worker": "c", "seq": 1}
        while (answer := api("POST", "/v1/models/m/gradients", body)).status != 200:
            # As long as the oldest worker may keep its place, not a fixed minute.
            assert answer.headers["retry-after"] == "1" and answer.json()["retry_after"] == 1
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert push(api, "a", 1, 409)["type"].endswith("/receipt-forgotten")
    with Daemon("--limit", "workers=2", data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        listed = [worker["worker"] for worker in api.get("/v1/models/m/workers").json()["workers"]]
        assert listed == ["b", "c"]
        problem = push(api, "a", 1, 409)
        assert problem["type"].endswith("/receipt-forgotten")
        assert "Nothing was applied" in problem["detail"]
        full = push(api, "d", 1, 429)
        assert full["type"].endswith("/too-many") and full["retry_after"] == 60
        assert push(api, "a", 2, 429)["type"].endswith("/too-many")
        api("DELETE", "/v1/models/m/workers/b").expect(204)
        assert push(api, "d", 1, 200)["step"] == 4
        np.testing.assert_array_equal(api.pull("m")["w"], [-4, 0])


def test_a_worker_is_deleted(api: Api, name: str) -> None:
    """The answer is 204, then 404; its numbers stay used, and a registration begins a new epoch."""
    api.create(name, MODEL)
    worker = f"/v1/models/{name}/workers/a"
    api("DELETE", worker).expect(404)
    api.push(name, {"w": [1, 0]}, worker="a", seq=3)
    api("DELETE", worker).expect(204)
    assert "GET .../workers" in api("DELETE", worker).expect(404).json()["detail"]
    api("GET", worker).expect(404)
    problem = api.push(name, {"w": [1, 0]}, 409, worker="a", seq=3).json()
    assert problem["type"].endswith("/receipt-forgotten")
    assert api("PUT", worker).expect(200).json()["epoch"] == 1
    np.testing.assert_array_equal(api.pull(name)["w"], [-1, 0])


def test_a_key_beyond_its_window(api: Api, name: str) -> None:
    """After 300 other keys of its client a key is refused; another client's key is still answered."""
    api.create(name, MODEL)

    def keyed(key: str) -> Any:
        body = {"gradients": {"w": [1, 0]}}
        return api("POST", f"/v1/models/{name}/gradients", body, Idempotency_Key=key)

    keyed("other-1").expect(200)
    for number in range(300):
        keyed(f"job-{number}").expect(200)
    problem = keyed("job-0").expect(409).json()
    assert problem["type"].endswith("/receipt-forgotten")
    assert "Nothing was applied" in problem["detail"]
    assert keyed("other-1").expect(200).headers["idempotency-replayed"] == "true"
    assert keyed("job-299").expect(200).headers["idempotency-replayed"] == "true"
    np.testing.assert_array_equal(api.pull(name)["w"], [-301, 0])


def test_keys_and_names_that_are_not_text(api: Api, name: str) -> None:
    """Different bytes that are not UTF-8 used to become one text, and so one key; keys must be ASCII."""
    api.create(name, MODEL)
    body = b'{"gradients":{"w":[1,0]}}'
    for header, status in (("Idempotency-Key", 400), ("X-Idempotency-Key", 400), ("X-Paramd-Worker", 422)):
        for value in (b"\xff", b"\xfe", b"k\xc3\x28") + ((b"k\xc3\xa9y",) if status == 400 else ()):
            connection = http.client.HTTPConnection(api.host, api.port, timeout=60)
            connection.putrequest("POST", f"/v1/models/{name}/gradients")
            connection.putheader("Content-Length", str(len(body)))
            connection.putheader(header, value)
            if status == 422:
                connection.putheader("X-Paramd-Seq", "1")
            connection.endheaders(body)
            answer = connection.getresponse()
            assert answer.status == status, (header, value, answer.read())
            assert b"othing was applied" in answer.read()
            connection.close()
    for path in (f"/v1/models/{name}/workers/%ff", f"/v1/models/{name}/workers/%c3%28"):
        assert api("PUT", path).status in (400, 422)
    np.testing.assert_array_equal(api.pull(name)["w"], [0, 0])
