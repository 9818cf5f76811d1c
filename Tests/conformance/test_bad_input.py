"""Bad input of every kind gets a 4xx that says what to change, and leaves the state unchanged byte for byte."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.wire import SAFETENSORS, Api, raw_socket, state_of

DEFINITION = {
    "optimizer": {"type": "momentum", "momentum": 0.9},
    "learning_rate": [0.5, 0.25, 0.125],
    "parameters": {"weight": [[1, 2], [3, 4]], "bias": [0, 0]},
}
GOOD = '"weight":[[1,1],[1,1]]'


@pytest.fixture
def model(api: Api, name: str) -> str:
    """A model that has made a step, so that it has slots to protect."""
    api.create(name, DEFINITION)
    api.push(name, {"weight": [[1, 1], [1, 1]], "bias": [1, 1]}, worker="w1", seq=1)
    return name


def refused(api: Api, model: str, body: bytes, statuses: set[int], content_type: str = "application/json") -> Any:
    """Pushes bytes that must be refused, checks that the state is unchanged, and returns the problem document."""
    before = state_of(api, model)
    answer = api("POST", f"/v1/models/{model}/gradients", body, Content_Type=content_type)
    assert answer.status in statuses, f"{answer.status}: {answer.body[:500]!r}"
    assert state_of(api, model) == before
    return answer.json()


NOT_JSON = {
    "truncated": '{"gradients":{"weight":[[1,1],[1,',
    "trailing comma": '{"gradients":{"bias":[1,1,]}}',
    "NaN": '{"gradients":{"bias":[NaN,1]}}',
    "Infinity": '{"gradients":{"bias":[1,-Infinity]}}',
    "leading zero": '{"gradients":{"bias":[01,1]}}',
    "plus sign": '{"gradients":{"bias":[+1,1]}}',
    "bare point": '{"gradients":{"bias":[.5,1]}}',
    "hexadecimal": '{"gradients":{"bias":[0x1,1]}}',
    "single quotes": "{'gradients':{}}",
    "two documents": '{"gradients":{"bias":[1,1]}} {}',
    "nothing": "",
    "duplicate name": '{"gradients":{"bias":[1,1],"bias":[1,1]}}',
    "duplicate field": '{"gradients":{"bias":[1,1]},"seq":1,"seq":2}',
    "NUL after a number": '{"gradients":{"bias":[1\0,1]}}',
    "bad UTF-8": b'{"gradients":{"b\xff":[1,1]}}',
    "lone surrogate": '{"gradients":{"\\ud800":[1,1]}}',
    "deep": '{"gradients":{"bias":' + "[" * 100_000 + "}}",
}


@pytest.mark.parametrize("kind", NOT_JSON)
def test_not_json(api: Api, model: str, kind: str) -> None:
    """Text that is not JSON is 400."""
    text = NOT_JSON[kind]
    problem = refused(api, model, text if isinstance(text, bytes) else text.encode(), {400})
    assert problem["detail"]


def test_malformed_json_names_line_and_column(api: Api, model: str) -> None:
    """The problem names the line and the column."""
    body = b'{\n  "gradients": {\n    "bias": [1, oops]\n  }\n}'
    detail = refused(api, model, body, {400})["detail"]
    assert "line 3" in detail and "column" in detail


NOT_A_PUSH = {
    "beyond float32": '{"gradients":{"bias":[1e39,1]}}',
    "beyond float64": '{"gradients":{"bias":[1e400,1]}}',
    "true for a number": '{"gradients":{"bias":[true,1]}}',
    "null for a number": '{"gradients":{"bias":[null,1]}}',
    "string for a number": '{"gradients":{"bias":["1",1]}}',
    "string for a tensor": '{"gradients":{"bias":"1,1"}}',
    "null for a tensor": '{"gradients":{"bias":null}}',
    "wrong length": '{"gradients":{"bias":[1,1,1]}}',
    "wrong rank": '{"gradients":{"bias":[[1,1]]}}',
    "ragged": '{"gradients":{"weight":[[1,1],[1]]}}',
    "transposed shape": '{"gradients":{"weight":{"shape":[4,1],"data":[1,1,1,1]}}}',
    "data short of shape": '{"gradients":{"weight":{"shape":[2,2],"data":[1,1,1]}}}',
    "negative shape": '{"gradients":{"weight":{"shape":[-2,-2],"data":[1,1,1,1]}}}',
    "overflowing shape": '{"gradients":{"weight":{"shape":[4294967296,4294967296],"data":[1]}}}',
    "unknown name": '{"gradients":{"wieght":[[1,1],[1,1]]}}',
    "unknown field": '{"gradients":{"bias":[1,1]},"sequence":3}',
    "unknown tensor field": '{"gradients":{"bias":{"shape":[2],"data":[1,1],"dat":[]}}}',
    "bad base64": '{"gradients":{"bias":{"dtype":"F32","shape":[2],"b64":"AAA"}}}',
    "base64 too short": '{"gradients":{"bias":{"dtype":"F32","shape":[2],"b64":"AAAAAA=="}}}',
    "base64 NaN": '{"gradients":{"bias":{"dtype":"F32","shape":[2],"b64":"AADAfwAAwH8="}}}',
    "unknown dtype": '{"gradients":{"bias":{"dtype":"F8","shape":[2],"b64":"AAA="}}}',
    "no gradients": "{}",
    "empty gradients": '{"gradients":{}}',
    "an array": "[]",
    "a number": "1",
    "a string": '"gradients"',
    "one bad among good": '{"gradients":{"weight":[[1,1],[1,1]],"bias":[1e39,1]}}',
    "indices out of range": '{"gradients":{"weight":{"indices":[2],"values":[[1,1]]}}}',
}


@pytest.mark.parametrize("kind", NOT_A_PUSH)
def test_not_a_push(api: Api, model: str, kind: str) -> None:
    """A body that is not a push is 422 with a pointer, or 400 if a number is not valid JSON."""
    problem = refused(api, model, NOT_A_PUSH[kind].encode(), {422})
    assert problem["detail"]


def test_nearest_name_shape_and_pointer(api: Api, model: str) -> None:
    """The problem suggests the nearest name, and names the tensor with its expected and actual shape."""
    assert "weight" in refused(api, model, b'{"gradients":{"wieght":[[1,1],[1,1]]}}', {422})["detail"]
    error = refused(api, model, b'{"gradients":{"bias":[1,1,1]}}', {422})["errors"][0]
    assert (error["pointer"], error["expected"], error["got"]) == ("/gradients/bias", [2], [3])


def test_unknown_field_names_the_nearest(api: Api, model: str) -> None:
    """`sequence` suggests `seq`."""
    assert "loss" in refused(api, model, b'{"gradients":{"bias":[1,1]},"los":3}', {422})["detail"]


def header(text: str, data: bytes = b"") -> bytes:
    """A safetensors file with an arbitrary header."""
    return struct.pack("<Q", len(text)) + text.encode() + data


NOT_SAFETENSORS = {
    "empty": b"",
    "short": b"\x08\0\0\0",
    "length of 2^63": struct.pack("<Q", 2**63) + b"{}",
    "header is not JSON": header("{nope}"),
    "gap": header('{"bias":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', bytes(12)),
    "trailing bytes": header('{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(9)),
    "cut data": header('{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(7)),
    "offsets against shape": header('{"bias":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', bytes(8)),
    "overflowing shape": header(
        '{"bias":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}', bytes(8)
    ),
    "integers": safetensors.numpy.save({"bias": np.array([1, 1], dtype=np.int32)}),
    "NaN": safetensors.numpy.save({"bias": np.float32([np.nan, 1])}),
    "infinity after good": safetensors.numpy.save(
        {"bias": np.float32([1, 1]), "weight": np.float32([[1, 1], [1, np.inf]])}
    ),
    "F64 beyond float32": safetensors.numpy.save({"bias": np.array([1e39, 1])}),
    "unknown name": safetensors.numpy.save({"bais": np.float32([1, 1])}),
    "wrong shape": safetensors.numpy.save({"bias": np.float32([[1, 1]])}),
}


@pytest.mark.parametrize("kind", NOT_SAFETENSORS)
def test_not_safetensors(api: Api, model: str, kind: str) -> None:
    """The daemon checks the binary form as strictly as the text."""
    refused(api, model, NOT_SAFETENSORS[kind], {400, 422}, SAFETENSORS)


NOT_A_DEFINITION: dict[str, tuple[Any, str | None]] = {
    "unknown optimizer": ({"optimizer": "sdg"}, None),
    "unknown key": ({"learning_rat": 0.1}, "KeyError"),
    "unknown group key": ({"groups": [{"params": ["*"], "learning_rate": 1}]}, "KeyError"),
    "negative rate": ({"learning_rate": -0.1}, "ValueError"),
    "true for a rate": ({"learning_rate": True}, "TypeError"),
    "text for a rate": ({"learning_rate": "0.1"}, "ValueError"),
    "null for a rate": ({"learning_rate": None}, "TypeError"),
    "matrix for a rate": ({"learning_rate": [[0.1]]}, None),
    "negative decay": ({"weight_decay": -1}, "ValueError"),
    "zero loss scale": ({"loss_scale": 0}, "ValueError"),
    "text for a loss scale": ({"loss_scale": "1"}, "TypeError"),
    "no momentum": ({"optimizer": "momentum"}, "TypeError"),
    "thor": ({"optimizer": "thor"}, None),
    "GPU": ({"target": "GPU"}, None),
    "no parameters": ({"parameters": {}}, "ValueError"),
    "bad parameter name": ({"parameters": {"a#b": [1]}}, None),
    "parameter twice": ({"groups": [{"params": ["weight", "bias"]}, {"params": ["bias"]}]}, "RuntimeError"),
    "unknown name in a group": ({"groups": [{"params": ["weight", "bias", "gamma"]}]}, "ValueError"),
    "empty group": ({"groups": [{"params": ["*"]}, {"params": []}]}, "ValueError"),
    "group without params": ({"groups": [{"lr": 0.1}]}, "KeyError"),
    "arrays of two lengths": ({"groups": [{"params": ["*"], "lr": [0.1, 0.2]}]}, "ValueError"),
    "unknown schedule": ({"learning_rate": {"schedule": "cosine_deccay"}}, None),
    "loss scale twice": ({"loss_scale": 2, "loss_scaling": {"type": "fixed", "loss_scale": 128}}, None),
}


@pytest.mark.parametrize("kind", NOT_A_DEFINITION)
def test_not_a_definition(api: Api, name: str, kind: str) -> None:
    """An invalid definition is 422 with MindSpore's error class, if there is one, and creates no model."""
    change, exception = NOT_A_DEFINITION[kind]
    problem = api("PUT", f"/v1/models/{name}", {**DEFINITION, **change}).expect(422).json()
    assert exception is None or problem["exception"] == exception
    api("GET", f"/v1/models/{name}").expect(404)


@pytest.mark.parametrize("kind", NOT_A_DEFINITION)
def test_not_a_definition_of_what_exists(api: Api, model: str, kind: str) -> None:
    """The mistake in the definition is reported before its difference from the existing model of that name."""
    change, exception = NOT_A_DEFINITION[kind]
    problem = api("PUT", f"/v1/models/{model}", {**DEFINITION, **change}).expect(422).json()
    assert exception is None or problem["exception"] == exception


BEYOND = {
    "rate beyond float32": ('{"optimizer":"sgd","learning_rate":1e39,"parameters":{"w":[0]}}', "too large for float32"),
    "rate beyond float64": ('{"optimizer":"sgd","learning_rate":1e400,"parameters":{"w":[0]}}', "64-bit float"),
    "entry beyond float64": ('{"optimizer":"sgd","learning_rate":[1e400],"parameters":{"w":[0]}}', "64-bit float"),
}


@pytest.mark.parametrize("kind", BEYOND)
def test_numbers_beyond(api: Api, name: str, kind: str) -> None:
    """The number is valid JSON, so the answer is 422, and the sentence says what is wrong with it."""
    text, words = BEYOND[kind]
    answer = api("PUT", f"/v1/models/{name}", text.encode(), Content_Type="application/json").expect(422).json()
    assert words in answer["detail"] and "not JSON" not in answer["detail"]


def test_loss_beyond_float64(api: Api, model: str) -> None:
    """The same applies to the loss of a push."""
    assert "Line 1" in refused(api, model, b'{"gradients":{"bias":[1,1]},"loss":1e400}', {422})["detail"]


SCHEDULES = [
    ({"schedule": "cosine_decay_lr", "min_lr": 0.1, "max_lr": 1, "decay_step": 9}, "decay_step", "`decay_steps`"),
    ({"schedule": "warm_up_lr", "learning_rat": 0.1, "warmup_steps": 9}, "learning_rat", "`learning_rate`"),
    ({"schedule": "cosine_decay_lr", "max_lr": 1, "decay_steps": 9}, "min_lr", "needs `min_lr`"),
    ({"schedule": "cosine_decay_lr", "min_lr": 0.1, "max_lr": 1}, "decay_steps", "needs `decay_steps`"),
]


@pytest.mark.parametrize(("schedule", "key", "words"), SCHEDULES)
def test_misspelt_argument_of_a_schedule(api: Api, name: str, schedule: Any, key: str, words: str) -> None:
    """The problem names the unknown key and the nearest one, not only the missing argument."""
    problem = api("PUT", f"/v1/models/{name}", {**DEFINITION, "learning_rate": schedule}).expect(422).json()
    assert problem["exception"] == "TypeError" and words in problem["detail"]
    assert problem["errors"][0]["pointer"] == f"/learning_rate/{key}"


@pytest.mark.parametrize(("given", "wanted"), [("momentun", "momentum"), ("ADAMM", "adam"), ("sdg", "sgd")])
def test_nearest_optimizer(api: Api, name: str, given: str, wanted: str) -> None:
    """The answer to an unknown type suggests the nearest one."""
    problem = api("PUT", f"/v1/models/{name}", {"optimizer": given, "parameters": {"w": [0]}}).expect(422).json()
    assert wanted in problem["detail"].lower()


@pytest.mark.parametrize(
    "patch", [{"learning_rate": -1}, {"learning_rate": True}, {"optimiser": "sgd"}, {"parameters": {"w": [0]}}, []]
)
def test_bad_patch(api: Api, model: str, patch: Any) -> None:
    """An invalid patch is refused as a whole."""
    before = state_of(api, model)
    answer = api("PATCH", f"/v1/models/{model}", patch)
    assert 400 <= answer.status < 500
    assert state_of(api, model) == before


@pytest.mark.parametrize("sent", [0, 1, 20])
def test_client_that_leaves_in_mid_body(api: Api, model: str, sent: int) -> None:
    """A push whose body never ends is not applied."""
    before, body = state_of(api, model), json.dumps({"gradients": {"bias": [1, 1]}}).encode()
    with raw_socket(api) as connection:
        head = f"POST /v1/models/{model}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:sent])
    time.sleep(0.1)
    assert state_of(api, model) == before
    api.push(model, {"bias": [1, 1]})


def test_body_longer_than_it_said(api: Api, model: str) -> None:
    """The bytes beyond Content-Length are not part of the push."""
    before = state_of(api, model)
    with raw_socket(api) as connection:
        head = f"POST /v1/models/{model}/gradients HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
        connection.sendall(head.encode() + b'{"gradients":{"bias":[1,1]}}')
        connection.recv(65536)
    assert state_of(api, model) == before
