"""Recorded costs in data/costs.json, and how far a measured one may be from them in either direction.

A cost of zero is not in the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parents[1] / "data/costs.json"
#: Taken out, because a daemon would refuse it as an unknown setting.
WRITES = os.environ.pop("PARAMD_WRITE_COSTS", "") == "1"
BETTER = "record the better figure with PARAMD_WRITE_COSTS=1"
WORSE = "find out why; if it is worth it, record it with PARAMD_WRITE_COSTS=1"


@dataclass(frozen=True)
class Margin:
    """How far a figure may be above and below the recorded one: shares of it, and a number that is added to both."""

    above: float
    below: float
    more: float = 0

    def verdict(self, recorded: float, measured: float) -> str:
        """What to do about the figure; empty if nothing."""
        if measured > recorded * (1 + self.above) + self.more:
            return WORSE
        return BETTER if measured < recorded * (1 - self.below) - self.more else ""


#: What a request needs; on a busy machine two threads may share a write that is not part of the request.
NEEDED = Margin(0, 0.35, 0.15)
#: What the processor executes; another version of the C library executes somewhat more or less.
EXECUTED = Margin(0.1, 0.3, 1000)
#: What depends on which thread runs first, and on what else the machine does.
SCHEDULED = Margin(0.75, 0.8, 0.5)
#: What snapshots do beside the pushes: a measurement has one more of them than another.
BESIDE = Margin(1, 0.7, 2)
#: Bytes of files, over so many pushes that a snapshot makes little difference.
WRITTEN = Margin(0.1, 0.3, 1_000)
READ = Margin(0.5, 0.6, 50_000)
#: Page faults of 40 pushes of 4 MB: memory that is not kept costs a thousand for each push. A thread that needs another
#: piece of that size once, because a snapshot or a pull still has the others, makes 25 for each of the 40.
FAULTS = Margin(0.5, 0.6, 100)


@dataclass(frozen=True)
class Cost:
    """A measured figure."""

    name: str
    figure: float
    margin: Margin


def check(section: str, costs: list[Cost]) -> None:
    """Compares with the recorded figures and prints a table of both; or records them, if the environment says so."""
    everything: dict[str, dict[str, float]] = json.loads(FILE.read_text()) if FILE.exists() else {}
    recorded = everything.get(section, {})
    measured = {cost.name: round(cost.figure, 2) if cost.figure < 100 else round(cost.figure) for cost in costs}
    print(table(section, recorded, measured))
    if WRITES:
        above_zero = {name: figure for name, figure in measured.items() if figure}
        FILE.write_text(json.dumps({**everything, section: above_zero}, indent=2, sort_keys=True) + "\n")
        return
    assert recorded, f"no costs are recorded for {section}: {BETTER}"
    assert set(recorded) <= set(measured), f"{section}: {set(recorded) - set(measured)} are not measured; {BETTER}"
    verdicts = {cost.name: cost.margin.verdict(recorded.get(cost.name, 0), cost.figure) for cost in costs}
    wrong = [
        f"{n}: {measured[n]:,} for {recorded.get(n, 0):,}; {verdict}" for n, verdict in verdicts.items() if verdict
    ]
    assert not wrong, f"{section}:\n" + "\n".join(wrong)


def table(section: str, recorded: Mapping[str, float], measured: Mapping[str, float]) -> str:
    """Both figures of each cost that has one, and their ratio."""
    lines = [f"\n{section:52} {'recorded':>14} {'measured':>14}  ratio"]
    for name, figure in measured.items():
        before = recorded.get(name, 0)
        if before or figure:
            ratio = f"{figure / before:.3f}" if before else "-"
            lines.append(f"  {name:50} {before:14,} {figure:14,} {ratio:>6}")
    return "\n".join(lines)
