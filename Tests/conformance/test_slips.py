"""Mistakes of experienced users: a member, a path, a pattern or a directory in the wrong place."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.daemon import BINARY, Daemon
from support.threads import all_seconds
from support.wire import Api

SGD: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.1, "parameters": {"w": [0, 0]}}


@pytest.mark.parametrize(("key", "value"), [("momentum", 0.5), ("betas", [0.8, 0.9]), ("nesterov", True)])
def test_a_hyperparameter_beside_the_optimizer(api: Api, name: str, demo: str, key: str, value: Any) -> None:
    """PUT and PATCH say where it belongs."""
    member = json.dumps({key: value}, separators=(",", ":"))[1:-1]
    for answer in (
        api("PUT", f"/v1/models/{name}", {**SGD, key: value}),
        api("PATCH", f"/v1/models/{demo}", {key: value}),
    ):
        detail = answer.expect(422).json()["detail"]
        assert f'`"optimizer":{{"type":"NAME",{member}}}`' in detail, detail


def test_an_import_at_the_top_level(api: Api, demo: str) -> None:
    """The line in the refusal is the intended import."""
    path = f"/v1/models/{demo}/parameters"
    detail = api("PUT", path, {"w": [3, 4]}).expect(422).json()["detail"]
    assert 'write `{"parameters":{"w":[3,4]}}`' in detail
    detail = api("PUT", path, {"state_dict": {"w": [3, 4]}}).expect(422).json()["detail"]
    assert 'write `{"parameters":{"NAME":[...]}}`' in detail


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("push", "gradients"),
        ("update", "gradients"),
        ("pull", "parameters"),
        ("snapshot", "checkpoints"),
        ("slots", "state"),
    ],
)
def test_paths_of_other_servers(api: Api, demo: str, path: str, meant: str) -> None:
    """The names of operations on other servers lead to the path here."""
    detail = api("POST", f"/v1/models/{demo}/{path}", {"gradients": {"w": [0, 0]}}).expect(404).json()["detail"]
    assert f"did you mean /v1/models/{demo}/{meant}?" in detail


def test_a_pattern_that_matches_nothing(api: Api, demo: str) -> None:
    """A misspelt pattern is reported like a misspelt name, in a pull and in a request for rates."""
    for path in (
        "/parameters?name=typo*",
        "/parameters?name=w&name=typo*",
        "/parameters.safetensors?name=typo*",
        "/lr?param=typo*",
    ):
        detail = api("GET", f"/v1/models/{demo}{path}").expect(404).json()["detail"]
        assert "`typo*`" in detail and "`w`" in detail


@pytest.mark.unsanitized
def test_thousands_of_unknown_members(daemon: Daemon, api: Api, demo: str) -> None:
    """They are refused with little processor time and counted; the first thousands are listed."""
    many = {f"k{index}": 1 for index in range(50_000)}
    for method, path, body in (
        ("POST", "/gradients", {"gradients": {"w": [1, 1]}}),
        ("PUT", "/parameters", {"parameters": {"w": [1, 1]}}),
    ):
        before = all_seconds(daemon.process.pid)
        problem = api(method, f"/v1/models/{demo}{path}", {**body, **many}).expect(422).json()
        # A search for each of them took 15 seconds.
        assert all_seconds(daemon.process.pid) - before < 5
        assert len(problem["errors"]) == 4096 and "49999 more" in problem["detail"]


@pytest.mark.parametrize("command", [["verify"], ["recover", "--salvage"]], ids=["verify", "recover"])
def test_a_directory_without_data(tmp_path: Path, command: list[str]) -> None:
    """Commands on another kind of directory say so, and create nothing in it."""
    (tmp_path / "file").touch()
    for directory in (tmp_path, tmp_path / "none", tmp_path / "file"):
        ended = subprocess.run([BINARY, *command, directory], capture_output=True, text=True, check=False)
        assert ended.returncode == 74
        assert "not a data directory" in ended.stderr and "--data-dir" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
