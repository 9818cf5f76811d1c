"""Linearizability: the search is right about published histories, finds planted bugs, and judges the daemon."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from proofs.history import Recorder, Settings, holds
from proofs.linearizability import Operation
from proofs.planted import BUGS, with_bug
from proofs.porcupine import verdicts

KNOWN = Path(__file__).parent / "data/linearizability"
CLIENTS = 8


def test_known_verdicts() -> None:
    """20 histories of etcd and of a key-value store; half of them have no valid order."""
    judged = list(verdicts(KNOWN))
    assert len(judged) == 20 and sum(known for _, known, _, _ in judged) == 10
    assert [name for name, known, found, _ in judged if known != found] == []


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> list[Operation]:
    """A history with a kill; each client retries until it knows, because open outcomes slow the search for a bug."""
    settings = Settings(1, CLIENTS, operations=60, kills=1, gives_up=0)
    return Recorder(settings).run(tmp_path_factory.mktemp("history"))


def test_history_of_the_daemon(history: list[Operation]) -> None:
    """One order explains all answers."""
    assert len(history) > 400 and {o.asked[0] for o in history} == {"push", "pull", "patch", "wait"}
    assert holds(history, CLIENTS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_planted_bug(history: list[Operation], bug: Callable[..., Any]) -> None:
    """Without the bug the history is linearizable; with it, it is not."""
    assert not holds(with_bug(history, bug, seed=1), CLIENTS)


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(10))
def test_histories(tmp_path: Path, seed: int) -> None:
    """8 to 16 clients and two kills, in every other history with continuous snapshots and deletions."""
    arguments = ("--snapshot-after", "16K") if seed % 2 else ()
    settings = Settings(seed, random.Random(seed).randint(8, 16), arguments=arguments)
    assert holds(Recorder(settings).run(tmp_path), settings.clients)
