"""A worker of a fleet: one process that pulls, computes and pushes until the model has done its steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import fashion
import lenet
import numpy as np
from paramd import Client, Conflict, Fenced, Model, Snapshot

#: Seconds that a worker waits for the others before it gives up.
PATIENCE = 300
#: Seconds without a heartbeat after which the place of a worker is released.
LEASE = 2.0
#: The refusals of a push that a worker meets in normal operation. After each it pulls and computes another gradient.
REFUSALS = {
    "round-closed": "late",  # the others have closed the round without it
    "already-in-round": "late",  # so has this worker, under a registration that has ended
    "round-dropped": "dropped",  # too few workers had pushed at the deadline
    "stale": "stale",
    "fenced": "fenced",  # the lease ran out: the process stood still for too long
}


@dataclass(frozen=True)
class Job:
    """What a worker does."""

    url: str
    model: str
    #: The mode of the model: "async", "sync", "ssp" or "manual".
    mode: str
    part: int
    parts: int
    batch: int
    #: The step of the model at which the training ends.
    steps: int
    #: A straggler sleeps this many times as long as its gradient took.
    delay: float = 0
    #: Whether the workers compute pieces of one batch, in place of batches from their own parts of the data.
    is_split: bool = False
    #: Whether it takes the place of a worker that was killed, and so does not wait for the others to start.
    is_replacement: bool = False
    data: Path = fashion.FOLDER

    @property
    def worker(self) -> str:
        """The name under which it pushes."""
        return f"worker-{self.part}"


class Push(NamedTuple):
    """One push: its result, and the seconds that the worker computed and waited for the server and the others."""

    worker: str
    epoch: int
    #: "applied", "held", or a value of REFUSALS.
    outcome: str
    #: The update that it is part of, how many pushes are, and how many updates older its parameters were.
    step: int
    received: int
    staleness: int
    loss: float
    computed: float
    waited: float


def work(job: Job, reports: Connection) -> None:
    """Trains until the model has done its steps, then leaves, so that the others do not wait for this worker."""
    images, labels = fashion.load("train", job.data)
    with Client(job.url) as client:
        remote = client.model(job.model, worker=job.worker)
        if not job.is_replacement:
            remote.barrier("start", job.parts, wait=PATIENCE)
        epoch = remote.register(ttl=LEASE)
        with heartbeats(remote):
            for push in pushes(remote, job, images, labels, epoch):
                reports.send(push)
        remote.delete_worker(job.worker)


def pushes(remote: Model, job: Job, images: np.ndarray, labels: np.ndarray, epoch: int) -> Iterator[Push]:
    """The training: each push once its result is known."""
    snapshot = None
    for chosen in batches(job, len(labels)):
        began = time.monotonic()
        snapshot = pull(remote, job.mode, snapshot)
        if snapshot.step >= job.steps:
            return
        pulled = time.monotonic()
        loss, gradients = lenet.loss_and_gradients(snapshot.parameters, images[chosen], labels[chosen])
        computed = time.monotonic() - pulled
        time.sleep(job.delay * computed)
        outcome, step, received, staleness = push(remote, job, gradients, snapshot, loss)
        waited = time.monotonic() - began - computed * (1 + job.delay)
        yield Push(job.worker, epoch, outcome, step, received, staleness, loss, computed, waited)
        if outcome == "fenced":
            epoch = remote.register()


@contextmanager
def heartbeats(remote: Model) -> Iterator[None]:
    """Renews the lease while the worker computes or waits. A process that is killed stops doing so."""
    has_ended = threading.Event()

    def beat() -> None:
        while not has_ended.wait(LEASE / 4):
            with suppress(Fenced):  # the next push gets the same answer, and registers
                remote.heartbeat()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


def batches(job: Job, samples: int) -> Iterator[np.ndarray]:
    """Indices of more batches than the worker needs."""
    return pieces(job, samples) if job.is_split else own_batches(job, samples)


def pieces(job: Job, samples: int) -> Iterator[np.ndarray]:
    """The piece of each batch that is this worker's; all workers draw the same batches."""
    for whole in fashion.batches(0, 0, 1, job.batch * job.parts, job.steps + 1, samples):
        yield whole[job.part :: job.parts]


def own_batches(job: Job, samples: int) -> Iterator[np.ndarray]:
    """Batches of this worker's own part of the data; a replacement draws others than the one before it."""
    seed = job.part + job.parts * job.is_replacement
    while True:
        yield from fashion.batches(seed, job.part, job.parts, job.batch, job.steps, samples)
        seed += 2 * job.parts


def pull(remote: Model, mode: str, last: Snapshot | None) -> Snapshot:
    """The current parameters.

    In mode `ssp`, once this worker is not too far ahead of the slowest; in mode `manual`, once they are newer than
    those of its last gradient.
    """
    if mode == "ssp":
        snapshot = remote.pull(worker=True, wait=PATIENCE)
    elif mode == "manual" and last:
        snapshot = remote.pull(since=last, wait=PATIENCE)
    else:
        snapshot = remote.latest()
    if snapshot is None:
        raise SystemExit(f"the round of step {last.step + 1} has been open for five minutes")
    return snapshot


def push(
    remote: Model, job: Job, gradients: lenet.Arrays, snapshot: Snapshot, loss: float
) -> tuple[str, int, int, int]:
    """Pushes a gradient; in mode `sync`, waits until its round has closed. Returns the first results of a `Push`.

    The server takes the mean of the gradients of a round. Where each push is an update of its own, it is a share of the
    mean: what the workers push, each without knowing of the others, adds up to one mean gradient and not to several.
    """
    if job.mode in ("async", "ssp"):
        gradients = {name: gradient / np.float32(job.parts) for name, gradient in gradients.items()}
    try:
        receipt = remote.push(gradients, based_on=snapshot, loss=loss, wait=PATIENCE if job.mode == "sync" else 0)
    except Conflict as refusal:
        if refusal.slug not in REFUSALS:
            raise
        return REFUSALS[refusal.slug], snapshot.step, 0, 0
    outcome = "held" if receipt.held else "applied"
    return outcome, receipt.step, receipt.round.get("received", 1), receipt.staleness or 0
