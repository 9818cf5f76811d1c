"""Through a proxy that times out, cuts and refuses: what a wait costs, and what is said of whom."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from paramd import BadAnswer, Client, Model, ProxyAnswer
from proxy import Proxy, page, proxy
from support.daemon import Daemon


@pytest.fixture
def between(daemon: Daemon) -> Iterator[Proxy]:
    """A proxy in front of the daemon."""
    with proxy(daemon.port) as running:
        yield running


@pytest.fixture
def behind(between: Proxy, model: Model) -> Model:
    """The model, reached through the proxy."""
    through = Client(between.url).model(model.name)
    through.latest()
    return through


@pytest.mark.parametrize("cuts", [False, True])
def test_wait_has_one_budget(between: Proxy, behind: Model, cuts: bool) -> None:
    """Each 504 and each cut takes from it, and none begins it again; at the end there is nothing newer."""
    between.patience, between.cuts = 0.05, cuts
    assert behind.pull(since=1, wait=2) is None
    waits = between.waits()
    assert waits[0] == 2000
    assert waits == sorted(waits, reverse=True)
    assert 2 <= len(waits) <= 12


def test_wait_has_its_budget_at_first_contact(between: Proxy, model: Model) -> None:
    """A 504 to a wait tells nothing of the daemon: what answers at once at the end decides."""
    between.patience = 0.05
    assert Client(between.url).model(model.name).pull(since=1, wait=3) is None
    waits = between.waits()
    assert waits[0] == 3000 and len(waits) > 6


@pytest.mark.parametrize("cuts", [False, True])
def test_wait_goes_on_after_a_cut(between: Proxy, behind: Model, model: Model, cuts: bool) -> None:
    """What is published after the first cut is seen."""
    between.patience, between.cuts = 0.2, cuts

    def push_after_a_cut() -> None:
        while len(between.waits()) < 2:
            time.sleep(0.01)
        model.push({"w": [1, 0]})

    thread = threading.Thread(target=push_after_a_cut)
    thread.start()
    snapshot = behind.pull(since=1, wait=60)
    thread.join()
    assert snapshot is not None
    assert snapshot.version == 2


def test_long_wait_is_asked_for_in_parts(scripted: Callable) -> None:
    """Of less than a minute, which is what proxies allow, and less than the server's five."""
    pulled = b"HTTP/1.1 304 X\r\n\r\n"
    server = scripted(lambda _: pulled, lambda _: pulled, lambda _: b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(BadAnswer):
        Client(server.url).model("m").pull(since=1, wait=3600)
    assert [b"wait=50000ms" in request for request in server.requests] == [True] * 3


REFUSALS = {
    401: "USER:PASSWORD@HOST",
    403: "allow it there",
    404: "path in front",
    405: "PATCH and DELETE",
    413: "client_max_body_size",
    431: "large_client_header_buffers",
}


@pytest.mark.parametrize("status", REFUSALS)
def test_refusal_is_named_for_what_it_is(between: Proxy, status: int) -> None:
    """Whose it is, and the setting to change; it is not asked again."""
    between.answers = [status]
    with pytest.raises(ProxyAnswer, match=rf"{status} .*a proxy \(nginx/1.22.1\), not of paramd.*{REFUSALS[status]}"):
        Client(between.url).version()
    assert len(between.requests) == 1


@pytest.mark.parametrize(("status", "words"), [(502, "is paramd running"), (504, "proxy_read_timeout")])
def test_proxy_without_a_server_is_told_at_first_contact(between: Proxy, status: int, words: str) -> None:
    """As a refused connection is: a mistyped address does not come right by waiting."""
    between.answers = [status] * 1000
    began = time.monotonic()
    with pytest.raises(ProxyAnswer, match=words) as raised:
        Client(between.url).version()
    assert raised.value.status == status
    assert time.monotonic() - began < 20


def test_outage_behind_a_proxy_is_sat_out(between: Proxy, behind: Model) -> None:
    """A 502 comes from a server that starts again."""
    between.answers = [502, 503, 504]
    assert behind.push({"w": [1, 0]}).step == 1


def test_losses_of_threads_and_processes(between: Proxy, behind: Model) -> None:
    """A tenth of the answers and of the requests is lost, and every push is applied once."""
    between.loses_answers, between.loses_requests = 11, 13

    def push_some() -> None:
        for _ in range(20):
            behind.push({"w": [-1, 0]})

    context = multiprocessing.get_context("fork")
    children = [context.Process(target=push_some) for _ in range(2)]
    for child in children:
        child.start()
    with ThreadPoolExecutor(4) as pool:
        pushed = [pool.submit(push_some) for _ in range(4)]
        assert [each.result() for each in pushed] == [None] * 4
    for child in children:
        child.join()
    snapshot = behind.latest()
    assert [child.exitcode for child in children] == [0, 0]
    assert snapshot.step == 120
    np.testing.assert_array_equal(snapshot["w"], [60, 0])
    assert sorted(each["last_seq"] for each in behind.workers()) == [20, 20, 80]


def test_number_of_a_push_that_a_proxy_refused(between: Proxy, behind: Model) -> None:
    """The next push is fine, whether or not the first arrived."""
    behind.push({"w": [1, 0]})
    between.answers = [413]
    with pytest.raises(ProxyAnswer):
        behind.push({"w": [1, 0]})
    assert behind.push({"w": [1, 0]}).step == 2


def test_body_that_is_not_read_to_its_end(between: Proxy) -> None:
    """The refusal is read, though the connection breaks while the body is being sent."""
    between.longest_body = 1 << 20
    model = Client(between.url, timeout=20).model("large")
    with pytest.raises((ProxyAnswer, ConnectionError)):
        model.import_({"w": [0.0] * 3_000_000})


def test_redirect_says_where_to(scripted: Callable) -> None:
    """The address to use."""
    moved = page(301).replace(b"\r\n\r\n", b"\r\nLocation: https://x.example/\r\n\r\n", 1)
    with pytest.raises(ProxyAnswer, match=r"https://x\.example/"):
        Client(scripted(lambda _: moved).url).version()


def test_weakened_tag(scripted: Callable) -> None:
    """A proxy that compresses makes the tag weak; the server is asked with its own."""
    body = b"\x08\0\0\0\0\0\0\0{}      "
    head = b'HTTP/1.1 200 X\r\nETag: W/"a.1"\r\nX-Paramd-Step: 0\r\nX-Paramd-Version: 1\r\nContent-Length: 16\r\n\r\n'
    server = scripted(lambda _: head + body, lambda _: b"HTTP/1.1 304 X\r\n\r\n")
    model = Client(server.url).model("m")
    assert model.latest().etag == model.latest().etag == '"a.1"'
    assert b'If-None-Match: "a.1"\r\n' in server.requests[1]
