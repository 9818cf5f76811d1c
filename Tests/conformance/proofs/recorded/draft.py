"""A copy of a history in which a mistake is planted."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from .account import Account
from .calls import Call, History, Push


class UnsuitableError(Exception):
    """The history has nothing that this mistake could spoil."""


@dataclass
class Draft:
    """A copy of a history, and the choices of a seed."""

    history: History
    account: Account
    chance: random.Random

    def choose(self, candidates: list[Any]) -> Any:
        """One of the candidates."""
        if not candidates:
            raise UnsuitableError
        return self.chance.choice(candidates)

    def applied(self) -> list[Push]:
        """Pushes with a receipt that some pull shows, but not those of the last step."""
        facts = self.account.pushes
        return [push for push in facts if facts[push].applied and min(facts[push].applied) < self.account.last]

    def calls(self, push: Push) -> list[Call]:
        """The calls about a push."""
        return [call for call in self.history.calls if call.kind in ("push", "outcome") and call.push == push]

    def receipts(self, step: int) -> list[dict[str, Any]]:
        """The receipts and closings that name a step."""
        told = [call.told if call.kind == "close" else call.receipt for call in self.history.calls]
        return [each for each in told if each.get("round", {}).get("state") == "closed" and each["step"] == step]

    def add(self, push: Push, times: int, since: int) -> None:
        """Adds what a push has added once more, or takes it away, in all pulls since a step."""
        values = [pull.told["values"] for pull in self.account.pulls if pull.told["step"] >= since]
        place = self.history.place(push)
        once = max((each[place] for each in values), default=0.0) or float(self.history.amount(push))
        for each in values:
            each[place] = float(np.float32(each[place] + times * once))
            each[-1] = float(np.float32(each[-1] + times * once))

    def erase(self, push: Push) -> None:
        """Makes a push one that its round does not have."""
        step = self.account.pushes[push].step
        self.add(push, -1, step)
        for told in self.receipts(step):
            told["round"]["received"] -= 1
