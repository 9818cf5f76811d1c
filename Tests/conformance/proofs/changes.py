"""A client that changes its own model in every way, records every change, and checks the daemon against the record."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Answer, Api

from .reference import SHAPES, SLOTS, Checkpoint, Model, after, array, definition

RATES = (0.5, 0.25, 0.125)
Change = dict[str, Any]

ROUTES = {
    "create": ["PUT /v1/models/{model}"],
    "create from file": ["PUT /v1/models/{model}"],
    "replace": ["PUT /v1/models/{model}"],
    "delete": ["DELETE /v1/models/{model}"],
    "push": ["POST /v1/models/{model}/gradients"],
    "patch": ["PATCH /v1/models/{model}"],
    "patch group": ["PATCH /v1/models/{model}/groups/{group}"],
    "import values": [
        "PUT /v1/models/{model}/parameters",
        "PUT /v1/models/{model}/parameters.json",
        "PUT /v1/models/{model}/parameters.safetensors",
    ],
    "import state": ["PUT /v1/models/{model}/state", "PUT /v1/models/{model}/state.safetensors"],
    "grow": ["POST /v1/models/{model}/parameters"],
    "report": ["POST /v1/models/{model}/scalars"],
    "register": ["PUT /v1/models/{model}/workers/{worker}"],
    "forget worker": ["DELETE /v1/models/{model}/workers/{worker}"],
    "save checkpoint": ["POST /v1/models/{model}/checkpoints"],
    "delete checkpoint": ["DELETE /v1/models/{model}/checkpoints/{checkpoint}"],
    "restore": ["POST /v1/models/{model}/checkpoints/{checkpoint}/restore"],
    "roll back": ["POST /v1/models/{model}/rollback"],
}
"""The routes by which each kind of change is sent; a test compares it with the writes of the contract."""


class Ledger:
    """A log outside the daemon: it has a line before each request is sent and another after its acknowledgement."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a")
        self._lock = threading.Lock()

    def write(self, event: str, client: int, change: Change, **more: Any) -> None:
        """Appends one line, which is in the file when this returns."""
        with self._lock:
            self._file.write(json.dumps({"event": event, "client": client, "change": change, **more}) + "\n")
            self._file.flush()

    def acknowledged(self, client: int) -> list[Change]:
        """Reads the acknowledged changes from the file, in order."""
        lines = map(json.loads, self.path.read_text().splitlines())
        return [line["change"] for line in lines if line["event"] == "acknowledged" and line["client"] == client]


class RefusedError(Exception):
    """The daemon reports that it cannot store now; the outcome of the change is checked after the next start."""


class Changer:
    """Sends changes to its model one by one; after the next start it settles a change whose answer was lost."""

    def __init__(self, number: int, seed: int, ledger: Ledger) -> None:
        self.model: Model | None = None
        self.counts = {"acknowledged": 0, "kept": 0, "not kept": 0, "refused": 0}
        self.number, self._ledger = number, ledger
        self._chance = random.Random(seed)
        self._kind = ("dense", "rows")[number % 2]
        self._archive: dict[str, tuple[str, Checkpoint]] = {}
        self._files: dict[str, bytes] = {}
        self._identities: dict[str, int] = {}
        self._open: Change | None = None
        self._sent, self._seq = 0, 0

    @property
    def _target(self) -> str:
        return f"/v1/models/changed-{self.number}"

    def run(self, daemon: Daemon) -> None:
        """Compares the state with the expected one, then changes it until the connection breaks."""
        api = Api(daemon.host, daemon.port)
        try:
            self.check(api)
            while True:
                self.change(api)
        except (OSError, http.client.HTTPException):
            return
        finally:
            api.close()

    def change(self, api: Api) -> None:
        """Makes one change, and records it before it is sent and after its acknowledgement."""
        self._open = self._draw()
        self._ledger.write("sent", self.number, self._open)
        self._send(api)

    def settle(self, api: Api) -> None:
        """Settles the open change, then compares the daemon with the state that the log alone implies."""
        self.check(api)
        told: Model | None = None
        for change in self._ledger.acknowledged(self.number):
            told = after(told, change, self._archive)
        compare(api, self._target, told, f"changed-{self.number} by its log")

    def check(self, api: Api) -> None:
        """Checks that acknowledged changes exist; others exist at most once, and exactly once after their retry."""
        where = f"changed-{self.number}"
        if self._open is not None:
            wanted = after(self.model, self._open, self._archive)
            # A checkpoint's file exists before the record that remembers the key: its retry may find the file alone.
            is_told = "checkpoint" not in self._open["kind"]
            kept = not differences(api, self._target, wanted)
            if not kept:
                compare(api, self._target, self.model, f"{where} before the retry of {self._open}")
            answer = self._send(api)
            self.counts["kept" if kept else "not kept"] += 1
            is_again = answer.headers.get("idempotency-replayed") == "true" or b'"replayed":true' in answer.body
            assert is_again or not (kept and is_told) or answer.status >= 400, (self._target, answer)
        compare(api, self._target, self.model, where)

    def _send(self, api: Api) -> Answer:
        change = self._open
        method, target, body, headers = self._request(change)
        answer = api(method, target, body, **headers)
        if answer.status in (404, 409, 410) and change["kind"] == "roll back":
            # The journal no longer covers that step, and nothing has changed.
            self.counts["refused"] += 1
            self._open = None
            return answer
        if answer.status >= 500:
            raise RefusedError(answer)
        assert answer.status in (200, 201, 204), (self._target, change, answer)
        self.model = after(self.model, change, self._archive)
        self._ledger.write("acknowledged", self.number, change, status=answer.status)
        self.counts["acknowledged"] += 1
        self._open = None
        if change["kind"] == "save checkpoint":
            self._fetch(api, change["key"], answer.json()["id"])
        return answer

    def _fetch(self, api: Api, key: str, identity: int) -> None:
        self._identities[key] = identity
        self._archive[key] = (self.model.kind, self.model.checkpoints[key])
        answer = api("GET", f"{self._target}/checkpoints/{identity}.safetensors")
        if answer.status >= 500:
            raise RefusedError(answer)
        self._files[key] = answer.expect(200).body

    def _draw(self) -> Change:
        """Draws a change that the model allows in its current state."""
        self._sent += 1
        chance, key = self._chance, f"{self.number}.{self._sent}"
        if self.model is None:
            files = sorted(self._files)
            if files and chance.random() < 0.5:
                return self._change(key, "create from file", key=chance.choice(files))
            return self._change(key, "create", kind=self._kind, values=self._values(), rates=self._rates())
        kinds = {"push": 50, "patch": 8, "patch group": 5, "import values": 8, "import state": 4, "register": 4,
                 "report": 4, "grow": 4, "save checkpoint": 6, "replace": 2, "delete": 3}  # fmt: skip
        kinds |= {"delete checkpoint": 4, "restore": 5} if self._restorable() else {}
        kinds |= {"forget worker": 5} if self._passing() else {}
        kinds |= {"roll back": 5} if len(self.model.past) > 1 else {}
        kind = chance.choices(list(kinds), list(kinds.values()))[0]
        return self._change(key, kind, **self._details(kind, key))

    def _passing(self) -> list[str]:
        """Workers that never push; a forgotten name is not used again."""
        return sorted(self.model.workers.keys() - {"w"})

    def _restorable(self) -> list[str]:
        return sorted(self.model.checkpoints.keys() & self._identities.keys())

    def _change(self, identity: str, kind: str, /, **details: Any) -> Change:
        return {"key": identity, "kind": kind, "route": self._chance.choice(ROUTES[kind]), "details": details}

    def _details(self, kind: str, key: str) -> dict[str, Any]:
        chance, model = self._chance, self.model
        draw: dict[str, Callable[[], dict[str, Any]]] = {
            "push": self._gradients,
            "replace": lambda: {"kind": self._kind, "values": self._values(), "rates": self._rates()},
            "delete": dict,
            "patch": self._rate_change,
            "patch group": lambda: {"rate": chance.choice([rate for rate in RATES if rate != model.group_rate])},
            "import values": lambda: {"values": {name: self._values()[name] for name in self._some()}},
            "import state": self._slots,
            "grow": lambda: {"name": chance.choice(["x", "y", "z"]), "count": chance.randint(1, 3)},
            "report": lambda: {"value": chance.randrange(100) / 4},
            "register": lambda: {"worker": chance.choice(["w", f"passing-{key}"])},
            "forget worker": lambda: {"worker": chance.choice(self._passing())},
            "save checkpoint": lambda: {"key": key},
            "delete checkpoint": lambda: {"key": chance.choice(self._restorable())},
            "restore": lambda: {"key": chance.choice(self._restorable())},
            "roll back": lambda: {"step": chance.choice(sorted(model.past))},
        }
        return draw[kind]()

    def _rate_change(self) -> dict[str, Any]:
        is_longer = len(self.model.rates) < 20 and self._chance.random() < 0.5
        return {"append": self._rates()} if is_longer else {"rates": self._other_rates()}

    def _slots(self) -> dict[str, Any]:
        slots = {name: self._numbers(name, range(1, 9)) for name in SHAPES}
        return {"step": self._chance.randrange(50), "slots": slots, "slot": SLOTS[self.model.kind][0]}

    def _gradients(self) -> dict[str, Any]:
        """Gradients of all parameters or one, dense or rows: small whole numbers, or powers of two where squared."""
        numbers = range(-4, 5) if self.model.kind == "dense" else (-2, -1, -0.5, 0.5, 1, 2)
        dense = {name: self._numbers(name, numbers) for name in self._some()}
        rows = {}
        if self.model.kind == "rows" and self._chance.random() < 0.5:
            dense.pop("e", None)
            indices = self._chance.sample(range(3), self._chance.randint(1, 3))
            rows["e"] = (indices, [self._chance.choices(numbers, k=2) for _ in indices])
        self._seq += 1
        worker = self._chance.choice(["w", None])
        return {"worker": worker, "seq": self._seq, "dense": dense, "rows": rows}

    def _some(self) -> list[str]:
        return self._chance.choice([["w", "e"], ["w"], ["e"]])

    def _numbers(self, name: str, numbers: Any) -> list[float]:
        return self._chance.choices(numbers, k=int(np.prod(SHAPES[name])))

    def _values(self) -> dict[str, list[float]]:
        return {name: self._numbers(name, [n / 4 for n in range(-20, 21)]) for name in SHAPES}

    def _rates(self) -> list[float]:
        return self._chance.choices(RATES, k=3)

    def _other_rates(self) -> list[float]:
        """Rates that differ from the model's current ones, so that setting them is a change."""
        while (rates := self._rates()) == self.model.rates:
            pass
        return rates

    def _request(self, change: Change) -> tuple[str, str, Any, dict[str, str]]:
        """Returns method, target, body and headers."""
        kind, details = change["kind"], change["details"]
        method, route = change["route"].split(" ")
        identity = self._identities.get(details.get("key", ""), 0)
        target = route.replace("/v1/models/{model}", self._target).format(
            worker=details.get("worker"), group="b", checkpoint=identity
        )
        headers = {"Idempotency_Key": change["key"]}
        if kind == "replace":
            target += "?replace=1"
        if kind == "create from file":
            return method, target, self._files[details["key"]], {**headers, "Content_Type": SAFETENSORS}
        if kind == "push":
            return method, target, *self._push_body(details, change["key"])
        body = self._growth(**details) if kind == "grow" else _body(change)
        if isinstance(body, bytes):
            headers["Content_Type"] = SAFETENSORS
        return method, target, body, headers

    def _growth(self, name: str, count: int) -> dict[str, Any]:
        """Adds a parameter that the model lacks, and rows to one that it has."""
        if name in self.model.state.values:
            return {"rows": {name: {"count": count, "init": "ones"}}}
        return {"add": {name: {"shape": [count, 2], "init": "ones"}}, "group": "a"}

    def _push_body(self, details: dict[str, Any], key: str) -> tuple[Any, dict[str, str]]:
        """Identifies the push by number or key, in JSON or safetensors: the change alone determines what is sent."""
        epoch = self.model.workers.get("w", [0, 0])[0]
        if details["seq"] % 2:
            tensors = {name: array(name, data) for name, data in details["dense"].items()}
            for name, (indices, values) in details["rows"].items():
                tensors |= {f"{name}#indices": np.array(indices, np.int64), f"{name}#values": np.float32(values)}
            worker = {"X_Paramd_Worker": "w", "X_Paramd_Seq": f"{details['seq']}", "X_Paramd_Epoch": f"{epoch}"}
            headers = {"Idempotency_Key": key} if details["worker"] is None else worker
            return safetensors.numpy.save(tensors), {**headers, "Content_Type": SAFETENSORS}
        gradients: dict[str, Any] = {name: array(name, data).tolist() for name, data in details["dense"].items()}
        gradients |= {name: {"indices": rows[0], "values": rows[1]} for name, rows in details["rows"].items()}
        if details["worker"] is None:
            return {"gradients": gradients}, {"Idempotency_Key": key}
        return {"gradients": gradients, "worker": "w", "seq": details["seq"], "epoch": epoch}, {}


def _body(change: Change) -> Any:
    """Decodes JSON to its value; a file stays bytes."""
    details = change["details"]
    bodies: dict[str, Callable[[], Any]] = {
        "create": lambda: definition(**details),
        "replace": lambda: definition(**details),
        "patch": lambda: {"learning_rate": details.get("rates") or {"append": details["append"]}},
        "patch group": lambda: {"lr": details["rate"]},
        "report": lambda: {"scalars": {"figure": details["value"]}},
        "roll back": lambda: {"step": details["step"]},
        "import values": lambda: _values_body(change["route"], details["values"]),
        "import state": lambda: _state_body(**details),
    }
    return bodies.get(change["kind"], lambda: None)()


def _values_body(route: str, values: dict[str, Any]) -> Any:
    arrays = {name: array(name, data) for name, data in values.items()}
    if route.endswith("safetensors"):
        return safetensors.numpy.save(arrays)
    return {"parameters": {name: value.tolist() for name, value in arrays.items()}}


def _state_body(step: int, slots: dict[str, Any], slot: str) -> bytes:
    tensors = {f"{name}#{slot}": array(name, data) for name, data in slots.items()}
    scalars = {"global_step": str(step), **{f"{name}#started": "1" for name in SHAPES}}
    return safetensors.numpy.save(tensors, scalars)


def differences(api: Api, target: str, model: Model | None) -> list[str]:
    """Lists where the daemon and the reference differ, to the bit."""
    page = api("GET", target)
    if model is None or page.status == 404:
        return [] if model is None and page.status == 404 else [f"is there: {page.status}, {model}"]
    found = _found(api, target, page.expect(200).json())
    wanted = _wanted(model)
    return [f"{name}: {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]


def compare(api: Api, target: str, model: Model | None, where: str) -> None:
    """Fails where the daemon and the reference differ."""
    wrong = differences(api, target, model)
    assert not wrong, (where, wrong)


def _found(api: Api, target: str, page: dict[str, Any]) -> dict[str, Any]:
    state = api.get(f"{target}/state").json()
    values = api.get(f"{target}/parameters.safetensors").tensors()
    slots = api.get(f"{target}/state.safetensors").tensors()
    workers = api.get(f"{target}/workers").json()["workers"]
    saved = api.get(f"{target}/checkpoints").json()["checkpoints"]
    figure = api.get(f"{target}/history").json()["series"].get("metrics/figure", {"step": [], "value": []})
    return {
        "version": page["version"],
        "step": (page["step"], state["step"], state["scalars"]["global_step"]),
        "rates": page["definition"]["learning_rate"],
        "rate of the next update": {group["name"]: group["lr"] for group in page["groups"]},
        "started": {name: state["scalars"][f"{name}#started"] for name in SHAPES},
        "values": _plain(values),
        "slots": _plain(slots),
        "workers": {worker["worker"]: [worker["epoch"], worker["last_seq"]] for worker in workers},
        "checkpoints": sorted((checkpoint["version"], checkpoint["step"]) for checkpoint in saved),
        "reported": [list(each) for each in zip(figure["step"], figure["value"], strict=True)],
    }


def _wanted(model: Model) -> dict[str, Any]:
    state, slot = model.state, SLOTS[model.kind][0]
    return {
        "version": model.version,
        "step": (state.step,) * 3,
        "rates": model.rates,
        "rate of the next update": {"a": float(model.rate("w")), "b": float(model.rate("e"))},
        "started": state.started,
        "values": _plain(state.values),
        "slots": _plain({f"{name}#{slot}": values for name, values in state.slots.items()}),
        "workers": model.workers,
        "checkpoints": sorted((saved.version, saved.state.step) for saved in model.checkpoints.values()),
        "reported": model.reported,
    }


def _plain(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: values.tolist() for name, values in arrays.items()}
