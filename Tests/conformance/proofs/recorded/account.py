"""What a history says about each push and each step, before any rule is applied."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .calls import Call, History, Push
from .modes import has_rounds

REFUSED = ("stale", "round-closed", "already-in-round", "fenced", "not-registered", "round-dropped")


class Evidence:
    """The highest number that any answer had told by a given time."""

    def __init__(self, told: Iterable[tuple[int, int]]) -> None:
        self._times, self._most = list[int](), list[int]()
        for time, number in sorted(told):
            self._times.append(time)
            self._most.append(max(number, self._most[-1] if self._most else 0))

    def before(self, time: int) -> int:
        """The highest number that was told before this time; 0 if none was."""
        place = bisect.bisect_left(self._times, time)
        return self._most[place - 1] if place else 0

    def first(self, number: int) -> int | None:
        """When this number or a higher one was told for the first time."""
        place = bisect.bisect_left(self._most, number)
        return self._times[place] if place < len(self._times) else None


@dataclass
class Facts:
    """Everything that is told about one push."""

    began: int
    asked: dict[str, int | None]
    calls: list[Call] = field(default_factory=list)
    applied: set[int] = field(default_factory=set)
    """The steps of its receipts."""
    held: set[int] = field(default_factory=set)
    """The steps of the rounds that it was held in."""
    step: int | None = None
    """Its step, if it is counted."""
    is_unsure: bool = False
    """Whether it may belong to an earlier step, because no client was told."""

    @property
    def refusal(self) -> str:
        """Why it was refused; empty if it was not, or if an attempt without an answer may have been accepted."""
        slugs = {call.slug for call in self.calls} & set(REFUSED)
        dropped = any(call.told.get("outcome") == "dropped" for call in self.calls)
        attempts = sum(call.attempts for call in self.calls if call.kind == "push")
        if dropped or "round-dropped" in slugs:
            return "round-dropped"
        return min(slugs) if slugs and attempts == 1 else ""


class Account:
    """The pushes and steps of a history."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.has_rounds = has_rounds(history.consistency)
        self.pulls = sorted(history.answered("pull"), key=lambda pull: (pull.told["step"], pull.began))
        self.pushes = self._pushes()
        self.patches = self._patches()
        self.steps = Evidence(self._told_steps())
        self.versions = Evidence(self._told_versions())
        self.last = max((pull.told["step"] for pull in self.pulls), default=0)
        self.received = self._received()
        self.groups: dict[int, set[Push]] = defaultdict(set)
        self._settle()

    def _pushes(self) -> dict[Push, Facts]:
        pushes: dict[Push, Facts] = {}
        for call in self.history.calls:
            if call.kind not in ("push", "outcome"):
                continue
            facts = pushes.setdefault(call.push, Facts(call.began, call.asked))
            facts.calls.append(call)
            state = call.receipt.get("round", {}).get("state", "closed")
            if call.receipt and state == "closed":
                facts.applied.add(call.receipt["step"])
            elif call.receipt and state == "held":
                facts.held.add(call.receipt["round"]["step"])
        return pushes

    def _patches(self) -> list[tuple[int, float]]:
        """The step after which each change of the rate came, with the rate: versions count steps and changes."""
        patches: list[tuple[int, float]] = []
        rate = 1.0
        for call in self.history.answered("patch"):
            if call.asked["rate"] != rate:
                rate = call.asked["rate"]
                patches.append((call.told["version"] - 2 - len(patches), rate))
        return patches

    def _told_steps(self) -> Iterable[tuple[int, int]]:
        for call in self.history.calls:
            if call.ended is None or call.status >= 300:
                continue
            told = call.receipt if call.kind in ("push", "outcome") else call.told
            yield call.ended, told.get("step", 0)
            if call.receipt.get("round", {}).get("state") == "held":
                yield call.ended, told["round"]["step"] - 1

    def _told_versions(self) -> Iterable[tuple[int, int]]:
        for call in self.history.calls:
            if call.ended is not None and call.status in (200, 202, 304):
                yield call.ended, (call.receipt or call.told).get("version", 0)

    def _received(self) -> dict[int, set[int]]:
        """The numbers of pushes that answers tell for a step."""
        received: dict[int, set[int]] = defaultdict(set)
        for call in self.history.calls:
            told = call.told if call.kind == "close" and call.status == 200 else call.receipt
            if told.get("round", {}).get("state") == "closed":
                received[told["step"]].add(told["round"]["received"])
        return received

    # MARK: Steps of pushes that no client was told of

    def _settle(self) -> None:
        for push, facts in self.pushes.items():
            if facts.applied:
                self._put(push, min(facts.applied))
        open_ones = {push: found for push in self.pushes if (found := self._range(push)) is not None}
        while open_ones:
            certain = {push: steps[0] for push in open_ones if len(steps := self._fitting(push, open_ones[push])) == 1}
            if not certain:
                break
            push, step = min(certain.items())
            self._put(push, step)
            del open_ones[push]
        for push, steps in sorted(open_ones.items(), key=lambda entry: (entry[1].stop, entry[0])):
            # Any step that fits will do: those with the least choice come first.
            self.pushes[push].is_unsure = True
            self._put(push, min(self._fitting(push, steps), default=steps[-1]))

    def _put(self, push: Push, step: int) -> None:
        self.pushes[push].step = step
        self.groups[step].add(push)

    def _range(self, push: Push) -> range | None:
        """The steps that may have applied a push without a receipt, by what pulls show; None if none shows it."""
        if self.pushes[push].applied:
            return None
        place, unseen = self.history.place(push), 0
        for pull in self.pulls:
            if pull.told["values"][place]:
                return range(min(unseen, pull.told["step"] - 1) + 1, pull.told["step"] + 1)
            unseen = pull.told["step"]
        return None

    def _fitting(self, push: Push, steps: range) -> list[int]:
        """Those steps that lack a push and were not answered before this push began."""
        facts = self.pushes[push]
        if len(steps) == 1 or (facts.held and facts.held < set(steps)):
            return [min(facts.held & set(steps) or steps)]
        return [s for s in steps if self._lacks(s) and s > self.steps.before(facts.began)]

    def _lacks(self, step: int) -> bool:
        most = max(self.received[step], default=self.history.clients * self.history.numbers) if self.has_rounds else 1
        return len(self.groups[step]) < most

    # MARK: Questions

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return ([1.0] + [rate for after, rate in self.patches if after < step])[-1]

    def patches_before(self, step: int) -> int:
        """The number of changes of the rate before a step."""
        return sum(after < step for after, _ in self.patches)

    def staleness(self, push: Push, step: int) -> int:
        """The updates between the pull that a push is based on and its own."""
        base = self.pushes[push].asked["base"]
        return 0 if base is None else max(0, step - 1 - base)

    def possible(self, time: int) -> int:
        """The highest step that the server can have made by this time: all its pushes had begun."""
        step = 0
        while step < self.last and all(self.pushes[push].began < time for push in self.groups[step + 1]):
            step += 1
        return step
