"""Mistakes that a server might make in every mode, or with staleness, slack and epochs."""

from __future__ import annotations

import copy

from .draft import Draft
from .reference import states


def lost_push(draft: Draft) -> None:
    """An acknowledged push is in its step, but later pulls lack it."""
    push = draft.choose(draft.applied())
    draft.add(push, -1, draft.account.pushes[push].step)


def doubled_push(draft: Draft) -> None:
    """A push is counted twice in its step."""
    push = draft.choose(draft.applied())
    draft.add(push, 1, draft.account.pushes[push].step)


def two_rounds(draft: Draft) -> None:
    """A push is counted again in the next step."""
    push = draft.choose(draft.applied())
    draft.add(push, 1, draft.account.pushes[push].step + 1)


def two_receipts(draft: Draft) -> None:
    """The retry of a push is answered with another step."""
    push = draft.choose(draft.applied())
    again = copy.deepcopy(draft.choose([call for call in draft.calls(push) if call.receipt.get("lr")]))
    again.receipt["step"] += 1
    draft.history.calls.append(again)


def late_push(draft: Draft) -> None:
    """A push is counted in a step whose answer was told before the push began."""
    facts, told = draft.account.pushes, draft.account.steps
    push = draft.choose([push for push in draft.applied() if 0 < told.before(facts[push].began) < facts[push].step])
    step, earlier = facts[push].step, told.before(facts[push].began)
    values = [pull.told["values"] for pull in draft.account.pulls if pull.told["step"] >= step]
    once = max(each[draft.history.place(push)] for each in values)
    for pull in draft.account.pulls:
        if earlier <= pull.told["step"] < step:
            pull.told["values"][draft.history.place(push)] += once
            pull.told["values"][-1] += once
    for call in draft.calls(push):
        if call.receipt.get("step") == step:
            call.receipt["step"] = earlier


def shifted_read(draft: Draft) -> None:
    """A pull names the next step for the values of the one before."""
    pull = draft.choose([pull for pull in draft.account.pulls if pull.told["step"] < draft.account.last])
    pull.told["step"] += 1
    pull.told["version"] += 1


def stale_read(draft: Draft) -> None:
    """A pull returns what an older one returned, although newer steps were told before it began."""
    steps, pulls = draft.account.steps, draft.account.pulls
    pairs = [(old, new) for old in pulls for new in pulls if old.told["step"] < steps.before(new.began)]
    old, new = draft.choose(pairs)
    new.told = copy.deepcopy(old.told)


def missed_wake_up(draft: Draft) -> None:
    """A wait ends with the answer that nothing is newer than a version long past."""
    pull = draft.choose([pull for pull in draft.account.pulls if draft.account.versions.before(pull.began) > 1])
    pull.kind, pull.status = "wait", 304
    pull.told = {"version": draft.account.versions.before(pull.began) - 1}


def reordered(draft: Draft) -> None:
    """Two pushes of different steps, one answered before the other began, have each other's receipts."""
    answered = [call for call in draft.history.answered("push") if call.attempts == 1 and call.receipt.get("lr")]
    pairs = [(one, other) for one in answered for other in answered if one.ended < other.began]
    one, other = draft.choose([pair for pair in pairs if pair[0].told["step"] < pair[1].told["step"]])
    one.told, other.told = other.told, one.told


def pulled_too_far_ahead(draft: Draft) -> None:
    """A worker gets the parameters, although it is too far ahead of the slowest."""
    refused = draft.choose(draft.history.answered("pull", 409))
    step = draft.account.steps.before(refused.began)
    version = 1 + step + draft.account.patches_before(step)
    refused.status = 200
    refused.told = {"version": version, "step": step, "values": states(draft.account)[step].tolist()}


def held_back(draft: Draft) -> None:
    """A worker is refused, although it is not ahead."""
    first = min(draft.account.pulls, key=lambda pull: (pull.asked["worker"] is None, pull.began))
    first.status, first.told = 409, {"type": "too-far-ahead"}


def full_weight(draft: Draft) -> None:
    """A stale gradient is not scaled."""
    account, limit = draft.account, draft.history.consistency["max_staleness"]
    facts = account.pushes
    push = draft.choose([push for push in draft.applied() if account.staleness(push, facts[push].step) > limit])
    draft.add(push, account.staleness(push, facts[push].step), facts[push].step)


def stale_accepted(draft: Draft) -> None:
    """A gradient beyond the bound is applied."""
    limit, facts = draft.history.consistency["max_staleness"], draft.account.pushes
    push = draft.choose([push for push in draft.applied() if facts[push].step > limit + 2])
    for call in draft.calls(push):
        call.asked["base"] = facts[push].step - limit - 2
        call.told["staleness"] = limit + 1


def refused_is_applied(draft: Draft) -> None:
    """A push that was refused is in the parameters all the same."""
    facts = draft.account.pushes
    refused = [push for push in facts if facts[push].refusal and facts[push].refusal != "round-dropped"]
    draft.add(draft.choose(refused), 1, 1)


def wrong_staleness(draft: Draft) -> None:
    """A receipt tells another staleness."""
    told = draft.choose([call for call in draft.history.answered("push") if call.receipt.get("lr")]).told
    told["staleness"] = (told["staleness"] or 0) + 1


def wrong_rate(draft: Draft) -> None:
    """A push after a change of the rate uses another one."""
    lr = draft.choose([call for call in draft.history.answered("push") if call.receipt.get("lr")]).told["lr"]
    lr["default"] *= 2


def repeated_epoch(draft: Draft) -> None:
    """Two registrations get the same epoch."""
    calls = draft.history.answered("register")
    one = draft.choose(calls)
    draft.choose([call for call in calls if call is not one]).told["epoch"] = one.told["epoch"]


def unfenced(draft: Draft) -> None:
    """A push of an epoch that has ended is applied."""
    facts = draft.account.pushes
    refused = [push for push in facts if facts[push].refusal == "fenced"]
    push, other = draft.choose(refused), draft.choose(draft.applied())
    for call in draft.calls(push):
        call.status, call.told = 200, copy.deepcopy(next(c for c in draft.calls(other) if c.receipt.get("lr")).receipt)
    draft.add(push, 1, facts[other].step)
