"""The bookkeeping of a training: the result of each push, and whether the server's count is the same."""

from __future__ import annotations

import time
from collections import Counter

from member import Push
from paramd import Model, Receipt


class Tally:
    """Counts pushes by their result, as the workers report it, and updates by their size, as receipts tell it."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.losses: list[tuple[int, float]] = []
        #: The model's step, as far as receipts tell it.
        self.step = 0
        self.worst_staleness = 0
        #: Pushes that the server accepted from a process that was killed before it could report them.
        self.unreported = 0
        #: By update: how many pushes its receipts say it has, and how many workers say that they are part of it.
        self._sizes: dict[int, int] = {}
        self._claims: Counter[int] = Counter()
        self._accepted: Counter[tuple[str, int]] = Counter()
        self._began = self._ended = 0.0
        self._seconds: dict[str, tuple[float, float]] = {}

    def add(self, push: Push) -> None:
        """Counts a push, which was just reported."""
        self._ended = time.monotonic()
        self._began = self._began or self._ended
        self.outcomes[push.outcome] += 1
        self.losses.append((push.step, push.loss))
        self.worst_staleness = max(self.worst_staleness, push.staleness)
        computed, waited = self._seconds.get(push.worker, (0.0, 0.0))
        self._seconds[push.worker] = computed + push.computed, waited + push.waited
        if push.outcome in ("applied", "held", "dropped"):
            self._accepted[push.worker, push.epoch] += 1
        if push.outcome == "applied":
            self._claims[push.step] += 1
            self._add_update(push.step, push.received)

    def add_round(self, receipt: Receipt) -> None:
        """Counts an update that was asked for by `POST .../step`."""
        self._add_update(receipt.step, receipt.round["received"])

    def add_death(self, worker: str, epoch: int, last_seq: int) -> None:
        """Counts what the server accepted from a killed worker, whose last push in that epoch had this number."""
        self.unreported += last_seq - self._accepted[worker, epoch]

    @property
    def seconds(self) -> float:
        """From the first report to the last."""
        return self._ended - self._began

    @property
    def applied(self) -> int:
        """Pushes that became part of an update, as far as receipts tell."""
        return sum(self._sizes.values())

    def rounds(self, size: int) -> tuple[int, int]:
        """How many updates have so many pushes or more, and how many have fewer."""
        below = sum(each < size for each in self._sizes.values())
        return len(self._sizes) - below, below

    def waiting(self, worker: str) -> float:
        """The share of a worker's time in which it waited for the server and the others."""
        computed, waited = self._seconds[worker]
        return waited / (computed + waited)

    def differences(self, model: Model) -> list[str]:
        """What does not add up: a push that is counted twice or nowhere. Call it when all workers have ended."""
        steps, open_round = model.info()["step"], model.round().get("received", 0)
        # An update of unknown size is a killed worker's, in a mode where each push is an update.
        applied = sum(self._sizes.get(step, 1) for step in range(1, steps + 1))
        accepted = self.outcomes["applied"] + self.outcomes["held"] + self.unreported
        # The push that a killed worker did not report may have been in a round that was dropped.
        dropped = self.unreported if self.outcomes["dropped"] else 0
        found = []
        if any(step > steps for step in self._sizes):
            found.append(f"the model is at step {steps}, and a receipt says step {max(self._sizes)}")
        if any(claims > self._sizes[step] for step, claims in self._claims.items()):
            found.append("more workers were told that they are part of an update than the update has pushes")
        if not 0 <= self.unreported <= 1:
            found.append(f"the killed worker did not report {self.unreported} pushes; it sends one at a time")
        if not 0 <= accepted - applied - open_round <= dropped:
            found.append(f"{accepted} pushes were accepted, {applied} applied, and {open_round} are in the open round")
        return found

    def _add_update(self, step: int, size: int) -> None:
        self.step = max(self.step, step)
        if self._sizes.setdefault(step, size) != size:
            raise SystemExit(f"two receipts of step {step} disagree: {self._sizes[step]} and {size} pushes")
