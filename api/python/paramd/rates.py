"""Queries of learning rates and weight decay: now, at a step and over a range."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import definitions
from .resource import Resource
from .results import Curve


class Rates(Resource):
    """The schedules of a model; a query never advances the step."""

    def lr(self, at: int | range | None = None) -> Any:
        """The learning rate by group: of the next update, of the update at a step, or as a Curve over a range."""
        return self._curve("lr", at, "lr")

    def lr_of(self, *parameters: str) -> list[dict[str, Any]]:
        """For each parameter its group, its current rate, and the rate's definition (`get_lr_parameter`)."""
        return list(self._get("/lr", [("param", name) for name in parameters]).json()["parameters"])

    def weight_decay(self, at: int | range | None = None, *, scaled: bool = False) -> Any:
        """The weight decay by group, like `lr`; `scaled` is times the loss scale, as `get_weight_decay` has it.

        A range cannot be `scaled`: the loss scale of later steps is unknown.
        """
        if scaled and isinstance(at, range):
            raise ValueError("scaled=True needs a single step, because the loss scale of later steps is unknown")
        return self._curve("weight_decay", at, "scaled_weight_decay" if scaled else "weight_decay")

    def _curve(self, path: str, at: int | range | None, key: str) -> Any:
        if not isinstance(at, range):
            return self._get(f"/{path}", [("step", at)] if at is not None else []).json()[key]
        answer = self._get(f"/{path}", definitions.ends(at).items()).json()
        return Curve(np.array(answer["steps"]), {group: np.array(values) for group, values in answer[key].items()})
