"""The rules about refusals: what must be refused, and what must not be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .account import REFUSED, Account
from .calls import Call, Push
from .findings import Finding, name

EXPECTED = (*REFUSED, "too-far-ahead", "round-empty")


def refusals_are_expected(account: Account) -> Iterator[Finding]:
    """No request is refused for a reason that its mode does not have."""
    for call in account.history.calls:
        if call.status >= 400 and call.slug not in EXPECTED:
            yield Finding("unexpected", f"{call.kind} of client {call.client}: {call.status} {call.told.get('detail')}")


def bounds_are_kept(account: Account) -> Iterator[Finding]:
    """In mode async no push beyond the bound is applied, and none within it is refused; rounds refuse late pushes."""
    limit = account.history.consistency.get("max_staleness")
    rejects = account.history.consistency.get("staleness_policy") == "reject"
    for push, facts in account.pushes.items():
        if rejects and facts.step is not None and account.staleness(push, facts.step) > limit:
            yield Finding("stale-accepted", f"{name(push)} of {facts.asked['base']} is step {facts.step}")
        for call in facts.calls:
            base, slug = facts.asked["base"] or 0, call.slug
            within = base + (limit if slug == "stale" else 0)
            if slug in ("stale", "round-closed") and account.possible(call.ended) <= within:
                yield Finding("wrongly-refused", f"{name(push)}, as {slug}, before step {within + 1} was possible")
            if slug == "already-in-round" and not has_other(account, push, call):
                yield Finding("wrongly-refused", f"{name(push)}, as {slug}, although no other can be in the round")


def has_other(account: Account, push: Push, refused: Call) -> bool:
    """Whether another push of the client may have been in the open round."""
    told = account.steps.before(refused.began)
    others = (facts for key, facts in account.pushes.items() if key[0] == push[0] and key != push)
    return any(other.began < refused.ended and (other.step is None or other.step > told) for other in others)


def the_slow_are_waited_for(account: Account) -> Iterator[Finding]:
    """In mode ssp a worker pulls only within the slack of the slowest, and is refused only beyond it."""
    consistency = account.history.consistency
    if consistency["mode"] != "ssp":
        return
    for pull in account.history.answered("pull", 200, 409):
        worker = pull.asked["worker"]
        if worker is None:
            continue
        if pull.status == 200:
            own, slowest = acknowledged(account, worker, pull.began), slowest_in(account, pull)
            if own - slowest > consistency["slack"]:
                yield Finding("too-far-ahead", f"worker {worker} pulled after {own} pushes; the slowest has {slowest}")
        else:
            own, slowest = begun(account, worker, pull.ended), slowest_by(account, pull.began)
            if own - slowest <= consistency["slack"]:
                yield Finding("wrongly-refused", f"a pull of worker {worker} at {own}; the slowest has {slowest}")


def acknowledged(account: Account, client: int, time: int) -> int:
    """The pushes of a client that had been applied for certain by this time."""
    answers = {call.push for call in account.history.answered("push") if call.client == client and call.ended < time}
    return len(answers)


def begun(account: Account, client: int, time: int) -> int:
    """The applied pushes of a client that had begun by this time."""
    return sum(
        facts.step is not None and facts.began < time for push, facts in account.pushes.items() if push[0] == client
    )


def slowest_in(account: Account, pull: Call) -> int:
    """The fewest pushes of any client in the parameters that a pull returned."""
    values = np.array(pull.told["values"][:-1]).reshape(account.history.clients, account.history.numbers)
    return int(np.count_nonzero(values, axis=1).min())


def slowest_by(account: Account, time: int) -> int:
    """The fewest pushes of any client in the steps that had been told by this time."""
    told = account.steps.before(time)
    counts = [0] * account.history.clients
    for push, facts in account.pushes.items():
        counts[push[0]] += facts.step is not None and facts.step <= told
    return min(counts)
