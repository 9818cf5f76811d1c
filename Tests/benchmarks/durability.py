"""What durability costs: ratios against limits that are measured in the same run, on the same disk.

Needs a release build (`swift build -c release --product paramd`), NumPy and wrk. Prints one line per figure with its
goal, and ends with 1 when a goal is missed.

    python3 Tests/benchmarks/durability.py [--paramd .build/release/paramd] [--place DIR] [--rounds 100]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
ELEMENTS = 1_000_000
LUA = """
local n = 0
request = function()
  n = n + 1
  local seq, worker = math.floor((n - 1) / 16) + 1, (n - 1) % 16
  local body = '{"gradients":{"w":[0.5,0.25,1,2]},"worker":"w' .. worker .. '","seq":' .. seq .. '}'
  return wrk.format("POST", "/v1/models/small/gradients", {["Content-Type"] = "application/json"}, body)
end
local bad = 0
response = function(status) if status ~= 200 then bad = bad + 1; print("status " .. status) end end
"""


class Server:
    """A paramd on a directory; `seconds` is how long it took from exec to its listening line."""

    def __init__(self, binary: Path, place: Path, *arguments: str) -> None:
        command = [binary, "--listen", "127.0.0.1:0", "--data-dir", place, "--log-level", "error", *arguments]
        start = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().rsplit("/", 1)[-1].strip()
        self.seconds = time.perf_counter() - start
        self.connection = http.client.HTTPConnection(self.address)

    def __call__(self, method: str, path: str, body: bytes | dict, kind: str = "application/json") -> dict:
        """One request that must succeed."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, f"/v1/models/{path}", data, {"Content-Type": kind})
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return json.loads(content)

    def push(self, model: str, body: bytes) -> float:
        """Seconds that a binary push took."""
        start = time.perf_counter()
        self("POST", f"{model}/gradients", body, "application/vnd.safetensors")
        return time.perf_counter() - start

    def end(self, kill: bool) -> None:
        """Ends the daemon, cleanly or not."""
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(60)


@contextlib.contextmanager
def serving(binary: Path, place: Path, *arguments: str, kill: bool = False) -> Iterator[Server]:
    """A daemon for a while."""
    server = Server(binary, place, *arguments)
    try:
        yield server
    finally:
        server.end(kill)


def safetensors(name: str, values: np.ndarray) -> bytes:
    """One tensor as safetensors."""
    entry = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [0, values.nbytes]}
    header = json.dumps({name: entry}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + values.tobytes()


def model(parameters: dict[str, int], optimizer: str | dict) -> dict:
    """A definition with zeros."""
    zeros = {name: {"shape": [size], "init": {"type": "zeros"}} for name, size in parameters.items()}
    return {"optimizer": optimizer, "learning_rate": 0.001, "parameters": zeros}


class BareFile:
    """Writes the same bytes to a file of its own, one after the other, as a journal without checks would."""

    def __init__(self, place: Path, size: int, room: int) -> None:
        self.file = os.open(place / "bare", os.O_CREAT | os.O_RDWR, 0o600)
        os.posix_fallocate(self.file, 0, room)
        os.fdatasync(self.file)
        self.bytes, self.size, self.room, self.offset = os.urandom(size), size, room, 0

    def write(self, sync: bool) -> float:
        """Seconds that one write took."""
        if self.offset + self.size > self.room:
            self.offset = 0
        start = time.perf_counter()
        os.pwrite(self.file, self.bytes, self.offset)
        if sync:
            os.fdatasync(self.file)
        self.offset += self.size
        return time.perf_counter() - start


def journal_cost(binary: Path, place: Path, rounds: int) -> list[tuple[str, float, float, str]]:
    """A push of 1 M float32 with and without its sync, beside a bare write and fdatasync; turn by turn."""
    body = safetensors("w", np.ones(ELEMENTS, np.float32))
    times: dict[str, list[float]] = {"group": [], "none": [], "write": [], "sync": []}
    synced, unsynced = (BareFile(place, 4 * ELEMENTS, 256 << 20) for _ in range(2))
    with contextlib.ExitStack() as stack:
        servers = {
            mode: stack.enter_context(serving(binary, place / mode, "--durability", mode)) for mode in ("group", "none")
        }
        for server in servers.values():
            server("PUT", "large", model({"w": ELEMENTS}, "sgd"))
        for turn in range(rounds + 5):
            sample = {mode: server.push("large", body) for mode, server in servers.items()}
            sample |= {"write": unsynced.write(False), "sync": synced.write(True)}
            if turn >= 5:
                for key, seconds in sample.items():
                    times[key].append(seconds)
    middle = {key: statistics.median(values) for key, values in times.items()}
    for key, seconds in middle.items():
        print(f"  {key:6} {seconds * 1e3:8.2f} ms (median of {rounds})")
    cost = (middle["group"] - middle["none"] + middle["write"]) / middle["sync"]
    return [("write and sync of 1 M float32 in the journal / bare write + fdatasync", cost, 1.5, "<")]


def small_pushes(binary: Path, place: Path, seconds: int) -> list[tuple[str, float, float, str]]:
    """Durable pushes of 4 numbers by 16 connections, each with its key; and the same disk's bare rate."""
    script = place / "push.lua"
    script.write_text(LUA)
    bare = BareFile(place, 4096, 64 << 20)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 2:
        bare.write(True)
        count += 1
    with serving(binary, place / "small") as server:
        server("PUT", "small", model({"w": 4}, "sgd"))
        command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", script, "--latency", f"http://{server.address}"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in output and "status" not in output, output
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])
        print("  " + re.search(r"99%.*", output)[0])
    print(f"  bare write + fdatasync of 4 KiB: {count / 2:.0f}/s")
    return [
        ("durable small pushes a second, 16 workers", rate, 2000, ">"),
        ("those / bare syncs a second", rate / (count / 2), 0, ">"),
    ]


def recovery(binary: Path, place: Path, steps: int) -> list[tuple[str, float, float, str]]:
    """A start after a kill: 1 M parameters and 1,000 steps, all of them dense, and each of 1,000 parameters of them."""
    results = []
    for name, size in (("dense", ELEMENTS), ("small", 1000)):
        parameters = {"w": ELEMENTS} if name == "dense" else {"w": size, "rest": ELEMENTS - size}
        folder = place / f"recovery-{name}"
        body = safetensors("w", np.full(size, 0.5, np.float32))
        with serving(binary, folder, kill=True) as server:
            server("PUT", "m", model(parameters, {"type": "momentum", "momentum": 0.9}))
            for _ in range(steps):
                server.push("m", body)
        journal = sum(file.stat().st_size for file in (folder / "journal").iterdir())
        times = []
        for _ in range(3):
            with serving(binary, folder, kill=True) as server:
                times.append(server.seconds)
                server.connection.request("GET", "/v1/models/m")
                assert json.loads(server.connection.getresponse().read())["step"] == steps
        print(f"  {name}: a journal of {journal >> 20} MiB, starts in " + ", ".join(f"{t:.2f} s" for t in times))
        results.append((f"recovery after {steps} {name} steps, seconds", statistics.median(times), 2, "<"))
        shutil.rmtree(folder)
    return results


def main() -> int:
    """All figures, each with its goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paramd", type=Path, default=REPOSITORY / ".build/release/paramd")
    parser.add_argument("--place", type=Path, help="a directory on the disk to measure")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="paramd-durability-", dir=options.place))
    try:
        figures = journal_cost(options.paramd, place, options.rounds)
        figures += small_pushes(options.paramd, place, options.seconds)
        figures += recovery(options.paramd, place, options.steps)
    finally:
        shutil.rmtree(place)
    missed = 0
    for text, value, goal, sense in figures:
        met = value < goal if sense == "<" else value > goal
        missed += not met
        print(f"{'ok  ' if met else 'MISS'} {value:10.2f}  goal {sense} {goal:<6g} {text}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
