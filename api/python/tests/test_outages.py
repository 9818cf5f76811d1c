"""Servers that are away or busy: how long they are asked again, and what is told meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from answers import REGISTERED, answer, refusal
from paramd import Client, Unavailable, Unreachable


def test_nobody_there() -> None:
    """A sentence with the address, within two seconds: a mistyped one does not come right by waiting."""
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 "):
        Client("http://127.0.0.1:1").version()
    assert time.monotonic() - began < 20


def test_outage_after_the_first_contact_is_sat_out(scripted: Callable) -> None:
    """The server is away for longer than a first contact is tried, and comes back."""
    version = answer(200, {"version": "1"}, "Connection: close")
    server = scripted(version)
    client = Client(server.url)
    client.version()
    threading.Timer(1.5, scripted, [version], {"port": server.port}).start()
    assert client.version() == {"version": "1"}


def test_first_contact_is_tried_as_long_as_one_asks_for(scripted: Callable) -> None:
    """The server may be started after the worker."""
    port = scripted(answer(200, {}, "Connection: close")).port
    Client(f"http://127.0.0.1:{port}").version()
    threading.Timer(1.5, scripted, [answer(200, {"version": "1"})], {"port": port}).start()
    assert Client(f"http://127.0.0.1:{port}", retry_for=100).version() == {"version": "1"}


def test_silence_at_first_contact_is_waited_for_once(scripted: Callable) -> None:
    """The time of the first try counts."""
    server = scripted(lambda _: time.sleep(1.2), answer(200, {}))
    with pytest.raises(Unreachable, match=r"timed out after 1\.1 s"):
        Client(server.url, timeout=1.1).version()
    assert len(server.requests) == 1


def test_threads_that_queue_sit_out_one_outage(scripted: Callable) -> None:
    """And not one after another, each for as long again."""
    server = scripted(REGISTERED, *[refusal(503, "stopping", "Retry-After: 0")] * 1000)
    model = Client(server.url, retry_for=1).model("m")
    model.register()
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        pushes = [pool.submit(model.push, {"w": [1]}) for _ in range(16)]
        assert all(isinstance(push.exception(), Unavailable) for push in pushes)
    assert time.monotonic() - began < 10


def test_connection_that_ended_while_idle_is_not_used(scripted: Callable) -> None:
    """Its end is not an outage, and nothing is lost on it."""
    server = scripted(answer(200, {"n": 1}, "X-Then: close"), answer(200, {"n": 2}))
    client = Client(server.url, retry_for=0)
    assert client.version() == {"n": 1}
    assert server.has_closed.wait(20)
    assert client.version() == {"n": 2}


def test_outage_is_told(scripted: Callable, caplog: pytest.LogCaptureFixture) -> None:
    """A line in the log when it lasts, and one when it is over."""
    server = scripted(*[refusal(503, "stopping", "Retry-After: 1")] * 3, answer(200, {}))
    Client(server.url).version()
    assert [("trying again for up to 300 s" in line, "answers again" in line) for line in caplog.messages] == [
        (True, False),
        (False, True),
    ]


def test_interrupted_request_leaves_its_answer_to_nobody(scripted: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between request and answer: the next request must not get the answer to this one."""
    server = scripted(answer(200, {"n": 1}), answer(200, {"n": 2}), answer(200, {"n": 3}))
    client = Client(server.url)
    client.version()

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("http.client.HTTPConnection.getresponse", interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.version()
    assert client.version() == {"n": 3}


def test_patience_ends(scripted: Callable) -> None:
    """The last refusal is raised, not a bare time-out."""
    server = scripted(*[refusal(503, "stopping", "Retry-After: 0")] * 100)
    with pytest.raises(Unavailable, match="Do this"):
        Client(server.url, retry_for=0.2).version()
    assert len(server.requests) > 1


def test_longer_pause_than_the_timeout_is_left_to_the_caller(scripted: Callable) -> None:
    """A full server may ask for a minute, which is longer than the client retries a busy server."""
    server = scripted(refusal(429, "too-many", "Retry-After: 60"), answer(200, {}))
    with pytest.raises(Unavailable, match="Do this"):
        Client(server.url).version()
    assert len(server.requests) == 1


def test_pause_is_not_kept_after_the_last_try(scripted: Callable) -> None:
    """Nothing follows it."""
    server = scripted(refusal(503, "stopping", "Retry-After: 301"))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        Client(server.url).version()
    assert time.monotonic() - began < 10


def test_model_that_is_not_served_is_told_at_once(scripted: Callable) -> None:
    """It lasts until another daemon is started; no worker waits for it silently."""
    server = scripted(*[refusal(503, "model-unavailable")] * 100)
    with pytest.raises(Unavailable, match="Do this"):
        Client(server.url, retry_for=60).model("m").pull()
    assert len(server.requests) == 1
