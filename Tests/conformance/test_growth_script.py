"""Tests/benchmarks/growth.py: small sizes give a table, JSON and a plot; what is worse than linear is marked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.daemon import BINARY, REPOSITORY

sys.path.insert(0, str(REPOSITORY / "Tests/benchmarks"))
import growth

pytestmark = pytest.mark.unsanitized


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the script to its end."""
    script = REPOSITORY / "Tests/benchmarks/growth.py"
    command = [sys.executable, script, "--paramd", BINARY, "--seconds", "0.01", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_everything_is_measured_and_drawn(tmp_path: Path) -> None:
    """The JSON has the machine and a row for each size; a unit's cost is the step's, divided; the plot is an SVG."""
    ended = run("--json", "--most", "100", "--models", "10", "--plot", tmp_path / "growth.svg")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["machine"]["cores"] >= 1
    sizes: dict[str, list[int]] = {}
    for row in report["rows"]:
        sizes.setdefault(row["growth"], []).append(row["size"])
        assert row["clock_ms"] > 0 and row["ratio"] > 0
        assert row["per_unit_us"] * row["size"] == pytest.approx(1000 * row["processor_ms"]) and row["processor_ms"] > 0
    assert sizes["workers"] == [1, 4, 16, 64] and sizes["models"] == [1, 10]
    assert sizes["groups"] == sizes["tensors"] == sizes["waiting pulls"] == [1, 10, 100]
    assert "<svg" in (tmp_path / "growth.svg").read_text()


def test_a_size_has_a_line() -> None:
    """The table has two lines of head, one for each size, and the machine below."""
    lines = run("--only", "param", "--largest", "1e5").stdout.splitlines()
    assert [line.split(" | ")[1] for line in lines[2:4]] == ["10,000", "100,000"]
    assert "cores" in lines[5]


@pytest.mark.parametrize("arguments", [["--only", "wrokers"], ["--most", "0"]])
def test_nothing_to_measure_is_a_mistake(arguments: list[str]) -> None:
    """The message lists the names."""
    ended = run(*arguments)
    assert ended.returncode == 1
    assert "workers" in ended.stderr


def marked(costs: list[float], turns: int = 40) -> list[int]:
    """The places of sizes 1, 10, 100... that are marked, if turns differ from these costs by up to 5 %."""
    kind = growth.Growth("things", [10**place for place in range(len(costs))], "a step", growth.workers)
    seconds = np.random.default_rng(3).uniform(0.95, 1.05, (turns, len(costs), 2)) * np.array(costs)[:, None]
    return [place for place, row in enumerate(growth.rows_of(kind, seconds)) if row.worse]


def test_only_growth_worse_than_linear_is_marked() -> None:
    """Not what is constant, or linear with a constant part; n log n is, and a square that shows at the largest size."""
    assert marked([5, 5, 5, 5]) == []
    assert marked([5 + size for size in (1, 10, 100, 1000)]) == []
    assert marked([size * (1 + place) for place, size in enumerate((1, 10, 100))]) == [1, 2]
    assert marked([100 + size + size**2 / 10_000 for size in (1, 10, 100, 1000, 10_000)]) == [4]
