"""Checkpoints on the disk: damaged ones are listed, their number is bounded, a listing opens no file twice."""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import BINARY, Daemon, launch, read_line
from support.wire import Api

STRACE = shutil.which("strace")
Start = Callable[..., Daemon]
DEFINITION = {"optimizer": {"type": "momentum", "momentum": 0.9}, "learning_rate": 1, "parameters": {"w": [0] * 500}}
HEADER = 4096

# The offsets in the header, from Sources/Journal/Snapshots/SnapshotFormat.swift.
FLIPS = {"magic": 0, "version": 8, "id": 16, "length": 24, "position": 32, "kind": 44, "label": 64, "checksum": 4092}
HEADER_DAMAGE: dict[str, Callable[[bytearray], bytes]] = {
    **{place: lambda data, at=offset: flip(data, at) for place, offset in FLIPS.items()},
    "model": lambda data: flip(data, 40),
    "salt": lambda data: flip(data, 48),
    "zeros in the header": lambda data: bytes(HEADER) + bytes(data[HEADER:]),
    "cut in the header": lambda data: bytes(data[:2000]),
    "cut behind the header": lambda data: bytes(data[:HEADER]),
    "cut by a byte": lambda data: bytes(data[:-1]),
    "longer by a byte": lambda data: bytes(data) + b"\0",
}
# Nothing in the file says which model it belongs to.
OWNERLESS_DAMAGE: dict[str, Callable[[bytearray], bytes]] = {
    "empty": lambda _: b"",
    "cut before the model": lambda data: bytes(data[:30]),
    "all zeros": lambda data: bytes(len(data)),
}
BODY_DAMAGE: dict[str, Callable[[bytearray], bytes]] = {
    "head": lambda data: flip(data, HEADER + 20),
    "values": lambda data: flip(data, len(data) - 500),
    "tail": lambda data: flip(data, len(data) - 1),
}


def flip(data: bytearray, offset: int) -> bytes:
    """Returns the file with one bit changed."""
    return bytes(data[:offset]) + bytes([data[offset] ^ 1]) + bytes(data[offset + 1 :])


def path_of(directory: Path, number: int) -> Path:
    """The file of a checkpoint."""
    return directory / f"checkpoints/state-{number:012}.snapshot"


def save(api: Api, model: str) -> int:
    """Saves a checkpoint and returns its number."""
    return api("POST", f"/v1/models/{model}/checkpoints").expect(201).json()["id"]


def damage_all(directory: Path, numbers: dict[str, int]) -> None:
    """Damages the file of each number in the way that its name says."""
    ways = HEADER_DAMAGE | OWNERLESS_DAMAGE | BODY_DAMAGE
    for way, number in numbers.items():
        path = path_of(directory, number)
        path.write_bytes(ways[way](bytearray(path.read_bytes())))


def refuse(api: Api, model: str, number: int, file: str) -> None:
    """Every use of a damaged checkpoint names the file, and nothing is applied."""
    for method, end in [("POST", "/restore"), ("GET", ".safetensors")]:
        problem = api(method, f"/v1/models/{model}/checkpoints/{number}{end}").expect(500).json()
        assert problem["type"] == "/problems/file-damaged" and file in problem["detail"], problem
        assert ("Nothing was applied" in problem["detail"]) == (method == "POST")


def lists(api: Api, model: str) -> tuple[set[int], dict[int, dict]]:
    """The numbers of the intact checkpoints, and the entries of the damaged ones."""
    answer = api.get(f"/v1/models/{model}/checkpoints").json()
    return {entry["id"] for entry in answer["checkpoints"]}, {entry["id"]: entry for entry in answer["damaged"]}


def test_no_damaged_checkpoint_vanishes(start: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Damage in every part of the file is listed with file and reason, logged at the start, refused and deletable."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    for model in ("mine", "other"):
        api.create(model, DEFINITION)
        api.push(model, {"w": [1] * 500})
    whole, others = save(api, "mine"), save(api, "other")
    numbers = {way: save(api, "mine") for way in HEADER_DAMAGE | OWNERLESS_DAMAGE | BODY_DAMAGE}
    before = api.get("/v1/models/mine").json()
    assert daemon.stop() == 0
    damage_all(tmp_path, numbers)
    capfd.readouterr()
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)

    in_header = {numbers[way] for way in HEADER_DAMAGE}
    ownerless = {numbers[way] for way in OWNERLESS_DAMAGE}
    in_body = {numbers[way] for way in BODY_DAMAGE}
    intact, damaged = lists(api, "mine")
    assert (intact, set(damaged)) == ({whole} | in_body, in_header | ownerless)
    assert (lists(api, "other")[0], set(lists(api, "other")[1])) == ({others}, ownerless)
    for number, entry in damaged.items():
        name = path_of(tmp_path, number).name
        assert entry["file"] == f"checkpoints/{name}" and name in entry["reason"]
        assert entry["bytes"] == path_of(tmp_path, number).stat().st_size
    warned = capfd.readouterr().err
    told = set(re.findall(r"checkpoints/state-0*(\d+)", warned))
    assert len(told) == 10 and {int(number) for number in told} <= set(damaged)
    assert re.search(rf"more[^\d]+{len(damaged) - 10}\b", warned), warned

    for number in in_header | ownerless | in_body:
        refuse(api, "mine", number, path_of(tmp_path, number).name)
    assert api.get("/v1/models/mine").json() == before
    # A damage that a read finds is listed from then on.
    assert lists(api, "mine")[0] == {whole} and set(lists(api, "mine")[1]) == in_header | ownerless | in_body
    for number in in_header | ownerless | in_body:
        assert path_of(tmp_path, number).exists()
        for status, replayed in [(204, None), (204, "true")]:
            answer = api("DELETE", f"/v1/models/mine/checkpoints/{number}", Idempotency_Key=f"k{number}").expect(status)
            assert answer.headers.get("idempotency-replayed") == replayed
        assert not path_of(tmp_path, number).exists()
        api("POST", f"/v1/models/mine/checkpoints/{number}/restore").expect(404)
    assert lists(api, "mine") == ({whole}, {})
    api("POST", f"/v1/models/mine/checkpoints/{whole}/restore").expect(200)


def test_damage_while_the_daemon_runs(start: Start, tmp_path: Path) -> None:
    """A header that was intact at the start: its first use reports the damage, and so does every later list."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api.create("mine", DEFINITION)
    number = save(api, "mine")
    assert lists(api, "mine") == ({number}, {})
    path = path_of(tmp_path, number)
    path.write_bytes(flip(bytearray(path.read_bytes()), 20))
    refuse(api, "mine", number, path.name)
    assert lists(api, "mine")[0] == set() and set(lists(api, "mine")[1]) == {number}


def test_damaged_checkpoints_go_with_their_model(start: Start, tmp_path: Path) -> None:
    """A deletion removes them, before or after a restart; those of another model stay."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    for model in ("mine", "other"):
        api.create(model, DEFINITION)
    mine, others = save(api, "mine"), save(api, "other")
    damage_all(tmp_path, {"checksum": mine})
    damage_all(tmp_path, {"label": others})
    daemon.process.kill()
    daemon.process.wait(20)
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api("DELETE", "/v1/models/mine").expect(204)
    assert daemon.stop() == 0
    daemon = start(data_dir=tmp_path)
    assert not path_of(tmp_path, mine).exists()
    assert set(lists(Api(daemon.host, daemon.port), "other")[1]) == {others}


def test_number_of_checkpoints_is_bounded(start: Start, tmp_path: Path) -> None:
    """The number is bounded per model and in all, damaged ones included; the answer names one to delete."""
    daemon = start("--limit", "checkpoints=3", "--limit", "checkpoints-in-all=5", data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    for model in ("first", "second", "third"):
        api.create(model, DEFINITION)
    kept = [save(api, "first") for _ in range(3)]
    damage_all(tmp_path, {"checksum": kept[0]})
    for _ in range(2):
        problem = api("POST", "/v1/models/first/checkpoints", Idempotency_Key="k").expect(409).json()
        assert problem["type"] == "/problems/too-many-checkpoints" and "3 checkpoints" in problem["detail"]
        assert f"DELETE /v1/models/first/checkpoints/{kept[0]}," in problem["detail"]
    api("DELETE", f"/v1/models/first/checkpoints/{kept[0]}").expect(204)
    saved = api("POST", "/v1/models/first/checkpoints", Idempotency_Key="k").expect(201).json()
    # At the limit, a repetition is still known.
    assert api("POST", "/v1/models/first/checkpoints", Idempotency_Key="k").expect(201).json() == saved
    save(api, "second")
    save(api, "second")
    for model, way in [("second", "DELETE /v1/models/second/checkpoints/"), ("third", "of other models")]:
        problem = api("POST", f"/v1/models/{model}/checkpoints").expect(409).json()
        assert "All models together have 5 checkpoints" in problem["detail"] and way in problem["detail"]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 5


def crc32c(data: bytes) -> int:
    """The checksum of the header, bit by bit from its polynomial (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _crc_entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CRC_TABLE = [_crc_entry(byte) for byte in range(256)]


@pytest.mark.unsanitized
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_listing_opens_no_file_twice(start: Start, tmp_path: Path) -> None:
    """With 1,000 checkpoints, the start opens each file, and thirty listings and a save open almost none."""
    daemon = start(data_dir=tmp_path / "data")
    api = Api(daemon.host, daemon.port)
    api.create("m", DEFINITION)
    first = save(api, "m")
    assert daemon.stop() == 0
    original = path_of(tmp_path / "data", first).read_bytes()
    for number in range(first + 1, first + 998):
        head = original[:16] + struct.pack("<Q", number) + original[24 : HEADER - 4]
        data = head + struct.pack("<I", crc32c(head)) + original[HEADER:]
        path_of(tmp_path / "data", number).write_bytes(data)
    trace = tmp_path / "opened"
    traced = ["-f", "-D", "-qq", "-o", str(trace), "-e", "trace=openat"]
    arguments = [str(BINARY), "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")]
    process = launch(*traced, *arguments, binary=Path(STRACE))
    try:
        host, port = read_line(process, within=60).removeprefix("listening on http://").strip().split(":")
        api = Api(host, int(port))
        last = save(api, "m")
        listed = [lists(api, "m") for _ in range(30)]
        assert all(entry == (set(range(first, first + 998)) | {last}, {}) for entry in listed)
    finally:
        process.terminate()
        process.wait(60)
    opened = [line for line in trace.read_text(errors="replace").splitlines() if "checkpoints/state-" in line]
    # One open for each at the start; the save opens its own file a few times.
    assert 998 <= len(opened) <= 998 + 10
