"""The way in: an address, and the models behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from . import definitions
from .model import Model
from .transport import Transport


class Client:
    """The way to one paramd.

    >>> model = Client("http://127.0.0.1:8470").model("demo")
    >>> model.create({"w": [0, 0]}, "sgd", learning_rate=[0.5, 0.25, 0.1])
    >>> model.push({"w": [1, -2]}).lr
    {'default': 0.5}

    `timeout` is how many seconds one answer may take, on top of what the request asks the server to wait. A server
    that does not answer at first is told within two seconds; one that has answered before may be away for 300 seconds,
    and one that is busy or full for `timeout`, before it is. `retry_for` sets all three, for a server that is yet to
    start or a longer outage. `cafile` holds the certificates that an https:// address is trusted by, if the system's
    do not. Any number of threads may use one client; a forked or spawned process has connections of its own.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8470",
        token: str | None = None,
        *,
        timeout: float = 30,
        retry_for: float | None = None,
        cafile: str | os.PathLike[str] | None = None,
    ) -> None:
        self._transport = Transport(url, token, timeout=timeout, retry_for=retry_for, cafile=cafile)

    def __repr__(self) -> str:
        return f"Client({str(self._transport.address)!r})"

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
        """Closes the connections; the client may still be used, and then opens others."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
