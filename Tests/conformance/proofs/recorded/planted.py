"""Mistakes that a server might make, planted in recorded histories: the judge must name every one of them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass

from . import spoiled, spoiled_rounds
from .account import Account
from .calls import History
from .draft import Draft, UnsuitableError
from .modes import NAMES, modes

ROUNDS = ("manual", "accumulate", "sync", "registered", "quorum", "drop")
OF_WORKERS = ("sync", "registered", "quorum", "drop")


@dataclass(frozen=True)
class Mistake:
    """A mistake, the modes in which a server can make it, and the rules of which one must name it."""

    plant: Callable[[Draft], None]
    modes: tuple[str, ...]
    rules: frozenset[str]

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.plant.__name__


def _mistake(plant: Callable[[Draft], None], modes: tuple[str, ...], *rules: str) -> Mistake:
    return Mistake(plant, modes, frozenset(rules))


MISTAKES = (
    _mistake(spoiled.lost_push, NAMES, "missing"),
    _mistake(spoiled.doubled_push, NAMES, "counted-twice"),
    _mistake(spoiled.two_rounds, NAMES, "counted-twice"),
    _mistake(spoiled.two_receipts, NAMES, "two-steps"),
    _mistake(spoiled_rounds.too_few, ("accumulate", *OF_WORKERS), "too-few"),
    _mistake(spoiled_rounds.lost_held_push, tuple(mode for mode in ROUNDS if mode != "drop"), "lost"),
    _mistake(spoiled.late_push, NAMES, "real-time"),
    _mistake(spoiled_rounds.twice_in_round, OF_WORKERS, "twice-in-round"),
    _mistake(spoiled_rounds.torn_read, ROUNDS, "missing", "torn", "wrong-count"),
    _mistake(spoiled.shifted_read, NAMES, "missing", "empty", "shared-step"),
    _mistake(spoiled.stale_read, NAMES, "stale-read"),
    _mistake(spoiled.missed_wake_up, NAMES, "missed-wake-up"),
    _mistake(spoiled.reordered, tuple(mode for mode in NAMES if mode != "manual"), "real-time", "missing", "early"),
    _mistake(spoiled.pulled_too_far_ahead, ("ssp",), "too-far-ahead"),
    _mistake(spoiled.held_back, ("ssp",), "wrongly-refused"),
    _mistake(spoiled.full_weight, ("scale",), "counted-twice", "wrong-value"),
    _mistake(spoiled.stale_accepted, ("reject",), "stale-accepted"),
    _mistake(spoiled.refused_is_applied, ("reject", *OF_WORKERS), "refused"),
    _mistake(spoiled.wrong_staleness, NAMES, "wrong-staleness"),
    _mistake(spoiled.wrong_rate, NAMES, "wrong-rate"),
    _mistake(spoiled_rounds.dropped_with_quorum, ("drop",), "dropped"),
    _mistake(spoiled_rounds.closed_early, ("quorum",), "too-few"),
    _mistake(spoiled_rounds.left_out, ("manual",), "left-out"),
    _mistake(spoiled.repeated_epoch, ("registered", "sync", "async"), "epoch"),
    _mistake(spoiled.unfenced, NAMES, "fence"),
)


def with_mistake(history: History, mistake: Mistake, seed: int) -> History:
    """Returns a copy of the history as a server with this mistake would have produced it.

    Raises:
        UnsuitableError: if the history has nothing that the mistake could spoil.

    """
    if history.consistency not in [modes(history.clients)[mode] for mode in mistake.modes]:
        raise UnsuitableError
    changed = copy.deepcopy(history)
    mistake.plant(Draft(changed, Account(changed), random.Random(seed)))
    return changed
