"""The daemon's promises, with a test for each that no other file tests as a whole; the docstrings are the promises."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from proofs.history import Recorder, Settings, holds
from proofs.syscalls import STRACE, Traced
from support.daemon import Daemon
from support.wire import Answer, Api, raw_answer, until_waiting

Start = Callable[..., Daemon]
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons under strace, which end with the test."""
    running: list[Daemon] = []

    def begin(*tracing: str, arguments: tuple[str, ...] = ()) -> Daemon:
        running.append(Traced(tmp_path / "data", "-o", str(tmp_path / "trace"), *tracing, arguments=arguments))
        return running[-1]

    yield begin
    for daemon in running:
        daemon.process.kill()
        daemon.process.wait()


def small(api: Api) -> None:
    """A model of one number."""
    api.create("m", {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0]}})


@needs_strace
@pytest.mark.unsanitized
@pytest.mark.parametrize("mode", ["group", "sync"])
def test_promise_1_synced_before_the_first_byte(traced: Callable[..., Daemon], tmp_path: Path, mode: str) -> None:
    """A push is in the journal and fdatasync has returned before the first byte of its answer is sent."""
    calls = "trace=pwritev,pwrite64,fdatasync,sendto,sendmsg,writev,write"
    daemon = traced("-e", calls, "-s", "200", arguments=("--durability", mode))
    api = Api(daemon.host, daemon.port)
    small(api)
    for seq in range(1, 201):
        assert api.push("m", {"w": [1]}, worker="w", seq=seq).json()["durable"]
    assert daemon.stop() == 0
    unsynced: set[str] = set()
    syncing: dict[str, str] = {}
    recorded, answers = False, 0
    for line in (tmp_path / "trace").read_text().splitlines():
        thread, call = line.split(maxsplit=1)
        if call.startswith("pwrite"):
            # Zeros that prepare a segment and the mark that follows a sync are not records of a push.
            if not re.match(r'[^"]*"((\\0)+"|PARAMEND)', call):
                unsynced.add(file_of(call))
                recorded = True
        elif call.startswith("fdatasync("):
            syncing[thread] = file_of(call)
        if "fdatasync" in call and call.endswith("= 0"):
            unsynced.discard(syncing[thread])
        elif "HTTP/1.1 200" in call:
            assert recorded, f"answer {answers} was sent before its record was written: {line}"
            assert not unsynced, f"answer {answers} was sent before its record was synced: {line}"
            answers, recorded = answers + 1, False
    assert answers == 200


def file_of(call: str) -> str:
    """The descriptor in a traced call's first argument."""
    return re.match(r"\w+\((\d+)", call)[1]


def test_promise_3_durability_is_what_the_answer_says(start: Start, tmp_path: Path) -> None:
    """`group` and `sync` answer after the sync and say so; `interval` and `none` promise less and say so."""
    for mode, is_durable in (("group", True), ("sync", True), ("interval:50", False), ("none", False)):
        daemon = start("--durability", mode, data_dir=tmp_path / mode.replace(":", "-"))
        api = Api(daemon.host, daemon.port)
        small(api)
        told = api.push("m", {"w": [1]}).json()["durable"]
        assert told == is_durable, f"--durability {mode} says durable: {told}"


def test_promise_7_no_step_is_seen_to_go_back(tmp_path: Path) -> None:
    """No answer to any client shows a step below one that was shown before, even after kills and restarts."""
    settings = Settings(7, clients=8, operations=40, kills=2)
    history = Recorder(settings).run(tmp_path)
    shown = sorted((o.ended, o.began, o.answered[1]) for o in history if o.ended and o.asked[0] in ("push", "pull"))
    for place, (ended, _, step) in enumerate(shown):
        lower = [later for _, began, later in shown[place:] if began > ended and later < step]
        assert not lower, f"step {step} was shown, and steps {lower[:5]} to who asked later"
    assert holds(history, settings.clients), "no order of what was asked explains what was answered"


def test_promise_8_a_pull_is_of_one_step(daemon: Daemon, name: str) -> None:
    """All values, the step and the ETag of a pull belong to one step, while eight clients push."""
    width, done = 50_000, threading.Event()
    weights = np.arange(1, width + 1, dtype=np.float32)
    api = Api(daemon.host, daemon.port)
    shape = {"shape": [width], "init": "zeros"}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"a": shape, "b": shape}})
    tags: dict[str, int] = {}

    def push() -> None:
        own = Api(daemon.host, daemon.port)
        for _ in range(15):
            own.push_binary(name, {"a": -weights, "b": weights}).expect(200)

    def read() -> int:
        own, count = Api(daemon.host, daemon.port), 0
        while not done.is_set():
            answer = own.get(f"/v1/models/{name}/parameters.safetensors")
            step, tensors = int(answer.headers["x-paramd-step"]), answer.tensors()
            for tensor, sign in (("a", 1), ("b", -1)):
                steps = np.unique(sign * tensors[tensor] / weights).tolist()
                assert steps == [step], f"{tensor} of a pull of step {step} has values of the steps {steps[:5]}"
            assert tags.setdefault(answer.headers["etag"], step) == step, "one ETag for two steps"
            count += 1
        return count

    with ThreadPoolExecutor(10) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        pushers = [pool.submit(push) for _ in range(8)]
        try:
            for pusher in pushers:
                pusher.result()
        finally:
            done.set()
        assert sum(reader.result() for reader in readers) > 0
    assert api.get(f"/v1/models/{name}").json()["step"] == 120


@needs_strace
@pytest.mark.unsanitized
def test_promise_17_nothing_is_acknowledged_after_a_failed_sync(
    traced: Callable[..., Daemon], start: Start, tmp_path: Path
) -> None:
    """After one failed fdatasync no change is acknowledged and the file is not synced again; pulls continue."""
    daemon = traced("-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=12")
    api = Api(daemon.host, daemon.port)
    small(api)
    statuses = [push_once(api, seq).status for seq in range(1, 60)]
    acknowledged = statuses.index(503) if 503 in statuses else 59
    assert 0 < acknowledged < 59, f"{acknowledged} of 59 pushes were acknowledged, and the twelfth sync had failed"
    assert set(statuses[acknowledged:]) == {503}, f"behind a failed sync: {statuses[acknowledged:]}"
    assert api.pull("m")["w"].tolist() == [-acknowledged]
    daemon.stop()
    syncs = re.findall(r"fdatasync\((\d+)\) += (-?\d+)", (tmp_path / "trace").read_text())
    failed = next(place for place, (_, result) in enumerate(syncs) if result != "0")
    again = [result for file, result in syncs[failed + 1 :] if file == syncs[failed][0]]
    assert not again, f"the descriptor whose sync had failed was synced again: {again}"
    daemon = start(data_dir=tmp_path / "data")
    api = Api(daemon.host, daemon.port)
    assert push_once(api, acknowledged + 1).expect(200).json()["step"] == acknowledged + 1


def push_once(api: Api, seq: int) -> Answer:
    """A push of 1 under the given number."""
    return api("POST", "/v1/models/m/gradients", {"gradients": {"w": [1]}, "worker": "w", "seq": seq})


def answered(who: str, ask: Callable[[], Answer]) -> Answer:
    """Returns the answer, and fails if there is none."""
    try:
        return ask()
    except OSError as problem:
        raise AssertionError(f"{who} has no answer: {problem!r}") from problem


def test_promise_20_a_drain_answers_all_and_loses_nothing(start: Start, tmp_path: Path) -> None:
    """After two SIGTERMs, parked pulls get 503 and Retry-After, it exits with 0, and acknowledged changes are kept."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    small(api)
    for seq in range(1, 11):
        push_once(api, seq).expect(200)
    version = api.get("/v1/models/m").json()["version"]
    parked = [socket.create_connection((daemon.host, daemon.port), timeout=20) for _ in range(50)]
    for peer in parked:
        peer.sendall(
            f"GET /v1/models/m/parameters?since={version}&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
    until_waiting(api, len(parked))
    daemon.signal(signal.SIGTERM)
    daemon.signal(signal.SIGTERM)
    for number, peer in enumerate(parked):
        answer = answered(f"parked pull {number}", partial(raw_answer, peer))
        assert int(answer.expect(503).headers["retry-after"]) > 0
        peer.close()
    assert daemon.wait() == 0
    daemon = start(data_dir=tmp_path)
    assert Api(daemon.host, daemon.port).pull("m")["w"].tolist() == [-10]


def held(daemon: Daemon) -> tuple[int, int]:
    """The number of open files and threads of the process."""
    place = Path(f"/proc/{daemon.process.pid}")
    return len(list((place / "fd").iterdir())), len(list((place / "task").iterdir()))


def test_promise_21_what_was_taken_is_given_back(start: Start) -> None:
    """Files and threads return to their earlier numbers when 300 connections with half a request close."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    small(api)
    files, threads = held(daemon)
    for _ in range(3):
        peers = [half_a_request(daemon) for _ in range(100)]
        for peer in peers:
            peer.close()
    for _ in range(300):
        api.get("/livez")
        now = held(daemon)
        if now[0] <= files and now[1] <= threads:
            return
        time.sleep(0.1)
    raise AssertionError(f"of {files} files and {threads} threads before, {now[0]} and {now[1]} after")


def half_a_request(daemon: Daemon) -> socket.socket:
    """A connection that has sent a head and a part of its body."""
    peer = socket.create_connection((daemon.host, daemon.port), timeout=20)
    peer.sendall(b"POST /v1/models/m/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
    peer.sendall(b"Content-Length: 1000\r\n\r\n{")
    return peer


def test_promise_23_slow_peers_starve_no_worker(start: Start) -> None:
    """200 peers that send half a request and wait do not delay any push or probe."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    small(api)
    peers = [half_a_request(daemon) for _ in range(200)]
    for seq in range(1, 41):
        answered("a probe", partial(api.get, "/livez"))
        receipt = answered(f"push {seq}", partial(push_once, api, seq))
        assert receipt.expect(200).json()["step"] == seq
    for peer in peers:
        peer.close()
    assert daemon.stop() == 0
