"""Integers in a model: a batch norm's counters, which no rule trains and which arrive as I64."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.counters import COUNTER, NUMPY, definition
from support.daemon import Daemon
from support.wire import SAFETENSORS, Api


def import_(api: Api, model: str, tensors: dict[str, np.ndarray], status: int = 200, query: str = "") -> Any:
    """Sends values as safetensors with PUT."""
    body = safetensors.numpy.save(tensors)
    return api("PUT", f"/v1/models/{model}/parameters{query}", body, Content_Type=SAFETENSORS).expect(status).json()


def test_counter_of_a_batch_norm(api: Api, name: str) -> None:
    """A state_dict is imported unchanged, even into a model without integer types."""
    api.create(name, definition(data=[0]))
    import_(api, name, {COUNTER: np.array(7, np.int64), "bn.weight": np.float32([2])})
    pulled = api.pull_binary(name)
    assert (pulled[COUNTER].dtype, pulled[COUNTER].tolist()) == (np.float32, 7)
    assert pulled["bn.weight"].tolist() == [2]


@pytest.mark.parametrize("dtype", NUMPY)
def test_pulls_give_back_the_type(api: Api, name: str, dtype: str) -> None:
    """Safetensors, JSON, base64 and .npy return the type, for one parameter and for all, beside floats."""
    api.create(name, definition(dtype=dtype, init="zeros"))
    one = np.array(1, NUMPY[dtype])
    import_(api, name, {COUNTER: one})
    pulled = api.pull_binary(name)
    assert (pulled[COUNTER].dtype, pulled[COUNTER]) == (one.dtype, one)
    assert pulled["bn.weight"].dtype == np.float32 and pulled["bn.weight"].tolist() == [1]
    tensor = api.get(f"/v1/models/{name}/parameters").json()["parameters"][COUNTER]
    assert tensor == {"dtype": dtype, "shape": [], "data": [1]} and isinstance(tensor["data"][0], int)
    encoded = api.get(f"/v1/models/{name}/parameters/{COUNTER}?encoding=b64").json()
    assert (encoded["dtype"], base64.b64decode(encoded["b64"])) == (dtype, one.tobytes())
    array = np.lib.format.read_array(io.BytesIO(api.get(f"/v1/models/{name}/parameters/{COUNTER}.npy").body))
    assert (array.dtype, array.shape, array) == (one.dtype, (), one)
    assert api.get(f"/v1/models/{name}").json()["parameters"][COUNTER]["dtype"] == dtype
    half = api.get(f"/v1/models/{name}/parameters.safetensors?dtype=F16").tensors()
    assert (half[COUNTER].dtype, half["bn.weight"].dtype) == (one.dtype, np.float16)


@pytest.mark.parametrize("form", ["safetensors", "b64", "data"])
def test_integers_are_exact_or_refused(api: Api, name: str, form: str) -> None:
    """2^24 + 1 has no float32 (IEEE 754: 24 bits of significand); 2^24 + 2 has one."""
    api.create(name, definition(dtype="I64", data=[0]))

    def put(value: int, status: int) -> Any:
        if form == "safetensors":
            return import_(api, name, {COUNTER: np.array(value, np.int64)}, status)
        data = {"data": [value]} if form == "data" else {"b64": base64.b64encode(struct.pack("<q", value)).decode()}
        body = {"parameters": {COUNTER: {"dtype": "I64", "shape": [], **data}}}
        return api("PUT", f"/v1/models/{name}/parameters", body).expect(status).json()

    put(2**24 + 2, 200)
    refused = put(2**24 + 1, 422)
    assert "16777217" in refused["detail"] and COUNTER in refused["detail"]
    put(-(2**63), 200)
    assert api.pull_binary(name)[COUNTER] == -(2**63)
    put(2**63 - 1, 422)
    assert api.pull_binary(name)[COUNTER] == -(2**63)


@pytest.mark.parametrize(
    ("counter", "words"),
    [
        ({"dtype": "I64", "data": [0.5]}, "0.5"),
        ({"dtype": "I8", "data": [128]}, "I8"),
        ({"dtype": "BOOL", "data": [2]}, "BOOL"),
        ({"dtype": "I64", "data": [0], "trainable": True}, '"trainable":false'),
        ({"dtype": "I64", "init": "normal"}, "zeros"),
        ({"dtype": "U64", "data": [0]}, "I8, I16, I32, I64, U8, BOOL"),
        ({"dtype": "C64", "data": [0]}, "C64"),
        ({"dtype": "F4", "data": [0]}, "F4"),
        ({"dtype": "F8_E5M2", "data": [0]}, "F8_E5M2"),
        ({"dtype": "I64", "data": [16777217]}, "16777217"),
        ({"data": [16777217], "dtype": "I64"}, "rite `dtype` before `data`"),
    ],
)
def test_definitions_refused(api: Api, name: str, counter: dict[str, Any], words: str) -> None:
    """Values that a type cannot hold, and unsupported types, are refused by name."""
    detail = api("PUT", f"/v1/models/{name}", definition(**counter)).expect(422).json()["detail"]
    assert words in detail, detail


def test_imports_refused(api: Api, name: str) -> None:
    """Integers for trained floats or as gradients are refused, and so are floats that a typed parameter cannot hold."""
    api.create(name, definition(dtype="I16", data=[3]))
    trained = import_(api, name, {"bn.weight": np.array([1], np.int32)}, 422)
    assert "`bn.weight` has the dtype I32" in trained["detail"]
    assert "2.5" in import_(api, name, {COUNTER: np.array(2.5, np.float32)}, 422)["detail"]
    assert "40000" in import_(api, name, {COUNTER: np.array(40000, np.int32)}, 422)["detail"]
    gradient = api.push_binary(name, {"bn.weight": np.array([1], np.int64)}).expect(422).json()
    assert "I64" in gradient["detail"]
    assert api.pull_binary(name)[COUNTER] == 3


@pytest.mark.parametrize(("dtype", "size"), [("C64", 8), ("F8_E5M2", 1), ("F8_E4M3", 1), ("F8_E8M0", 1)])
def test_other_types_are_named(api: Api, name: str, dtype: str, size: int) -> None:
    """The refusal of an unsupported type names the type, the tensor and the supported types."""
    api.create(name, definition(data=[0]))
    head = b'{"bn.weight":{"dtype":"%s","shape":[1],"data_offsets":[0,%d]}}' % (dtype.encode(), size)
    body = struct.pack("<Q", len(head)) + head + bytes(size)
    answer = api("PUT", f"/v1/models/{name}/parameters", body, Content_Type=SAFETENSORS).expect(422).json()
    assert f"`bn.weight` has the dtype {dtype}; send F32" in answer["detail"]
    other = body.replace(dtype.encode(), b"F4".ljust(len(dtype)))
    refused = api("PUT", f"/v1/models/{name}/parameters", other, Content_Type=SAFETENSORS).expect(400).json()
    assert "F4" in refused["detail"] and "bn.weight" in refused["detail"]


def test_type_outlives_restart_snapshot_and_file(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """The journal's definition, a snapshot, a checkpoint and a model from its file keep the type."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api.create("bn", definition(dtype="I64", data=[0]))
    import_(api, "bn", {COUNTER: np.array(7, np.int64)})
    assert daemon.stop() == 0
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    assert (api.pull_binary("bn")[COUNTER].dtype, api.pull_binary("bn")[COUNTER]) == (np.int64, 7)
    identity = api("POST", "/v1/models/bn/checkpoints").expect(201).json()["id"]
    file = api.get(f"/v1/models/bn/checkpoints/{identity}.safetensors").body
    api("PUT", "/v1/models/copy", file, Content_Type=SAFETENSORS).expect(201)
    import_(api, "bn", {COUNTER: np.array(9, np.int64)})
    api("POST", f"/v1/models/bn/checkpoints/{identity}/restore").expect(200)
    for model in ("bn", "copy"):
        pulled = api.pull_binary(model)[COUNTER]
        assert (pulled.dtype, pulled) == (np.int64, 7), model


def test_part_of_an_import(api: Api, name: str) -> None:
    """`partial=1` imports what fits and lists the rest; a file in which nothing fits is 422."""
    api.create(name, definition(dtype="I64", data=[0]))
    tensors = {
        "bn.weight": np.float32([5]),
        "bn.weight2": np.float32([5]),
        COUNTER: np.array(2**24 + 1, np.int64),
        "fc.weight": np.float32([[1, 2]]),
    }
    assert len(import_(api, name, tensors, 422)["errors"]) == 3
    answer = import_(api, name, tensors, query="?partial=1")
    skipped = {row["pointer"].rsplit("/", 1)[1]: row["detail"] for row in answer["skipped"]}
    assert set(skipped) == {"bn.weight2", COUNTER, "fc.weight"}
    assert "16777217" in skipped[COUNTER] and "no parameter" in skipped["fc.weight"]
    assert (api.pull_binary(name)["bn.weight"], api.pull_binary(name)[COUNTER]) == ([5], 0)
    shapes = {"parameters": {"bn.weight": [1, 2], COUNTER: 3}}
    mixed = api("PUT", f"/v1/models/{name}/parameters?partial=1", shapes).expect(200).json()
    assert [row["pointer"] for row in mixed["skipped"]] == ["/parameters/bn.weight"]
    assert api.pull_binary(name)[COUNTER] == 3
    import_(api, name, {"fc.weight": np.float32([1])}, 422, "?partial=1")
    many = {f"x{index}": np.array(1, np.int64) for index in range(40)} | {"bn.weight": np.float32([6])}
    assert len(import_(api, name, many, query="?partial=1")["skipped"]) == 40


def test_part_of_a_file_much_larger_than_the_model(api: Api, name: str) -> None:
    """A small model imports its part of a large model's file; without `partial=1` such a body is too large."""
    api.create(name, definition(data=[0]))
    body = safetensors.numpy.save({"backbone": np.zeros(1_000_000, np.float32), "bn.weight": np.float32([5])})
    api("PUT", f"/v1/models/{name}/parameters", body, Content_Type=SAFETENSORS).expect(413)
    answer = api("PUT", f"/v1/models/{name}/parameters?partial=1", body, Content_Type=SAFETENSORS).expect(200).json()
    assert [row["pointer"] for row in answer["skipped"]] == ["/parameters/backbone"]
    assert api.pull_binary(name)["bn.weight"] == [5]
