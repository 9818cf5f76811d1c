"""Writes other than pushes: each under a key of its own, which its repetitions share."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from answers import RECEIPT, REGISTERED, answer, drop, refusal
from paramd import Client, Invalid, Model

WRITES: dict[str, Callable[[Model], object]] = {
    "create": lambda model: model.create({"w": [1.0]}, "sgd"),
    "replace": lambda model: model.create({"w": [1.0]}, "sgd", replace=True),
    "join": lambda model: model.create({"w": [1.0]}, "sgd", join=True),
    "patch": lambda model: model.patch(learning_rate=0.1),
    "append": lambda model: model.patch(learning_rate={"append": [0.1]}),
    "append in a group": lambda model: model.patch_group("g", lr={"append": [0.1]}),
    "import": lambda model: model.import_({"w": [1.0]}),
    "checkpoint": lambda model: model.checkpoint(),
    "restore": lambda model: model.restore(1),
    "delete": lambda model: model.delete(),
    "register": lambda model: model.register(),
}
DONE = answer(200, {"epoch": 1})


def keys(requests: list[bytes]) -> list[bytes]:
    """The key of each request; empty for one without."""
    found = (re.search(rb"\r\nIdempotency-Key: (\S+)\r\n", request) for request in requests)
    return [match[1] if match else b"" for match in found]


@pytest.mark.parametrize("write", WRITES)
def test_repetition_is_told_from_another_write(scripted: Callable, write: str) -> None:
    """The answer was lost, or the server was busy: the same key. Done again on purpose: another."""
    server = scripted(DONE, drop, refusal(503, "stopping", "Retry-After: 0"), DONE, DONE)
    client = Client(server.url)
    client.version()
    model = client.model("m")
    WRITES[write](model)
    WRITES[write](model)
    first, second, third, fourth = keys(server.requests)[1:]
    assert len(first) >= 16
    assert first == second == third != fourth


def test_key_that_is_in_flight_is_asked_for_again(scripted: Callable) -> None:
    """A 409 with Retry-After says that the first arrival is still being worked on."""
    server = scripted(refusal(409, "in-flight", "Retry-After: 0"), answer(200, {"step": 1}))
    assert Client(server.url).model("m").patch(learning_rate={"append": [0.1]}) == {"step": 1}
    assert len(set(keys(server.requests))) == 1


def test_refused_write_is_not_repeated(scripted: Callable) -> None:
    """It would be wrong again."""
    server = scripted(refusal(422, "invalid-content"))
    with pytest.raises(Invalid):
        Client(server.url).model("m").patch(learning_rate={"append": [-1]})


def test_pushes_and_reads_have_no_key(scripted: Callable) -> None:
    """A push has its number, and a read changes nothing."""
    server = scripted(REGISTERED, answer(200, RECEIPT), answer(200, {}))
    model = Client(server.url).model("m")
    model.push({"w": [1]})
    model.info()
    assert keys(server.requests)[1:] == [b"", b""]
