"""What a server answers: parameters, receipts, curves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import tensors
from .errors import BadAnswer
from .tensors import Array
from .transport import Answer


@dataclass(frozen=True)
class Snapshot:
    """One consistent version of the parameters. The arrays are read-only: copy what you want to change."""

    parameters: dict[str, Array]
    step: int
    version: int
    etag: str = field(default="", repr=False)
    #: After `push_pull`: whether the step was taken; false for an overflow.
    applied: bool = True
    #: After `push_pull`: the scale to multiply the next gradient by.
    loss_scale: float | None = None

    def __getitem__(self, name: str) -> Array:
        return self.parameters[name]


@dataclass(frozen=True)
class Receipt:
    """What became of a push. `fields` is the whole answer; the common ones are attributes."""

    fields: dict[str, Any]

    @property
    def applied(self) -> bool:
        """Whether the step was taken; false for an overflow, and for a push held in an open round."""
        return bool(self.fields["applied"])

    @property
    def step(self) -> int:
        """The model's step, this update included."""
        return int(self.fields["step"])

    @property
    def version(self) -> int:
        """The version that this push published."""
        return int(self.fields["version"])

    @property
    def lr(self) -> dict[str, float]:
        """The learning rate that the update used, by group."""
        return dict(self.fields["lr"])

    @property
    def staleness(self) -> int:
        """Updates between the gradient's `based_on` and this one."""
        return int(self.fields["staleness"])

    @property
    def replayed(self) -> bool:
        """Whether this is the stored receipt of an earlier arrival of the same push."""
        return bool(self.fields["replayed"])


@dataclass(frozen=True)
class Curve:
    """Values by group over a range of steps."""

    steps: Array
    values: dict[str, Array]


def snapshot(answer: Answer) -> Snapshot:
    """The parameters that an answer holds."""
    try:
        parameters, _ = tensors.load(answer.body)
        step, version = (int(answer.headers[f"x-paramd-{key}"]) for key in ("step", "version"))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadAnswer(f"these are not parameters; is it a paramd? {answer.body[:200]!r}") from error
    scale = answer.headers.get("x-paramd-loss-scale")
    return Snapshot(
        parameters,
        step,
        version,
        answer.headers.get("etag", ""),
        applied=answer.headers.get("x-paramd-applied") != "false",
        loss_scale=None if scale is None else float(scale),
    )
