"""The modes in which histories are recorded, each with the settings that make its rules matter."""

from __future__ import annotations

from typing import Any

Settings = dict[str, Any]


def modes(clients: int) -> dict[str, Settings]:
    """The consistency of a model for so many clients, by the name of the case."""
    long, short = "3600s", "150ms"
    quorum = max(2, clients * 2 // 3)
    return {
        "async": {"mode": "async"},
        "reject": {"mode": "async", "max_staleness": 2, "staleness_policy": "reject"},
        "scale": {"mode": "async", "max_staleness": 1, "staleness_policy": "scale"},
        "ssp": {"mode": "ssp", "workers": clients, "slack": 1},
        "manual": {"mode": "manual", "reduce": "sum"},
        "accumulate": {"mode": "sync", "min_pushes": 5, "round_timeout": long, "reduce": "sum"},
        "sync": {"mode": "sync", "workers": clients, "round_timeout": long, "reduce": "mean"},
        "registered": {"mode": "sync", "workers": "registered", "round_timeout": long, "reduce": "sum"},
        "quorum": {
            "mode": "sync", "workers": clients, "min_pushes": quorum, "round_timeout": short, "on_timeout": "extend",
            "reduce": "sum",
        },
        "drop": {
            "mode": "sync", "workers": clients, "min_pushes": clients - 1, "round_timeout": short, "on_timeout": "drop",
            "reduce": "sum",
        },
    }  # fmt: skip


NAMES = tuple(modes(8))


def has_rounds(consistency: Settings) -> bool:
    """Whether pushes are held and reduced."""
    return consistency["mode"] in ("sync", "manual")


def is_single(consistency: Settings) -> bool:
    """Whether a worker may push more than once in a round."""
    return consistency["mode"] == "manual" or "workers" not in consistency


def has_deadline(consistency: Settings) -> bool:
    """Whether a worker that is slow misses its round."""
    return "min_pushes" in consistency and "workers" in consistency


def seconds(text: str) -> float:
    """A time such as 50ms or 3600s in seconds."""
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1])
