"""The parameters after each step, computed in NumPy's float32 from the pushes alone and without the server's code."""

from __future__ import annotations

import numpy as np

from .account import Account
from .calls import Push


def factor(account: Account, push: Push, step: int) -> np.ndarray:
    """What a push adds in its step: its amount divided as the mode says, times the rate."""
    history, consistency = account.history, account.history.consistency
    amount = np.float64(history.amount(push))
    if consistency.get("reduce") == "mean":
        amount /= len(account.groups[step])
    stale = account.staleness(push, step)
    if consistency.get("staleness_policy") == "scale" and stale > consistency["max_staleness"]:
        return np.float32(account.rate(step)) * (np.float32(amount) / np.float32(1 + stale))
    return np.float32(account.rate(step)) * np.float32(amount)


def shared(account: Account, step: int) -> np.ndarray:
    """What a step adds to the element that all pushes change: the sum of a round is rounded once."""
    pushes = sorted(account.groups[step])
    if account.has_rounds:
        total = np.float64(sum(account.history.amount(push) for push in pushes))
        if account.history.consistency.get("reduce") == "mean":
            total /= len(pushes)
        return np.float32(account.rate(step)) * np.float32(total)
    return sum((factor(account, push, step) for push in pushes), np.float32(0))


def states(account: Account) -> list[np.ndarray]:
    """The parameter at step 0, 1, 2 and so on."""
    values = np.zeros(account.history.width, np.float32)
    all_states = [values]
    for step in range(1, account.last + 1):
        values = values.copy()
        for push in account.groups[step]:
            values[account.history.place(push)] += factor(account, push, step)
        if account.groups[step]:
            values[-1] += shared(account, step)
        all_states.append(values)
    return all_states
