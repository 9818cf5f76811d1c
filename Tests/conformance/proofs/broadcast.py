"""Parks thousands of pulls, wakes all of them with one push, and prints what they cost, wait after wait.

deploy/prove broadcast [--pulls 10000] [--waits 4]
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from support.crowd import Crowd
from support.daemon import Daemon
from support.wire import Api, until_waiting, waiting

#: KiB of the daemon's memory for each pull that waits long.
MOST_KIB = 12
#: Seconds in which it has returned the memory that long waits do not need, on any machine.
RETURNED_ANYWHERE = 60
#: How many times as long as a pull that does not wait a woken one may take, with the push.
MOST_RATIO = 10
#: Seconds in which the daemon notices that clients have left, and in which it must on any machine.
NOTICED, NOTICED_ANYWHERE = 2, 20


@dataclass
class Wait:
    """One wait of all pulls."""

    kib: float
    long_kib: float | None
    receipt: float
    seconds: float
    ratio: float

    def __str__(self) -> str:
        later = "" if self.long_kib is None else f", later {self.long_kib:.1f}"
        answered = f"woken and answered in {self.seconds:.3f} s, {self.ratio:.2f} times plain pulls"
        answered += f"; the push that woke them after {1000 * self.receipt:.0f} ms"
        return f"{self.kib:6.1f} KiB each{later}; {answered}"


@dataclass
class Result:
    """All waits, and how long the daemon took to notice that the clients had left, after a reset and without one."""

    waits: list[Wait]
    noticed: dict[str, float]

    @property
    def faults(self) -> list[str]:
        """What exceeds the limit for any machine."""
        heavy = [
            f"wait {n}: {wait.long_kib:.1f} KiB each"
            for n, wait in enumerate(self.waits, 1)
            if wait.long_kib is not None and wait.long_kib >= MOST_KIB
        ]
        slow = [f"wait {n}: {wait.ratio:.1f} times" for n, wait in enumerate(self.waits, 1) if wait.ratio >= MOST_RATIO]
        late = [f"{how}: noticed after {s:.1f} s" for how, s in self.noticed.items() if s >= NOTICED_ANYWHERE]
        return heavy + slow + late


def own_bytes(daemon: Daemon) -> int:
    """The daemon's physical memory, without pages of files."""
    fields = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in fields if line.startswith("RssAnon:"))


def kib_of_long_wait(daemon: Daemon, before: int, count: int) -> float:
    """KiB for each pull once the daemon has returned what long waits do not need."""
    began, kib = time.monotonic(), float("inf")
    while kib >= MOST_KIB and time.monotonic() < began + RETURNED_ANYWHERE:
        time.sleep(0.1)
        kib = (own_bytes(daemon) - before) / 1024 / count
    return kib


def wait_once(daemon: Daemon, api: Api, crowd: Crowd, before: int, is_long: bool) -> Wait:
    """Parks all, wakes them with a push, and checks that each gets that version."""
    count, cursor = len(crowd.sockets), api.get("/v1/models/m").json()["cursor"]
    crowd.send("/v1/models/m/parameters")
    plain = crowd.read()
    assert plain.answers == {(200, cursor): count}
    crowd.send(f"/v1/models/m/parameters?since={cursor}&wait=300s")
    until_waiting(api, count)
    kib = (own_bytes(daemon) - before) / 1024 / count
    long_kib = kib_of_long_wait(daemon, before, count) if is_long else None
    began = time.monotonic()
    receipt = api.push("m", {"w": [1, 1]}).json()
    answered = time.monotonic() - began
    woken = crowd.read()
    assert receipt["woken"] == count and woken.answers == {(200, receipt["cursor"]): count}
    seconds = time.monotonic() - began
    return Wait(kib, long_kib, answered, seconds, seconds / plain.seconds)


def leave(api: Api, crowd: Crowd, reset: bool) -> float:
    """Lets all clients leave while they wait; returns after how many seconds no pull waits."""
    crowd.send("/v1/models/m/parameters?min_step=1000000&wait=300s")
    until_waiting(api, len(crowd.sockets))
    crowd.vanish(reset)
    began = time.monotonic()
    while waiting(api) > 0 and time.monotonic() < began + 2 * NOTICED_ANYWHERE:
        time.sleep(0.01)
    return time.monotonic() - began


def run(pulls: int, waits: int) -> Result:
    """Measures a daemon of its own; every second wait is a long one."""
    with Daemon("--durability", "none", "--log-level", "error") as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}})
        before = own_bytes(daemon)
        with Crowd(daemon.host, daemon.port, pulls) as crowd:
            results = [wait_once(daemon, api, crowd, before, number % 2 == 1) for number in range(waits)]
            noticed = {"closed": leave(api, crowd, reset=False)}
        with Crowd(daemon.host, daemon.port, pulls) as crowd:
            noticed["reset"] = leave(api, crowd, reset=True)
        return Result(results, noticed)


def main() -> int:
    """Prints the figures; fails beyond the limits."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pulls", type=int, default=10_000)
    parser.add_argument("--waits", type=int, default=4)
    options = parser.parse_args()
    result = run(options.pulls, options.waits)
    for number, wait in enumerate(result.waits, 1):
        print(f"wait {number} of {options.pulls} pulls: {wait}")
    for how, seconds in result.noticed.items():
        print(f"{how} by the clients: noticed after {seconds:.2f} s, goal {NOTICED}")
    for fault in result.faults:
        print(f"FAULT {fault}")
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
