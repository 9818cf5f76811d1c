"""broadcast_params: one publication wakes every waiting pull, and all get the same version."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from proofs import broadcast
from support.crowd import Crowd
from support.wire import Api, until_waiting, waiting

PULLS = 500
GROUPS = ("first", "second", "third")


@contextmanager
def parked(api: Api, model: str) -> Iterator[list[socket.socket]]:
    """Connections that each wait for a version beyond 1; every third pulls one group only."""
    connections = [socket.create_connection((api.host, api.port), timeout=30) for _ in range(PULLS)]
    for index, connection in enumerate(connections):
        group = f"&group={GROUPS[index % 3]}" if index % 2 else ""
        target = f"/v1/models/{model}/parameters?since=1&wait=60s{group}"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def read_body(connection: socket.socket) -> dict[str, object]:
    """Reads one answer as JSON."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"\n"):
        part = connection.recv(65536)
        assert part, f"closed after {data!r}"
        data += part
    assert data.startswith(b"HTTP/1.1 200")
    return json.loads(data.split(b"\r\n\r\n", 1)[1])


def test_all_waiting_pulls_get_the_same_version(api: Api, name: str) -> None:
    """One push answers 500 parked pulls, all with version 2, and the receipt reports their number."""
    groups = [{"name": group, "params": [f"{group}.*"]} for group in GROUPS]
    parameters = {f"{group}.w": [index] for index, group in enumerate(GROUPS)}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": parameters, "groups": groups})
    others = waiting(api)
    with parked(api, name) as connections:
        assert not select.select(connections, [], [], 1.0)[0], "a pull was answered before there was anything new"
        until_waiting(api, others + PULLS)
        receipt = api.push(name, {"first.w": [1]}).json()
        bodies = [read_body(connection) for connection in connections]
    assert receipt["woken"] == PULLS
    assert {(body["step"], body["version"]) for body in bodies} == {(1, 2)}
    assert [list(body["parameters"]) for body in bodies[:2]] == [[f"{g}.w" for g in GROUPS], ["second.w"]]


def test_refused_push_wakes_nobody(api: Api, name: str) -> None:
    """A refused push publishes nothing."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"first.w": [0]}})
    with socket.create_connection((api.host, api.port), timeout=30) as connection:
        connection.sendall(
            f"GET /v1/models/{name}/parameters?since=1&wait=1s HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        api.push(name, {"first.w": [1, 1]}, 422)
        assert connection.recv(65536).startswith(b"HTTP/1.1 304")


def test_no_wake_up_is_lost(api: Api, demo: str) -> None:
    """The push comes while the pulls for it do, and nothing comes after it that could wake one that it missed."""
    with Crowd(api.host, api.port, 64) as crowd:
        cursor = api.get(f"/v1/models/{demo}").json()["cursor"]
        for _ in range(100):
            crowd.send(f"/v1/models/{demo}/parameters?since={cursor}&wait=60s")
            cursor = api.push(demo, {"w": [1, 1]}).json()["cursor"]
            assert crowd.read().answers == {(200, cursor): 64}


@pytest.mark.unsanitized
def test_what_waiting_costs() -> None:
    """A pull that waits takes little memory, also where its connection has waited before; who leaves is noticed."""
    result = broadcast.run(1000, 3)
    print(*result.waits, result.noticed, sep="\n")
    assert result.faults == []


@pytest.mark.heavy
def test_ten_thousand_pulls() -> None:
    """Runs `deploy/prove broadcast`."""
    result = broadcast.run(10_000, 4)
    print(*result.waits, result.noticed, sep="\n")
    assert result.faults == []


def test_clients_that_leave_are_noticed_in_two_seconds(api: Api) -> None:
    """A client that closes its side may still read, and gets less than that time to show it; the rest is immediate."""
    patience = api.get("/v1/server").json()["limits"]["half-closed"]["value"]
    assert float(patience.removesuffix("s")) < broadcast.NOTICED


def test_parked_pulls_do_not_hold_others_up(api: Api, name: str) -> None:
    """A probe is answered while 500 pulls wait."""
    parameters = {f"{group}.w": [0] for group in GROUPS}
    groups = [{"name": group, "params": [f"{group}.*"]} for group in GROUPS]
    api.create(name, {"optimizer": "sgd", "parameters": parameters, "groups": groups})
    with parked(api, name):
        for _ in range(20):
            api.get("/livez")
    api.push(name, {"first.w": [1]})
