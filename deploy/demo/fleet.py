"""Worker processes that can be killed: each has a pipe of its own for reports, so that none dies with a lock of all."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from member import PATIENCE, Job, Push, work


@dataclass(frozen=True)
class Member:
    """A process and the end of its pipe."""

    process: SpawnProcess
    reports: Connection


class Fleet:
    """The workers of one training; the context manager ends those that are still running."""

    def __init__(self, jobs: list[Job]) -> None:
        self._members: dict[str, Member] = {}
        for job in jobs:
            self.start(job)

    def start(self, job: Job) -> None:
        """Starts a worker."""
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe(duplex=False)
        process = spawn.Process(target=work, args=(job, theirs), daemon=True)
        process.start()
        theirs.close()  # the worker holds the only other end, so that its end is seen here
        self._members[job.worker] = Member(process, ours)

    def kill(self, worker: str) -> list[Push]:
        """Kills a worker, which has no time to finish anything; returns what it had reported and was not read yet."""
        member = self._members.pop(worker)
        member.process.kill()
        member.process.join()
        reports = []
        with suppress(EOFError, OSError):  # the end of the pipe, or of half a report
            while True:
                reports.append(member.reports.recv())
        return reports

    @property
    def size(self) -> int:
        """How many workers are running."""
        return len(self._members)

    def reports(self) -> Iterator[Push]:
        """What the workers report, until the last of them has ended."""
        while self._members:
            ready = wait([member.reports for member in self._members.values()], timeout=2 * PATIENCE)
            if not ready:
                raise SystemExit("no worker has reported for ten minutes; what they said is above")
            for name, member in list(self._members.items()):
                if member.reports in ready and name in self._members:
                    try:
                        yield member.reports.recv()
                    except EOFError:
                        self._end(name)

    def _end(self, worker: str) -> None:
        """Forgets a worker that has ended; raises SystemExit if it failed."""
        process = self._members.pop(worker).process
        process.join()
        if process.exitcode:
            raise SystemExit(f"{worker} ended with code {process.exitcode}; what it said is above")

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members.values():
            member.process.kill()
            member.process.join()
