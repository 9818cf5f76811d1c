"""Full disks, damaged files, two daemons on one directory, clocks that jump."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import numpy as np
import pytest
from support.daemon import BINARY
from support.faults import (
    Victim,
    check_sums,
    definition,
    digest,
    gradient,
    journal_bytes,
    run,
    start_fails,
    sums,
    temporary,
)
from support.wire import Api, state_of

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def push(api: Api, first: int, last: int, width: int = 8) -> None:
    """Pushes as one worker."""
    for seq in range(first, last + 1):
        api.push("m", {"w": gradient(0, seq, width)}, worker="w0", seq=seq)


def test_full_disk(small_disk: Path) -> None:
    """Pushes are 507 and change nothing while the disk is full, and succeed once there is room; pulls continue."""
    filler = small_disk / "filler"
    filler.write_bytes(bytes(400_000))
    daemon = Victim(small_disk / "data", "--snapshot-after", "128K")
    api = daemon.api()
    api.create("m", definition(4096))
    # No segment is deleted without snapshots, and an idle model keeps none: so these models fill the rest.
    seq, body = 0, {}
    for hog in range(100):
        body = {**definition(4096), "parameters": {"w": [0.0] * 4096}}
        if api("PUT", f"/v1/models/hog{hog}", body).status == 507:
            break
        for _ in range(3):
            seq += 1
            if api("POST", "/v1/models/m/gradients", pushed(seq)).status == 507:
                seq -= 1
    for _ in range(3):
        before = state_of(api, "m")
        refused = api("POST", "/v1/models/m/gradients", pushed(seq + 1))
        assert refused.status == 507, refused
        assert "nothing" in refused.json()["detail"].lower() or refused.json()["type"].endswith("storage-full")
        assert state_of(api, "m") == before
    full = api("GET", "/readyz")
    assert full.status == 507 and full.headers["retry-after"]
    filler.unlink()
    # The daemon must notice the free space without a push.
    deadline = time.monotonic() + 10
    while api("GET", "/readyz").status != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    api("GET", "/readyz").expect(200)
    for number in range(seq + 1, seq + 6):
        assert api("POST", "/v1/models/m/gradients", pushed(number)).expect(200).json()["step"] == number
    check_sums(api, "m", {0: seq + 5})
    daemon.kill()
    daemon = Victim(small_disk / "data", "--snapshot-after", "128K")
    check_sums(daemon.api(), "m", {0: seq + 5})
    assert daemon.stop() == 0


def test_full_disk_is_two_lines_of_the_log(small_disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The log has one line when refusals begin and one when they end, however many pushes came in between."""
    filler = small_disk / "filler"
    filler.write_bytes(bytes(400_000))
    daemon = Victim(small_disk / "data", "--snapshot-after", "128K")
    api = daemon.api()
    api.create("m", definition(4096))
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    answers = [api("POST", "/v1/models/m/gradients", pushed(seq)) for seq in range(1, 60)]
    refused = [answer for answer in answers if answer.status == 507]
    assert len(refused) > 20
    assert re.search(r"needs \d+ MiB", refused[-1].json()["detail"])
    filler.unlink()
    deadline = time.monotonic() + 30
    while api("GET", "/readyz").status != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert daemon.stop() == 0
    log = capfd.readouterr().err
    assert log.count("pushes are refused until") == 1 and log.count("pushes are accepted again") == 1, log
    assert log.count("snapshot of m failed") <= 1 + log.count("snapshot of m works again"), log


def pushed(seq: int) -> dict:
    """The body of a large push."""
    return {"gradients": {"w": gradient(0, seq, 4096)}, "worker": "w0", "seq": seq}


def test_second_daemon(tmp_path: Path) -> None:
    """The second daemon on a directory ends with 69 and leaves the first one's files unchanged."""
    daemon = Victim(tmp_path)
    api = daemon.api()
    api.create("m", definition())
    push(api, 1, 3)
    unfinished = tmp_path / "snapshots" / "state-000000000099.snapshot.tmp"
    unfinished.write_bytes(b"being written")
    second = start_fails(tmp_path)
    assert second.returncode == 69
    assert "--data-dir" in second.stderr and not second.stdout
    assert unfinished.exists(), "it may be what the first daemon is writing"
    push(api, 4, 6)
    check_sums(api, "m", {0: 6})
    assert run("recover", "--salvage", tmp_path).returncode == 69
    assert daemon.stop() == 0


def make(place: Path, pushes: int, *arguments: str, clean: bool = True) -> None:
    """Creates a small directory, closed cleanly or not."""
    daemon = Victim(place, *arguments)
    api = daemon.api()
    api.create("m", definition())
    push(api, 1, pushes)
    if clean:
        assert daemon.stop() == 0
    else:
        daemon.kill()


def test_damage_in_the_middle(tmp_path: Path) -> None:
    """The start is refused with 65, the file and the offset; a salvage keeps everything before the damage."""
    make(tmp_path, 12)
    digests = [digest(tmp_path, "m", step) for step in range(13)]
    assert run("verify", tmp_path).returncode == 0
    (segment,) = (tmp_path / "journal").glob("segment-*")
    content = bytearray(segment.read_bytes())
    place = len(content.rstrip(b"\0")) // 2
    content[place] ^= 0x10
    segment.write_bytes(content)
    refused = start_fails(tmp_path)
    assert refused.returncode == 65
    assert segment.name in refused.stderr and "offset" in refused.stderr and "salvage" in refused.stderr
    verified = run("verify", tmp_path)
    assert verified.returncode == 65 and segment.name in verified.stdout
    assert run("recover", tmp_path).returncode not in (0, 65)
    salvaged = run("recover", "--salvage", tmp_path)
    assert salvaged.returncode == 0 and "salvaged-" in salvaged.stdout
    assert run("verify", tmp_path).returncode == 0
    daemon = Victim(tmp_path)
    api = daemon.api()
    step = api.get("/v1/models/m").json()["step"]
    assert 0 < step < 12
    push(api, step + 1, 20)
    check_sums(api, "m", {0: 20})
    assert daemon.stop() == 0
    assert digest(tmp_path, "m", step) == digests[step]


def test_damaged_checkpoint(tmp_path: Path) -> None:
    """A restore names the file and what to do; the model and its other checkpoint are unchanged."""
    make(tmp_path, 3)
    daemon = Victim(tmp_path)
    api = daemon.api()
    ids = [api("POST", "/v1/models/m/checkpoints", {}).expect(201).json()["id"] for _ in range(2)]
    for file in sorted((tmp_path / "checkpoints").iterdir())[:1]:
        content = bytearray(file.read_bytes())
        content[-40] ^= 1
        file.write_bytes(content)
    push(api, 4, 5)
    before = state_of(api, "m")
    refused = api("POST", f"/v1/models/m/checkpoints/{ids[0]}/restore", {})
    assert refused.status == 500 and refused.json()["type"] == "/problems/file-damaged"
    assert "damaged" in refused.json()["detail"] and "another checkpoint" in refused.json()["detail"]
    assert state_of(api, "m") == before
    push(api, 6, 6)
    api("POST", f"/v1/models/m/checkpoints/{ids[1]}/restore", {}).expect(200)
    assert api.get("/v1/models/m").json()["step"] == 3
    assert daemon.stop() == 0


def test_verify_tells_what_is_missing(tmp_path: Path) -> None:
    """All remaining bytes are intact, but a start would be refused."""
    make(tmp_path, 3)
    assert run("verify", tmp_path).returncode == 0
    for segment in (tmp_path / "journal").glob("segment-*"):
        segment.unlink()
    verified = run("verify", tmp_path)
    assert verified.returncode == 65 and "missing: the journal" in verified.stdout
    assert start_fails(tmp_path).returncode == 65


def test_salvage_behind_a_snapshot(tmp_path: Path) -> None:
    """Pushes after a salvage survive the next restart, although a snapshot is ahead of the journal."""
    make(tmp_path, 200, "--snapshot-after", "8K")
    segments = sorted((tmp_path / "journal").glob("segment-*"))
    content = bytearray(segments[0].read_bytes())
    content[4000] ^= 1
    segments[0].write_bytes(content)
    assert run("recover", "--salvage", tmp_path).returncode == 0
    daemon = Victim(tmp_path)
    api = daemon.api()
    step = api.get("/v1/models/m").json()["step"]
    assert step > 0
    push(api, step + 1, step + 5)
    daemon.kill()
    daemon = Victim(tmp_path)
    check_sums(daemon.api(), "m", {0: step + 5})
    assert daemon.stop() == 0


def test_lost_snapshots(tmp_path: Path) -> None:
    """A start is refused when all snapshots of a model are damaged; an operator may continue without the model."""
    make(tmp_path, 400, "--snapshot-after", "8K")
    files = sorted((tmp_path / "snapshots").glob("state-*"))
    for file in files:
        content = bytearray(file.read_bytes())
        if len(content) > 5000:
            content[-1] ^= 1
            file.write_bytes(content)
    refused = start_fails(tmp_path)
    assert refused.returncode == 65 and ".snapshot" in refused.stderr
    moved = run("recover", "--salvage", tmp_path)
    assert moved.returncode == 0 and moved.stdout.count("salvaged-") == 2
    daemon = Victim(tmp_path)
    assert daemon.api()("GET", "/v1/models/m").status == 404
    assert daemon.stop() == 0


def check_start(place: Path) -> None:
    """A start must be refused with 65, or show a state that the model once had."""
    try:
        daemon = Victim(place)
    except AssertionError:
        assert start_fails(place).returncode == 65
        return
    answer = daemon.api()("GET", "/v1/models/m/parameters")
    daemon.kill()
    if answer.status != 404:
        body = answer.expect(200).json()
        assert body["parameters"]["w"]["data"] == sums({0: body["step"]})


def damage_everywhere(tmp_path: Path, samples: int | None, starts: int) -> None:
    """Truncates and flips the journal's bytes: every flip is found, and no cut leaves a state that never existed."""
    make(tmp_path, 12)
    last = digest(tmp_path, "m")
    digests = {None, last} | {digest(tmp_path, "m", step) for step in range(13)}
    content = journal_bytes(tmp_path)
    end, chance = int(np.flatnonzero(content).max()) + 1, random.Random(samples)
    places = range(end) if samples is None else sorted(chance.sample(range(end), samples))
    (segment,) = (tmp_path / "journal").glob("segment-*")
    for count, place in enumerate(places):
        flipped = content.copy()
        flipped[place] ^= 1 << chance.randrange(8)
        for damaged in (content[:place], flipped):
            damaged.tofile(segment)
            verified, found = run("verify", tmp_path).returncode, digest(tmp_path, "m")
            assert found in digests
            if damaged is flipped:
                assert verified == 65 or found == last, f"a flip in byte {place} must be found"
            if count % starts == 0:
                check_start(tmp_path)
    content.tofile(segment)
    assert digest(tmp_path, "m") == last and run("verify", tmp_path).returncode == 0


@pytest.mark.unsanitized
def test_damaged_journal(tmp_path: Path) -> None:
    """Tries a sample of places."""
    damage_everywhere(tmp_path, samples=3, starts=1)


@pytest.mark.heavy
@pytest.mark.timeout(3600)
def test_damaged_journal_in_many_places(tmp_path: Path) -> None:
    """Tries a larger sample; the journal's own suite cuts at every byte and flips every bit."""
    damage_everywhere(tmp_path, samples=200, starts=10)


def damage_snapshots(tmp_path: Path, samples: int | None) -> None:
    """Flips and truncates every snapshot's bytes: `verify` finds it, and a start still reaches the same state."""
    make(tmp_path, 200, "--snapshot-after", "8K")
    expected, chance = digest(tmp_path, "m"), random.Random(samples)
    for snapshot in sorted((tmp_path / "snapshots").glob("state-*")):
        content = np.fromfile(snapshot, dtype=np.uint8)
        places = range(len(content)) if samples is None else chance.sample(range(len(content)), samples)
        for count, place in enumerate(places):
            flipped = content.copy()
            flipped[place] ^= 1 << chance.randrange(8)
            for damaged in (content[:place], flipped):
                damaged.tofile(snapshot)
                assert run("verify", tmp_path).returncode == 65, f"damage of byte {place} must be found"
                if samples is not None or count % 100 == 0:
                    daemon = Victim(tmp_path)
                    check_sums(daemon.api(), "m", {0: 200})
                    daemon.kill()
        content.tofile(snapshot)
    assert run("verify", tmp_path).returncode == 0
    assert digest(tmp_path, "m") == expected


@pytest.mark.unsanitized
def test_damaged_snapshots(tmp_path: Path) -> None:
    """Tries a sample of places."""
    damage_snapshots(tmp_path, samples=2)


@pytest.mark.heavy
@pytest.mark.timeout(3600)
def test_damaged_snapshots_in_many_places(tmp_path: Path) -> None:
    """Tries a larger sample; the journal's own suite flips every bit."""
    damage_snapshots(tmp_path, samples=20)


def test_torn_tail(tmp_path: Path) -> None:
    """A record that was unsynced at a power cut, truncated anywhere, is dropped and logged; the retry is applied."""
    make(tmp_path, 5, clean=False)
    (tmp_path / "journal/SYNCED").unlink()  # with it, a start would know that this record was acknowledged
    content = journal_bytes(tmp_path)
    end = int(np.flatnonzero(content).max()) + 1
    for cut in (1, 2, 10, 40):
        with temporary() as copy:
            shutil.copytree(tmp_path, copy, dirs_exist_ok=True)
            (segment,) = (copy / "journal").glob("segment-*")
            content[: end - cut].tofile(segment)
            assert run("verify", copy).returncode == 0
            daemon = Victim(copy)
            api = daemon.api()
            assert api.pull("m")["w"].tolist() == sums({0: 4})
            push(api, 5, 6)
            check_sums(api, "m", {0: 6})
            assert daemon.stop() == 0


@pytest.mark.unsanitized
def test_clock_jumps(tmp_path: Path) -> None:
    """Jumps of ten years between pushes, in both directions, do not affect steps, receipts and waiting pulls."""
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed (apt install faketime)")
    clock, wrapper = tmp_path / "clock", tmp_path / "paramd"
    clock.write_text("+0")
    # The library changes the environment of the first process that it is loaded into before main, where Swift looks for
    # the arguments: `env` is that process, and paramd the second.
    settings = f"LD_PRELOAD={FAKETIME} FAKETIME_TIMESTAMP_FILE={clock} FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1"
    wrapper.write_text(f'#!/bin/sh\n{settings} exec env {BINARY} "$@"\n')
    wrapper.chmod(0o700)
    daemon = Victim(tmp_path / "data", binary=wrapper)
    api = daemon.api()
    api.create("m", definition())
    for seq, jump in enumerate(["+10y", "-10y", "+1d", "-1h", "+0"], start=1):
        clock.write_text(jump)
        push(api, seq, seq)
        shift = abs(parsedate_to_datetime(api.get("/livez").headers["date"]) - datetime.now(UTC))
        assert (shift > timedelta(days=365)) == jump.endswith("10y"), "the clock did not jump"
        pulled = api("GET", f"/v1/models/m/parameters?since={seq + 1}&wait=200ms")
        assert pulled.status == 304
        assert api.push("m", {"w": gradient(0, seq)}, worker="w0", seq=seq).json()["replayed"]
    check_sums(api, "m", {0: 5})
    daemon.kill()
    clock.write_text("-10y")
    daemon = Victim(tmp_path / "data", binary=wrapper)
    check_sums(daemon.api(), "m", {0: 5})
    assert daemon.stop() == 0
