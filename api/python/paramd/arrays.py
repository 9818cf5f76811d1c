"""Converts numbers, lists and the tensors of frameworks to NumPy arrays, without importing the frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
T = TypeVar("T")


class Brain(NamedTuple):
    """An array of bfloat16, which NumPy lacks: the upper halves of float32."""

    bits: NDArray[np.uint16]

    def widened(self) -> Array:
        """The same numbers as float32."""
        return (self.bits.astype("<u4") << 16).view("<f4")


class Rows(NamedTuple):
    """The gradient of an embedding: `values[i]` belongs to row `indices[i]`; other rows have none."""

    indices: ArrayLike
    values: ArrayLike


def real(name: str, value: Any) -> Array | Brain:
    """Real numbers as float32, or in their own shorter type.

    TypeError or ValueError with the name for anything that NumPy would force into numbers.
    """
    return _narrowed(_numbers(name, value))


def kept(name: str, value: Any) -> Array | Brain:
    """As `real`, for values that are stored.

    Integers stay integers in a framework's tensor, which is a counter then, and if float32 would round them, which
    the server refuses.
    """
    array = _numbers(name, value)
    if isinstance(array, Brain) or array.dtype.kind not in "iub":
        return _narrowed(array)
    return array if is_tensor(value) or _is_rounded(array) else _narrowed(array)


def is_tensor(value: Any) -> bool:
    """Whether this is a tensor of a framework with separate types for trained values and counters."""
    return (hasattr(value, "detach") and hasattr(value, "cpu")) or hasattr(value, "asnumpy")


def whole(name: str, value: Any) -> Array:
    """Indices as int64."""
    array = np.asarray(_on_host(value))
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"`{name}`: indices of rows must be whole numbers, not {array.dtype}")
    return np.asarray(array, dtype="<i8")


def gradient(name: str, value: Any) -> Any:
    """A gradient as given, or as Rows if it is a sparse tensor; TypeError for None."""
    if value is None:
        raise TypeError(
            f"`{name}`: None is not a gradient. `p.grad` is None where backward() did not reach the parameter: leave "
            f"`{name}` out, and it stays as it is, or send zeros of its shape"
        )
    if getattr(value, "is_sparse", False) is True:  # PyTorch's embeddings with sparse=True
        value = value.detach().coalesce()
        return Rows(_on_host(value.indices())[0], value.values())
    return value


def by_name(values: Mapping[str, T], what: str) -> Mapping[str, T]:
    """A dictionary of arrays, and not of dictionaries."""
    if not isinstance(values, Mapping):
        raise TypeError(no_names(what, values))
    for name, value in values.items():
        if not isinstance(name, str):
            raise TypeError(f"the names of {what} must be text, not {name!r}")
        if isinstance(value, Mapping):
            raise TypeError(nested(name, value))
    return values


def no_names(what: str, values: object) -> str:
    """Advice for a list of tensors, or a single one."""
    return (
        f"{what} must be a dictionary of arrays by name, not {type(values).__name__}; write "
        "dict(net.named_parameters()) in PyTorch, {p.name: p for p in net.get_parameters()} in MindSpore"
    )


def nested(name: str, value: Mapping[Any, Any]) -> str:
    """Advice for a nested dictionary, such as the parameters of a Flax module."""
    inner = next(iter(value), "name")
    return (
        f"`{name}` is a nested dictionary; send {f'{name}.{inner}'!r} and so on in one dictionary, "
        f"{{f'{{outer}}.{{name}}': array for outer, inner in tree.items() for name, array in inner.items()}}"
    )


def _numbers(name: str, value: Any) -> Array | Brain:
    try:
        array = np.asarray(_on_host(value))
        if array.dtype.name == "bfloat16":  # of the package ml_dtypes, which JAX and TensorFlow use
            return Brain(np.ascontiguousarray(array).view("<u2").reshape(array.shape))
        if array.dtype.kind in "cOSUmM":
            raise TypeError(_no_numbers(array, value))
        return array
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(error) if type(error) in (TypeError, ValueError) else TypeError
        raise kind(f"`{name}`: {error}") from None


def _narrowed(array: Array | Brain) -> Array | Brain:
    if isinstance(array, Brain) or array.dtype == np.float16:
        return array
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, which the server refuses
        return np.asarray(array, dtype="<f4")


def _on_host(value: Any) -> Any:
    """Detaches tensors from graph and device; returns values that NumPy understands unchanged."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # PyTorch
        return _widened(value.detach()).cpu().numpy()
    if hasattr(value, "asnumpy"):  # MindSpore
        return _widened(value).asnumpy()
    if hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):  # CuPy
        return value.get()
    return value


def _widened(tensor: Any) -> Any:
    """A tensor of a float type that NumPy does not have, as float32."""
    kind = str(tensor.dtype).lower()
    return tensor.float() if "bfloat" in kind or "float8" in kind else tensor


def _is_rounded(array: Array) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((array.astype("<f4").astype(array.dtype) != array).any())


def _no_numbers(array: Array, value: Any) -> str:
    if array.dtype != object:
        return f"an array of {array.dtype} does not contain real numbers"
    if array.ndim == 0:
        return f"{type(value).__name__} is not an array of numbers"
    kinds = sorted({type(each).__name__ for each in array.flat})
    return f"an array of Python objects ({', '.join(kinds[:3])}), not of numbers; convert it with np.float32(...)"
