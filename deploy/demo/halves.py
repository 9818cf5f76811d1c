"""Two processes in mode `sync`, each with half of every batch, beside one process with the whole batch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
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
class Comparison:
    """Both trainings: the mean loss of each batch, and the parameters and accuracy at the end."""

    losses: tuple[list[float], list[float]]
    parameters: tuple[lenet.Arrays, lenet.Arrays]
    accuracies: tuple[float, float]

    @property
    def difference(self) -> float:
        """Between the accuracies."""
        return abs(self.accuracies[0] - self.accuracies[1])

    def sentence(self) -> str:
        """What the demo says of it."""
        gap = max(abs(two - one) for two, one in list(zip(*self.losses, strict=True))[:FIRST])
        two, one = (f"{100 * accuracy:.2f} %" for accuracy in self.accuracies)
        return (
            f"Two processes in `sync` with half batches reach {two} after {len(self.losses[0])} updates, one process "
            f"with the whole batch {one}. In the first {FIRST} updates their losses differ by at most {gap:.0e}."
        )


def compare(
    client: Client, url: str, steps: int, batch: int, groups: list[dict[str, Any]], data: Path = fashion.FOLDER
) -> Comparison:
    """Trains both ways from the same first values, with the same batches in the same order."""
    trained = []
    for workers in (2, 1):
        model = client.model(f"lenet-{workers}-of-a-batch")
        consistency = {"mode": "sync", "workers": 2} if workers == 2 else {"mode": "async"}
        rule = {"type": "momentum", "momentum": 0.9}
        model.create(lenet.PARAMETERS, rule, replace=True, learning_rate=0.02, groups=groups, consistency=consistency)
        jobs = [
            Job(url, model.name, consistency["mode"], part, workers, batch // workers, steps, is_split=True, data=data)
            for part in range(workers)
        ]
        trained.append((losses(jobs, "half batches" if workers == 2 else "whole batches"), model.latest().parameters))
    images, labels = fashion.load("t10k", data)
    accuracies = [lenet.accuracy(values, images, labels) for _, values in trained]
    (two, after_two), (one, after_one) = trained
    return Comparison((two, one), (after_two, after_one), (accuracies[0], accuracies[1]))


def losses(jobs: list[Job], title: str) -> list[float]:
    """Trains, and returns the loss of each batch: the mean of what its workers report."""
    progress, by_step = Progress(title, jobs[0].steps), defaultdict(list)
    with Fleet(jobs) as fleet:
        for push in fleet.reports():
            by_step[push.step].append(push.loss)
            progress.show(push.step, push.loss)
    progress.close()
    return [sum(by_step[step]) / len(jobs) for step in sorted(by_step)]
