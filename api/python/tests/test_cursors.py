"""Cursors: which version of which life of a model is meant, and what is said when it is another life.

First what is sent, then what the daemon makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from answers import RECEIPT, REGISTERED, answer, refusal
from paramd import Client, Conflict, CursorUnknown, Model

EMPTY = b"\x08\0\0\0\0\0\0\0{}      "
CURSOR = "b0d30dc6-2"


def pulled(cursor: str = CURSOR, *headers: str) -> Callable[[bytes], bytes]:
    """A script line that answers a pull."""
    head = ["HTTP/1.1 200 X", "X-Paramd-Step: 1", "X-Paramd-Version: 2", f"X-Paramd-Cursor: {cursor}", *headers]
    return lambda _: ("\r\n".join(head) + "\r\nContent-Length: 16\r\n\r\n").encode() + EMPTY


def unchanged(_: bytes) -> bytes:
    """A script line that has nothing newer."""
    return b"HTTP/1.1 304 X\r\n\r\n"


def first_line(request: bytes) -> str:
    """Method and target."""
    return request.split(b"\r\n")[0].decode()


@pytest.mark.parametrize("wait", [0, 7])
def test_snapshot_names_its_life(scripted: Callable, wait: float) -> None:
    """What is waited beyond is a version of that model, and not a number alone."""
    server = scripted(pulled(), unchanged)
    model = Client(server.url).model("m")
    snapshot = model.latest()
    assert snapshot.cursor == CURSOR
    assert model.pull(since=snapshot, wait=wait) is None
    waiting = "&wait=7000ms" if wait else ""
    asked = f"GET /v1/models/m/parameters.safetensors?since={CURSOR}{waiting} HTTP/1.1"
    assert first_line(server.requests[1]) == asked


def test_receipt_names_its_life(scripted: Callable) -> None:
    """So does what a push answers."""
    server = scripted(REGISTERED, answer(200, {**RECEIPT, "cursor": CURSOR}), unchanged)
    model = Client(server.url).model("m")
    receipt = model.push({"w": [1]})
    assert receipt.cursor == CURSOR
    model.pull(since=receipt)
    assert f"?since={CURSOR} " in first_line(server.requests[2])


@pytest.mark.parametrize(("given", "sent"), [(CURSOR, CURSOR), (7, "7")])
def test_written_by_hand(scripted: Callable, given: Any, sent: str) -> None:
    """A cursor from a log, or a number."""
    server = scripted(unchanged)
    assert Client(server.url).model("m").pull(since=given) is None
    assert f"?since={sent} " in first_line(server.requests[0])


@pytest.mark.parametrize("wait", [0, 7])
def test_cursor_of_another_life(scripted: Callable, wait: float) -> None:
    """Told at once: a worker that waited on would wait until its time is up, every time."""
    server = scripted(pulled(), refusal(409, "cursor-unknown"), pulled("17aa93e4-9"))
    model = Client(server.url).model("m")
    snapshot = model.latest()
    with pytest.raises(CursorUnknown, match="Do this") as raised:
        model.pull(since=snapshot, wait=wait)
    assert isinstance(raised.value, Conflict)
    assert model.latest().cursor == "17aa93e4-9"


def test_gradient_names_what_it_was_computed_from(scripted: Callable) -> None:
    """A gradient of another life's parameters must not pass for one of this life's."""
    server = scripted(pulled(), REGISTERED, answer(200, RECEIPT))
    model = Client(server.url).model("m")
    model.push({"w": [1]}, based_on=model.latest())
    assert f"X-Paramd-Based-On: {CURSOR}\r\n".encode() in server.requests[2]


def test_values_that_the_type_cannot_hold(scripted: Callable) -> None:
    """Named, as NumPy warns of a cast that overflows."""
    server = scripted(pulled(CURSOR, "X-Paramd-Beyond-Range: fc.weight,caf%C3%A9"))
    model = Client(server.url).model("m")
    with pytest.warns(RuntimeWarning, match="`fc.weight`, `café`.*float32") as warned:
        model.pull(dtype="float16")
    assert [each.filename for each in warned if each.category is RuntimeWarning] == [__file__]


def test_join(scripted: Callable) -> None:
    """Asks for the model that is there."""
    server = scripted(answer(200, {}))
    Client(server.url).model("m").create({"w": [1]}, "sgd", join=True)
    assert first_line(server.requests[0]) == "PUT /v1/models/m?join=1 HTTP/1.1"


@pytest.mark.parametrize("wait", [0, 100])
def test_model_that_was_replaced(client: Client, model: Model, wait: float) -> None:
    """A waiting worker gets CursorUnknown, and continues with a pull without `since`."""
    reader = client.model(model.name)
    snapshot = reader.latest()
    model.create({"w": [1, 1]}, "sgd", learning_rate=0.5, replace=True)
    with pytest.raises(CursorUnknown, match="since"):
        reader.pull(since=snapshot, wait=wait)
    newer = reader.latest()
    assert newer.cursor.split("-")[0] != snapshot.cursor.split("-")[0]
    assert reader.pull(since=newer, wait=0.1) is None


def test_gradient_of_a_model_that_was_replaced(client: Client, model: Model) -> None:
    """It does not move the new one."""
    snapshot = model.latest()
    model.create({"w": [1, 1]}, "sgd", learning_rate=0.5, replace=True)
    with pytest.raises(CursorUnknown):
        client.model(model.name).push({"w": [1, 0]}, based_on=snapshot)
    assert model.info()["step"] == 0


def test_version_that_is_not_reached(model: Model) -> None:
    """A number alone is not waited for."""
    with pytest.raises(CursorUnknown):
        model.pull(since=99, wait=100)


def test_branch_that_a_restore_left(model: Model) -> None:
    """A gradient of what was given up counts as stale."""
    saved = model.checkpoint()
    model.push({"w": [1, 0]})
    left = model.latest()
    model.restore(saved)
    assert model.push({"w": [1, 0]}, based_on=left).staleness >= 1
    assert model.push({"w": [1, 0]}, based_on=model.latest()).staleness == 0


def test_receipts_and_pulls_name_one_version(model: Model) -> None:
    """In the same words."""
    assert model.push({"w": [1, 0]}).cursor == model.latest().cursor
    assert model.push_pull({"w": [1, 0]}).cursor == model.latest().cursor
