"""Trained models with every kind of state, and the files that they produce."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from support.wire import Api

SHAPES = {"a.weight": (3, 4), "b": (5,)}
#: Optimizers with every kind of state: slots of other shapes, counts, scalars per parameter, a loss scale.
DEFINITIONS: dict[str, dict[str, Any]] = {
    "momentum": {"optimizer": {"type": "momentum", "momentum": 0.9}, "learning_rate": 0.1},
    "sgd": {"optimizer": {"type": "sgd", "momentum": 0.9}, "learning_rate": 0.1},
    "adam": {"optimizer": "adam", "loss_scaling": {"type": "dynamic", "init_loss_scale": 4, "scale_window": 2}},
    "asgd": {"optimizer": {"type": "asgd", "t0": 2.0}},
    "adafactor": {"optimizer": {"type": "adafactor", "relative_step": False}, "learning_rate": 0.1},
    "torch.adam": {"optimizer": {"type": "adam", "framework": "torch", "amsgrad": True}},
    "torch.nadam": {"optimizer": {"type": "nadam", "framework": "torch"}},
    "torch.sgd": {"optimizer": {"type": "sgd", "framework": "torch", "momentum": 0.9}},
    "torch.plain": {"optimizer": {"type": "sgd", "framework": "torch"}},
    "two": {
        "optimizer": {"type": "asgd", "t0": 2.0},
        "groups": [{"params": ["b"]}, {"params": ["a*"], "optimizer": {"type": "sgd", "momentum": 0.9}}],
    },
    "torch.two": {
        "optimizer": {"type": "nadam", "framework": "torch"},
        "groups": [{"params": ["a*"], "optimizer": {"type": "adam", "amsgrad": True}}, {"params": ["b"]}],
    },
}


def definition(kind: str) -> dict[str, Any]:
    """A definition of this kind, with its first values."""
    return {**DEFINITIONS[kind], "parameters": {name: np.full(shape, 0.5).tolist() for name, shape in SHAPES.items()}}


def gradients(seed: int, *names: str) -> dict[str, Any]:
    """Gradients that look random."""
    noise = np.random.default_rng(seed)
    return {
        name: noise.normal(size=shape).astype(np.float32).tolist() for name, shape in SHAPES.items() if name in names
    }


def trained(api: Api, name: str, kind: str) -> None:
    """A model after five pushes, four of which omit `b`."""
    api.create(name, definition(kind))
    for seed in range(5):
        api.push(name, gradients(seed, "a.weight", *(["b"] if seed == 3 else [])))


def checkpoint(api: Api, name: str) -> bytes:
    """Saves a checkpoint and returns its file."""
    number = api("POST", f"/v1/models/{name}/checkpoints", {}).expect(201).json()["id"]
    return api.get(f"/v1/models/{name}/checkpoints/{number}.safetensors").expect(200).body


def metadata(file: bytes) -> dict[str, str]:
    """The metadata of a file."""
    return json.loads(file[8 : 8 + struct.unpack("<Q", file[:8])[0]])["__metadata__"]
