"""The longest job of the network threads, and a rule for verdicts on it that a pause of the host cannot decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .wire import Api

#: Seconds between rounds, two minutes in all.
PAUSES = (1, 2, 4, 8, 15, 30, 60)


def longest_job(api: Api) -> float:
    """The longest processor time of one job on a network thread since the daemon's start, in milliseconds."""
    return float(api.get("/v1/server").json()["network"]["longest_job_us"]) / 1000


def in_every_round(run: Callable[[], set[str]], pauses: Sequence[float] = PAUSES) -> set[str]:
    """Repeats a round until it finds nothing too slow, or no pause is left; returns what every round found.

    A virtual machine counts its pauses as processor time of the running thread, and a busy host pauses it again and
    again for about a minute. A job that is too long is too long in every round, so one good round is enough. The pauses
    grow, so that the last rounds come after such a minute. `run` starts a daemon of its own, because a daemon reports
    the longest job since its start.
    """
    found = run()
    for pause in pauses:
        if not found:
            break
        print(f"{len(found)} too slow: repeated after {pause} s")
        time.sleep(pause)
        found &= run()
    return found
