"""Averages of the parameters: PyTorch's numbers, every way to pull them, and every way to restore them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import golden
from support.daemon import Daemon
from support.faults import run
from support.wire import SAFETENSORS, Answer, Api, from_json

CASES = sorted((golden.FOLDER.parent / "averages").glob("*.json"))
#: Each push of -1 adds 1 to `w` and `b`.
COUNTING: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 1,
    "averages": {"ema": {"decay": 0.5}, "swa": {"start": 2, "every": 2}},
    "parameters": {"w": [[0, 0], [0, 0]], "b": [0], "running": {"data": [7], "trainable": False}},
}


def count(api: Api, model: str, times: int = 1) -> None:
    """Pushes -1 to all parameters."""
    for _ in range(times):
        api.push(model, {"w": [[-1, -1], [-1, -1]], "b": [-1]})


def average(api: Api, model: str, name: str) -> dict[str, np.ndarray]:
    """Pulls an average by JSON."""
    answer = api.get(f"/v1/models/{model}/parameters?average={name}").json()
    assert answer["average"] == name
    return {key: from_json(tensor) for key, tensor in answer["parameters"].items()}


def test_golden_cases_are_there() -> None:
    """Guards against a run that replays no case."""
    assert len(CASES) >= 3


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(api: Api, name: str, path: Path) -> None:
    """Parameters and averages match torch's AveragedModel after every update, by JSON and by safetensors."""
    case = golden.load(path)
    api.create(name, case["definition"])
    for index, step in enumerate(case["steps"]):
        api.push(name, step["gradients"])
        pulled = api.pull(name)
        for parameter, tensor in step["parameters"].items():
            golden.assert_close(pulled[parameter], golden.array(tensor), f"step {index}, {parameter}")
        for kind in case["definition"]["averages"]:
            check_average(api, name, kind, step["averages"].get(kind), f"step {index}, {kind}")


def check_average(api: Api, model: str, kind: str, recorded: dict[str, Any] | None, what: str) -> None:
    """Compares an average with its record; without one it must not have started."""
    if recorded is None:
        api("GET", f"/v1/models/{model}/parameters?average={kind}").expect(409)
        return
    by_json = average(api, model, kind)
    by_file = api.get(f"/v1/models/{model}/parameters.safetensors?average={kind}").tensors()
    assert set(by_json) == set(by_file) == set(recorded)
    for parameter, tensor in recorded.items():
        golden.assert_close(by_json[parameter], golden.array(tensor), f"{what}, {parameter}")
        assert by_json[parameter].tobytes() == by_file[parameter].tobytes()


def test_every_representation(api: Api, name: str) -> None:
    """One tensor, rows, lookup, npy, half precision, shapes, a selection and the answer of a push: all the average."""
    api.create(name, COUNTING)
    count(api, name, 3)
    base, query = f"/v1/models/{name}/parameters", "average=ema"
    assert api.get(f"{base}/w?{query}").json()["data"] == [2.25] * 4
    rows = api.get(f"{base}/w?rows=1&{query}").json()
    assert (rows["data"], rows["average"], rows["average_updates"]) == ([2.25] * 2, "ema", 3)
    assert api("POST", f"{base}/w/lookup?{query}", {"rows": [1, 0]}).expect(200).json()["data"] == [2.25] * 4
    npy = api.get(f"{base}/w.npy?{query}").body
    assert np.frombuffer(npy[-16:], np.float32).tolist() == [2.25] * 4
    file = api.get(f"{base}/w?{query}", Accept=SAFETENSORS)
    assert file.tensors()["w"].tolist() == [[2.25] * 2] * 2
    half = api.get(f"{base}.safetensors?dtype=F16&name=b&{query}").tensors()
    assert set(half) == {"b"} and half["b"].dtype == np.float16 and half["b"].tolist() == [2.25]
    meta = api.get(f"{base}?meta_only=1&{query}").json()
    assert "data" not in meta["parameters"]["w"] and meta["average"] == "ema"
    pushed = (
        api("POST", f"/v1/models/{name}/gradients?pull=1&average=ema", {"gradients": {"b": [-1]}}).expect(200).json()
    )
    assert (pushed["parameters"]["b"]["data"], pushed["receipt"]["step"]) == ([3.125], 4)
    assert pushed["parameters"]["w"]["data"] == [2.625] * 4
    assert api.pull(name)["b"] == [4]


def test_parameters_that_are_not_trained_are_copied(api: Api, name: str) -> None:
    """As torch's AveragedModel does with buffers: each update copies them, an import alone does not."""
    api.create(name, COUNTING)
    count(api, name, 2)
    api("PUT", f"/v1/models/{name}/parameters", {"parameters": {"running": [9]}}).expect(200)
    assert average(api, name, "ema")["running"] == [7]
    count(api, name)
    assert average(api, name, "ema")["running"] == [9] and average(api, name, "swa")["running"] == [7]


def test_tags_and_permanent_names_differ(api: Api, name: str) -> None:
    """An average has its own ETag and Content-Location; a retained version keeps the average that it had."""
    api.create(name, COUNTING)
    count(api, name, 2)
    plain, ema, swa = (api.get(f"/v1/models/{name}/parameters{q}") for q in ("", "?average=ema", "?average=swa"))
    assert len({answer.headers["etag"] for answer in (plain, ema, swa)}) == 3
    api("GET", f"/v1/models/{name}/parameters?average=ema", **{"If-None-Match": ema.headers["etag"]}).expect(304)
    api.get(f"/v1/models/{name}/parameters?average=ema", **{"If-None-Match": plain.headers["etag"]})
    place = ema.headers["content-location"]
    assert place.endswith("/parameters?average=ema")
    tensors = [api.get(f"/v1/models/{name}/parameters/b{q}") for q in ("", "?average=ema")]
    assert tensors[0].headers["etag"] != tensors[1].headers["etag"]
    count(api, name)
    assert api.get(place).json()["parameters"]["b"]["data"] == [1.5]
    assert average(api, name, "ema")["b"] == [2.25]


def test_waiting_for_the_first_update(api: Api, name: str) -> None:
    """Before it 409 with the step; `min_step` waits for it; `since` without a newer version is 304."""
    api.create(name, COUNTING)
    target = f"/v1/models/{name}/parameters?average=swa"
    refused = api("GET", target).expect(409).json()
    assert refused["type"] == "/problems/average-not-started" and "step 2," in refused["detail"]
    cursor = api.get(f"/v1/models/{name}").json()["cursor"]
    api("GET", f"{target}&since={cursor}").expect(304)
    api("GET", f"{target}&min_step=2&wait=10ms").expect(202)
    api.push(name, {"b": [-1]})
    for path in ("parameters/b", "parameters/b.npy", "state", "parameters.safetensors"):
        api("GET", f"/v1/models/{name}/{path}?average=swa").expect(409)
    count(api, name)
    assert api.get(f"{target}&min_step=2&wait=10s").json()["parameters"]["b"]["data"] == [2]


@pytest.mark.parametrize("path", ["parameters", "parameters.safetensors", "parameters/w", "parameters/w.npy", "state"])
def test_unknown_names(api: Api, name: str, path: str) -> None:
    """422 with the nearest name, or with the patch to send; a push that asks for one is not applied."""
    api.create(name, COUNTING | {"averages": {"ema": {}}})
    count(api, name)
    target = f"/v1/models/{name}/{path}?average="
    assert "did you mean `ema`?" in api("GET", f"{target}emma").expect(422).json()["detail"]
    assert '{"averages":{"swa":{}}}' in api("GET", f"{target}swa").expect(422).json()["detail"]
    api("POST", f"/v1/models/{name}/gradients?pull=1&average=swa", {"gradients": {"b": [-1]}}).expect(422)
    api("POST", f"/v1/models/{name}/gradients?average=ema", {"gradients": {"b": [-1]}}).expect(400)
    assert api.get(f"/v1/models/{name}").json()["step"] == 1


def test_the_page_and_patches(api: Api, name: str) -> None:
    """The page has the numbers and counts; a patch adds, changes and removes."""
    page = api.create(name, COUNTING).json()
    assert page["averages"] == {
        "ema": {"decay": 0.5, "start": 0, "updates": 0, "next_update": 1},
        "swa": {"every": 2, "start": 2, "updates": 0, "next_update": 2},
    }
    assert page["definition"]["averages"] == COUNTING["averages"]
    count(api, name, 3)
    patched = api("PATCH", f"/v1/models/{name}", {"averages": {"ema": {"decay": 0.75}, "swa": None}}).expect(200).json()
    assert patched["averages"] == {"ema": {"decay": 0.75, "start": 0, "updates": 3, "next_update": 4}}
    count(api, name)
    assert average(api, name, "ema")["b"] == [2.6875]
    refused = api("PATCH", f"/v1/models/{name}", {"averages": {"swa": {"every": 0}}}).expect(422).json()
    assert refused["errors"][0]["pointer"] == "/averages/swa/every"
    assert "averages" not in api("PATCH", f"/v1/models/{name}", {"averages": None}).expect(200).json()
    api("GET", f"/v1/models/{name}/parameters?average=ema").expect(422)


REFUSED: list[tuple[Any, str, str]] = [
    ({"emma": {}}, "/averages/emma", "did you mean `ema`?"),
    ({"ema": {"deacy": 0.9}}, "/averages/ema/deacy", "did you mean `decay`?"),
    ({"ema": {"decay": 1.01}}, "/averages/ema/decay", "from 0 to 1"),
    ({"swa": {"start": "soon"}}, "/averages/swa/start", "integer"),
    ([], "/averages", "an object"),
    ({"ema": None}, "/averages/ema", "an object"),
]


@pytest.mark.parametrize(("averages", "pointer", "words"), REFUSED)
def test_invalid_averages(api: Api, name: str, averages: Any, pointer: str, words: str) -> None:
    """An invalid definition is 422 with its place, and creates nothing."""
    refused = api.create(name, COUNTING | {"averages": averages}, 422).json()
    assert refused["errors"][0]["pointer"] == pointer and words in refused["detail"]
    api("GET", f"/v1/models/{name}").expect(404)


def test_equal_definitions(api: Api, name: str) -> None:
    """Defaults may be written out; other numbers, or no averages, are another definition."""
    api.create(name, COUNTING | {"averages": {"ema": {}, "swa": {}}})
    written = {"swa": {"every": 1, "start": 0}, "ema": {"start": 0, "decay": 0.999}}
    api.create(name, COUNTING | {"averages": written}, 200)
    api.create(name, COUNTING | {"averages": {"ema": {}}}, 409)
    api.create(name, {key: value for key, value in COUNTING.items() if key != "averages"}, 409)


def test_the_state_of_an_average(api: Api, name: str) -> None:
    """The state has its values under names of their own, and the count; the plain state is what an import takes."""
    api.create(name, COUNTING)
    count(api, name, 3)
    state = api.get(f"/v1/models/{name}/state?average=ema")
    document = state.json()
    assert document["slots"]["b#average.ema"]["data"] == [2.25] and document["average_updates"] == 3
    assert document["scalars"] == {"average.ema#updates": 3}
    plain = api.get(f"/v1/models/{name}/state")
    assert not any("#average" in key for key in plain.json()["slots"])
    assert state.headers["etag"] != plain.headers["etag"] and document["digest"] == plain.json()["digest"]
    file = api.get(f"/v1/models/{name}/state.safetensors?average=ema").tensors()
    assert set(file) == {"w#average.ema", "b#average.ema", "running#average.ema"}
    import_state(api, name, api.get(f"/v1/models/{name}/state.safetensors").body)
    assert average(api, name, "ema")["b"] == [2.25]


def import_state(api: Api, model: str, body: bytes) -> Answer:
    """Uploads a state."""
    return api("PUT", f"/v1/models/{model}/state", body, **{"Content-Type": SAFETENSORS}).expect(200)


def test_checkpoints_and_files(tmp_path: Path) -> None:
    """Restart, `replay`, checkpoint, restore, rollback and a copy by file: the averages return with the same bits."""
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        api.create("m", COUNTING)
        digests = [digest(api, "m")]
        for _ in range(3):
            count(api, "m")
            digests.append(digest(api, "m"))
        number = api("POST", "/v1/models/m/checkpoints", {}).expect(201).json()["id"]
        count(api, "m", 2)
        path = f"/v1/models/m/checkpoints/{number}"
        whole = api.get(f"{path}.safetensors")
        assert whole.tensors()["b#average.ema"] == [2.25] and whole.tensors()["b#average.swa"] == [2]
        for kind, value in (("ema", 2.25), ("swa", 2)):
            part = api.get(f"{path}.safetensors?average={kind}")
            assert {key: tensor.tolist() for key, tensor in part.tensors().items()} == {
                "w": [[value] * 2] * 2,
                "b": [value],
                "running": [7],
            }
            some = api("GET", f"{path}.safetensors?average={kind}", Range="bytes=8-20").expect(206)
            assert some.body == part.body[8:21]
        assert "did you mean `ema`?" in api("GET", f"{path}.safetensors?average=emma").expect(422).json()["detail"]
        api("GET", f"{path}?average=ema").expect(400)
        api("PUT", "/v1/models/copy", whole.body, **{"Content-Type": SAFETENSORS}).expect(201)
        assert average(api, "copy", "ema")["b"] == [2.25] and average(api, "copy", "swa")["b"] == [2]
        count(api, "copy")
        assert average(api, "copy", "ema")["b"] == [3.125]
    for step, wanted in enumerate(digests):
        assert wanted in run("replay", tmp_path, "--model", "m", "--to", str(step)).stdout
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        assert average(api, "m", "ema")["b"] == [4.0625] and average(api, "copy", "ema")["b"] == [3.125]
        page = api("POST", f"{path}/restore").expect(200).json()
        assert {kind: facts["updates"] for kind, facts in page["averages"].items()} == {"ema": 3, "swa": 1}
        assert digest(api, "m") == digests[3] and average(api, "m", "ema")["b"] == [2.25]
        api("POST", "/v1/models/m/rollback", {"step": 1}).expect(200)
        assert digest(api, "m") == digests[1]
        api("GET", "/v1/models/m/parameters?average=swa").expect(409)
        count(api, "m")
        assert average(api, "m", "ema")["b"] == [1.5] and average(api, "m", "swa")["b"] == [2]
    with Daemon(data_dir=tmp_path) as daemon:
        api = Api(daemon.host, daemon.port)
        assert average(api, "m", "ema")["b"] == [1.5] and average(api, "m", "swa")["b"] == [2]


def digest(api: Api, model: str) -> str:
    """The digest of a model's state."""
    return str(api.get(f"/v1/models/{model}/state").json()["digest"])
