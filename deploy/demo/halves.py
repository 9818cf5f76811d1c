"""Two processes in mode `sync`, each with half of every batch, beside one process with the whole batch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fashion
import lenet
from fleet import Fleet
from member import Job
from paramd import Client
from progress import Progress

#: The rounds of which losses are compared. Later ones drift apart, because training amplifies every rounding.
FIRST = 10


@dataclass(frozen=True)
class Training:
    """The mean loss of each batch, and the parameters and their accuracy at the end."""

    losses: list[float]
    parameters: lenet.Arrays
    accuracy: float


@dataclass(frozen=True)
class Comparison:
    """The trainings of two processes and of one."""

    two: Training
    one: Training

    @property
    def difference(self) -> float:
        """Between the accuracies."""
        return abs(self.two.accuracy - self.one.accuracy)

    def sentence(self) -> str:
        """What the demo says of it."""
        pairs = list(zip(self.two.losses, self.one.losses, strict=True))
        gap = max(abs(two - one) for two, one in pairs[:FIRST])
        two, one = (f"{100 * each.accuracy:.2f} %" for each in (self.two, self.one))
        return (
            f"Two processes in `sync` with half batches reach {two} after {len(pairs)} updates, one process with the "
            f"whole batch {one}. In the first {FIRST} updates their losses differ by at most {gap:.0e}."
        )


def compare(
    client: Client, url: str, steps: int, batch: int, definition: dict[str, Any], data: Path = fashion.FOLDER
) -> Comparison:
    """Trains both ways from the same first values, with the same batches in the same order."""

    def train(workers: int, consistency: dict[str, Any], title: str) -> Training:
        model = client.model(f"lenet-{workers}-of-a-batch")
        model.create(lenet.PARAMETERS, replace=True, consistency=consistency, **definition)
        job = Job(url, model.name, consistency["mode"], 0, workers, batch // workers, steps, is_split=True, data=data)
        means = losses([replace(job, part=part) for part in range(workers)], title)
        values = model.latest().parameters
        return Training(means, values, lenet.accuracy(values, *fashion.load("t10k", data)))

    two = train(2, {"mode": "sync", "workers": 2}, "half batches")
    return Comparison(two, train(1, {"mode": "async"}, "whole batches"))


def losses(jobs: list[Job], title: str) -> list[float]:
    """Trains, and returns the loss of each batch: the mean of what its workers report."""
    progress, by_step = Progress(title, jobs[0].steps), defaultdict(list)
    with Fleet(jobs) as fleet:
        for push in fleet.reports():
            by_step[push.step].append(push.loss)
            progress.show(push.step, push.loss)
    progress.close()
    return [sum(by_step[step]) / len(jobs) for step in sorted(by_step)]
