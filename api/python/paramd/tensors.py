"""safetensors, the binary form of pushes and pulls, in NumPy: 8 bytes of length, a JSON header, the packed data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
T = TypeVar("T")

#: In the order in which the reference implementation writes them: widest first.
_DTYPES: dict[str, np.dtype[Any]] = {
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "BF16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items() if name != "BF16"}
_ORDER = list(_NAMES)


class Rows(NamedTuple):
    """The gradient of an embedding: `values[i]` belongs to row `indices[i]`; rows not named have none."""

    indices: ArrayLike
    values: ArrayLike


Gradient = ArrayLike | Rows


def dump(tensors: Mapping[str, ArrayLike], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file: widest dtype first, then by name, as the reference implementation writes it."""
    arrays = {name: _little_endian(value) for name, value in tensors.items()}
    order = sorted(arrays, key=lambda name: (_ORDER.index(arrays[name].dtype), name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        begin, end = end, end + arrays[name].nbytes
        dtype, shape = _NAMES[arrays[name].dtype], list(arrays[name].shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *(arrays[name].tobytes() for name in order)])


def load(data: bytes) -> tuple[dict[str, Array], dict[str, str]]:
    """Tensors and metadata of a safetensors file, in the order of its header; arrays are read-only views of `data`.

    Raises ValueError where the file breaks the format: the tensors must tile the bytes behind the header.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or start > len(data):
        raise ValueError("not safetensors: the header is longer than the file")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    _check_tiling(header, len(data) - start)
    return {name: _view(data, start, entry) for name, entry in header.items()}, metadata


def with_rows(gradients: Mapping[str, Gradient]) -> dict[str, Array]:
    """Sparse gradients become two tensors each, `NAME#indices` and `NAME#values`."""
    tensors: dict[str, Array] = {}
    for name, gradient in _by_name(gradients, "gradients").items():
        if isinstance(gradient, Rows):
            tensors[f"{name}#indices"] = _as_indices(name, gradient.indices)
            tensors[f"{name}#values"] = as_float32(name, gradient.values)
        else:
            tensors[name] = as_float32(name, gradient)
    return tensors


def dense(values: Mapping[str, ArrayLike], what: str) -> dict[str, Array]:
    """Arrays by name as float32."""
    return {name: as_float32(name, value) for name, value in _by_name(values, what).items()}


def as_float32(name: str, value: ArrayLike) -> Array:
    """An array of real numbers; TypeError or ValueError with the name for anything that NumPy would bend into one."""
    try:
        array = np.asarray(value)
        if array.dtype.kind in "cOSUmM":
            raise TypeError(f"an array of {array.dtype} holds no real numbers")
        with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, which the server refuses
            return np.asarray(array, dtype="<f4")
    except (TypeError, ValueError) as error:
        raise type(error)(f"`{name}`: {error}") from None


def _as_indices(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"`{name}`: indices of rows are whole numbers, not {array.dtype}")
    return np.asarray(array, dtype="<i8")


def _by_name(values: Mapping[str, T], what: str) -> Mapping[str, T]:
    if not isinstance(values, Mapping):
        raise TypeError(f"{what} are a dictionary of arrays by name, not {type(values).__name__}")
    return values


def _little_endian(value: ArrayLike) -> Array:
    array = np.asarray(value)
    dtype = array.dtype.newbyteorder("<")
    return np.ascontiguousarray(array, dtype if dtype in _NAMES else "<f4").reshape(array.shape)


def _check_tiling(header: Mapping[str, Any], length: int) -> None:
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = entry["data_offsets"]
        size = math.prod(entry["shape"]) * _DTYPES[entry["dtype"]].itemsize
        if begin != end or stop - begin != size:
            raise ValueError(f"not safetensors: the offsets of {name} do not fit its shape and its neighbours")
        end = stop
    if end != length:
        raise ValueError("not safetensors: the data is longer or shorter than the header says")


def _view(data: bytes, start: int, entry: Mapping[str, Any]) -> Array:
    dtype, shape = _DTYPES[entry["dtype"]], entry["shape"]
    flat: Array = np.frombuffer(data, dtype, math.prod(shape), start + entry["data_offsets"][0])
    if entry["dtype"] == "BF16":
        flat = (flat.astype("<u4") << 16).view("<f4")
    return flat.reshape(shape)
