"""The processor time of the daemon's threads: unlike wall time, it does not depend on the load of the machine."""

from __future__ import annotations

from pathlib import Path


def network_seconds(pid: int) -> float:
    """Processor time of the threads that serve connections, since the start of the process."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "network":
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9
