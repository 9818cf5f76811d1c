"""Floods from many connections: existing clients are still served, and a new one gets in."""

from __future__ import annotations

import contextlib
import http.client
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from proofs import floods
from support.daemon import Daemon
from support.threads import network_seconds
from support.wire import Api

pytestmark = pytest.mark.unsanitized

HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
BOMB = HEAD + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 500) for i in range(40)) + b"\r\n"
MALFORMED = b"GET / HTTP/1.1\r\nbroken\r\n\r\n"
THREADS = 8
TIMES = 300


def connect(daemon: Daemon) -> socket.socket:
    """Opens a plain connection."""
    return socket.create_connection((daemon.host, daemon.port), timeout=30)


def malformed(daemon: Daemon) -> None:
    """Sends unreadable requests, each on its own connection."""
    for _ in range(TIMES):
        with connect(daemon) as connection:
            connection.sendall(MALFORMED)
            assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def newcomers(daemon: Daemon) -> None:
    """Opens connections in batches that send unreadable bytes and do not wait for the answers."""
    for _ in range(TIMES // 50):
        heap = [connect(daemon) for _ in range(50)]
        for connection in heap:
            connection.sendall(MALFORMED)
        for connection in heap:
            connection.close()


def bombs(daemon: Daemon) -> None:
    """Sends heads beyond the limit, one after another."""
    for _ in range(TIMES):
        with connect(daemon) as connection:
            connection.sendall(BOMB)
            assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")


def latencies(daemon: Daemon, until: Callable[[], bool]) -> tuple[list[float], list[float]]:
    """The latencies of `livez` on a persistent connection and on new ones, in seconds."""
    kept, new = http.client.HTTPConnection(daemon.host, daemon.port, timeout=60), []
    times: list[float] = []
    while not until() or len(times) < 50:
        for fresh in (False, True):
            began = time.perf_counter()
            client = http.client.HTTPConnection(daemon.host, daemon.port, timeout=60) if fresh else kept
            client.request("GET", "/livez")
            assert client.getresponse().read() == b"ok\n"
            (new if fresh else times).append(time.perf_counter() - began)
            if fresh:
                client.close()
    kept.close()
    return times, new


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


@pytest.mark.parametrize("flood", [malformed, newcomers, bombs], ids=lambda flood: flood.__name__)
def test_flood(start: Callable[..., Daemon], flood: Callable[[Daemon], None]) -> None:
    """Prints the ratio; the assertion leaves room for any machine."""
    daemon = start()
    idle = latencies(daemon, lambda: True)
    threads = [Thread(target=flood, args=(daemon,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    busy = latencies(daemon, lambda: not any(thread.is_alive() for thread in threads))
    for thread in threads:
        thread.join()
    for name, before, during in zip(("kept", "new"), idle, busy, strict=True):
        print(f"{flood.__name__}: {name} {p99(during) * 1e3:.1f} ms, {p99(during) / p99(before):.1f} times idle")
        assert p99(during) < 3, f"livez takes {p99(during):.1f} s on {name} connections"


def cost(daemon: Daemon, request: bytes) -> float:
    """Processor time of the network threads for 200 connections with one request each, in seconds."""
    before = network_seconds(daemon.process.pid)
    for _ in range(200):
        with connect(daemon) as connection:
            connection.sendall(request)
            assert connection.recv(65536).startswith(b"HTTP/1.1 ")
    return network_seconds(daemon.process.pid) - before


def test_a_broken_request_costs_no_more_than_a_good_one(start: Callable[..., Daemon]) -> None:
    """A refusal is as cheap as an answer, and a head beyond the limit costs as much as reading its bytes."""
    daemon = start()
    # The minimum of several rounds, because other load on the machine makes some of them slower.
    rounds = [[cost(daemon, request) for request in (HEAD + b"\r\n", MALFORMED, BOMB)] for _ in range(4)]
    good, broken, bomb = (min(costs) for costs in zip(*rounds, strict=True))
    print(f"broken {broken / good:.2f} times a good one, bomb {bomb / good:.2f} times")
    assert broken < good
    assert bomb < 4 * good


@pytest.mark.heavy
def test_a_slice_of_the_proof() -> None:
    """Runs `deploy/prove floods --seconds 2`, with a tenfold limit for every wait."""
    rows = floods.run(2, dict.fromkeys(floods.REQUESTS, 13_000), 200)
    assert [fault for row in rows for fault in row.faults] == []
    assert all(len(times) > 10 for row in rows for times in row.waits.values())
    assert all(row.per_second > 0 for row in rows if row.name != "idle")


@contextlib.contextmanager
def readers(daemon: Daemon, count: int, target: str) -> Iterator[list[socket.socket]]:
    """Opens clients that request a large answer and occasionally read a byte of it."""
    connections = [socket.socket() for _ in range(count)]
    done = Event()

    def read() -> None:
        while not done.wait(0.2):
            for connection in connections:
                connection.recv(1)

    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect((daemon.host, daemon.port))
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    thread = Thread(target=read)
    thread.start()
    yield connections
    done.set()
    thread.join()
    for connection in connections:
        connection.close()


def unsent(port: int) -> list[int]:
    """The bytes that wait in the daemon's sockets."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[4].split(":")[0], 16) for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]


def test_readers_of_single_bytes(start: Callable[..., Daemon]) -> None:
    """The kernel does not get megabytes for each reader, and other clients are answered meanwhile."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    api.create("large", {"optimizer": "sgd", "parameters": {"w": {"shape": [4_000_000], "init": "zeros"}}})
    idle = latencies(daemon, lambda: True)
    with readers(daemon, 200, "/v1/models/large/parameters.safetensors"):
        until = time.monotonic() + 1
        busy = latencies(daemon, lambda: time.monotonic() > until)
        waiting = unsent(daemon.port)
    print(f"readers: {p99(busy[0]) / p99(idle[0]):.1f} times idle, at most {max(waiting)} bytes unsent")
    assert sum(count > 0 for count in waiting) >= 200
    assert max(waiting) < 1 << 20, f"the kernel holds {max(waiting)} bytes for one reader"
    assert p99(busy[0]) < 3
