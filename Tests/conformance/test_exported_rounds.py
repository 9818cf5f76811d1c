"""The open round in a checkpoint's file: its gradients are tensors, and a model made of the file holds its pushes."""

from __future__ import annotations

import base64
import json
import random
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.memory import reserved
from support.trained import checkpoint, metadata
from support.wire import SAFETENSORS, Answer, Api, wait_until

HEADERS = {"Content-Type": SAFETENSORS}
#: Sums of multiples of 1/8, so that a mean of four is exact in float32.
W = np.array([[1, -2], [3.5, 0.125]], np.float32)
E = np.arange(12, dtype=np.float32).reshape(4, 3) / 4
MANUAL = {
    "optimizer": "sgd",
    "learning_rate": 0.5,
    "groups": [{"params": ["w"]}, {"params": ["e"], "optimizer": {"type": "proximal_adagrad", "accum": 0.25}}],
    "consistency": {"mode": "manual"},
    "parameters": {"w": W.tolist(), "e": E.tolist()},
}
ROWS = {"indices": [3, 1, 3], "values": [[1, 2, 3], [0.5, 0, -1], [4, 4, 4]]}
#: The pushes in the order of their arrival: dense, rows, both with a key of their request, and one without any key.
DENSE = {"worker": "b", "epoch": 0, "seq": 4, "num_examples": 8, "loss": 0.25, "based_on": 0}
GRADIENTS: list[dict[str, Any]] = [
    {"w": [[1, 2], [3, 4]], "e": np.full((4, 3), 0.5).tolist()},
    {"e": ROWS},
    {"w": [[-2, 0], [0, 1]], "e": {"indices": [0], "values": [[8, 8, 8]]}},
    {"w": [[4, 4], [0, 0]]},
]


def arrays(gradients: dict[str, Any]) -> dict[str, np.ndarray]:
    """The gradients as the file has them: rows as they were pushed."""
    return {
        name: np.array(value["values"] if isinstance(value, dict) else value, np.float32)
        for name, value in gradients.items()
    }


def whole(gradients: dict[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One gradient of a push in the shape of its parameter, with zeros for what it lacks."""
    total, value = np.zeros(shape, np.float64), gradients.get(name)
    if isinstance(value, dict):
        np.add.at(total, value["indices"], np.array(value["values"], np.float64))
    elif value is not None:
        total += np.array(value, np.float64)
    return total


def mean(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The mean of all pushes."""
    return sum(whole(push, name, shape) for push in GRADIENTS) / 4


def check_step(values: dict[str, np.ndarray]) -> None:
    """The parameters after the round: plain SGD for `w`, which is exact, and proximal Adagrad for the rows of `e`."""
    np.testing.assert_array_equal(values["w"], W - 0.5 * mean("w", W.shape))
    gradient = mean("e", E.shape)
    np.testing.assert_allclose(values["e"], E - 0.5 * gradient / np.sqrt(0.25 + gradient**2), atol=1e-6)


def bits(api: Api, model: str) -> dict[str, bytes]:
    """The parameters and slots, byte for byte."""
    files = (api.get(f"/v1/models/{model}/{part}.safetensors").tensors() for part in ("parameters", "state"))
    return {name: array.tobytes() for tensors in files for name, array in tensors.items()}


def keyed(api: Api, model: str) -> Answer:
    """The push with the key of its request, first or again."""
    return api("POST", f"/v1/models/{model}/gradients", {"gradients": GRADIENTS[2]}, Idempotency_Key="k-1")


def filled(api: Api, model: str) -> bytes:
    """A model that holds four pushes, and the file of its checkpoint."""
    api.create(model, MANUAL)
    epoch = api("PUT", f"/v1/models/{model}/workers/a", {}).expect(200).json()["epoch"]
    assert epoch == 1
    api.push(model, GRADIENTS[0], 202, **DENSE)
    api.push(model, GRADIENTS[1], 202, worker="a", epoch=1, seq=2)
    keyed(api, model).expect(202)
    api.push(model, GRADIENTS[3], 202)
    return checkpoint(api, model)


def put(api: Api, model: str, file: bytes, status: int = 201) -> Answer:
    """Makes a model of a file."""
    return api("PUT", f"/v1/models/{model}", file, **HEADERS).expect(status)


def newest(api: Api, model: str) -> int:
    """The number of the newest checkpoint."""
    return api.get(f"/v1/models/{model}/checkpoints").json()["checkpoints"][-1]["id"]


def changed(file: bytes, change: Callable[[dict[str, np.ndarray], dict[str, str]], None]) -> bytes:
    """The file written by another tool, with a change and without the checksum."""
    tensors, known = safetensors.numpy.load(file), metadata(file)
    del known["paramd.checksum"]
    change(tensors, known)
    return safetensors.numpy.save(tensors, known)


def holders(api: Api, model: str) -> dict[str, Any]:
    """The open round, without the time that is left."""
    shown = api.get(f"/v1/models/{model}/round").json()
    shown.pop("closes_in", None)
    return shown


def test_the_file_has_the_gradients(api: Api, name: str) -> None:
    """Each gradient is a tensor, rows are as pushed, and the metadata say whose they are."""
    file = filled(api, name)
    tensors = safetensors.numpy.load(file)
    pushed = {
        f"{parameter}#held.{place}": array
        for place, push in enumerate(GRADIENTS)
        for parameter, array in arrays(push).items()
    }
    held = {key: array for key, array in tensors.items() if "#held." in key}
    assert held.keys() == pushed.keys()
    for key, array in pushed.items():
        assert held[key].dtype == np.float32
        np.testing.assert_array_equal(held[key], array)
    listed = json.loads(metadata(file)["paramd.held"])
    assert listed == [
        {**DENSE, "indices": {}},
        {"worker": "a", "epoch": 1, "seq": 2, "indices": {"e": [3, 1, 3]}},
        {"key": "k-1", "indices": {"e": [0]}},
        {"indices": {}},
    ]
    np.testing.assert_array_equal(tensors["w"], W)


def test_ranges_and_averages(api: Api, name: str) -> None:
    """Ranges across the gradients are pieces of the whole file, and an average's file is not shifted by them."""
    api.create(name, {**MANUAL, "averages": {"ema": {"decay": 0.5}}})
    api.push(name, {"w": [[1, 1], [1, 1]], "e": E.tolist()}, 202, worker="a", seq=1)
    api("POST", f"/v1/models/{name}/step", {}).expect(200)
    api.push(name, GRADIENTS[0], 202, **{**DENSE, "based_on": 1})
    api.push(name, GRADIENTS[1], 202, worker="a", seq=2)
    file = checkpoint(api, name)
    target = f"/v1/models/{name}/checkpoints/{newest(api, name)}.safetensors"
    pieces = [
        api("GET", target, Range=f"bytes={start}-{start + 36}").expect(206).body for start in range(0, len(file), 37)
    ]
    assert b"".join(pieces) == file
    average = api.get(f"{target}?average=ema").tensors()
    assert average.keys() == {"w", "e"}
    for key, array in average.items():
        np.testing.assert_array_equal(array, safetensors.numpy.load(file)[f"{key}#average.ema"])
    assert "paramd.held" not in metadata(api.get(f"{target}?average=ema").body)


def test_a_model_of_the_file_holds_the_pushes(api: Api, name: str) -> None:
    """The new model shows the same holders, answers retries as held, and makes the same step to the bit."""
    file = filled(api, name)
    new = f"{name}-new"
    put(api, new, file)
    assert holders(api, new) == holders(api, name)
    assert holders(api, new)["received"] == 4
    again = api.push(new, GRADIENTS[0], 202, **DENSE).json()
    assert (again["replayed"], again["round"]["state"]) == (True, "held")
    assert api.push(new, GRADIENTS[1], 202, worker="a", epoch=1, seq=2).json()["replayed"] is True
    assert keyed(api, new).expect(202).headers["idempotency-replayed"] == "true"
    assert holders(api, new)["received"] == 4
    assert api.get(f"/v1/models/{new}/pushes/b/4").json()["outcome"] == "held"
    for model in (name, new):
        api("POST", f"/v1/models/{model}/step", {}).expect(200)
        check_step(api.pull_binary(model))
    assert bits(api, new) == bits(api, name)
    assert api.get(f"/v1/models/{new}/pushes/b/4").json()["outcome"] == "applied"
    assert keyed(api, new).expect(200).json()["round"] == {"state": "closed", "step": 1, "received": 4}


def test_the_workers_of_the_file_are_not_registered(api: Api, name: str) -> None:
    """A registration of the file has ended in the new model; a new one has a later epoch, and old numbers stay used."""
    file = filled(api, name)
    new = f"{name}-new"
    put(api, new, file)
    assert api.get(f"/v1/models/{new}/workers/a").json()["registered"] is False
    body = {"gradients": {"w": W.tolist()}}
    problem = api("POST", f"/v1/models/{new}/gradients", {**body, "worker": "a", "epoch": 1, "seq": 3}).expect(409)
    assert problem.json()["type"].endswith("/fenced")
    # Nothing is known about the lower numbers of a worker: they may have been applied before the checkpoint.
    problem = api("POST", f"/v1/models/{new}/gradients", {**body, "worker": "b", "seq": 3}).expect(409)
    assert problem.json()["type"].endswith("/receipt-forgotten")
    assert api("PUT", f"/v1/models/{new}/workers/a", {}).expect(200).json()["epoch"] == 2
    api.push(new, {"w": W.tolist()}, 202, worker="a", epoch=2, seq=1)
    api.push(new, {"w": W.tolist()}, 202, worker="b", seq=5)
    assert holders(api, new)["received"] == 6


def test_the_round_survives_a_crash(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """After kill -9 the new model still holds the pushes, and its step has the same bits in another daemon."""
    daemon = start(data_dir=tmp_path / "one")
    api = Api(daemon.host, daemon.port)
    file = filled(api, "m")
    put(api, "new", file)
    before = holders(api, "new")
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    daemon = start(data_dir=tmp_path / "one")
    api = Api(daemon.host, daemon.port)
    assert holders(api, "new") == before
    assert api.push("new", GRADIENTS[0], 202, **DENSE).json()["replayed"] is True
    assert keyed(api, "new").expect(202).headers["idempotency-replayed"] == "true"
    api("POST", "/v1/models/new/step", {}).expect(200)
    other = start(data_dir=tmp_path / "two")
    far = Api(other.host, other.port)
    put(far, "m", file)
    far("POST", "/v1/models/m/step", {}).expect(200)
    api("POST", "/v1/models/m/step", {}).expect(200)
    check_step(far.pull_binary("m"))
    assert bits(far, "m") == bits(api, "new") == bits(api, "m")


def test_a_file_of_the_new_model(api: Api, name: str) -> None:
    """The file of a model from a file has the same gradients, and an unchanged file finds the model that it made."""
    file = filled(api, name)
    put(api, f"{name}-b", file)
    put(api, f"{name}-b", file, 200)
    first, second = safetensors.numpy.load(file), safetensors.numpy.load(checkpoint(api, f"{name}-b"))
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key])


def test_a_restore_drops_the_round(api: Api, name: str) -> None:
    """A restore in place brings back the parameters, and neither the open round nor that of the checkpoint."""
    filled(api, name)
    api("POST", f"/v1/models/{name}/step", {}).expect(200)
    api.push(name, {"w": W.tolist()}, 202, worker="c", seq=1)
    api("POST", f"/v1/models/{name}/checkpoints/{newest(api, name)}/restore", {}).expect(200)
    assert holders(api, name)["received"] == 0
    np.testing.assert_array_equal(api.pull_binary(name)["w"], W)
    assert api.get(f"/v1/models/{name}/pushes/c/1").json()["outcome"] == "dropped"
    assert api.get(f"/v1/models/{name}/pushes/b/4").json()["outcome"] == "applied"


def test_without_a_round_the_file_is_as_before(api: Api, name: str) -> None:
    """A checkpoint without held pushes has no trace of them, and settled rounds do not matter."""
    filled(api, name)
    api("POST", f"/v1/models/{name}/step", {}).expect(200)
    file = checkpoint(api, name)
    assert "paramd.held" not in metadata(file)
    assert not [key for key in safetensors.numpy.load(file) if "#held" in key]
    put(api, f"{name}-b", file)
    assert holders(api, f"{name}-b")["received"] == 0


def test_overflowed_gradients_come_back(api: Api, name: str) -> None:
    """A push that overflowed under loss scaling keeps its infinity; in another push it would be damage."""
    scaled = {**MANUAL, "loss_scaling": {"type": "dynamic", "init_loss_scale": 4}}
    api.create(name, scaled)
    api.push_binary(name, {"w": np.full((2, 2), np.inf, np.float32)}, X_Paramd_Worker="a", X_Paramd_Seq="1").expect(202)
    api.push(name, {"w": W.tolist()}, 202, worker="b", seq=1)
    file = checkpoint(api, name)
    assert np.isinf(safetensors.numpy.load(file)["w#held.0"]).all()
    put(api, f"{name}-b", file)
    for model in (name, f"{name}-b"):
        closed = api("POST", f"/v1/models/{model}/step", {}).expect(200).json()
        assert (closed["applied"], closed["overflow"]) == (False, True)

    def spoil(tensors: dict[str, np.ndarray], _: dict[str, str]) -> None:
        tensors["w#held.1"] = tensors["w#held.1"] * np.inf

    problem = put(api, f"{name}-c", changed(file, spoil), 422).json()
    assert problem["errors"][0]["pointer"] == "/w#held.1"


def large_round() -> bytes:
    """The file of a model of 1 MB whose round has six pushes of 1 MB each, of six workers."""
    with Daemon("--memory", "256M") as daemon:
        api = Api(daemon.host, daemon.port)
        large = {"w": {"shape": [250_000], "init": "zeros"}}
        api.create("m", {"optimizer": "sgd", "consistency": {"mode": "manual"}, "parameters": large})
        for number in range(6):
            gradient = {"w": np.full(250_000, number, np.float32)}
            api.push_binary("m", gradient, X_Paramd_Worker=f"w{number}", X_Paramd_Seq="1").expect(202)
        return checkpoint(api, "m")


def test_a_full_budget(start: Callable[..., Daemon]) -> None:
    """A file without room for its round is 503 and leaves no trace; it is taken once a model has been deleted."""
    daemon, file = start("--memory", "64M"), large_round()
    api = Api(daemon.host, daemon.port)
    names = iter(f"m{number}" for number in range(20))
    while (answer := api("PUT", f"/v1/models/{(name := next(names))}", file, **HEADERS)).status == 201:
        before = reserved(api)
    assert answer.expect(503).json()["type"].endswith("/out-of-memory")
    assert "Nothing was applied." in answer.json()["detail"]
    assert name != "m0" and before > 7_000_000
    wait_until(lambda: reserved(api) <= before)
    api("GET", f"/v1/models/{name}").expect(404)
    api("DELETE", "/v1/models/m0").expect(204)
    # A model's memory is freed piece by piece after the answer.
    wait_until(lambda: api("PUT", f"/v1/models/{name}", file, **HEADERS).status == 201)
    assert holders(api, name)["received"] == 6


def test_a_full_worker_table(start: Callable[..., Daemon]) -> None:
    """A round with pushes of more workers than the limit is 422, because waiting would not help."""
    daemon, file = start("--limit", "workers=5"), large_round()
    api = Api(daemon.host, daemon.port)
    detail = put(api, "m", file, 422).json()["detail"]
    assert "more workers than the limit `workers`, 5; start the daemon with a larger --limit workers" in detail
    api("GET", "/v1/models/m").expect(404)


def leave_out(tensors: dict[str, np.ndarray], _: dict[str, str]) -> None:
    """No gradient where the metadata have one."""
    del tensors["w#held.0"]


def add(tensors: dict[str, np.ndarray], _: dict[str, str]) -> None:
    """A gradient where the metadata have none."""
    tensors["w#held.1"] = W


def cut(tensors: dict[str, np.ndarray], _: dict[str, str]) -> None:
    """A gradient with a row too few."""
    tensors["e#held.1"] = tensors["e#held.1"][:2]


def spoil(tensors: dict[str, np.ndarray], _: dict[str, str]) -> None:
    """NaN in a push whose numbers were finite."""
    tensors["w#held.0"] = np.full((2, 2), np.nan, np.float32)


@pytest.mark.parametrize(
    ("change", "tensor"),
    [(leave_out, "w#held.0"), (add, "w#held.1"), (cut, "e#held.1"), (spoil, "w#held.0")],
)
def test_tensors_that_do_not_fit(api: Api, name: str, change: Callable[..., None], tensor: str) -> None:
    """A missing, unknown, short or spoiled gradient is 422 and names the tensor; nothing is created."""
    file = filled(api, name)
    problem = put(api, f"{name}-b", changed(file, change), 422).json()
    assert [error["pointer"] for error in problem["errors"]] == [f"/{tensor}"]
    assert f"`{tensor}`" in problem["errors"][0]["detail"]
    api("GET", f"/v1/models/{name}-b").expect(404)


#: Bytes of the image and what takes their place: the record of a held push starts with the name of its worker.
WORKER_A = struct.pack("<BBq", 1, 0, 1) + b"a" + struct.pack("<qq", 1, 2)
WORKER_B = struct.pack("<BBq", 1, 0, 1) + b"b" + struct.pack("<qq", 0, 4)
IMAGE_CHANGES = {
    "a number that no push has": (WORKER_A, WORKER_A[:11] + struct.pack("<qq", 1, -2)),
    "an epoch beyond all": (WORKER_A, WORKER_A[:11] + struct.pack("<qq", (1 << 63) - 1, 2)),
    "two pushes of one number": (WORKER_A, WORKER_B),
    "a push that is none": (WORKER_A, b"\0" + WORKER_A[1:]),
    "the token of a first release": (WORKER_A, WORKER_A[:1] + b"\1" + WORKER_A[2:]),
    "a row out of range": (struct.pack("<qqqq", 3, 3, 1, 3), struct.pack("<qqqq", 3, 3, 1, 4)),
    "a row below all": (struct.pack("<qqqq", 3, 3, 1, 3), struct.pack("<qqqq", 3, 3, 1, -1)),
}


def with_image(file: bytes, before: bytes, after: bytes) -> bytes:
    """The file with some bytes of its image replaced, which must be there once."""

    def replace(_: dict[str, np.ndarray], known: dict[str, str]) -> None:
        image = base64.b64decode(known["paramd.image"])
        assert image.count(before) == 1
        known["paramd.image"] = base64.b64encode(image.replace(before, after)).decode()

    return changed(file, replace)


@pytest.mark.parametrize("case", IMAGE_CHANGES)
def test_damaged_metadata(api: Api, name: str, case: str) -> None:
    """A damaged record of a held push is 422, and the daemon lives on."""
    file = filled(api, name)
    problem = put(api, f"{name}-b", with_image(file, *IMAGE_CHANGES[case]), 422).json()
    assert problem["errors"]
    api("GET", f"/v1/models/{name}-b").expect(404)
    assert holders(api, name)["received"] == 4


def test_any_byte_of_the_image(api: Api, name: str) -> None:
    """Whatever byte of the records is changed, the file is refused, or its model holds a round and closes it."""
    file = filled(api, name)
    image = base64.b64decode(metadata(file)["paramd.image"])
    start, some, made = image.index(WORKER_B) - 60, random.Random(5), 0
    for attempt in range(300):
        place = some.randrange(start, len(image))
        damaged = image[:place] + some.randbytes(1) + image[place + 1 :]

        def replace(_: dict[str, np.ndarray], known: dict[str, str], image: bytes = damaged) -> None:
            known["paramd.image"] = base64.b64encode(image).decode()

        answer = api("PUT", f"/v1/models/{name}-{attempt}", changed(file, replace), **HEADERS)
        assert answer.status in (201, 422), f"byte {place}: {answer.status} {answer.body[:300]!r}"
        if answer.status == 201:
            made += 1
            assert api("POST", f"/v1/models/{name}-{attempt}/step", {}).status in (200, 409)
            api("DELETE", f"/v1/models/{name}-{attempt}").expect(204)
    assert 0 < made < 300
    assert holders(api, name)["received"] == 4


def test_a_mode_without_rounds(api: Api, name: str) -> None:
    """Pushes of a round cannot be in a model of mode async; a file that says so is 422."""
    modes = (struct.pack("<q", len(mode)) + mode for mode in (b"manual", b"async"))
    problem = put(api, f"{name}-b", with_image(filled(api, name), *modes), 422).json()
    assert "no rounds" in problem["errors"][0]["detail"]


def test_a_round_of_registered_workers(api: Api, name: str) -> None:
    """It does not close because its holders register again one by one, but when a worker that registered pushes."""
    waits = {"mode": "sync", "workers": "registered", "round_timeout": "300s"}
    api.create(name, {**MANUAL, "consistency": waits})
    for worker in "abc":
        api("PUT", f"/v1/models/{name}/workers/{worker}", {}).expect(200)
    api.push(name, GRADIENTS[0], 202, worker="a", epoch=1, seq=1)
    api.push(name, GRADIENTS[3], 202, worker="b", epoch=2, seq=1)
    new = f"{name}-new"
    put(api, new, checkpoint(api, name))
    shown = api.get(f"/v1/models/{new}/round").json()
    assert (shown["received"], shown["registered"], shown["missing"]) == (2, 0, [])
    assert 0 < float(shown["closes_in"].removesuffix("s")) <= 300
    for worker, epoch in (("a", 4), ("b", 5), ("c", 6)):
        # The epochs of the file are used up: 1 and 2 hold pushes, so that the next one is 3.
        assert api("PUT", f"/v1/models/{new}/workers/{worker}", {}).expect(200).json()["epoch"] == epoch - 1
        assert holders(api, new)["received"] == 2
    assert holders(api, new)["missing"] == ["c"]
    closed = api.push(new, {"w": W.tolist()}, 200, worker="c", epoch=5, seq=1).json()
    assert closed["round"] == {"state": "closed", "step": 1, "received": 3}


def test_the_deadline_starts_with_the_model(api: Api, name: str) -> None:
    """The round of a new model is settled at its deadline, although no worker is registered."""
    waits = {"mode": "sync", "workers": "registered", "round_timeout": "300s"}
    api.create(name, {**MANUAL, "consistency": waits})
    for worker in "ab":
        api("PUT", f"/v1/models/{name}/workers/{worker}", {}).expect(200)
    api.push(name, GRADIENTS[0], 202, worker="a", epoch=1, seq=1)
    put(api, f"{name}-new", with_image(checkpoint(api, name), b"300s", b"0.2s"))
    wait_until(lambda: holders(api, f"{name}-new")["received"] == 0)
    assert api.get(f"/v1/models/{name}-new/pushes/a/1").json()["outcome"] == "applied"
    assert holders(api, name)["received"] == 1


def test_one_flipped_bit_makes_no_model(api: Api, name: str) -> None:
    """The checksum covers the gradients and their list."""
    file = filled(api, name)
    header = 8 + struct.unpack("<Q", file[:8])[0]
    entries = json.loads(file[8:header])
    last = max(entry["data_offsets"][1] for key, entry in entries.items() if "#held." in key)
    assert header + last == len(file)
    for place in (file.index(b"paramd.held") + 20, len(file) - 1, len(file) - 40):
        flipped = bytearray(file)
        flipped[place] ^= 1
        put(api, f"{name}-b", bytes(flipped), 422)
