"""Mistakes that a server might make with rounds."""

from __future__ import annotations

import copy

from .draft import Draft
from .modes import seconds
from .rounds import still_registered


def too_few(draft: Draft) -> None:
    """A round closes without a push that it should have waited for."""
    account, least = draft.account, draft.history.consistency.get("min_pushes", 0)
    steps = [s for s in range(1, account.last) if len(account.groups[s]) > 1 and account.received[s]]
    step = draft.choose(steps)
    group = sorted(account.groups[step])
    if draft.history.consistency.get("workers") == "registered":
        group = [push for push in group if push[0] in still_registered(account, step)]
    draft.chance.shuffle(group)
    for push in group[: max(1, len(group) - least + 1) if least else 1]:
        draft.erase(push)
        for call in draft.calls(push):
            draft.history.calls.remove(call)


def lost_held_push(draft: Draft) -> None:
    """A kill loses a push that was acknowledged as held; its round closes without it."""
    pushes = [push for push in draft.applied() if draft.account.pushes[push].held]
    push = draft.choose(pushes)
    draft.erase(push)
    for call in draft.calls(push):
        if call.status == 200:
            draft.history.calls.remove(call)


def twice_in_round(draft: Draft) -> None:
    """A second push of a worker is accepted while the round holds its first."""
    facts = draft.account.pushes
    pairs = [
        (push, other)
        for push in facts
        for other in draft.applied()
        if facts[push].refusal == "already-in-round" and other[0] == push[0] and other[1] == push[1] - 1
    ]
    push, other = draft.choose(pairs)
    step = facts[other].step
    for told in draft.receipts(step):
        told["round"]["received"] += 1
    answer = next(call for call in draft.calls(other) if call.receipt.get("lr"))
    for call in draft.calls(push):
        call.status, call.told = 200, copy.deepcopy(answer.receipt)
    draft.add(push, 1, step)


def torn_read(draft: Draft) -> None:
    """A pull has a round without one of its pushes."""
    account = draft.account
    pull = draft.choose([pull for pull in account.pulls if len(account.groups[pull.told["step"]]) > 1])
    push = draft.choose(sorted(account.groups[pull.told["step"]]))
    place, values = draft.history.place(push), pull.told["values"]
    values[-1] -= values[place]
    values[place] = 0.0


def dropped_with_quorum(draft: Draft) -> None:
    """A round is dropped although it had enough pushes."""
    outcomes = [call for call in draft.history.answered("outcome") if call.told["outcome"] == "dropped"]
    draft.choose(outcomes).receipt["round"]["received"] = draft.history.consistency["min_pushes"]


def closed_early(draft: Draft) -> None:
    """A round with a quorum closes before its deadline."""
    account, needed = draft.account, draft.history.consistency["workers"]
    calls = [call for call in draft.history.answered("push") if len(account.groups[call.told["step"]]) < needed]
    begins = {
        step: min(account.pushes[push].began for push in group) for step, group in account.groups.items() if group
    }
    timeout = seconds(draft.history.consistency["round_timeout"]) * 1e9
    calls = [c for c in calls if c.told["step"] < account.last and c.began < begins[c.told["step"]] + timeout]
    call = draft.choose(calls)
    call.ended = call.began + 1


def left_out(draft: Draft) -> None:
    """A close leaves out a push that was held before."""
    account = draft.account
    closes = {call.told["step"]: call for call in draft.history.answered("close")}
    pushes = [
        push
        for step, close in closes.items()
        for push in account.groups[step]
        if step < account.last and min(c.ended for c in draft.calls(push) if c.ended) < close.began
    ]
    push = draft.choose(pushes)
    for call in draft.calls(push):
        if call.receipt:
            call.receipt["round"]["step"] += 1
            call.receipt["step"] += call.status == 200
    draft.add(push, -1, account.pushes[push].step)
    draft.add(push, 1, account.pushes[push].step + 1)
