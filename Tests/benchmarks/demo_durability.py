"""What durable pushes cost a real training: the demo's four workers at --durability group and at none, by turns.

Needs a release build (`swift build -c release --product paramd`), NumPy and Debian's dataset-fashion-mnist. Prints the
steps a second of each run and the median ratio of a pair; ends with 1 when group is more than 15 % slower.

    .venv/bin/python Tests/benchmarks/demo_durability.py [--paramd .build/release/paramd] [--updates 400] [--pairs 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "api/python"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy/demo"))

import lenet
import train
from paramd import Client

REPOSITORY = Path(__file__).resolve().parents[2]
GOAL = 0.85
#: Reports that are not timed at either end: the workers neither start nor end at the same moment.
MARGIN = 40


@contextmanager
def serving(binary: Path, place: Path, mode: str) -> Iterator[str]:
    """A daemon for a while; its address."""
    command = [binary, "--listen", "127.0.0.1:0", "--data-dir", place, "--durability", mode, "--log-level", "error"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait(60)


def speed(binary: Path, place: Path, mode: str, updates: int) -> float:
    """Updates a second of the demo's run with fixed rates, on a model and a daemon of its own."""
    size = train.Size(updates=updates, batch=64, floor=0, tolerance=1)
    with serving(binary, place, mode) as url, Client(url) as client:
        model = client.model("lenet")
        model.create(lenet.PARAMETERS, {"type": "momentum", "momentum": 0.9}, learning_rate=0.01, groups=train.GROUPS)
        with train.workers(url, model.name, size) as reports:
            times = []
            for _ in range(updates):
                train.next_report(reports)
                times.append(time.perf_counter())
        assert model.info()["step"] == updates
    return (updates - 2 * MARGIN) / (times[-1 - MARGIN] - times[MARGIN - 1])


def main() -> int:
    """Pairs of runs, the first of each pair in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paramd", type=Path, default=REPOSITORY / ".build/release/paramd")
    parser.add_argument("--place", type=Path, help="a directory on the disk to measure")
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    if options.updates < 4 * MARGIN:
        parser.error(f"--updates is at least {4 * MARGIN}: the first and the last {MARGIN} are not timed")
    # The workers inherit it, as they do from deploy/demo/run: one thread each for matrix products.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    speeds: dict[str, list[float]] = {"group": [], "none": []}
    for pair in range(options.pairs):
        for mode in list(speeds)[:: 1 if pair % 2 == 0 else -1]:
            with tempfile.TemporaryDirectory(prefix="paramd-demo-", dir=options.place) as place:
                speeds[mode].append(speed(options.paramd, Path(place) / "data", mode, options.updates))
            print(f"  {mode:5} {speeds[mode][-1]:6.1f} steps/s   load {os.getloadavg()[0]:.1f}", flush=True)
    # By pairs: what else the machine does changes more from minute to minute than within a pair.
    ratio = statistics.median(group / none for group, none in zip(speeds["group"], speeds["none"], strict=True))
    met = ratio >= GOAL
    print(
        f"{'ok  ' if met else 'MISS'} {ratio:6.2f}  goal >= {GOAL}  steps a second, group / none, median of the pairs"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
