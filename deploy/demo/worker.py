"""One worker process: pull, compute a gradient, push, until its share of the updates is done."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Semaphore

import fashion
import lenet
import numpy as np
from paramd import Client

#: (step after the update, loss of the batch)
Report = tuple[int, float]


def work(
    url: str, model: str, part: int, parts: int, batch: int, updates: int, turns: Semaphore, reports: Queue[Report]
) -> None:
    """Trains with one part of the data.

    A worker takes a turn, of which there are as many as processors: a gradient that waits for one would only grow
    stale meanwhile. And it pushes its share of the mean over all workers: what they push, each without knowing of the
    others, adds up to one mean gradient and not to several.
    """
    images, labels = fashion.load("train")
    with Client(url) as client:
        remote = client.model(model, worker=f"worker-{part}")
        for chosen in fashion.batches(part, part, parts, batch, updates):
            with turns:
                snapshot = remote.latest()
                loss, gradients = lenet.loss_and_gradients(snapshot.parameters, images[chosen], labels[chosen])
                shares = {name: gradient / np.float32(parts) for name, gradient in gradients.items()}
                receipt = remote.push(shares, based_on=snapshot.step, loss=loss)
            reports.put((receipt.step, loss))


def work_alone(
    values: lenet.Arrays, rates: dict[str, list[float]], parts: int, batch: int, updates: int
) -> Iterator[Report]:
    """The same training without a server: Momentum 0.9, shares of the same size, a rate per parameter and step.

    `values` are updated in place; each gradient is computed at the newest of them.
    """
    images, labels = fashion.load("train")
    moments = {name: np.zeros_like(value) for name, value in values.items()}
    for step, chosen in enumerate(fashion.batches(0, 0, 1, batch, updates)):
        loss, gradients = lenet.loss_and_gradients(values, images[chosen], labels[chosen])
        for name, gradient in gradients.items():
            moments[name] = np.float32(0.9) * moments[name] + gradient / np.float32(parts)
            values[name] = values[name] - np.float32(rates[name][step]) * moments[name]
        yield step + 1, loss
