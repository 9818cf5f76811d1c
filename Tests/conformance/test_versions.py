"""The ring of versions that stay readable: how many is a setting, and what is outside it is explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.wire import Answer, Api

SGD = {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0]}}


def version(api: Api, cursor: str) -> Answer:
    """Asks for a version of `m`."""
    return api("GET", f"/v1/models/m/versions/{cursor}/parameters")


def trained(api: Api, pushes: int) -> str:
    """Creates `m`, whose weight at version n is n - 1, and returns its uid."""
    uid: str = api.create("m", SGD).json()["uid"]
    for _ in range(pushes):
        api.push("m", {"w": [-1]})
    return uid


@pytest.mark.parametrize("kept", [1, 3, 7])
def test_the_size_of_the_ring_is_a_setting(start: Callable[..., Daemon], kept: int) -> None:
    """`--limit versions=N` keeps the newest N with their values; earlier ones are 410, which names the oldest."""
    daemon = start("--limit", f"versions={kept}")
    api = Api(daemon.host, daemon.port)
    uid = trained(api, 9)
    setting = api.get("/v1/server").json()["limits"]["versions"]
    assert (setting["value"], setting["origin"]) == (str(kept), "flag")
    oldest = 10 - kept + 1
    for number in range(oldest, 11):
        answer = version(api, f"{uid}-{number}").expect(200)
        assert answer.json()["parameters"]["w"]["data"] == [number - 1]
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for number in range(1, oldest):
        gone = version(api, f"{uid}-{number}").expect(410)
        assert (gone.json()["type"], gone.headers["cache-control"]) == ("/problems/gone", "no-store")
        assert gone.json()["detail"] == (
            f"Version {uid}-{number} is no longer available; the oldest available is {uid}-{oldest}. "
            f"Pull the newest, {uid}-10."
        )


def test_what_is_outside_the_ring(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """A version to come is 404, one of another model is 410, and after a restart the newest is the oldest."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    uid = trained(api, 2)
    early = version(api, f"{uid}-4").expect(404)
    assert (early.json()["type"], early.headers["cache-control"]) == ("/problems/not-found", "no-store")
    assert f"has not reached version {uid}-4; the newest is {uid}-3." in early.json()["detail"]
    foreign = version(api, "deadbeef-1").expect(410).json()
    assert "belongs to another model" in foreign["detail"] and f"the newest, {uid}-3." in foreign["detail"]
    assert "UID-NUMBER" in version(api, "3").expect(404).json()["detail"]
    daemon.stop()
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    version(api, f"{uid}-3").expect(200)
    assert f"the oldest available is {uid}-3." in version(api, f"{uid}-2").expect(410).json()["detail"]
    api.push("m", {"w": [-1]})
    version(api, f"{uid}-3").expect(200)


def test_an_early_answer_does_not_last(start: Callable[..., Daemon]) -> None:
    """The address of a version to come works as soon as the version is there."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    uid = trained(api, 0)
    version(api, f"{uid}-2").expect(404)
    api.push("m", {"w": [-1]})
    assert version(api, f"{uid}-2").expect(200).json()["parameters"]["w"]["data"] == [1]
