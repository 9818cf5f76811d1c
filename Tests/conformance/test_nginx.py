"""A real nginx with `deploy/nginx/paramd.conf` in front of the daemon: what it keeps, and what it must never keep."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.daemon import Daemon
from support.proxy import NGINX, Proxy
from support.wire import SAFETENSORS, Answer, Api, raw_answer, raw_socket, until_waiting, waiting

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx")

SIZE = 400_000
PULLS = 64


@dataclass
class Front:
    """A daemon, nginx before it, and clients of both."""

    daemon: Daemon
    proxy: Proxy
    api: Api
    through: Api

    def create(self, model: str, value: float, query: str = "") -> str:
        """Creates a model of two numbers and returns its cursor."""
        definition = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [value, value]}}
        answer = self.api("PUT", f"/v1/models/{model}{query}", definition)
        assert answer.status in (200, 201), answer.body
        return answer.json()["cursor"]

    def pull(self, model: str, cursor: str, suffix: str = "", method: str = "GET", **headers: str) -> Answer:
        """Pulls a version through nginx."""
        return self.through(method, f"/v1/models/{model}/versions/{cursor}/parameters{suffix}", **headers)

    def restart(self, *arguments: str) -> None:
        """Starts the daemon again on its port and its directory."""
        self.daemon.stop()
        self.begin(*arguments)

    def begin(self, *arguments: str) -> None:
        """Starts the daemon after it was stopped."""
        self.daemon = Daemon(*arguments, data_dir=self.daemon.data_dir, port=self.daemon.port)
        self.api = Api(self.daemon.host, self.daemon.port)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One of each for this file; models have names of their own."""
    daemon = Daemon(data_dir=tmp_path_factory.mktemp("data"))
    with Proxy(tmp_path_factory.mktemp("nginx"), daemon.port) as proxy:
        front = Front(daemon, proxy, Api(daemon.host, daemon.port), Api(proxy.host, proxy.port))
        yield front
        front.daemon.stop()


def status(answer: Answer) -> str:
    """MISS, HIT or what else nginx says about its cache."""
    return answer.headers.get("x-cache-status", "")


def values(answer: Answer) -> list[float]:
    """The numbers of `w` in an answer of either format."""
    if answer.headers["content-type"] == SAFETENSORS:
        return answer.tensors()["w"].tolist()
    return answer.json()["parameters"]["w"]["data"]


def test_the_configuration_is_valid_as_it_is(tmp_path: Path) -> None:
    """The file replaces four places for the tests; the rest is what users get."""
    with Proxy(tmp_path, 1) as proxy:
        assert Api(proxy.host, proxy.port)("GET", "/livez").status == 502


@pytest.mark.parametrize("suffix", [".safetensors", "", "?dtype=F16"])
def test_cold_pulls_reach_the_daemon_once(front: Front, name: str, suffix: str) -> None:
    """64 clients ask at once for a version that nginx does not have; all get the same bytes, sent once."""
    body = {"optimizer": "sgd", "parameters": {"w": {"shape": [SIZE], "init": {"type": "normal", "seed": 1}}}}
    cursor = front.api.create(name, body).json()["cursor"]
    target = f"/v1/models/{name}/versions/{cursor}/parameters{suffix}"
    expected = front.api.get(target).body
    sent, together = bytes_sent(front.api), threading.Barrier(PULLS)

    def pull(_: int) -> Answer:
        client = Api(front.proxy.host, front.proxy.port)
        together.wait(60)
        answer = client("GET", target)
        client.close()
        return answer

    with ThreadPoolExecutor(PULLS) as pool:
        answers = list(pool.map(pull, range(PULLS)))
    assert Counter(answer.status for answer in answers) == {200: PULLS}
    assert all(answer.body == expected for answer in answers)
    assert Counter(map(status, answers)) == {"MISS": 1, "HIT": PULLS - 1}
    assert len(expected) <= bytes_sent(front.api) - sent < 2 * len(expected)


def bytes_sent(api: Api) -> int:
    """The bytes of answers that the daemon has sent, its answers to this question among them."""
    return api.get("/v1/server").json()["network"]["sent_bytes"]


def test_versions_are_served_while_the_daemon_is_stopped(front: Front, name: str) -> None:
    """A cached version is there during a restart and after it; what is not cached is 502 meanwhile, and then works."""
    cursor = front.create(name, 1)
    for suffix in ("", ".safetensors"):
        assert status(front.pull(name, cursor, suffix).expect(200)) == "MISS"
    front.daemon.stop()
    for suffix in ("", ".safetensors"):
        during = front.pull(name, cursor, suffix).expect(200)
        assert status(during) == "HIT" and values(during) == [1, 1]
    front.pull(name, cursor, ".json").expect(502)
    front.through("GET", f"/v1/models/{name}/parameters").expect(502)
    front.begin()
    assert status(front.pull(name, cursor).expect(200)) == "HIT"
    assert values(front.pull(name, cursor, ".json").expect(200)) == [1, 1]
    assert values(front.through("GET", f"/v1/models/{name}/parameters").expect(200)) == [1, 1]


class Shown:
    """The versions of one name that a client has seen through nginx, with their values."""

    def __init__(self, front: Front, model: str) -> None:
        self.front, self.model = front, model
        self.values: dict[str, float] = {}

    def see(self, cursor: str, number: float) -> None:
        """Pulls a version through nginx for the first time."""
        self.values[cursor] = number
        assert values(self.front.pull(self.model, cursor).expect(200)) == [number, number]

    def create(self, number: float) -> None:
        """Starts the model over and sees its first two versions."""
        self.see(self.front.create(self.model, number, "?replace=1"), number)
        self.see(self.front.api.push(self.model, {"w": [-10, -10]}).json()["cursor"], number + 10)

    def check(self) -> None:
        """Each address shows its own values, in every format, or says that it shows none."""
        for cursor, number in self.values.items():
            for suffix in ("", ".json", ".safetensors"):
                answer = self.front.pull(self.model, cursor, suffix)
                assert answer.status in (200, 404, 410)
                assert answer.status != 200 or values(answer) == [number, number], (cursor, suffix)
            assert self.front.pull(self.model, cursor).status == 200, "what nginx has is served"


def test_no_address_shows_the_weights_of_another_model(front: Front, name: str) -> None:
    """Replaced, deleted, created again and restarted behind a warm cache: own weights, 404 or 410."""
    shown = Shown(front, name)
    for number, restarts in enumerate((False, True, False)):
        shown.create(number)
        shown.check()
        shown.create(number + 0.5)
        front.api("DELETE", f"/v1/models/{name}").expect(204)
        if restarts:
            front.restart()
        shown.check()
    assert len(shown.values) == 12


def test_a_restored_model_gets_addresses_of_its_own(front: Front, name: str) -> None:
    """A restore goes back to earlier values, not to earlier addresses."""
    shown = Shown(front, name)
    shown.create(1)
    saved = front.api("POST", f"/v1/models/{name}/checkpoints").expect(201).json()["id"]
    shown.see(front.api.push(name, {"w": [-100, -100]}).json()["cursor"], 111)
    shown.see(front.api("POST", f"/v1/models/{name}/checkpoints/{saved}/restore").expect(200).json()["cursor"], 11)
    front.restart()
    shown.see(front.api.push(name, {"w": [-1000, -1000]}).json()["cursor"], 1011)
    shown.check()
    assert len(shown.values) == 5


def test_formats_never_mix(front: Front, name: str) -> None:
    """One address gives JSON or safetensors by Accept, indented for curl; queries select other bytes."""
    cursor = front.create(name, 0.1)
    kinds = {"": "application/json", SAFETENSORS: SAFETENSORS, "application/octet-stream": SAFETENSORS}
    suffixes = ["", "?dtype=F16", "?dtype=BF16", "?encoding=b64", "?name=w", "?meta_only=1"]
    target = f"/v1/models/{name}/versions/{cursor}/parameters"
    for _ in range(2):
        for accept, agent, suffix in itertools.product(kinds, ("", "curl/8.0"), suffixes):
            headers = {key: text for key, text in {"Accept": accept, "User-Agent": agent}.items() if text}
            ours = front.through("GET", target + suffix, **headers)
            own = front.api("GET", target + suffix, **headers)
            assert (ours.status, ours.body) == (own.status, own.body), (headers, suffix)
            if own.status == 200:
                assert ours.headers["content-type"] == kinds[accept]
                assert ours.headers["etag"] == own.headers["etag"]
    for suffix, kind in {".json": "application/json", ".safetensors": SAFETENSORS}.items():
        for accept in kinds:
            assert front.pull(name, cursor, suffix, Accept=accept or "*/*").headers["content-type"] == kind


def test_vary_names_what_the_content_depends_on(front: Front, name: str) -> None:
    """A file of one format is shared by clients of every kind: any second reader finds it."""
    cursor = front.create(name, 1)
    target = f"/v1/models/{name}/versions/{cursor}/parameters"
    vary = {s: front.api.get(target + s).headers.get("vary") for s in ("", ".json", ".safetensors")}
    assert vary == {"": "Accept, User-Agent", ".json": "User-Agent", ".safetensors": None}
    statuses = [
        status(front.pull(name, cursor, ".safetensors", Accept=accept, User_Agent=agent).expect(200))
        for accept, agent in (("*/*", "curl/8.0"), (SAFETENSORS, "python"), ("application/json", "node"))
    ]
    assert statuses == ["MISS", "HIT", "HIT"]


def test_conditions_and_parts(front: Front, name: str) -> None:
    """If-None-Match, HEAD, Range and If-Range are answered from the cache."""
    cursor = front.create(name, 1)
    suffix = ".safetensors"
    # A condition on a version that is not cached yet must not be what is cached.
    tag = front.api.get(f"/v1/models/{name}/versions/{cursor}/parameters{suffix}").headers["etag"]
    front.pull(name, cursor, suffix, If_None_Match=tag).expect(304)
    whole = front.pull(name, cursor, suffix).expect(200)
    assert (status(whole), whole.headers["etag"], whole.headers["x-paramd-cursor"]) == ("HIT", tag, cursor)
    assert "immutable" in whole.headers["cache-control"]
    assert front.pull(name, cursor, suffix, If_None_Match='"another"').expect(200).body == whole.body
    head = front.pull(name, cursor, suffix, "HEAD").expect(200)
    assert head.body == b"" and head.headers["content-length"] == str(len(whole.body))
    part = front.pull(name, cursor, suffix, Range="bytes=8-15").expect(206)
    assert (part.body, part.headers["etag"]) == (whole.body[8:16], tag)
    assert front.pull(name, cursor, suffix, Range="bytes=8-15", If_Range='"another"').expect(200).body == whole.body
    front.pull(name, cursor, suffix, Range="bytes=99999-").expect(416)


@pytest.mark.parametrize("first", ["HEAD", "Range"])
def test_the_first_request_fills_the_cache_whole(front: Front, name: str, first: str) -> None:
    """Whatever part the first client wants, the next one gets all of it."""
    cursor = front.create(name, 3)
    if first == "HEAD":
        front.pull(name, cursor, "", "HEAD").expect(200)
    else:
        front.pull(name, cursor, "", Range="bytes=0-3").expect(206)
    answer = front.pull(name, cursor).expect(200)
    assert status(answer) == "HIT" and values(answer) == [3, 3]


def test_a_preference_of_one_client_is_not_repeated_to_others(front: Front, name: str) -> None:
    """A version does not wait, so nothing is said to have been preferred."""
    cursor = front.create(name, 1)
    assert "preference-applied" not in front.pull(name, cursor, Prefer="wait=5").expect(200).headers
    assert "preference-applied" not in front.pull(name, cursor).expect(200).headers


def test_errors_are_not_kept(front: Front, name: str) -> None:
    """404 before the version is reached, then what is there; a 406 does not take its place."""
    uid = front.create(name, 0).split("-")[0]
    early = front.pull(name, f"{uid}-2").expect(404)
    assert early.headers["cache-control"] == "no-store" and f"{uid}-1" in early.json()["detail"]
    front.pull(name, f"{uid}-2", "?group=other").expect(404)
    front.api.push(name, {"w": [-1, -1]})
    assert values(front.pull(name, f"{uid}-2").expect(200)) == [1, 1]
    front.pull(name, f"{uid}-2", Accept="image/png").expect(406)
    front.pull(f"{name}-other", f"{uid}-2").expect(404)


def test_503_is_not_kept(front: Front, name: str) -> None:
    """A daemon that does not serve the model says so once; after the next start the version is there."""
    cursor = front.create(name, 1)
    front.restart("--without-model", name)
    assert front.pull(name, cursor).expect(503).headers["cache-control"] == "no-store"
    front.restart()
    assert values(front.pull(name, cursor).expect(200)) == [1, 1]


def test_nothing_else_is_kept(front: Front, name: str) -> None:
    """The newest parameters, the model's page, rates and probes are asked of the daemon each time."""
    cursor = front.create(name, 0)
    paths = [
        "",
        "/parameters",
        "/parameters.safetensors",
        "/parameters/w",
        "/lr",
        "/state",
        f"/versions/{cursor}/other",
    ]
    for path in paths:
        for _ in range(2):
            assert status(front.through("GET", f"/v1/models/{name}{path}")) == ""
    for step in range(1, 4):
        front.through("POST", f"/v1/models/{name}/gradients", {"gradients": {"w": [-1, -1]}}).expect(200)
        assert values(front.through.get(f"/v1/models/{name}/parameters")) == [step, step]
        cursor = front.through.get(f"/v1/models/{name}/parameters?meta_only=1").json()["cursor"]
        assert values(front.pull(name, cursor).expect(200)) == [step, step]


@pytest.mark.parametrize("warm", [False, True])
def test_the_daemon_judges_the_host(front: Front, name: str, warm: bool) -> None:
    """A name that nginx serves but the daemon does not know is 421 of the daemon, though others have the version."""
    cursor = front.create(name, 1)
    if warm:
        front.pull(name, cursor).expect(200)
    for target in (f"/v1/models/{name}/versions/{cursor}/parameters", f"/v1/models/{name}/parameters"):
        refused = front.through("GET", target, Host="params.example.org").expect(421)
        assert refused.json()["type"] == "/problems/wrong-host"


def test_keys_pass(front: Front, name: str) -> None:
    """A request with an Idempotency-Key is carried out once, whichever way it comes."""
    front.create(name, 0)
    target, body = f"/v1/models/{name}/gradients", {"gradients": {"w": [-1, -1]}}
    first = front.through("POST", target, body, Idempotency_Key="k").expect(200)
    again = front.through("POST", target, body, Idempotency_Key="k").expect(200)
    direct = front.api("POST", target, body, Idempotency_Key="k").expect(200)
    assert [answer.headers.get("idempotency-replayed") for answer in (first, again, direct)] == [None, "true", "true"]
    assert front.api.get(f"/v1/models/{name}").json()["step"] == 1


def test_large_bodies_pass(front: Front, name: str) -> None:
    """A push beyond nginx's own limit of 1 MiB, one with Expect, and one that the daemon refuses by its length."""
    front.api.create(
        name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": {"shape": [SIZE], "init": "zeros"}}}
    )
    gradient = {"w": np.full(SIZE, -1, np.float32)}
    assert front.through.push_binary(name, gradient).expect(200).json()["step"] == 1
    assert front.through.push_binary(name, gradient, Expect="100-continue").expect(200).json()["step"] == 2
    with raw_socket(front.through) as connection:
        connection.sendall(
            f"POST /v1/models/{name}/gradients HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {SAFETENSORS}\r\n"
            f"Expect: 100-continue\r\nContent-Length: {1 << 40}\r\n\r\n".encode()
        )
        assert raw_answer(connection).status == 413


def test_a_wait_passes(front: Front, name: str) -> None:
    """A pull through nginx waits as it does without, is woken by a push, and its end is noticed."""
    cursor = front.create(name, 0)
    others = waiting(front.api)
    with raw_socket(front.through) as connection:
        target = f"/v1/models/{name}/parameters?since={cursor}&wait=60s"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        until_waiting(front.api, others + 1)
        assert front.api.push(name, {"w": [-1, -1]}).json()["woken"] == 1
        assert values(raw_answer(connection).expect(200)) == [1, 1]
        connection.sendall(f"GET {target.replace('-1&', '-2&')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        until_waiting(front.api, others + 1)
        connection.shutdown(socket.SHUT_RDWR)
    until_gone(front.api, others)


def until_gone(api: Api, count: int) -> None:
    """Waits until no more than this many requests wait."""
    deadline = time.monotonic() + 20
    while waiting(api) > count:
        assert time.monotonic() < deadline, "nginx has told the daemon that the client left, and it still waits"
        time.sleep(0.05)
