"""Cursors: a model and a version, in every answer about a version."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Answer, Api, until_waiting, waiting

SGD = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0]}}


@pytest.fixture
def model(api: Api, name: str) -> str:
    """One parameter, at version 1."""
    api.create(name, SGD)
    return name


def cursor_of(api: Api, model: str) -> str:
    """The newest cursor."""
    return api.get(f"/v1/models/{model}/parameters").json()["cursor"]


def refused(answer: Answer) -> Answer:
    """Checks that a cursor is refused with the right kind and a remedy."""
    problem = answer.expect(409).json()
    assert problem["type"] == "/problems/cursor-unknown" and "without `since`" in problem["detail"]
    return answer


#: Cursors that no model here has; the texts of all but one are also numbers, or begin as one.
FOREIGN = ["deadbeef-1", "1234567e-1", "9999999e-99", "0000000e-1", "12345678-1", "00000000-1", "1e234567-1"]


@pytest.mark.parametrize("cursor", FOREIGN)
def test_a_cursor_is_a_cursor_wherever_it_stands(api: Api, model: str, cursor: str) -> None:
    """A uid that reads as a number is still a uid: in the query, a header, a body and metadata."""
    target = f"/v1/models/{model}"
    gradients = {"w": np.float32([1])}
    metadata = safetensors.numpy.save(gradients, metadata={"based_on": cursor})
    problems = [
        api("GET", f"{target}/parameters?since={cursor}"),
        api("POST", f"{target}/gradients", {"gradients": {"w": [1]}, "based_on": cursor}),
        api("POST", f"{target}/gradients", {"gradients": {"w": [1]}}, X_Paramd_Based_On=cursor),
        api("POST", f"{target}/gradients", metadata, Content_Type=SAFETENSORS),
        api.push_binary(model, gradients, X_Paramd_Based_On=cursor),
    ]
    assert [problem.expect(409).json()["type"] for problem in problems] == ["/problems/cursor-unknown"] * 5
    assert api.get(target).json()["step"] == 0


READS = [
    ("GET", "/parameters", None), ("GET", "/parameters.safetensors", None), ("GET", "", None), ("GET", "/groups", None),
    ("GET", "/groups/default", None), ("GET", "/parameters/w", None), ("POST", "/parameters/w/lookup", {"rows": [0]}),
    ("GET", "/state", None), ("GET", "/lr", None), ("GET", "/weight_decay", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), READS)
def test_every_read_names_its_cursor(api: Api, model: str, method: str, path: str, body: object) -> None:
    """The cursor is in the head, and in a JSON body that contains the version."""
    page = api.get(f"/v1/models/{model}").json()
    answer = api(method, f"/v1/models/{model}{path}", body).expect(200)
    assert answer.headers["x-paramd-cursor"] == f"{page['uid']}-1" == page["cursor"]
    if answer.headers["content-type"] == "application/json" and "version" in answer.json():
        assert answer.json()["cursor"] == page["cursor"]


def test_every_change_names_its_cursor(api: Api, name: str) -> None:
    """Creation, push, import, patch, checkpoint, restore and rollback each return their version's cursor."""
    target = f"/v1/models/{name}"
    uid = (page := api("PUT", target, SGD).expect(201).json())["uid"]
    answers = [
        api("POST", f"{target}/gradients", {"gradients": {"w": [1]}}),
        api("POST", f"{target}/gradients?pull=1", {"gradients": {"w": [1]}}),
        api("PUT", f"{target}/parameters", {"parameters": {"w": [5]}}),
        api("PATCH", target, {"learning_rate": 0.5}),
        api("POST", f"{target}/rollback", {"step": 1}),
    ]
    assert page["cursor"] == f"{uid}-1"
    for version, answer in enumerate(answers, 2):
        assert answer.expect(200).headers["x-paramd-cursor"] == answer.json()["cursor"] == f"{uid}-{version}"
    saved = api("POST", f"{target}/checkpoints").expect(201).json()
    assert saved["cursor"] == f"{uid}-6"
    restored = api("POST", f"{target}/checkpoints/{saved['id']}/restore").expect(200)
    assert restored.json()["cursor"] == f"{uid}-7"
    assert [m["cursor"] for m in api.get(f"/v1/models?prefix={name}").json()["models"]] == [f"{uid}-7"]


@pytest.mark.parametrize("text", ["xyz", "-1", "1.5", "+1", "9007199254740992", "0a0b0c0d-", "-1-1"])
def test_since_is_a_cursor_or_a_version(api: Api, model: str, text: str) -> None:
    """Anything else is refused with both forms in the text."""
    problem = api("GET", f"/v1/models/{model}/parameters?since={text.replace('+', '%2B')}").expect(422).json()
    assert "`cursor`" in problem["detail"] and "version" in problem["detail"]


def test_since_takes_a_cursor(api: Api, model: str) -> None:
    """A cursor works like its number; a 304 and the 202 of a wait carry the cursor too."""
    cursor = cursor_of(api, model)
    for query in (f"since={cursor}", f"since={cursor}&wait=50ms"):
        unchanged = api("GET", f"/v1/models/{model}/parameters?{query}").expect(304)
        assert unchanged.headers["x-paramd-cursor"] == cursor
    waiting = api("GET", f"/v1/models/{model}/parameters?min_step=9&wait=50ms").expect(202)
    assert waiting.json()["cursor"] == cursor
    api.push(model, {"w": [1]})
    assert api.get(f"/v1/models/{model}/parameters?since={cursor}&wait=30s").json()["version"] == 2


@pytest.mark.parametrize("query", ["since=41", "since=41&wait=60s", "since={old}", "since={old}&wait=60s"])
def test_a_cursor_of_another_life_is_told_at_once(api: Api, model: str, query: str) -> None:
    """The earlier model was at version 41; the current one has only version 1."""
    for _ in range(40):
        api.push(model, {"w": [1]})
    old = cursor_of(api, model)
    assert old.endswith("-41")
    api("PUT", f"/v1/models/{model}?replace=1", SGD).expect(201)
    # The connection's own limit is 90 s, the wait's is 60: an immediate answer needs neither.
    refused(api("GET", f"/v1/models/{model}/parameters?{query.format(old=old)}"))


def test_a_cursor_of_another_life_with_a_number_that_was_reached(api: Api, model: str) -> None:
    """Version 1 exists, but it is not the version 1 that the cursor names."""
    old = cursor_of(api, model)
    api("PUT", f"/v1/models/{model}?replace=1", SGD).expect(201)
    api.push(model, {"w": [1]})
    refused(api("GET", f"/v1/models/{model}/parameters?since={old}"))
    assert api.get(f"/v1/models/{model}/parameters?since=1").json()["version"] == 2


def test_a_version_that_has_not_come_yet(api: Api, model: str) -> None:
    """A client that asks for what is newer than a version must have seen that version."""
    uid = cursor_of(api, model).split("-")[0]
    for since in ("2", f"{uid}-2"):
        refused(api("GET", f"/v1/models/{model}/parameters?since={since}&wait=60s"))


@pytest.mark.parametrize("since", ["x-1", "0a1b2c3d-", "0a1b2c3d", "0A1B2C3D-1", "0a1b2c3d-01", "-1"])
def test_what_is_no_cursor(api: Api, model: str, since: str) -> None:
    """Text that is neither a cursor nor a number is 422."""
    api("GET", f"/v1/models/{model}/parameters?since={since}").expect(422)


def test_a_waiting_pull_of_a_replaced_model(api: Api, model: str) -> None:
    """The pull is woken with 409; repeated with the same cursor, it is told to pull without one."""
    cursor = cursor_of(api, model)
    target, answers = f"/v1/models/{model}/parameters?since={cursor}&wait=60s", list[Answer]()
    thread = threading.Thread(target=lambda: answers.append(Api(api.host, api.port)("GET", target)), daemon=True)
    others = waiting(api)
    thread.start()
    until_waiting(api, others + 1)
    api("PUT", f"/v1/models/{model}?replace=1", SGD).expect(201)
    thread.join(30)
    assert answers[0].expect(409).json()["type"] in ("/problems/model-replaced", "/problems/cursor-unknown")
    refused(api("GET", target))


def test_based_on_a_cursor(api: Api, model: str) -> None:
    """The staleness counts updates, not versions; headers and metadata accept a cursor as the body does."""
    cursor = cursor_of(api, model)
    api("PATCH", f"/v1/models/{model}", {"learning_rate": 0.5}).expect(200)
    assert api.push(model, {"w": [1]}, based_on=cursor).json()["staleness"] == 0
    api("PATCH", f"/v1/models/{model}", {"learning_rate": 0.25}).expect(200)
    receipt = api.push(model, {"w": [1]}, based_on=cursor).json()
    assert receipt["staleness"] == 1 and "branch_left" not in receipt
    target, body = f"/v1/models/{model}/gradients", {"gradients": {"w": [1]}}
    assert api("POST", target, body, X_Paramd_Based_On=cursor).expect(200).json()["staleness"] == 2


def test_based_on_a_cursor_of_another_life(api: Api, model: str) -> None:
    """The push is 409, whatever the number, and is not applied."""
    old = cursor_of(api, model)
    uid = api("PUT", f"/v1/models/{model}?replace=1", SGD).expect(201).json()["uid"]
    for based_on in (old, f"{uid}-2"):
        assert "Nothing was applied" in refused(api.push(model, {"w": [1]}, 409, based_on=based_on)).json()["detail"]
    api.push(model, {"w": [1]}, 422, based_on="yesterday")
    assert api.get(f"/v1/models/{model}").json()["step"] == 0


def test_based_on_a_branch_that_was_left(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """Versions 4 and 5 came before the rollback to step 2; the daemon still knows this after a restart."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    uid = api.create("m", SGD).json()["uid"]
    for _ in range(4):
        api.push("m", {"w": [1]})
    api("POST", "/v1/models/m/rollback", {"step": 2}).expect(200)
    for version, left in ((3, False), (4, True), (5, True), (6, False)):
        receipt = api.push("m", {"w": [0]}, based_on=f"{uid}-{version}").json()
        assert receipt.get("branch_left", False) == left, version
        assert receipt["staleness"] >= (1 if left else 0)
    assert daemon.stop() == 0
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    assert api.push("m", {"w": [0]}, based_on=f"{uid}-5").json()["branch_left"] is True
    assert "branch_left" not in api.push("m", {"w": [0]}, based_on=f"{uid}-3").json()


REFUSING: dict[str, tuple[dict[str, Any], str, str]] = {
    "async": ({"mode": "async", "max_staleness": 0}, "stale", "compute the gradient from those parameters"),
    "sync": ({"mode": "sync", "min_pushes": 1}, "round-closed", "push for the round of step 3"),
}


@pytest.mark.parametrize("mode", REFUSING)
def test_refused_because_a_branch_was_left(api: Api, name: str, mode: str) -> None:
    """Four updates, a return to step 1, one update: the steps 3 and 4 of before are not those of the model at step 2.

    A version of the same branch is refused by its age alone.
    """
    consistency, slug, advice = REFUSING[mode]
    uid = api.create(name, {**SGD, "consistency": consistency}).json()["uid"]
    for step in range(4):
        api.push(name, {"w": [1]}, based_on=step)
    api("POST", f"/v1/models/{name}/rollback", {"step": 1}).expect(200)
    api.push(name, {"w": [1]}, based_on=1)
    for version, step in ((4, 3), (5, 4)):
        problem = api.push(name, {"w": [1]}, 409, based_on=f"{uid}-{version}").json()
        assert problem["type"] == f"/problems/{slug}"
        assert [problem[key] for key in ("branch_left", "based_on", "returned_to", "step")] == [True, step, 1, 2]
        assert problem["detail"] == (
            f"The gradient was computed at step {step}, on a branch that the model left when it returned to step 1; "
            f"the model is at step 2. Pull again and {advice}. Nothing was applied."
        )
    old = api.push(name, {"w": [1]}, 409, based_on=f"{uid}-2").json()
    assert old["type"] == f"/problems/{slug}" and "branch_left" not in old and "returned_to" not in old
