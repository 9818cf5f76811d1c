"""One model on a server: what a training loop calls."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
from numpy.typing import ArrayLike

from . import definitions, tensors
from .errors import Problem, may_have_been_applied
from .results import Curve, Receipt, Snapshot, snapshot
from .tensors import Gradient
from .transport import Answer, Transport

_SAFETENSORS = "application/vnd.safetensors"
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,128}")
Query = Iterable[tuple[str, object]]
File = str | os.PathLike[str]


class Model:
    """A named model: `create`, then `pull`, `push` and `push_pull` in a loop; `lr`, `weight_decay`, `groups` to ask.

    A push carries a key, (worker, epoch, seq), that this object makes up. A push whose answer was lost is sent again
    under the same key, and the server applies it once. One object belongs to one thread of one process.
    """

    def __init__(self, transport: Transport, name: str, worker: str | None) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"a model's name is 1 to 128 of the characters A-Z a-z 0-9 _ . -, not {name!r}")
        self.name = name
        self._transport = transport
        self._path = f"/v1/models/{quote(name, safe='')}"
        self._worker = worker or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._forget()

    def _forget(self) -> None:
        """Starts as a new object does: what was known belongs to a model that is gone, or soon will be."""
        self._epoch: int | None = None
        self._seq = 0
        self._cache: dict[str, Snapshot] = {}

    # Definition

    def create(
        self, parameters: Mapping[str, Any], optimizer: str | Mapping[str, Any], *, replace: bool = False, **fields: Any
    ) -> dict[str, Any]:
        """Creates the model; no change if it exists with the same definition. Answers what `info` answers.

        `parameters` holds arrays, or dictionaries in the API's own form, such as
        `{"shape": [6, 1, 5, 5], "init": {"type": "he_uniform", "seed": 1}}`. `fields` are the other members of the
        definition: `learning_rate`, `weight_decay`, `groups` and so on. Raises Conflict if a different model has the
        name, unless `replace`; Invalid if the definition is wrong.
        """
        body = {"optimizer": optimizer, "parameters": definitions.parameters(parameters), **fields}
        self._forget()
        return self._json("PUT", "", body, query=[("replace", 1)] if replace else [], once=replace)

    def info(self) -> dict[str, Any]:
        """Definition, step, version, and the facts about each parameter."""
        return self._json("GET")

    def patch(self, **changes: Any) -> dict[str, Any]:
        """Changes hyperparameters in mid-training: `patch(learning_rate={"append": [0.01]})`; None means default."""
        return self._json("PATCH", "", changes, once=_appends(changes))

    def patch_group(self, group: str, **changes: Any) -> dict[str, Any]:
        """Changes one group: `patch_group("conv", lr=0.01)`."""
        return self._json("PATCH", f"/groups/{quote(group, safe='')}", changes, once=_appends(changes))

    def delete(self) -> None:
        """Removes the model; waiting pulls end with NotFound."""
        self._forget()
        self._transport.send("DELETE", self._path)

    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups, in update order."""
        return list(self._json("GET", "/groups")["groups"])

    # Values

    def pull(
        self,
        *,
        since: int | None = None,
        wait: float = 0,
        names: str | Sequence[str] = (),
        group: str | None = None,
    ) -> Snapshot | None:
        """One consistent version of the parameters.

        With `since`, waits up to `wait` seconds for a version beyond it, and answers None when the time is up. Without,
        an unchanged model costs one small answer: what was pulled last is kept and given again. `names` are globs.
        """
        query: list[tuple[str, object]] = [("name", name) for name in ([names] if isinstance(names, str) else names)]
        query += [("group", group)] if group is not None else []
        kept = self._cache.get(str(query)) if since is None else None
        waiting = [("since", since), ("wait", f"{wait:g}s")] if since is not None else []
        headers = {"If-None-Match": kept.etag} if kept else {}
        answer = self._send("GET", "/parameters.safetensors", query=query + waiting, headers=headers, patience=wait)
        if answer.status == 304:
            return kept
        self._cache[str(query)] = pulled = snapshot(answer)
        return pulled

    def latest(self) -> Snapshot:
        """The parameters as they are now: `pull()` for type checkers."""
        pulled = self.pull()
        assert pulled is not None
        return pulled

    def push(
        self, gradients: Mapping[str, Gradient], *, based_on: int | None = None, loss: float | None = None
    ) -> Receipt:
        """Sends gradients; the server takes a step. Parameters left out stay as they are.

        `based_on` is the step of the pull that they were computed from. A gradient may be `Rows` of an embedding.
        """
        return Receipt(self._push(gradients, based_on, loss).json())

    def push_pull(
        self, gradients: Mapping[str, Gradient], *, based_on: int | None = None, loss: float | None = None
    ) -> Snapshot:
        """Sends gradients and answers with the parameters that the step made, in one round trip."""
        return snapshot(self._push(gradients, based_on, loss, [("pull", 1)], {"Accept": _SAFETENSORS}))

    def import_(self, parameters: Mapping[str, ArrayLike] | File) -> dict[str, Any]:
        """Sets values, all of them or none: arrays by name, or the path of a safetensors file."""
        if isinstance(parameters, str | os.PathLike):
            body = Path(parameters).read_bytes()
        else:
            body = tensors.dump(tensors.dense(parameters, "parameters"))
        answer = self._send("PUT", "/parameters", body, headers={"Content-Type": _SAFETENSORS})
        return answer.json()

    def export(self, path: File) -> None:
        """Writes the parameters to a safetensors file, which NumPy and PyTorch open."""
        Path(path).write_bytes(self._send("GET", "/parameters.safetensors").body)

    # Learning rate and weight decay

    def lr(self, at: int | range | None = None) -> Any:
        """The learning rate by group: of the next update, of the update at a step, or as a Curve over a range."""
        return self._curve("lr", at, "lr")

    def lr_of(self, *parameters: str) -> list[dict[str, Any]]:
        """For each parameter its group, its rate now, and the definition behind it (`get_lr_parameter`)."""
        return list(self._json("GET", "/lr", query=[("param", name) for name in parameters])["parameters"])

    def weight_decay(self, at: int | range | None = None, *, scaled: bool = False) -> Any:
        """The weight decay by group, like `lr`; `scaled` is times the loss scale, as `get_weight_decay` has it.

        A range has no `scaled`: nobody knows the loss scale of later steps.
        """
        if scaled and isinstance(at, range):
            raise ValueError("scaled=True is for one step, since the loss scale of later steps is not known")
        return self._curve("weight_decay", at, "scaled_weight_decay" if scaled else "weight_decay")

    def _curve(self, path: str, at: int | range | None, key: str) -> Any:
        if not isinstance(at, range):
            return self._json("GET", f"/{path}", query=[("step", at)] if at is not None else [])[key]
        answer = self._json("GET", f"/{path}", query=definitions.ends(at).items())
        return Curve(np.array(answer["steps"]), {group: np.array(values) for group, values in answer[key].items()})

    # Exactly once

    def _push(
        self,
        gradients: Mapping[str, Gradient],
        based_on: int | None,
        loss: float | None,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        if self._epoch is None:
            self.register()
        fields = {
            "Worker": self._worker,
            "Epoch": self._epoch,
            "Seq": self._seq + 1,
            "Based-On": based_on,
            "Loss": loss,
        }
        key = {f"X-Paramd-{name}": str(value) for name, value in fields.items() if value is not None}
        body = tensors.dump(tensors.with_rows(gradients))
        # The number is used up unless the server says that it refused the push: after a lost answer nobody knows.
        self._seq += 1
        try:
            named = {"Content-Type": _SAFETENSORS, **key, **(headers or {})}
            return self._send("POST", "/gradients", body, query=query, headers=named)
        except Problem as problem:
            if not may_have_been_applied(problem):
                self._seq -= 1
            raise

    def register(self) -> int:
        """Announces this worker anew and answers its epoch; the first push does it by itself.

        Call it to go on after Fenced: when somebody else has taken the worker's name or has replaced the model. Pull
        before the next push, since the parameters may be others now.
        """
        self._forget()
        self._epoch = int(self._json("PUT", f"/workers/{quote(self._worker, safe='')}", {})["epoch"])
        return self._epoch

    # Requests

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        patience: float = 0,
        once: bool = False,
    ) -> Answer:
        pairs = [(key, str(value)) for key, value in query]
        target = self._path + path + (f"?{urlencode(pairs)}" if pairs else "")
        return self._transport.send(method, target, body, headers, patience=patience, once=once)

    def _json(
        self, method: str, path: str = "", body: Any = None, *, query: Query = (), once: bool = False
    ) -> dict[str, Any]:
        data = None if body is None else definitions.dump(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        return self._send(method, path, data, query=query, headers=headers, once=once).json()


def _appends(changes: Any) -> bool:
    """Whether a patch adds to what is there, so that it must not be sent twice."""
    return isinstance(changes, Mapping) and ("append" in changes or any(map(_appends, changes.values())))
