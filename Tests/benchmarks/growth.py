"""How the processor time of a step grows with parameters, workers, models, groups, tensors and waiting pulls.

Each size has a daemon of its own in durability memory, and all sizes take turns. Linear growth costs the same per unit
at every size, so a size whose cost per unit is above that of a smaller one, in at least three of four turns and by more
than the noise, is marked. The row of copies shows how much of this is the memory's: beyond the processor's caches, a
copy of as many values also costs more per value.

    .venv/bin/python Tests/benchmarks/growth.py [--paramd .build/release/paramd] [--plot growth.svg] [--largest 1e8]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.numpy
from growth_report import Row, machine, plot, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))
from support.crowd import Crowd
from support.daemon import REPOSITORY, Daemon
from support.meters import Caller
from support.wire import SAFETENSORS, Api

#: Values of a model where another size is measured.
SMALL, MIDDLE = 1_000, 100_000
#: A cost per unit that is higher by less than this is noise.
NOISE = 1.1
#: Seconds of steps in a turn, so that short steps are averaged.
LONG_ENOUGH = 0.02
#: Steps that are not measured: the daemon allocates its buffers in the first pushes of a model.
WARM_UP = 5
Step = Callable[[], None]


@dataclass(frozen=True)
class Growth:
    """What grows, what one step at a size is, and how to prepare it."""

    name: str
    sizes: list[int]
    step: str
    prepare: Callable[[Daemon, int], Step]
    #: Whether the step is done by this process, without the daemon.
    here: bool = False


def create(daemon: Daemon, model: str, tensors: int, values: int, groups: int = 0) -> bytes:
    """Creates a model with SGD, in place of an earlier one, and returns a push to it."""
    names = [f"t{number}" for number in range(tensors)]
    definition: dict[str, object] = {
        "optimizer": "sgd",
        "parameters": {name: {"shape": [values // tensors], "init": "zeros"} for name in names},
    }
    if groups:
        definition["groups"] = [{"name": f"g{i}", "params": names[i::groups]} for i in range(groups)]
    api = Api(daemon.host, daemon.port)
    api.create(f"{model}?replace=1", definition)
    api.close()
    gradient = np.random.default_rng(1).standard_normal(values // tensors).astype(np.float32)
    return safetensors.numpy.save(dict.fromkeys(names, gradient))


def push(daemon: Daemon, tensors: int, values: int, groups: int = 0) -> Step:
    """One push of all values."""
    body, caller = create(daemon, "m", tensors, values, groups), Caller(daemon)
    return lambda: caller("POST", "/v1/models/m/gradients", body, SAFETENSORS)


def copies(_: Daemon, values: int) -> Step:
    """Copies as many values, and subtracts them from others: the least that a push with SGD does to memory."""
    sent, staged, weights = (np.ones(values, np.float32) for _ in range(3))

    def step() -> None:
        np.copyto(staged, sent)
        np.subtract(weights, staged, out=weights)

    return step


def workers(daemon: Daemon, count: int) -> Step:
    """Each worker pushes once, all at the same time."""
    body = create(daemon, "m", 1, SMALL)
    callers = {f"w{number}": Caller(daemon) for number in range(count)}
    turns = iter(range(1, 1 << 60))

    def step() -> None:
        turn = next(turns)
        for name, caller in callers.items():
            sent = {"X_Paramd_Worker": name, "X_Paramd_Seq": turn}
            caller.send("POST", "/v1/models/m/gradients", body, SAFETENSORS, **sent)
        for caller in callers.values():
            caller.answer().expect(200)

    return step


def models(daemon: Daemon, count: int) -> Step:
    """Each model gets one push."""
    bodies = [create(daemon, f"m{number}", 1, SMALL) for number in range(count)]
    caller = Caller(daemon)

    def step() -> None:
        for number, body in enumerate(bodies):
            caller("POST", f"/v1/models/m{number}/gradients", body, SAFETENSORS)

    return step


def waiting_pulls(daemon: Daemon, count: int) -> Step:
    """As many pulls wait for the next version, a push makes it, and all are answered."""
    body, caller, crowd = create(daemon, "m", 1, SMALL), Caller(daemon), Crowd(daemon.host, daemon.port, count)
    cursor = Api(daemon.host, daemon.port).get("/v1/models/m").json()["cursor"]

    def step() -> None:
        nonlocal cursor
        crowd.send(f"/v1/models/m/parameters.safetensors?since={cursor}&wait=60s")
        caller.send("POST", "/v1/models/m/gradients", body, SAFETENSORS)
        cursor = caller.answer().expect(200).json()["cursor"]
        assert crowd.read().answers == {(200, cursor): count}

    return step


def powers(base: int, first: int, last: int) -> list[int]:
    """The first size and its multiples up to the last."""
    sizes = [first]
    while sizes[-1] * base <= last:
        sizes.append(sizes[-1] * base)
    return sizes


def growths(largest: int, most_models: int) -> list[Growth]:
    """Everything that is measured."""
    return [
        Growth("parameters", powers(10, 10_000, largest), "one push", lambda d, n: push(d, 1, n)),
        Growth("copies", powers(10, 10_000, largest), "copy and subtract, no daemon", copies, here=True),
        Growth("workers", powers(4, 1, 64), "a push of 1,000 values by each", workers),
        Growth("models", powers(10, 1, most_models), "a push of 1,000 values to each", models),
        Growth("groups", powers(10, 1, 1_000), "one push of 1,000 tensors", lambda d, n: push(d, 1_000, MIDDLE, n)),
        Growth("tensors", powers(10, 1, 10_000), "one push of 100,000 values", lambda d, n: push(d, n, MIDDLE)),
        Growth("waiting pulls", powers(10, 1, 10_000), "a push of 1,000 values answers all", waiting_pulls),
    ]


def processor_seconds(process: int) -> float:
    """The processor time of all threads that a process has had."""
    return time.clock_gettime((~process << 3) | 2)


def prepared(growth: Growth, size: int, daemon: Daemon) -> Callable[[], tuple[float, float]]:
    """Warms up. Each call takes steps for a while and returns seconds per step: the processor's and the clock's."""
    step = growth.prepare(daemon, size)
    process = os.getpid() if growth.here else daemon.process.pid

    def measured() -> tuple[float, float]:
        used, began, count = processor_seconds(process), time.perf_counter(), 0
        while count == 0 or time.perf_counter() - began < LONG_ENOUGH:
            step()
            count += 1
        return (processor_seconds(process) - used) / count, (time.perf_counter() - began) / count

    for _ in range(WARM_UP):
        step()
    return measured


def measure(growth: Growth, binary: Path, seconds: float) -> list[Row]:
    """Lets all sizes take turns for some time, but at least five times each."""
    options = ("--durability", "memory", "--log-level", "error")
    with ExitStack() as stack:
        daemons = [stack.enter_context(Daemon(*options, binary=binary)) for _ in growth.sizes]
        sizes = [prepared(growth, size, daemon) for size, daemon in zip(growth.sizes, daemons, strict=True)]
        turns: list[list[tuple[float, float]]] = []
        began = time.perf_counter()
        while len(turns) < 5 or time.perf_counter() - began < seconds:
            turns.append([size() for size in sizes])
    return rows_of(growth, np.array(turns))


def rows_of(growth: Growth, turns: np.ndarray) -> list[Row]:
    """The medians of each size, and its cost per unit over that of the best smaller size of the same turn."""
    units = turns[:, :, 0] / growth.sizes
    middle, clock = np.median(units, axis=0), np.median(turns[:, :, 1], axis=0)
    rows = []
    for place, size in enumerate(growth.sizes):
        ratios = units[:, place] / units[:, np.argmin(middle[: max(1, place)])]
        ratio, unit = float(np.median(ratios)), float(middle[place])
        worse = bool(np.quantile(ratios, 0.25) > NOISE)
        clock_ms = 1e3 * float(clock[place])
        rows.append(Row(growth.name, growth.step, size, 1e3 * unit * size, clock_ms, 1e6 * unit, ratio, worse))
    return rows


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--paramd", type=Path, default=REPOSITORY / ".build/release/paramd")
    parser.add_argument("--largest", type=float, default=1e7, help="parameters; 1e8 needs 3 GB (default 1e7)")
    parser.add_argument("--models", type=float, default=1e3, help="models at the most (default 1000)")
    parser.add_argument("--most", type=float, default=1e9, help="leave out sizes above this, of everything")
    parser.add_argument("--only", help="measure what begins with this")
    parser.add_argument("--seconds", type=float, default=10, help="for each growth (default 10)")
    parser.add_argument("--json", action="store_true", help="print JSON and no table")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw an SVG, or a PNG, by the name of the file")
    return parser.parse_args()


def main() -> int:
    """Measures, prints and draws."""
    options = arguments()
    about, rows = machine(), []
    for growth in growths(int(options.largest), int(options.models)):
        if growth.name.startswith(options.only or ""):
            fitting = replace(growth, sizes=[size for size in growth.sizes if size <= options.most])
            rows += measure(fitting, options.paramd, options.seconds) if fitting.sizes else []
    if not rows:
        names = ", ".join(growth.name for growth in growths(1, 1))
        sys.exit(f"Nothing is measured; --only takes the beginning of one of {names}, and --most must be 1 or more.")
    report = {"machine": about, "rows": [asdict(row) for row in rows]}
    print(json.dumps(report, indent=2) if options.json else table(rows, about))
    if options.plot:
        plot(rows, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
