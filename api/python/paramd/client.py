"""The entry point: a server's address, and its models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from . import definitions
from .following import Event, follow
from .model import Model
from .transport import Transport


class Client:
    """A client of one paramd server.

    >>> model = Client("http://127.0.0.1:8470").model("demo")
    >>> model.create({"w": [0, 0]}, "sgd", learning_rate=[0.5, 0.25, 0.1])
    >>> model.push({"w": [1, -2]}).lr
    {'default': 0.5}

    `timeout` is the number of seconds that one answer may take, in addition to the wait that the request asks for. A
    server that never answered is reported within two seconds, an outage after 300 seconds, a busy or full server after
    `timeout`. `retry_for` sets all three, for a server that starts later or a longer outage. `cafile` contains the
    certificates for an https:// address if the system's do not suffice. Any number of threads may use one client; a
    forked or spawned process has its own connections.
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
        """A model by name, which need not exist yet; `worker` names this process in receipts and leases."""
        return Model(self._transport, name, worker)

    def models(self, prefix: str = "") -> Iterator[dict[str, Any]]:
        """The models, page by page."""
        token = ""
        while True:
            query = urlencode({"prefix": prefix, **({"page_token": token} if token else {})})
            page = self._transport.send("GET", f"/v1/models?{query}").json()
            yield from page["models"]
            token = page.get("next_page_token", "")
            if not token:
                return

    def events(self, *kinds: str, after: Event | str | None = None) -> Iterator[Event]:
        """The events of all models from now on, or after an earlier event of this daemon."""
        return follow(self._transport, "/v1/events", kinds, after)

    def lr_preview(self, learning_rate: Any, steps: range) -> list[float]:
        """The values of a learning-rate definition, without a model."""
        body = definitions.dump({"learning_rate": learning_rate, **definitions.ends(steps)})
        answer = self._transport.send("POST", "/v1/lr_preview", body, {"Content-Type": "application/json"})
        return list(answer.json()["lr"])

    def version(self) -> dict[str, Any]:
        """Information about the server."""
        return self._transport.send("GET", "/version").json()

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
