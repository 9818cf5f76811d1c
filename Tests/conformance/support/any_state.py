"""Models after commands of every kind, at the limits of each command: every accepted state can be loaded again."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import safetensors.numpy

from support import golden
from support.wire import SAFETENSORS, Answer, Api

#: Numbers at which a representation ends or changes: float32, a double's integers, zero.
NUMBERS = [
    *(0, -0.0, 1, 0.5, 1e-45, 1.1754944e-38, 1e-30, 1e-8, 65504, 2**24 + 1, 1e19, 1e30, 3.4028234e38, 2**53 - 1),
    *(-1, -1e-30, -3.4028234e38),
]
#: Names in every alphabet, of the maximum length, and names with a meaning in other programs.
NAMES = ["w", "a.b", "ключ", "重み", "é" * 100, "__proto__", "a/b", "..", "x" * 255, "weight#1", "0", "%00", "q?x=1&y"]
STEPS = [0, 1, 2**24, 2**31 - 1, 2**53 - 3, 2**53 - 1]
Essence = dict[str, Any]


def essence(api: Api, model: str) -> Essence:
    """The part that a restore brings back, to the bit: values, slots, counts and scalars."""
    found: Essence = {}
    for view in ("parameters", "state"):
        answer = api.get(f"/v1/models/{model}/{view}.safetensors")
        found |= {f"{view} {name}": (tensor.shape, tensor.tobytes()) for name, tensor in answer.tensors().items()}
    return found


def digests(api: Api, models: list[str]) -> dict[str, str]:
    """The digests that the daemon reports for everything in a model."""
    return {model: api.get(f"/v1/models/{model}/state").json()["digest"] for model in models}


@dataclass
class Life:
    """One model, the commands it got, and its state at each step and checkpoint."""

    api: Api
    model: str
    seed: int
    shapes: dict[str, list[int]] = field(default_factory=dict)
    checkpoints: dict[int, Essence] = field(default_factory=dict)
    steps: dict[int, Essence] = field(default_factory=dict)
    taken: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def begin(self) -> bool:
        """Creates the model from a framework's definition with one or two changes; returns False if it was refused."""
        for _ in range(6):
            body = self._definition()
            answer = self.api("PUT", f"/v1/models/{self.model}", body)
            if self._judge(answer):
                self.shapes = {name: tensor["shape"] for name, tensor in body["parameters"].items()}
                self.steps = {answer.json()["step"]: essence(self.api, self.model)}
                return True
        return False

    def go_on(self, count: int) -> None:
        """Sends commands of any kind."""
        acts = [self._push] * 4 + [self._patch] * 3 + [self._patch_group, self._values, self._state]
        acts += [self._save, self._restore, self._roll_back, self._register, self._upload]
        for _ in range(count):
            self.random.choice(acts)()

    def _judge(self, answer: Answer) -> bool:
        assert answer.status < 500, f"seed {self.seed}: {answer.status} {answer.body[:500]!r}"
        accepted = answer.status < 300
        self.taken, self.refused = self.taken + accepted, self.refused + (not accepted)
        return accepted

    def _number(self) -> float:
        return self.random.choice([*NUMBERS, self.random.uniform(-2, 2), self.random.random() * 0.1])

    # Definitions

    def _definition(self) -> dict[str, Any]:
        body = golden.definition(golden.load(self.random.choice(golden.cases())))
        changes = [self._at_step, self._rates, self._option, self._scale, self._count, self._second]
        for change in self.random.sample(changes, 2):
            change(body)
        if self.random.random() < 0.3:
            self._rename(body)
        return body

    def _at_step(self, body: dict[str, Any]) -> None:
        body["step"] = self.random.choice(STEPS)

    def _rates(self, body: dict[str, Any]) -> None:
        body["learning_rate"] = self._rate()

    def _rate(self) -> Any:
        kind = self.random.randrange(4)
        if kind == 0:
            return [abs(self._number()) for _ in range(self.random.randrange(1, 6))]
        if kind == 1:
            return {
                "schedule": "ExponentialDecayLR",
                "learning_rate": 0.1,
                "decay_rate": abs(self._number()),
                "decay_steps": self.random.choice([1, 10, 2**31 - 1]),
            }
        return abs(self._number())

    def _option(self, body: dict[str, Any]) -> None:
        numbers = [key for key, value in body["optimizer"].items() if type(value) in (int, float)]
        if numbers:
            body["optimizer"][self.random.choice(numbers)] = self._number()

    def _scale(self, body: dict[str, Any]) -> None:
        body["loss_scale"] = self.random.choice(
            [abs(self._number()), {"dynamic": True, "scale_factor": 2, "scale_window": self.random.choice([1, 2**31])}]
        )

    def _count(self, body: dict[str, Any]) -> None:
        """An integer counter beside the floats, as a batch norm has one."""
        dtype = self.random.choice(["I64", "I32", "U8", "BOOL"])
        if "groups" not in body:
            body["parameters"]["batches"] = {"dtype": dtype, "shape": [], "data": [self.random.choice([0, 1])]}

    def _second(self, body: dict[str, Any]) -> None:
        """A second optimizer for one of two groups."""
        names = list(body["parameters"])
        if "groups" in body or len(names) < 2:
            return
        torch = body["optimizer"].get("framework") == "torch"
        own = ["SGD", "Adam", "NAdam", "Adagrad"] if torch else ["SGD", "Adam", "ASGD", "FTRL", "LazyAdam", "Lamb"]
        body["groups"] = [{"params": names[1:]}, {"params": names[:1], "optimizer": self.random.choice(own)}]

    def _rename(self, body: dict[str, Any]) -> None:
        old = self.random.choice(list(body["parameters"]))
        new = self.random.choice(NAMES)
        if "groups" in body or new in body["parameters"]:
            return
        body["parameters"][new] = body["parameters"].pop(old)

    # Commands

    def _push(self) -> None:
        size = self.random.choice([1.0, 1.0, 1e-30, 1e15, 1e30])
        names = self.random.sample(sorted(self.shapes), self.random.randrange(1, len(self.shapes) + 1))
        source = np.random.default_rng(self.random.randrange(2**32))
        body: dict[str, Any] = {"gradients": {name: self._gradient(name, source, size) for name in names}}
        if self.random.random() < 0.5:
            body |= {"worker": self.random.choice("abc"), "seq": self.random.choice([1, 2, 3, 2**53 - 1])}
        answer = self.api("POST", f"/v1/models/{self.model}/gradients", body)
        if self._judge(answer) and "Idempotent-Replayed" not in answer.headers:
            self.steps[answer.json()["step"]] = essence(self.api, self.model)

    def _gradient(self, name: str, source: np.random.Generator, size: float) -> Any:
        shape = self.shapes[name]
        if len(shape) > 1 and self.random.random() < 0.3:
            values = source.standard_normal([2, *shape[1:]]) * size
            return {"indices": [0, shape[0] - 1], "values": values.tolist()}
        return {"shape": shape, "data": (source.standard_normal(shape) * size).reshape(-1).tolist()}

    def _patch(self) -> None:
        patch = self.random.choice(
            [
                {"learning_rate": self._rate()},
                {"learning_rate": {"append": [abs(self._number())]}},
                {"weight_decay": self._number()},
                {"loss_scale": abs(self._number())},
                {"optimizer": {"momentum": self._number()}},
                {"optimizer": {"beta1": self._number()}},
            ]
        )
        self._judge(self.api("PATCH", f"/v1/models/{self.model}", patch))

    def _patch_group(self) -> None:
        groups = self.api.get(f"/v1/models/{self.model}/groups").json()["groups"]
        name = self.random.choice(groups)["name"]
        patch = self.random.choice([{"lr": self._rate()}, {"weight_decay": self._number()}])
        self._judge(self.api("PATCH", f"/v1/models/{self.model}/groups/{name}", patch))

    def _values(self) -> None:
        name = self.random.choice(sorted(self.shapes))
        shape = self.shapes[name]
        tensor = {"shape": shape, "data": [self._number() for _ in range(int(np.prod(shape)))]}
        answer = self.api("PUT", f"/v1/models/{self.model}/parameters", {"parameters": {name: tensor}})
        self._note_rewritten(answer)

    def _state(self) -> None:
        """The model's own state, with one tensor filled with a number and the step moved."""
        file = self.api.get(f"/v1/models/{self.model}/state.safetensors").body
        tensors, metadata = _open(file)
        metadata.pop("paramd.checksum", None)
        if tensors and self.random.random() < 0.7:
            name = self.random.choice(sorted(tensors))
            kind = tensors[name].dtype
            largest = 3e38 if kind.kind == "f" else 2**53 - 1
            tensors[name] = np.full(tensors[name].shape, min(abs(self._number()), largest), dtype=kind)
        if self.random.random() < 0.5:
            metadata["global_step"] = str(self.random.choice(STEPS))
        body = safetensors.numpy.save(tensors, metadata)
        self._note_rewritten(self.api("PUT", f"/v1/models/{self.model}/state", body, Content_Type=SAFETENSORS))

    def _note_rewritten(self, answer: Answer) -> None:
        """Notes that the current step has other content now; a rollback to it finds the later content."""
        if self._judge(answer):
            self.steps[answer.json()["step"]] = essence(self.api, self.model)

    def _save(self) -> None:
        answer = self.api("POST", f"/v1/models/{self.model}/checkpoints")
        if self._judge(answer):
            self.checkpoints[answer.json()["id"]] = essence(self.api, self.model)

    def _restore(self) -> None:
        if not self.checkpoints:
            return
        checkpoint = self.random.choice(sorted(self.checkpoints))
        self.restore(checkpoint)

    def restore(self, checkpoint: int) -> None:
        """Restores a checkpoint, which must equal what was saved."""
        answer = self.api("POST", f"/v1/models/{self.model}/checkpoints/{checkpoint}/restore")
        if self._judge(answer):
            self._assert_is(self.checkpoints[checkpoint], f"checkpoint {checkpoint}")
            self.steps[answer.json()["step"]] = self.checkpoints[checkpoint]

    def _roll_back(self) -> None:
        self.roll_back(self.random.choice(sorted(self.steps)))

    def roll_back(self, step: int) -> None:
        """Rolls back to a step that the journal covers, which must equal the model's last state at that step."""
        answer = self.api("POST", f"/v1/models/{self.model}/rollback", {"step": step})
        if self._judge(answer):
            self._assert_is(self.steps[step], f"step {step}")

    def _assert_is(self, before: Essence, what: str) -> Essence:
        """Compares the state, except for slots that the current options newly need or no longer need."""
        now = essence(self.api, self.model)
        differing = [name for name in before.keys() & now.keys() if before[name] != now[name]]
        assert not differing, f"seed {self.seed}: {what}: {differing}"
        return now

    def _register(self) -> None:
        self._judge(self.api("PUT", f"/v1/models/{self.model}/workers/{self.random.choice('abcd')}"))

    def _upload(self) -> None:
        """Replaces the model by its own checkpoint file."""
        if not self.checkpoints:
            return
        checkpoint = self.random.choice(sorted(self.checkpoints))
        file = self.api.get(f"/v1/models/{self.model}/checkpoints/{checkpoint}.safetensors").body
        answer = self.api("PUT", f"/v1/models/{self.model}?replace=1", file, Content_Type=SAFETENSORS)
        if self._judge(answer):
            now = self._assert_is(self.checkpoints[checkpoint], f"upload of checkpoint {checkpoint}")
            self.checkpoints, self.steps = {}, {answer.json()["step"]: now}


def _open(file: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the tensors and the metadata of a file."""
    length = int.from_bytes(file[:8], "little")
    return safetensors.numpy.load(file), json.loads(file[8 : 8 + length]).get("__metadata__", {})
