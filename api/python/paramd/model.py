"""One model on a server: what a training loop calls."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from . import definitions, tensors
from .connections import Answer
from .errors import Problem, may_have_been_applied
from .rates import Rates
from .resource import SAFETENSORS, Query
from .results import Receipt, Snapshot, snapshot
from .saving import Saving
from .selection import Selection
from .tensors import Gradient
from .transport import Transport
from .worker import Worker

#: Selections of parameters whose last answer is kept.
_MOST_KEPT = 4


class Model(Rates, Saving):
    """A named model: `create`, then `pull`, `push` and `push_pull` in a loop; `lr`, `weight_decay`, `groups` to ask.

    A push carries a key, (worker, epoch, seq), that this object makes up. A push whose answer was lost is sent again
    under the same key, and the server applies it once. Any number of threads may use one object: their pushes go one
    after another, and a pull that waits holds up none of them. In a forked child, and where it was unpickled, the
    object is a worker of its own.
    """

    def __init__(self, transport: Transport, name: str, worker: str | None) -> None:
        super().__init__(transport, name)
        self._worker = Worker(worker)
        self._kept: dict[str, Answer] = {}

    def __getstate__(self) -> tuple[Transport, str, str | None]:
        return self._transport, self.name, self._worker.given

    def __setstate__(self, state: tuple[Transport, str, str | None]) -> None:
        self.__init__(*state)  # type: ignore[misc]
        self._worker.after_fork()

    def __repr__(self) -> str:
        return f"Model({self.name!r} at {self._transport.address}, worker {self.worker!r})"

    @property
    def worker(self) -> str:
        """The name under which this object pushes."""
        return self._worker.name

    def _forget(self) -> None:
        """Starts as a new object does: what was known belongs to a model that is gone, or soon will be."""
        self._worker.forget()
        self._kept = {}

    # Definition

    def create(
        self,
        parameters: Mapping[str, Any],
        optimizer: str | Mapping[str, Any],
        *,
        replace: bool = False,
        join: bool = False,
        **fields: Any,
    ) -> dict[str, Any]:
        """Creates the model; no change if it exists with the same definition. Answers what `info` answers.

        `parameters` holds arrays, or dictionaries in the API's own form, such as
        `{"shape": [6, 1, 5, 5], "init": {"type": "he_uniform", "seed": 1}}`. `fields` are the other members of the
        definition: `learning_rate`, `weight_decay`, `groups` and so on. Raises Conflict if a different model has the
        name, unless `replace`, which starts over, or `join`, which goes on with the model that is there if its
        parameters have these names and shapes: for workers that were seeded differently. Invalid if the definition is
        wrong.
        """
        body = {"optimizer": optimizer, "parameters": definitions.parameters(parameters), **fields}
        query = [(name, 1) for name, is_set in (("replace", replace), ("join", join)) if is_set]
        with self._worker.turn:
            self._forget()
            return self._change_by_json("PUT", "", body, query)

    def info(self) -> dict[str, Any]:
        """Definition, step, version, and the facts about each parameter."""
        return self._get("").json()

    def patch(self, **changes: Any) -> dict[str, Any]:
        """Changes hyperparameters in mid-training: `patch(learning_rate={"append": [0.01]})`; None means default."""
        return self._change_by_json("PATCH", "", changes)

    def patch_group(self, group: str, **changes: Any) -> dict[str, Any]:
        """Changes one group: `patch_group("conv", lr=0.01)`."""
        return self._change_by_json("PATCH", f"/groups/{quote(group, safe='')}", changes)

    def delete(self) -> None:
        """Removes the model; waiting pulls end with NotFound."""
        with self._worker.turn:
            self._forget()
            self._change("DELETE", "")

    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups, in update order."""
        return list(self._get("/groups").json()["groups"])

    def workers(self) -> list[dict[str, Any]]:
        """Who has pushed or registered: `worker`, `epoch` and `last_seq` of each."""
        return list(self._get("/workers").json()["workers"])

    def delete_worker(self, worker: str) -> None:
        """Lets a worker and its receipts go, to make room for another; numbers that it has used stay used."""
        self._change("DELETE", f"/workers/{quote(worker, safe='')}")

    # Values

    def pull(
        self,
        *,
        since: Snapshot | Receipt | str | int | None = None,
        min_step: int | None = None,
        wait: float = 0,
        names: str | Sequence[str] = (),
        group: str | None = None,
        dtype: Any = None,
    ) -> Snapshot | None:
        """One consistent version of the parameters, in arrays that are the caller's own.

        With `since`, a snapshot, a receipt, a cursor or a version, waits up to `wait` seconds for a version beyond it;
        with `min_step`, until that many updates are done. None when the time is up, which proxies that cut the wait do
        not lengthen. Raises CursorUnknown if `since` is not of this model, because it was replaced. Without the two, an
        unchanged model costs one small answer. `names` are globs; `dtype` is what travels: float16 arrives as such,
        bfloat16 as float32.
        """
        selection = Selection(names, group, dtype)
        conditions = [("since", _since(since)), ("min_step", min_step)]
        conditions = [(name, value) for name, value in conditions if value is not None]
        if wait and not conditions:
            raise ValueError("wait needs to know what for: since=snapshot, or min_step=")
        kept = None if conditions else self._kept.get(selection.key)
        headers = {"If-None-Match": kept.headers["etag"].removeprefix("W/")} if kept else {}
        target = self._target("/parameters.safetensors", [*selection.query, *conditions])
        answer = (
            self._transport.wait(target, headers, wait) if wait else self._transport.send("GET", target, None, headers)
        )
        if answer.status in (202, 304):
            return snapshot(_copy(kept)) if kept else None
        pulled = snapshot(answer)
        selection.check(self.name, pulled)
        if not conditions:
            self._keep(selection.key, answer)
        return pulled

    def latest(self, *, names: str | Sequence[str] = (), group: str | None = None, dtype: Any = None) -> Snapshot:
        """The parameters as they are now: `pull()` for type checkers."""
        pulled = self.pull(names=names, group=group, dtype=dtype)
        assert pulled is not None
        return pulled

    def push(
        self,
        gradients: Mapping[str, Gradient],
        *,
        based_on: Snapshot | str | int | None = None,
        loss: float | None = None,
    ) -> Receipt:
        """Sends gradients; the server takes a step. Parameters left out stay as they are.

        `based_on` is the snapshot that they were computed from, or its step. A gradient may be `Rows` of an embedding.
        """
        return Receipt(self._push(gradients, based_on, loss).json())

    def push_pull(
        self,
        gradients: Mapping[str, Gradient],
        *,
        based_on: Snapshot | str | int | None = None,
        loss: float | None = None,
    ) -> Snapshot:
        """Sends gradients and answers with the parameters that the step made, in one round trip."""
        return snapshot(self._push(gradients, based_on, loss, [("pull", 1)], {"Accept": SAFETENSORS}))

    def _keep(self, key: str, answer: Answer) -> None:
        """Keeps an answer as it came, since the arrays that are views of it belong to the caller."""
        if "etag" in answer.headers:
            newest = list(self._kept.items())[1 - _MOST_KEPT :]
            self._kept = {**dict(newest), key: _copy(answer)}

    # Exactly once

    def _push(
        self,
        gradients: Mapping[str, Gradient],
        based_on: Snapshot | str | int | None,
        loss: float | None,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        body = tensors.dump(tensors.with_rows(gradients))
        loss = loss if loss is None else float(loss)  # also where it is a framework's tensor
        base = (based_on.cursor or based_on.step) if isinstance(based_on, Snapshot) else based_on
        worker, began = self._worker, time.monotonic()
        with worker.turn:
            # Threads that queue behind an outage have sat out a part of it.
            queued = time.monotonic() - began
            if worker.epoch is None:
                self.register()
            # The number is used up unless the server says that it refused the push: after a lost answer it may
            # have been applied.
            worker.seq += 1
            fields = {"Worker": worker.name, "Epoch": worker.epoch, "Seq": worker.seq, "Based-On": base, "Loss": loss}
            key = {f"X-Paramd-{name}": str(value) for name, value in fields.items() if value is not None}
            named = {"Content-Type": SAFETENSORS, **key, **(headers or {})}
            try:
                return self._transport.send("POST", self._target("/gradients", query), body, named, spent=queued)
            except Problem as problem:
                if not may_have_been_applied(problem):
                    worker.seq -= 1
                raise

    def register(self) -> int:
        """Announces this worker and answers its epoch; the first push does it by itself.

        Call it to go on after Fenced: when another process has taken the worker's name or has replaced the model. Pull
        before the next push, since the parameters may be others now.
        """
        with self._worker.turn:
            self._forget()
            answer = self._change_by_json("PUT", f"/workers/{quote(self._worker.name, safe='')}", {})
            self._worker.epoch = int(answer["epoch"])
            return self._worker.epoch


def _since(given: Snapshot | Receipt | str | int | None) -> str | int | None:
    return given.cursor or given.version if isinstance(given, Snapshot | Receipt) else given


def _copy(answer: Answer) -> Answer:
    return Answer(answer.status, answer.headers, bytearray(answer.body))
