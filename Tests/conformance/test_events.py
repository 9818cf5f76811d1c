"""The events of one model and of all models, as Server-Sent Events: complete, in order, resumable, and bounded."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable

import pytest
from support.daemon import Daemon
from support.events import Events
from support.wire import Api, wait_until

Start = Callable[..., Daemon]
SGD = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 0]}}


def follow(api: Api, path: str, last: str | None = None) -> Events:
    """An open stream, which gets every event from now on."""
    return Events(api.host, api.port, f"/v1{path}", last).__enter__().open()


def streams(api: Api) -> int:
    """The open streams that the daemon counts."""
    return int(api.get("/v1/server").json()["network"]["event_streams"])


def test_every_change_is_an_event(api: Api, demo: str) -> None:
    """Each change is one event, with the numbers that the change itself answered."""
    model = f"/v1/models/{demo}"
    with follow(api, f"/models/{demo}/events") as events:
        assert events.retry == 2000
        receipt = api.push(demo, {"w": [1, 1]}, worker="a", seq=1, loss=0.41).json()
        joined, update = events.next(), events.next()
        assert joined and joined.type == "worker_joined" and joined.data["worker"] == "a"
        assert update and update.type == "update" and update.data["loss"] == 0.41
        assert (update.data["step"], update.data["version"]) == (receipt["step"], receipt["version"])
        assert update.data["cursor"] == receipt["cursor"] and update.data["model"] == demo
        assert abs(update.data["time"] - time.time()) < 60
        patched = api("PATCH", model, {"learning_rate": 0.25}).expect(200).json()
        patch = events.next()
        assert patch and patch.type == "patch"
        assert patch.data["changes"] == [{"path": "/learning_rate", "old": 0.5, "new": 0.25}]
        assert patch.data["step"] == 1 and patch.data["version"] == patched["version"]
        api("PUT", f"{model}/parameters", {"parameters": {"w": [3, 3]}}).expect(200)
        assert (event := events.next()) and event.type == "imported" and event.data["step"] == 1
        saved = api("POST", f"{model}/checkpoints").expect(201).json()
        assert (event := events.next()) and event.type == "checkpoint" and event.data["id"] == saved["id"]
        api("POST", f"{model}/checkpoints/{saved['id']}/restore").expect(200)
        assert (event := events.next()) and event.type == "restored" and event.data["step"] == 1
        assert event.data["checkpoint"] == saved["id"]
        api("DELETE", f"{model}/workers/a").expect(204)
        assert (event := events.next()) and event.type == "worker_left" and event.data["worker"] == "a"
        api("DELETE", model).expect(204)
        assert (event := events.next()) and event.type == "deleted" and event.data["replaced"] is False
        assert events.next() is None


def test_a_patch_of_a_group_names_it(api: Api, name: str) -> None:
    """The path is the one that a patch may have."""
    groups = [{"name": "conv", "params": ["w"], "lr": 0.1}, {"name": "rest", "params": ["*"]}]
    api.create(name, {**SGD, "parameters": {"w": [0], "b": [0]}, "groups": groups})
    with follow(api, f"/models/{name}/events?types=patch") as events:
        api("PATCH", f"/v1/models/{name}/groups/conv", {"lr": 0.01, "weight_decay": 0.5}).expect(200)
        event = events.next()
        assert event and event.data["changes"] == [
            {"path": "/groups/conv/lr", "old": 0.1, "new": 0.01},
            {"path": "/groups/conv/weight_decay", "old": 0, "new": 0.5},
        ]
        api("PATCH", f"/v1/models/{name}", {"learning_rate": [i / 1000 for i in range(1000)]}).expect(200)
        long = events.next()
        assert long and long.data["changes"][0] == {
            "path": "/learning_rate",
            "old": 0.5,
            "new": {"values": 1000, "first": 0, "last": 0.999},
        }


def test_resuming_misses_nothing_and_repeats_nothing(api: Api, demo: str) -> None:
    """From every event of a stream, by header and by query, the rest follows, with updates joined."""
    with follow(api, f"/models/{demo}/events") as events:
        first = events.last_id
        for number in range(1, 6):
            api("PUT", f"/v1/models/{demo}/workers/w{number}").expect(200)
        told = [events.next() for _ in range(5)]
    api.push(demo, {"w": [1, 1]})
    api.push(demo, {"w": [1, 1]})
    ids = [first] + [event.id for event in told if event]
    assert len(set(ids)) == 6
    for skipped, last in enumerate(ids):
        for query, header in ((f"?last_event_id={last}", None), ("", last)):
            with Events(api.host, api.port, f"/v1/models/{demo}/events{query}", header) as again:
                rest = [again.next() for _ in range(6 - skipped)]
                assert [e.data["worker"] for e in rest[:-1] if e] == [f"w{n}" for n in range(skipped + 1, 6)]
                assert rest[-1] and rest[-1].type == "update" and rest[-1].data["step"] == 2


def test_ids_that_cannot_be_continued_are_refused(start: Start) -> None:
    """Too old is 410, another model or the future 409, nonsense 422; each says what to do."""
    daemon = start("--limit", "events=4")
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD)
    with follow(api, "/models/m/events") as events:
        first = events.last_id
        for number in range(9):
            api("PUT", f"/v1/models/m/workers/w{number}").expect(200)
        feed, number = first.split(".")
        newest = f"{feed}.{int(number) + 9}"
    old = api("GET", "/v1/models/m/events", Last_Event_ID=first).expect(410).json()
    assert old["type"] == "/problems/events-too-old" and "without Last-Event-ID" in old["detail"]
    for ahead in (f"{feed}.{int(number) + 10}", f"00000000.{number}"):
        refused = api("GET", f"/v1/models/m/events?last_event_id={ahead}").expect(409).json()
        assert refused["type"] == "/problems/cursor-unknown" and newest in refused["detail"]
    assert api("GET", "/v1/events", Last_Event_ID="00000000.1").expect(410)
    for query in ("last_event_id=7", "types=patch,nothing", "types=", "type=patch"):
        api("GET", f"/v1/models/m/events?{query}").expect(422)
    api.create("other", SGD)
    api("DELETE", "/v1/models/m").expect(204)
    api.create("m", SGD)
    api("GET", "/v1/models/m/events", Last_Event_ID=newest).expect(409)


def test_events_are_the_same_after_a_restart(start: Start, tmp_path: object) -> None:
    """After a kill, each event has the members that it had before: its time, and why a worker left."""
    daemon = start("--limit", "workers=2", data_dir=str(tmp_path))
    api = Api(daemon.host, daemon.port)
    uid = api.create("m", SGD).json()["uid"]
    model = "/v1/models/m"
    with Events(api.host, api.port, f"{model}/events", f"{uid}.1") as events:
        api("PATCH", model, {"learning_rate": 0.25}).expect(200)
        api("PUT", f"{model}/parameters", {"parameters": {"w": [3, 3]}}).expect(200)
        api("POST", f"{model}/parameters", {"add": {"x": [0]}}).expect(200)
        saved = api("POST", f"{model}/checkpoints").expect(201).json()
        api("POST", f"{model}/checkpoints/{saved['id']}/restore").expect(200)
        api("PUT", f"{model}/workers/leased", {"ttl": "1s"}).expect(200)
        # The lease of the first worker ends.
        told = [events.next() for _ in range(7)]
        for worker in ("b", "c"):
            api("PUT", f"{model}/workers/{worker}").expect(200)
        api("DELETE", f"{model}/workers/c").expect(204)
        api("PATCH", model, {"consistency": {"mode": "manual"}}).expect(200)
        api.push("m", {"w": [1, 1]}, 202, worker="b", epoch=2, seq=1)
        api("POST", f"{model}/step").expect(200)
        told += [events.next() for _ in range(7)]
        daemon.process.kill()
        daemon.process.wait()
    seen = [(event.id, event.type, event.data) for event in told if event]
    assert [each[1] for each in seen] == [
        *("patch", "imported", "grown", "checkpoint", "restored", "worker_joined", "worker_left"),
        *("worker_joined", "worker_left", "worker_joined", "worker_left", "patch", "update", "round"),
    ]
    left = [data for _, kind, data in seen if kind == "worker_left"]
    assert [(data["worker"], data["epoch"], data["reason"]) for data in left] == [
        ("leased", 1, "expired"),
        ("leased", 1, "replaced"),
        ("c", 3, "deleted"),
    ]
    again = start(data_dir=str(tmp_path))
    with Events(again.host, again.port, f"{model}/events", f"{uid}.1") as events:
        for each in seen:
            assert (event := events.next()) and (event.id, event.type, event.data) == each


@pytest.mark.parametrize("crash", [False, True])
def test_a_stream_continues_after_a_restart(start: Start, tmp_path: object, crash: bool) -> None:
    """The ids of a model outlive the daemon; those of /v1/events are 410, which says that the daemon has restarted."""
    daemon = start(data_dir=str(tmp_path))
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD)
    with follow(api, "/models/m/events") as events, follow(api, "/events") as everything:
        api("PUT", "/v1/models/m/workers/early").expect(200)
        seen, seen_of_all = events.next(), everything.next()
        api.push("m", {"w": [1, 1]})
        api("PATCH", "/v1/models/m", {"learning_rate": 0.25}).expect(200)
        assert events.until("patch")
        if crash:
            daemon.process.kill()
            daemon.process.wait()
        else:
            daemon.stop()
            assert events.next().type == "shutdown" and events.next() is None
            assert everything.until("shutdown") and everything.next() is None
    assert seen and seen_of_all
    again = start(data_dir=str(tmp_path))
    api = Api(again.host, again.port)
    with Events(api.host, api.port, "/v1/models/m/events", seen.id) as events:
        assert (event := events.next()) and event.type == "update" and event.data["step"] == 1
        assert (event := events.next()) and event.type == "patch"
        api("PUT", "/v1/models/m/workers/late").expect(200)
        assert (event := events.next()) and event.data["worker"] == "late"
    refused = api("GET", "/v1/events", Last_Event_ID=seen_of_all.id).expect(410).json()
    assert refused["type"] == "/problems/events-too-old"


def test_all_models_have_one_stream(api: Api, name: str) -> None:
    """Models come and go; each event says whose it is."""
    with follow(api, "/events") as events:
        ours = (event for event in iter(events.next, None) if event.data["model"].startswith(name))
        for suffix in "ab":
            api.create(name + suffix, SGD)
            event = next(ours)
            assert (event.type, event.data["model"]) == ("created", name + suffix)
        api.push(f"{name}b", {"w": [1, 1]})
        assert (event := next(ours)).type == "update" and event.data["model"] == f"{name}b"
        uid = api.get(f"/v1/models/{name}a").json()["uid"]
        api("PUT", f"/v1/models/{name}a?replace=1", {**SGD, "learning_rate": 1}).expect(201)
        assert (event := next(ours)).type == "deleted"
        assert event.data["replaced"] is True and event.data["uid"] == uid
        assert (event := next(ours)).type == "created" and event.data["uid"] != uid


def test_a_fast_model_does_not_flood_a_stream(api: Api, demo: str) -> None:
    """A reader gets some of many updates, in order, and always the last one; at most 50 per second."""
    with follow(api, f"/models/{demo}/events") as events:
        began = time.monotonic()
        for _ in range(300):
            api.push(demo, {"w": [1, 1]})
        steps = []
        while not steps or steps[-1] < 300:
            event = events.next()
            assert event and event.type == "update"
            steps.append(event.data["step"])
        assert steps == sorted(set(steps))
        assert len(steps) <= 50 * (time.monotonic() - began) + 2


def test_heartbeats(start: Start) -> None:
    """A quiet stream has comments, which a reader ignores."""
    daemon = start("--limit", "event-heartbeat=100ms")
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD)
    with follow(api, "/models/m/events") as events:
        with pytest.raises(TimeoutError):
            events.next(within=2)
        assert events.comments >= 2


def test_a_client_that_leaves_is_noticed(start: Start) -> None:
    """Its stream ends long before the next heartbeat is due."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD)
    many = [follow(api, "/models/m/events") for _ in range(20)]
    assert streams(api) == 20
    began = time.monotonic()
    for events in many:
        events.close()
    wait_until(lambda: streams(api) == 0)
    assert time.monotonic() - began < 10, "the next heartbeat would be after 15 s"


def test_a_client_that_only_stops_sending_stays(api: Api, demo: str) -> None:
    """A half-closed connection still gets its events."""
    with follow(api, f"/models/{demo}/events") as events:
        assert events.connection.sock, "otherwise nothing is closed"
        events.connection.sock.shutdown(socket.SHUT_WR)
        api.push(demo, {"w": [1, 1]})
        assert events.until("update")
        api.push(demo, {"w": [1, 1]})
        assert events.until("update").data["step"] == 2


def test_streams_are_limited(start: Start) -> None:
    """One more than the limit is refused, with the time to wait; a closed stream makes room for another."""
    daemon = start("--limit", "event-streams=2")
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD)
    with follow(api, "/models/m/events") as first, follow(api, "/events"):
        refused = api("GET", "/v1/models/m/events").expect(503)
        assert refused.json()["type"] == "/problems/too-many-streams"
        assert int(refused.headers["retry-after"]) >= 1
        assert api("GET", "/v1/server").expect(200)
        first.close()
        wait_until(lambda: streams(api) == 1)
        follow(api, "/models/m/events").close()


def test_readers_that_never_read(start: Start) -> None:
    """Streams whose clients never read take no memory, and pushes continue."""
    daemon = start("--limit", "events=8")
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD)
    deaf = [Events(api.host, api.port, "/v1/models/m/events") for _ in range(30)]
    before = api.get("/v1/server").json()["memory"]["reserved"]
    for number in range(200):
        api("PUT", f"/v1/models/m/workers/w{number % 20}").expect(200)
        api.push("m", {"w": [1, 1]})
    assert api.get("/v1/server").json()["memory"]["reserved"] < before + (4 << 20)
    assert api.get("/v1/models/m").json()["step"] == 200
    for events in deaf:
        events.close()


def test_many_readers_reach_the_newest_version(api: Api, demo: str) -> None:
    """Each of several readers ends at the newest version."""
    found: list[int] = []
    ready = threading.Barrier(9)

    def listen() -> None:
        with follow(Api(api.host, api.port), f"/models/{demo}/events") as events:
            ready.wait(30)
            while (event := events.next()) and event.data["step"] < 40:
                pass
            found.append(event.data["step"] if event else 0)

    threads = [threading.Thread(target=listen) for _ in range(8)]
    for thread in threads:
        thread.start()
    ready.wait(30)
    for _ in range(40):
        api.push(demo, {"w": [1, 1]})
    for thread in threads:
        thread.join(30)
    assert found == [40] * 8


def test_curl_shows_events_as_they_happen(api: Api, demo: str) -> None:
    """`curl -N` prints each event at once."""
    url = f"http://{api.host}:{api.port}/v1/models/{demo}/events"
    with subprocess.Popen(["curl", "-sN", url], stdout=subprocess.PIPE) as curl:
        assert curl.stdout
        assert curl.stdout.readline() == b"retry: 2000\n"
        api.push(demo, {"w": [1, 1]})
        lines = [curl.stdout.readline() for _ in range(4)]
        assert lines[0].startswith(b"id: ") and lines[2].startswith(b"id: ") and lines[3] == b"event: update\n"
        curl.terminate()


def test_a_round_is_told_with_its_end(api: Api, name: str) -> None:
    """How each round ended and why, besides the update that it made; the mean of the losses cannot overflow."""
    sync = {"mode": "sync", "workers": 2, "min_pushes": 1, "round_timeout": "120s"}
    api.create(name, {**SGD, "consistency": sync})
    with follow(api, f"/models/{name}/events?types=round,update") as events:
        api.push(name, {"w": [1, 1]}, 202, worker="a", seq=1, loss=1.5e308)
        closing = api.push(name, {"w": [1, 1]}, worker="b", seq=1, loss=1.6e308).json()
        update, full = events.next(), events.next()
        assert update and update.type == "update" and abs(update.data["loss"] / 1e308 - 1.55) < 1e-9
        assert full and full.type == "round" and full.data["cursor"] == closing["cursor"]
        facts = [full.data[key] for key in ("round", "pushes", "needed", "outcome", "reason", "step", "version")]
        assert facts == [1, 2, 2, "applied", "full", 1, 2]
        api.push(name, {"w": [1, 1]}, 202, worker="a", seq=2)
        api("POST", f"/v1/models/{name}/step").expect(200)
        by_hand = events.until("round")
        assert [by_hand.data[key] for key in ("round", "pushes", "needed", "reason")] == [2, 1, 2, "step"]
        saved = api("POST", f"/v1/models/{name}/checkpoints").expect(201).json()["id"]
        api.push(name, {"w": [1, 1]}, 202, worker="a", seq=3)
        api("POST", f"/v1/models/{name}/checkpoints/{saved}/restore").expect(200)
        dropped = events.until("round")
        assert (dropped.data["outcome"], dropped.data["reason"]) == ("dropped", "restored")
        assert dropped.data["step"] == 3 and "version" not in dropped.data


def test_a_stream_of_some_kinds_is_as_old_as_those(start: Start) -> None:
    """Events of other kinds that make room for newer ones are nothing that the reader misses."""
    daemon = start("--limit", "events=16")
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD)
    api.push("m", {"w": [1, 1]})
    with follow(api, "/models/m/events?types=update,patch") as events:
        last = events.last_id
        for number in range(20):
            api("PUT", f"/v1/models/m/workers/w{number}").expect(200)
        api("PATCH", "/v1/models/m", {"learning_rate": 0.25}).expect(200)
        assert (event := events.next()) and event.type == "patch"
    with Events(api.host, api.port, "/v1/models/m/events?types=update,patch", last) as again:
        assert (event := again.next()) and event.type == "patch"
    refused = api("GET", "/v1/models/m/events", Last_Event_ID=last).expect(410)
    assert refused.json()["type"] == "/problems/events-too-old"
