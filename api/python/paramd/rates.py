"""Asking for learning rates and weight decay, now, at a step and over a range."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import definitions
from .resource import Resource
from .results import Curve


class Rates(Resource):
    """The part of a model that answers for its schedules; asking never moves the step."""

    def lr(self, at: int | range | None = None) -> Any:
        """The learning rate by group: of the next update, of the update at a step, or as a Curve over a range."""
        return self._curve("lr", at, "lr")

    def lr_of(self, *parameters: str) -> list[dict[str, Any]]:
        """For each parameter its group, its rate now, and the definition behind it (`get_lr_parameter`)."""
        return list(self._get("/lr", [("param", name) for name in parameters]).json()["parameters"])

    def weight_decay(self, at: int | range | None = None, *, scaled: bool = False) -> Any:
        """The weight decay by group, like `lr`; `scaled` is times the loss scale, as `get_weight_decay` has it.

        A range has no `scaled`: the loss scale of later steps is not known.
        """
        if scaled and isinstance(at, range):
            raise ValueError("scaled=True is for one step, since the loss scale of later steps is not known")
        return self._curve("weight_decay", at, "scaled_weight_decay" if scaled else "weight_decay")

    def _curve(self, path: str, at: int | range | None, key: str) -> Any:
        if not isinstance(at, range):
            return self._get(f"/{path}", [("step", at)] if at is not None else []).json()[key]
        answer = self._get(f"/{path}", definitions.ends(at).items()).json()
        return Curve(np.array(answer["steps"]), {group: np.array(values) for group, values in answer[key].items()})
