"""What the demo shows while it trains: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time


class Progress:
    """One line that says how far a run is, how fast, and how well it does."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._began = title, total, time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._shown = -1
        self._accuracies = [0.0]

    def tested(self, accuracy: float) -> None:
        """Notes a test of the model as it is now."""
        self._accuracies.append(accuracy)

    def accuracy(self) -> float:
        """The mean of the last five tests: a single one depends on the last few batches, by a point up or down."""
        last = self._accuracies[-5:]
        return sum(last) / len(last)

    def show(self, step: int, loss: float) -> None:
        """Draws the bar; where the output is not a terminal, only every tenth part."""
        if not self._terminal and step * 10 // self._total == self._shown:
            return
        self._shown = step * 10 // self._total
        filled = 24 * step // self._total
        speed = step / max(1e-9, time.monotonic() - self._began)
        tested = f"  test accuracy {100 * self._accuracies[-1]:.1f} %" if len(self._accuracies) > 1 else ""
        line = (
            f"{self._title:<18} {'█' * filled}{'░' * (24 - filled)} {step:>6}/{self._total} "
            f"{speed:6.1f} steps/s  loss {loss:.3f}{tested}"
        )
        print(f"\r{line}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr, flush=True)

    def close(self) -> float:
        """Ends the line; the seconds that the run took."""
        if self._terminal:
            print(file=sys.stderr)
        return time.monotonic() - self._began
