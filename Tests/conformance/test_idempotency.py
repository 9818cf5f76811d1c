"""Idempotency-Key: a client can resend every request that changes something until the answer arrives."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Answer, Api, state_of

SGD = {
    "optimizer": {"type": "momentum", "momentum": 0.5},
    "learning_rate": [0.5, 0.25, 0.125, 0.5, 0.5],
    "parameters": {"w": [1, 2], "v": [3]},
}
MODEL = "/v1/models/m"
ROUND = "/v1/models/round"


@dataclass
class Write:
    """A request that changes something, and a different one that must not pass under its key."""

    method: str
    target: str
    body: Any
    status: int
    other_target: str | None = None
    other_body: Any = None

    def send(self, api: Api, key: str, **headers: str) -> Answer:
        """Sends the request under a key."""
        return send(api, self.method, self.target, self.body, Idempotency_Key=key, **headers)

    def send_other(self, api: Api, key: str) -> Answer:
        """Sends the other request under the same key."""
        body = self.other_body if self.other_body is not None else self.body
        return send(api, self.method, self.other_target or self.target, body, Idempotency_Key=key)


def send(api: Api, method: str, target: str, body: Any, **headers: str) -> Answer:
    """Sends arrays as safetensors and anything else as JSON."""
    if isinstance(body, dict) and any(isinstance(value, np.ndarray) for value in body.values()):
        file = safetensors.numpy.save(body, {"global_step": "3"})
        return api(method, target, file, Content_Type=SAFETENSORS, **headers)
    return api(method, target, body, **headers)


def gradients(value: float) -> dict[str, Any]:
    """The body of a push."""
    return {"gradients": {"w": [value, 1]}}


def array(value: float) -> dict[str, np.ndarray]:
    """The same body as safetensors."""
    return {"w": np.array([value, 1], np.float32)}


def slots(value: float) -> dict[str, np.ndarray]:
    """The state of a momentum."""
    return {"w#moments": np.array([value, 1], np.float32), "v#moments": np.array([value], np.float32)}


#: Keyed by the contract's operation; a request that changes something and is missing here fails by name below.
WRITES = {
    "createModel": Write("PUT", "/v1/models/new", SGD, 201, other_body={**SGD, "learning_rate": 1}),
    "replaceModel": Write("PUT", f"{MODEL}?replace=1", SGD, 201, other_target=MODEL),
    "patchModel": Write(
        "PATCH", MODEL, {"learning_rate": {"append": [0.3]}}, 200, other_body={"learning_rate": {"append": [0.4]}}
    ),
    "deleteModel": Write("DELETE", MODEL, None, 204, other_target="/v1/models/other"),
    "patchGroup": Write("PATCH", f"{MODEL}/groups/default", {"lr": 0.5}, 200, other_body={"lr": 0.25}),
    "pushGradients": Write("POST", f"{MODEL}/gradients", gradients(1), 200, other_body=gradients(2)),
    "pushAndPull": Write("POST", f"{MODEL}/gradients?pull=1", array(1), 200, other_body=array(2)),
    "closeRound": Write("POST", f"{ROUND}/step", None, 200, other_target=f"{ROUND}/checkpoints"),
    "importParameters": Write(
        "PUT", f"{MODEL}/parameters", {"parameters": {"v": [7]}}, 200, other_body={"parameters": {"v": [8]}}
    ),
    "growModel": Write("POST", f"{MODEL}/parameters", {"add": {"x": [7]}}, 200, other_body={"add": {"x": [8]}}),
    "importBinary": Write("PUT", f"{MODEL}/parameters", array(7), 200, other_body=array(8)),
    "importState": Write("PUT", f"{MODEL}/state", slots(2), 200, other_body=slots(3)),
    "registerWorker": Write("PUT", f"{MODEL}/workers/a", None, 200, other_target=f"{MODEL}/workers/b"),
    "deleteWorker": Write("DELETE", f"{MODEL}/workers/a", None, 204, other_target=f"{MODEL}/workers/b"),
    "saveCheckpoint": Write("POST", f"{MODEL}/checkpoints", None, 201, other_target=f"{MODEL}/checkpoints/1/restore"),
    "deleteCheckpoint": Write("DELETE", f"{MODEL}/checkpoints/1", None, 204, other_target=f"{MODEL}/checkpoints/2"),
    "restoreCheckpoint": Write(
        "POST", f"{MODEL}/checkpoints/1/restore", None, 200, other_target=f"{MODEL}/checkpoints/2/restore"
    ),
    "reportScalars": Write("POST", f"{MODEL}/scalars", {"scalars": {"a": 1}}, 200, other_body={"scalars": {"a": 2}}),
    "rollbackModel": Write("POST", f"{MODEL}/rollback", {"step": 1}, 200, other_body={"step": 0}),
}

#: Requests with a body that change nothing, or nothing that a second arrival would do again.
READS = {"lookUpRows", "previewLearningRate", "renewLease", "arriveAtBarrier"}
#: Operations that repeat another one under a suffix.
SUFFIXES = ("AsJson", "AsSafetensors", "AsCsv", "AsPlot", "AsSparkline", "File")


@contextmanager
def serving(place: Path, fail: str = "") -> Iterator[tuple[Daemon, Api]]:
    """A daemon on a directory, ended by a kill: every answered change has to be on the disk."""
    if fail:
        os.environ["PARAMD_FAIL"] = fail
    try:
        daemon = Daemon(data_dir=place)
    finally:
        os.environ.pop("PARAMD_FAIL", None)
    try:
        yield daemon, Api(daemon.host, daemon.port)
    finally:
        daemon.process.kill()
        daemon.process.wait(30)


def prepare_round(api: Api, model: str) -> None:
    """A model that holds a push until it is told to step."""
    api.create(model, {**SGD, "consistency": {"mode": "manual"}})
    api.push(model, {"w": [1, 1]}, 202)


def prepare(api: Api) -> None:
    """Two models; `m` has two steps, a registered worker and two checkpoints."""
    for name in ("m", "other"):
        api.create(name, SGD)
    prepare_round(api, "round")
    for _ in range(2):
        api.push("m", {"w": [1, 1]})
        api("POST", f"{MODEL}/checkpoints").expect(201)
    api.push("m", {"w": [1, 1]}, worker="a", seq=1)


def whole_state(api: Api) -> dict[str, bytes]:
    """Everything visible of every model."""
    state = {"list": api.get("/v1/models").body}
    for model in ("m", "new", "other", "round"):
        state |= {f"{model} {view}": body for view, body in state_of(api, model).items()}
        for view in ("workers", "checkpoints"):
            state[f"{model} {view}"] = without_time(api("GET", f"/v1/models/{model}/{view}").body)
    return state


def without_time(body: bytes) -> bytes:
    """Removes the times at which checkpoints were saved and workers seen, because they differ from run to run."""
    return re.sub(rb'"(created|seen_ago)":[^,}]*', b"", body)


def meaning(answer: Answer) -> Any:
    """The body without the members that mark a replay, and without times."""
    if answer.headers.get("content-type") != "application/json":
        return answer.body
    told = answer.json()
    for member in ("replayed", "woken", "durable"):
        told.pop(member, None)
        told.get("receipt", {}).pop(member, None)
    return told


TAGS = ("etag", "location", "x-paramd-step", "x-paramd-version", "x-paramd-cursor")


def assert_again(again: Answer, first: Answer) -> None:
    """Checks that the answer repeats the first one's status, tags and body, and is marked as a replay."""
    again.expect(first.status)
    assert again.headers.get("idempotency-replayed") == "true"
    assert {tag: again.headers.get(tag) for tag in TAGS} == {tag: first.headers.get(tag) for tag in TAGS}
    assert meaning(again) == meaning(first)


def test_every_write_is_exercised(api: Api) -> None:
    """An operation that changes something fails by its name if it takes no key or has no case here."""
    writes = {}
    for path in api.get("/openapi.json").json()["paths"].values():
        for method, operation in path.items():
            if method in ("put", "post", "patch", "delete") and operation["operationId"] not in READS:
                writes[operation["operationId"]] = operation
    names = {name for name in writes if not name.endswith(SUFFIXES)}
    names -= READS | {f"{name}{suffix}" for name in READS for suffix in SUFFIXES}
    assert names - WRITES.keys() == set(), "add them to WRITES"
    contract = api.get("/openapi.json").json()
    for name in writes.keys() - {f"{read}{suffix}" for read in READS for suffix in SUFFIXES}:
        parameters = [resolve(contract, parameter) for parameter in writes[name].get("parameters", [])]
        assert {"Idempotency-Key", "X-Idempotency-Key"} <= {parameter["name"] for parameter in parameters}, name


def resolve(contract: Any, parameter: Any) -> Any:
    """Resolves a reference to a parameter."""
    reference = parameter.get("$ref", "").rpartition("/")[2]
    return contract["components"]["parameters"][reference] if reference else parameter


@pytest.mark.parametrize("name", WRITES)
def test_twice_and_after_a_kill(tmp_path: Path, name: str) -> None:
    """The retry gets the first answer, from memory and from disk, without effect; another request is refused."""
    write = WRITES[name]
    with serving(tmp_path) as (_, api):
        prepare(api)
        first = write.send(api, "k1").expect(write.status)
        assert "idempotency-replayed" not in first.headers
        state = whole_state(api)
        assert_again(write.send(api, '"k1"'), first)
        assert whole_state(api) == state
    with serving(tmp_path) as (_, api):
        assert whole_state(api) == state
        assert_again(write.send(api, "k1"), first)
        if name not in ("replaceModel", "deleteModel"):
            assert write.send_other(api, "k1").expect(422).json()["type"] == "/problems/key-reused"
        assert whole_state(api) == state


POINTS = ["before-log", "after-write", "before-apply", "after-apply"]


@pytest.fixture(scope="module")
def failpoints(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Release builds have no failpoints."""
    try:
        with serving(tmp_path_factory.mktemp("probe"), fail="recovered"):
            pytest.skip("this build of paramd has no failpoints; they are in debug builds only")
    except AssertionError:
        return


@dataclass(frozen=True)
class Done:
    """A request that was answered without a failure: the directory before it, its answer, and the state after it."""

    write: Write
    prepared: Path
    answer: Answer
    state: dict[str, bytes]


@pytest.fixture(scope="module", params=WRITES)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Each request that changes something."""
    write, place = WRITES[request.param], tmp_path_factory.mktemp(request.param)
    with serving(place / "one") as (_, api):
        prepare(api)
    shutil.copytree(place / "one", place / "prepared")
    with serving(place / "one") as (_, api):
        answer = write.send(api, "k1").expect(write.status)
        return Done(write, place / "prepared", answer, whole_state(api))


@pytest.mark.usefixtures("failpoints")
@pytest.mark.parametrize("point", POINTS)
def test_death_on_the_way(tmp_path: Path, done: Done, point: str) -> None:
    """The daemon dies during a request, and the retry leaves the effect of one request."""
    write = done.write
    shutil.copytree(done.prepared, tmp_path / "two")
    with serving(tmp_path / "two", fail=point) as (daemon, api):
        try:
            write.send(api, "k1").expect(write.status)
        except (OSError, http.client.HTTPException):
            daemon.process.wait(30)
    with serving(tmp_path / "two") as (_, api):
        again = write.send(api, "k1").expect(write.status)
        assert {tag: again.headers.get(tag) for tag in TAGS} == {tag: done.answer.headers.get(tag) for tag in TAGS}
        assert_again(write.send(api, "k1"), again)
        assert whole_state(api) == done.state


def test_answers_outlive_snapshots(tmp_path: Path) -> None:
    """Stored answers, also those of deleted models, survive the deletion of journal segments."""
    target = f"{MODEL}/gradients"
    short = ("--snapshot-after", "64K")
    daemon = Daemon(*short, data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0.0] * 256}})
    gone = WRITES["createModel"].send(api, "c").expect(201)
    api("DELETE", "/v1/models/new", Idempotency_Key="d").expect(204)
    first = api("POST", target, {"gradients": {"w": [1.0] * 256}}, Idempotency_Key="p").expect(200)
    for _ in range(300):
        api("POST", target, {"gradients": {"w": [1.0] * 256}}).expect(200)
    assert daemon.stop() == 0
    assert not (tmp_path / "journal/segment-000000000001.journal").exists()
    daemon = Daemon(*short, data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    assert_again(api("POST", target, {"gradients": {"w": [1.0] * 256}}, Idempotency_Key="p"), first)
    assert api("DELETE", "/v1/models/new", Idempotency_Key="d").expect(204).headers["idempotency-replayed"] == "true"
    again = WRITES["createModel"].send(api, "c").expect(201)
    assert again.headers["idempotency-replayed"] == "true" and again.json()["uid"] == gone.json()["uid"]
    assert again.json()["status"] == "gone"
    api("GET", "/v1/models/new").expect(404)
    assert daemon.stop() == 0


def test_the_order_of_members_and_the_other_name(api: Api, name: str) -> None:
    """A body with the same meaning is the same; `X-Idempotency-Key` is an alias; two different keys are 400."""
    api.create(name, SGD)
    target = f"/v1/models/{name}"
    api("PATCH", target, b'{"weight_decay":0.5,"learning_rate":2}', Idempotency_Key="a").expect(200)
    again = api("PATCH", target, b'{"learning_rate":2.0, "weight_decay":0.5}', X_Idempotency_Key="a").expect(200)
    assert again.headers["idempotency-replayed"] == "true" and again.json()["version"] == 2
    both = api("PATCH", target, {"learning_rate": 3}, Idempotency_Key="a", X_Idempotency_Key="b")
    assert both.expect(400).json()["type"] == "/problems/conflicting-keys"
    api("PATCH", target, {"learning_rate": 3}, Idempotency_Key="c", X_Idempotency_Key="c").expect(200)


@pytest.mark.parametrize("key", ["", '""', "x" * 257, "a b", "a\tb"])
def test_what_is_no_key(api: Api, name: str, key: str) -> None:
    """An empty or too long key, or one with a space, is 422, and nothing is applied."""
    api.create(name, SGD)
    refused = api("DELETE", f"/v1/models/{name}", Idempotency_Key=key).expect(422)
    assert "Nothing was applied" in refused.json()["detail"]
    api.get(f"/v1/models/{name}")


def test_a_refused_request_leaves_its_key_free(api: Api, name: str) -> None:
    """The client corrects the request and sends it under the same key."""
    api.create(name, SGD)
    target = f"/v1/models/{name}"
    api("PATCH", target, {"learning_rate": -1}, Idempotency_Key="k").expect(422)
    api("PATCH", target, {"learning_rate": 1}, Idempotency_Key="k", If_Match='"00000000.9.page"').expect(412)
    assert api("PATCH", target, {"learning_rate": 1}, Idempotency_Key="k").expect(200).json()["version"] == 2
    api("DELETE", "/v1/models/is-not-there", Idempotency_Key="k").expect(404)


def test_a_retry_whose_precondition_no_longer_holds(api: Api, name: str) -> None:
    """The first request met the condition and changed the version: the retry gets its answer, not 412."""
    page = api.create(name, SGD)
    tag, target = page.headers["etag"], f"/v1/models/{name}"
    for method, path, body in (
        ("PATCH", "", {"learning_rate": 1}), ("POST", "/gradients", gradients(1)), ("POST", "/rollback", {"step": 0}),
        ("PUT", "/parameters", {"parameters": {"v": [9]}}), ("PUT", "?replace=1", SGD), ("DELETE", "", None),
    ):  # fmt: skip
        headers = {"Idempotency_Key": f"{method}{path}", "If_Match": tag}
        first = api(method, target + path, body, **headers)
        assert first.status < 300, first.body
        assert_again(api(method, target + path, body, **headers), first)
        if method != "DELETE":
            tag = api.get(target).headers["etag"]
    created = api("PUT", target, SGD, Idempotency_Key="new", If_None_Match="*").expect(201)
    assert_again(api("PUT", target, SGD, Idempotency_Key="new", If_None_Match="*"), created)
    api("PUT", target, SGD, If_None_Match="*").expect(412)


def test_a_stored_answer_tells_of_its_own_version(api: Api, name: str) -> None:
    """Other clients continue meanwhile; a pull carries the newest version."""
    api.create(name, SGD)
    target = f"/v1/models/{name}"
    patched = api("PATCH", target, {"weight_decay": 0.5}, Idempotency_Key="k").expect(200)
    pulled = api("POST", f"{target}/gradients?pull=1", gradients(1), Idempotency_Key="p").expect(200)
    for _ in range(6):
        api("PUT", f"{target}/parameters", {"parameters": {"v": [1]}}).expect(200)
    again = api("PATCH", target, {"weight_decay": 0.5}, Idempotency_Key="k").expect(200)
    assert (again.json()["version"], again.headers["etag"]) == (2, patched.headers["etag"])
    again = api("POST", f"{target}/gradients?pull=1", gradients(1), Idempotency_Key="p").expect(200).json()
    assert again["version"] == 9 and again["parameters"]["v"]["data"] == [1]
    assert again["receipt"] == {**pulled.json()["receipt"], "replayed": True, "woken": 0}


def test_the_first_step_in_the_repeated_answer_of_a_creation(tmp_path: Path) -> None:
    """`2.0` is the integer 2, also when version 1 is no longer available and after a kill."""
    body = SGD | {"step": 2.0}
    with serving(tmp_path) as (_, api):
        first = api("PUT", MODEL, body, Idempotency_Key="k").expect(201)
        for _ in range(6):
            api("PUT", f"{MODEL}/parameters", {"parameters": {"v": [1]}}).expect(200)
        again = api("PUT", MODEL, body, Idempotency_Key="k").expect(201)
        assert (again.json()["step"], again.headers["etag"]) == (2, first.headers["etag"])
    with serving(tmp_path) as (_, api):
        again = api("PUT", MODEL, body, Idempotency_Key="k").expect(201)
        assert (again.json()["step"], again.headers["etag"]) == (2, first.headers["etag"])


def test_a_push_with_both_is_judged_by_its_number(api: Api, name: str) -> None:
    """The server ignores the key: another number under the same key is another push."""
    api.create(name, SGD)
    target = f"/v1/models/{name}/gradients"
    for seq in (1, 2):
        body = {**gradients(1), "worker": "a", "seq": seq}
        assert api("POST", target, body, Idempotency_Key="k").expect(200).json()["step"] == seq
    assert api("POST", target, body, Idempotency_Key="other").expect(200).json()["replayed"] is True


def test_keys_belong_to_one_model(api: Api, name: str) -> None:
    """The same key in two models, and for the creation of one of them, identifies three requests."""
    for model in (name, f"{name}-2"):
        api("PUT", f"/v1/models/{model}", SGD, Idempotency_Key=f"create-{model}").expect(201)
        answer = api("POST", f"/v1/models/{model}/gradients", gradients(1), Idempotency_Key=f"create-{name}")
        assert answer.expect(200).json()["replayed"] is False
    problem = api("PUT", f"/v1/models/{name}-3", SGD, Idempotency_Key=f"create-{name}").expect(422).json()
    assert problem["type"] == "/problems/key-reused"


def test_limits(start: Callable[..., Daemon]) -> None:
    """`/v1/server` shows the settings `keys` and `key-lifetime`: after its lifetime a key is new."""
    daemon = start("--limit", "keys=2", "--limit", "key-lifetime=1s")
    api = Api(daemon.host, daemon.port)
    limits = api.get("/v1/server").json()["limits"]
    assert (limits["keys"]["value"], limits["key-lifetime"]["value"]) == ("2", "1s")
    api.create("m", {**SGD, "learning_rate": 1})
    for key in ("a", "b", "c"):
        api("POST", f"{MODEL}/gradients", gradients(1), Idempotency_Key=key).expect(200)
    time.sleep(2.5)
    assert api("POST", f"{MODEL}/gradients", gradients(1), Idempotency_Key="a").json()["step"] == 4


@pytest.mark.parametrize("keys", [1, 2, 15])
def test_a_small_window_forgets_no_key(start: Callable[..., Daemon], keys: int) -> None:
    """However few answers are kept, a request whose answer was dropped is refused and not executed again."""
    daemon = start("--limit", f"keys={keys}")
    api = Api(daemon.host, daemon.port)
    api.create("m", {**SGD, "learning_rate": 1})
    for number in range(keys + 1):
        api("POST", f"{MODEL}/gradients", gradients(1), Idempotency_Key=f"k-{number}").expect(200)
    problem = api("POST", f"{MODEL}/gradients", gradients(1), Idempotency_Key="k-0").expect(409).json()
    assert problem["type"] == "/problems/receipt-forgotten"
    again = api("POST", f"{MODEL}/gradients", gradients(1), Idempotency_Key="k-1").expect(200)
    assert again.json()["replayed"] is True and api.get(MODEL).json()["step"] == keys + 1


def test_the_key_of_a_checkpoint_expires(start: Callable[..., Daemon]) -> None:
    """A file saved under an expired key is no answer: the current state is saved under another number."""
    daemon = start("--limit", "key-lifetime=1s")
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD)
    first = api("POST", f"{MODEL}/checkpoints", Idempotency_Key="k").expect(201).json()
    api("POST", f"{MODEL}/gradients", gradients(1)).expect(200)
    time.sleep(2.5)
    second = api("POST", f"{MODEL}/checkpoints", Idempotency_Key="k").expect(201).json()
    assert (second["id"], second["step"]) == (first["id"] + 1, first["step"] + 1)
