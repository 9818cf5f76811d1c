"""A plain HTTP client for tests: it retries nothing, hides nothing, and keeps every answer unchanged."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.numpy

SAFETENSORS = "application/vnd.safetensors"


@dataclass
class Answer:
    """Status, headers with names in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Parses the body as JSON; NaN and Infinity, which are not JSON, fail."""
        return json.loads(self.body, parse_constant=_refuse_constant)

    def tensors(self) -> dict[str, np.ndarray]:
        """Reads the body with the safetensors package and not with code of this project."""
        return safetensors.numpy.load(self.body)

    def expect(self, status: int) -> Answer:
        """Fails with the whole answer in the message unless the status matches."""
        assert self.status == status, f"wanted {status}, got {self.status}: {self.body[:1000]!r}"
        return self


class Api:
    """Requests over one kept-alive connection; `api("GET", "/livez")`."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._connection: http.client.HTTPConnection | None = None

    def __call__(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """Sends bytes as they are and anything else as JSON; `Content_Type="..."` sets a header."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body, named = json.dumps(body).encode(), {"Content-Type": "application/json", **named}
        return self._exchange(method, target, body, named)

    def _exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = self._connection or http.client.HTTPConnection(self.host, self.port, timeout=90)
        self._connection = None
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        if not response.will_close:
            self._connection = connection
        else:
            connection.close()
        return answer

    def get(self, target: str, **headers: str) -> Answer:
        """Sends a GET that must succeed."""
        return self("GET", target, **headers).expect(200)

    def create(self, model: str, definition: Any, status: int = 201) -> Answer:
        """Creates a model with PUT."""
        return self("PUT", f"/v1/models/{model}", definition).expect(status)

    def push(self, model: str, gradients: Mapping[str, Any], status: int = 200, **fields: Any) -> Answer:
        """Posts gradients as JSON, with further fields of the push beside them."""
        body = {"gradients": {name: as_json(value) for name, value in gradients.items()}, **fields}
        return self("POST", f"/v1/models/{model}/gradients", body).expect(status)

    def push_binary(self, model: str, tensors: Mapping[str, np.ndarray], query: str = "", **headers: str) -> Answer:
        """Posts gradients as safetensors."""
        body = safetensors.numpy.save({name: np.ascontiguousarray(value) for name, value in tensors.items()})
        return self("POST", f"/v1/models/{model}/gradients{query}", body, Content_Type=SAFETENSORS, **headers)

    def pull(self, model: str, query: str = "") -> dict[str, np.ndarray]:
        """Pulls the parameters as JSON and returns float32 arrays."""
        parameters = self.get(f"/v1/models/{model}/parameters{query}").json()["parameters"]
        return {name: from_json(tensor) for name, tensor in parameters.items()}

    def pull_binary(self, model: str) -> dict[str, np.ndarray]:
        """Pulls the parameters as safetensors."""
        return self.get(f"/v1/models/{model}/parameters.safetensors").tensors()

    def close(self) -> None:
        """Closes the persistent connection."""
        if self._connection:
            self._connection.close()
            self._connection = None


def as_json(value: Any) -> Any:
    """Converts an array to the flat form and leaves everything else unchanged."""
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "data": [float(x) for x in value.reshape(-1)]}
    return value


def from_json(tensor: Mapping[str, Any]) -> np.ndarray:
    """Converts the flat form of every answer to a float32 array."""
    return np.array(tensor["data"], dtype=np.float32).reshape(tensor["shape"])


def state_of(api: Api, model: str) -> dict[str, bytes]:
    """Reads everything about a model, byte for byte: a refused request must change none of it."""
    views = ("", "/parameters", "/parameters.safetensors", "/state.safetensors", "/groups", "/lr", "/weight_decay")
    return {view: api("GET", f"/v1/models/{model}{view}").body for view in views}


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits at most a minute for a condition that the daemon meets on its own."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def waiting(api: Api) -> int:
    """The number of requests that wait for their answers.

    A network thread counts at the end of each of its turns, and there is one for each core. New connections are dealt
    to them in turn, so that after one to each of them none has an earlier count.
    """
    for _ in range((os.cpu_count() or 1) + 1):
        with closing(Api(api.host, api.port)) as own:
            count: int = own.get("/v1/server").json()["network"]["waiting"]
    return count


def until_waiting(api: Api, count: int) -> None:
    """Returns when at least this many requests wait for their answers, or after 20 s."""
    deadline = time.monotonic() + 20
    while waiting(api) < count and time.monotonic() < deadline:
        time.sleep(0.01)


@contextmanager
def raw_socket(api: Api) -> Iterator[socket.socket]:
    """A bare TCP connection, for requests that no well-behaved client sends."""
    with socket.create_connection((api.host, api.port), timeout=20) as connection:
        yield connection


def raw_answer(connection: socket.socket) -> Answer:
    """Reads one response from a bare connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


def _refuse_constant(text: str) -> float:
    raise AssertionError(f"{text} is not JSON")
