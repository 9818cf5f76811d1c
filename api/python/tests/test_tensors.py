"""The safetensors codec against the reference package, in both directions."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy
from paramd import Rows, tensors

SAMPLES = {
    "w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([], dtype=np.float32),
    "s": np.array(2.5, dtype=np.float32),
    "d": np.array([1e300], dtype=np.float64),
    "h": np.array([0.5, -1], dtype=np.float16),
    "i": np.array([1, 2], dtype=np.int64),
    "conv/kernel:0": np.ones((2, 1, 2), dtype=np.float32),
}


def test_same_bytes_as_the_reference() -> None:
    """Order and padding too, so that files can be compared byte by byte."""
    assert tensors.dump(SAMPLES) == safetensors.numpy.save(SAMPLES)


def test_reads_what_the_reference_writes() -> None:
    """Values, dtypes and shapes."""
    loaded, _ = tensors.load(safetensors.numpy.save(SAMPLES))
    assert loaded.keys() == SAMPLES.keys()
    for name, value in SAMPLES.items():
        assert loaded[name].dtype == value.dtype
        np.testing.assert_array_equal(loaded[name], value)


def test_metadata() -> None:
    """Strings by strings."""
    assert tensors.load(tensors.dump({}, {"step": "3"})) == ({}, {"step": "3"})


def test_empty_file() -> None:
    """The smallest one there is."""
    assert tensors.dump({}) == b"\x08\0\0\0\0\0\0\0{}      "


def test_bfloat16_is_read_as_float32() -> None:
    """The upper half of a float32."""
    header = b'{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    data = len(header).to_bytes(8, "little") + header + b"\x80\x3f\x00\xc0"
    np.testing.assert_array_equal(tensors.load(data)[0]["x"], np.float32([1, -2]))


def test_not_contiguous_and_other_types() -> None:
    """A transposed view and a list are written as what they mean."""
    loaded, _ = tensors.load(tensors.dump({"t": SAMPLES["w"].T, "l": [1, 2]}))
    np.testing.assert_array_equal(loaded["t"], SAMPLES["w"].T)
    np.testing.assert_array_equal(loaded["l"], [1, 2])


@pytest.mark.parametrize("cut", [0, 7, 20, -1])
def test_broken_files(cut: int) -> None:
    """ValueError, and nothing half read."""
    with pytest.raises(ValueError):  # noqa: PT011 (json's error is one too)
        tensors.load(safetensors.numpy.save({"w": SAMPLES["w"]})[:cut])


def test_rows_travel_as_two_tensors() -> None:
    """Indices as I64, values as F32."""
    sparse = tensors.with_rows({"e": Rows([5, 9], [[1, 2], [3, 4]])})
    assert {name: value.dtype.name for name, value in sparse.items()} == {"e#indices": "int64", "e#values": "float32"}
