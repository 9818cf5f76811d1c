"""Numbers where integers are expected are exact and within their type, or refused by name, place and value."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest
from support.counters import COUNTER, NUMPY, definition
from support.wire import SAFETENSORS, Api


def of_bytes(dtype: str, shape: list[int], data: bytes, name: str = COUNTER) -> bytes:
    """A file with one tensor of any type and any bytes."""
    return of_entries([(name, dtype, shape, data)])


def of_entries(entries: list[tuple[str, str, list[int], bytes]]) -> bytes:
    """A file with tensors of any types and any bytes."""
    header, blob = {}, b""
    for name, dtype, shape, data in entries:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + blob


def put_file(api: Api, model: str, body: bytes, status: int, query: str = "") -> Any:
    """Sends a file unchanged with PUT."""
    answer = api("PUT", f"/v1/models/{model}/parameters{query}", body, Content_Type=SAFETENSORS)
    return answer.expect(status).json()


# The limits are those of two's complement; 2^24 + 1 is the first whole number that float32 lacks.
STRAYS = [
    ("I64", 2.5),
    ("I64", 2.0000000001),
    ("I64", 16777217.0),
    ("I64", 2.0**63),
    ("I64", -1e30),
    ("I32", 2.0**31),
    ("I16", 32768.0),
    ("I8", -129.0),
    ("U8", 256.0),
    ("U8", -1.0),
    ("BOOL", 2.0),
    ("BOOL", 0.5),
]


@pytest.mark.parametrize("form", ["F64", "b64", "data", "plain"])
@pytest.mark.parametrize(("dtype", "stray"), STRAYS)
def test_nothing_is_rounded_into_integers(api: Api, name: str, dtype: str, stray: float, form: str) -> None:
    """A float for an integer parameter must be a whole number that the type and float32 hold; others are 422."""
    shape = {"shape": [2, 2], "trainable": False, "dtype": dtype}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {COUNTER: {**shape, "init": "ones"}}})

    def put(last: float, status: int) -> Any:
        values = [1.0, 0.0, 1.0, last]
        if form == "F64":
            return put_file(api, name, of_bytes("F64", [2, 2], struct.pack("<4d", *values)), status)
        nested = [values[:2], values[2:]]
        encoded = base64.b64encode(struct.pack("<4d", *values)).decode()
        tensors = {
            "b64": {"b64": encoded, "dtype": "F64", "shape": [2, 2]},
            "data": {"data": nested, "dtype": "F64"},
            "plain": nested,
        }
        body = {"parameters": {COUNTER: tensors[form]}}
        return api("PUT", f"/v1/models/{name}/parameters", body).expect(status).json()

    refused = put(stray, 422)
    (error,) = refused["errors"]
    assert COUNTER in refused["detail"] and "[1,1]" in refused["detail"], refused
    assert float(error["got"]) == stray, refused
    assert "send" in refused["detail"] and "othing was applied" in refused["detail"]
    assert api.pull_binary(name)[COUNTER].tolist() == np.ones((2, 2), NUMPY[dtype]).tolist()
    put(1.0, 200)
    assert api.pull_binary(name)[COUNTER].tolist() == np.array([[1, 0], [1, 1]], NUMPY[dtype]).tolist()


@pytest.mark.parametrize("half", ["F16", "BF16", "F32"])
def test_short_floats_are_not_rounded_either(api: Api, name: str, half: str) -> None:
    """2.5 in 16 or 32 bits is 0x4100, 0x4020, 0x40200000."""
    api.create(name, definition(dtype="I64", data=[3]))
    data = {"F16": b"\x00\x41", "BF16": b"\x20\x40", "F32": b"\x00\x00\x20\x40"}[half]
    refused = put_file(api, name, of_bytes(half, [], data), 422)
    assert "2.5" in refused["detail"] and COUNTER in refused["detail"]
    assert api.pull_binary(name)[COUNTER] == 3


@pytest.mark.parametrize(("dtype", "held", "stray"), [("I8", -128, 300), ("U8", 255, -1), ("BOOL", 1, 2)])
@pytest.mark.parametrize("order", ["dtype first", "data first"])
def test_declared_types_are_kept(api: Api, name: str, dtype: str, held: int, stray: int, order: str) -> None:
    """JSON with a declared integer type must match that type, even for a float parameter."""
    api.create(name, definition(data=[5]))

    def put(value: float, status: int) -> Any:
        tensor: dict[str, Any] = {"dtype": dtype, "shape": [], "data": [value]}
        if order == "data first":
            tensor = dict(reversed(tensor.items()))
        return api("PUT", f"/v1/models/{name}/parameters", {"parameters": {COUNTER: tensor}}).expect(status).json()

    refused = put(stray, 422)
    assert dtype in refused["detail"] and str(stray) in refused["detail"] and COUNTER in refused["detail"]
    put(0.25, 422)
    put(1.00000000001, 422)
    assert api.pull_binary(name)[COUNTER] == 5
    put(held, 200)
    assert api.pull_binary(name)[COUNTER] == held
    put(1.0, 200)
    assert api.pull_binary(name)[COUNTER] == 1


@pytest.mark.parametrize("typed", [False, True])
def test_a_boolean_is_0_or_1(api: Api, name: str, typed: bool) -> None:
    """Other bytes are not a BOOL, whatever the parameter is; the same applies to base64."""
    counter = {"shape": [3], "init": "zeros", "trainable": False} | ({"dtype": "BOOL"} if typed else {})
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {COUNTER: counter}})
    refused = put_file(api, name, of_bytes("BOOL", [3], b"\x00\x07\x01"), 422)
    assert "contains 7 at [1]" in refused["detail"] and "send 0 or 1" in refused["detail"], refused
    tensor = {"dtype": "BOOL", "shape": [3], "b64": base64.b64encode(b"\x00\x07\x01").decode()}
    body = {"parameters": {COUNTER: tensor}}
    assert "contains 7 at [1]" in api("PUT", f"/v1/models/{name}/parameters", body).expect(422).json()["detail"]
    put_file(api, name, of_bytes("BOOL", [3], b"\x00\x01\x01"), 200)
    assert api.pull_binary(name)[COUNTER].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "counter",
    [
        {"dtype": "I64", "data": [1.00000000001]},
        {"data": [1.00000000001], "dtype": "I64"},
        {"dtype": "U8", "data": [-1]},
        {"data": [300], "dtype": "U8"},
        {"dtype": "BOOL", "b64": "Bw=="},
        {"b64": "Bw==", "dtype": "BOOL"},
    ],
)
def test_definitions_round_nothing(api: Api, name: str, counter: dict[str, Any]) -> None:
    """The rule also applies to first values, in either order of the keys."""
    detail = api("PUT", f"/v1/models/{name}", definition(**counter)).expect(422).json()["detail"]
    assert COUNTER in detail, detail
    api("GET", f"/v1/models/{name}").expect(404)


@pytest.mark.parametrize("counter", [{"data": [2.0], "dtype": "I64"}, {"dtype": "I8", "data": [2e0]}])
def test_whole_numbers_however_written(api: Api, name: str, counter: dict[str, Any]) -> None:
    """2.0 is an integer."""
    api.create(name, definition(**counter))
    assert api.pull_binary(name)[COUNTER] == 2


def test_a_file_of_a_model_holds_its_integers(api: Api, name: str) -> None:
    """A file with a valid checksum and a value that its type cannot hold creates no model."""
    api.create(name, definition(dtype="I64", data=[3]))
    identity = api("POST", f"/v1/models/{name}/checkpoints").expect(201).json()["id"]
    file = api.get(f"/v1/models/{name}/checkpoints/{identity}.safetensors").body
    head = json.loads(file[8 : 8 + struct.unpack("<Q", file[:8])[0]])
    del head["__metadata__"]["paramd.checksum"]
    offset = 8 + struct.unpack("<Q", file[:8])[0]
    start = head[COUNTER]["data_offsets"][0]
    data = bytearray(file[offset:])
    assert struct.unpack("<f", data[start : start + 4]) == (3,)
    data[start : start + 4] = struct.pack("<f", 2.5)
    text = json.dumps(head).encode()
    body = struct.pack("<Q", len(text)) + text + bytes(data)
    refused = api("PUT", f"/v1/models/{name}-copy", body, Content_Type=SAFETENSORS).expect(422).json()
    assert COUNTER in refused["detail"] and "2.5" in refused["detail"], refused
    api("GET", f"/v1/models/{name}-copy").expect(404)


@pytest.mark.parametrize("dtype", ["F4", "F6_E2M3", "F6_E3M2", "C64", "F8_E5M2", "C128", "NEW"])
def test_part_of_a_file_with_types_that_are_not_read(api: Api, name: str, dtype: str) -> None:
    """`partial=1` imports the other tensors and lists these with their type; without it the file is refused."""
    api.create(name, definition(data=[3]))
    size = {"F4": 1, "C64": 16, "F8_E5M2": 2, "C128": 32}.get(dtype, 2)
    file = of_entries(
        [
            ("quantized", dtype, [2], bytes(size)),
            ("bn.weight", "F32", [1], struct.pack("<f", 8)),
            (COUNTER, dtype, [2], bytes(size)),
        ]
    )
    api("PUT", f"/v1/models/{name}/parameters", file, Content_Type=SAFETENSORS).expect(
        422 if dtype in ("C64", "F8_E5M2") else 400
    )
    assert api.pull_binary(name)["bn.weight"] == [1]
    answer = put_file(api, name, file, 200, "?partial=1")
    reasons = {row["pointer"].rsplit("/", 1)[1]: row["detail"] for row in answer["skipped"]}
    assert set(reasons) == {"quantized", COUNTER}
    assert f"the dtype {dtype}" in reasons[COUNTER], reasons
    pulled = api.pull_binary(name)
    assert (pulled["bn.weight"], pulled[COUNTER]) == ([8], 3)
    damaged = file.replace(b'"data_offsets": [0', b'"data_offsets": [1')
    put_file(api, name, damaged, 400, "?partial=1")
