"""What the demo leaves behind: a plot of loss and learning rate as SVG and PNG, and a table in Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from table import markdown

mpl.use("Agg")
from matplotlib import pyplot as plt

#: Okabe and Ito's colours, which nearly everyone can tell apart; dashes do it without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
DASHES = ("-", "--", "-.", ":")


@dataclass
class Run:
    """One training: how well it ended, how long it took, its losses by step and its learning rates by group."""

    title: str
    accuracy: float
    seconds: float
    losses: list[tuple[int, float]]
    rates: dict[str, list[float]]

    @property
    def updates(self) -> int:
        """How many steps were taken."""
        return len(self.losses)


def table(runs: list[Run], command: str) -> str:
    """The runs side by side, and what is needed to repeat them."""
    rows = [
        [run.title, str(run.updates), f"{100 * run.accuracy:.1f} %", f"{run.updates / run.seconds:.0f}"] for run in runs
    ]
    return markdown(["run", "updates", "test accuracy", "steps/s"], rows, command)


def plot(runs: list[Run], folder: Path) -> list[Path]:
    """Loss above, learning rate below, over the same steps."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
    for run, colour, dash in zip(runs, COLOURS, DASHES, strict=False):
        above.plot(*_smoothed(run.losses), dash, color=colour, label=run.title)
        for (group, rates), width in zip(run.rates.items(), (2.5, 1.2), strict=False):
            below.plot(rates, dash, color=colour, linewidth=width, label=f"{run.title}: {group}")
    _finish(above, "loss (mean of 50 updates)")
    _finish(below, "learning rate")
    below.set_xlabel("step")
    paths = [folder / f"training.{suffix}" for suffix in ("svg", "png")]
    for path in paths:
        figure.savefig(path, dpi=150)
    plt.close(figure)
    return paths


def _smoothed(losses: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    window = min(50, len(losses))
    steps, values = (np.array(column) for column in zip(*sorted(losses), strict=True))
    return steps[window - 1 :], np.convolve(values, np.full(window, 1 / window), "valid")


def _finish(axes: plt.Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", handlelength=4)  # long enough to show a dash twice
