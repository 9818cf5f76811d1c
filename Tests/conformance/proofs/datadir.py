"""Data directories in memory: as a load left them, as they were during the load, and written out again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.faults import Victim, gradient
from support.wire import Api

MODELS = ("first", "second", "third")
WIDTH = 40
PHASES = 5

Files = dict[str, tuple[bytes, int]]
"""Each file by its path: its bytes without the zeros at the end, and its size."""


@dataclass
class Known:
    """What clients know about one model."""

    uid: str
    version: int
    step: int
    values: list[float]
    checkpoints: set[int]
    shown: dict[int, list[float]] = field(default_factory=dict)
    """The values of each version that was shown."""
    steps: dict[int, list[float]] = field(default_factory=lambda: {0: [0.0] * WIDTH})
    """The values after each step."""


@dataclass
class Load:
    """A directory whose daemon has ended, and what had been acknowledged by then."""

    name: str
    arguments: tuple[str, ...]
    files: Files = field(default_factory=dict)
    earlier: list[Files] = field(default_factory=list)
    models: dict[str, Known] = field(default_factory=dict)

    @property
    def is_durable(self) -> bool:
        """Whether every push was on the disk when it was answered."""
        return "--durability" not in self.arguments


def read(place: Path) -> Files:
    """Reads all files of a directory and skips a file that disappears meanwhile."""
    files: Files = {}
    for path in sorted(place.rglob("*")):
        try:
            if path.is_file():
                content = path.read_bytes()
                files[str(path.relative_to(place))] = (content.rstrip(b"\0"), len(content))
        except FileNotFoundError:
            continue
    return files


def write(files: Files, place: Path) -> None:
    """Writes files into an empty place."""
    for folder in ("journal", "snapshots", "checkpoints"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    for name, (content, size) in files.items():
        with (place / name).open("wb") as file:
            file.write(content)
            file.truncate(size)


def ask(api: Api, name: str) -> dict[str, Any] | None:
    """Reads a model's parameters; None where the daemon reports that it does not serve the model."""
    answer = api.get(f"/v1/models/{name}/parameters") if served(api, name) else None
    return answer.json() if answer else None


def served(api: Api, name: str) -> bool:
    """Whether a model exists; one that is known and not served is answered with 503."""
    answer = api("GET", f"/v1/models/{name}")
    if answer.status == 503:
        assert answer.json()["type"] == "/problems/model-unavailable", answer
        return False
    return answer.expect(200).status == 200


def make(name: str, place: Path, seed: int, clean: bool, *arguments: str) -> Load:
    """Creates models, pushes to them, saves them and deletes one of them, while snapshots are written."""
    rng = random.Random(seed)
    load = Load(name, ("--snapshot-after", "8K", *arguments))
    daemon = Victim(place, *load.arguments)
    api = daemon.api()
    for phase in range(PHASES):
        if phase == 2:
            api.create("gone", definition())
        if phase == PHASES - 1:
            api("DELETE", "/v1/models/gone").expect(204)
        for model in MODELS[: phase + 1]:
            work(api, load, model, rng)
        load.earlier.append(read(place))
    if clean:
        assert daemon.stop() == 0
    else:
        daemon.kill()
    load.files = read(place)
    return load


def definition() -> dict[str, Any]:
    """A model of plain sums."""
    return {"optimizer": "sgd", "learning_rate": 1.0, "parameters": {"w": [0.0] * WIDTH}}


def work(api: Api, load: Load, model: str, rng: random.Random) -> None:
    """Pushes to a model, after creating it if necessary, and sometimes saves a checkpoint."""
    if model not in load.models:
        uid = api.create(model, definition()).json()["uid"]
        load.models[model] = Known(uid, 0, 0, [], set())
    known = load.models[model]
    for _ in range(rng.randint(3, 9)):
        known.step += 1
        api.push(model, {"w": gradient(0, known.step, WIDTH)}, worker="w0", seq=known.step)
        note(api, model, known)
    if rng.random() < 0.7:
        answer = api("POST", f"/v1/models/{model}/checkpoints", {}).expect(201)
        known.checkpoints.add(answer.json()["id"])


def note(api: Api, model: str, known: Known) -> None:
    """Records what the daemon shows."""
    body = api.get(f"/v1/models/{model}/parameters").json()
    assert body["step"] == known.step
    known.version, known.values = body["version"], body["parameters"]["w"]["data"]
    known.shown[known.version] = known.steps[known.step] = known.values
