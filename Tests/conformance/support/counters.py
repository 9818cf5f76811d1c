"""A model with a batch norm's counter: one integer that no rule trains, beside a trained parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

NUMPY = {"I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64, "U8": np.uint8, "BOOL": np.bool_}
COUNTER = "bn.num_batches_tracked"


def definition(**counter: Any) -> dict[str, Any]:
    """A model with a counter."""
    parameters = {"bn.weight": [1], COUNTER: {"shape": [], "trainable": False, **counter}}
    return {"optimizer": "sgd", "learning_rate": 1, "parameters": parameters}
