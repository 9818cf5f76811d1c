"""What requests cost, in figures that do not depend on the clock: instructions, system calls, page faults, bytes.

The recorded figures are those of a release build. To record them again, and see both in a table:

    PARAMD_WRITE_COSTS=1 PARAMD_BIN=.build/release/paramd .venv/bin/python -m pytest -s Tests/conformance/test_costs.py
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from support.costs import BESIDE, EXECUTED, FAULTS, NEEDED, READ, SCHEDULED, WRITTEN, Cost, Margin, check
from support.daemon import REPOSITORY, Daemon
from support.faults import has_failpoints
from support.meters import Caller, Instructions, SystemCalls, counters, has_avx2, missing
from support.wire import SAFETENSORS, Api

sys.path.insert(0, str(REPOSITORY / "Tests/benchmarks"))
import growth

pytestmark = [pytest.mark.heavy, pytest.mark.unsanitized, pytest.mark.timeout(300)]
MODES = ("memory", "none", "group")
SMALL, MIDDLE, LARGE = 1_000, 100_000, 1_000_000
READERS = 32
#: Calls that a small request makes in each run.
ALWAYS = {"send", "file write", "file sync", "file read"}
MARGINS = {"page faults": FAULTS, "bytes read": READ, "bytes written": WRITTEN}
Request = Callable[[], None]


@pytest.fixture(scope="module", autouse=True)
def release(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips debug builds, which cost more."""
    if has_failpoints(tmp_path_factory.mktemp("probe")):
        pytest.skip("the recorded costs are those of a release build")


def gradient(count: int) -> np.ndarray:
    """Always the same random numbers."""
    return np.random.default_rng(count).standard_normal(count).astype(np.float32)


def adam(daemon: Daemon, count: int) -> None:
    """Creates a model with the given number of parameters, and names it after them."""
    api = Api(daemon.host, daemon.port)
    api.create(f"m{count}", {"optimizer": "adam", "parameters": {"w": {"shape": [count], "init": "zeros"}}})
    api.close()


def push(caller: Caller, count: int, kind: str = SAFETENSORS) -> Request:
    """A push of all parameters."""
    values = gradient(count)
    as_json = json.dumps({"gradients": {"w": values.tolist()}}).encode()
    body = as_json if kind == "application/json" else safetensors.numpy.save({"w": values})
    return lambda: caller("POST", f"/v1/models/m{count}/gradients", body, kind)


def get(caller: Caller, count: int, view: str) -> Request:
    """A GET of the model; the parameters are encoded when they are asked for first."""
    return lambda: caller("GET", f"/v1/models/m{count}/{view}")


def requests(caller: Caller, count: int) -> dict[str, Request]:
    """The requests that are measured with a model of the given size."""
    return {
        f"push of {count:,}, JSON": push(caller, count, "application/json"),
        f"push of {count:,}, safetensors": push(caller, count),
        f"learning rate of {count:,}": get(caller, count, "lr"),
        f"cached pull of {count:,}, JSON": get(caller, count, "parameters"),
        f"cached pull of {count:,}, safetensors": get(caller, count, "parameters.safetensors"),
    }


def repeat(send: Request, times: int) -> None:
    """Sends a request so often."""
    for _ in range(times):
        send()


def pull_at_once(daemon: Daemon, count: int, readers: int) -> Request:
    """Pulls the same version on many connections at the same time, as JSON, after a push."""
    callers = [Caller(daemon) for _ in range(readers)]
    change = push(callers[0], count)

    def send() -> None:
        change()
        for caller in callers:
            caller.send("GET", f"/v1/models/m{count}/parameters")
        for caller in callers:
            caller.answer().expect(200)

    return send


def counted_daemon(place: Path, *arguments: str) -> Instructions:
    """A daemon under valgrind, on machines like that whose costs are recorded."""
    if platform.machine() != "x86_64" or not has_avx2() or missing(*Instructions.TOOLS):
        pytest.skip(f"needs x86-64 with AVX2, for which the costs are recorded, and {', '.join(Instructions.TOOLS)}")
    # Under valgrind on a busy machine, connections wait long for their first request.
    return Instructions(place, *arguments, "--limit", "head-deadline=600s")


def test_instructions(tmp_path: Path) -> None:
    """Pushes, reads, and a version that one and many pull at once, which is encoded for the first of them only."""
    counted = counted_daemon(tmp_path, "--durability", "none")
    costs = []
    with counted.daemon as daemon:
        caller = Caller(daemon)
        for count, times in ((SMALL, 20), (MIDDLE, 5)):
            adam(daemon, count)
            measured = requests(caller, count)
            if count == MIDDLE:
                for readers in (1, READERS):
                    measured[f"push of {count:,}, pulls as JSON: {readers}"] = pull_at_once(daemon, count, readers)
            for name, send in measured.items():
                repeat(send, 2)
                counted.since()
                repeat(send, times)
                costs.append(Cost(name, counted.since() / times, EXECUTED))
    check("instructions, AVX2", costs)


def test_instructions_grow_linearly(tmp_path: Path) -> None:
    """A push to each of 300 models costs what it does to each of 30; so do workers, and pulls that wait."""
    counted = counted_daemon(tmp_path, "--durability", "memory")
    grown = []
    with counted.daemon as daemon:
        for what in (growth.models, growth.workers, growth.waiting_pulls):
            each = []
            for count in (30, 300):
                step = what(daemon, count)
                repeat(step, 2)
                counted.since()
                step()
                each.append(counted.since() / count)
            print(what.__name__, *each)
            grown.append((what.__name__, each[1] / each[0]))
    assert not [(name, ratio) for name, ratio in grown if ratio > 1.2]


@pytest.mark.parametrize("mode", MODES)
def test_system_calls(mode: str, tmp_path: Path) -> None:
    """Small requests, whose calls for files and answers are always the same, and large ones."""
    if missing(*SystemCalls.TOOLS):
        pytest.skip("needs strace")
    traced = SystemCalls(tmp_path, "--durability", mode)
    costs = []
    with traced.daemon as daemon:
        caller = Caller(daemon)
        for count, times in ((SMALL, 100), (LARGE, 20)):
            adam(daemon, count)
            for name, send in requests(caller, count).items():
                if "JSON" not in name and not (count == LARGE and "rate" in name):
                    repeat(send, 10)
                    found = traced.calls(caller, lambda send=send, times=times: repeat(send, times))
                    costs += [Cost(f"{name}: {kind}", found[kind] / times, margin(mode, count, kind)) for kind in found]
    check(f"system calls, durability {mode}", costs)


def margin(mode: str, count: int, kind: str) -> Margin:
    """The network divides large bodies as it likes, and snapshots are due after every few of them."""
    if count == LARGE and not (mode == "memory" and kind == "memory"):
        return BESIDE
    return NEEDED if kind in ALWAYS else SCHEDULED


@pytest.mark.parametrize("mode", MODES)
def test_memory_and_bytes(mode: str, start: Callable[..., Daemon]) -> None:
    """A push and a pull of a large model: page faults, and bytes of files."""
    daemon = start("--durability", mode, "--log-level", "error")
    adam(daemon, LARGE)
    caller = Caller(daemon)
    change, read = push(caller, LARGE), get(caller, LARGE, "parameters.safetensors")

    def step() -> None:
        change()
        read()

    repeat(step, 40)
    before = counters(daemon)
    repeat(step, 40)
    after = counters(daemon)
    costs = [Cost(name, (after[name] - before[name]) / 40, margin) for name, margin in MARGINS.items()]
    check(f"push and pull of {LARGE:,}, Adam, durability {mode}", costs)
