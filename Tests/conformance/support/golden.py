"""Golden cases: recorded behavior of MindSpore and PyTorch, read from the data of the Swift tests, as requests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from .daemon import REPOSITORY

FOLDER = Path(os.environ.get("PARAMD_GOLDEN", REPOSITORY / "Tests/OptimizersTests/Golden/public"))

#: The tolerance for a correct float32 implementation, on every element of every step.
ABSOLUTE, RELATIVE = 1e-6, 1e-5


def cases() -> list[Path]:
    """The files with one case each."""
    return sorted(path for path in FOLDER.glob("*.json") if "__" in path.stem or "_sparse_" in path.stem)


def load(path: Path) -> dict[str, Any]:
    """Loads and parses one file."""
    return json.loads(path.read_text())


def schedules() -> list[dict[str, Any]]:
    """The recorded values of learning-rate schedules and the traces of loss scales."""
    return load(FOLDER / "schedules.json")["cases"]


def definition(case: dict[str, Any]) -> dict[str, Any]:
    """The body of the PUT that creates the model of a case."""
    body = {
        "optimizer": optimizer(case),
        "weight_decay": case["weight_decay"],
        "loss_scale": case["loss_scale"],
        "parameters": case["params"],
    }
    if case["learning_rate"] is not None:
        body["learning_rate"] = case["learning_rate"]
    if "groups" in case:
        body["groups"] = case["groups"] + [{"order_params": order} for order in [case.get("order_params")] if order]
    if not is_torch(case):
        body["centralization_rule"] = "mindspore"
    if is_sparse(case):
        body["unique"] = sums_duplicates(case)
    return body


def optimizer(case: dict[str, Any]) -> dict[str, Any]:
    """The optimizer object; LARS has its inner one under `optimizer`, and torch's rules name their framework."""
    settings = dict(case["optimizer"])
    if "inner" in settings:
        settings["optimizer"] = settings.pop("inner")
    if is_torch(case):
        settings["framework"] = "torch"
    return settings


def is_torch(case: dict[str, Any]) -> bool:
    """Whether the case uses PyTorch's rule; several class names exist in both frameworks."""
    return case["framework"].startswith("torch")


def is_sparse(case: dict[str, Any]) -> bool:
    """Whether the gradients are rows of an embedding."""
    return "_sparse_" in case["case"]


def sums_duplicates(case: dict[str, Any]) -> bool:
    """Whether duplicates are summed (`unique`): MindSpore's graph operations (no target) apply each entry alone."""
    return case.get("target") is not None and case.get("unique", True)


def array(tensor: dict[str, Any]) -> np.ndarray:
    """A dense tensor of a case."""
    return np.array(tensor["data"], dtype=np.float32).reshape(tensor["shape"])


def json_gradient(tensor: dict[str, Any]) -> dict[str, Any]:
    """A gradient as the JSON of a push."""
    if "indices" not in tensor:
        return tensor
    values = np.array(tensor["data"]).reshape(tensor["values_shape"]).tolist()
    return {"indices": tensor["indices"], "values": values}


def binary_gradients(grads: dict[str, dict[str, Any]]) -> dict[str, np.ndarray]:
    """The gradients of one step as the tensors of a safetensors push."""
    tensors: dict[str, np.ndarray] = {}
    for name, tensor in grads.items():
        if "indices" in tensor:
            tensors[f"{name}#indices"] = np.array(tensor["indices"], dtype=np.int64)
            tensors[f"{name}#values"] = np.array(tensor["data"], dtype=np.float32).reshape(tensor["values_shape"])
        else:
            tensors[name] = array(tensor)
    return tensors


def by_group(value: Any, names: list[str]) -> dict[str, float]:
    """A recorded lr or weight decay per group; a single number applies to every group."""
    return value if isinstance(value, dict) else dict.fromkeys(names, value)


def assert_close(got: np.ndarray, reference: np.ndarray, what: str) -> None:
    """Compares two arrays with the tolerance of the golden cases, element by element."""
    assert got.shape == reference.shape, f"{what}: shape {got.shape}, wanted {reference.shape}"
    excess = np.abs(got.astype(np.float64) - reference) - (ABSOLUTE + RELATIVE * np.abs(reference))
    assert not (excess > 0).any(), f"{what}: beyond the tolerance by {excess.max():.3g}"
    assert not np.isnan(got).any(), f"{what}: NaN"
