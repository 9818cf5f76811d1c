"""A stream that is resumed after a restart has every event of one that stayed open, with the same ids and data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.daemon import Daemon
from support.events import Event, Events
from support.wire import Api

Start = Callable[..., Daemon]
MODEL = "/v1/models/m"
SGD = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 0]}}
ONES = {"w": [1, 1]}


def save(api: Api, **headers: str) -> int:
    """Saves a checkpoint, and returns its id."""
    return int(api("POST", f"{MODEL}/checkpoints", **headers).expect(201).json()["id"])


def restore(api: Api) -> None:
    """Restores a new checkpoint after an update."""
    saved = save(api)
    api.push("m", ONES)
    api("POST", f"{MODEL}/checkpoints/{saved}/restore").expect(200)


def roll_back(api: Api) -> None:
    """Goes back to the first step."""
    api.push("m", ONES)
    api("POST", f"{MODEL}/rollback", {"step": 0}).expect(200)


def import_state(api: Api) -> None:
    """Replaces the state of the optimizer, which is told as a restore."""
    state = api("GET", f"{MODEL}/state.safetensors").expect(200).body
    api("PUT", f"{MODEL}/state", state, Content_Type="application/vnd.safetensors").expect(200)


def end_round(api: Api) -> None:
    """Closes a round of one push."""
    api("PATCH", MODEL, {"consistency": {"mode": "manual"}}).expect(200)
    api.push("m", ONES, 202, worker="a", seq=1, loss=0.5)
    api("POST", f"{MODEL}/step").expect(200)


def drop_round(api: Api) -> None:
    """Drops a round by a restore."""
    saved = save(api)
    api("PATCH", MODEL, {"consistency": {"mode": "manual"}}).expect(200)
    api.push("m", ONES, 202, worker="a", seq=1)
    api("POST", f"{MODEL}/checkpoints/{saved}/restore").expect(200)


def dismiss(api: Api) -> None:
    """A worker comes and goes."""
    api("PUT", f"{MODEL}/workers/a").expect(200)
    api("DELETE", f"{MODEL}/workers/a").expect(204)


# What makes an event of each kind, the last one of its function except for a round, whose update may follow.
MAKERS: dict[str, list[Callable[[Api], Any]]] = {
    "update": [lambda api: api.push("m", ONES, loss=0.25)],
    "round": [end_round, drop_round],
    "patch": [lambda api: api("PATCH", MODEL, {"learning_rate": 0.25}).expect(200)],
    "grown": [lambda api: api("POST", f"{MODEL}/parameters", {"add": {"x": [0]}}).expect(200)],
    "imported": [lambda api: api("PUT", f"{MODEL}/parameters", {"parameters": {"w": [3, 3]}}).expect(200)],
    "restored": [restore, roll_back, import_state],
    "checkpoint": [save, lambda api: save(api, Idempotency_Key="save-1")],
    "worker_joined": [
        lambda api: api("PUT", f"{MODEL}/workers/a").expect(200),
        lambda api: api.push("m", ONES, worker="a", seq=1),
    ],
    "worker_left": [dismiss, lambda api: api("PUT", f"{MODEL}/workers/a", {"ttl": "1s"}).expect(200)],
}
CASES = [(kind, index) for kind, makers in MAKERS.items() for index in range(len(makers))]


def told(events: Events, is_last: Callable[[Event], bool]) -> list[Event]:
    """The events up to a certain one."""
    found: list[Event] = []
    while not found or not is_last(found[-1]):
        event = events.next()
        assert event and event.type != "gap", "the stream ended"
        found.append(event)
    return found


def joined(events: list[Event]) -> list[Event]:
    """The events with only the newest of several updates, as after a reconnection."""
    newest = [event.id for event in events if event.type == "update"][-1:]
    return [event for event in events if event.type != "update" or event.id in newest]


@pytest.mark.parametrize(("kind", "index"), CASES, ids=[f"{kind}-{index}" for kind, index in CASES])
def test_a_restart_loses_no_event(start: Start, tmp_path: Path, kind: str, index: int) -> None:
    """After kill -9 and after SIGTERM, the events that follow the first cursor are those that an open stream had."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    first = api.create("m", SGD).json()["uid"] + ".1"
    with Events(api.host, api.port, f"{MODEL}/events", first) as events:
        MAKERS[kind][index](api)
        live = told(events, lambda event: event.type == kind)
        api("PATCH", MODEL, {"learning_rate": 0.125}).expect(200)
        live += told(events, lambda event: event.data.get("changes", [{}])[0].get("new") == 0.125)
    live = joined(live)
    for crash in (True, False):
        if crash:
            daemon.process.kill()
            daemon.process.wait()
        else:
            daemon.stop()
        daemon = start(data_dir=tmp_path)
        for event in [None, *live[:-1]]:
            place = event.id if event else first
            rest = live[live.index(event) + 1 :] if event else live
            with Events(daemon.host, daemon.port, f"{MODEL}/events", place) as events:
                assert joined(told(events, lambda event: event.id == live[-1].id)) == rest


def test_every_kind_is_compared(api: Api) -> None:
    """The kinds above, and those of which a restarted daemon cannot tell: a new model, and one that is gone."""
    known = api("GET", "/v1/events?types=nothing").expect(422).json()["detail"]
    kinds = known.partition("choose from ")[2].partition(", separated")[0].split(",")
    assert set(kinds) == {*MAKERS, "created", "deleted"}


@pytest.mark.parametrize("crash", [True, False])
def test_a_restart_says_that_a_model_is_gone(start: Start, tmp_path: Path, crash: bool) -> None:
    """A reader that continues gets 404 for a deleted model, 409 for a replaced one, 410 for the events of all."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    with Events(api.host, api.port, "/v1/events").open() as everything:
        places = {name: api.create(name, SGD).json()["uid"] + ".1" for name in ("gone", "other")}
        api("DELETE", "/v1/models/gone").expect(204)
        api("PUT", "/v1/models/other?replace=1", {**SGD, "learning_rate": 1}).expect(201)
        heard = [everything.next() for _ in range(5)]
    assert [event.type for event in heard if event] == ["created", "created", "deleted", "deleted", "created"]
    if crash:
        daemon.process.kill()
        daemon.process.wait()
    else:
        daemon.stop()
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api("GET", "/v1/models/gone/events", Last_Event_ID=places["gone"]).expect(404)
    api("GET", "/v1/models/other/events", Last_Event_ID=places["other"]).expect(409)
    for event in heard:
        assert event
        api("GET", "/v1/events", Last_Event_ID=event.id).expect(410)
