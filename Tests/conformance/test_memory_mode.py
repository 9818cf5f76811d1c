"""`--durability memory`: pushes are exactly once and answered at once, and no file is written, read or left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import BINARY, Daemon, read_line
from support.wire import Api

DEFINITION = {"optimizer": "adam", "learning_rate": 0.5, "parameters": {"w": [0, 0]}}
PUSH = {"gradients": {"w": [1, 2]}, "worker": "w", "seq": 1}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A data directory that does not exist."""
    return tmp_path / "data"


@pytest.fixture
def daemon(start: Callable[..., Daemon], place: Path) -> Daemon:
    """A daemon in memory."""
    return start("--durability", "memory", data_dir=place)


def test_pushes_are_applied_once_and_not_durable(daemon: Daemon, place: Path) -> None:
    """A receipt says so; a retry gets the first one; nothing reaches the disk, and the directory is not made."""
    api = Api(daemon.host, daemon.port)
    api.create("m", DEFINITION)
    first = api("POST", "/v1/models/m/gradients", PUSH).expect(200).json()
    assert first["durable"] is False and first["step"] == 1
    again = api("POST", "/v1/models/m/gradients", PUSH).expect(200).json()
    assert again["replayed"] is True and again["step"] == 1
    assert api.get("/v1/models/m").json()["step"] == 1
    descriptors = [each for each in Path(f"/proc/{daemon.process.pid}/fd").iterdir() if int(each.name) > 2]
    targets = [str(each.readlink()) for each in descriptors]
    assert targets and not [target for target in targets if target.startswith("/")]
    assert not place.exists()


def test_a_restart_starts_empty(start: Callable[..., Daemon], daemon: Daemon, place: Path) -> None:
    """The model is gone after a stop; a cursor of before is not mistaken for one of the new model."""
    api = Api(daemon.host, daemon.port)
    api.create("m", DEFINITION)
    cursor = api("POST", "/v1/models/m/gradients", PUSH).expect(200).json()["cursor"]
    assert daemon.stop() == 0
    api = Api((again := start("--durability", "memory", data_dir=place)).host, again.port)
    assert api("GET", "/v1/models/m").expect(404)
    api.create("m", DEFINITION)
    problem = api("GET", f"/v1/models/m/parameters?since={cursor}").expect(409).json()
    assert problem["type"] == "/problems/cursor-unknown"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "checkpoints", {}),
        ("GET", "checkpoints", None),
        ("GET", "checkpoints/1", None),
        ("POST", "checkpoints/1/restore", {}),
        ("POST", "rollback", {"step": 0}),
    ],
)
def test_what_needs_files_is_refused(daemon: Daemon, method: str, path: str, body: dict | None) -> None:
    """The refusal names the mode and another way; the model continues."""
    api = Api(daemon.host, daemon.port)
    api.create("m", DEFINITION)
    problem = api(method, f"/v1/models/m/{path}", body).expect(409).json()
    assert problem["type"] == "/problems/kept-in-memory"
    assert "keeps models in memory" in problem["detail"] and "--durability" in problem["detail"]
    api("POST", "/v1/models/m/gradients", PUSH).expect(200)


def test_a_model_moves_by_its_parameters_and_state(start: Callable[..., Daemon], daemon: Daemon, place: Path) -> None:
    """What the refusal of a checkpoint advises: the copy continues with the same bits."""
    api = Api(daemon.host, daemon.port)
    other = start("--durability", "memory", data_dir=place)
    copy = Api(other.host, other.port)
    for each in (api, copy):
        each.create("m", DEFINITION)
    api("POST", "/v1/models/m/gradients", PUSH).expect(200)
    for part in ("parameters", "state"):
        file = api("GET", f"/v1/models/m/{part}.safetensors").expect(200).body
        copy("PUT", f"/v1/models/m/{part}.safetensors", file, Content_Type="application/vnd.safetensors").expect(200)
    for each in (api, copy):
        each("POST", "/v1/models/m/gradients", PUSH | {"seq": 2}).expect(200)
    for part, key in (("parameters", "parameters"), ("state", "slots")):
        assert copy.get(f"/v1/models/m/{part}").json()[key] == api.get(f"/v1/models/m/{part}").json()[key]


def test_the_start_says_that_nothing_is_kept(place: Path) -> None:
    """The report of the start, for the person who reads it."""
    process = subprocess.Popen(
        [BINARY, "--listen", "127.0.0.1:0", "--data-dir", place, "--durability", "memory"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    read_line(process, within=30)
    process.terminate()
    said = process.communicate(timeout=20)[1].decode()
    assert "data        in memory; no file is read or written" in said
    assert "durability  memory: nothing is written; a restart starts empty" in said
