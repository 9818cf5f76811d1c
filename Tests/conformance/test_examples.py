"""The exchanges under api/examples still happen as recorded."""

from __future__ import annotations

from collections.abc import Callable

from support import examples
from support.daemon import Daemon
from support.wire import Api


def test_exchanges(start: Callable[..., Daemon]) -> None:
    """Sent in order to a new daemon, they match in status, headers and body, character by character."""
    daemon = start()
    api, uids = Api(daemon.host, daemon.port), dict[str, str]()
    assert len(examples.requests()) >= 20
    for path in examples.requests():
        assert examples.send(api, path, uids) == path.with_suffix(".response").read_bytes().decode(), path.name
