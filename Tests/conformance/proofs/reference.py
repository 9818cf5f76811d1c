"""Computes a model's state after a list of changes in NumPy float32, independently of the daemon.

It has two update rules, from the formulas of MindSpore's documentation. The numbers that `changes.py` draws make every
product exact (powers of two), so results are identical whether or not a processor fuses multiplication and addition.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SHAPES = {"w": (4,), "e": (3, 2)}
GROUPS = [{"name": "a", "params": ["w"]}, {"name": "b", "params": ["e"]}]
OPTIMIZERS = {"dense": {"type": "momentum", "momentum": 0.5}, "rows": {"type": "ProximalAdagrad", "accum": 1}}
SLOTS = {"dense": ("moments", 0.0), "rows": ("accum", 1.0)}
Arrays = dict[str, np.ndarray]


def array(name: str, data: Any) -> np.ndarray:
    """Reshapes numbers to the parameter's shape."""
    return np.array(data, np.float32).reshape(SHAPES[name])


@dataclass
class Saved:
    """The part of a model that a checkpoint or a rollback restores."""

    step: int
    values: Arrays
    slots: Arrays
    started: dict[str, float]


@dataclass
class Checkpoint:
    """A saved checkpoint, and the rates in its file."""

    version: int
    state: Saved
    rates: list[float]
    group_rate: float | None


@dataclass
class Model:
    """The complete known state of a model."""

    kind: str
    state: Saved
    rates: list[float]
    group_rate: float | None = None
    version: int = 1
    workers: dict[str, list[int]] = field(default_factory=dict)
    """Epoch and highest number by name."""
    epochs: int = 0
    """The registrations so far: epochs come from one counter."""
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    """By the key of the request that saved them."""
    past: dict[int, Saved] = field(default_factory=dict)
    """The states that pushes made; only where no import came between, so that each step has one."""
    reported: list[list[float]] = field(default_factory=list)
    """Step and value of each reported metric; a return to an earlier step removes the later ones."""

    def rate(self, name: str) -> np.float32:
        """The learning rate of the next update; an array's last entry is held."""
        own = self.group_rate if name == "e" else None
        return np.float32(self.rates[min(self.state.step, len(self.rates) - 1)] if own is None else own)


def created(kind: str, values: dict[str, Any], rates: list[float]) -> Model:
    """A model with the given values."""
    initial = SLOTS[kind][1]
    slots = {name: np.full(shape, initial, np.float32) for name, shape in SHAPES.items()}
    arrays = {name: array(name, data) for name, data in values.items()}
    return Model(kind, Saved(0, arrays, slots, dict.fromkeys(SHAPES, 0.0)), list(rates))


def definition(kind: str, values: dict[str, Any], rates: list[float]) -> dict[str, Any]:
    """The body that creates the model."""
    parameters = {name: array(name, data).tolist() for name, data in values.items()}
    rest = {"learning_rate": rates, "past_end": "hold", "groups": GROUPS, "parameters": parameters}
    return {"optimizer": OPTIMIZERS[kind], **rest}


def after(model: Model | None, change: dict[str, Any], archive: dict[str, tuple[str, Checkpoint]]) -> Model | None:
    """Returns a copy of the model after one change; `archive` has every downloaded checkpoint, by its key."""
    kind, details = change["kind"], change["details"]
    if kind in ("create", "replace"):
        return created(**details)
    if kind == "create from file":
        optimizer, checkpoint = archive[details["key"]]
        return Model(optimizer, copy.deepcopy(checkpoint.state), list(checkpoint.rates), checkpoint.group_rate)
    if kind == "delete":
        return None
    model = copy.deepcopy(model)
    _CHANGES[kind](model, **details)
    return model


def _push(model: Model, worker: str | None, seq: int, dense: dict[str, Any], rows: dict[str, Any]) -> None:
    gradients = {name: array(name, data) for name, data in dense.items()}
    for name, (indices, values) in rows.items():
        gradients[name] = np.zeros(SHAPES[name], np.float32)
        gradients[name][indices] = np.array(values, np.float32)
    model.past.setdefault(model.state.step, copy.deepcopy(model.state))
    for name, gradient in gradients.items():
        _update(model, name, gradient)
        model.state.started[name] = 1.0
    model.state.step += 1
    model.version += 1
    model.past[model.state.step] = copy.deepcopy(model.state)
    if worker is not None:
        model.workers.setdefault(worker, [0, 0])[1] = seq


def _update(model: Model, name: str, gradient: np.ndarray) -> None:
    values, slots = model.state.values, model.state.slots
    if model.kind == "dense":
        # v = momentum v + g;  w -= lr v
        slots[name] = np.float32(0.5) * slots[name] + gradient
        values[name] = values[name] - model.rate(name) * slots[name]
    else:
        # a += g g;  w -= lr / sqrt(a) g
        slots[name] = slots[name] + gradient * gradient
        values[name] = values[name] - model.rate(name) / np.sqrt(slots[name]) * gradient


def _patch(model: Model, rates: list[float] | None = None, append: list[float] | None = None) -> None:
    model.rates = [*model.rates, *append] if rates is None else list(rates)
    model.version += 1


def _patch_group(model: Model, rate: float) -> None:
    model.group_rate = rate
    model.version += 1


def _import_values(model: Model, values: dict[str, Any]) -> None:
    for name, data in values.items():
        model.state.values[name] = array(name, data)
    model.version += 1
    model.past.clear()


def _grow(model: Model, name: str, count: int) -> None:
    """Adds a parameter of ones, or rows of ones to it; no push has a gradient for it."""
    state = model.state
    for arrays, value in ((state.values, 1.0), (state.slots, SLOTS[model.kind][1])):
        before = arrays.get(name, np.empty((0, 2), np.float32))
        arrays[name] = np.concatenate([before, np.full((count, 2), value, np.float32)])
    model.version += 1
    if state.step in model.past:
        model.past[state.step] = copy.deepcopy(state)


def _report(model: Model, value: float) -> None:
    model.reported.append([model.state.step, value])


def _cut_reports(model: Model) -> None:
    model.reported = [each for each in model.reported if each[0] <= model.state.step]


def _import_state(model: Model, step: int, slots: dict[str, Any], slot: str) -> None:
    assert slot == SLOTS[model.kind][0]
    fresh = {name: np.full_like(slot, SLOTS[model.kind][1]) for name, slot in model.state.slots.items()}
    model.state.slots = fresh | {name: array(name, data) for name, data in slots.items()}
    model.state.started = dict.fromkeys(SHAPES, 1.0)
    model.state.step = step
    _cut_reports(model)
    model.version += 1
    model.past.clear()


def _register(model: Model, worker: str) -> None:
    model.epochs += 1
    model.workers[worker] = [model.epochs, 0]


def _forget(model: Model, worker: str) -> None:
    del model.workers[worker]


def _save(model: Model, key: str) -> None:
    state = copy.deepcopy(model.state)
    model.checkpoints[key] = Checkpoint(model.version, state, list(model.rates), model.group_rate)


def _delete_checkpoint(model: Model, key: str) -> None:
    del model.checkpoints[key]


def _restore(model: Model, key: str) -> None:
    model.state = copy.deepcopy(model.checkpoints[key].state)
    _cut_reports(model)
    model.version += 1
    model.past.clear()


def _roll_back(model: Model, step: int) -> None:
    model.state = copy.deepcopy(model.past[step])
    _cut_reports(model)
    model.version += 1
    model.past = {known: state for known, state in model.past.items() if known <= step}


_CHANGES = {
    "push": _push,
    "patch": _patch,
    "patch group": _patch_group,
    "import values": _import_values,
    "grow": _grow,
    "report": _report,
    "import state": _import_state,
    "register": _register,
    "forget worker": _forget,
    "save checkpoint": _save,
    "delete checkpoint": _delete_checkpoint,
    "restore": _restore,
    "roll back": _roll_back,
}
