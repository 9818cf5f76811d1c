"""Attacks that a daemon meets on an open port: floods, slow and broken clients; each thread counts its turns."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .fuzz.campaign import Campaign
from .fuzz.judge import exchange

HEAD = b"Host: localhost\r\n"


@dataclass
class Target:
    """The current address of the daemon; a kill changes it."""

    address: tuple[str, int]
    seed: int
    ended: threading.Event = field(default_factory=threading.Event)
    #: The number of turns of each attack; each thread writes its own row.
    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.campaign = Campaign(self.seed)

    def connect(self) -> socket.socket:
        """A connection with a short timeout."""
        return socket.create_connection(self.address, timeout=2)


def malformed(target: Target) -> None:
    """Sends requests that are refused, each over its own connection."""
    heads = [
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: x\r\n\r\n",
    ]
    exchange(target.address, heads[target.counts["malformed"] % 3])


def header_bombs(target: Target) -> None:
    """Sends the largest possible head again and again on one connection, until the daemon closes it."""
    bomb = b"GET /livez HTTP/1.1\r\n" + HEAD + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 200) for i in range(500)) + b"\r\n"
    with target.connect() as connection:
        for _ in range(20):
            connection.sendall(bomb)


def slow_heads(target: Target) -> None:
    """Opens fifty connections that send one byte at a time and never finish."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(target.connect()) for _ in range(50)]
        for byte in b"GET /livez HTTP/1.1\r\nHo":
            for connection in connections:
                connection.sendall(bytes([byte]))
            if target.ended.wait(0.05):
                return


def slow_bodies(target: Target) -> None:
    """Sends twenty pushes of 8 MB by the kilobyte and abandons them halfway."""
    head = b"POST /v1/models/m/gradients HTTP/1.1\r\n" + HEAD + b"Content-Length: 8000000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(target.connect()) for _ in range(20)]
        for connection in connections:
            connection.sendall(head)
        for _ in range(20):
            for connection in connections:
                connection.sendall(b" " * 1024)
            if target.ended.wait(0.05):
                return


def deaf_readers(target: Target) -> None:
    """Opens thirty clients that request everything many times and read nothing."""
    ask = b"GET /v1/models/m/state.safetensors HTTP/1.1\r\n" + HEAD + b"\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(target.connect()).sendall(ask * 50)
        target.ended.wait(1)


def resets(target: Target) -> None:
    """Sends half a push and resets the connection in the middle of it."""
    connection = target.connect()
    connection.sendall(b"POST /v1/models/m/gradients HTTP/1.1\r\n" + HEAD + b"Content-Length: 500\r\n\r\n{")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_open(target: Target) -> None:
    """Opens connections that send nothing, or wait for a version that never comes, with their sending side closed."""
    wait = b"GET /v1/models/m/parameters?since=999999&wait=30s HTTP/1.1\r\n" + HEAD + b"\r\n"
    with contextlib.ExitStack() as stack:
        for number in range(40):
            connection = stack.enter_context(target.connect())
            if number % 2:
                connection.sendall(wait)
                connection.shutdown(socket.SHUT_WR)
        target.ended.wait(0.5)


def fuzz(target: Target) -> None:
    """Sends the fuzzer's next request; an answer that is never allowed fails the run."""
    number = target.counts["fuzz"]
    for answer in exchange(target.address, target.campaign.request(number)):
        target.statuses[answer.status] += 1
        if answer.fault:
            target.faults.append(f"fuzz request {number} of seed {target.seed}: {answer.fault}: {answer.body[:300]!r}")


#: Each attack and the seconds between its turns.
ATTACKS: dict[Callable[[Target], None], float] = {
    malformed: 0.001,
    header_bombs: 0.02,
    slow_heads: 0.1,
    slow_bodies: 0.1,
    deaf_readers: 0.1,
    resets: 0.005,
    half_open: 0.1,
    fuzz: 0.002,
}


def begin(target: Target) -> list[threading.Thread]:
    """Starts every attack; they end soon after `target.ended` is set."""
    threads = [threading.Thread(target=_repeat, args=(target, *attack)) for attack in ATTACKS.items()]
    for thread in threads:
        thread.start()
    return threads


def _repeat(target: Target, attack: Callable[[Target], None], pause: float) -> None:
    while not target.ended.is_set():
        # An attacker gets refused connections, resets and time-outs; only the honest worker must be served.
        with contextlib.suppress(OSError, ValueError):
            attack(target)
        target.counts[attack.__name__] += 1
        time.sleep(pause)
