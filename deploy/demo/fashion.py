"""Fashion-MNIST as Debian's dataset-fashion-mnist installs it: 70,000 grey pictures of clothes in ten classes."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

import numpy as np

FOLDER = Path("/usr/share/datasets/fashion-mnist")


@functools.cache
def load(part: str, folder: Path = FOLDER) -> tuple[np.ndarray, np.ndarray]:
    """Images of shape (n, 28, 28, 1) around zero, and labels; `part` is "train" or "t10k"."""
    images = _read(folder / f"{part}-images-idx3-ubyte.gz", header=16).reshape(-1, 28, 28, 1)
    labels = _read(folder / f"{part}-labels-idx1-ubyte.gz", header=8)
    return (images.astype(np.float32) / 255 - np.float32(0.286)) / np.float32(0.353), labels.astype(np.int64)


def _read(path: Path, header: int) -> np.ndarray:
    if not path.exists():
        raise SystemExit(f"{path} is missing: apt-get install dataset-fashion-mnist")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def batches(seed: int, part: int, parts: int, size: int, count: int, samples: int = 60_000) -> list[np.ndarray]:
    """Indices for so many steps: a worker sees its own part of the training set, each time in a new order."""
    random = np.random.default_rng(seed)
    own = np.arange(part, samples, parts)
    rounds = -(-count * size // len(own))
    order = np.concatenate([random.permutation(own) for _ in range(rounds)])
    return [order[step * size : (step + 1) * size] for step in range(count)]
