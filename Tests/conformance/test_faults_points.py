"""Kills the daemon at every named point of a push's path to the disk and back (Sources/Journal/Failpoint.swift)."""

from __future__ import annotations

import http.client
import signal
from pathlib import Path

import pytest
from support.faults import Victim, check_sums, definition, gradient, has_failpoints, run

WIDTH = 256
"""A push of 1 KB, so that a few hundred of them fill segments and make snapshots due."""
SHORT = ("--snapshot-after", "64K")
"""Snapshots and deletions all the time."""
PUSH_PATH = ["before-log", "after-write", "after-sync", "before-apply", "after-apply"]
UPKEEP = [
    "segment-named", "snapshot-part", "snapshot-written", "snapshot-named", "snapshot-deleted",
    "before-segment-deletion", "segment-deleted",
]  # fmt: skip
CHECKPOINT = ["snapshot-part", "snapshot-written", "snapshot-named"]


@pytest.fixture(scope="module", autouse=True)
def failpoints(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips release builds, which have no failpoints."""
    if not has_failpoints(tmp_path_factory.mktemp("probe")):
        pytest.skip("this build of paramd has no failpoints; they are in debug builds only")


def push_until_death(daemon: Victim, first: int = 1, most: int = 3000) -> int:
    """Pushes until the daemon dies; returns the number of the unanswered push."""
    api = daemon.api()
    for seq in range(first, first + most):
        body = {"w": gradient(0, seq, WIDTH)}
        try:
            assert api.push("m", body, worker="w0", seq=seq).json()["step"] == seq
        except (OSError, http.client.HTTPException):
            assert daemon.process.wait(20) == -signal.SIGKILL
            return seq
    raise AssertionError("the point was never reached")


def check(place: Path, unanswered: int, *arguments: str) -> None:
    """Checks that acknowledged pushes count once, that the retry succeeds, and that the directory is intact."""
    daemon = Victim(place, *arguments)
    api = daemon.api()
    step = api.get("/v1/models/m").json()["step"]
    assert step in (unanswered - 1, unanswered)
    receipt = api.push("m", {"w": gradient(0, unanswered, WIDTH)}, worker="w0", seq=unanswered).json()
    assert receipt["step"] == unanswered and receipt["replayed"] == (step == unanswered)
    for seq in range(unanswered + 1, unanswered + 4):
        assert not api.push("m", {"w": gradient(0, seq, WIDTH)}, worker="w0", seq=seq).json()["replayed"]
    check_sums(api, "m", {0: unanswered + 3})
    assert daemon.stop() == 0
    assert not list(place.glob("snapshots/*.tmp")) and not list(place.glob("checkpoints/*.tmp"))
    assert run("verify", place).returncode == 0


@pytest.mark.parametrize("nth", [2, 7])
@pytest.mark.parametrize("point", PUSH_PATH)
def test_push_path(tmp_path: Path, point: str, nth: int) -> None:
    """The first record is the model's; the others are pushes."""
    daemon = Victim(tmp_path, environment={"PARAMD_FAIL": f"{point}@{nth}"})
    daemon.api().create("m", definition(WIDTH))
    unanswered = push_until_death(daemon)
    check(tmp_path, unanswered)


@pytest.mark.parametrize("point", PUSH_PATH[:3])
def test_create(tmp_path: Path, point: str) -> None:
    """An unanswered creation took effect or not; the retry succeeds either way."""
    daemon = Victim(tmp_path, environment={"PARAMD_FAIL": point})
    with pytest.raises((OSError, http.client.HTTPException)):
        daemon.api().create("m", definition(WIDTH))
    daemon.process.wait(20)
    daemon = Victim(tmp_path)
    api = daemon.api()
    assert api("PUT", "/v1/models/m", definition(WIDTH)).status in (200, 201)
    assert api.push("m", {"w": gradient(0, 1, WIDTH)}, worker="w0", seq=1).json()["step"] == 1
    assert daemon.stop() == 0


@pytest.mark.parametrize("nth", [2, 4])
@pytest.mark.parametrize("point", UPKEEP)
def test_upkeep(tmp_path: Path, point: str, nth: int) -> None:
    """The daemon dies while it writes and deletes segments and snapshots; the registry writes the first snapshot."""
    daemon = Victim(tmp_path, *SHORT, environment={"PARAMD_FAIL": f"{point}@{nth}"})
    daemon.api().create("m", definition(WIDTH))
    unanswered = push_until_death(daemon)
    check(tmp_path, unanswered, *SHORT)


@pytest.mark.parametrize("point", CHECKPOINT)
def test_checkpoint(tmp_path: Path, point: str) -> None:
    """A checkpoint that was being saved exists whole, or not at all."""
    daemon = Victim(tmp_path)
    api = daemon.api()
    api.create("m", definition(WIDTH))
    for seq in range(1, 6):
        api.push("m", {"w": gradient(0, seq, WIDTH)}, worker="w0", seq=seq)
    assert daemon.stop() == 0
    daemon = Victim(tmp_path, environment={"PARAMD_FAIL": point})
    with pytest.raises((OSError, http.client.HTTPException)):
        daemon.api()("POST", "/v1/models/m/checkpoints", {})
    assert daemon.process.wait(20) == -signal.SIGKILL
    check(tmp_path, 6)
    daemon = Victim(tmp_path)
    api = daemon.api()
    saved = api.get("/v1/models/m/checkpoints").json()["checkpoints"]
    assert len(saved) == (1 if point == "snapshot-named" else 0)
    for checkpoint in saved:
        assert checkpoint["step"] == 5
        api("POST", f"/v1/models/m/checkpoints/{checkpoint['id']}/restore", {}).expect(200)
        assert api.get("/v1/models/m").json()["step"] == 5
    assert daemon.stop() == 0


@pytest.mark.parametrize("point", CHECKPOINT)
def test_first_start(tmp_path: Path, point: str) -> None:
    """The daemon dies while it writes the registry's first snapshot."""
    with pytest.raises(AssertionError):
        Victim(tmp_path, environment={"PARAMD_FAIL": point})
    daemon = Victim(tmp_path)
    daemon.api().create("m", definition(WIDTH))
    assert daemon.stop() == 0
    check(tmp_path, 1)


def test_during_recovery(tmp_path: Path) -> None:
    """A start that dies after its replay leaves everything to the next one, three times in a row."""
    daemon = Victim(tmp_path)
    daemon.api().create("m", definition(WIDTH))
    for seq in range(1, 21):
        daemon.api().push("m", {"w": gradient(0, seq, WIDTH)}, worker="w0", seq=seq)
    daemon.kill()
    for _ in range(3):
        with pytest.raises(AssertionError):
            Victim(tmp_path, environment={"PARAMD_FAIL": "recovered"})
    check(tmp_path, 21)
