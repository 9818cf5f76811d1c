"""Attacks a daemon from every side and kills it, while honest workers push and pull: nothing acknowledged may be lost.

deploy/torture --minutes 20 [--seed 1]
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from support.faults import Load, Victim, check_steps, check_sums, definition, digest, reference_digest, temporary
from support.wire import Api

from . import attacks
from .fuzz.corpus import prepare

MEMORY = 256 << 20
ARGUMENTS = ("--memory", str(MEMORY), "--snapshot-after", "1M", "--log-level", "error")
#: A reference daemon is fed one push after another, which takes too long for more.
MOST_FOR_A_REFERENCE = 20_000


@dataclass
class Outcome:
    """The results of a run, as rows of the printed table."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def row(self, name: str, value: object, fault: str | None = None) -> None:
        """Adds a row; a fault fails the run."""
        self.rows.append((name, f"{value}{' FAULT' if fault else ''}"))
        if fault:
            self.faults.append(fault)

    def __str__(self) -> str:
        return "\n".join(f"{name:<34} {value}" for name, value in self.rows)


def descriptors(daemon: Victim) -> int:
    """Counts the daemon's open files and sockets."""
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def resident(daemon: Victim) -> int:
    """Returns the daemon's resident memory in bytes."""
    pages = int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1])
    return pages * 4096


class Reader:
    """Pulls what the workers push; a version that was shown never goes back."""

    def __init__(self, load: Load) -> None:
        self.pulls, self.faults, self._last = 0, list[str](), 0
        self._load, self._ended = load, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def finish(self) -> None:
        """Stops pulling."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            try:
                page = Api(*self._load.address).get(f"/v1/models/{self._load.model}/parameters").json()
            except (OSError, AssertionError, HTTPException):
                continue
            self.pulls += 1
            if page["step"] < self._last:
                self.faults.append(f"step {page['step']} was shown after step {self._last}")
            self._last = max(self._last, page["step"])


def run(minutes: float, seed: int) -> Outcome:
    """One run; its last third has no kills, and the attacks in it must leave no trace."""
    outcome, rng = Outcome(), random.Random(seed)
    with temporary() as place:
        daemon = Victim(place, *ARGUMENTS)
        api = daemon.api()
        prepare(api)
        api.create("honest", definition())
        before = descriptors(daemon), resident(daemon)
        load = Load("honest")
        load.start(daemon)
        reader, target = Reader(load), attacks.Target((daemon.host, daemon.port), seed)
        threads = attacks.begin(target)
        began, kills = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < minutes * 60:
            time.sleep(min(rng.uniform(1, 5), minutes * 60 - elapsed))
            if daemon.process.poll() is not None:
                outcome.row("the daemon", "ended", f"it ended by itself with {daemon.process.returncode}")
                break
            if elapsed < minutes * 40:
                daemon.kill()
                daemon, kills = Victim(place, *ARGUMENTS), kills + 1
                target.address = (daemon.host, daemon.port)
                load.retarget(daemon)
        target.ended.set()
        for thread in threads:
            thread.join()
        reader.finish()
        _report(outcome, target, load, reader, kills)
        if not outcome.faults:
            _settle(outcome, daemon, before)
            _check(outcome, daemon, load)
        daemon.stop()
        if not outcome.faults:
            _check_digest(outcome, place, load)
    return outcome


def _report(outcome: Outcome, target: attacks.Target, load: Load, reader: Reader, kills: int) -> None:
    for name, count in sorted(target.counts.items()):
        outcome.row(name.replace("_", " "), count)
    outcome.row("answers to the fuzzer", dict(sorted(target.statuses.items())), next(iter(target.faults), None))
    outcome.row("kills", kills)
    outcome.row("pushes acknowledged", len(load.acknowledged), next(iter(load.failures), None))
    outcome.row("pulls", reader.pulls, next(iter(reader.faults), None))


def _settle(outcome: Outcome, daemon: Victim, before: tuple[int, int]) -> None:
    """Waits up to a long limit until the daemon has cleaned up after the attackers and uses no more than before."""
    until = time.monotonic() + 120
    most = before[0] + 24
    while descriptors(daemon) > most and time.monotonic() < until:
        time.sleep(0.2)
    files, memory = descriptors(daemon), resident(daemon)
    late = f"{files} files are open, {before[0]} were" if files > most else None
    outcome.row("open files before, after", f"{before[0]}, {files}", late)
    limit = MEMORY * 5 // 4 + (64 << 20)
    large = f"{memory >> 20} MiB are resident, more than {limit >> 20}" if memory > limit else None
    outcome.row("resident MiB before, after", f"{before[1] >> 20}, {memory >> 20}", large)


def _check(outcome: Outcome, daemon: Victim, load: Load) -> None:
    pushes = load.finish()
    try:
        check_sums(daemon.api(), "honest", pushes)
        check_steps(load.acknowledged)
        outcome.row("sums and steps", "as the workers know them")
    except AssertionError as problem:
        outcome.row("sums and steps", "differ", str(problem))


def _check_digest(outcome: Outcome, place: Path, load: Load) -> None:
    if len(load.acknowledged) > MOST_FOR_A_REFERENCE:
        return
    mine, other = digest(place, "honest"), reference_digest("honest", check_steps(load.acknowledged))
    differs = None if mine == other else f"the digest is {mine}, that of the reference {other}"
    outcome.row("digest", mine, differs)


def main() -> int:
    """Runs the torture and prints the table."""
    parser = argparse.ArgumentParser(prog="deploy/torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    outcome = run(options.minutes, options.seed)
    print(outcome)
    for fault in outcome.faults:
        print(f"FAULT: {fault}")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
