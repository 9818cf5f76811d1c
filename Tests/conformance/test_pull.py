"""Pulls: JSON, safetensors, npy, selections, ETags, waiting."""

from __future__ import annotations

import base64
import io
import re
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import SAFETENSORS, Answer, Api, raw_answer, raw_socket, until_waiting, waiting

PARAMETERS = {"conv/kernel:0": [[1, 2], [3, 4], [5, 6]], "bias": [0.1, -0.0, 1e-45]}


@pytest.fixture
def model(api: Api, name: str) -> str:
    """Two groups, a name with a slash and a colon, and values that are difficult to print."""
    groups = [{"name": "conv", "params": ["conv*"]}, {"name": "rest", "params": ["*"]}]
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": PARAMETERS, "groups": groups})
    return name


def test_json(api: Api, model: str) -> None:
    """The answer has model, step, version, and tensors in the flat form that parse to the same float32."""
    answer = api.get(f"/v1/models/{model}/parameters")
    body = answer.json()
    assert (body["model"], body["step"], body["version"]) == (model, 0, 1)
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.body.endswith(b"\n")
    for name, value in api.pull(model).items():
        assert value.tobytes() == np.float32(PARAMETERS[name]).tobytes()


def test_shortest_floats(api: Api, model: str) -> None:
    """0.1 is printed as 0.1, not with the sixteen digits of its double."""
    assert b"0.1" in api.get(f"/v1/models/{model}/parameters?name=bias").body
    assert b"0.10000000" not in api.get(f"/v1/models/{model}/parameters?name=bias").body


def test_curl_gets_indented_json(api: Api, model: str) -> None:
    """People read the output of curl."""
    curl = api.get(f"/v1/models/{model}/lr", User_Agent="curl/7.88.1").body
    other = api.get(f"/v1/models/{model}/lr").body
    assert b"\n  " in curl and b"\n  " not in other and other.endswith(b"\n")


@pytest.mark.parametrize("how", ["suffix", "accept", "octet-stream"])
def test_safetensors(api: Api, model: str, how: str) -> None:
    """The suffix and Accept give the same bytes; the header is padded so that data starts on a multiple of 8."""
    target = f"/v1/models/{model}/parameters"
    accept = {"accept": SAFETENSORS, "octet-stream": "application/octet-stream"}
    answer = api.get(target + ".safetensors") if how == "suffix" else api.get(target, Accept=accept[how])
    assert int.from_bytes(answer.body[:8], "little") % 8 == 0
    assert {name: value.tobytes() for name, value in answer.tensors().items()} == {
        name: np.float32(value).tobytes() for name, value in PARAMETERS.items()
    }


def test_suffix_beats_accept(api: Api, model: str) -> None:
    """`.json` is JSON whatever Accept says."""
    answer = api.get(f"/v1/models/{model}/parameters.json", Accept=SAFETENSORS)
    assert answer.headers["content-type"].startswith("application/json")


def test_nothing_acceptable(api: Api, model: str) -> None:
    """A type that pulls do not support is 406."""
    api("GET", f"/v1/models/{model}/parameters", Accept="image/png").expect(406)


def test_selection(api: Api, model: str) -> None:
    """A pull selects by group, by glob or by several globs; an unknown group is 404."""
    assert list(api.pull(model, "?group=conv")) == ["conv/kernel:0"]
    assert list(api.pull(model, "?name=b*")) == ["bias"]
    assert list(api.pull(model, "?name=b*&name=conv*")) == ["conv/kernel:0", "bias"]
    api("GET", f"/v1/models/{model}/parameters?group=konv").expect(404)


def test_one_tensor(api: Api, model: str) -> None:
    """A name is percent-decoded once, so `/` inside it is `%2F`; `.npy` opens in NumPy."""
    target = f"/v1/models/{model}/parameters/conv%2Fkernel:0"
    tensor = api.get(target).json()
    assert (tensor["shape"], tensor["data"]) == ([3, 2], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(np.load(io.BytesIO(api.get(target + ".npy").body)), PARAMETERS["conv/kernel:0"])


def test_rows(api: Api, model: str) -> None:
    """Single rows and ranges that include their end."""
    target = f"/v1/models/{model}/parameters/conv%2Fkernel:0"
    assert api.get(target + "?rows=0,2").json()["data"] == [1, 2, 5, 6]
    assert api.get(target + "?rows=1-2").json()["data"] == [3, 4, 5, 6]
    api("GET", target + "?rows=3").expect(422)


def test_unknown_tensor_names_the_nearest(api: Api, model: str) -> None:
    """The answer is 404 and suggests the nearest name."""
    assert "bias" in api("GET", f"/v1/models/{model}/parameters/bais").expect(404).json()["detail"]


def test_half_precision_and_base64(api: Api, model: str) -> None:
    """`dtype=F16` halves the bytes; `encoding=b64` is for clients that support only JSON."""
    halves = api.get(f"/v1/models/{model}/parameters.safetensors?dtype=F16").tensors()
    assert halves["conv/kernel:0"].dtype == np.float16
    tensor = api.get(f"/v1/models/{model}/parameters?encoding=b64&name=conv*").json()["parameters"]["conv/kernel:0"]
    assert np.frombuffer(base64.b64decode(tensor["b64"]), "<f4").tolist() == [1, 2, 3, 4, 5, 6]
    assert tensor["dtype"] == "F32"


def test_meta_only(api: Api, model: str) -> None:
    """The answer has shapes without data."""
    tensor = api.get(f"/v1/models/{model}/parameters?meta_only=1").json()["parameters"]["bias"]
    assert tensor["shape"] == [3] and "data" not in tensor


def test_head(api: Api, model: str) -> None:
    """The answer has the headers of the GET, and no body."""
    head, get = (api(method, f"/v1/models/{model}/parameters") for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["x-paramd-version"] == "1"


def test_head_sends_no_bytes(start: Callable[..., Daemon]) -> None:
    """The counter of sent bytes counts what is sent: between two of its answers, only the first of them."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "sgd", "parameters": PARAMETERS})
    before = api.get("/v1/server")
    api("HEAD", "/v1/models/m/parameters.safetensors").expect(200)
    after = api.get("/v1/server").json()["network"]["sent_bytes"]
    assert after - before.json()["network"]["sent_bytes"] == len(before.body)


def test_etag(api: Api, model: str) -> None:
    """The tag is strong: 304 while it matches, another tag after a push and for each representation and selection."""
    target = f"/v1/models/{model}/parameters"
    etag = api.get(target).headers["etag"]
    assert etag.startswith('"')
    unchanged = api("GET", target, If_None_Match=etag).expect(304)
    assert (unchanged.body, unchanged.headers["etag"], unchanged.headers["x-paramd-version"]) == (b"", etag, "1")
    api("GET", target, If_None_Match=f'"x", {etag}').expect(304)
    api("GET", target, If_None_Match="*").expect(304)
    others = {api.get(target + rest).headers["etag"] for rest in (".safetensors", "?group=conv", "?encoding=b64")}
    assert len(others | {etag}) == 4
    api.push(model, {"bias": [1, 1, 1]})
    api("GET", target, If_None_Match=etag).expect(200)


def test_version_by_uid_is_cacheable(api: Api, model: str) -> None:
    """Every pull names its immutable URL in Content-Location."""
    location = api.get(f"/v1/models/{model}/parameters").headers.get("content-location")
    answer = api.get(location)
    assert answer.json()["version"] == 1
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("query", ["?meta_only", "?meta_only=true&name=bias", "?n%61me=bias", "?since=0&group=conv"])
def test_a_permanent_name_repeats_the_selection(api: Api, model: str, query: str) -> None:
    """However the arguments are written; the condition is left out."""
    pulled = api("GET", f"/v1/models/{model}/parameters{query}").expect(200)
    again = api("GET", pulled.headers["content-location"]).expect(200)
    assert (again.body, again.headers["etag"]) == (pulled.body, pulled.headers["etag"])
    assert "since" not in pulled.headers["content-location"].partition("?")[2]


def wait_in_thread(api: Api, target: str) -> tuple[threading.Thread, list[Answer]]:
    """Sends a GET that will be parked, from a thread with its own connection."""
    answers: list[Answer] = []

    def run() -> None:
        client = Api(api.host, api.port)
        answers.append(client("GET", target))
        client.close()

    thread, others = threading.Thread(target=run), waiting(api)
    thread.start()
    until_waiting(api, others + 1)
    return thread, answers


def test_a_permanent_name_keeps_its_content(api: Api, model: str) -> None:
    """A pull's Content-Location answers with the same bytes after further pushes, as JSON and as safetensors."""
    pulls = {
        suffix: api("GET", f"/v1/models/{model}/parameters{suffix}").expect(200) for suffix in (".json", ".safetensors")
    }
    for _ in range(3):
        api.push(model, {"bias": [1, 0, 0]})
        for pulled in pulls.values():
            again = api("GET", pulled.headers["content-location"]).expect(200)
            assert again.body == pulled.body and again.headers["etag"] == pulled.headers["etag"]
            assert "immutable" in again.headers["cache-control"]
    api.push(model, {"bias": [1, 0, 0]})
    gone = api("GET", pulls[".json"].headers["content-location"]).expect(410).json()
    assert re.search(r"newest, [0-9a-f]{8}-5\.", gone["detail"])


def test_since_answers_at_once_when_there_is_something_newer(api: Api, model: str) -> None:
    """The answer is 304 when nothing is newer and the client does not wait."""
    api.get(f"/v1/models/{model}/parameters?since=0&wait=30s")
    answer = api("GET", f"/v1/models/{model}/parameters?since=1").expect(304)
    assert answer.headers["x-paramd-version"] == "1" and answer.headers["etag"]


@pytest.mark.parametrize("wait", ["100ms", "0.1", "0"])
def test_wait_that_runs_out(api: Api, model: str, wait: str) -> None:
    """The answer is 304 when the time is up."""
    api("GET", f"/v1/models/{model}/parameters?since=1&wait={wait}").expect(304)


def test_wait_wakes_on_a_push(api: Api, model: str) -> None:
    """The next version answers a parked pull, and the receipt counts it."""
    thread, answers = wait_in_thread(api, f"/v1/models/{model}/parameters?since=1&wait=30s")
    assert api.push(model, {"bias": [1, 0, 0]}).json()["woken"] == 1
    thread.join(10)
    assert answers[0].expect(200).json()["version"] == 2


def test_wait_wakes_on_a_change_by_patch(api: Api, model: str) -> None:
    """Any visible change raises the version."""
    thread, answers = wait_in_thread(api, f"/v1/models/{model}/parameters?since=1&wait=30s")
    api("PATCH", f"/v1/models/{model}", {"learning_rate": 0.5}).expect(200)
    thread.join(10)
    assert answers[0].expect(200).json()["version"] == 2


def test_delete_wakes_with_404(api: Api, model: str) -> None:
    """A parked pull is 404 when its model is deleted."""
    thread, answers = wait_in_thread(api, f"/v1/models/{model}/parameters?since=1&wait=30s")
    api("DELETE", f"/v1/models/{model}").expect(204)
    thread.join(10)
    answers[0].expect(404)


def test_prefer_wait(api: Api, model: str) -> None:
    """`Prefer: wait=30` equals `wait=30s`; here it runs out after a second."""
    began = time.monotonic()
    api("GET", f"/v1/models/{model}/parameters?since=1", Prefer="wait=1").expect(304)
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize(
    ("wish", "applied"),
    [
        ("wait=1000", "wait=300"),
        ('wait="20"', "wait=20"),
        ("wait = 20", "wait=20"),
        ("WAIT=20; foo=bar", "wait=20"),
        ('respond-async, x="a,wait=1;b", wait=20, wait=30', "wait=20"),
        ("wait=soon", None),
        ("wait=-1", None),
        ("wait", None),
        (";,=,", None),
        ("handling=lenient", None),
    ],
)
def test_prefer_is_a_wish(api: Api, model: str, wish: str, applied: str | None) -> None:
    """RFC 7240, section 2: an unsupported wish is ignored or shortened, and the answer says what was applied."""
    answer = api.get(f"/v1/models/{model}/parameters", Prefer=wish)
    assert answer.headers.get("preference-applied") == applied


def test_prefer_on_several_lines(api: Api, model: str) -> None:
    """Several lines form one list."""
    with raw_socket(api) as connection:
        head = f"GET /v1/models/{model}/parameters?since=1 HTTP/1.1\r\nHost: localhost\r\n"
        connection.sendall(f"{head}Prefer: respond-async\r\nPrefer: foo, wait=0\r\n\r\n".encode())
        assert raw_answer(connection).expect(304).headers["preference-applied"] == "wait=0"


def test_min_step(api: Api, model: str) -> None:
    """The pull waits for a step, and is 202 when the time is up."""
    api("GET", f"/v1/models/{model}/parameters?min_step=1&wait=100ms").expect(202)
    api.push(model, {"bias": [1, 0, 0]})
    assert api.get(f"/v1/models/{model}/parameters?min_step=1&wait=10s").json()["step"] == 1


@pytest.mark.parametrize("query", ["wait=6m", "wait=301s", "wait=x", "wait=-1", "since=x", "since=-1", "dtype=F8"])
def test_queries_out_of_range(api: Api, model: str, query: str) -> None:
    """The answer is 422, with a sentence that says which values are valid."""
    assert api("GET", f"/v1/models/{model}/parameters?{query}").expect(422).json()["detail"]
