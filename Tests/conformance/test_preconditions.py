"""If-Match and If-None-Match on requests that change a model: lists, `*`, and two writers with one tag."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.daemon import Daemon
from support.wire import Answer, Api, state_of

#: Each way to change the model called `{}`, as method, path and body.
WRITES = {
    "patch": ("PATCH", "", {"learning_rate": 0.25}),
    "group": ("PATCH", "/groups/default", {"lr": 0.25}),
    "import": ("PUT", "/parameters", {"parameters": {"w": [5, 6]}}),
    "replace": ("PUT", "?replace=1", {"optimizer": "sgd", "parameters": {"w": [7, 8]}}),
    "delete": ("DELETE", "", None),
}


def write(api: Api, model: str, kind: str, *tags: str) -> Answer:
    """Sends the change on the condition that the model is at one of the tags."""
    method, path, body = WRITES[kind]
    headers = {"If_Match": ", ".join(tags)} if tags else {}
    return api(method, f"/v1/models/{model}{path}", body, **headers)


@pytest.fixture
def moved(api: Api, demo: str) -> tuple[str, str, str]:
    """A model that has made a step, with its earlier and its current tag."""
    old = api.get(f"/v1/models/{demo}").headers["etag"]
    api.push(demo, {"w": [1, 1]})
    return demo, old, api.get(f"/v1/models/{demo}/parameters").headers["etag"]


@pytest.mark.parametrize("kind", WRITES)
def test_stale_tags(api: Api, moved: tuple[str, str, str], kind: str) -> None:
    """The answer is 412, and the model is unchanged."""
    model, old, _ = moved
    page = api.get(f"/v1/models/{model}").json()
    for tags in ([old], ['"x"', old], ['"00000000.2.page"'], ['W/"' + page["uid"] + '.2.page"']):
        problem = write(api, model, kind, *tags).expect(412).json()
        assert "othing was" in problem["detail"]
    assert api.get(f"/v1/models/{model}").json() == page


def test_a_weak_tag_says_where_it_comes_from(api: Api, moved: tuple[str, str, str]) -> None:
    """If-Match compares strongly, If-None-Match weakly: RFC 9110, section 8.8.3.2."""
    model, _, new = moved
    assert "a proxy that compresses" in write(api, model, "patch", f"W/{new}").expect(412).json()["detail"]
    api("GET", f"/v1/models/{model}/parameters", If_None_Match=f"W/{new}").expect(304)


@pytest.mark.parametrize("kind", WRITES)
def test_one_tag_of_a_list_is_enough(api: Api, moved: tuple[str, str, str], kind: str) -> None:
    """The tag may be anywhere in the list, and from any representation."""
    model, old, new = moved
    assert write(api, model, kind, '"x"', old, new).status in (200, 201, 204)


@pytest.mark.parametrize("kind", WRITES)
def test_any_tag(api: Api, demo: str, name: str, kind: str) -> None:
    """`*` requires only that a model exists."""
    assert write(api, f"{name}-absent", kind, "*").status == (412 if kind == "replace" else 404)
    assert write(api, demo, kind, "*").status in (200, 201, 204)


def test_same_definition_of_another_version(api: Api, demo: str) -> None:
    """The precondition is checked before the comparison of the definitions."""
    body = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 0]}}
    tag = api.get(f"/v1/models/{demo}").headers["etag"]
    api("PUT", f"/v1/models/{demo}", body, If_Match=tag).expect(200)
    api.push(demo, {"w": [1, 1]})
    api("PUT", f"/v1/models/{demo}", body, If_Match=tag).expect(412)


@pytest.mark.parametrize("kind", ["patch", "import"])
def test_one_of_many_writers_with_one_tag(api: Api, demo: str, kind: str) -> None:
    """The model itself decides, so exactly one writer succeeds."""
    tag = api.get(f"/v1/models/{demo}").headers["etag"]

    def attempt(_: int) -> int:
        client = Api(api.host, api.port)
        status = write(client, demo, kind, tag).status
        client.close()
        return status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(attempt, range(16)))
    assert statuses == [200] + [412] * 15
    assert api.get(f"/v1/models/{demo}").json()["version"] == 2


def test_conditional_import_survives_a_restart(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """An applied import is applied again, a refused one is not."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "sgd", "parameters": {"w": [0, 0]}})
    tag = api.get("/v1/models/m").headers["etag"]
    write(api, "m", "import", '"x"', tag).expect(200)
    write(api, "m", "import", tag).expect(412)
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    np.testing.assert_array_equal(api.pull("m")["w"], [5, 6])
    assert api.get("/v1/models/m").json()["version"] == 2
    api.close()


def test_every_change_knows_if_match(api: Api, demo: str) -> None:
    """RFC 9110, section 13.1.1: a request whose condition is false is not performed."""
    api.push(demo, {"w": [1, 1]})
    checkpoint = api("POST", f"/v1/models/{demo}/checkpoints").json()["id"]
    current = api.get(f"/v1/models/{demo}").headers["etag"]
    before = state_of(api, demo)
    changes = [
        (f"/v1/models/{demo}/gradients", {"gradients": {"w": [1, 1]}}),
        (f"/v1/models/{demo}/rollback", {"step": 0}),
        (f"/v1/models/{demo}/checkpoints/{checkpoint}/restore", {}),
    ]
    for target, body in changes:
        api("POST", target, body, If_Match='"x"').expect(412)
    assert state_of(api, demo) == before
    api("POST", *changes[0], If_Match=current).expect(200)
    api("POST", *changes[0], If_Match=current).expect(412)
