"""Searches for an order of operations that explains all their answers: Wing and Gong's search with Lowe's improvement.

Any model can be given as a function; `porcupine.py` tests the search on histories with known verdicts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

State = Hashable
Step = Callable[[State, Any, Any], tuple[bool, State]]
"""Whether a state allows an operation (what was asked, what was answered), and the state that it leaves."""


@dataclass
class Operation:
    """One call; `ended` is None if no answer came: the call may have taken effect at any later time, or never."""

    asked: Any
    answered: Any
    began: float
    ended: float | None
    key: str = ""


def is_linearizable(operations: Iterable[Operation], step: Step, first: State) -> bool:
    """Judges each key separately, which gives the same verdict as judging all together and is much faster.

    The keys take turns, so that a long search for one key does not delay the verdict of another.
    """
    by_key = defaultdict(list)
    for operation in operations:
        by_key[operation.key].append(operation)
    searches = [_Search(part, step, first) for part in by_key.values()]
    while searches:
        verdicts = [search.goes_on(_TURN) for search in searches]
        if False in verdicts:
            return False
        searches = [search for search, verdict in zip(searches, verdicts, strict=True) if verdict is None]
    return True


_TURN = 2000
_NOT_NOW: State = object()


class _Search:
    """The operations by the time of their answers; an operation is lifted when it can come next in the order.

    The next operation must begin before the first answer of those that are left. Operations with earlier answers are
    tried first, so that none is put earlier than necessary; operations without an answer come last.
    """

    def __init__(self, operations: list[Operation], step: Step, first: State) -> None:
        self._operations = sorted(operations, key=lambda o: (o.ended is None, o.ended or 0, o.began))
        self._open = sum(operation.ended is not None for operation in operations)
        self._step, self._state, self._lifted = step, first, 0
        self._seen = set[tuple[int, State]]()
        self._trail: list[tuple[int, State]] = []
        self._twins = self._equal_ones()
        count = len(operations)
        self._earliest = [math.inf] * (count + 1)
        for number in reversed(range(count)):
            self._earliest[number] = min(self._operations[number].began, self._earliest[number + 1])
        # A ring of the operations that are not lifted yet; the place behind the last one is its beginning and its end.
        self._next = [*range(1, count + 1), 0]
        self._previous = [count, *range(count)]
        self._is_first_look, self._place = True, 0

    def _equal_ones(self) -> list[int]:
        """For each operation without an answer, as bits: the operations with the same request that began earlier."""
        asked: dict[Any, int] = defaultdict(int)
        twins = [0] * len(self._operations)
        for number in range(self._open, len(self._operations)):
            question = self._operations[number].asked
            twins[number] = asked[question]
            asked[question] |= 1 << number
        return twins

    def goes_on(self, calls: int) -> bool | None:
        """Examines up to the given number of further calls, depth first; returns None if that gives no verdict.

        A set of lifted calls that was seen with the same state leads nowhere new. A call that changes nothing and can
        be next is always put next: no order is lost by that, so the search never returns to this choice.
        """
        for _ in range(calls):
            if not self._open:
                return True
            due = self._operations[self._next[-1]].ended
            if self._earliest[self._place] <= due:
                self._look_at(self._place, due)
            elif self._is_first_look:
                self._is_first_look, self._place = False, self._next[-1]
            elif self._trail:
                self._go_back()
            else:
                return False
        return None

    def _look_at(self, number: int, due: float) -> None:
        """Puts an operation next in the order, if it can be there and that was not tried before."""
        state = self._after(number) if self._operations[number].began <= due else _NOT_NOW
        is_change = state != self._state
        if state is _NOT_NOW or is_change == self._is_first_look:
            self._place = self._next[number]
        elif (self._lifted | 1 << number, state) in self._seen:
            self._is_first_look, self._place = False, self._next[number] if is_change else len(self._operations)
        else:
            self._lift(number, state)

    def _lift(self, number: int, state: State) -> None:
        self._trail.append((number, self._state))
        before, after = self._previous[number], self._next[number]
        self._next[before], self._previous[after] = after, before
        self._open -= self._operations[number].ended is not None
        self._lifted, self._state = self._lifted | 1 << number, state
        self._seen.add((self._lifted, state))
        self._is_first_look, self._place = True, self._next[-1]

    def _go_back(self) -> None:
        """Undoes the last choice, and if it changed nothing the one before it too."""
        number, state = self._trail.pop()
        self._next[self._previous[number]] = self._previous[self._next[number]] = number
        self._open += self._operations[number].ended is not None
        self._lifted ^= 1 << number
        self._is_first_look = False
        self._place = len(self._operations) if state == self._state else self._next[number]
        self._state = state

    def _after(self, number: int) -> State:
        """Returns the state after this operation; `_NOT_NOW` if it is not possible here, or has no benefit.

        An operation without an answer may be left out. It has no benefit if it changes nothing, or if an equal
        operation that began earlier is left out.
        """
        operation = self._operations[number]
        if self._twins[number] & ~self._lifted:
            return _NOT_NOW
        allowed, state = self._step(self._state, operation.asked, operation.answered)
        is_useless = operation.ended is None and state == self._state
        return state if allowed and not is_useless else _NOT_NOW
