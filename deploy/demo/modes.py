"""LeNet-5 through paramd in every mode of consistency, with a straggler and a worker that is killed and started again.

Then two processes with half batches beside one with the whole batch. Exits with 1 if a training ends below the floor,
if a push is not accounted for, or if the half batches do not end where the whole batch does.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fashion
import lenet
from fleet import Fleet
from halves import compare
from member import Job
from paramd import Client, Model
from progress import Progress
from table import markdown
from tally import Tally

WORKERS = 4
#: This worker takes five times as long for a gradient as the others: it sleeps for four times as long as it computes.
STRAGGLER, DELAY = 3, 4
#: This worker is killed at one part of the training, and another process takes its place at a later one.
VICTIM, KILLED_AT, REPLACED_AT = 1, 0.4, 0.6


@dataclass(frozen=True)
class Mode:
    """A way in which the workers train together."""

    name: str
    title: str
    consistency: dict[str, Any]

    @property
    def has_rounds(self) -> bool:
        """Whether an update is made of several pushes."""
        return self.consistency["mode"] in ("sync", "manual")


MODES = [
    Mode("async", "async", {"mode": "async"}),
    Mode(
        "scale",
        "async, `max_staleness` 4, `scale`",
        {"mode": "async", "max_staleness": 4, "staleness_policy": "scale"},
    ),
    Mode("all", "sync, all `registered`", {"mode": "sync", "workers": "registered", "round_timeout": "1s"}),
    Mode(
        "quorum",
        "sync, `min_pushes` 3 of 4",
        {"mode": "sync", "workers": WORKERS, "min_pushes": 3, "round_timeout": "20ms", "on_timeout": "extend"},
    ),
    Mode("ssp", "ssp, `slack` 4", {"mode": "ssp", "workers": WORKERS, "slack": 4}),
    Mode("manual", "manual, `POST step` at all but one", {"mode": "manual"}),
]


@dataclass(frozen=True)
class Size:
    """How much is trained: updates of four batches each, or four times as many of one; and what must come out of it."""

    rounds: int
    batch: int
    floor: float
    #: The first learning rates of the convolutions and of the rest, which fall to a hundredth along a cosine.
    rates: tuple[float, float] = (0.05, 0.02)
    data: Path = fashion.FOLDER

    def steps(self, mode: Mode) -> int:
        """The number of updates in a mode."""
        return self.rounds * (1 if mode.has_rounds else WORKERS)

    def definition(self, steps: int) -> dict[str, Any]:
        """The members of the model's definition that all trainings of so many updates have."""
        groups = []
        for name, parameters, highest in zip(("conv", "rest"), ("conv*", "*"), self.rates, strict=True):
            rate = {"schedule": "cosine_decay_lr", "min_lr": highest / 100, "max_lr": highest, "decay_steps": steps}
            groups.append({"name": name, "params": [parameters], "lr": rate})
        rule = {"type": "momentum", "momentum": 0.9}
        return {"optimizer": rule, "learning_rate": self.rates[1], "groups": groups}


FULL = Size(rounds=1000, batch=32, floor=0.85)
QUICK = Size(rounds=250, batch=32, floor=0.75)
#: What the accuracies of half batches and whole batches may differ by: the noise of training from one seed to another.
TOLERANCE = 0.015


@dataclass(frozen=True)
class Result:
    """One training: how well it ended, and the results of its pushes."""

    mode: Mode
    accuracy: float
    tally: Tally
    differences: list[str]

    def row(self) -> list[str]:
        """Its row of the table."""
        tally, rounds = self.tally, "-"
        if self.mode.has_rounds:
            rounds = "{} / {}".format(*tally.rounds(WORKERS))
        refused = [str(tally.outcomes[outcome]) for outcome in ("late", "dropped")]
        speeds = [f"{count / tally.seconds:.0f}" for count in (tally.step, tally.applied)]
        waiting = f"{100 * tally.waiting('worker-0'):.0f} %"
        accuracy = f"{100 * self.accuracy:.1f} %"
        return [
            self.mode.title, str(tally.step), accuracy, *speeds, *refused, str(tally.worst_staleness), rounds, waiting
        ]  # fmt: skip


HEADER = [
    "mode", "updates", "test accuracy", "updates/s", "gradients/s", "late", "dropped", "worst staleness",
    "rounds of 4 pushes / fewer", "a fast worker waits",
]  # fmt: skip


def main() -> int:
    """All modes, the comparison, the table; the exit code."""
    arguments = parse()
    size = QUICK if arguments.quick else FULL
    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    with Client(arguments.url) as client:
        results = [train(client, arguments.url, mode, size) for mode in MODES]
        halves = compare(client, arguments.url, size.rounds, size.batch * 2, size.definition(size.rounds))
    command = "deploy/demo/run --modes" + (" --quick" if arguments.quick else "")
    text = f"{markdown(HEADER, [result.row() for result in results], command)}\n\n{halves.sentence()}"
    (folder / "modes.md").write_text(text + "\n")
    print(text)
    complaints = [f"{result.mode.name}: {each}" for result in results for each in complaints_of(result, size)]
    if halves.difference > TOLERANCE:
        complaints.append("half batches and the whole batch end at different accuracies")
    print("\n".join(complaints), file=sys.stderr)
    return 1 if complaints else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8470", help="the server to train on")
    parser.add_argument("--output", default="demo-output", help="the folder for the table")
    parser.add_argument("--quick", action="store_true", help="fewer updates, and a lower floor")
    return parser.parse_args()


def train(client: Client, url: str, mode: Mode, size: Size) -> Result:
    """One training: starts the workers, kills and replaces one, and closes the rounds of mode `manual`."""
    model = client.model(f"lenet-{mode.name}")
    steps = size.steps(mode)
    model.create(lenet.PARAMETERS, replace=True, consistency=mode.consistency, **size.definition(steps))
    jobs = [
        Job(url, model.name, mode.consistency["mode"], part, WORKERS, size.batch, steps, data=size.data)
        for part in range(WORKERS)
    ]
    jobs[STRAGGLER] = replace(jobs[STRAGGLER], delay=DELAY)
    progress, tally = Progress(mode.name, steps), Tally()
    accident, tests = Accident(jobs[VICTIM], steps), Tests(model, steps)
    with Fleet(jobs) as fleet:
        for push in fleet.reports():
            tally.add(push)
            accident.happen(fleet, model, tally)
            if mode.name == "manual" and tally.step < steps:
                coordinate(fleet, model, tally)
            tests.take(tally.step)
            progress.show(tally.step, push.loss)
    progress.close()
    return Result(mode, tests.accuracy(size.data), tally, tally.differences(model) + accident.complaints())


def coordinate(fleet: Fleet, model: Model, tally: Tally) -> None:
    """Closes the round of mode `manual` when all but one have pushed; the push of the slowest is in the next one."""
    if model.round()["received"] >= fleet.size - 1:
        tally.add_round(model.step())


class Accident:
    """Kills a worker at one point of the training and replaces it at a later one; the others continue."""

    def __init__(self, victim: Job, steps: int) -> None:
        self._victim, self._steps = victim, steps
        self._is_killed = self._is_replaced = False

    def happen(self, fleet: Fleet, model: Model, tally: Tally) -> None:
        """Does what is due at this step of the model."""
        if not self._is_killed and tally.step >= KILLED_AT * self._steps:
            for push in fleet.kill(self._victim.worker):
                tally.add(push)
            self._is_killed = True
        if not self._is_replaced and tally.step >= REPLACED_AT * self._steps:
            before = next(each for each in model.workers() if each["worker"] == self._victim.worker)
            tally.add_death(self._victim.worker, before["epoch"], before["last_seq"])
            fleet.start(replace(self._victim, is_replacement=True))
            self._is_replaced = True

    def complaints(self) -> list[str]:
        """What did not happen before the training was over."""
        return [] if self._is_replaced else ["the training was over before a killed worker was replaced"]


class Tests:
    """The accuracy at the end: the mean over five versions of the last tenth, because one alone is a matter of luck."""

    def __init__(self, model: Model, steps: int) -> None:
        self._model = model
        self._due = [steps * each // 50 for each in range(46, 51)]
        self._versions: list[lenet.Arrays] = []

    def take(self, step: int) -> None:
        """Pulls the current version if a test is due at this step."""
        while self._due and step >= self._due[0]:
            self._due.pop(0)
            self._versions.append(self._model.latest().parameters)

    def accuracy(self, data: Path) -> float:
        """The mean accuracy on the test set."""
        images, labels = fashion.load("t10k", data)
        return sum(lenet.accuracy(values, images, labels) for values in self._versions) / len(self._versions)


def complaints_of(result: Result, size: Size) -> list[str]:
    """What is wrong with a training."""
    is_poor = result.accuracy < size.floor
    return result.differences + ([f"{result.accuracy:.4f} is below {size.floor}"] if is_poor else [])


if __name__ == "__main__":
    sys.exit(main())
