"""How long a request is repeated, and the pauses in between."""

from __future__ import annotations

import random
import time

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


class Patience:
    """Pauses double from 50 ms to 5 s, with jitter, so that many workers do not return at the same moment."""

    def __init__(self) -> None:
        self.end()

    def end(self) -> None:
        """An answer came: the next failure starts a new outage."""
        self._began: float | None = None
        self._pause = _FIRST_PAUSE
        #: Whether this outage has been logged.
        self.is_told = False

    @property
    def spent(self) -> float:
        """Seconds since the start of the first failed attempt."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def pause(self, limit: float, least: float, took: float) -> bool:
        """Sleeps for at least `least` seconds; false, immediately, if that would exceed `limit` seconds.

        `took` is the duration of the first failed attempt in seconds.
        """
        if self._began is None:
            self._began = time.monotonic() - took
        left = limit - self.spent
        if left <= 0 or least > left:
            return False
        time.sleep(min(left, max(least, self._pause * random.uniform(0.5, 1.5))))
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)
        return True
