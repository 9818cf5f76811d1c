"""Any state that a command can reach can be loaded again: after a stop or a kill, from a checkpoint, by a rollback."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.any_state import Life, digests
from support.daemon import Daemon
from support.faults import run
from support.wire import Api

Start = Callable[..., Daemon]
#: `PARAMD_STATES=2000:7` tries 2,000 models, beginning with seed 7.
COUNT, _, FIRST = os.environ.get("PARAMD_STATES", "").partition(":")


@pytest.mark.unsanitized
def test_a_few_states_load_again(start: Start, tmp_path: Path) -> None:
    """Random models survive restarts, checkpoints and rollbacks."""
    check(start, tmp_path, count=30, first=1)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_states_load_again(start: Start, tmp_path: Path) -> None:
    """The same for more models, or for the requested number."""
    check(start, tmp_path, count=int(COUNT or 150), first=int(FIRST or 1000))


def check(start: Start, place: Path, count: int, first: int) -> None:
    """Runs models through their commands, and opens their directory three times in between."""
    daemon, api = begin(start, place)
    lives = [Life(api, f"m{seed}", seed) for seed in range(first, first + count)]
    lives = [life for life in lives if life.begin()]
    for is_kill in (False, True):
        for life in lives:
            life.go_on(8)
        daemon, api = reopen(start, place, daemon, api, is_kill, lives)
    for life in lives:
        for checkpoint in list(life.checkpoints):
            life.restore(checkpoint)
        for step in list(life.steps):
            life.roll_back(step)
    daemon, api = reopen(start, place, daemon, api, False, lives)
    assert daemon.stop() == 0
    taken, refused = (sum(getattr(life, name) for life in lives) for name in ("taken", "refused"))
    print(f"{len(lives)} of {count} models; {taken} commands taken, {refused} refused")
    assert len(lives) > count / 2 and taken > 8 * len(lives), "too few commands were taken to say anything"


def begin(start: Start, place: Path) -> tuple[Daemon, Api]:
    """Starts a daemon that writes its models out continuously."""
    daemon = start("--snapshot-after", "64K", data_dir=place)
    return daemon, Api(daemon.host, daemon.port)


def reopen(start: Start, place: Path, daemon: Daemon, api: Api, is_kill: bool, lives: list[Life]) -> tuple[Daemon, Api]:
    """Restarts the daemon: every model must be unchanged."""
    before = digests(api, [life.model for life in lives])
    if is_kill:
        daemon.process.kill()
        daemon.process.wait()
    else:
        assert daemon.stop() == 0
    verified = run("verify", place)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"{len(lives)} models built" in verified.stdout
    daemon, api = begin(start, place)
    assert digests(api, [life.model for life in lives]) == before
    for life in lives:
        life.api = api
    return daemon, api
