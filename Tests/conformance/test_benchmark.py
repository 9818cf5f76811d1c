"""paramd-benchmark: every kind of row is measured against a limit of the same run, and mistakes are explained."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from support.daemon import BINARY
from support.wire import wait_until

BENCHMARK = BINARY.with_name("paramd-benchmark")
pytestmark = [
    pytest.mark.skipif(not BENCHMARK.exists(), reason="this build has no paramd-benchmark"),
    pytest.mark.unsanitized,
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the benchmark to its end."""
    return subprocess.run([BENCHMARK, *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "row", ["rule-sgd-1m", "step-1m-1-group", "memory-1m-1", "lr-16", "small-push-4", "push-10000-tensors"]
)
def test_a_row_is_a_ratio_of_two_figures_of_one_run(row: str) -> None:
    """The JSON has the figures, the goal, and the machine; short loads give figures, if rough ones."""
    ended = run("--json", "--only", row, "--seconds", "0.05", "--rounds", "1")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    (line,) = report["rows"]
    assert line["name"] == row
    assert line["limitFigure"] > 0
    assert line["ratio"] == pytest.approx(line["paramd"] / line["limitFigure"])
    assert line["holds"] == (line["ratio"] <= line["goal"] if line["lessIsBetter"] else line["ratio"] >= line["goal"])
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["triad"] > 0


def test_the_table_has_a_line_for_each_row() -> None:
    """Names of rows are prefixes; the first lines name the machine and say whether it was quiet."""
    ended = run("--only", "rule-sgd", "--seconds", "0.02", "--rounds", "1")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert "cores" in lines[0]
    assert "quiet" in lines[1]
    assert [line.split(",")[0] for line in lines if line.startswith("sgd")] == ["sgd", "sgd"]


def test_a_limit_that_is_too_slow_gives_no_ratio() -> None:
    """One worker at 1 M needs a reference of 430 steps a second; a build without optimization is slower."""
    ended = run("--json", "--only", "step-1m-1-memory", "--seconds", "0.05", "--rounds", "1")
    assert ended.returncode == 0, ended.stderr
    (line,) = json.loads(ended.stdout)["rows"]
    assert ("ratio" in line) == (line["limitFigure"] >= 430)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "stpe"], "No row begins with stpe; --list prints the names."),
        (["--seconds", "0"], "--seconds must be above 0 and at most 60."),
        (["--rounds", "0"], "--rounds must be 1 to 100."),
        (["--only", "lr-16", "--daemon", "/nowhere/paramd"], "/nowhere/paramd is missing; build it"),
        (["--only", "lr-16", "--place", "/nowhere"], "/nowhere cannot be used: No such file or directory."),
        (["--only", "push-10m", "--place", "/dev/shm"], "/dev/shm is in memory; pass --place with a folder on a disk."),
    ],
)
def test_mistakes_are_explained(arguments: list[str], said: str) -> None:
    """A wrong option names the rule, a missing daemon the command that builds it."""
    ended = run(*arguments)
    assert ended.returncode != 0
    assert said in ended.stderr


def test_the_rows_are_listed() -> None:
    """--list prints a name and a title for each."""
    names = [line.split()[0] for line in run("--list").stdout.splitlines()]
    assert {"step-10m-4-group", "push-10m", "written-10m", "lr-256"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_benchmark_that_is_stopped_leaves_nothing(stop: signal.Signals, tmp_path: Path) -> None:
    """Its servers end and its folders are removed; the exit status names the signal."""
    arguments = ["--only", "step-1m-1-group", "--seconds", "60", "--place", tmp_path]
    with subprocess.Popen([BENCHMARK, *arguments], stdout=subprocess.DEVNULL) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        wait_until(lambda: len(children.read_text().split()) == 2 and len(list(tmp_path.glob("*/*"))) > 1)
        servers = [Path(f"/proc/{pid}") for pid in children.read_text().split()]
        running.send_signal(stop)
        assert running.wait(60) == 128 + stop
    assert not any(server.exists() for server in servers)
    assert list(tmp_path.iterdir()) == []
