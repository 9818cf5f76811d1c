"""Barriers: workers that wait for each other, and the answer that each of them gets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.daemon import Daemon
from support.wire import Answer, Api, wait_until, waiting

MODEL = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}}


class Meeting:
    """Requests that arrive at a barrier, each on a connection of its own thread."""

    def __init__(self, api: Api, model: str, barrier: str = "b") -> None:
        self.api, self.path = api, f"/v1/models/{model}/barriers/{barrier}"
        self.answers: dict[str, Answer] = {}
        self.threads: list[threading.Thread] = []

    def arrive(self, worker: str, count: int, wait: str = "60s", **fields: Any) -> None:
        """Sends a request in a thread, and waits until the daemon holds it."""
        before = waiting(self.api)

        def send() -> None:
            body = {"worker": worker, "count": count, **fields}
            answer = Api(self.api.host, self.api.port)("POST", f"{self.path}?wait={wait}", body)
            self.answers[worker] = answer

        self.threads.append(threading.Thread(target=send))
        self.threads[-1].start()
        wait_until(lambda: waiting(self.api) > before or worker in self.answers)

    def at_once(self, worker: str, count: int, status: int, **fields: Any) -> dict[str, Any]:
        """The answer to a request that does not wait."""
        return self.api("POST", self.path, {"worker": worker, "count": count, **fields}).expect(status).json()

    def end(self) -> dict[str, Answer]:
        """The answers, once all have come."""
        for thread in self.threads:
            thread.join(timeout=120)
            assert not thread.is_alive()
        return self.answers


@pytest.fixture
def lone(start: Callable[..., Daemon]) -> Api:
    """A client of a daemon of its own, where a test can count waiting requests."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    api.create("m", MODEL)
    return api


def test_all_are_released_by_the_last(lone: Api) -> None:
    """Twice, because a barrier can be used again immediately."""
    for generation in (1, 2):
        meeting = Meeting(lone, "m")
        meeting.arrive("w1", 3)
        meeting.arrive("w2", 3)
        assert not meeting.answers
        meeting.arrive("w3", 3)
        expected = {"barrier": "b", "arrived": 3, "count": 3, "released": True, "generation": generation}
        answers = meeting.end()
        assert sorted(answers) == ["w1", "w2", "w3"]
        for answer in answers.values():
            assert answer.expect(200).json() == expected


def test_a_wait_that_is_over(api: Api, demo: str) -> None:
    """202 says who has arrived and how long that counts; the next request continues the arrival."""
    path = f"/v1/models/{demo}/barriers/b"
    told = api("POST", f"{path}?wait=50ms", {"worker": "w1", "count": 2}).expect(202).json()
    assert told == {
        "barrier": "b", "arrived": 1, "count": 2, "released": False, "generation": 1, "workers": ["w1"],
        "held_for": 60,
    }  # fmt: skip
    assert api("POST", path, {"worker": "w1", "count": 2}).expect(202).json()["arrived"] == 1
    api("POST", path, {"worker": "w2", "count": 2}).expect(200)
    told = api("POST", path, {"worker": "w1", "count": 2}).expect(200).json()
    assert (told["released"], told["generation"]) == (True, 1)
    assert api("POST", path, {"worker": "w1", "count": 2}).expect(202).json()["generation"] == 2


def test_a_retry_names_its_generation(api: Api, demo: str) -> None:
    """It gets the same answer any number of times; a later generation ends an earlier one."""
    meeting = Meeting(api, demo)
    meeting.at_once("w1", 2, 202, generation=1)
    meeting.at_once("w2", 2, 200, generation=1)
    for _ in range(3):
        assert meeting.at_once("w1", 2, 200, generation=1)["generation"] == 1
    assert meeting.at_once("w1", 2, 202, generation=9)["generation"] == 9
    assert meeting.at_once("w2", 2, 200, generation=8)["released"] is True


def test_the_generation_can_be_read_before_the_first_arrival(api: Api, demo: str) -> None:
    """A last arrival whose answer is lost gets it again; without the generation it would arrive at the next one."""
    meeting = Meeting(api, demo, "read")

    def read() -> dict[str, Any]:
        return api.get(meeting.path).json()

    empty = {"barrier": "read", "arrived": 0, "count": 0, "released": False, "generation": 1, "workers": []}
    assert read() == empty
    meeting.at_once("a", 2, 202, generation=1)
    assert read() == {**empty, "arrived": 1, "count": 2, "workers": ["a"]}
    for _ in range(2):
        assert meeting.at_once("b", 2, 200, generation=1)["generation"] == 1
    assert meeting.at_once("a", 2, 200)["generation"] == 1
    assert read() == {**empty, "count": 2, "generation": 2}
    api("GET", f"/v1/models/{demo}/barriers/a%20b").expect(422)


def test_another_count(api: Api, demo: str) -> None:
    """409 names both counts."""
    meeting = Meeting(api, demo)
    meeting.at_once("w1", 3, 202)
    problem = meeting.at_once("w2", 4, 409)
    assert problem["type"].endswith("/barrier-differs")
    assert "3 workers, not 4" in problem["detail"]
    assert meeting.at_once("w2", 3, 202)["arrived"] == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"count": 3}, "/worker"),
        ({"worker": "w1"}, "/count"),
        ({"worker": "w1", "count": 0}, "/count"),
        ({"worker": "w1", "count": 10_001}, "/count"),
        ({"worker": "w1", "count": "3"}, "/count"),
        ({"worker": "", "count": 3}, "/worker"),
        ({"worker": 7, "count": 3}, "/worker"),
        ({"worker": "w1", "count": 3, "generation": 0}, "/generation"),
        ({"worker": "w1", "count": 3, "wait": "60s"}, "/wait"),
        ([], ""),
    ],
)
def test_mistakes(api: Api, demo: str, body: Any, pointer: str) -> None:
    """422 points at the field."""
    problem = api("POST", f"/v1/models/{demo}/barriers/b", body).expect(422).json()
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_other_mistakes(api: Api, demo: str) -> None:
    """A wait beyond the limit, an invalid name, an unknown epoch, an unknown model."""
    body = {"worker": "w1", "count": 2}
    assert "at most 300s" in api("POST", f"/v1/models/{demo}/barriers/b?wait=301s", body).expect(422).json()["detail"]
    api("POST", f"/v1/models/{demo}/barriers/a%20b", body).expect(422)
    api("POST", "/v1/models/no-such-model/barriers/b", body).expect(404)
    api("POST", f"/v1/models/{demo}/barriers/b").expect(400)
    epoch = api("PUT", f"/v1/models/{demo}/workers/w1").json()["epoch"]
    problem = api("POST", f"/v1/models/{demo}/barriers/b", {**body, "epoch": epoch + 1}).expect(409).json()
    assert problem["type"].endswith("/fenced")
    assert api("POST", f"/v1/models/{demo}/barriers/b", {**body, "epoch": epoch}).expect(202).json()["arrived"] == 1


def test_a_worker_that_leaves(lone: Api) -> None:
    """Its waiting request is 409, and the others still wait for one more; the same happens when a lease runs out."""
    meeting = Meeting(lone, "m")
    epoch = lone("PUT", "/v1/models/m/workers/w1", {}).json()["epoch"]
    meeting.arrive("w1", 2, epoch=epoch)
    lone("DELETE", "/v1/models/m/workers/w1").expect(204)
    assert meeting.end()["w1"].expect(409).json()["type"].endswith("/fenced")
    epoch = lone("PUT", "/v1/models/m/workers/w2", {"ttl": "1s"}).json()["epoch"]
    meeting.arrive("w2", 2, epoch=epoch)
    assert meeting.end()["w2"].expect(409).json()["type"].endswith("/fenced")
    assert meeting.at_once("w3", 2, 202)["workers"] == ["w3"]


@pytest.mark.parametrize("registers", [True, False], ids=["registered", "unregistered"])
def test_a_worker_that_registers_again(lone: Api, registers: bool) -> None:
    """Its earlier process no longer counts: its waiting request is 409, and the new process arrives for itself."""
    meeting, worker = Meeting(lone, "m"), "/v1/models/m/workers/w1"
    fields = {"epoch": lone("PUT", worker).json()["epoch"]} if registers else {}
    meeting.arrive("w1", 2, wait="20s", **fields)
    epoch = lone("PUT", worker).json()["epoch"]
    problem = meeting.end()["w1"].expect(409).json()
    assert problem["type"].endswith("/fenced")
    told = problem["worker"], problem["epoch"], problem["current_epoch"], problem["has_ended"]
    assert told == ("w1", fields.get("epoch", 0), epoch, False)
    assert meeting.at_once("w2", 2, 202)["workers"] == ["w2"]
    assert meeting.at_once("w1", 2, 200, epoch=epoch)["released"] is True


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_client_that_disconnects(lone: Api, reset: bool) -> None:
    """Its arrival is withdrawn: a worker that has gone does not release the others. A killed process resets nothing."""
    body = json.dumps({"worker": "gone", "count": 2}).encode()
    head = f"POST /v1/models/m/barriers/b?wait=60s HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((lone.host, lone.port)) as client:
        client.sendall(head.encode() + body)
        wait_until(lambda: waiting(lone) == 1)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: waiting(lone) == 0)
    assert Meeting(lone, "m").at_once("here", 2, 202)["workers"] == ["here"]


def test_too_many(start: Callable[..., Daemon]) -> None:
    """503 with Retry-After names the limit; waiting requests are not affected."""
    daemon = start("--limit", "barriers=2", "--limit", "barrier-waiters=3")
    api = Api(daemon.host, daemon.port)
    api.create("m", MODEL)
    Meeting(api, "m", "one").at_once("w1", 3, 202)
    Meeting(api, "m", "two").at_once("w1", 3, 202)
    answer = api("POST", "/v1/models/m/barriers/three", {"worker": "w1", "count": 3}).expect(503)
    assert "`barriers`" in answer.json()["detail"] and int(answer.headers["retry-after"]) >= 1
    answer = api("POST", "/v1/models/m/barriers/one", {"worker": "w2", "count": 3}).expect(503)
    assert "`barrier-waiters`" in answer.json()["detail"] and int(answer.headers["retry-after"]) >= 1
    assert answer.json()["type"].endswith("/too-many-waiting")


def test_the_end_of_the_daemon_and_of_the_model(tmp_path: Path) -> None:
    """A deleted model answers 404, a stopping daemon 503; after a restart the workers arrive again."""
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", MODEL)
        api.create("gone", MODEL)
        gone, meeting = Meeting(api, "gone"), Meeting(api, "m")
        gone.arrive("w1", 2)
        api("DELETE", "/v1/models/gone").expect(204)
        gone.end()["w1"].expect(404)
        meeting.arrive("w1", 2, generation=7)
        assert daemon.stop() == 0
        assert meeting.end()["w1"].expect(503).headers["retry-after"]
    with Daemon(data_dir=tmp_path) as daemon:
        meeting = Meeting(Api(daemon.host, daemon.port), "m")
        assert meeting.at_once("w1", 2, 202, generation=7)["arrived"] == 1
        assert meeting.at_once("w2", 2, 200, generation=7)["generation"] == 7


def test_the_answer_says_how_long_it_waited(api: Api, demo: str) -> None:
    """`Preference-Applied` (RFC 7240, section 3) at the end of a wait and at a release; not for a wait in the query."""
    path = f"/v1/models/{demo}/barriers/b"
    alone = api("POST", path, {"worker": "a", "count": 2}, Prefer="wait=1").expect(202)
    assert alone.headers["preference-applied"] == "wait=1"
    both = api("POST", path, {"worker": "b", "count": 2}, Prefer="wait=1000").expect(200)
    assert both.headers["preference-applied"] == "wait=300"
    query = api("POST", f"{path}?wait=1s", {"worker": "c", "count": 1}).expect(200)
    assert "preference-applied" not in query.headers
