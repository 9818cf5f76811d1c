"""Makes every file system call fail once: repeats a session for each n-th call of each kind and each fault.

strace makes the call fail, or kills the daemon in it. After each run a start without strace must have each acknowledged
change, and every other change at most once. `deploy/prove syscalls --seed 1 --count 100` tries a sample; `--all` tries
every call.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from support.daemon import BINARY, Daemon
from support.faults import Victim, run, temporary
from support.wire import Api

from .changes import Changer, Ledger, RefusedError

KINDS = (
    "openat", "pwrite64", "pwritev", "write", "fdatasync", "fsync", "ftruncate", "fallocate", "rename", "renameat",
    "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "close", "pread64", "flock", "lseek", "getdents64",
)  # fmt: skip
FAULTS = ("error=EIO", "error=ENOSPC", "error=EINTR", "signal=KILL")
CHANGES = 12
"""Of each of two clients in a session."""
SHORT = ("--snapshot-after", "8K")
Fault = tuple[str, int, str]
STRACE = shutil.which("strace")


class Traced(Daemon):
    """A daemon under strace, which is a separate process: signals go to the daemon itself."""

    def __init__(self, data_dir: Path, *tracing: str, arguments: tuple[str, ...] = ()) -> None:
        wrapper = data_dir.parent / "traced"
        options = " ".join(["-f", "-D", "-qq", *tracing])
        wrapper.write_text(f'#!/bin/sh\nexec {STRACE} {options} {BINARY} "$@"\n')
        wrapper.chmod(0o700)
        super().__init__(*arguments, data_dir=data_dir, binary=wrapper)


def session(daemon: Daemon, changers: list[Changer]) -> None:
    """Sends the same requests each time, up to the first that is not acknowledged."""
    api = Api(daemon.host, daemon.port)
    with contextlib.suppress(RefusedError, OSError, http.client.HTTPException):
        for _ in range(CHANGES):
            for changer in changers:
                changer.change(api)
    api.close()


def calls(seed: int) -> dict[str, int]:
    """Counts how often each thread makes each call in a session without faults, because strace counts by thread."""
    with temporary() as place:
        trace = place / "trace"
        daemon = Traced(place / "data", "-o", str(trace), "-e", f"trace={','.join(KINDS)}", arguments=SHORT)
        session(daemon, changers_of(place, seed))
        assert daemon.stop() == 0
        counts = Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.MULTILINE))
    return {kind: max((n for (_, name), n in counts.items() if name == kind), default=0) for kind in KINDS}


def changers_of(place: Path, seed: int) -> list[Changer]:
    """Two clients, one for each update rule."""
    ledger = Ledger(place / "changes.jsonl")
    return [Changer(number, seed + number, ledger) for number in range(2)]


def survives(fault: Fault, seed: int) -> int:
    """Runs a session with one fault and checks the next start; returns the number of acknowledged changes."""
    kind, number, what = fault
    with temporary() as place:
        changers = changers_of(place, seed)
        with contextlib.suppress(AssertionError):
            # A daemon that cannot start reports it and ends.
            inject = f"inject={kind}:{what}:when={number}"
            daemon = Traced(place / "data", "-o", os.devnull, "-e", inject, arguments=SHORT)
            try:
                session(daemon, changers)
            finally:
                daemon.process.kill()
                daemon.process.wait()
        acknowledged = sum(changer.counts["acknowledged"] for changer in changers)
        daemon = Victim(place / "data", *SHORT)
        for changer in changers:
            changer.settle(daemon.api())
        session(daemon, changers)
        for changer in changers:
            changer.settle(daemon.api())
        assert daemon.stop() == 0
        assert run("verify", place / "data").returncode == 0
    return acknowledged


def sample(counts: dict[str, int], seed: int, count: int) -> list[Fault]:
    """Chooses the given number of faults, each kind of call with equal probability."""
    chance = random.Random(seed)
    kinds = [kind for kind, number in counts.items() if number]
    drawn = (chance.choice(kinds) for _ in range(count))
    return [(kind, chance.randint(1, counts[kind]), chance.choice(FAULTS)) for kind in drawn]


def every_fault(counts: dict[str, int]) -> Iterator[Fault]:
    """Returns each call of each kind with each fault."""
    for kind, count in counts.items():
        for number in range(1, count + 1):
            for what in FAULTS:
                yield kind, number, what


def prove(seed: int, count: int | None) -> list[str]:
    """Tries all faults, or as many as asked, chosen by the seed; returns the failures."""
    counts = calls(seed)
    faults = list(every_fault(counts))
    chosen = faults if count is None else sample(counts, seed, count)
    failed, acknowledged = [], 0
    for fault in chosen:
        try:
            acknowledged += survives(fault, seed)
        except (AssertionError, RefusedError, OSError) as error:
            failed.append(f"{fault}: {error!r}")
    calls_made = ", ".join(f"{kind} {number}" for kind, number in counts.items() if number)
    print(f"calls of the busiest thread: {calls_made}")
    print(f"{len(chosen)} of {len(faults)} faults tried, {acknowledged} changes acknowledged, {len(failed)} failed")
    return failed


def main() -> int:
    """Returns 0 when the daemon survived every fault."""
    parser = argparse.ArgumentParser(prog="deploy/prove syscalls", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="every call instead of a sample")
    options = parser.parse_args()
    began = time.monotonic()
    failed = prove(options.seed, None if options.all else options.count)
    print(*failed, f"{time.monotonic() - began:.0f} s", sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
