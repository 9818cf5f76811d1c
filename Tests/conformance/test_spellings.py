"""Every spelling of a definition finds the same model: explicit defaults, order, case, kinds of numbers."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from support.wire import Api

#: From the documentation of mindspore.nn and torch.optim: each optimizer's arguments at their defaults, and its rate
#: when a definition has none.
ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
SWITCHES = {"maximize": False, "foreach": None, "capturable": False, "differentiable": True}
BETAS = {"betas": [0.9, 0.999], "eps": 1e-8}
DEFAULTS: dict[str, tuple[float | None, dict[str, Any]]] = {
    "mindspore.Adadelta": (1, {"rho": 0.9, "epsilon": 1e-6}),
    "mindspore.Adagrad": (0.001, {"accum": 0.1, "update_slots": True}),
    "mindspore.Adam": (0.001, {**ADAM, "use_locking": False, "use_nesterov": False, "use_amsgrad": False}),
    "mindspore.AdamWeightDecay": (0.001, {"beta1": 0.9, "beta2": 0.999, "eps": 1e-6}),
    "mindspore.AdaMax": (0.001, ADAM),
    "mindspore.ASGD": (0.1, {"lambd": 1e-4, "alpha": 0.75, "t0": 1e6}),
    "mindspore.FTRL": (0.001, {"initial_accum": 0.1, "lr_power": -0.5, "l1": 0, "l2": 0.0, "use_locking": True}),
    "mindspore.ProximalAdagrad": (0.001, {"accum": 0.1, "l1": 0, "l2": 0, "use_locking": True}),
    "mindspore.RMSProp": (0.1, {"decay": 0.9, "momentum": 0, "epsilon": 1e-10, "centered": False}),
    "mindspore.Rprop": (0.1, {"etas": [0.5, 1.2], "step_sizes": [1e-6, 50]}),
    "mindspore.SGD": (0.1, {"momentum": 0, "dampening": 0, "nesterov": False}),
    "mindspore.AdaFactor": (None, {"eps": [1e-30, 1e-3], "clip_threshold": 1, "decay_rate": 0.8, "compression": True}),
    "torch.Adadelta": (1, {"rho": 0.9, "eps": 1e-6, **SWITCHES}),
    "torch.Adagrad": (0.01, {"lr_decay": 0, "initial_accumulator_value": 0, "eps": 1e-10, "fused": True, **SWITCHES}),
    "torch.Adam": (0.001, {**BETAS, "amsgrad": False, "decoupled_weight_decay": False, "fused": True, **SWITCHES}),
    "torch.AdamW": (0.001, {**BETAS, "amsgrad": False, "decoupled_weight_decay": True, "fused": None, **SWITCHES}),
    "torch.Adamax": (0.002, {**BETAS, **SWITCHES}),
    "torch.ASGD": (0.01, {"lambd": 1e-4, "alpha": 0.75, "t0": 1e6, **SWITCHES}),
    "torch.NAdam": (0.002, {**BETAS, "momentum_decay": 4e-3, "decoupled_weight_decay": False, **SWITCHES}),
    "torch.RAdam": (0.001, {**BETAS, "decoupled_weight_decay": False, **SWITCHES}),
    "torch.RMSprop": (0.01, {"alpha": 0.99, "eps": 1e-8, "momentum": 0, "centered": False, **SWITCHES}),
    "torch.Rprop": (0.01, {"etas": [0.5, 1.2], "step_sizes": [1e-6, 50], **SWITCHES}),
    "torch.SGD": (0.001, {"momentum": 0, "dampening": 0, "nesterov": False, "fused": False, **SWITCHES}),
}


@pytest.mark.parametrize("optimizer", DEFAULTS)
def test_defaults_of_an_optimizer(api: Api, name: str, optimizer: str) -> None:
    """Absent or explicit, alone or together, in the optimizer or in a torch group, defaults give one definition."""
    rate, defaults = DEFAULTS[optimizer]
    framework, kind = optimizer.split(".")
    bare = {"optimizer": optimizer, "parameters": {"w": [1, 2]}}
    uid = api.create(name, bare).json()["uid"]
    ways = [dict([item]) for item in defaults.items()] + [defaults, dict(reversed(defaults.items()))]
    for way in ways:
        written = {**bare, "optimizer": {"type": kind.lower(), "framework": framework, **way}}
        if way is defaults and rate is not None:
            written["learning_rate"] = rate
        assert api.create(name, written, 200).json()["uid"] == uid, way
    api.create(name, {**bare, "step": 1}, 409)
    if framework == "torch":
        grouped = {**bare, "groups": [{"params": ["w"]}]}
        api.create(f"{name}-g", grouped)
        api.create(f"{name}-g", {**grouped, "groups": [{"params": ["w"], **defaults}]}, 200)


def spellings(value: Any, key: str, random: Random) -> Any:
    """The same value in another notation with the same meaning."""
    if isinstance(value, dict):
        members = [(name, spellings(member, name, random)) for name, member in value.items()]
        random.shuffle(members)
        return dict(members)
    if isinstance(value, list):
        return [spellings(element, key, random) for element in value]
    if isinstance(value, bool) or value is None:
        return value
    if key == "schedule" or value in ("Adam", "SGD", "LARS", "Momentum"):
        return random.choice([value, value.lower(), value.upper()])
    # MindSpore's schedules refuse a float where they expect an integer; everywhere else 1 and 1.0 are one number.
    if isinstance(value, int) and key not in ("decay_steps", "warmup_steps"):
        return random.choice([value, float(value)])
    return -0.0 if value == 0 and isinstance(value, float) else value


RICH: list[dict[str, Any]] = [
    {
        "optimizer": {"type": "Adam", "beta1": 0.8, "use_amsgrad": True},
        "learning_rate": {"schedule": "cosine_decay_lr", "min_lr": 0.0, "max_lr": 1.0, "decay_steps": 9},
        "weight_decay": {"schedule": "exponential_decay_lr", "learning_rate": 1.0, "decay_rate": 0.5, "decay_steps": 4},
        "parameters": {
            "a.weight": [[1, 2]],
            "b.bias": [0],
            "c": {"shape": [2, 2], "init": {"type": "normal", "seed": 4}},
        },
        "groups": [
            {"name": "x", "params": ["b*"], "lr": 1, "grad_centralization": False},
            {"params": ["*"], "weight_decay": 0},
        ],
        "loss_scaling": {"type": "fixed", "loss_scale": 64},
        "step": 4,
        "past_end": "hold",
    },
    {
        "optimizer": {"type": "SGD", "framework": "torch", "momentum": 1, "nesterov": True},
        "learning_rate": [1, 0.5, 0],
        "parameters": {"v": [1, 0], "w": {"data": [3], "trainable": False, "dtype": "I64"}, "u": 2},
        "groups": [{"params": ["u"], "momentum": 2, "foreach": True}, {"params": ["v", "w"], "lr": [3, 2, 1]}],
        "on_nonfinite": "skip",
    },
    {
        "optimizer": {"type": "LARS", "use_clip": True, "optimizer": {"type": "Momentum", "momentum": 1}},
        "learning_rate": 2,
        "parameters": {"v": [1, 0], "w": [1]},
        "default_group": True,
        "groups": [{"params": ["v"]}],
        "loss_scale": 4,
    },
]


@pytest.mark.parametrize("index", range(len(RICH)))
def test_any_spelling_of_a_definition(api: Api, name: str, index: int) -> None:
    """Order, case, kind of number and sign of zero, in generated combinations, find the same model."""
    definition, random = RICH[index], Random(index)
    uid = api.create(name, definition).json()["uid"]
    for _ in range(40):
        written = spellings(definition, "", random)
        assert api.create(name, written, 200).json()["uid"] == uid, written
    for key in definition.keys() - {"parameters", "optimizer"}:
        other = {name: value for name, value in definition.items() if name != key}
        assert api("PUT", f"/v1/models/{name}", other).status in (409, 422), key
