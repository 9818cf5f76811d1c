"""Records histories of a daemon under kills, judges each, and plants bugs in them that must be found.

deploy/prove histories [--count 10] [--seed 1] [--clients 8 16] [--operations 120] [--kills 2] [--bugs]
deploy/prove histories --modes [sync drop ...]   in every mode, or in those: rounds, staleness and slack are judged too
deploy/prove histories --known FOLDER       judges histories whose verdicts are known
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from support.faults import temporary

from .history import Recorder, Settings, holds
from .linearizability import Operation
from .planted import BUGS, with_bug
from .porcupine import verdicts
from .recorded.calls import History
from .recorded.draft import UnsuitableError
from .recorded.judge import judge
from .recorded.modes import NAMES
from .recorded.planted import MISTAKES, with_mistake
from .recorded.recorder import Plan
from .recorded.recorder import Recorder as ModeRecorder


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


def record_modes(options: argparse.Namespace) -> bool:
    """Records the given number of histories in every mode that is named."""
    began, right, plans = time.monotonic(), 0, list(plans_of(options))
    for plan in plans:
        right += record_mode(plan, options)
    print(f"{right} of {len(plans)} histories are right, {time.monotonic() - began:.0f} s")
    return right == len(plans)


def plans_of(options: argparse.Namespace) -> Iterator[Plan]:
    """The plans of all histories; every other one has continuous snapshots and deletions."""
    for seed in range(options.seed, options.seed + options.count):
        for mode in options.modes or NAMES:
            clients = random.Random(seed).randint(*options.clients)
            arguments = ("--snapshot-after", "16K") if seed % 2 else ()
            yield Plan(mode, seed, clients, kills=options.kills, arguments=arguments)


def record_mode(plan: Plan, options: argparse.Namespace) -> bool:
    """Records and judges one history; keeps it if the verdict is against the daemon, or if it is to be kept."""
    with temporary() as place:
        recorder = ModeRecorder(plan)
        history = recorder.run(place)
    findings = judge(history)
    print(
        f"{plan.mode}, seed {plan.seed}: {len(history.calls)} calls of {plan.clients} clients, {recorder.step} steps, "
        f"{recorder.kills} kills: {len(findings)} findings",
        *findings[:5],
        sep="\n  ",
        flush=True,
    )
    if findings or options.keep:
        history.save((options.keep or Path()) / f"{plan.mode}-{plan.seed}.json.gz")
    return not findings and (not options.bugs or names_mistakes(history, plan))


def names_mistakes(history: History, plan: Plan) -> bool:
    """Whether the judge names each mistake that this history has material for."""
    planted, missed = 0, []
    for mistake in MISTAKES:
        try:
            changed = with_mistake(history, mistake, plan.seed)
        except UnsuitableError:
            continue
        planted += 1
        if not mistake.rules & {finding.rule for finding in judge(changed)}:
            missed.append(mistake.name)
    print(f"  {planted - len(missed)} of {planted} planted mistakes named", *missed, flush=True)
    return not missed


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
    parser.add_argument("--modes", nargs="*", choices=NAMES, help="record in these modes; without a name in all")
    parser.add_argument("--keep", type=Path, help="a folder for the histories of modes")
    parser.add_argument("--known", type=Path, help="judge the histories of this folder instead")
    options = parser.parse_args()
    if options.known:
        return 0 if judge_known(options.known) else 1
    return 0 if (record_all if options.modes is None else record_modes)(options) else 1


if __name__ == "__main__":
    sys.exit(main())
