"""Results: parameters, state, receipts, curves."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from . import tensors
from .arrays import Array
from .connections import Answer
from .errors import BadAnswer


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot(Mapping[str, Array]):
    """One consistent version of the parameters: a mapping of names to arrays that the caller owns.

    `load_state_dict` and `load_param_into_net` accept `dict(snapshot)` with its arrays converted to tensors.
    """

    parameters: dict[str, Array]
    step: int
    version: int
    etag: str = field(default="")
    #: After `push_pull`: whether the step was applied; false for an overflow.
    applied: bool = True
    #: After `push_pull`: the scale to multiply the next gradient by.
    loss_scale: float | None = None
    #: The model's uid and version; empty if the server does not say.
    cursor: str = ""

    def __getitem__(self, name: str) -> Array:
        return self.parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    # Two snapshots are one only if they are the same object: a comparison of arrays has no single answer.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"Snapshot({_shapes(self)}, step={self.step}, version={self.version})"


@dataclass(frozen=True, eq=False, repr=False)
class State(Mapping[str, Array]):
    """The optimizer's state: a mapping of `NAME#slot` to arrays that the caller owns, and its scalars."""

    slots: dict[str, Array]
    scalars: dict[str, float]
    step: int
    version: int

    def __getitem__(self, name: str) -> Array:
        return self.slots[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.slots)

    def __len__(self) -> int:
        return len(self.slots)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"State({_shapes(self)}, scalars={self.scalars}, step={self.step}, version={self.version})"


@dataclass(frozen=True, repr=False)
class Receipt:
    """The result of a push. `fields` is the whole answer; the common ones are attributes.

    It prints as `Receipt(held 1 of 2, step=6, version=8, closes_in='29.5s')`.
    """

    fields: dict[str, Any]

    def __repr__(self) -> str:
        facts = [self._state, f"step={self.fields.get('step')}", f"version={self.fields.get('version')}"]
        if self.held and self.round.get("closes_in"):
            facts.append(f"closes_in={self.round['closes_in']!r}")
        facts += [f"{key}={self.fields[key]!r}" for key in ("loss_scale", "warnings") if key in self.fields]
        if self.fields.get("replayed"):
            facts.append("replayed")
        return f"Receipt({', '.join(facts)})"

    @property
    def _state(self) -> str:
        """The result of the push, with the pushes of its round."""
        count, needed = self.round.get("received"), self.round.get("needed")
        if self.held:
            return f"held {count}" if needed is None else f"held {count} of {needed}"
        state = "applied" if self.fields.get("applied") else "skipped" if self.fields.get("overflow") else "not applied"
        return state if count is None else f"{state} in a round of {count}"

    @property
    def applied(self) -> bool:
        """Whether the step was applied; false for an overflow, and for a push held in an open round."""
        return bool(self.fields["applied"])

    @property
    def round(self) -> dict[str, Any]:
        """The round of the push: `state`, `step`, `received`, `needed`, `closes_in`; empty if the model has none."""
        return dict(self.fields.get("round", {}))

    @property
    def held(self) -> bool:
        """Whether the push is waiting in the open round."""
        return self.round.get("state") == "held"

    @property
    def step(self) -> int:
        """The model's step, including this update."""
        return int(self.fields["step"])

    @property
    def version(self) -> int:
        """The version that this push published."""
        return int(self.fields["version"])

    @property
    def cursor(self) -> str:
        """That version with the model's uid; empty if the server does not say."""
        return str(self.fields.get("cursor", ""))

    @property
    def lr(self) -> dict[str, float]:
        """The learning rate that the update used, by group; empty while the push is held."""
        return dict(self.fields.get("lr", {}))

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters of the push; empty if it had none."""
        return dict(self.fields.get("hyperparameters", {}))

    @property
    def staleness(self) -> int | None:
        """Updates between the gradient's `based_on` and this one; None for a push without `based_on`."""
        staleness = self.fields.get("staleness")
        return None if staleness is None else int(staleness)

    @property
    def divisor(self) -> int:
        """What the gradient was divided by because it was stale; 1 if it was applied as it was."""
        return int(self.fields.get("divisor", 1))

    @property
    def warnings(self) -> list[str]:
        """What the server advises, such as to send `based_on`."""
        return list(self.fields.get("warnings", []))

    @property
    def replayed(self) -> bool:
        """Whether this is the stored receipt of an earlier arrival of the same push."""
        return bool(self.fields["replayed"])


@dataclass(frozen=True, eq=False)
class Curve:
    """Values by group over a range of steps."""

    steps: Array
    values: dict[str, Array]


def snapshot(answer: Answer) -> Snapshot:
    """The parameters in an answer."""
    parameters, _, step, version = _read(answer)
    scale = answer.headers.get("x-paramd-loss-scale")
    _warn_of_infinities(answer.headers.get("x-paramd-beyond-range", ""))
    return Snapshot(
        parameters,
        step,
        version,
        # A compressing proxy weakens the tag, which is compared with the server's own.
        answer.headers.get("etag", "").removeprefix("W/"),
        applied=answer.headers.get("x-paramd-applied") != "false",
        loss_scale=None if scale is None else float(scale),
        cursor=answer.headers.get("x-paramd-cursor", ""),
    )


def state(answer: Answer) -> State:
    """The optimizer's state in an answer."""
    slots, metadata, step, version = _read(answer)
    # Notes have no `#`, but a parameter's name may begin like one.
    scalars = {
        name: text
        for name, text in metadata.items()
        if "#" in name or not (name == "format" or name.startswith("paramd."))
    }
    return State(slots, {name: float(text) for name, text in scalars.items()}, step, version)


def _read(answer: Answer) -> tuple[dict[str, Array], dict[str, str], int, int]:
    try:
        arrays, metadata = tensors.load(answer.body)
        step, version = (int(answer.headers[f"x-paramd-{key}"]) for key in ("step", "version"))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadAnswer(f"the answer contains no parameters; is this a paramd? {bytes(answer.body[:200])!r}") from error
    return arrays, metadata, step, version


def _warn_of_infinities(names: str) -> None:
    """As NumPy warns of a cast that overflows."""
    if names:
        listed = ", ".join(f"`{unquote(name)}`" for name in names.split(","))
        sentence = f"values of {listed} are too large for the dtype of this pull and arrive as infinity; pull float32"
        warnings.warn(sentence, RuntimeWarning, stacklevel=4)


def _shapes(arrays: Mapping[str, Array]) -> str:
    """The first few names, each with its shape."""
    shown = [f"{name!r}: {list(array.shape)}" for name, array in list(arrays.items())[:4]]
    return f"{{{', '.join(shown)}}}" if len(arrays) <= 4 else f"{{{', '.join(shown)}, ... {len(arrays)} in all}}"
