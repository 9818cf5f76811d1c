"""JSON content: definitions, changes, ranges of steps. NumPy's numbers and arrays are accepted."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import arrays, tensors
from .arrays import Brain

#: The members that make a dictionary the API's own form of a parameter.
_OWN_FORM = {"shape", "data", "b64", "init", "dtype", "trainable"}


def dump(body: Mapping[str, Any]) -> bytes:
    """A request's body; ValueError for NaN and infinity, which JSON lacks."""
    try:
        return json.dumps(body, allow_nan=False, default=_plain).encode()
    except ValueError as error:
        raise ValueError(f"NaN and infinity cannot be sent: {error}") from None


def parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a definition; dictionaries are in the API's own form already."""
    if not isinstance(values, Mapping):
        raise TypeError(arrays.no_names("parameters", values))
    return {name: _parameter(name, value) for name, value in values.items()}


def ends(steps: range) -> dict[str, int]:
    """A range as the API has it, with its last step included."""
    if not steps or steps.step < 0:
        raise ValueError(f"{steps} must be steps in ascending order, such as range(100)")
    return {"from": steps.start, "to": steps[-1], "every": steps.step}


def _parameter(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        if value and not value.keys() & _OWN_FORM:
            raise TypeError(arrays.nested(name, value))
        return value
    return _encoded(name, value)


def _encoded(name: str, value: Any) -> dict[str, Any]:
    """Base64, which is thirty times as fast as decimals and keeps the bits."""
    array = arrays.kept(name, value)
    if not np.isfinite(array.widened() if isinstance(array, Brain) else array).all():
        raise ValueError(f"`{name}` holds NaN, infinity or a number too large for float32")
    dtype, array = tensors.packed(array)
    form = {"dtype": dtype, "shape": list(array.shape), "b64": base64.b64encode(array.data).decode()}
    # A framework computes no gradients of whole numbers: they count something, such as the batches of a BatchNorm.
    return form | ({"trainable": False} if arrays.is_tensor(value) and array.dtype.kind in "iub" else {})


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's; a float32 becomes its shortest text."""
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value]
    if isinstance(value, np.floating) and not isinstance(value, float):
        return float(str(value))
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "tolist"):  # a tensor of a framework, as a rate or an array of rates
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON: {value!r:.100}")
