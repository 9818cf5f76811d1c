"""A model's address and the requests to it, common to the parts of `Model`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from . import definitions
from .connections import Answer
from .transport import Transport

SAFETENSORS = "application/vnd.safetensors"
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,128}")
Query = Iterable[tuple[str, object]]


class Resource:
    """A model by its name, independent of the content of requests."""

    def __init__(self, transport: Transport, name: str) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"a model's name must be 1 to 128 of the characters A-Z a-z 0-9 _ . -, not {name!r}")
        self.name = name
        self._transport = transport
        # The daemon keeps answers per prefix of keys, so that programs do not displace each other's.
        self._keys = secrets.token_hex(6)

    def _target(self, path: str, query: Query = ()) -> str:
        pairs = [(key, str(value)) for key, value in query]
        return f"/v1/models/{quote(self.name, safe='')}{path}" + (f"?{urlencode(pairs)}" if pairs else "")

    def _get(self, path: str, query: Query = (), headers: Mapping[str, str] | None = None) -> Answer:
        return self._transport.send("GET", self._target(path, query), None, headers)

    def _change(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json", query: Query = ()
    ) -> Answer:
        """A write with its own key: it is executed once, even if it is sent again after a lost answer."""
        headers = {"Idempotency-Key": f"{self._keys}-{secrets.token_hex(12)}"} | (
            {} if body is None else {"Content-Type": kind}
        )
        return self._transport.send(method, self._target(path, query), body, headers)

    def _change_by_json(self, method: str, path: str, body: Any, query: Query = ()) -> dict[str, Any]:
        return self._change(method, path, definitions.dump(body), query=query).json()
