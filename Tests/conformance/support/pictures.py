"""The handwritten digits of scikit-learn as files that the demo reads in place of Fashion-MNIST."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from . import digits


def write(folder: Path) -> Path:
    """Writes pictures of 28 by 28 pixels and their labels, in the format of MNIST, and returns the folder."""
    pixels, labels = digits.data()
    small = (255 * pixels).astype(np.uint8).reshape(-1, 8, 8)
    large = np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    for part, chosen in (("train", slice(digits.TRAINING)), ("t10k", slice(digits.TRAINING, None))):
        # The demo skips the heads of the files, which are of 16 and 8 bytes.
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + large[chosen].tobytes(), 1))
        text = bytes(8) + labels[chosen].astype(np.uint8).tobytes()
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(text, 1))
    return folder
