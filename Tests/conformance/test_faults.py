"""Tests kill -9 under load, lost answers and restarts: no acknowledged push is lost, none is applied twice."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import threading
from pathlib import Path

import pytest
import yaml
from proofs import rounds
from proofs.changes import ROUTES
from proofs.kills import kill_loop
from support.daemon import REPOSITORY, Daemon
from support.faults import Victim, check_sums, definition, digest, gradient, run
from support.wire import Api


@pytest.mark.unsanitized
def test_kill_loop(tmp_path: Path) -> None:
    """After 10 kills every state, sum, step and digest matches the acknowledged changes."""
    kill_loop(tmp_path, 10, seed=1)


@pytest.mark.unsanitized
def test_kill_loop_with_snapshots(tmp_path: Path) -> None:
    """After 10 kills, while snapshots are written and segments deleted continuously, everything matches too."""
    kill_loop(tmp_path, 10, 2, "--snapshot-after", "16K")


@pytest.mark.heavy
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("arguments", [(), ("--snapshot-after", "16K"), ("--durability", "none")])
def test_sixty_kills(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The same with 60 kills, also without syncs: a kill takes nothing from the system's memory."""
    kill_loop(tmp_path, 60, 3, *arguments)


def test_kills_meet_every_write() -> None:
    """A route of the contract that changes something and that the kill loop does not use fails by its name."""
    contract = yaml.safe_load((REPOSITORY / "api/openapi.yaml").read_text())
    writes = {
        f"{method.upper()} {path}"
        for path, operations in contract["paths"].items()
        for method in operations.keys() & {"put", "post", "patch", "delete"}
        if not path.startswith("/v1/lr_preview") and not path.endswith("/lookup")
    }
    in_memory = {
        "POST /v1/models/{model}/workers/{worker}/heartbeat",
        "POST /v1/models/{model}/barriers/{barrier}",
    }
    assert writes - in_memory == {route for routes in [*ROUTES.values(), rounds.ROUTES] for route in routes}


class Cut:
    """A TCP proxy for one connection that goes silent after a number of bytes of the request or of the answer."""

    def __init__(self, target: Api, request: int | None = None, answer: int | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._target, self._request, self._answer = target, request, answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection((self._target.host, self._target.port))
        back = threading.Thread(target=self._pass, args=(server, client, self._answer))
        back.start()
        self._pass(client, server, self._request)
        back.join()
        for end in (client, server, self._listener):
            end.close()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket, most: int | None) -> None:
        left = most
        try:
            while left is None or left > 0:
                data = source.recv(65536 if left is None else min(left, 65536))
                if not data:
                    break
                sink.sendall(data)
                left = None if left is None else left - len(data)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Waits until both connections are closed."""
        self._thread.join()


@pytest.mark.parametrize("side", ["request", "answer"])
def test_lost_answers(tmp_path: Path, side: str) -> None:
    """The retry after a cut at any byte reports the outcome of the push, which counts once."""
    daemon = Victim(tmp_path)
    api = daemon.api()
    api.create("m", definition())
    replayed, chance = 0, random.Random(side)
    for seq in range(1, 61):
        body = {"gradients": {"w": gradient(0, seq)}, "worker": "w0", "seq": seq}
        cut = Cut(api, **{side: chance.randrange(1, 450)})
        with contextlib.suppress(OSError, http.client.HTTPException):
            Api("127.0.0.1", cut.port)("POST", "/v1/models/m/gradients", body)
        cut.join()
        receipt = settled(api, seq, body)
        replayed += receipt["replayed"]
        assert receipt["step"] == seq
        assert api.get(f"/v1/models/m/pushes/w0/{seq}").json()["outcome"] == "applied"
    check_sums(api, "m", {0: 60})
    assert replayed > 0 or side == "request"
    assert daemon.stop() == 0


def settled(api: Api, seq: int, body: dict) -> dict:
    """Repeats a push until the first attempt is no longer in progress."""
    while True:
        answer = api("POST", "/v1/models/m/gradients", body)
        if answer.status == 200:
            return answer.json()
        assert answer.status == 409 and answer.json()["type"].endswith("in-flight"), (seq, answer)
        assert "retry-after" in answer.headers


def test_ten_restarts(tmp_path: Path) -> None:
    """Version, uid and ETag survive restarts; a later model of the name never has an earlier one's ETag."""
    seen: set[str] = set()
    tag, before = "", ("", 0, 0)
    for round_ in range(10):
        daemon = Victim(tmp_path)
        api = daemon.api()
        if round_ == 0:
            api.create("m", definition())
            api.create("other", definition())
        else:
            assert api("GET", "/v1/models/m/parameters", If_None_Match=tag).status == 304
            page = api.get("/v1/models/m").json()
            assert (page["uid"], page["version"], page["step"]) == before
        api.push("m", {"w": gradient(0, round_ + 1)}, worker="w0", seq=round_ + 1)
        pulled = api.get("/v1/models/m/parameters")
        tag, page = pulled.headers["etag"], api.get("/v1/models/m").json()
        before = (page["uid"], page["version"], page["step"])
        assert before[1:] == (round_ + 2, round_ + 1)
        assert tag not in seen
        seen.add(tag)
        api("DELETE", "/v1/models/other").expect(204)
        api.create("other", definition())
        other = api.get("/v1/models/other/parameters").headers["etag"]
        assert other not in seen
        seen.add(other)
        if round_ % 2:
            daemon.kill()
        else:
            assert daemon.stop() == 0


def test_receipts_survive(tmp_path: Path) -> None:
    """A retry after a crash gets the first receipt; every query about the push returns the same."""
    daemon = Victim(tmp_path)
    api = daemon.api()
    api.create("m", definition())
    first = [api.push("m", {"w": gradient(0, seq)}, worker="w0", seq=seq).json() for seq in (1, 2, 5)]
    token = api("POST", "/v1/models/m/gradients", {"gradients": {"w": gradient(1, 1)}}, Idempotency_Key="abc").json()
    daemon.kill()
    daemon = Victim(tmp_path)
    api = daemon.api()
    for seq, receipt in zip((1, 2, 5), first, strict=True):
        again = api.push("m", {"w": gradient(0, seq)}, worker="w0", seq=seq).json()
        assert again == {**receipt, "replayed": True}
        asked = api.get(f"/v1/models/m/pushes/w0/{seq}").json()
        assert asked["outcome"] == "applied" and asked["receipt"]["step"] == receipt["step"]
    body = {"gradients": {"w": gradient(1, 1)}}
    again = api("POST", "/v1/models/m/gradients", body, Idempotency_Key="abc").json()
    assert again == {**token, "replayed": True}
    refused = api.push("m", {"w": gradient(0, 6)}, 422, worker="w0", seq=5)
    assert json.loads(refused.body)["type"].endswith("/key-reused")
    assert daemon.stop() == 0


def test_digest(tmp_path: Path) -> None:
    """A live model has the digest that `paramd replay` prints for the same step, before and after more pushes."""
    daemon = Victim(tmp_path)
    api = daemon.api()
    api.create("m", {**definition(), "optimizer": {"type": "momentum", "momentum": 0.9}, "learning_rate": 0.01})
    seen = {}
    for seq in range(1, 6):
        api.push("m", {"w": gradient(0, seq)}, worker="w0", seq=seq)
        state = api.get("/v1/models/m/state").json()
        seen[state["step"]] = state["digest"]
    assert len(set(seen.values())) == 5
    assert {step: digest(tmp_path, "m", step) for step in seen} == seen
    daemon.kill()
    assert digest(tmp_path, "m") == seen[5]


def test_replay_counts_the_receipts_of_the_daemon(tmp_path: Path) -> None:
    """With `--receipts`, `replay` prints the digest of a daemon with another window."""
    with Daemon("--receipt-window", "4", data_dir=tmp_path / "data") as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", definition())
        for seq in range(1, 31):
            api.push("m", {"w": gradient(0, seq)}, worker="w0", seq=seq)
        live = api.get("/v1/models/m/state").json()["digest"]
    found = {count: run("replay", tmp_path / "data", "--model", "m", "--receipts", count).stdout for count in "456"}
    assert [count for count in "456" if live in found[count]] == ["4"]


def test_replay_counts_the_keys_of_the_daemon(tmp_path: Path) -> None:
    """The same applies to the answers of requests with a key and `--keys`."""
    with Daemon("--limit", "keys=4", data_dir=tmp_path / "data") as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", definition())
        for seq in range(1, 11):
            body = {"gradients": {"w": gradient(0, seq)}}
            api("POST", "/v1/models/m/gradients", body, Idempotency_Key=f"k{seq}").expect(200)
        live = api.get("/v1/models/m/state").json()["digest"]
    found = {count: run("replay", tmp_path / "data", "--model", "m", "--keys", count).stdout for count in "345"}
    assert [count for count in "345" if live in found[count]] == ["4"]
    for option in ("--keys", "--receipts"):
        ended = run("replay", tmp_path / "data", "--model", "m", f"{option}=-1")
        assert ended.returncode == 64 and option in ended.stderr


def test_replay_looks_only(tmp_path: Path) -> None:
    """`replay` reports a mistyped directory without creating it, and a step that it cannot reach."""
    nowhere = tmp_path / "nowhere"
    ended = run("replay", nowhere, "--model", "m")
    assert ended.returncode == 74 and "No such file" in ended.stderr and not nowhere.exists()
    daemon = Victim(tmp_path / "data")
    daemon.api().create("m", definition())
    ended = run("replay", tmp_path / "data", "--model", "m", "--to", "7")
    assert ended.returncode == 74 and "step 7" in ended.stderr and "Success" not in ended.stderr
    assert daemon.stop() == 0
