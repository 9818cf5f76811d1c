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

#: KiB of the daemon's memory for each pull that waits: 32 of it are the library's memory for a connection.
MOST_KIB = 48
#: How many times as long as a pull that does not wait a woken one may take, with the push.
MOST_RATIO = 10
#: Seconds in which the daemon notices that clients have left, and in which it must on any machine.
NOTICED, NOTICED_ANYWHERE = 2, 20


@dataclass
class Wait:
    """One wait of all pulls."""

    kib: float
    seconds: float
    ratio: float

    def __str__(self) -> str:
        return (
            f"{self.kib:6.1f} KiB each, woken and answered in {self.seconds:.3f} s, {self.ratio:.2f} times plain pulls"
        )


@dataclass
class Result:
    """All waits, and how long the daemon took to notice that the clients had left, after a reset and without one."""

    waits: list[Wait]
    noticed: dict[str, float]

    @property
    def faults(self) -> list[str]:
        """What exceeds the limit for any machine."""
        heavy = [f"wait {n}: {wait.kib:.1f} KiB each" for n, wait in enumerate(self.waits, 1) if wait.kib >= MOST_KIB]
        slow = [f"wait {n}: {wait.ratio:.1f} times" for n, wait in enumerate(self.waits, 1) if wait.ratio >= MOST_RATIO]
        late = [f"{how}: noticed after {s:.1f} s" for how, s in self.noticed.items() if s >= NOTICED_ANYWHERE]
        return heavy + slow + late


def own_bytes(daemon: Daemon) -> int:
    """The daemon's physical memory, without pages of files."""
    fields = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in fields if line.startswith("RssAnon:"))


def wait_once(daemon: Daemon, api: Api, crowd: Crowd, before: int) -> Wait:
    """Parks all, wakes them with a push, and checks that each gets that version."""
    count, cursor = len(crowd.sockets), api.get("/v1/models/m").json()["cursor"]
    crowd.send("/v1/models/m/parameters")
    plain = crowd.read()
    assert plain.answers == {(200, cursor): count}
    crowd.send(f"/v1/models/m/parameters?since={cursor}&wait=300s")
    until_waiting(api, count)
    kib = (own_bytes(daemon) - before) / 1024 / count
    began = time.monotonic()
    receipt = api.push("m", {"w": [1, 1]}).json()
    woken = crowd.read()
    assert receipt["woken"] == count and woken.answers == {(200, receipt["cursor"]): count}
    seconds = time.monotonic() - began
    return Wait(kib, seconds, seconds / plain.seconds)


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
    """Measures a daemon of its own."""
    with Daemon("--durability", "none", "--log-level", "error") as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}})
        before = own_bytes(daemon)
        with Crowd(daemon.host, daemon.port, pulls) as crowd:
            results = [wait_once(daemon, api, crowd, before) for _ in range(waits)]
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
