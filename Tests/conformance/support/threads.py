"""The processor time of the daemon's threads: unlike wall time, it does not depend on the load of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def network_seconds(pid: int) -> float:
    """Processor time of the threads that serve connections, since the start of the process."""
    return _seconds(task for task in _tasks(pid) if (task / "comm").read_text().strip() == "network")


def all_seconds(pid: int) -> float:
    """Processor time of all threads, since the start of the process."""
    return _seconds(_tasks(pid))


def _tasks(pid: int) -> Iterator[Path]:
    return Path(f"/proc/{pid}/task").iterdir()


def _seconds(tasks: Iterator[Path]) -> float:
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
