"""The demo in every mode, small: a slow worker and a killed one, half batches, and the bookkeeping of pushes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import pictures
from support.daemon import Daemon

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy/demo"))

import fashion
import halves
import lenet
import modes
from member import Push
from paramd import Client, Receipt
from tally import Tally

SMALL = modes.Size(rounds=40, batch=16, floor=0, rates=(0.02, 0.01))


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers multiply in one thread each, as in `deploy/demo/run`: more wait for each other on two cores."""
    for library in ("OMP", "OPENBLAS"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Handwritten digits in place of the demo's pictures."""
    return pictures.write(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    """A client of the shared daemon."""
    with Client(daemon.url) as connected:
        yield connected


@pytest.mark.heavy
@pytest.mark.unsanitized
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", modes.MODES, ids=lambda mode: mode.name)
def test_a_straggler_and_a_killed_worker(daemon: Daemon, client: Client, data: Path, mode: modes.Mode) -> None:
    """The training ends, its loss falls, and each push is part of an update, in the open round, or was refused."""
    result = modes.train(client, daemon.url, mode, replace(SMALL, data=data))
    tally, steps = result.tally, client.model(f"lenet-{mode.name}").info()["step"]
    assert result.differences == []
    assert steps >= (40 if mode.has_rounds else 160)
    accepted = tally.outcomes["applied"] + tally.outcomes["held"] + tally.unreported
    in_updates = sum(tally.rounds(modes.WORKERS)) if mode.has_rounds else steps
    assert in_updates == steps and accepted >= steps
    assert tally.step <= steps <= tally.step + tally.unreported
    losses = np.array([loss for _, loss in sorted(tally.losses)])
    fifth = len(losses) // 5
    assert losses[-fifth:].mean() < 0.8 * losses[:fifth].mean()


def rate(highest: float, step: int, steps: int) -> float:
    """A cosine from the highest rate to a hundredth of it (MindSpore, `nn.CosineDecayLR`)."""
    lowest = highest / 100
    return lowest + (highest - lowest) * (1 + np.cos(np.pi * step / steps)) / 2


def local(start: lenet.Arrays, steps: int, batch: int, data: Path) -> lenet.Arrays:
    """The same training in double precision, without a server: Momentum 0.9 and the rates above."""
    images, labels = fashion.load("train", data)
    values = {name: array.astype(np.float64) for name, array in start.items()}
    moments = {name: np.zeros_like(array) for name, array in values.items()}
    for step, chosen in enumerate(fashion.batches(0, 0, 1, batch, steps + 1, len(labels))[:steps]):
        _, gradients = lenet.loss_and_gradients(values, images[chosen].astype(np.float64), labels[chosen])
        for name, gradient in gradients.items():
            moments[name] = 0.9 * moments[name] + gradient
            values[name] = values[name] - rate(0.02 if name.startswith("conv") else 0.01, step, steps) * moments[name]
    return values


@pytest.mark.timeout(300)
def test_half_batches_are_the_whole_batch(daemon: Daemon, client: Client, data: Path) -> None:
    """Five updates of two processes and of one differ by what float32 rounds, and so does each from double precision.

    A parameter is rounded once in each update, by half a unit in the last place. The sum over a batch, of up to
    batch * 784 terms, has a relative error of about the root of their number times that, and so has what a parameter
    moved. The bound is eight times as large: a rounding may also switch a unit of ReLU on or off.
    """
    steps, batch = 5, 16
    first = client.model("lenet-first")
    first.create(lenet.PARAMETERS, "sgd", replace=True)
    start = first.latest().parameters
    result = halves.compare(client, daemon.url, steps, batch, SMALL.definition(steps), data)
    two, one = result.two.parameters, result.one.parameters
    for name, expected in local(start, steps, batch, data).items():
        moved = np.abs(expected - start[name]).max()
        bound = 8 * 2.0**-24 * (steps * np.abs(expected).max() + np.sqrt(batch * 784) * moved)
        assert bound < 1e-3 * moved
        assert np.abs(two[name] - expected).max() < bound, name
        assert np.abs(one[name] - expected).max() < bound, name
        assert np.abs(two[name] - one[name]).max() < 2 * bound, name
    assert len(result.two.losses) == steps
    np.testing.assert_allclose(result.two.losses, result.one.losses, rtol=1e-5)


class Counts:
    """A model as far as the bookkeeping asks it."""

    def __init__(self, step: int, received: int = 0) -> None:
        self.step, self.received = step, received

    def info(self) -> dict[str, Any]:
        """The model's step."""
        return {"step": self.step}

    def round(self) -> dict[str, Any]:
        """The open round."""
        return {"mode": "sync", "received": self.received}


def pushed(outcome: str, step: int, received: int, worker: str = "a") -> Push:
    """A report."""
    return Push(worker, 1, outcome, step, received, 0, 1.0, 0.1, 0.1)


ROUNDS = [pushed("applied", step, 2, worker) for step in (1, 2) for worker in "ab"]


def tally(*pushes: Push) -> Tally:
    """The bookkeeping after these reports."""
    counts = Tally()
    for push in pushes:
        counts.add(push)
    return counts


def test_bookkeeping_that_adds_up() -> None:
    """Rounds, updates of one push, held and refused pushes, and one that a killed worker did not report."""
    assert tally(*ROUNDS, pushed("late", 1, 0)).differences(Counts(2)) == []
    assert tally(*(pushed("applied", step, 1) for step in (1, 2, 3))).differences(Counts(3)) == []
    assert tally(*ROUNDS, pushed("held", 3, 1)).differences(Counts(2, received=1)) == []
    manual = tally(*[pushed("held", 1, each) for each in (1, 2, 3)])
    manual.add_round(Receipt({"step": 1, "round": {"received": 2}}))
    assert manual.applied == 2 and manual.differences(Counts(1, received=1)) == []
    for known, received in ((ROUNDS[:-1], 0), (ROUNDS, 1)):
        killed = tally(*known)
        killed.add_death("b", 1, last_seq=2 + received)
        assert killed.unreported == 1 and killed.differences(Counts(2, received)) == []


@pytest.mark.parametrize(
    ("pushes", "model"),
    [
        (ROUNDS[:-1], Counts(2)),  # a push is part of an update, and its worker was not told
        ([*ROUNDS, ROUNDS[-1]], Counts(2)),  # an update has two pushes, and three workers say that they are part of it
        (ROUNDS, Counts(1)),  # a receipt of an update that is not there
        (ROUNDS, Counts(3)),  # an update of no one's push
        (ROUNDS, Counts(2, received=1)),  # a held push of no one
        ([*ROUNDS, pushed("held", 3, 1)], Counts(2)),  # a held push is gone
        ([*ROUNDS, pushed("dropped", 3, 1)], Counts(2, received=1)),  # one that was dropped is held
    ],
)
def test_bookkeeping_that_does_not(pushes: list[Push], model: Counts) -> None:
    """A push that is missing or counted twice is found."""
    assert tally(*pushes).differences(model) != []


def test_a_killed_worker_leaves_one_push_at_most() -> None:
    """It sends one at a time, so a second push without a report was applied twice, or made by another."""
    killed = tally(*ROUNDS)
    killed.add_death("b", 1, last_seq=4)
    assert killed.differences(Counts(2, received=2)) != []
