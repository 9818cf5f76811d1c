"""safetensors, the binary form of pushes and pulls, in NumPy: 8 bytes of length, a JSON header, the packed data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import arrays
from .arrays import Array, Brain, Rows

#: In the order in which the reference implementation writes them.
_DTYPES: dict[str, np.dtype[Any]] = {
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "BF16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("<i1"),
    "U8": np.dtype("<u1"),
    "BOOL": np.dtype("?"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items() if name != "BF16"}
_ORDER = list(_DTYPES)

Gradient = ArrayLike | Rows


def dump(tensors: Mapping[str, ArrayLike | Brain], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file: widest dtype first, then by name, as the reference implementation writes it."""
    ready = {name: packed(value) for name, value in tensors.items()}
    order = sorted(ready, key=lambda name: (_ORDER.index(ready[name][0]), name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        dtype, array = ready[name]
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    data = (ready[name][1].reshape(-1).view("u1").data for name in order)
    return b"".join([len(text).to_bytes(8, "little"), text, *data])


def load(data: bytes | bytearray) -> tuple[dict[str, Array], dict[str, str]]:
    """Tensors and metadata of a safetensors file, in the order of its header; arrays are views of `data`.

    They are writable if `data` is. Raises ValueError if the file breaks the format: the tensors must cover the bytes
    after the header without gaps.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or start > len(data):
        raise ValueError("not safetensors: the header is longer than the file")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    _check_tiling(header, len(data) - start)
    return {name: _view(data, start, entry) for name, entry in header.items()}, metadata


def with_rows(gradients: Mapping[str, Gradient]) -> dict[str, Array | Brain]:
    """Sparse gradients become two tensors each, `NAME#indices` and `NAME#values`."""
    tensors: dict[str, Array | Brain] = {}
    for name, given in arrays.by_name(gradients, "gradients").items():
        gradient = arrays.gradient(name, given)
        if isinstance(gradient, Rows):
            tensors[f"{name}#indices"] = arrays.whole(name, gradient.indices)
            tensors[f"{name}#values"] = arrays.real(name, gradient.values)
        else:
            tensors[name] = arrays.real(name, gradient)
    return tensors


def dense(values: Mapping[str, ArrayLike], what: str) -> dict[str, Array | Brain]:
    """Arrays by name."""
    return {name: arrays.kept(name, value) for name, value in arrays.by_name(values, what).items()}


def packed(value: ArrayLike | Brain) -> tuple[str, Array]:
    """The wire's name of an array's type, and its numbers in row-major order with the lowest byte first."""
    if isinstance(value, Brain):
        return "BF16", np.ascontiguousarray(value.bits, "<u2").reshape(value.bits.shape)
    array = np.asarray(value)
    dtype = array.dtype.newbyteorder("<")
    known = dtype if dtype in _NAMES else np.dtype("<f4")
    return _NAMES[known], np.ascontiguousarray(array, known).reshape(array.shape)


def _check_tiling(header: Mapping[str, Any], length: int) -> None:
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = entry["data_offsets"]
        size = math.prod(entry["shape"]) * _dtype(entry).itemsize
        if begin != end or stop - begin != size:
            raise ValueError(f"not safetensors: the offsets of {name} do not fit its shape and its neighbours")
        end = stop
    if end != length:
        raise ValueError("not safetensors: the data is longer or shorter than the header says")


def _dtype(entry: Mapping[str, Any]) -> np.dtype[Any]:
    try:
        return _DTYPES[entry["dtype"]]
    except KeyError:
        raise ValueError(f"the dtype {entry.get('dtype')} is not supported, only {', '.join(_DTYPES)}") from None


def _view(data: bytes | bytearray, start: int, entry: Mapping[str, Any]) -> Array:
    shape = entry["shape"]
    flat: Array = np.frombuffer(data, _dtype(entry), math.prod(shape), start + entry["data_offsets"][0])
    if entry["dtype"] == "BF16":
        flat = Brain(flat).widened()
    return flat.reshape(shape)
