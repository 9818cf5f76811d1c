"""What the event of a PATCH says of settings that the definition does not write: the values that hold all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.daemon import Daemon
from support.events import Events
from support.wire import Api

ADAM = {
    "optimizer": {"type": "adam"},
    "learning_rate": 0.5,
    "parameters": {"w": [0], "b": [0]},
    "groups": [{"name": "conv", "params": ["w"]}, {"name": "rest", "params": ["*"]}],
}
DECAY = {"schedule": "ExponentialDecayLR", "learning_rate": 0.5, "decay_rate": 0.5, "decay_steps": 4}
SYNC = {"mode": "sync", "workers": 3}

#: Patches in order, and the path, old and new value of each change. The defaults are those of mindspore.nn.Adam, of
#: mindspore.nn.ExponentialDecayLR, and of the contract.
PATCHES: list[tuple[dict[str, Any], tuple[str, Any, Any]]] = [
    ({"clip": {"global_norm": 1}}, ("/clip", None, {"global_norm": 1})),
    ({"clip": {"global_norm": 1, "per": "worker"}}, ("/clip/per", "update", "worker")),
    ({"clip": None}, ("/clip", {"global_norm": 1, "per": "worker"}, None)),
    ({"weight_decay": 0.25}, ("/weight_decay", 0, 0.25)),
    ({"groups": {"conv": {"weight_decay": 0.5}}}, ("/groups/conv/weight_decay", 0.25, 0.5)),
    ({"groups": {"conv": {"weight_decay": None}}}, ("/groups/conv/weight_decay", 0.5, 0.25)),
    ({"groups": {"conv": {"lr": 0.125}}}, ("/groups/conv/lr", 0.5, 0.125)),
    ({"groups": {"conv": {"lr": None}}}, ("/groups/conv/lr", 0.125, 0.5)),
    ({"groups": {"conv": {"grad_centralization": True}}}, ("/groups/conv/grad_centralization", False, True)),
    ({"optimizer": {"beta2": 0.75}}, ("/optimizer/beta2", 0.999, 0.75)),
    ({"optimizer": {"beta2": None}}, ("/optimizer/beta2", 0.75, 0.999)),
    ({"optimizer": {"use_nesterov": True}}, ("/optimizer/use_nesterov", False, True)),
    ({"loss_scale": 128}, ("/loss_scale", 1, 128)),
    ({"loss_scale": None}, ("/loss_scale", 128, 1)),
    ({"past_end": "hold"}, ("/past_end", "error", "hold")),
    ({"on_nonfinite": "skip"}, ("/on_nonfinite", "reject", "skip")),
    ({"averages": {"ema": {"decay": 0.5}}}, ("/averages", None, {"ema": {"decay": 0.5}})),
    ({"averages": {"ema": {"start": 9}}}, ("/averages/ema/start", 0, 9)),
    ({"consistency": SYNC}, ("/consistency", {"mode": "async"}, SYNC)),
    ({"consistency": {"min_pushes": 2}}, ("/consistency/min_pushes", 3, 2)),
    ({"consistency": {"on_timeout": "extend"}}, ("/consistency/on_timeout", "drop", "extend")),
    ({"learning_rate": DECAY}, ("/learning_rate", 0.5, DECAY)),
    ({"learning_rate": {**DECAY, "is_stair": True}}, ("/learning_rate/is_stair", False, True)),
]


def test_a_patch_tells_the_defaults_too(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """Each change has the values in effect before and after it; a stream that is resumed after a kill has the same."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    first = api.create("m", ADAM).json()["uid"] + ".1"
    told = [[{"path": path, "old": old, "new": new}] for _, (path, old, new) in PATCHES]
    with Events(api.host, api.port, "/v1/models/m/events?types=patch", first) as events:
        for (patch, _), changes in zip(PATCHES, told, strict=True):
            api("PATCH", "/v1/models/m", patch).expect(200)
            event = events.next()
            assert event and event.data["changes"] == changes
    daemon.process.kill()
    daemon.process.wait()
    again = start(data_dir=tmp_path)
    with Events(again.host, again.port, "/v1/models/m/events?types=patch", first) as events:
        for changes in told:
            event = events.next()
            assert event and event.data["changes"] == changes
