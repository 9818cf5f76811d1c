"""Records what concurrent clients ask and are answered, while the daemon is killed at moments that a seed chooses."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.daemon import Daemon
from support.faults import Victim

from .calls import History
from .client import Client
from .modes import has_rounds, modes


@dataclass
class Plan:
    """One history: its mode and seed, how much each client requests, and how often the daemon is killed."""

    mode: str
    seed: int
    clients: int = 8
    pushes: int = 12
    """The number of pushes after which a client stops; in rounds, the number of steps after which all do."""
    kills: int = 1
    arguments: tuple[str, ...] = ()
    patience: float = 60
    """The seconds after which a client stops, however far it is."""


@dataclass
class Recorder:
    """The clients of one history, each with its own thread and seed, and the daemon that they use."""

    plan: Plan
    history: History = field(init=False)
    address: tuple[str, int] = ("", 0)
    kills: int = 0
    step: int = 0
    """The highest step that any answer has told."""
    is_over: threading.Event = field(default_factory=threading.Event)
    _failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan = self.plan
        self.history = History(modes(plan.clients)[plan.mode], plan.clients, numbers=2 * plan.pushes)

    def run(self, place: Path) -> History:
        """Returns the whole history, ordered by the beginning of its calls."""
        daemon = self._start(place)
        Client(self, 0).create()
        clients = [Client(self, number) for number in range(self.plan.clients)]
        threads = [threading.Thread(target=self._guarded, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        daemon = self._kill_now_and_then(place, daemon, threads)
        for thread in threads:
            thread.join()
        if not self._failures:
            self._end(clients)
        assert daemon.stop() == 0
        assert not self._failures, self._failures[:5]
        self.history.calls.sort(key=lambda call: call.began)
        return self.history

    def _start(self, place: Path) -> Daemon:
        daemon = Victim(place, *self.plan.arguments)
        self.address = (daemon.host, daemon.port)
        return daemon

    def _kill_now_and_then(self, place: Path, daemon: Daemon, threads: list[threading.Thread]) -> Daemon:
        """Kills the daemon after a number of steps, at a moment that the seed chooses."""
        chance = random.Random(self.plan.seed)
        most = self.plan.pushes * (1 if has_rounds(self.history.consistency) else self.plan.clients)
        for due in sorted(chance.sample(range(1, max(most * 3 // 4, self.plan.kills + 1)), self.plan.kills)):
            while self.step < due and any(thread.is_alive() for thread in threads):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.01))
            daemon.process.kill()
            daemon.process.wait()
            self.kills += 1
            daemon = self._start(place)
        return daemon

    def note(self, told: dict[str, Any]) -> None:
        """Notes the step of an answer; the last step of a history in rounds ends it."""
        self.step = max(self.step, int(told.get("step", 0)))
        if has_rounds(self.history.consistency) and self.step >= self.plan.pushes:
            self.is_over.set()

    def _guarded(self, client: Client) -> None:
        try:
            client.work()
        except Exception as error:
            self._failures.append(f"client {client.number}: {error!r}")
            self.is_over.set()

    def _end(self, clients: list[Client]) -> None:
        """Closes the last round, then asks once more for everything that is not known, and pulls."""
        clients[0].end()
        for client in clients:
            client.ask_for_outcomes()
            client.close()
        clients[0].pull()
