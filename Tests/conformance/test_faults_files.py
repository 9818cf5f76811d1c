"""Foreign changes to a running daemon's files, and a disk that fails in the middle of a write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.daemon import BINARY, Daemon, launch, read_line
from support.faults import start_fails
from support.wire import Answer, Api

STRACE = shutil.which("strace")
Start = Callable[..., Daemon]


def create(api: Api, width: int = 2) -> None:
    """A model of zeros."""
    parameters = {"w": {"shape": [width], "init": "zeros"}}
    api.create("m", {"optimizer": "sgd", "learning_rate": 1, "parameters": parameters})


def test_removed_lock_file_lets_no_second_daemon_in(start: Start, tmp_path: Path) -> None:
    """The daemon locks the directory itself."""
    start(data_dir=tmp_path)
    (tmp_path / "journal/LOCK").unlink()
    ended = start_fails(tmp_path)
    assert ended.returncode == 69 and "in use" in ended.stderr


def test_segment_that_is_moved_away(start: Start, tmp_path: Path) -> None:
    """No push is acknowledged that a start would not find; pulls continue."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    create(api)
    api.push("m", {"w": [1, 1]})
    segment = next((tmp_path / "journal").glob("segment-*"))
    segment.rename(tmp_path / segment.name)
    body = {"gradients": {"w": [1, 1]}, "worker": "w", "seq": 1}
    # An idle journal may have noticed the change before the push did.
    problem = api("POST", "/v1/models/m/gradients", body).expect(503).json()
    assert "was removed, moved, replaced" in problem["detail"]
    problem = api("POST", "/v1/models/m/gradients", body).expect(503).json()
    assert problem["type"] == "/problems/storage-failed" and "Nothing was applied" in problem["detail"]
    assert api.pull("m")["w"].tolist() == [-1, -1]
    segment = tmp_path / segment.name
    segment.rename(tmp_path / "journal" / segment.name)
    assert daemon.stop() == 0
    daemon = start(data_dir=tmp_path)
    receipt = Api(daemon.host, daemon.port)("POST", "/v1/models/m/gradients", body).expect(200).json()
    assert receipt["step"] == 2


WIDTH = 80_000


def push(api: Api, key: str, number: int) -> Answer:
    """A push with a key, so large that an idle journal has nothing to sync after it."""
    headers = {"X-Paramd-Worker": "w", "X-Paramd-Seq": f"{number}"} if key == "seq" else {key: f"k{number}"}
    return api.push_binary("m", {"w": np.ones(WIDTH, np.float32)}, **headers)


@pytest.mark.unsanitized
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("key", ["seq", "Idempotency-Key"])
def test_failed_sync_leaves_the_outcome_open(start: Start, tmp_path: Path, key: str) -> None:
    """The answer says that the outcome is open; after a restart the retry gets its result, and is applied once."""
    failing = ["-f", "-D", "-qq", "-o", os.devnull, "-e", "inject=fdatasync:error=EIO:when=40+"]
    process = launch(*failing, str(BINARY), "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), binary=Path(STRACE))
    try:
        host, port = read_line(process, within=60).removeprefix("listening on http://").strip().split(":")
        api = Api(host, int(port))
        create(api, WIDTH)
        answers = (push(api, key, number) for number in range(1, 60))
        number, answer = next((n, answer) for n, answer in enumerate(answers, 1) if answer.status != 200)
        problem = answer.expect(503).json()
        assert (
            problem["type"] == "/problems/outcome-unknown" and "may or may not have been applied" in problem["detail"]
        )
        assert "othing was applied" not in problem["detail"]
        assert api.get("/v1/models/m").json()["step"] == number - 1 > 0
    finally:
        process.kill()
        process.wait(20)
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    for _ in range(2):
        assert push(api, key, number).expect(200).json()["step"] == number
    assert set(api.pull_binary("m")["w"].tolist()) == {-number}
