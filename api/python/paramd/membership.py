"""The worker of a training process: registration, leases, and barriers."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

from .resource import Resource
from .worker import Worker

#: The longest wait of one request in seconds; proxies cut connections that are silent for a minute.
_LONGEST_PART = 50.0


class Membership(Resource):
    """The worker of this object, and the other workers of the model."""

    _worker: Worker

    def _forget(self) -> None:
        """Resets the object: its state belongs to a model that is deleted, or soon will be."""
        self._worker.forget()

    def register(self, *, ttl: float | None = None) -> int:
        """Registers this worker and returns its epoch; the first push does so automatically.

        With `ttl`, the registration ends after that many seconds without a push, a heartbeat or a barrier; later
        registrations of this object use the same `ttl`. After Fenced (the lease has run out, or another process has
        taken the worker's name or has replaced the model), call this to continue. Then pull before the next push,
        because the parameters may have changed.
        """
        worker = self._worker
        with worker.turn:
            worker.ttl = ttl if ttl is not None else worker.ttl
            self._forget()
            body = {} if worker.ttl is None else {"ttl": worker.ttl}
            answer = self._change_by_json("PUT", f"/workers/{quote(worker.name, safe='')}", body)
            worker.epoch = int(answer["epoch"])
            return worker.epoch

    def heartbeat(self) -> dict[str, Any]:
        """Renews the lease of this worker and returns its entry of `workers`; raises Fenced if the lease has run out.

        A push also renews it. Workers registered without `ttl` need no heartbeats.
        """
        epoch = self._registered()
        target = self._target(f"/workers/{quote(self._worker.name, safe='')}/heartbeat")
        return self._send(target, {"epoch": epoch})

    def workers(self) -> list[dict[str, Any]]:
        """The workers that have pushed or registered: `worker`, `epoch`, `last_seq`, `registered`, `ttl` and so on."""
        return list(self._get("/workers").json()["workers"])

    def delete_worker(self, worker: str) -> None:
        """Deletes a worker and its receipts to make room for another; its numbers and epochs are not reused."""
        self._change("DELETE", f"/workers/{quote(worker, safe='')}")

    def barrier(self, name: str, count: int, *, wait: float = 300) -> int | None:
        """Waits until `count` workers have called this with the same name; returns the number of the meeting, from 1.

        Returns None if `wait` seconds pass first. The arrival then still counts for a minute; call again to continue
        waiting. Retries are safe: a worker counts once. Raises Fenced if the lease of this worker runs out.
        """
        worker, until = self._worker, time.monotonic() + wait
        epoch = self._registered()
        place = f"/barriers/{quote(name, safe='')}"
        if name in worker.barriers:
            generation = worker.barriers[name] + 1
        else:
            # A request that names the generation is safe to repeat, also if it releases the others.
            generation = int(self._get(place).json()["generation"])
        body = {"worker": worker.name, "epoch": epoch, "count": count}
        while True:
            left = max(0.0, until - time.monotonic())
            part = min(left, _LONGEST_PART, (worker.ttl or _LONGEST_PART) / 2)
            target = self._target(place, [("wait", f"{part * 1000:.0f}ms")])
            answer = self._send(target, {**body, "generation": generation}, held=part)
            if answer["released"]:
                worker.barriers[name] = int(answer["generation"])
                return worker.barriers[name]
            if left <= part:
                return None
            generation = int(answer["generation"])

    def _registered(self) -> int:
        """The epoch of this worker, which is registered if necessary."""
        with self._worker.turn:
            return self.register() if self._worker.epoch is None else self._worker.epoch

    def _send(self, target: str, body: dict[str, Any], held: float = 0) -> dict[str, Any]:
        """A request that may be repeated without a key."""
        headers = {"Content-Type": "application/json"}
        return self._transport.send("POST", target, json.dumps(body).encode(), headers, held=held).json()
