"""One build of paramd against another: the time of pushes and pulls, in turns, as ratios of medians.

Two release builds serve the same models side by side; every round sends the same requests to one and then to the other,
so that what else the machine does meets both. A ratio above 1 means that the new build is slower; on a shared machine
single figures differ by up to 15 %, and those with a disk in them by 30 %.

    .venv/bin/python Tests/benchmarks/compare.py --old OLD/paramd --new .build/release/paramd [--rounds 12]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors.numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))
from support.daemon import REPOSITORY, Daemon
from support.wire import SAFETENSORS, Api

LARGE = 1_000_000
SMALL_BODY = json.dumps({"gradients": {"w": [0.5, 0.25, 1, 2]}}).encode()
LARGE_BODY = safetensors.numpy.save({"w": np.random.default_rng(1).standard_normal(LARGE).astype(np.float32)})
LARGE_JSON = json.dumps({"gradients": {"w": np.random.default_rng(2).standard_normal(LARGE // 10).tolist()}}).encode()


def push(model: str, body: bytes, kind: str, query: str = "") -> Callable[[Api], None]:
    """Pushes the same body to a model, and expects a receipt."""

    def send(api: Api) -> None:
        api("POST", f"/v1/models/{model}/gradients{query}", body, Content_Type=kind).expect(200)

    return send


def pull(target: str) -> Callable[[Api], None]:
    """Asks for the same target."""
    return lambda api: api.get(f"/v1/models/{target}") and None


#: What is measured: a name, one request, and how many of them a round has.
REQUESTS: list[tuple[str, Callable[[Api], None], int]] = [
    ("push of 4 values, JSON", push("small", SMALL_BODY, "application/json"), 200),
    ("push of 100,000 values, JSON", push("middle", LARGE_JSON, "application/json"), 20),
    ("push of 1,000,000 values, safetensors, Adam", push("large", LARGE_BODY, SAFETENSORS), 10),
    ("push and pull of 1,000,000 values", push("large", LARGE_BODY, SAFETENSORS, "?pull=1"), 10),
    ("pull of 4 values, JSON", pull("small/parameters"), 300),
    ("pull of 1,000,000 values, safetensors", pull("large/parameters.safetensors"), 20),
    ("learning rate", pull("small/lr"), 300),
    ("the model's page", pull("small"), 300),
]


@contextmanager
def served(binary: Path, durability: str) -> Iterator[Api]:
    """Serves the models with a build until the end of the block."""
    with Daemon("--durability", durability, "--log-level", "error", binary=binary) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("small", {"optimizer": "sgd", "parameters": {"w": [0, 0, 0, 0]}})
        for name, optimizer, count in (("middle", "sgd", LARGE // 10), ("large", "adam", LARGE)):
            api.create(name, {"optimizer": optimizer, "parameters": {"w": {"shape": [count], "init": "zeros"}}})
        yield api
        api.close()


def timed(api: Api, send: Callable[[Api], None], count: int) -> float:
    """Seconds for one request, over so many."""
    began = time.perf_counter()
    for _ in range(count):
        send(api)
    return (time.perf_counter() - began) / count


def compare(old: Path, new: Path, durability: str, rounds: int) -> None:
    """Prints both medians of every request, and their ratio."""
    with served(old, durability) as first, served(new, durability) as second:
        print(f"durability {durability}: old ms, new ms, new / old")
        for name, send, count in REQUESTS:
            times: tuple[list[float], list[float]] = ([], [])
            for number in range(rounds + 1):
                for side in (0, 1) if number % 2 else (1, 0):
                    seconds = timed((first, second)[side], send, count)
                    if number > 0:  # the first round warms both up
                        times[side].append(seconds)
            before, after = (statistics.median(side) for side in times)
            print(f"  {name:45} {before * 1000:8.3f} {after * 1000:8.3f}   {after / before:.2f}")


def main() -> None:
    """Compares in the default mode and without waiting for the disk."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--old", type=Path, required=True, help="the earlier build")
    parser.add_argument("--new", type=Path, default=REPOSITORY / ".build/release/paramd")
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    for durability in ("none", "group"):
        compare(options.old, options.new, durability, options.rounds)


if __name__ == "__main__":
    main()
