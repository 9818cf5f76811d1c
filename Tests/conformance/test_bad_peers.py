"""Workers and readers with impossible requests: each answer says what to change, and no other client waits."""

from __future__ import annotations

import contextlib
import http.client
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.crowd import Crowd
from support.daemon import Daemon
from support.wire import Api, state_of, until_waiting, wait_until, waiting

PUSH: dict[str, Any] = {"gradients": {"w": [1, 1]}}
MOST = (1 << 53) - 1
WHOLE = f"`based_on` must be a whole number from 0 to {MOST}. Nothing was applied."
TIME = "`wait` must be a time such as 30s, 500ms or 30, at most 300s, not `{}`."

#: Fields of a push to a model at step 1, whose worker `w` is in epoch 2 and has used seq 1; the answer.
PUSHES = {
    "an old epoch": (
        {"worker": "w", "epoch": 1, "seq": 2}, 409, "fenced",
        "Epoch 1 of worker `w` has ended; its current epoch is 2. Register the worker again with PUT .../workers/w and"
        " use the epoch of that answer. Nothing was applied.",
    ),
    "an epoch to come": (
        {"worker": "w", "epoch": 9, "seq": 2}, 409, "fenced",
        "Worker `w` has no epoch 9; its current epoch is 2. Send the epoch that its registration returned,"
        " or register it again with PUT .../workers/w. Nothing was applied.",
    ),
    "an unknown worker with an epoch": (
        {"worker": "unknown", "epoch": 1, "seq": 1}, 409, "fenced",
        "Worker `unknown` is not registered, so it has no epoch 1. Register it with PUT .../workers/unknown and send"
        " the epoch of that answer, or leave `epoch` out. Nothing was applied.",
    ),
    "a replay with another body": (
        {"worker": "w", "epoch": 2, "seq": 1, "gradients": {"w": [2, 1]}}, 422, "key-reused",
        "Push 1 of worker `w` was already sent with a different body. Use a new seq, or register the worker for a new"
        " epoch. Nothing was applied.",
    ),
    "a negative step": ({"based_on": -1}, 422, "invalid-content", WHOLE),
    "half a step": ({"based_on": 0.5}, 422, "invalid-content", WHOLE),
    "a step beyond whole numbers": ({"based_on": MOST + 1}, 422, "invalid-content", WHOLE),
    "the next step": (
        {"based_on": 2}, 409, "stale",
        "`based_on` is 2, but the model is at step 1. Pull again and compute the gradient from those parameters."
        " Nothing was applied.",
    ),
    "the last step of all": (
        {"based_on": MOST}, 409, "stale",
        f"`based_on` is {MOST}, but the model is at step 1. Pull again and compute the gradient from those parameters."
        " Nothing was applied.",
    ),
}  # fmt: skip

#: Targets below the model's own, and the answer.
READS = {
    "an unknown worker": (
        "/workers/unknown", 404, "not-found",
        "The model has no worker `unknown`; register it with PUT, or let it push.",
    ),
    "a push without a number": (
        "/pushes/w/0", 404, "not-found", f"The number of a push must be from 1 to {MOST}, not `0`.",
    ),
    "a version to come": (
        "/parameters?since=99&wait=300s", 409, "cursor-unknown",
        "`{uid}-99` is not a version of this model; the newest is `{uid}-2`. The model was created again, or has not"
        " reached that version. Pull without `since` and continue from the cursor of that answer.",
    ),
    "a wait of five minutes and a second": ("/parameters?since=2&wait=301s", 422, "invalid-query", TIME.format("301s")),
    "a millisecond more": ("/parameters?since=2&wait=300001ms", 422, "invalid-query", TIME.format("300001ms")),
    "a wait without end": ("/parameters?since=2&wait=1e99", 422, "invalid-query", TIME.format("1e99")),
    "a wait until yesterday": ("/parameters?since=2&wait=-1s", 422, "invalid-query", TIME.format("-1s")),
    "a step before the first": (
        "/parameters?min_step=-1&wait=9s", 422, "invalid-query",
        f"`min_step` must be a whole number from 0 to {MOST}, not `-1`.",
    ),
}  # fmt: skip


@pytest.fixture
def model(api: Api, demo: str) -> str:
    """A model at step 1 and version 2, with a worker that was registered twice."""
    for _ in range(2):
        api("PUT", f"/v1/models/{demo}/workers/w", {}).expect(200)
    api.push(demo, {"w": [1, 1]}, worker="w", epoch=2, seq=1)
    return demo


@pytest.mark.parametrize("case", PUSHES)
def test_push(api: Api, model: str, case: str) -> None:
    """The push is refused in these words, and the model is as before."""
    fields, status, slug, detail = PUSHES[case]
    before = state_of(api, model)
    problem = api("POST", f"/v1/models/{model}/gradients", {**PUSH, **fields}).expect(status).json()
    assert (problem["type"], problem["detail"]) == (f"/problems/{slug}", detail)
    assert state_of(api, model) == before


def test_epochs_of_a_worker_that_was_deleted(api: Api, model: str) -> None:
    """The detail says that the latest epoch has ended as well, to a push, a heartbeat and a barrier."""
    api("DELETE", f"/v1/models/{model}/workers/w").expect(204)
    again = "Register the worker again with PUT .../workers/w and use the epoch of that answer. Nothing was applied."
    ended = f"Epoch 2 of worker `w` has ended; it is no longer registered. {again}"
    older = f"Epoch 1 of worker `w` has ended; its latest epoch, 2, has ended too. {again}"
    newer = (
        "Worker `w` has no epoch 9; its latest epoch, 2, has ended. Send the epoch that its registration returned, or"
        " register it again with PUT .../workers/w. Nothing was applied."
    )
    for epoch, detail in ((1, older), (2, ended), (9, newer)):
        push = {**PUSH, "worker": "w", "epoch": epoch, "seq": 2}
        barrier = {"worker": "w", "epoch": epoch, "count": 2}
        for target, body in (
            ("gradients", push), ("workers/w/heartbeat", {"epoch": epoch}), ("barriers/start", barrier),
        ):  # fmt: skip
            problem = api("POST", f"/v1/models/{model}/{target}", body).expect(409).json()
            assert (problem["title"], problem["detail"]) == ("The epoch is not the worker's current one", detail)


def test_a_number_whose_receipt_was_deleted(api: Api, model: str) -> None:
    """The detail names no receipt that is not there, and the number to continue with."""
    api.push(model, {"w": [1, 1]}, worker="plain", seq=1)
    api("DELETE", f"/v1/models/{model}/workers/plain").expect(204)
    problem = api.push(model, {"w": [1, 1]}, 409, worker="plain", seq=1).json()
    assert (problem["type"], problem["detail"]) == (
        "/problems/receipt-forgotten",
        "Push 1 of worker `plain` may have been applied, but the receipts of this worker were deleted, so it cannot be"
        " applied again. Continue with number 2, or register the worker for a new epoch. Nothing was applied.",
    )
    assert api.push(model, {"w": [1, 1]}, worker="plain", seq=2).json()["step"] == 3


@pytest.mark.parametrize("case", READS)
def test_read(api: Api, model: str, case: str) -> None:
    """The request is refused at once and in these words."""
    target, status, slug, detail = READS[case]
    problem = api("GET", f"/v1/models/{model}{target}").expect(status).json()
    uid = api.get(f"/v1/models/{model}").json()["uid"]
    assert (problem["type"], problem["detail"]) == (f"/problems/{slug}", detail.format(uid=uid))


def test_an_unknown_worker_may_push(api: Api, model: str) -> None:
    """Without an epoch no registration is needed, and the result of a push that never came is unknown, not an error."""
    assert api.get(f"/v1/models/{model}/pushes/unknown/1").json()["outcome"] == "unknown"
    assert api.push(model, {"w": [1, 1]}, worker="unknown", seq=1).json()["applied"] is True
    assert api.get(f"/v1/models/{model}/pushes/unknown/1").json()["outcome"] == "applied"


def test_a_preference_is_shortened(api: Api, model: str) -> None:
    """A preference is not a command: the answer says what was made of it."""
    answer = api("GET", f"/v1/models/{model}/parameters?since=1", Prefer="wait=999").expect(200)
    assert answer.headers["preference-applied"] == "wait=300"


def test_too_many_waiting_pulls(start: Callable[..., Daemon]) -> None:
    """Waiting pulls take at most their share of the connections, whichever model they wait for; then 503."""
    daemon = start("--limit", "connections=40", "--limit", "waiting-pulls=25%")
    api = Api(daemon.host, daemon.port)
    uids = [api.create(m, {"optimizer": "sgd", "parameters": {"w": [0]}}).json()["uid"] for m in ("a", "b")]
    with Crowd(daemon.host, daemon.port, 5) as first, Crowd(daemon.host, daemon.port, 5) as second:
        first.send("/v1/models/a/parameters?since=1&wait=60s")
        second.send("/v1/models/b/parameters?since=1&wait=60s")
        until_waiting(api, 10)
        for model in ("a", "b"):
            refused = api("GET", f"/v1/models/{model}/parameters?since=1&wait=60s").expect(503)
            assert refused.headers["retry-after"] == "5"
            assert refused.json()["type"] == "/problems/too-many-waiting"
            assert refused.json()["detail"] == (
                "10 requests are already waiting, the limit `waiting-pulls`. "
                "Send it again after the time in Retry-After, or without `wait`."
            )
        # Everything else works, and a pull that need not wait is no waiting pull.
        assert api.get("/v1/models/a/parameters?since=0&wait=60s").json()["version"] == 1
        assert api.push("a", {"w": [1]}).json()["woken"] == 5
        assert first.read().answers == {(200, f"{uids[0]}-2"): 5}
        first.send("/v1/models/b/parameters?since=1&wait=60s")
        until_waiting(api, 10)
        second.vanish(reset=True)
        wait_until(lambda: waiting(api) == 5)
        api("GET", "/v1/models/a/parameters?since=2&wait=10ms").expect(304)
        assert api.push("b", {"w": [1]}).json()["woken"] == 5
        assert first.read().answers == {(200, f"{uids[1]}-2"): 5}


def probe(daemon: Daemon, until: Callable[[int], bool]) -> float:
    """Asks for /livez until the condition on the number of answers holds; the 99th percentile of their seconds."""
    connection, times = http.client.HTTPConnection(daemon.host, daemon.port, timeout=60), list[float]()
    while not until(len(times)):
        began = time.perf_counter()
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b"ok\n"
        times.append(time.perf_counter() - began)
    connection.close()
    return statistics.quantiles(times, n=100)[98]


@contextlib.contextmanager
def trickle(daemon: Daemon, count: int, target: str) -> Iterator[list[int]]:
    """Readers that take one byte per second each; yields the bytes that they have read."""
    connections = [socket.socket() for _ in range(count)]
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect((daemon.host, daemon.port))
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    done, read = threading.Event(), [0]

    def run() -> None:
        while not done.wait(1):
            read[0] += sum(len(connection.recv(1)) for connection in connections)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield read
    finally:
        done.set()
        thread.join()
        for connection in connections:
            connection.close()


@contextlib.contextmanager
def nuisances(daemon: Daemon, answers: Counter[int]) -> Iterator[None]:
    """Two clients that send every bad request of this file, over and over; counts the answers by status."""
    done = threading.Event()

    def run() -> None:
        api = Api(daemon.host, daemon.port)
        while not done.is_set():
            for target, *_ in READS.values():
                answers[api("GET", f"/v1/models/large{target}").status] += 1
            for fields, *_ in PUSHES.values():
                answers[api("POST", "/v1/models/large/gradients", {**PUSH, **fields}).status] += 1

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


@pytest.mark.unsanitized
def test_probes_are_answered_throughout(start: Callable[..., Daemon]) -> None:
    """Beside readers of one byte per second, waiting pulls and bad requests; the goal is 50 ms on a quiet machine."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    api.create("large", {"optimizer": "sgd", "parameters": {"w": {"shape": [2_000_000], "init": "zeros"}}})
    for _ in range(2):
        api("PUT", "/v1/models/large/workers/w", {}).expect(200)
    idle = probe(daemon, lambda count: count >= 500)
    answers: Counter[int] = Counter()
    parameters = "/v1/models/large/parameters.safetensors"
    with trickle(daemon, 100, parameters) as read, Crowd(daemon.host, daemon.port, 100) as crowd:
        crowd.send("/v1/models/large/parameters?min_step=1&wait=300s")
        until_waiting(api, 100)
        with nuisances(daemon, answers):
            busy = probe(daemon, lambda count: count >= 500 and read[0] >= 300 and answers.total() > 100)
        assert waiting(api) >= 100
    print(f"p99 of livez: {idle * 1e3:.1f} ms idle, {busy * 1e3:.1f} ms beside {answers.total()} bad requests")
    assert set(answers) <= {200, 404, 409, 422} and min(answers[404], answers[409], answers[422]) > 0
    assert busy < max(0.5, 10 * idle)


def test_waits_of_every_kind_take_places(start: Callable[..., Daemon]) -> None:
    """At a barrier and in front of slower workers it is 503, too; a push is in its round and need not be sent again."""
    daemon = start("--limit", "connections=40", "--limit", "waiting-pulls=5%")
    api = Api(daemon.host, daemon.port)
    api.create("a", {"optimizer": "sgd", "parameters": {"w": [0]}})
    api.create(
        "ssp", {"optimizer": "sgd", "parameters": {"w": [0]}, "consistency": {"mode": "ssp", "workers": 2, "slack": 0}}
    )
    api.create("sync", {"optimizer": "sgd", "parameters": {"w": [0]}, "consistency": {"mode": "sync", "workers": 2}})
    api.push("ssp", {"w": [1]}, worker="fast", seq=1)
    arrival = {"worker": "w", "count": 2}
    with Crowd(daemon.host, daemon.port, 2) as crowd:
        crowd.send("/v1/models/a/parameters?since=1&wait=60s")
        until_waiting(api, 2)
        ahead = api("GET", "/v1/models/ssp/parameters?worker=fast&wait=60s").expect(503)
        barrier = api("POST", "/v1/models/a/barriers/b?wait=60s", arrival).expect(503)
        for refused in (ahead, barrier):
            assert refused.headers["retry-after"] == "5"
            assert refused.json()["type"] == "/problems/too-many-waiting"
        body = {"gradients": {"w": [1]}, "worker": "w", "seq": 1}
        held = api("POST", "/v1/models/sync/gradients?wait=60s", body).expect(202)
        assert held.headers["retry-after"] == "5" and held.json()["round"]["received"] == 1
        # Without a wait, and for the last, there is always room.
        assert "retry-after" not in api("POST", "/v1/models/sync/gradients", body).expect(202).headers
        assert api("POST", "/v1/models/a/barriers/b", arrival).expect(202).json()["arrived"] == 1
        api("POST", "/v1/models/a/barriers/b?wait=60s", {"worker": "x", "count": 2}).expect(200)
