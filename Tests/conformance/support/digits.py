"""Softmax regression on scikit-learn's handwritten digits: a small but real training."""

from __future__ import annotations

import functools

import numpy as np
from sklearn.datasets import load_digits

from .rules import Arrays
from .wire import Api

TRAINING = 1500
BATCH = 64


@functools.cache
def data() -> tuple[np.ndarray, np.ndarray]:
    """Pixels between 0 and 1 and labels, shuffled once with a fixed seed."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return (pixels[order] / 16).astype(np.float32), labels[order]


def parameters() -> Arrays:
    """The initial parameters."""
    return {"weight": np.zeros((64, 10), np.float32), "bias": np.zeros(10, np.float32)}


def gradients(values: Arrays, batch: np.ndarray) -> Arrays:
    """The gradients of the mean cross entropy over the named samples."""
    pixels, labels = (part[batch] for part in data())
    scores = pixels @ values["weight"] + values["bias"]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    error = scores / scores.sum(axis=1, keepdims=True)
    error[np.arange(len(batch)), labels] -= 1
    error /= np.float32(len(batch))
    return {"weight": pixels.T @ error, "bias": error.sum(axis=0)}


def accuracy(values: Arrays) -> float:
    """The share of the samples outside the training set that are recognized."""
    pixels, labels = (part[TRAINING:] for part in data())
    return float(((pixels @ values["weight"] + values["bias"]).argmax(axis=1) == labels).mean())


def batches(seed: int, count: int) -> list[np.ndarray]:
    """Draws samples for the given number of steps from the training set."""
    random = np.random.default_rng(seed)
    return [random.integers(0, TRAINING, BATCH) for _ in range(count)]


def work(host: str, port: int, model: str, seed: int, steps: int) -> None:
    """A worker process: it pulls, computes and pushes in a loop."""
    api = Api(host, port)
    for seq, batch in enumerate(batches(seed, steps), start=1):
        answer = api.get(f"/v1/models/{model}/parameters.safetensors")
        step = int(answer.headers["x-paramd-step"])
        pushed = gradients(answer.tensors(), batch)
        api.push(model, pushed, worker=f"w{seed}", seq=seq, based_on=step)
