"""History and events, from a real daemon."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from paramd import Client, CursorUnknown, Model
from support.daemon import Daemon


def test_the_history_has_what_pushes_reported(model: Model) -> None:
    """A push reports loss and metrics, `report` sends others alone; each series is arrays."""
    for step in range(1, 4):
        model.push({"w": [3, 4]}, loss=1 / step, metrics={"acc": step / 10})
    assert model.report({"val": np.float32(0.5)}, step=2) == 2
    found = model.history("loss", "metrics/*")
    assert set(found) == {"loss", "metrics/acc", "metrics/val"}
    np.testing.assert_array_equal(found["loss"].value, [1, 0.5, 1 / 3])
    np.testing.assert_array_equal(found["metrics/val"].step, [2])
    np.testing.assert_array_equal(model.history("loss", steps=range(2, 4))["loss"].step, [2, 3])
    assert len(model.history("grad_norm", points=1)["grad_norm"].max) == 1
    with pytest.raises(ValueError, match="nan"):
        model.report({"val": float("nan")})


def test_events_come_as_they_happen(model: Model) -> None:
    """One loop over the events of a model."""
    first = model.events("update", "patch", after=model.info()["uid"] + ".1")
    model.push({"w": [1, 1]}, loss=0.5)
    update = next(first)
    assert update.kind == "update" and update.data["loss"] == 0.5
    model.patch(learning_rate=0.25)
    patch = next(first)
    assert patch.data["changes"] == [{"path": "/learning_rate", "old": 0.5, "new": 0.25}]
    again = model.events("patch", after=update)
    assert next(again) == patch
    again.close()
    first.close()
    with pytest.raises(CursorUnknown):
        next(model.events(after="00000000.1"))


def test_a_loop_ends_with_the_model(client: Client) -> None:
    """A deleted model has no further events."""
    model = client.model("short-lived")
    model.create({"w": [0]}, "sgd", learning_rate=1)
    events = model.events("worker_joined", after=model.info()["uid"] + ".1")
    told = []
    listener = threading.Thread(target=lambda: told.extend(events))
    listener.start()
    model.register()
    model.delete()
    listener.join(30)
    assert not listener.is_alive() and [event.kind for event in told] == ["worker_joined"]


def test_a_stream_continues_after_a_restart(tmp_path: object) -> None:
    """The daemon restarts at the same address: no event is missing or repeated."""
    daemon = Daemon(data_dir=str(tmp_path))
    with Client(daemon.url, retry_for=60) as client:
        model = client.model("m")
        model.create({"w": [0]}, "sgd", learning_rate=0.5)
        events = model.events("patch", after=model.info()["uid"] + ".1")
        model.patch(learning_rate=0.25)
        assert next(events).data["changes"][0]["new"] == 0.25
        port = daemon.port
        daemon.stop()
        with Daemon("--listen", f"127.0.0.1:{port}", data_dir=str(tmp_path)):
            model.patch(learning_rate=0.125)
            model.patch(learning_rate=0.0625)
            told = [event.data["changes"][0]["new"] for event in itertools.islice(events, 2)]
            assert told == [0.125, 0.0625]
            events.close()
