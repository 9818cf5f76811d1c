"""What travels as JSON: definitions, changes of them, ranges of steps. NumPy's numbers and arrays are welcome in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import tensors


def dump(body: Mapping[str, Any]) -> bytes:
    """A request's body; ValueError for NaN and infinity, which JSON does not know."""
    try:
        return json.dumps(body, allow_nan=False, default=_plain).encode()
    except ValueError as error:
        raise ValueError(f"NaN and infinity cannot be sent: {error}") from None


def parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a definition; dictionaries are in the API's own form already."""
    if not isinstance(values, Mapping):
        raise TypeError(f"parameters are a dictionary of arrays by name, not {type(values).__name__}")
    return {name: value if isinstance(value, Mapping) else _flat(name, value) for name, value in values.items()}


def ends(steps: range) -> dict[str, int]:
    """A range as the API has it, with its last step included."""
    if not steps or steps.step < 0:
        raise ValueError(f"{steps} names no steps in ascending order; range(100) names the first hundred")
    return {"from": steps.start, "to": steps[-1], "every": steps.step}


def _flat(name: str, value: Any) -> dict[str, Any]:
    array = tensors.as_float32(name, value)
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` holds NaN, infinity or a number beyond float32")
    return {"shape": list(array.shape), "data": _plain(array.reshape(-1))}


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's; a float32 becomes the shortest text that means it."""
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value]
    if isinstance(value, np.floating) and not isinstance(value, float):
        return float(str(value))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON: {value!r:.100}")
