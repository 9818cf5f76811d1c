"""A daemon with a user's own optimizer, built from Tests/OwnDaemon: it serves, logs and restores it by name."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import digits
from support.daemon import BINARY, Daemon
from support.rules import Momentum
from support.wire import Api, state_of

OWN = BINARY.with_name("own-daemon")
pytestmark = pytest.mark.skipif(not OWN.exists(), reason="own-daemon is not built beside the daemon under test")


def create(api: Api) -> None:
    """A model that the user's rule updates."""
    values = {name: value.tolist() for name, value in digits.parameters().items()}
    optimizer = {"type": "my_momentum", "momentum": 0.5}
    api.create("own", {"optimizer": optimizer, "learning_rate": 0.25, "parameters": values})


def test_users_rule_equals_numpy_bit_for_bit(start: Callable[..., Daemon]) -> None:
    """50 steps match; the model's state has the slots under the user's names."""
    daemon = start(binary=OWN)
    api = Api(daemon.host, daemon.port)
    create(api)
    local, rule = digits.parameters(), Momentum(0.5)
    for batch in digits.batches(5, 50):
        gradients = digits.gradients(local, batch)
        rule.update(local, gradients, {"weight": 0.25, "bias": 0.25})
        api.push_binary("own", gradients).expect(200)
    state = api.get("/v1/models/own/state.safetensors").tensors()
    for name, value in api.pull_binary("own").items():
        assert value.tobytes() == local[name].tobytes()
        assert state[f"{name}#moments"].tobytes() == rule.moments[name].tobytes()


def test_users_rule_is_restored(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """After a kill the journal restores parameters and slots."""
    daemon = start(binary=OWN, data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    create(api)
    for batch in digits.batches(6, 5):
        api.push_binary("own", digits.gradients(digits.parameters(), batch)).expect(200)
    before = state_of(api, "own")
    daemon.process.kill()
    daemon.process.wait(10)
    again = start(binary=OWN, data_dir=tmp_path)
    assert state_of(Api(again.host, again.port), "own") == before
    command = [OWN, "replay", tmp_path, "--model", "own"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    digest = Api(again.host, again.port).get("/v1/models/own/state").json()["digest"]
    assert ended.returncode == 0 and digest in ended.stdout, ended.stderr


def test_built_in_daemon_does_not_know_it(api: Api, name: str) -> None:
    """The answer is 422 with the known optimizers."""
    body = {"optimizer": "my_momentum", "parameters": {"w": np.zeros(1).tolist()}}
    problem = api("PUT", f"/v1/models/{name}", body).expect(422).json()
    assert "momentum" in problem["detail"].lower()
