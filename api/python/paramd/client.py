"""The way in: an address, and the models behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from . import definitions
from .model import Model
from .transport import Transport


class Client:
    """A connection to one paramd.

    >>> model = Client("http://127.0.0.1:8470").model("demo")
    >>> model.create({"w": [0, 0]}, "sgd", learning_rate=[0.5, 0.25, 0.1])
    >>> model.push({"w": [1, -2]}).lr
    {'default': 0.5}

    `timeout` is how many seconds one answer may take, on top of what the request asks the server to wait; `retries`
    how often a request is repeated when no answer comes or the server is busy. A server that asks for a longer pause
    than `timeout` is not asked again. One client serves one thread.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8470", token: str | None = None, *, timeout: float = 30, retries: int = 8
    ) -> None:
        self._transport = Transport(url, token, timeout, retries)

    def model(self, name: str, *, worker: str | None = None) -> Model:
        """A model by name, whether it exists yet or not; `worker` names this process in receipts and leases."""
        return Model(self._transport, name, worker)

    def models(self, prefix: str = "") -> Iterator[dict[str, Any]]:
        """What is there, page by page."""
        token = ""
        while True:
            query = urlencode({"prefix": prefix, **({"page_token": token} if token else {})})
            page = self._transport.send("GET", f"/v1/models?{query}").json()
            yield from page["models"]
            token = page.get("next_page_token", "")
            if not token:
                return

    def lr_preview(self, learning_rate: Any, steps: range) -> list[float]:
        """The values of a learning-rate definition, without a model."""
        body = definitions.dump({"learning_rate": learning_rate, **definitions.ends(steps)})
        answer = self._transport.send("POST", "/v1/lr_preview", body, {"Content-Type": "application/json"})
        return list(answer.json()["lr"])

    def version(self) -> dict[str, Any]:
        """What the server says about itself."""
        return self._transport.send("GET", "/version").json()

    def close(self) -> None:
        """Closes the connection; the client may still be used, and then opens another."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
