"""The rules about what pulls and receipts tell: states, freshness, versions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .account import Account
from .calls import Call, Push
from .findings import Finding, name
from .reference import states


def pulls_are_states(account: Account) -> Iterator[Finding]:
    """Every pull is exactly the state of its step."""
    wanted = states(account)
    for pull in account.pulls:
        found = np.array(pull.told["values"], np.float32)
        expected = wanted[pull.told["step"]]
        if not np.array_equal(found, expected):
            yield from differences(account, pull, found, expected)


def differences(account: Account, pull: Call, found: np.ndarray, expected: np.ndarray) -> Iterator[Finding]:
    """Names the pushes that a pull lacks, or has too early, twice or wrong; else the element of all pushes is wrong."""
    step, different = pull.told["step"], np.flatnonzero(found != expected)
    for place in different[different < account.history.width - 1]:
        push = (int(place) // account.history.numbers, int(place) % account.history.numbers + 1)
        facts = account.pushes.get(push)
        where = f"{name(push)} in a pull of step {step}"
        if not found[place]:
            yield Finding("missing", f"{where}; its own is step {facts.step}")
        elif not expected[place]:
            yield Finding("early", f"{where}; its own is step {facts.step if facts else None}")
        elif found[place] % expected[place] == 0:
            yield Finding("counted-twice", f"{where}: {found[place]}, not {expected[place]}")
        else:
            yield Finding("wrong-value", f"{where}: {found[place]}, not {expected[place]}")
    is_sure = not any(facts.is_unsure for facts in account.pushes.values())
    if different[-1] == account.history.width - 1 and (is_sure or len(different) > 1):
        yield Finding("torn", f"the sum of all pushes in a pull of step {step}: {found[-1]}, not {expected[-1]}")


def reads_are_fresh(account: Account) -> Iterator[Finding]:
    """No pull returns less than what was told before it began, and no wait ends without a newer version."""
    for pull in account.pulls:
        step, version = account.steps.before(pull.began), account.versions.before(pull.began)
        if pull.told["step"] < step or pull.told["version"] < version:
            yield Finding("stale-read", f"step {pull.told['step']}, after step {step} and version {version} were told")
    for wait in account.history.answered("wait", 304):
        if wait.told["version"] < (version := account.versions.before(wait.began)):
            yield Finding("missed-wake-up", f"version {wait.told['version']} as the newest, after {version} was told")


def versions_count(account: Account) -> Iterator[Finding]:
    """A version is the first one, plus one for each step and each change of the rate before it."""
    history = account.history
    ends = [call.began for call in history.answered("end")]
    for pull in account.pulls:
        step, version = pull.told["step"], pull.told["version"]
        least = 1 + step + account.patches_before(step)
        most = 1 + step + account.patches_before(step + 1) + any(end < pull.ended for end in ends)
        if not least <= version <= most:
            yield Finding("wrong-version", f"{version} of a pull of step {step}, not {least} to {most}")
    for push, facts in account.pushes.items():
        for call in facts.calls:
            yield from receipt_findings(
                account, push, call, is_last=any(end < call.ended for end in ends if call.ended)
            )


def receipt_findings(account: Account, push: Push, call: Call, is_last: bool) -> Iterator[Finding]:
    """What is wrong with the receipt of an applied push."""
    receipt = call.receipt
    if not receipt or receipt.get("round", {}).get("state", "closed") != "closed":
        return
    step = receipt["step"]
    version = 1 + step + account.patches_before(step)
    if receipt["version"] not in (version, version + is_last):
        yield Finding("wrong-version", f"{receipt['version']} of {name(push)} of step {step}, not {version}")
    if receipt["lr"]["default"] != account.rate(step):
        yield Finding("wrong-rate", f"{receipt['lr']['default']} of {name(push)}, not {account.rate(step)}")
    is_based = account.pushes[push].asked["base"] is not None
    if receipt["staleness"] != (stale := account.staleness(push, step) if is_based else None):
        yield Finding("wrong-staleness", f"{receipt['staleness']} of {name(push)} of step {step}, not {stale}")
