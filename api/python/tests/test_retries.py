"""Broken connections and busy servers: what is sent again, under which key, and what is raised at last."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from answers import RECEIPT, REGISTERED, answer, drop, refusal
from paramd import BadAnswer, Client, Fenced, Invalid, Problem, Unreachable


def keys(requests: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Epoch and seq of each push."""
    heads = [request for request in requests if b"/gradients" in request]
    return [re.findall(rb"X-Paramd-(?:Epoch|Seq): (\d+)", head) for head in heads]


def test_lost_answer_is_asked_for_under_the_same_key(scripted: Callable) -> None:
    """The server may have applied it: another seq would apply it twice."""
    server = scripted(REGISTERED, drop, drop, answer(200, {**RECEIPT, "replayed": True}), answer(200, RECEIPT))
    model = Client(server.url).model("m")
    assert model.push({"w": [1]}).replayed
    model.push({"w": [1]})
    assert keys(server.requests) == [[b"3", b"1"]] * 3 + [[b"3", b"2"]]


def test_retry_is_the_same_request(scripted: Callable) -> None:
    """The server compares the whole body, so neither the step nor the loss may be read again."""
    server = scripted(REGISTERED, drop, refusal(503, "busy", "Retry-After: 0"), answer(200, RECEIPT))
    facts = {"based_on": 3, "loss": 0.5, "metrics": {"acc": 1}, "num_examples": 4}
    Client(server.url).model("m").push({"w": [1]}, hyperparameters={"learning_rate": 0.5}, **facts)
    pushes = [request for request in server.requests if b"/gradients" in request]
    assert len(pushes) == 3 and len(set(pushes)) == 1
    for part in (b"X-Paramd-Based-On: 3", b"X-Paramd-Loss: 0.5", b"X-Paramd-Num-Examples: 4", b"acc", b"learning_rate"):
        assert part in pushes[0]


def test_refused_push_gives_its_number_back(scripted: Callable) -> None:
    """A seq is used up by a push that was applied, or whose fate is unknown, and by no other."""
    server = scripted(REGISTERED, refusal(422, "wrong-shape"), answer(200, RECEIPT))
    model = Client(server.url).model("m")
    with pytest.raises(Invalid) as raised:
        model.push({"w": [1]})
    assert raised.value.slug == "wrong-shape"
    assert isinstance(raised.value, ValueError)
    model.push({"w": [1]})
    assert keys(server.requests) == [[b"3", b"1"]] * 2


def test_number_of_a_push_whose_fate_is_unknown_is_not_used_again(scripted: Callable) -> None:
    """Another body under the same key would be refused."""
    server = scripted(REGISTERED, drop, answer(200, RECEIPT))
    model = Client(server.url, retry_for=0).model("m")
    with pytest.raises(Unreachable, match="is paramd running there"):
        model.push({"w": [1]})
    model.push({"w": [2]})
    assert keys(server.requests) == [[b"3", b"1"], [b"3", b"2"]]


@pytest.mark.parametrize("status", [408, 429, 502, 503])
def test_busy_server_is_asked_again(scripted: Callable, status: int) -> None:
    """Until it answers."""
    server = scripted(refusal(status, "busy", "Retry-After: 0"), answer(200, {"version": "1"}))
    assert Client(server.url).version() == {"version": "1"}


def test_push_in_flight_is_asked_for_again(scripted: Callable) -> None:
    """A 409 with Retry-After says that the first arrival is still being worked on."""
    server = scripted(REGISTERED, refusal(409, "in-flight", "Retry-After: 0"), answer(200, RECEIPT))
    assert Client(server.url).model("m").push({"w": [1]}).step == 1


@pytest.mark.parametrize(("status", "slug"), [(409, "in-flight"), (422, "key-reused")])
def test_number_of_a_push_that_may_have_been_applied_is_used_up(scripted: Callable, status: int, slug: str) -> None:
    """Else the next push, which has another body, would always be refused."""
    server = scripted(REGISTERED, refusal(status, slug, "Retry-After: 0"), answer(200, RECEIPT))
    model = Client(server.url, retry_for=0).model("m")
    with pytest.raises(Problem):
        model.push({"w": [1]})
    model.push({"w": [2]})
    assert keys(server.requests) == [[b"3", b"1"], [b"3", b"2"]]


def test_conflicts_are_not_repeated(scripted: Callable) -> None:
    """A fenced worker has to know at once."""
    server = scripted(REGISTERED, refusal(409, "fenced"))
    with pytest.raises(Fenced):
        Client(server.url).model("m").push({"w": [1]})


def test_silence_is_told_from_refusal(scripted: Callable) -> None:
    """How long it was waited for."""
    server = scripted(lambda _: time.sleep(1))
    with pytest.raises(Unreachable, match=r"timed out after 0\.2 s"):
        Client(server.url, timeout=0.2, retry_for=0).version()


@pytest.mark.parametrize("status", [200, 301])
def test_page_instead_of_an_answer(scripted: Callable, status: int) -> None:
    """A redirect, a login page: no bare KeyError."""
    page = f"HTTP/1.1 {status} X\r\nContent-Length: 6\r\n\r\n<html>".encode()
    for ask in (Client.version, lambda client: client.model("m").latest()):
        with pytest.raises(BadAnswer, match=r"is (this|it) a paramd"):
            ask(Client(scripted(lambda _: page).url))


def test_somebody_else_there(scripted: Callable) -> None:
    """A web server that is not paramd."""
    server = scripted(lambda _: b"HTTP/1.1 404 X\r\nContent-Length: 6\r\n\r\n<html>")
    with pytest.raises(BadAnswer, match="is this a paramd"):
        Client(server.url).version()


@pytest.mark.parametrize("url", ["ftp://x", "http://", "", None, "http://x:y", "http://x:99999", "http://[::1"])
def test_no_address(url: Any) -> None:
    """Refused before anything is sent."""
    with pytest.raises(ValueError, match="address"):
        Client(url)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1}, {"retry_for": -1}, {"token": "secret\n"}])
def test_no_way_to_ask(options: dict[str, Any]) -> None:
    """Refused before anything is sent, and the token is not told."""
    with pytest.raises(ValueError, match=r"timeout|token") as raised:
        Client(**options)
    assert "secret" not in str(raised.value)


def test_problem_does_not_say_things_twice(scripted: Callable) -> None:
    """The title is left out where the detail begins with it; what did not come is not shown as None."""
    errors = [{"pointer": "/gradients/w", "expected": "finite numbers"}]
    document = {"title": "The body is not JSON", "detail": "The body is not JSON: line 1.", "errors": errors}
    server = scripted(answer(400, {"type": "/problems/malformed-json", **document}))
    with pytest.raises(Invalid) as raised:
        Client(server.url).version()
    assert str(raised.value) == "400 The body is not JSON: line 1.\n  at /gradients/w: expected finite numbers"


def test_token_is_sent(scripted: Callable) -> None:
    """As a bearer token."""
    server = scripted(answer(200, {}))
    Client(server.url, token="secret").version()
    assert b"Authorization: Bearer secret\r\n" in server.requests[0]


def test_scaled_decay_has_no_range(scripted: Callable) -> None:
    """Refused here, since no server could answer it."""
    with pytest.raises(ValueError, match="single step"):
        Client(scripted().url).model("m").weight_decay(range(3), scaled=True)
