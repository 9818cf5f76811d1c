"""Import and export of values, the optimizer's state, and checkpoints."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from . import files, tensors
from .files import File
from .resource import SAFETENSORS, Resource
from .results import State, state


class Saving(Resource):
    """Saving and loading a model."""

    def import_(self, parameters: Mapping[str, ArrayLike] | File, *, partial: bool = False) -> dict[str, Any]:
        """Sets values, all or none: arrays by name, or the path of a safetensors file.

        With `partial`, imports what matches the model and returns the rest as `skipped`, each with its reason.
        """
        if isinstance(parameters, str | os.PathLike):
            body = files.read(parameters)
        else:
            body = tensors.dump(tensors.dense(parameters, "parameters"))
        return self._change("PUT", "/parameters", body, SAFETENSORS, [("partial", 1)] if partial else []).json()

    def export(self, path: File) -> None:
        """Writes the parameters to a safetensors file, which NumPy and PyTorch open."""
        Path(path).write_bytes(self._get("/parameters.safetensors").body)

    def state(self) -> State:
        """The optimizer's slots, as arrays by `NAME#slot`, and its scalars."""
        return state(self._get("/state.safetensors"))

    def import_state(self, state: State | Mapping[str, ArrayLike] | File) -> dict[str, Any]:
        """Replaces the optimizer's state, all or nothing; the parameters do not change.

        Accepts a result of `state`, of this or another model with the same definition; arrays by `NAME#slot`, with
        counts as `NAME#step`; or the path of a safetensors file.
        """
        if isinstance(state, str | os.PathLike):
            body = files.read(state)
        else:
            scalars = state.scalars if isinstance(state, State) else {}
            metadata = {name: f"{value:.17g}" for name, value in scalars.items()}
            body = tensors.dump(tensors.dense(state, "slots"), metadata)
        return self._change("PUT", "/state", body, SAFETENSORS).json()

    def checkpoint(self) -> dict[str, Any]:
        """Saves parameters, state and step on the server; returns `id`, `step`, `version` and more."""
        return self._change("POST", "/checkpoints").json()

    def checkpoints(self) -> list[dict[str, Any]]:
        """The checkpoints, as returned by `checkpoint`."""
        return list(self._get("/checkpoints").json()["checkpoints"])

    def restore(self, checkpoint: int | Mapping[str, Any]) -> dict[str, Any]:
        """Restores a checkpoint, by its id or a result of `checkpoint`; the step goes back, the version still rises."""
        number = checkpoint["id"] if isinstance(checkpoint, Mapping) else checkpoint
        return self._change("POST", f"/checkpoints/{int(number)}/restore").json()
