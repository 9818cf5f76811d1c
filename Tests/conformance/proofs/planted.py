"""Bugs that a daemon might have, planted in a recorded history: the search must find every one of them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from .linearizability import Operation

Operations = list[Operation]


def _answered(history: Operations, kind: str) -> Operations:
    return [operation for operation in history if operation.asked[0] == kind and operation.ended is not None]


def _later(history: Operations, push: Operation, kind: str = "pull") -> Operations:
    """The operations that began after a push was acknowledged."""
    return [operation for operation in _answered(history, kind) if operation.began > push.ended]


def _push_with_later_pulls(history: Operations, chance: random.Random) -> Operation:
    return chance.choice([push for push in _answered(history, "push") if _later(history, push)])


def _add(pull: Operation, push: Operation, times: int) -> None:
    version, step, values = pull.answered
    client, amount = push.asked[1:]
    changed = list(values)
    changed[client] += times * push.answered[2]
    changed[-1] += times * amount * push.answered[2]
    pull.answered = (version, step, tuple(changed))


def _renumber(history: Operations, after: int, by: int) -> None:
    """Renumbers all versions and steps after a given version."""
    for operation in history:
        if operation.ended is not None and operation.answered[0] > after:
            numbers = 1 if operation.asked[0] in ("patch", "wait") else 2
            moved = tuple(number + by for number in operation.answered[:numbers])
            operation.answered = moved + operation.answered[numbers:]


def lost_values(history: Operations, chance: random.Random) -> None:
    """An acknowledged push counts as a step, but later pulls lack its gradient."""
    push = _push_with_later_pulls(history, chance)
    for pull in _later(history, push):
        _add(pull, push, -1)


def lost_push(history: Operations, chance: random.Random) -> None:
    """A restart forgets an acknowledged push; versions continue as if it had never been."""
    push = _push_with_later_pulls(history, chance)
    for pull in _answered(history, "pull"):
        if pull.answered[0] > push.answered[0]:
            _add(pull, push, -1)
    _renumber(history, push.answered[0], -1)


def doubled_values(history: Operations, chance: random.Random) -> None:
    """A gradient counts twice in later pulls."""
    push = _push_with_later_pulls(history, chance)
    for pull in _later(history, push):
        _add(pull, push, 1)


def doubled_push(history: Operations, chance: random.Random) -> None:
    """The retry of an acknowledged push is applied again, as a separate step."""
    push = _push_with_later_pulls(history, chance)
    for pull in _answered(history, "pull"):
        if pull.answered[0] > push.answered[0]:
            _add(pull, push, 1)
    _renumber(history, push.answered[0], 1)


def doubled_version(history: Operations, chance: random.Random) -> None:
    """Two pushes return the same version and step."""
    first, second = chance.sample(_answered(history, "push"), 2)
    second.answered = first.answered


def stale_read(history: Operations, chance: random.Random) -> None:
    """A pull returns an older state, although a newer push was acknowledged before it."""
    while True:
        early, late = chance.sample(_answered(history, "pull"), 2)
        pushes = (push for push in _answered(history, "push") if push.answered[0] == early.answered[0] + 1)
        if any(push.ended < late.began for push in pushes):
            late.answered = early.answered
            return


def early_read(history: Operations, chance: random.Random) -> None:
    """A pull returns the result of a push that began after it."""
    while True:
        early, late = chance.sample(_answered(history, "pull"), 2)
        pushes = (push for push in _answered(history, "push") if push.answered[0] == late.answered[0])
        if any(push.began > early.ended for push in pushes):
            early.answered = late.answered
            return


def reordered(history: Operations, chance: random.Random) -> None:
    """Two pushes, one acknowledged before the other began, return each other's versions."""
    first = _push_with_a_later_push(history, chance)
    second = chance.choice(_later(history, first, "push"))
    first.answered, second.answered = second.answered, first.answered


def _push_with_a_later_push(history: Operations, chance: random.Random) -> Operation:
    return chance.choice([push for push in _answered(history, "push") if _later(history, push, "push")])


def torn_read(history: Operations, chance: random.Random) -> None:
    """A pull mixes the values of two versions."""
    while True:
        pull, other = chance.sample(_answered(history, "pull"), 2)
        version, step, values = pull.answered
        mixed = (*values[:-1], other.answered[2][-1])
        if mixed != values:
            pull.answered = (version, step, mixed)
            return


def wrong_step(history: Operations, chance: random.Random) -> None:
    """A pull names a step that its values do not have."""
    pull = chance.choice(_answered(history, "pull"))
    version, step, values = pull.answered
    pull.answered = (version, step + chance.choice((-1, 1)), values)


def lost_patch(history: Operations, chance: random.Random) -> None:
    """A push after an acknowledged rate change uses another rate."""
    push = chance.choice(_answered(history, "push"))
    version, step, rate = push.answered
    push.answered = (version, step, rate * 2)


def missed_wake_up(history: Operations, chance: random.Random) -> None:
    """A waiting pull reports nothing newer, long after a newer version was acknowledged."""
    push = _push_with_later_pulls(history, chance)
    pull = chance.choice(_later(history, push))
    pull.asked, pull.answered = ("wait",), (push.answered[0] - 1,)


BUGS: list[Callable[[Operations, random.Random], None]] = [
    lost_values, lost_push, doubled_values, doubled_push, doubled_version, stale_read, early_read, reordered, torn_read,
    wrong_step, lost_patch, missed_wake_up,
]  # fmt: skip


def with_bug(history: Operations, bug: Callable[[Operations, Any], None], seed: int) -> Operations:
    """Returns a copy of the history as a daemon with this bug would have produced it."""
    changed = copy.deepcopy(history)
    bug(changed, random.Random(seed))
    return changed
