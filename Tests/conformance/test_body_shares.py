"""Bodies of one model, or from one address, leave memory for others; a single body may take all there is."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.trained import checkpoint
from support.wire import SAFETENSORS, Answer, Api, raw_answer, wait_until

pytestmark = pytest.mark.unsanitized

COUNT = 1_000_000
GRADIENT = {"w": np.ones(COUNT, np.float32)}
BODY = safetensors.numpy.save(GRADIENT)
#: Memory for sixteen gradients.
MEMORY = ("--memory", "64M", "--durability", "none")
#: At least this many of fourteen pushes are refused.
LEAST = 5
#: No body is cut for being slow, so every refusal here is for a share.
PATIENT = (*MEMORY, "--limit", "pressure-rate=1", "--limit", "minimum-rate=1")


def prepared(daemon: Daemon) -> Api:
    """A client, and two models that accept the gradient."""
    api = Api(daemon.host, daemon.port)
    for name in "ab":
        api.create(name, {"optimizer": "sgd", "parameters": {"w": {"shape": [COUNT], "init": "zeros"}}})
    return api


def from_address(daemon: Daemon, source: str) -> socket.socket:
    """A connection from another address of this machine."""
    return socket.create_connection((daemon.host, daemon.port), timeout=60, source_address=(source, 0))


def push(daemon: Daemon, model: str, body: bytes, source: str = "127.0.0.1") -> socket.socket:
    """A connection that has sent a part of a push; the rest may never follow."""
    connection = from_address(daemon, source)
    head = f"POST /v1/models/{model}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Type: {SAFETENSORS}\r\n"
    connection.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode())
    connection.sendall(body)
    return connection


def refused(connections: list[socket.socket], least: int = LEAST) -> list[Answer]:
    """Waits until enough connections have an answer although their bodies are incomplete; returns the answers."""
    end = time.monotonic() + 60
    while len(answered := select.select(connections, [], [], 0)[0]) < least and time.monotonic() < end:
        time.sleep(0.05)
    return [raw_answer(connection) for connection in answered]


def most_of_many(daemon: Daemon, model: str, source: str = "127.0.0.1") -> list[socket.socket]:
    """Sends fourteen pushes except for their last bytes: together they would take all memory."""
    return [push(daemon, model, BODY[:-8], source) for _ in range(14)]


def is_over_share(answers: list[Answer], limit: str) -> None:
    """Some pushes are refused, and the refusals say what to do."""
    assert LEAST <= len(answers) < 14
    for answer in answers:
        problem = answer.expect(503).json()
        assert problem["type"] == "/problems/out-of-memory" and answer.headers["retry-after"] == "1"
        assert limit in problem["detail"] and "Nothing was applied" in problem["detail"]


def test_one_model(start: Callable[..., Daemon]) -> None:
    """Unfinished bodies of one model leave room for those of another."""
    daemon = start(*PATIENT)
    api = prepared(daemon)
    senders = most_of_many(daemon, "a")
    api.push_binary("b", GRADIENT).expect(200)
    is_over_share(refused(senders), "body-memory-per-model")
    # Closing them returns the memory that was counted for them, as soon as the daemon notices.
    for sender in senders:
        sender.close()
    wait_until(lambda: api.push_binary("a", GRADIENT).status == 200)
    for _ in range(7):
        api.push_binary("a", GRADIENT).expect(200)


def test_one_address(start: Callable[..., Daemon]) -> None:
    """Bodies from one address leave room for others; 127.0.0.1, where proxies are, has no share."""
    daemon = start(*PATIENT, "--limit", "body-memory-per-model=100%", "--limit", "body-memory-per-address=25%")
    prepared(daemon)
    senders = [push(daemon, "ab"[number % 2], BODY[:-8], "127.0.0.2") for number in range(14)]
    other = push(daemon, "a", BODY, "127.0.0.3")
    raw_answer(other).expect(200)
    is_over_share(refused(senders), "body-memory-per-address")
    of_many = [push(daemon, "b", BODY[:-8]) for _ in range(6)]
    assert refused(of_many, least=0) == []
    for sender in of_many:
        sender.sendall(BODY[-8:])
        raw_answer(sender).expect(200)


@pytest.mark.parametrize("form", ["push", "import", "creation", "file", "state"])
def test_alone(start: Callable[..., Daemon], form: str) -> None:
    """A single body is accepted whatever its size, because shares apply to several."""
    shares = ("--limit", "body-memory-per-model=1%", "--limit", "body-memory-per-address=1%")
    daemon = start(*MEMORY, *shares)
    api = prepared(daemon)
    body, target, method, status = BODY, "/v1/models/a/gradients", "POST", 200
    if form == "import":
        method, target = "PUT", "/v1/models/a/parameters"
    elif form == "creation":
        values = b"[" + b"0," * (COUNT - 1) + b"0]"
        body = b'{"optimizer":"sgd","parameters":{"w":' + values + b"}}"
        method, target, status = "PUT", "/v1/models/c", 201
    elif form == "state":
        body = api.get("/v1/models/a/state.safetensors").body
        method, target = "PUT", "/v1/models/a/state.safetensors"
    elif form == "file":
        body = checkpoint(api, "a")
        method, target, status = "PUT", "/v1/models/c", 201
    type_of = "application/json" if form == "creation" else SAFETENSORS
    with from_address(daemon, "127.0.0.2") as connection:
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {type_of}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        raw_answer(connection).expect(status)
