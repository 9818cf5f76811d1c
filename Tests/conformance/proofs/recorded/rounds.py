"""The rules about the pushes of a step: what a mode needs, and when a round may close."""

from __future__ import annotations

from collections.abc import Iterator

from .account import Account
from .calls import Push
from .findings import Finding, name
from .modes import is_single, seconds


def steps_hold_what_they_need(account: Account) -> Iterator[Finding]:
    """A step has one push, or the pushes that its mode needs, each worker's once."""
    for step in range(1, account.last + 1):
        group = account.groups[step]
        if not group:
            yield Finding("empty", f"step {step} has no push")
        elif not account.has_rounds and len(group) > 1:
            yield Finding("shared-step", f"{' and '.join(map(name, sorted(group)))} are step {step}")
        elif account.has_rounds:
            yield from round_findings(account, step, group)


def round_findings(account: Account, step: int, group: set[Push]) -> Iterator[Finding]:
    """What is wrong with the pushes of one round."""
    told, is_sure = account.received[step], not any(account.pushes[push].is_unsure for push in group)
    if len(told) > 1 or (told and is_sure and told != {len(group)}):
        yield Finding("wrong-count", f"step {step} has {len(group)} pushes; its answers say {sorted(told)}")
    numbered = [push[0] for push in group if account.pushes[push].asked["seq"] is not None]
    if not is_single(account.history.consistency) and len(set(numbered)) < len(numbered):
        yield Finding("twice-in-round", f"step {step} has more than one push of one of the workers {sorted(numbered)}")
    if is_sure and not was_ended(account, step):
        yield from size_findings(account, step, group)


def was_ended(account: Account, step: int) -> bool:
    """Whether the end of the history has closed the round, with whatever it held."""
    ends = account.history.answered("end")
    return bool(ends) and step > account.steps.before(ends[0].began)


def size_findings(account: Account, step: int, group: set[Push]) -> Iterator[Finding]:
    """A round closes when it is full, at its deadline with a quorum, or by a request."""
    consistency = account.history.consistency
    if consistency["mode"] == "manual":
        closes = [call for call in account.history.answered("close") if call.told["step"] == step]
        if len(closes) > 1 or (not closes and not may_have_closed(account)):
            yield Finding("wrong-close", f"step {step} was closed by {len(closes)} requests")
        return
    if consistency.get("workers") == "registered":
        if missing := still_registered(account, step) - {push[0] for push in group}:
            yield Finding("too-few", f"step {step} lacks the registered workers {sorted(missing)}")
        return
    needed = consistency.get("workers", consistency.get("min_pushes"))
    if len(group) > needed:
        yield Finding("too-many", f"step {step} has {len(group)} pushes of {needed}")
    elif len(group) < needed and not was_due(account, step, group):
        yield Finding("too-few", f"step {step} closed with {len(group)} pushes of {needed}")


def may_have_closed(account: Account) -> bool:
    """Whether an attempt whose answer was not read may have closed a round, after a later one had found it empty."""
    return any(call.attempts > 1 for call in account.history.answered("close", 409))


def was_due(account: Account, step: int, group: set[Push]) -> bool:
    """Whether the round may have closed at its deadline."""
    consistency = account.history.consistency
    due = min(account.pushes[push].began for push in group) + seconds(consistency["round_timeout"]) * 1e9
    return len(group) >= consistency.get("min_pushes", len(group) + 1) and (account.steps.first(step) or due) >= due


def still_registered(account: Account, step: int) -> set[int]:
    """The clients that were registered for certain when the round of a step closed."""
    begins = max(account.pushes[push].began for push in account.groups[step])
    first = account.steps.first(step)
    joined = {call.client for call in account.history.answered("register") if call.ended < begins}
    for call in account.history.calls:
        if call.kind == "delete" and call.client in joined and (first is None or call.began < first):
            joined.discard(call.client)
    return joined


def closes_leave_nothing(account: Account) -> Iterator[Finding]:
    """A round that a request closes has every push that was held before the request began."""
    for close in account.history.answered("close", 200, 409):
        limit = close.told["step"] if close.status == 200 else account.possible(close.ended)
        for push, facts in account.pushes.items():
            held = [call.ended for call in facts.calls if call.status == 202 and call.kind == "push"]
            if held and min(held) < close.began and facts.step is not None and facts.step > limit:
                yield Finding("left-out", f"{name(push)} is in step {facts.step}, and a later close made step {limit}")
