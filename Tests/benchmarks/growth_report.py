"""What growth.py prints and draws: a table in Markdown, and a panel for each growth."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

MEASURED, LINEAR, WORSE = "#0072B2", "#777777", "#D55E00"


@dataclass
class Row:
    """The medians at one size."""

    growth: str
    step: str
    size: int
    processor_ms: float
    clock_ms: float
    per_unit_us: float
    #: The cost per unit over the lowest at a smaller size; 1 is linear, and less is better.
    ratio: float
    worse: bool


def machine() -> dict[str, object]:
    """What the figures depend on."""
    names = [line.split(": ")[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "processor": names[0] if names else "unknown",
        "memory_gb": memory,
        "load": round(os.getloadavg()[0], 1),
    }


def table(rows: list[Row], about: dict[str, object]) -> str:
    """A line for each size, then the day and the machine."""
    lines = [
        "| what grows | size | one step | processor, ms | clock, ms | processor per unit, µs | linear is 1 | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.growth} | {row.size:,} | {row.step} | {row.processor_ms:.3g} | {row.clock_ms:.3g}"
        f" | {row.per_unit_us:.3g} | {row.ratio:.2f} | {'worse' if row.worse else ''} |"
        for row in rows
    ]
    said = "{date}, {cores} cores ({processor}), {memory_gb} GB, load {load} at the start".format(**about)
    return "\n".join(lines) + f"\n\n{said}"


def plot(rows: list[Row], path: Path) -> None:
    """The processor time of a step over the size, both in powers of ten, beside the line that is linear."""
    names = list(dict.fromkeys(row.growth for row in rows))
    columns = min(4, len(names))
    height = -(-len(names) // columns)
    figure, grid = plt.subplots(
        height, columns, figsize=(3.6 * columns, 3.1 * height), layout="constrained", squeeze=False
    )
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for name, axes in zip(names, grid.flat, strict=False):
        _panel(axes, [row for row in rows if row.growth == name])
    figure.supylabel("processor time of a step, ms")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axes: plt.Axes, rows: list[Row]) -> None:
    """One growth; the line that is linear goes through the size with the lowest cost per unit."""
    sizes = [row.size for row in rows]
    least = min(row.processor_ms / row.size for row in rows)
    axes.loglog(sizes, [least * size for size in sizes], ":", color=LINEAR, label="linear")
    axes.loglog(sizes, [row.processor_ms for row in rows], "o-", color=MEASURED, label="measured")
    marked = [row for row in rows if row.worse]
    if marked:
        places = [row.size for row in marked], [row.processor_ms for row in marked]
        axes.loglog(*places, "o", color=WORSE, label="worse than linear", zorder=3)
    axes.set_title(f"{rows[0].growth}\n{rows[0].step}", fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
