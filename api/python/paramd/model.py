"""One model on a server, as a training loop uses it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from . import definitions, tensors
from .connections import Answer
from .errors import Conflict, Problem, may_have_been_applied
from .following import Following, figures
from .membership import Membership
from .rates import Rates
from .resource import SAFETENSORS, Query
from .results import Receipt, Snapshot, snapshot
from .rounds import Rounds
from .saving import Saving
from .selection import Selection
from .tensors import Gradient
from .transport import LONGEST_PART, Transport
from .worker import Worker

#: The number of selections whose last answer is kept.
_MOST_KEPT = 4


class Model(Rates, Saving, Membership, Rounds, Following):
    """A named model: `create`, then `pull`, `push` and `push_pull` in a loop; `lr`, `weight_decay`, `groups` to query.

    A push has a key, (worker, epoch, seq), chosen by this object. A push whose answer was lost is sent again with the
    same key, and the server applies it once. Any number of threads may use one object: their pushes are sent one after
    another, and a waiting pull blocks none of them. A forked child and an unpickled object are separate workers.
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
        """Resets the object: its state belongs to a model that is deleted, or soon will be."""
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
        """Creates the model; no change if it exists with the same definition. Returns the same as `info`.

        `parameters` contains arrays, or dictionaries in the API's own form, such as
        `{"shape": [6, 1, 5, 5], "init": {"type": "he_uniform", "seed": 1}}`. `fields` are the other members of the
        definition: `learning_rate`, `weight_decay`, `groups` and so on. Raises Conflict if a different model has the
        name, unless `replace`, which starts over, or `join`, which continues with the existing model if its parameters
        have these names and shapes, for workers with different seeds. Raises Invalid if the definition is invalid.
        """
        body = {"optimizer": optimizer, "parameters": definitions.parameters(parameters), **fields}
        query = [(name, 1) for name, is_set in (("replace", replace), ("join", join)) if is_set]
        with self._worker.turn:
            self._forget()
            return self._change_by_json("PUT", "", body, query)

    def info(self) -> dict[str, Any]:
        """Definition, step, version, and a description of each parameter."""
        return self._get("").json()

    def patch(self, **changes: Any) -> dict[str, Any]:
        """Changes hyperparameters during training: `patch(learning_rate={"append": [0.01]})`; None means default."""
        return self._change_by_json("PATCH", "", changes)

    def patch_group(self, group: str, **changes: Any) -> dict[str, Any]:
        """Changes one group: `patch_group("conv", lr=0.01)`."""
        return self._change_by_json("PATCH", f"/groups/{quote(group, safe='')}", changes)

    def add_parameters(
        self, parameters: Mapping[str, Any], *, group: str | None = None, rows: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Adds parameters, written as for `create`, to a group, and rows as `add_rows` does: all of it or nothing.

        They are last in the update order, and their slots start as in a new model. Returns the same as `info`; pull
        again to get them.
        """
        body: dict[str, Any] = {"add": definitions.parameters(parameters)} if parameters else {}
        body |= ({} if group is None else {"group": group}) | ({} if rows is None else {"rows": dict(rows)})
        return self._change_by_json("POST", "/parameters", body)

    def add_rows(self, parameter: str, count: int, init: str | Mapping[str, Any] = "zeros") -> dict[str, Any]:
        """Adds rows at the end of a parameter, such as those of new words in an embedding; returns the same as `info`.

        The other rows and their slots stay. Gradients must have the new shape from then on, or name rows.
        """
        return self.add_parameters({}, rows={parameter: {"count": count, "init": init}})

    def move(self, group: str, *parameters: str) -> dict[str, Any]:
        """Moves parameters to another group; `reset` in the answer names those whose slots start again.

        Slots are kept if the group has the same optimizer.
        """
        return self.patch(parameters={name: {"group": group} for name in parameters})

    def freeze(self, *parameters: str) -> dict[str, Any]:
        """Keeps parameters as they are, with their slots, until `unfreeze`; gradients for them are refused."""
        return self.patch(parameters={name: {"trainable": False} for name in parameters})

    def unfreeze(self, *parameters: str) -> dict[str, Any]:
        """Trains frozen parameters again, from the slots that they had."""
        return self.patch(parameters={name: {"trainable": True} for name in parameters})

    def delete(self) -> None:
        """Removes the model; waiting pulls end with NotFound."""
        with self._worker.turn:
            self._forget()
            self._change("DELETE", "")

    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups, in update order."""
        return list(self._get("/groups").json()["groups"])

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
        average: str | None = None,
        worker: bool = False,
    ) -> Snapshot | None:
        """One consistent version of the parameters, in arrays that the caller owns.

        With `since` (a snapshot, a receipt, a cursor or a version), waits up to `wait` seconds for a newer version;
        with `min_step`, until that many updates are done. Returns None at the timeout, even if a proxy cuts the wait.
        Raises CursorUnknown if `since` belongs to an earlier model of this name. Without the two, an unchanged model
        costs one small answer. `names` are globs; `dtype` is the type of transfer: float16 arrives as such, bfloat16
        as float32. `average`, "ema" or "swa", pulls that average instead of the parameters; raises Conflict before
        the first update of the average. `worker` names the worker that pulls: in mode `ssp`, one that is too far ahead
        of the slowest waits up to `wait` seconds, and then this returns None. Without `wait` it raises Conflict, which
        names the clock to wait for.
        """
        selection = Selection(names, group, dtype, average)
        conditions = [("since", _since(since)), ("min_step", min_step)]
        conditions = [(name, value) for name, value in conditions if value is not None]
        if worker:
            conditions.append(("worker", self.worker))
        if wait and not conditions:
            raise ValueError("wait needs a condition: pass since=snapshot, min_step=STEP or worker=True")
        kept = None if conditions else self._kept.get(selection.key)
        headers = {"If-None-Match": kept.headers["etag"].removeprefix("W/")} if kept else {}
        target = self._target("/parameters.safetensors", [*selection.query, *conditions])
        answer = self._wait(target, headers, wait) if wait else self._transport.send("GET", target, None, headers)
        if answer is None or answer.status in (202, 304):
            return snapshot(_copy(kept)) if kept else None
        pulled = snapshot(answer)
        selection.check(self.name, pulled)
        if not conditions:
            self._keep(selection.key, answer)
        return pulled

    def latest(
        self,
        *,
        names: str | Sequence[str] = (),
        group: str | None = None,
        dtype: Any = None,
        average: str | None = None,
    ) -> Snapshot:
        """The current parameters: `pull()` for type checkers."""
        pulled = self.pull(names=names, group=group, dtype=dtype, average=average)
        assert pulled is not None
        return pulled

    def push(
        self,
        gradients: Mapping[str, Gradient],
        *,
        based_on: Snapshot | str | int | None = None,
        loss: float | None = None,
        metrics: Mapping[str, float] | None = None,
        num_examples: int | None = None,
        wait: float = 0,
        hyperparameters: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Sends gradients; the server applies a step. Parameters that are left out do not change.

        `based_on` is the snapshot that they were computed from, or its step. A gradient may be `Rows` of an embedding.
        In a model with rounds, waits up to `wait` seconds for the round to close; if it is still open, the receipt is
        `held`. Raises RoundDropped if the round was dropped. `num_examples` is the weight of the gradient in weighted
        rounds. The server records `loss` and `metrics` for the charts. `hyperparameters` apply to
        this update only: `{"learning_rate": 0.1, "groups": {"conv": {"lr": 0.01}}}`.
        """
        answer = self._push(gradients, based_on, loss, metrics, hyperparameters, num_examples=num_examples, wait=wait)
        return Receipt(answer.json())

    def push_pull(
        self,
        gradients: Mapping[str, Gradient],
        *,
        based_on: Snapshot | str | int | None = None,
        loss: float | None = None,
        metrics: Mapping[str, float] | None = None,
        num_examples: int | None = None,
        wait: float = 0,
        hyperparameters: Mapping[str, Any] | None = None,
    ) -> Snapshot | None:
        """Sends gradients as `push` does and returns the parameters after the step, in one round trip.

        In a model with rounds, waits up to `wait` seconds for the round to close. Returns None if it is still open: the
        push is held, and a `pull` with `min_step` waits for its step. Raises RoundDropped if the round was dropped.

        In mode `ssp` the push is applied in any case. If this worker is too far ahead of the slowest, waits for it up
        to `wait` seconds; then returns None, and a `pull` with `worker=True` waits on. If the push was applied but the
        server refuses the parameters for another reason, raises what a `pull` raises.
        """
        pull, accept, until = [("pull", 1)], {"Accept": SAFETENSORS}, time.monotonic() + wait
        answer = self._push(
            gradients, based_on, loss, metrics, hyperparameters, pull, accept, num_examples=num_examples, wait=wait
        )
        if answer.status == 202:
            return None
        if answer.headers["content-type"] == SAFETENSORS:
            return snapshot(answer)
        applied = answer.json()
        if applied["pull"]["type"] == "/problems/too-far-ahead":
            return self._pull_after(Receipt(applied["receipt"]), until - time.monotonic())
        return self._with_receipt(self.pull(), Receipt(applied["receipt"]))

    def _pull_after(self, receipt: Receipt, wait: float) -> Snapshot | None:
        """The pull of a `push_pull` that was applied, but whose worker could not pull at once; None at the timeout."""
        return self._with_receipt(self.pull(worker=True, wait=wait) if wait > 0 else None, receipt)

    @staticmethod
    def _with_receipt(pulled: Snapshot | None, receipt: Receipt) -> Snapshot | None:
        """A snapshot that says what happened to the push."""
        if pulled is None:
            return None
        return dataclasses.replace(pulled, applied=receipt.applied, loss_scale=receipt.fields.get("loss_scale"))

    def _wait(self, target: str, headers: Mapping[str, str], seconds: float) -> Answer | None:
        """The answer of a pull that waits; None if the server refuses it at the end because others are too slow."""
        until, left = time.monotonic() + seconds, seconds
        while left > 0:
            try:
                return self._transport.wait(target, headers, left)
            except Conflict as refusal:
                # The server refuses at the end of each part.
                if refusal.slug != "too-far-ahead":
                    raise
                left = until - time.monotonic()
        return None

    def _keep(self, key: str, answer: Answer) -> None:
        """Keeps a copy of the answer, because the arrays that are views of it belong to the caller."""
        if "etag" in answer.headers:
            newest = list(self._kept.items())[1 - _MOST_KEPT :]
            self._kept = {**dict(newest), key: _copy(answer)}

    # Exactly once

    def _push(
        self,
        gradients: Mapping[str, Gradient],
        based_on: Snapshot | str | int | None,
        loss: float | None,
        metrics: Mapping[str, float] | None,
        hyperparameters: Mapping[str, Any] | None,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        *,
        num_examples: int | None = None,
        wait: float = 0,
    ) -> Answer:
        # In the file, because headers have a limited length.
        metadata = {}
        if metrics:
            metadata["metrics"] = json.dumps(figures(metrics))
        if hyperparameters:
            metadata["hyperparameters"] = definitions.dump(hyperparameters).decode()
        body = tensors.dump(tensors.with_rows(gradients), metadata or None)
        loss = loss if loss is None else float(loss)  # also where it is a framework's tensor
        base = (based_on.cursor or based_on.step) if isinstance(based_on, Snapshot) else based_on
        worker, began = self._worker, time.monotonic()
        with worker.turn:
            # Threads that queue behind an outage have already waited for part of it.
            queued = time.monotonic() - began
            if worker.epoch is None:
                self.register()
            # The number counts as used unless the server refused the push: after a lost answer it may
            # have been applied.
            worker.seq += 1
            fields = {
                "Worker": worker.name,
                "Epoch": worker.epoch,
                "Seq": worker.seq,
                "Based-On": base,
                "Num-Examples": num_examples,
                "Loss": loss,
            }
            key = {f"X-Paramd-{name}": str(value) for name, value in fields.items() if value is not None}
            named = {"Content-Type": SAFETENSORS, **key, **(headers or {})}
            try:
                answer = self._transport.send("POST", self._target("/gradients", query), body, named, spent=queued)
            except Problem as problem:
                if not may_have_been_applied(problem):
                    worker.seq -= 1
                raise
        return self._await_round(answer, query, body, named, wait)

    def _await_round(
        self, answer: Answer, query: Query, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        """Repeats a held push until its round closes or the time is up; returns the last answer."""
        until = time.monotonic() + seconds
        while answer.status == 202 and (left := until - time.monotonic()) > 0:
            # The daemon ends a wait early if too many requests wait, or if it stops.
            time.sleep(min(left, float(answer.headers.get("retry-after", 0))))
            part = min(max(0.0, until - time.monotonic()), LONGEST_PART)
            target = self._target("/gradients", [*query, ("wait", f"{part * 1000:.0f}ms")])
            answer = self._transport.send("POST", target, body, headers, held=part)
        return answer


def _since(given: Snapshot | Receipt | str | int | None) -> str | int | None:
    return given.cursor or given.version if isinstance(given, Snapshot | Receipt) else given


def _copy(answer: Answer) -> Answer:
    return Answer(answer.status, answer.headers, bytearray(answer.body))
