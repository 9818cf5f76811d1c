"""The daemon answers in every format of the contract, and an independent program reads each answer."""

from __future__ import annotations

import base64
import csv
import io
import json
import xml.etree.ElementTree
from collections.abc import Callable

import numpy as np
import pytest
import safetensors.numpy
from support.contract import CONTRACT, OPERATIONS, resolve
from support.wire import Answer, Api

VALUES = [1.0, -2.5, 0.25, 300.0]


def _of_json(answer: Answer) -> list[float]:
    return answer.json()["data"]


def _of_csv(answer: Answer) -> list[float]:
    head, *rows = csv.reader(io.StringIO(answer.body.decode()))
    assert head[0] == "step"
    return [float(row[1]) for row in rows]


def _of_plot(answer: Answer) -> list[float]:
    assert xml.etree.ElementTree.fromstring(answer.body).tag.endswith("svg")
    return [0.5]


def _of_text(answer: Answer) -> list[float]:
    assert "0.5" in answer.body.decode()
    return [0.5]


#: Media type -> the address of an answer, its reader, and its expected content.
ANSWERS: dict[str, tuple[str, Callable[[Answer], list[float]], list[float]]] = {
    "application/json": ("/parameters/w", _of_json, VALUES),
    "application/vnd.safetensors": ("/parameters/w", lambda it: list(it.tensors()["w"]), VALUES),
    "application/octet-stream": ("/parameters/w.npy", lambda it: list(np.load(io.BytesIO(it.body))), VALUES),
    "text/csv": ("/lr.csv?from=0&to=0", _of_csv, [0.5]),
    "image/svg+xml": ("/lr.svg?from=0&to=1", _of_plot, [0.5]),
    "text/plain": ("/lr.txt?from=0&to=1", _of_text, [0.5]),
    "text/html": ("/", lambda it: [float("<html" in it.body.decode())], [1.0]),
}

#: Element type of a pull -> how NumPy converts its bytes to float32.
ELEMENTS: dict[str, Callable[[bytes], np.ndarray]] = {
    "F32": lambda raw: np.frombuffer(raw, "<f4"),
    "F16": lambda raw: np.frombuffer(raw, "<f2").astype(np.float32),
    "BF16": lambda raw: (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32),
}


@pytest.fixture
def model(api: Api, name: str) -> str:
    """The address of a model whose values every element type holds exactly."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": VALUES}})
    return f"/v1/models/{name}"


def _answered() -> set[str]:
    responses = [response for method, path in OPERATIONS for response in _responses(method, path)]
    return {media for response in responses for media in response.get("content", ())}


def _responses(method: str, path: str) -> list[dict]:
    found = CONTRACT["paths"][path][method]["responses"]
    return [resolve(response) for status, response in found.items() if str(status).startswith("2")]


def test_every_format_has_a_case() -> None:
    """A format of answers, or an element type of pulls, that the contract has and this file lacks fails by its name."""
    # A stream of events never ends: its tests are in test_events.py.
    assert _answered() - {"text/event-stream"} == set(ANSWERS)
    dtype = CONTRACT["components"]["parameters"]["dtype"]["schema"]
    assert set(resolve(dtype)["enum"]) - {"FP32", "FP16"} == set(ELEMENTS)


@pytest.mark.parametrize("media", ANSWERS)
def test_answers(api: Api, model: str, media: str) -> None:
    """The values are the same in every format."""
    target, read, expected = ANSWERS[media]
    answer = api.get(target if target == "/" else model + target, Accept=media)
    assert answer.headers["content-type"].split(";")[0] == media
    assert read(answer) == expected


@pytest.mark.parametrize("dtype", ELEMENTS)
def test_elements(api: Api, model: str, dtype: str) -> None:
    """The bytes in safetensors and in base64 have the right length and the same values."""
    file = api.get(f"{model}/parameters.safetensors?dtype={dtype}").body
    length = int.from_bytes(file[:8], "little")
    head = json.loads(file[8 : 8 + length])
    begin, end = head["w"]["data_offsets"]
    assert head["w"]["dtype"] == dtype
    assert ELEMENTS[dtype](file[8 + length + begin : 8 + length + end]).tolist() == VALUES
    text = api.get(f"{model}/parameters/w?dtype={dtype}&encoding=b64").json()
    assert ELEMENTS[dtype](base64.b64decode(text["b64"])).tolist() == VALUES
    assert safetensors.numpy.load(api.get(f"{model}/parameters.safetensors").body)["w"].tolist() == VALUES
