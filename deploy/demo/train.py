"""LeNet-5 on Fashion-MNIST through paramd: four worker processes, two runs, each beside one local process.

Exits with 1 if a distributed run ends more than a point below the local one, or below the floor.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import fashion
import lenet
from paramd import Client, Model
from progress import Progress
from report import Run, plot, table
from worker import Report, work, work_alone

WORKERS = 4
#: The groups of the example in mindspore.nn.Optimizer: the convolutions have a rate of their own.
GROUPS = [{"name": "conv", "params": ["conv*"], "lr": 0.05}, {"name": "rest", "params": ["*"], "lr": 0.01}]


@dataclass(frozen=True)
class Size:
    """How much is trained, and what the accuracy has to be at least."""

    updates: int
    batch: int
    floor: float
    tolerance: float


FULL = Size(updates=8000, batch=64, floor=0.85, tolerance=0.010)
QUICK = Size(updates=2000, batch=64, floor=0.75, tolerance=0.040)


def main() -> int:
    """Both runs, the plot and the table; the exit code."""
    arguments = parse()
    size = QUICK if arguments.quick else FULL
    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    with Client(arguments.url) as client:
        pairs = [run_pair(client, arguments.url, size, kind) for kind in ("fixed", "cosine")]
    runs = [run for pair in pairs for run in pair]
    paths = plot(runs, folder)
    text = table(runs, "deploy/demo/run" + (" --quick" if arguments.quick else ""))
    (folder / "table.md").write_text(text + "\n")
    print(f"{text}\n\nplots: {', '.join(map(str, paths))}")
    verdicts = [verdict(pair, size) for pair in pairs]
    return 0 if all(verdicts) else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8470", help="the server to train on")
    parser.add_argument("--output", default="demo-output", help="the folder for the plot and the table")
    parser.add_argument("--quick", action="store_true", help="fewer updates, and a lower floor: a quarter of the time")
    return parser.parse_args()


def run_pair(client: Client, url: str, size: Size, kind: str) -> tuple[Run, Run]:
    """One distributed run and the same number of updates in one local process, from the same first values."""
    model = client.model(f"lenet-{kind}")
    groups = [{**group, "lr": rate(group["lr"], kind, size.updates)} for group in GROUPS]
    model.create(
        lenet.PARAMETERS, {"type": "momentum", "momentum": 0.9}, replace=True, learning_rate=0.01, groups=groups
    )
    if kind == "fixed":
        show_rate(url, model.name)
    start, curve = model.latest().parameters, model.lr(range(size.updates))
    rates = {group: values.tolist() for group, values in curve.values.items()}
    distributed = run_workers(model, url, size, f"{WORKERS} workers, {kind}", rates)
    return distributed, run_alone(start, size, f"1 local, {kind}", rates)


def rate(highest: float, kind: str, updates: int) -> Any:
    """A group's learning rate: a number, or a cosine that falls to a hundredth of it."""
    if kind == "fixed":
        return highest
    return {"schedule": "cosine_decay_lr", "min_lr": highest / 100, "max_lr": highest, "decay_steps": updates}


def show_rate(url: str, model: str) -> None:
    """Asks as the seed's example does: the rate of one parameter, `get_lr_parameter`."""
    target = f"{url}/v1/models/{model}/lr?param=conv1.weight"
    with urlopen(target) as answer:
        print(f"GET {target}\n{json.load(answer)['parameters'][0]['lr']}", file=sys.stderr)


def run_workers(model: Model, url: str, size: Size, title: str, rates: dict[str, list[float]]) -> Run:
    """Starts the workers, shows how they do, waits for them, tests what they made."""
    progress, losses = Progress(title, size.updates), []
    with workers(url, model.name, size) as reports:
        while len(losses) < size.updates:
            losses.append(next_report(reports))
            if is_test(len(losses), size):
                progress.tested(test(model.latest().parameters, len(losses), size))
            progress.show(len(losses), losses[-1][1])
    return Run(title, progress.accuracy(), progress.close(), losses, rates)


def is_test(step: int, size: Size) -> bool:
    """Whether the model is tested after this update: fifty times in a run."""
    return step % (size.updates // 50) == 0


def test(values: lenet.Arrays, step: int, size: Size) -> float:
    """The accuracy on a tenth of the test set; in the last tenth of a run, which counts, on all of it."""
    images, labels = fashion.load("t10k")
    count = len(images) if step > size.updates * 9 // 10 else len(images) // 10
    return lenet.accuracy(values, images[:count], labels[:count])


@contextmanager
def workers(url: str, model: str, size: Size) -> Iterator[multiprocessing.Queue[Report]]:
    """Worker processes, each with its own part of the data and of the updates; waited for at the end."""
    spawn = multiprocessing.get_context("spawn")
    reports: multiprocessing.Queue[Report] = spawn.Queue()
    turns = spawn.Semaphore(os.cpu_count() or 1)
    shares = [size.updates // WORKERS + (part < size.updates % WORKERS) for part in range(WORKERS)]
    processes = [
        spawn.Process(target=work, args=(url, model, part, WORKERS, size.batch, share, turns, reports), daemon=True)
        for part, share in enumerate(shares)
    ]
    for process in processes:
        process.start()
    try:
        yield reports
    finally:
        for process in processes:
            process.join(timeout=30)


def next_report(reports: multiprocessing.Queue[Report]) -> Report:
    """The next report of any worker; silence for five minutes means that all have failed."""
    try:
        return reports.get(timeout=300)
    except queue.Empty:
        raise SystemExit("no worker has reported for five minutes; what they said is above") from None


def run_alone(start: lenet.Arrays, size: Size, title: str, rates: dict[str, list[float]]) -> Run:
    """The comparison: one process, no server."""
    progress, values, losses = Progress(title, size.updates), dict(start), []
    of = {name: rates["conv" if name.startswith("conv") else "rest"] for name in start}
    for report in work_alone(values, of, WORKERS, size.batch, size.updates):
        losses.append(report)
        if is_test(report[0], size):
            progress.tested(test(values, report[0], size))
        progress.show(*report)
    return Run(title, progress.accuracy(), progress.close(), losses, rates)


def verdict(pair: tuple[Run, Run], size: Size) -> bool:
    """Whether the distributed run is as good as the local one, within the tolerance, and above the floor."""
    distributed, local = pair
    good = distributed.accuracy >= max(size.floor, local.accuracy - size.tolerance)
    if not good:
        print(f"{distributed.title}: {distributed.accuracy:.4f}, alone {local.accuracy:.4f}", file=sys.stderr)
    return good


if __name__ == "__main__":
    sys.exit(main())
