"""Settings from flags, variables and a file: which value applies, its origin, and which mistakes stop a start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.daemon import BINARY, LISTENING, REPOSITORY, launch, read_line
from support.wire import Api

Served = Callable[..., Api]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs paramd with arguments that make it exit."""
    return subprocess.run(
        [str(BINARY), *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **variables},
    )


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A daemon with these arguments and variables; they must let it choose its port."""
    with ExitStack() as stack:

        def start(*arguments: str, **variables: str) -> Api:
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            process = launch("--data-dir", str(tmp_path / "data"), *arguments)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            match = LISTENING.match(read_line(process, within=30))
            assert match
            return Api(match["host"], int(match["port"]))

        yield start


def test_origin_of_every_source(served: Served, tmp_path: Path) -> None:
    """The first source with a setting applies; a file is shown with its path and the line."""
    file = tmp_path / "paramd.yaml"
    file.write_text("# mine\nlisten: 127.0.0.1:0\nmemory: 64M\nreceipt-window: 5\nlimits:\n  models: 5\n  keys: 5\n")
    told = (
        served(
            *("--memory", "128M", "--limit", "versions=4", "--receipt-window", "256"),
            PARAMD_CONFIG=str(file),
            PARAMD_MEMORY="32M",
            PARAMD_ALLOW_HOST="a.example,b.example",
            PARAMD_LIMITS_MODELS="6",
        )
        .get("/v1/server")
        .json()
    )
    settings, limits = told["settings"], told["limits"]
    assert settings["config"] == {"value": str(file), "origin": "environment"}
    assert settings["listen"] == {"value": "127.0.0.1:0", "origin": "file", "file": str(file), "line": 2}
    assert settings["memory"] == {"value": "128M", "origin": "flag"}
    assert settings["receipt-window"] == {"value": "256", "origin": "flag"}
    assert settings["allow-host"] == {"value": "a.example, b.example", "origin": "environment"}
    assert settings["durability"] == {"value": "group", "origin": "default"}
    assert told["memory"]["limit"] == 128 << 20
    kept = {name: (row["value"], row["origin"], row.get("line")) for name, row in limits.items()}
    assert kept["keys"] == ("5", "file", 7) and limits["keys"]["file"] == str(file)
    assert kept["models"] == ("6", "environment", None)
    assert kept["versions"] == ("4", "flag", None)
    assert kept["wait"] == ("300s", "fixed", None)
    assert {origin for _, origin, _ in kept.values()} == {"default", "flag", "environment", "file", "fixed"}


def test_a_relative_file_is_told_from_the_root(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader may be in another directory."""
    (tmp_path / "own.yaml").write_text("listen: 127.0.0.1:0\n")
    monkeypatch.chdir(tmp_path)
    settings = served("--config", "own.yaml").get("/v1/server").json()["settings"]
    assert settings["config"] == {"value": f"{tmp_path}/own.yaml", "origin": "flag"}
    assert settings["listen"]["file"] == f"{tmp_path}/own.yaml"


MISTAKES = """\
listen: nowhere:80
memry: 64M
receipt-window: 0
limits:
  model: 3
  wait: 600s
"""


def test_nothing_starts_with_a_mistake(tmp_path: Path) -> None:
    """Each mistake is reported with line and key; no directory is created, and standard output is empty."""
    file = tmp_path / "bad.yaml"
    file.write_text(MISTAKES)
    for arguments in (("--config", str(file), "--data-dir", str(tmp_path / "data")), ("config", "check", str(file))):
        ended = run(*arguments)
        assert ended.returncode == 78 and not ended.stdout
        lines = ended.stderr.splitlines()
        for line, (number, key) in zip(
            lines,
            [(1, "listen"), (2, "memry"), (3, "receipt-window"), (5, "limits.model"), (6, "limits.wait")],
            strict=True,
        ):
            assert line.startswith(f"paramd: {file}:{number}: {key} "), ended.stderr
    assert not (tmp_path / "data").exists()


def test_config_check_prints_what_would_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command prints each setting with its origin, under the names of a file, and exits with 0."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "good.yaml"
    file.write_text("memory: 64M\nlimits: {models: 3}\n")
    ended = run("--durability", "sync", "config", "check", str(file), PARAMD_LISTEN="127.0.0.1:9")
    assert ended.returncode == 0 and not ended.stderr, ended.stderr
    lines = ended.stdout.splitlines()
    assert f"memory=64M  ({file}:1)" in lines
    assert f"limits.models=3  ({file}:2)" in lines
    assert "listen=127.0.0.1:9  (environment)" in lines
    assert "durability=sync  (flag)" in lines
    assert "limits.wait=300s  (fixed)" in lines
    assert "receipt-window=256  (default)" in lines
    assert f"data-dir={tmp_path}/paramd-data  (default)" in lines


def test_public_address_of_a_file_needs_a_word(tmp_path: Path) -> None:
    """The refusal names the line with the address; the file may also contain the permission."""
    file = tmp_path / "open.yaml"
    file.write_text("\nlisten: 0.0.0.0:0\n")
    ended = run("config", "check", str(file))
    assert ended.returncode == 78 and f"{file}:2: listen 0.0.0.0:0 can be reached" in ended.stderr
    file.write_text("listen: 0.0.0.0:0\ninsecure-no-auth: true\n")
    assert run("config", "check", str(file)).returncode == 0


def test_unknown_variable(tmp_path: Path) -> None:
    """It is refused with the nearest name; variables of Kubernetes and of tests are ignored."""
    ended = run("--data-dir", str(tmp_path / "data"), PARAMD_MEMRY="1G")
    assert ended.returncode == 78 and "PARAMD_MEMRY" in ended.stderr and "`PARAMD_MEMORY`" in ended.stderr
    assert not (tmp_path / "data").exists()
    others = {"PARAMD_SERVICE_HOST": "10.0.0.1", "PARAMD_PORT": "tcp://10.0.0.1:8470", "PARAMD_BIN": "x"}
    assert run("config", "check", str(REPOSITORY / "deploy/paramd.yaml"), **others).returncode == 0


def test_subcommands_read_settings_too(tmp_path: Path) -> None:
    """A setting that cannot be parsed ends them as it ends a start."""
    for command in (("verify", str(tmp_path)), ("replay", str(tmp_path), "--model", "m")):
        ended = run(*command, PARAMD_MEMORY="much")
        assert ended.returncode == 78 and "PARAMD_MEMORY must be a number of bytes" in ended.stderr


def test_the_largest_values_end_nothing(served: Served) -> None:
    """Valid numbers work at the start, in an update, and when a model is written out."""
    counts = [
        "connections",
        "connections-per-address",
        "lingering",
        "turn",
        "models",
        "checkpoints",
        "checkpoints-in-all",
    ]
    limits = [f"{name}={(1 << 63) - 1}" for name in [*counts, "versions", "keys", "workers"]]
    limits += [f"{name}=1024T" for name in ("pressure-rate", "journal", "ignored-body")]
    limits += [
        f"{name}=86400000s"
        for name in ("head-deadline", "idle-deadline", "rate-window", "linger", "pressure-grace", "half-closed")
    ]
    limits += ["key-lifetime=86400000s", "worker-lifetime=86400000s"]
    arguments = [word for limit in limits for word in ("--limit", limit)]
    extremes = (
        "--snapshot-after",
        "1024T",
        "--durability",
        "interval:86400000",
        "--receipt-window",
        str((1 << 63) - 1),
    )
    api = served("--listen", "127.0.0.1:0", *extremes, *arguments)
    api.create("m", {"optimizer": "adam", "learning_rate": 0.5, "parameters": {"w": [0, 0]}})
    push = {"gradients": {"w": [1, 2]}, "worker": "a", "seq": 1}
    for path, body, status in (("gradients", push, 200), ("checkpoints", None, 201)):
        api("POST", f"/v1/models/m/{path}", body, Idempotency_Key=path).expect(status)
    assert api.get("/v1/server").json()["limits"]["keys"] == {
        "value": str((1 << 63) - 1),
        "origin": "flag",
        "meaning": "Stored answers per client, for Idempotency-Key",
    }


def test_the_example_can_be_used() -> None:
    """`deploy/paramd.yaml` has no mistakes."""
    ended = run("config", "check", str(REPOSITORY / "deploy/paramd.yaml"))
    assert ended.returncode == 0, ended.stderr
