"""Writes Golden/reductions.json: gradients of several workers, and what NumPy makes of them.

Run: python3 reductions.py > ../Golden/reductions.json (NumPy 2; the seed is fixed). Everything is computed in float64 and
rounded to float32 once. krum is written from the paper: Blanchard et al., Machine Learning with Adversaries, 2017.
"""

from __future__ import annotations

import json

import numpy as np

SIZE = 19


def krum(gradients: np.ndarray, byzantine: int) -> int:
    """The place of the gradient with the smallest sum of squared distances to its n - f - 2 nearest neighbours."""
    count = len(gradients)
    scores = []
    for i in range(count):
        distances = sorted(float(((gradients[i] - gradients[j]) ** 2).sum()) for j in range(count) if j != i)
        scores.append(sum(distances[: count - byzantine - 2]))
    return int(np.argmin(scores))


def trimmed_mean(gradients: np.ndarray, trim: float) -> np.ndarray:
    """The mean of each value without the floor(trim n) smallest and largest."""
    count = len(gradients)
    cut = int(np.floor(trim * count))
    return np.sort(gradients, axis=0)[cut : count - cut].mean(axis=0)


def numbers(values: np.ndarray) -> list[float]:
    """The shortest texts of float32 values."""
    return [float(str(value)) for value in values.astype(np.float32)]


def case(random: np.random.Generator, count: int) -> dict[str, object]:
    """One round; some workers are far off, and some values are equal."""
    gradients = random.normal(size=(count, SIZE)).round(2).astype(np.float32)
    gradients[random.integers(count)] *= 100
    gradients[:, 3] = 0.5
    weights = random.integers(1, 100, size=count)
    wide = gradients.astype(np.float64)
    expected = {
        "mean": numbers(wide.mean(axis=0)),
        "sum": numbers(wide.sum(axis=0)),
        "weighted": numbers(np.average(wide, axis=0, weights=weights)),
        "median": numbers(np.median(wide, axis=0)),
        "trimmed_mean 0.1": numbers(trimmed_mean(wide, 0.1)),
        "trimmed_mean 0.34": numbers(trimmed_mean(wide, 0.34)),
    }
    for byzantine in range((count - 3) // 2 + 1):
        expected[f"krum {byzantine}"] = numbers(gradients[krum(wide, byzantine)])
    return {
        "gradients": [numbers(gradient) for gradient in gradients],
        "weights": weights.tolist(),
        "expected": expected,
    }


def main() -> None:
    """Writes the cases, one a line."""
    random = np.random.default_rng(7)
    cases = [case(random, count) for count in (1, 2, 3, 4, 5, 8, 9, 13)]
    print("[" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases) + "]")


if __name__ == "__main__":
    main()
