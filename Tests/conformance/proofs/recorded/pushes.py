"""The rules about the outcome of pushes: one step for each, none lost, in real time, each of its epoch."""

from __future__ import annotations

from collections.abc import Iterator

from .account import Account, Evidence
from .findings import Finding, name


def pushes_have_one_step(account: Account) -> Iterator[Finding]:
    """All receipts of a push name the same step, and it is that of the round that held it."""
    for push, facts in account.pushes.items():
        if len(facts.applied) > 1:
            yield Finding("two-steps", f"{name(push)}: {sorted(facts.applied)}")
        if len(facts.held) > 1 or (facts.held and facts.step is not None and facts.held != {facts.step}):
            yield Finding("moved", f"{name(push)} was held for {sorted(facts.held)}, and is in step {facts.step}")


def held_pushes_are_applied(account: Account) -> Iterator[Finding]:
    """A push that was acknowledged is in its round, unless the round was dropped and may be."""
    consistency = account.history.consistency
    may_drop = consistency.get("on_timeout") == "drop"
    for push, facts in account.pushes.items():
        if facts.refusal and facts.step is not None:
            yield Finding("refused", f"{name(push)} was refused as {facts.refusal}, and is in step {facts.step}")
        if facts.held and facts.step is None and not (may_drop or facts.refusal == "round-dropped"):
            yield Finding("lost", f"{name(push)} was held for step {min(facts.held)}, and is in no state")
        if facts.refusal == "round-dropped" and not may_drop:
            yield Finding("dropped", f"{name(push)}, in a mode that drops nothing")
        for call in facts.calls:
            told = call.receipt.get("round", {})
            if told.get("state") == "dropped" and told["received"] >= consistency.get("min_pushes", 0):
                yield Finding("dropped", f"{name(push)}, in a round with {told['received']} pushes")


def steps_respect_real_time(account: Account) -> Iterator[Finding]:
    """What begins after the answer of a step belongs to a later one."""
    for push, facts in account.pushes.items():
        if facts.step is not None and facts.step <= (told := account.steps.before(facts.began)):
            yield Finding("real-time", f"{name(push)} is in step {facts.step}, and began after the answer of {told}")
    for call in account.history.answered("close"):
        if call.told["step"] <= (told := account.steps.before(call.began)):
            yield Finding("real-time", f"a close of step {call.told['step']} began after the answer of {told}")
    patches = account.history.answered("patch")
    for call in patches:
        if call.told["version"] < (told := account.versions.before(call.began)):
            yield Finding("real-time", f"a patch of version {call.told['version']} began after the answer of {told}")


def epochs_rise(account: Account) -> Iterator[Finding]:
    """Each registration has its own epoch, higher than all that were told before, and ends the earlier ones."""
    calls = account.history.answered("register")
    told = Evidence((call.ended or 0, call.told["epoch"]) for call in calls)
    for call in calls:
        if call.told["epoch"] <= told.before(call.began):
            yield Finding("epoch", f"{call.told['epoch']} of client {call.client}, after {told.before(call.began)}")
    epochs = [call.told["epoch"] for call in calls]
    if len(set(epochs)) < len(epochs):
        yield Finding("epoch", "an epoch was given twice")
    for push, facts in account.pushes.items():
        later = [call for call in calls if call.client == push[0] and call.told["epoch"] > (facts.asked["epoch"] or 0)]
        if facts.step is not None and any(call.ended < facts.began for call in later):
            yield Finding("fence", f"{name(push)} of epoch {facts.asked['epoch']} began after a later registration")
