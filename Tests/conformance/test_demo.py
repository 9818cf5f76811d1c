"""The gradients of the demo's network match numerical differences of its loss."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy/demo"))

import lenet

STEP = 1e-6


@pytest.fixture
def parameters() -> lenet.Arrays:
    """Small weights in double precision, because differences need the digits."""
    random = np.random.default_rng(0)
    return {name: 0.08 * random.standard_normal(entry["shape"]) for name, entry in lenet.PARAMETERS.items()}


@pytest.fixture
def images() -> np.ndarray:
    """Noise on a flat background, as in pictures of clothes: there a pool has several equal maxima."""
    pictures = np.random.default_rng(1).standard_normal((4, 28, 28, 1))
    pictures[:, :, :12] = -0.8
    pictures[1] = 0.5
    return pictures


@pytest.mark.parametrize("name", lenet.PARAMETERS)
def test_gradient_is_the_slope_of_the_loss(name: str, parameters: lenet.Arrays, images: np.ndarray) -> None:
    """Checks eight places of each parameter."""
    labels = np.array([3, 1, 4, 1])
    _, gradients = lenet.loss_and_gradients(parameters, images, labels)
    values, random = parameters[name], np.random.default_rng(2)
    for _ in range(8):
        place = tuple(random.integers(size) for size in values.shape)
        losses = []
        for offset in (STEP, -STEP):
            values[place] += offset
            losses.append(lenet.loss_and_gradients(parameters, images, labels)[0])
            values[place] -= offset
        slope = (losses[0] - losses[1]) / (2 * STEP)
        assert gradients[name][place] == pytest.approx(slope, rel=1e-3, abs=1e-6)
