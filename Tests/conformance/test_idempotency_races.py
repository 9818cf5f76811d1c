"""Keys of requests in difficult cases: simultaneous requests, rollbacks, recreated models, damaged journals."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon
from support.faults import definition, gradient, run, sums
from support.wire import Answer, Api
from test_idempotency import (
    MODEL,
    ROUND,
    SGD,
    WRITES,
    Write,
    assert_again,
    gradients,
    prepare_round,
    send,
    serving,
    whole_state,
)

ROUNDS = 25


def of(write: Write, model: str) -> Write:
    """The same request for a model of another name."""
    named = dict.fromkeys((MODEL, ROUND, "/v1/models/new"), f"/v1/models/{model}")
    target = next(new + write.target.removeprefix(old) for old, new in named.items() if write.target.startswith(old))
    return dataclasses.replace(write, target=target)


def prepare_one(api: Api, model: str) -> None:
    """Creates `prepare`'s `m` under another name."""
    target = f"/v1/models/{model}"
    api.create(model, SGD)
    for _ in range(2):
        api.push(model, {"w": [1, 1]})
        api("POST", f"{target}/checkpoints").expect(201)
    api.push(model, {"w": [1, 1]}, worker="a", seq=1)


def seen(api: Api, model: str) -> dict[str, Any]:
    """What is known about a model, without its name, its uid and its times."""
    page = api("GET", f"/v1/models/{model}")
    if page.status == 404:
        return {}
    facts = {name: value for name, value in page.json().items() if name not in ("model", "uid", "cursor")}
    values = api.get(f"/v1/models/{model}/parameters").json()["parameters"]
    slots = api.get(f"/v1/models/{model}/state").json()
    saved = api.get(f"/v1/models/{model}/checkpoints").json()["checkpoints"]
    return {
        "page": facts,
        "values": values,
        "slots": (slots["scalars"], slots["slots"]),
        "workers": [
            {name: value for name, value in worker.items() if name != "seen_ago"}
            for worker in api.get(f"/v1/models/{model}/workers").json()["workers"]
        ],
        "checkpoints": [(checkpoint["step"], checkpoint["version"]) for checkpoint in saved],
    }


def race(write: Write, apis: list[Api], key: str) -> list[Answer]:
    """Sends the same request from every client, as simultaneously as threads can."""
    barrier = threading.Barrier(len(apis))
    answers: list[Answer | None] = [None] * len(apis)

    def arrive(place: int) -> None:
        barrier.wait()
        answers[place] = write.send(apis[place], key)

    threads = [threading.Thread(target=arrive, args=(place,)) for place in range(len(apis))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]


@pytest.mark.parametrize("name", WRITES)
def test_arrivals_at_once(daemon: Daemon, name: str) -> None:
    """One request is carried out; the other must wait, or gets the same answer; the effect is that of one."""
    apis = [Api(daemon.host, daemon.port) for _ in range(3)]
    api = apis.pop()
    once = ready(api, name, f"once-{name}")
    once.send(api, f"once-{name}").expect(once.status)
    expected = seen(api, f"once-{name}")
    for number in range(ROUNDS):
        model = f"race-{name}-{number}"
        write = ready(api, name, model)
        answers = race(write, apis, model)
        assert len(answers) == 2
        real = [a for a in answers if a.status == write.status and "idempotency-replayed" not in a.headers]
        assert len(real) == 1, [(a.status, a.headers) for a in answers]
        (other,) = [answer for answer in answers if answer is not real[0]]
        if other.status == 409:
            assert other.json()["type"] == "/problems/in-flight" and int(other.headers["retry-after"]) > 0
        else:
            assert_again(other, real[0])
        assert seen(api, model) == expected
        assert_again(write.send(api, model), real[0])
        assert seen(api, model) == expected


def ready(api: Api, name: str, model: str) -> Write:
    """Prepares a model for the request; checkpoints of all models share their numbers."""
    write = of(WRITES[name], model)
    if name == "createModel":
        return write
    if name == "closeRound":
        prepare_round(api, model)
        return write
    prepare_one(api, model)
    first = api.get(f"/v1/models/{model}/checkpoints").json()["checkpoints"][0]["id"]
    return dataclasses.replace(write, target=write.target.replace("checkpoints/1", f"checkpoints/{first}"))


def test_a_key_comes_before_the_precondition(api: Api, name: str) -> None:
    """For other uses of If-Match too, the retry gets its answer and not 412; another request is 422."""
    tag, target = api.create(name, SGD).headers["etag"], f"/v1/models/{name}"
    saved = api("POST", f"{target}/checkpoints").expect(201).json()["id"]
    state = {"w#moments": np.array([2, 1], np.float32), "v#moments": np.array([3], np.float32)}
    for method, path, body in (
        ("PATCH", "/groups/default", {"lr": 0.5}), ("POST", f"/checkpoints/{saved}/restore", None),
        ("PUT", "/state", state), ("POST", "/rollback", {"step": 0}),
    ):  # fmt: skip
        headers = {"Idempotency_Key": path, "If_Match": tag}
        first = send(api, method, target + path, body, **headers).expect(200)
        assert_again(send(api, method, target + path, body, **headers), first)
        other = {"learning_rate": 1}
        assert api("PATCH", target, other, **headers).expect(422).json()["type"] == "/problems/key-reused"
        tag = api.get(target).headers["etag"]
        assert tag == first.headers["etag"]
    api("PATCH", target, {"learning_rate": 1}, Idempotency_Key="new", If_Match='"00000000.1.page"').expect(412)


def test_keys_of_pushes_that_were_left(tmp_path: Path) -> None:
    """A rollback and a restore keep the answers: the retry of a push that was taken back is not applied again."""
    with serving(tmp_path) as (_, api):
        api.create("m", SGD)
        saved = api("POST", f"{MODEL}/checkpoints").expect(201).json()["id"]
        pushes = [
            api("POST", f"{MODEL}/gradients", gradients(n), Idempotency_Key=f"p{n}").expect(200) for n in range(1, 4)
        ]
        backs = [api("POST", f"{MODEL}/rollback", {"step": 1}, Idempotency_Key="back").expect(200)]
        backs.append(api("POST", f"{MODEL}/checkpoints/{saved}/restore", Idempotency_Key="restore").expect(200))
        state = whole_state(api)
        check_left(api, pushes, backs, saved)
        assert whole_state(api) == state
    with serving(tmp_path) as (_, api):
        check_left(api, pushes, backs, saved)
        assert whole_state(api) == state
        # The receipt of a gradient from the abandoned branch says so, and the gradient is applied as any late one.
        late = {**gradients(1), "based_on": pushes[2].headers["x-paramd-cursor"]}
        receipt = api("POST", f"{MODEL}/gradients", late, Idempotency_Key="p4").expect(200).json()
        assert receipt["step"] == 1 and receipt["staleness"] == 1 and receipt["replayed"] is False


def check_left(api: Api, pushes: list[Answer], backs: list[Answer], saved: int) -> None:
    """Requests every answer again, in any order."""
    for number in (3, 1, 2):
        again = api("POST", f"{MODEL}/gradients", gradients(number), Idempotency_Key=f"p{number}")
        assert_again(again, pushes[number - 1])
        assert again.json()["step"] == number
    assert_again(api("POST", f"{MODEL}/rollback", {"step": 1}, Idempotency_Key="back"), backs[0])
    assert_again(api("POST", f"{MODEL}/checkpoints/{saved}/restore", Idempotency_Key="restore"), backs[1])


def test_keys_of_a_model_that_came_again(tmp_path: Path) -> None:
    """The model's own keys are gone; the retry of its DELETE, or of its PUT, leaves the new model unchanged."""
    with serving(tmp_path) as (_, api):
        first = api("PUT", MODEL, SGD, Idempotency_Key="c1").expect(201)
        api("POST", f"{MODEL}/gradients", gradients(1), Idempotency_Key="p").expect(200)
        api("DELETE", MODEL, Idempotency_Key="d").expect(204)
        second = api("PUT", MODEL, SGD, Idempotency_Key="c2").expect(201)
        pushed = api("POST", f"{MODEL}/gradients", gradients(2), Idempotency_Key="p").expect(200)
        assert pushed.json()["step"] == 1 and pushed.json()["replayed"] is False
        state = whole_state(api)
    for _ in range(2):
        with serving(tmp_path) as (_, api):
            assert api("DELETE", MODEL, Idempotency_Key="d").expect(204).headers["idempotency-replayed"] == "true"
            again = api("PUT", MODEL, SGD, Idempotency_Key="c1").expect(201)
            assert again.headers["idempotency-replayed"] == "true" and again.json()["status"] == "gone"
            assert again.json()["uid"] == first.json()["uid"] != second.json()["uid"]
            assert_again(api("POST", f"{MODEL}/gradients", gradients(2), Idempotency_Key="p"), pushed)
            assert whole_state(api) == state


def test_every_answer_outlives_a_snapshot(tmp_path: Path) -> None:
    """The records of the requests are deleted, and the answers come from the model's snapshot."""
    wide = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [1, 2], "v": [1], "bulk": [0.0] * 256}}
    names = [name for name in WRITES if name not in ("createModel", "replaceModel", "deleteModel", "importState")]
    writes = {name: dataclasses.replace(WRITES[name]) for name in names}
    writes["patchModel"].body = {"weight_decay": 0.5}
    place = tmp_path / "data"
    with Daemon("--snapshot-after", "64K", data_dir=place) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", wide)
        prepare_round(api, "round")
        for _ in range(2):
            api.push("m", {"v": [1]})
            api("POST", f"{MODEL}/checkpoints").expect(201)
        order = sorted(names, key=lambda name: name == "deleteCheckpoint")
        first = {name: writes[name].send(api, name).expect(writes[name].status) for name in order}
        for _ in range(300):
            api.push("m", {"bulk": [1.0] * 256})
    assert not (place / "journal/segment-000000000001.journal").exists()
    with serving(place) as (_, api):
        state = whole_state(api)
        for name in reversed(order):
            again = writes[name].send(api, name).expect(writes[name].status)
            assert again.headers["idempotency-replayed"] == "true", name
            told = again.json().get("receipt", again.json()) if again.body else {}
            assert {**told, **stored(first[name])} == told, name
        assert whole_state(api) == state


def stored(answer: Answer) -> dict[str, Any]:
    """The stored part of an answer; the rest may be current, such as the size of a model that has grown since."""
    told = answer.json() if answer.body else {}
    told = told.get("receipt", told)
    names = ["step", "version", "id", "epoch", "last_seq"] + ["bytes"] * ("id" in told)
    return {name: told[name] for name in names if name in told}


def test_keys_after_a_salvage(tmp_path: Path) -> None:
    """A salvage loses answers and effects together: a client that resends everything has everything once."""
    pushes = {f"p{seq}": {"gradients": {"w": gradient(0, seq)}} for seq in range(1, 31)}
    with serving(tmp_path) as (_, api):
        api("PUT", MODEL, definition(), Idempotency_Key="c").expect(201)
        for key, body in pushes.items():
            api("POST", f"{MODEL}/gradients", body, Idempotency_Key=key).expect(200)
    (segment,) = (tmp_path / "journal").glob("segment-*")
    content = bytearray(segment.read_bytes())
    content[len(content.rstrip(b"\0")) // 2] ^= 0x10
    segment.write_bytes(content)
    assert run("recover", "--salvage", tmp_path).returncode == 0
    with serving(tmp_path) as (_, api):
        step = api.get(MODEL).json()["step"]
        assert 0 < step < 30
        assert api("PUT", MODEL, definition(), Idempotency_Key="c").expect(201).headers["idempotency-replayed"]
        replayed = [
            api("POST", f"{MODEL}/gradients", body, Idempotency_Key=key).expect(200).json()["replayed"]
            for key, body in pushes.items()
        ]
        assert replayed == [True] * step + [False] * (30 - step)
        parameters = api.get(f"{MODEL}/parameters").json()["parameters"]
        assert parameters["w"]["data"] == sums({0: 30})
