"""Damaged, removed or replaced files of the data directory: no acknowledged change is lost silently."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from proofs.damages import damage_all
from support.faults import Victim, check_sums, definition, gradient, run, start_fails
from support.wire import Api

SMALL = ("--snapshot-after", "8K")
"""Segments of 4 KiB."""
LARGE = ("--snapshot-after", "1M")


def push(api: Api, first: int, last: int, width: int = 8) -> None:
    """Pushes as one worker."""
    for seq in range(first, last + 1):
        api.push("m", {"w": gradient(0, seq, width)}, worker="w0", seq=seq)


def newest(place: Path) -> Path:
    """The segment that is being written."""
    return max((place / "journal").glob("segment-*"))


def lose(how: str, segment: Path, kept: Path) -> None:
    """Removes the last record, restores an old copy, or removes the whole file."""
    if how == "cut":
        segment.write_bytes(segment.read_bytes().rstrip(b"\0")[:-30])
    elif how == "old copy":
        shutil.copy(kept, segment)
    else:
        segment.unlink()


def end_of_records(content: bytes) -> int:
    """The offset of the next record."""
    end = 64
    while length := int.from_bytes(content[end : end + 8], "little"):
        end += -(-length // 8) * 8
    return end


@pytest.mark.parametrize("how", ["cut", "old copy", "removed"])
def test_newest_segment(tmp_path: Path, how: str) -> None:
    """The start refuses with the missing amount, verify agrees, and after a salvage no version is used again."""
    place, kept = tmp_path / "data", tmp_path / "kept"
    daemon = Victim(place)
    api = daemon.api()
    api.create("m", definition())
    push(api, 1, 3)
    shutil.copy(newest(place), kept)
    push(api, 4, 9)
    shown = api.get("/v1/models/m").json()["version"]
    daemon.kill()
    lose(how, newest(place), kept)
    number = {"cut": 1, "old copy": 6, "removed": 10}[how]
    missing = f"{number} acknowledged record{' is' if number == 1 else 's are'} missing"
    refused, verified = start_fails(place), run("verify", place)
    assert refused.returncode == 65 and missing in refused.stderr and "--salvage" in refused.stderr
    assert verified.returncode == 65 and missing in verified.stdout
    salvaged = run("recover", "--salvage", place)
    assert salvaged.returncode == 0 and "journal/salvaged-SYNCED" in salvaged.stdout
    assert run("verify", place).returncode == 0
    daemon = Victim(place)
    api = daemon.api()
    if how == "removed":
        assert api("GET", "/v1/models/m").status == 404
    else:
        model = api.get("/v1/models/m").json()
        assert model["version"] > shown and model["step"] == {"cut": 8, "old copy": 3}[how]
    assert daemon.stop() == 0


def test_unacknowledged_tail_is_no_loss(tmp_path: Path) -> None:
    """A record that was written but not synced before a kill may be truncated anywhere."""
    daemon = Victim(tmp_path)
    api = daemon.api()
    api.create("m", definition())
    push(api, 1, 3)
    daemon.kill()
    segment = newest(tmp_path)
    content = segment.read_bytes()
    segment.write_bytes(content[: end_of_records(content)] + b"\x40" + b"\x07" * 60)
    assert run("verify", tmp_path).returncode == 0
    daemon = Victim(tmp_path)
    check_sums(daemon.api(), "m", {0: 3})
    assert daemon.stop() == 0


def test_stop_leaves_an_exact_mark(tmp_path: Path) -> None:
    """Even after a clean stop the last push cannot be cut off; a directory without a mark starts normally."""
    daemon = Victim(tmp_path)
    daemon.api().create("m", definition())
    push(daemon.api(), 1, 4)
    assert daemon.stop() == 0
    segment = newest(tmp_path)
    content = segment.read_bytes()
    segment.write_bytes(content.rstrip(b"\0")[:-150])
    assert start_fails(tmp_path).returncode == 65
    segment.write_bytes(content)
    (tmp_path / "journal/SYNCED").unlink()
    daemon = Victim(tmp_path)
    check_sums(daemon.api(), "m", {0: 4})
    daemon.kill()
    assert (tmp_path / "journal/SYNCED").exists()


@pytest.mark.parametrize("moved", [False, True])
def test_older_segments_of_a_running_daemon(tmp_path: Path, moved: bool) -> None:
    """The first push after the loss is refused, not acknowledged as durable; a start has all pushes before it."""
    place = tmp_path / "data"
    daemon = Victim(place, *LARGE)
    api = daemon.api()
    api.create("m", definition(4096))
    step = 0
    while len(list((place / "journal").glob("segment-*"))) < 2:
        step += 1
        push(api, step, step, 4096)
        assert step < 100
    oldest = min((place / "journal").glob("segment-*"))
    shutil.copy(oldest, tmp_path / "kept")
    oldest.rename(tmp_path / "away") if moved else oldest.unlink()
    body = {"gradients": {"w": gradient(0, step + 1, 4096)}, "worker": "w0", "seq": step + 1}
    problem = api("POST", "/v1/models/m/gradients", body).expect(503).json()
    assert oldest.name in problem["detail"] and "was removed, moved" in problem["detail"]
    daemon.kill()
    assert start_fails(place).returncode == 65
    shutil.copy(tmp_path / "kept", oldest)
    daemon = Victim(place, *LARGE)
    push(daemon.api(), step + 1, step + 2, 4096)
    check_sums(daemon.api(), "m", {0: step + 2})
    assert daemon.stop() == 0


@pytest.mark.unsanitized
def test_damages() -> None:
    """Tries a few damages of any class; deploy/prove damages tries any number."""
    assert damage_all(count=9, seed=1, salvage_every=2) == []


@pytest.mark.heavy
@pytest.mark.timeout(1200)
def test_many_damages() -> None:
    """Tries a larger sample."""
    assert damage_all(count=90, seed=2, salvage_every=3) == []
