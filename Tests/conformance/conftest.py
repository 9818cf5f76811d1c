"""Fixtures: one daemon for the session, and a client and an unused model name for each test."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import BINARY, Daemon
from support.wire import Api

_numbers = itertools.count(1)

#: Of a test with many cases a run tries every `PARAMD_STRIDE`-th, as the sweeps of the Swift suite do.
_STRIDE = int(os.environ.get("PARAMD_STRIDE", "1"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out cases where time is short; at least two cases of each test are left."""
    cases: dict[object, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.function if isinstance(item, pytest.Function) else item, []).append(item)
    left_out = {
        id(item)
        for each in cases.values()
        for place, item in enumerate(each)
        if place % max(1, min(_STRIDE, len(each) // 2))
    }
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """The daemon that most tests share; it must drain and exit with 0 after the last test."""
    if not BINARY.exists():
        pytest.exit(f"{BINARY} does not exist: build it with `swift build --product paramd`, or set PARAMD_BIN", 2)
    running = Daemon()
    yield running
    assert running.stop() == 0


@pytest.fixture
def api(daemon: Daemon) -> Iterator[Api]:
    """A client of the shared daemon, with its own connection."""
    client = Api(daemon.host, daemon.port)
    yield client
    client.close()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A model name that no other test uses."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", request.node.name)[:100] + f"-{next(_numbers)}"


@pytest.fixture
def demo(api: Api, name: str) -> str:
    """A small model with one parameter `w` of zeros and a learning rate of 0.5."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 0]}})
    return name


@pytest.fixture
def start() -> Iterator[Callable[..., Daemon]]:
    """Starts further daemons, which end with the test."""
    running: list[Daemon] = []

    def begin(*arguments: str, **options: object) -> Daemon:
        running.append(Daemon(*arguments, **options))
        return running[-1]

    yield begin
    for daemon in running:
        daemon.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.getuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("this system does not let root mount a tmpfs")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)
