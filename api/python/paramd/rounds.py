"""Rounds: the updates that several pushes make together, in modes `sync` and `manual`."""

from __future__ import annotations

from typing import Any

from .resource import Resource
from .results import Receipt


class Rounds(Resource):
    """The open round of a model."""

    def round(self) -> dict[str, Any]:
        """The open round: `mode`, `step`, `received`, `needed`, `pushes`, `missing` and so on.

        In mode `ssp`, `clocks` by worker, the `slowest` of them, `slack`, `workers` and `missing`. In mode `async`,
        only `mode`.
        """
        return self._get("/round").json()

    def step(self) -> Receipt:
        """Closes the open round: its gradients become one update. In mode `manual` only this closes a round.

        Raises Conflict if the round is empty, or if the model has no rounds.
        """
        return Receipt(self._change("POST", "/step").json())
