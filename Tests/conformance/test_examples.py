"""The exchanges under api/examples happen as they are written there."""

from __future__ import annotations

from collections.abc import Callable

from support import examples
from support.daemon import Daemon
from support.wire import Api


def test_exchanges(start: Callable[..., Daemon]) -> None:
    """In order, against a fresh daemon: status, headers and body to the letter."""
    daemon = start()
    api, uids = Api(daemon.host, daemon.port), dict[str, str]()
    assert len(examples.requests()) >= 20
    for path in examples.requests():
        assert examples.send(api, path, uids) == path.with_suffix(".response").read_bytes().decode(), path.name
