"""Measures how long honest clients wait during a flood, compared with an idle daemon and a well-formed flood.

deploy/prove floods [--seconds 10] [--rate 13000] [--bombs 36000] [--open 1000]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult, Pool
from typing import Any

from support.daemon import Daemon
from support.wire import Api

Address = tuple[str, int]

LINE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
REQUESTS = {
    "well-formed": LINE + b"\r\n",
    "malformed": b"GET / HTTP/1.1\r\nbroken\r\n\r\n",
    "newcomers": b"GET / HTTP/1.1\r\nbroken\r\n\r\n",
    "bombs": LINE + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 500) for i in range(40)) + b"\r\n",
}
#: The limit in seconds for each measured wait, on any machine; a tenth of it is the target.
HONEST = {"livez, kept": 1.2, "livez, new": 1.2, "push": 4.1}
GENERATORS = 2
READERS = 500
SIZE = 4_000_000


def flood(address: Address, kind: str, rate: float, seconds: float, at_once: int) -> int:
    """Opens connections in batches, each with one request, without waiting for answers. Returns their number."""
    count, began = 0, time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        heap: list[socket.socket] = []
        # A flood may run out of descriptors or get no answer; it continues.
        with contextlib.suppress(OSError):
            for _ in range(at_once):
                heap.append(socket.create_connection(address, timeout=seconds + 10))
                heap[-1].sendall(REQUESTS[kind])
        for connection in heap:
            with contextlib.suppress(OSError):
                count += kind == "newcomers" or len(connection.recv(65536)) > 0
            connection.close()
        time.sleep(max(0, count / rate - elapsed))
    return count


def read_slowly(address: Address, count: int, seconds: float) -> int:
    """Opens clients that request a large answer and read one byte of it per second."""
    connections = []
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(seconds + 10)
        connection.connect(address)
        connection.sendall(b"GET /v1/models/large/parameters.safetensors HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connections.append(connection)
    until, read = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        for connection in connections:
            read += len(connection.recv(1))
        time.sleep(min(1, seconds / 4))
    return read


def waits(address: Address, what: str, seconds: float) -> list[float]:
    """Returns how many seconds each request of an honest client took; an answer other than 200 fails."""
    until, times = time.monotonic() + seconds, []
    kept = http.client.HTTPConnection(*address, timeout=60)
    push = ("POST", "/v1/models/small/gradients", json.dumps({"gradients": {"w": [1.0] * 100}}))
    request = push if what == "push" else ("GET", "/livez", None)
    while time.monotonic() < until:
        began = time.perf_counter()
        client = http.client.HTTPConnection(*address, timeout=60) if what == "livez, new" else kept
        client.request(*request, {"Content-Type": "application/json"} if what == "push" else {})
        answer = client.getresponse()
        answer.read()
        times.append(time.perf_counter() - began)
        if answer.status != 200:
            raise AssertionError(f"{what}: {answer.status}")
        if client is not kept:
            client.close()
        time.sleep(0.005)
    kept.close()
    return times


@dataclass
class Row:
    """How long honest clients waited during one flood, and how strong the flood was."""

    name: str
    waits: dict[str, list[float]]
    per_second: float

    def p99(self, what: str) -> float:
        """The 99th percentile, in seconds."""
        return statistics.quantiles(self.waits[what], n=100, method="inclusive")[98]

    @property
    def faults(self) -> list[str]:
        """Lists the waits that exceed the limit for any machine."""
        slow = [what for what, most in HONEST.items() if self.p99(what) >= most]
        return [f"{self.name}: {what} took {self.p99(what):.2f} s" for what in slow]

    def __str__(self) -> str:
        cells = [
            f"{statistics.median(times) * 1e3:8.1f} {self.p99(what) * 1e3:8.1f} {max(times) * 1e3:8.1f}"
            for what, times in self.waits.items()
        ]
        return f"{self.name:<18} {self.per_second:8.0f}/s |" + " |".join(cells)


HEADER = f"{'milliseconds':<18} {'flood':>10} |" + " |".join(f"{what + ': p50, p99, max':>26}" for what in HONEST)


def measure(pool: Pool, address: Address, name: str, seconds: float, load: Callable[[], list[AsyncResult[int]]]) -> Row:
    """Measures honest clients, each in its own process, for the length of a flood."""
    began = load()
    honest = {what: pool.apply_async(waits, (address, what, seconds)) for what in HONEST}
    times = {what: result.get(seconds + 90) for what, result in honest.items()}
    return Row(name, times, sum(result.get(seconds + 90) for result in began) / seconds)


def run(seconds: float, rates: dict[str, float], at_once: int, show: Callable[[object], Any] = print) -> list[Row]:
    """Runs every flood in turn against one daemon, which must hold every acknowledged push at the end."""
    rows: list[Row] = []
    with Daemon("--log-level", "error") as daemon, multiprocessing.get_context("spawn").Pool(6) as pool:
        address, api = (daemon.host, daemon.port), Api(daemon.host, daemon.port)
        api.create("small", {"optimizer": "sgd", "parameters": {"w": [0.0] * 100}})
        api.create("large", {"optimizer": "sgd", "parameters": {"w": {"shape": [SIZE], "init": "zeros"}}})
        pool.map(abs, range(6))
        show(HEADER)

        def begin(kind: str, rate: float) -> list[AsyncResult[int]]:
            share = (address, kind, rate / GENERATORS, seconds, max(1, at_once // GENERATORS))
            return [pool.apply_async(flood, share) for _ in range(GENERATORS)]

        def add(name: str, load: Callable[[], list[AsyncResult[int]]]) -> None:
            rows.append(measure(pool, address, name, seconds, load))
            show(rows[-1])

        add("idle", list)
        for kind, rate in rates.items():
            add(f"{kind}", lambda kind=kind, rate=rate: begin(kind, rate))  # type: ignore[misc]
        add("one-byte readers", lambda: [pool.apply_async(read_slowly, (address, READERS, seconds))])
        pushes = sum(len(row.waits["push"]) for row in rows)
        assert api.get("/v1/models/small").json()["step"] == pushes
    return rows


def main() -> int:
    """Runs the floods and prints the table."""
    parser = argparse.ArgumentParser(prog="deploy/prove floods", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="how long each flood lasts")
    parser.add_argument("--rate", type=float, default=13_000, help="most requests per second of a flood")
    parser.add_argument("--bombs", type=float, default=36_000, help="most heads a second that are too large")
    parser.add_argument("--open", type=int, default=1000, help="connections of a flood at a time")
    options = parser.parse_args()
    rates = dict.fromkeys(REQUESTS, options.rate) | {"bombs": options.bombs}
    faults = [fault for row in run(options.seconds, rates, options.open) for fault in row.faults]
    for fault in faults:
        print(f"FAULT: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
