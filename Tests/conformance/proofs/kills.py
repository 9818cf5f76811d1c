"""kill -9 at moments that a seed chooses, while clients change models in every way and push to a shared one.

`deploy/prove kills --count 400 --seed 1`
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from support.daemon import REPOSITORY
from support.faults import (
    Load,
    Victim,
    check_steps,
    check_sums,
    definition,
    digest,
    reference_digest,
    temporary,
)

from .changes import Changer, Ledger

CHANGERS = 4


@dataclass
class Figures:
    """The figures of a run: its kills, the acknowledged changes, and the outcome of changes without an answer."""

    kills: int = 0
    pushes: int = 0
    changes: int = 0
    kept: int = 0
    not_kept: int = 0

    def __str__(self) -> str:
        open_ones = f"{self.kept + self.not_kept} unanswered changes, of which {self.kept} were kept"
        acknowledged = f"{self.pushes + self.changes} acknowledged changes ({self.pushes} pushes to a shared model)"
        return f"{self.kills} kills, {acknowledged}: 0 lost, 0 doubled; {open_ones}, each once"


def kill_loop(place: Path, kills: int, seed: int, *arguments: str) -> Figures:
    """Kills the daemon repeatedly, and fails where its state differs from what the clients were told."""
    chance = random.Random(seed)
    data, ledger = place / "data", Ledger(place / "changes.jsonl")
    # Without syncs a start after a kill skips versions, which only the shared model's sums ignore.
    counted = "none" not in arguments
    changers = [Changer(number, chance.getrandbits(32), ledger) for number in range(CHANGERS * counted)]
    daemon = Victim(data, *arguments)
    daemon.api().create("m", definition())
    load = Load("m")
    load.start(daemon)
    try:
        for _ in range(kills):
            with changing(changers, daemon):
                time.sleep(chance.uniform(0.02, 0.4))
                daemon.kill()
            daemon = Victim(data, *arguments)
            load.retarget(daemon)
        for changer in changers:
            changer.settle(daemon.api())
    except BaseException:
        load.abandon()
        daemon.kill()
        raise
    pushes = load.finish()
    assert sum(pushes.values()) > 5 * kills, "too little was pushed for the kills to prove anything"
    check_sums(daemon.api(), "m", pushes)
    ordered = check_steps(load.acknowledged)
    assert daemon.stop() == 0
    # The digest includes receipts, and receipts contain versions.
    assert not counted or digest(data, "m") == reference_digest("m", ordered)
    total = {name: sum(changer.counts[name] for changer in changers) for name in ("acknowledged", "kept", "not kept")}
    return Figures(kills, sum(pushes.values()), total["acknowledged"], total["kept"], total["not kept"])


@contextlib.contextmanager
def changing(changers: list[Changer], daemon: Victim) -> Iterator[None]:
    """Lets each changer work until the daemon dies; an error that one of them finds fails the loop."""
    with ThreadPoolExecutor(max(1, len(changers))) as pool:
        work = [pool.submit(changer.run, daemon) for changer in changers]
        yield
        for part in work:
            part.result()


def main() -> int:
    """Returns 0 when nothing was lost or applied twice; the log of a failed run is kept."""
    parser = argparse.ArgumentParser(prog="deploy/prove kills", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("arguments", nargs="*", help="for the daemon, after --")
    options = parser.parse_args()
    began = time.monotonic()
    with temporary() as place:
        try:
            figures = kill_loop(place, options.count, options.seed, *options.arguments)
        except BaseException:
            kept = REPOSITORY / f"kills-{options.seed}.jsonl"
            kept.write_bytes((place / "changes.jsonl").read_bytes())
            print(f"seed {options.seed} failed; its log is {kept}", file=sys.stderr)
            raise
    print(f"seed {options.seed}: {figures}; {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
