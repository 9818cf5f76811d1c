"""Records histories of a daemon under kills, judges each, and plants bugs in them that must be found.

deploy/prove histories [--count 10] [--seed 1] [--clients 8 16] [--operations 120] [--kills 2] [--bugs]
deploy/prove histories --known FOLDER       judges histories whose verdicts are known
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from support.faults import temporary

from .history import Recorder, Settings, holds
from .linearizability import Operation
from .planted import BUGS, with_bug
from .porcupine import verdicts


def record_and_judge(settings: Settings, with_bugs: bool) -> bool:
    """Records and judges one history; returns its description and its verdict."""
    with temporary() as place:
        recorder = Recorder(settings)
        history = recorder.run(place)
    verdict = holds(history, settings.clients)
    lost = sum(operation.ended is None for operation in history)
    print(
        f"seed {settings.seed}: {len(history)} operations of {settings.clients} clients, {recorder.kills} kills, "
        f"{lost} without an answer: {'linearizable' if verdict else 'NOT LINEARIZABLE'}",
        flush=True,
    )
    if not verdict:
        Path(f"history-{settings.seed}.txt").write_text("\n".join(map(str, history)))
    return verdict and (not with_bugs or finds_bugs(history, settings))


def finds_bugs(history: list[Operation], settings: Settings) -> bool:
    """Whether the search finds each bug that is planted in this history."""
    missed = [bug.__name__ for bug in BUGS if holds(with_bug(history, bug, settings.seed), settings.clients)]
    print(f"  {len(BUGS) - len(missed)} of {len(BUGS)} planted bugs found", *missed, flush=True)
    return not missed


def record_all(options: argparse.Namespace) -> bool:
    """Records the given number of histories, each with its own seed."""
    began, right = time.monotonic(), 0
    for seed in range(options.seed, options.seed + options.count):
        clients = random.Random(seed).randint(*options.clients)
        settings = Settings(seed, clients, options.operations, options.kills)
        right += record_and_judge(settings, options.bugs)
    print(f"{right} of {options.count} histories are right, {time.monotonic() - began:.0f} s")
    return right == options.count


def judge_known(folder: Path) -> bool:
    """Judges every history of the folder; returns whether each verdict is the known one."""
    right = total = 0
    for name, known, found, operations in verdicts(folder):
        total, right = total + 1, right + (known == found)
        print(f"{name}: {operations} operations, {'ok' if found else 'bad'}{'' if known == found else ' (WRONG)'}")
    print(f"{right} of {total} verdicts are right")
    return right == total > 0


def main() -> int:
    """Returns 0 when every verdict is right."""
    parser = argparse.ArgumentParser(prog="deploy/prove histories", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, nargs=2, default=(8, 16), help="the least and the most")
    parser.add_argument("--operations", type=int, default=120, help="of each client")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--bugs", action="store_true", help="plant bugs in each history too")
    parser.add_argument("--known", type=Path, help="judge the histories of this folder instead")
    options = parser.parse_args()
    return 0 if (judge_known(options.known) if options.known else record_all(options)) else 1


if __name__ == "__main__":
    sys.exit(main())
