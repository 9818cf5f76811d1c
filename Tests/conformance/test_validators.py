"""ETags of all answers that belong to a version: one tag, one sequence of bytes."""

from __future__ import annotations

import pytest
from support.wire import SAFETENSORS, Api

VIEWS = ["", "/parameters", "/parameters/w", "/parameters/w?rows=0", "/parameters/w.npy", "/groups"]
VIEWS += ["/groups/default", "/state", "/state.safetensors", "/parameters.safetensors"]
READERS = {"curl": {"User_Agent": "curl/8"}, "program": {}, "binary": {"Accept": SAFETENSORS}}


@pytest.mark.parametrize("view", VIEWS)
def test_tags_tell_bytes_apart(api: Api, demo: str, view: str) -> None:
    """Equal tags mean equal bytes for every client, and caches learn what the answer depends on."""
    bodies: dict[str, bytes] = {}
    vary = []
    for headers in READERS.values():
        answer = api("GET", f"/v1/models/{demo}{view}", **headers)
        if answer.status == 406:
            continue
        assert bodies.setdefault(answer.headers["etag"], answer.body) == answer.body
        assert answer.headers["etag"].startswith('"')
        vary.append(answer.headers.get("vary", ""))
    assert bodies
    if len(bodies) > 1:
        assert all("User-Agent" in names for names in vary)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("reader", ["curl", "program"])
def test_not_modified(api: Api, demo: str, view: str, reader: str) -> None:
    """The answer is 304 without a body while the version is current, and 200 after a push."""
    target, headers = f"/v1/models/{demo}{view}", READERS[reader]
    tag = api.get(target, **headers).headers["etag"]
    unchanged = api("GET", target, If_None_Match=f'"x", {tag}', **headers).expect(304)
    assert (unchanged.body, unchanged.headers["etag"]) == (b"", tag)
    assert api("HEAD", target, **headers).headers["etag"] == tag
    api.push(demo, {"w": [1, 1]})
    assert api("GET", target, If_None_Match=tag, **headers).expect(200).headers["etag"] != tag


def test_state_has_a_tag_for_each_digest(api: Api, demo: str) -> None:
    """A registration makes no version, but the state's digest counts it."""
    before = api.get(f"/v1/models/{demo}/state")
    api("PUT", f"/v1/models/{demo}/workers/w1", {}).expect(200)
    after = api.get(f"/v1/models/{demo}/state")
    assert before.json()["version"] == after.json()["version"]
    assert before.json()["digest"] != after.json()["digest"]
    assert before.headers["etag"] != after.headers["etag"]
