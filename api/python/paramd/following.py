"""Watching a training: its history as arrays, your own metrics, and events as they happen."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from . import definitions
from .arrays import Array
from .resource import Resource
from .transport import Transport


@dataclass(frozen=True)
class Event:
    """An event of a model; `kind` is `update`, `patch`, `restored`, ... or `gap` if events are missing."""

    kind: str
    data: dict[str, Any]
    #: The place in the stream, for `events(after=...)`.
    id: str


@dataclass(frozen=True, eq=False)
class Series:
    """A chart's points, each with the last, smallest and largest of `count` values."""

    first_step: Array
    step: Array
    time: Array
    count: Array
    value: Array
    min: Array
    max: Array


class Following(Resource):
    """A model's history and its events."""

    def history(self, *series: str, steps: range | None = None, points: int | None = None) -> dict[str, Series]:
        """The charts by name, such as `loss`, `lr/default` and `metrics/acc`; names may be globs."""
        query: list[tuple[str, object]] = [("series", name) for name in series]
        if steps is not None:
            ends = definitions.ends(steps)
            query += [("from", ends["from"]), ("to", ends["to"])]
        if points is not None:
            query.append(("points", points))
        found = self._get("/history", query).json()["series"]
        return {name: Series(**{key: np.array(column) for key, column in each.items()}) for name, each in found.items()}

    def report(self, scalars: Mapping[str, float], *, step: int | None = None) -> int:
        """Records metrics such as an accuracy, and returns their step; by default the current one."""
        body = {"scalars": figures(scalars)} | ({} if step is None else {"step": step})
        return int(self._change_by_json("POST", "/scalars", body)["step"])

    def events(self, *kinds: str, after: Event | str | None = None) -> Iterator[Event]:
        """The events of the model from now on, or after an earlier event, until the model is deleted.

        If the connection breaks, the client reconnects and continues without losing events. It raises `EventsTooOld` if
        that is impossible: read the model again and call `events` without `after`.
        """
        return follow(self._transport, self._target("/events"), kinds, after)


def figures(scalars: Mapping[str, float]) -> dict[str, float]:
    """Named numbers as Python's own; ValueError for one that is not finite."""
    values = {name: float(value) for name, value in scalars.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{name!r} is {value}, which cannot be charted; leave it out")
    return values


def follow(
    transport: Transport, target: str, kinds: Sequence[str], after: Event | str | None = None
) -> Iterator[Event]:
    """The events at a target."""
    place = after.id if isinstance(after, Event) else after or ""
    target += f"?{urlencode({'types': ','.join([*kinds, 'deleted'])})}" if kinds else ""

    def headers() -> dict[str, str]:
        return {"Accept": "text/event-stream"} | ({"Last-Event-ID": place} if place else {})

    is_of_one = "/models/" in target
    for kind, data, place in _dispatched(transport.follow(target, headers)):
        if data is not None and kind != "shutdown":
            if not kinds or kind in (*kinds, "gap"):
                yield Event(kind, data, place)
            if is_of_one and kind == "deleted":
                return


def _dispatched(lines: Iterable[bytes]) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """Kind, data and id of each block of lines; a block may only set the id. Source: WHATWG HTML, section 9.2.6."""
    kind, data, place = "", "", ""
    for line in lines:
        if not line:  # the stream starts, perhaps again, after a block that was cut
            kind, data = "", ""
        field, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            data += value
        elif field == "id":
            place = value
        elif line in (b"\n", b"\r\n"):
            yield kind, json.loads(data) if data else None, place
            kind, data = "", ""
