"""Judges a history by every rule that it must obey."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .account import Account
from .calls import History
from .findings import Finding
from .pushes import epochs_rise, held_pushes_are_applied, pushes_have_one_step, steps_respect_real_time
from .reads import pulls_are_states, reads_are_fresh, versions_count
from .refusals import bounds_are_kept, refusals_are_expected, the_slow_are_waited_for
from .rounds import closes_leave_nothing, steps_hold_what_they_need

RULES: tuple[Callable[[Account], Iterator[Finding]], ...] = (
    pulls_are_states,
    reads_are_fresh,
    versions_count,
    pushes_have_one_step,
    held_pushes_are_applied,
    steps_respect_real_time,
    steps_hold_what_they_need,
    closes_leave_nothing,
    refusals_are_expected,
    bounds_are_kept,
    the_slow_are_waited_for,
    epochs_rise,
)


def judge(history: History) -> list[Finding]:
    """Every finding of every rule; none for a history of a correct server."""
    account = Account(history)
    return [finding for rule in RULES for finding in rule(account)]
