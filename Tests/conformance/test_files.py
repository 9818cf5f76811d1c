"""Uploaded files: a damaged one creates nothing."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import numpy as np
import pytest
import safetensors.numpy
from support.trained import checkpoint, metadata, trained
from support.wire import SAFETENSORS, Api

HEADERS = {"Content-Type": SAFETENSORS}


def flipped(file: bytes, bit: int) -> bytes:
    """Returns the file with one bit changed."""
    changed = bytearray(file)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def bits_to_flip(file: bytes) -> list[int]:
    """Every bit of the length, then a sample of the whole file, with more places in the readable part of its header."""
    header = 8 + struct.unpack("<Q", file[:8])[0]
    readable = file.index(b"paramd.image") if b"paramd.image" in file else header
    some = random.Random(7)
    return [
        *range(64),
        *some.sample(range(64, 8 * readable), min(400, 8 * readable - 64)),
        *some.sample(range(64, 8 * len(file)), 400),
    ]


def test_one_flipped_bit_makes_no_model(api: Api, name: str) -> None:
    """One flipped bit anywhere in a checkpoint's file is 422 and creates no model."""
    trained(api, name, "torch.adam")
    file = checkpoint(api, name)
    for bit in bits_to_flip(file):
        answer = api("PUT", f"/v1/models/{name}-b", flipped(file, bit), **HEADERS)
        assert answer.status == 422, f"bit {bit} of byte {bit // 8}: {answer.status} {answer.body[:300]!r}"
    api("GET", f"/v1/models/{name}-b").expect(404)
    api("PUT", f"/v1/models/{name}-b", file, **HEADERS).expect(201)


def test_every_bit_of_the_checksum_and_its_name(api: Api, name: str) -> None:
    """One flipped bit cannot remove the key, which would turn the file into one without a checksum."""
    trained(api, name, "momentum")
    file = checkpoint(api, name)
    start = file.index(b"paramd.checksum")
    end = file.index(b'"', start + len(b'paramd.checksum":"'))
    for bit in range(8 * start, 8 * end):
        api("PUT", f"/v1/models/{name}-b", flipped(file, bit), **HEADERS).expect(422)


def test_one_flipped_bit_changes_no_state(api: Api, name: str) -> None:
    """One flipped bit anywhere in a state's file is 422 and leaves the model unchanged."""
    trained(api, name, "torch.nadam")
    before = api.get(f"/v1/models/{name}/state").json()["digest"]
    file = api.get(f"/v1/models/{name}/state.safetensors").body
    for bit in bits_to_flip(file)[::3]:
        answer = api("PUT", f"/v1/models/{name}/state", flipped(file, bit), **HEADERS)
        assert answer.status == 422, f"bit {bit} of byte {bit // 8}: {answer.status} {answer.body[:300]!r}"
    assert api.get(f"/v1/models/{name}/state").json()["digest"] == before


def test_a_tool_may_write_the_file_anew(api: Api, name: str) -> None:
    """The safetensors package orders tensors its own way; a file with changed values must omit the checksum."""
    trained(api, name, "adam")
    file = checkpoint(api, name)
    tensors, known = safetensors.numpy.load(file), metadata(file)
    again = safetensors.numpy.save(tensors, known)
    api("PUT", f"/v1/models/{name}-b", again, **HEADERS).expect(201)
    tensors["b"] = tensors["b"] * 2
    refused = api("PUT", f"/v1/models/{name}-c", safetensors.numpy.save(tensors, known), **HEADERS).expect(422)
    assert "checksum" in refused.json()["detail"]
    del known["paramd.checksum"]
    api("PUT", f"/v1/models/{name}-c", safetensors.numpy.save(tensors, known), **HEADERS).expect(201)
    np.testing.assert_array_equal(api.pull(f"{name}-c")["b"], tensors["b"])


def drop(tensors: dict[str, np.ndarray]) -> None:
    """Removes a slot."""
    del tensors["b#moments"]


def add(tensors: dict[str, np.ndarray]) -> None:
    """Adds an empty tensor."""
    tensors["c"] = np.zeros(3, np.float32)


def reshape(tensors: dict[str, np.ndarray]) -> None:
    """Gives a tensor another shape with the same number of values."""
    tensors["a.weight#moments"] = tensors["a.weight#moments"].reshape(4, 3)


def spoil(tensors: dict[str, np.ndarray]) -> None:
    """Writes an infinite value."""
    tensors["b"] = tensors["b"] * np.float32(np.inf)


def spoil_slot(tensors: dict[str, np.ndarray]) -> None:
    """Writes NaN into a slot."""
    tensors["b#moments"] = np.full(5, np.nan, np.float32)


@pytest.mark.parametrize("change", [drop, add, reshape, spoil, spoil_slot])
def test_a_file_without_a_checksum_is_checked_too(
    api: Api, name: str, change: Callable[[dict[str, np.ndarray]], None]
) -> None:
    """The values must be finite, the tensors complete and of the right shapes; the answer names the wrong tensor."""
    trained(api, name, "momentum")
    file = checkpoint(api, name)
    tensors, known = safetensors.numpy.load(file), metadata(file)
    before = set(tensors)
    del known["paramd.checksum"]
    change(tensors)
    answer = api("PUT", f"/v1/models/{name}-b", safetensors.numpy.save(tensors, known), **HEADERS).expect(422)
    suspects = (before ^ set(tensors)) or {"a.weight#moments", "b", "b#moments"}
    assert any(f"`{suspect}`" in answer.json()["detail"] for suspect in suspects)
    api("GET", f"/v1/models/{name}-b").expect(404)


def test_a_file_of_a_model_with_a_number_that_no_state_has(api: Api, name: str) -> None:
    """A negative average of squares is finite, of the right shape and without a checksum, but never a state of Adam."""
    trained(api, name, "torch.adam")
    file = checkpoint(api, name)
    tensors, known = safetensors.numpy.load(file), metadata(file)
    del known["paramd.checksum"]
    tensors["b#exp_avg_sq"][3] = -1
    answer = api("PUT", f"/v1/models/{name}-b", safetensors.numpy.save(tensors, known), **HEADERS).expect(422).json()
    assert "`b#exp_avg_sq` contains -1 at index 3" in answer["detail"], answer
    api("GET", f"/v1/models/{name}-b").expect(404)
