"""After a power cut, in modes that do not wait for the disk, no version that was shown gets other content."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.faults import Victim
from support.wire import Api

DEFINITION = {"optimizer": "sgd", "learning_rate": 1.0, "parameters": {"w": [0.0]}}


class Cache:
    """Keeps every version that was shown, as a cache in front of the daemon would."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def pull(self, api: Api, model: str) -> dict:
        """Pulls, and fails if the same tag, cursor or address was seen with other content."""
        answer = api.get(f"/v1/models/{model}/parameters")
        for name in (answer.headers["etag"], answer.headers["content-location"], answer.json()["cursor"]):
            assert self.bodies.setdefault(name, answer.body) == answer.body, f"{name} names two states"
        return {"etag": answer.headers["etag"], **answer.json()}


def push(api: Api, model: str, values: list[float], cache: Cache) -> dict:
    """Pushes each value and pulls after each; returns the last pull."""
    for value in values:
        api.push(model, {"w": [value]})
        shown = cache.pull(api, model)
    return shown


@pytest.mark.parametrize("mode", ["none", "interval"])
def test_a_version_never_names_two_states(tmp_path: Path, mode: str) -> None:
    """The journal loses its tail behind a warm cache, twice; then the daemon changes to synced pushes."""
    place, kept = tmp_path / "data", tmp_path / "kept"
    cache = Cache()
    arguments = ("--durability", "none" if mode == "none" else "interval:60000")
    for round_number in range(3):
        daemon = Victim(place, *(arguments if round_number < 2 else ()))
        api = daemon.api()
        if round_number == 0:
            api.create("m", DEFINITION)
        shown = push(api, "m", [1.0, 2.0], cache)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(place, kept)
        lost = push(api, "m", [10.0 + round_number] * 5, cache)
        daemon.kill()
        if round_number == 2:
            break
        # The segments are as before; the files that the daemon synced beside them are kept.
        for segment in (kept / "journal").glob("segment-*"):
            shutil.copy(segment, place / "journal")
        api = (daemon := Victim(place, *arguments)).api()
        api("GET", "/v1/models/m/parameters", If_None_Match=lost["etag"]).expect(200)
        newest = cache.pull(api, "m")
        assert newest["parameters"]["w"] == shown["parameters"]["w"], "the tail was not lost: nothing is tested"
        assert newest["version"] > lost["version"]
        daemon.kill()


def test_the_uid_of_a_lost_creation_is_not_given_again(tmp_path: Path) -> None:
    """A model is created, shown and lost; the next one of that name has another uid."""
    place, kept = tmp_path / "data", tmp_path / "kept"
    daemon = Victim(place, "--durability", "none")
    api = daemon.api()
    api.create("first", DEFINITION)
    shutil.copytree(place, kept)
    lost = api.create("m", DEFINITION).json()["uid"]
    daemon.kill()
    for segment in (kept / "journal").glob("segment-*"):
        shutil.copy(segment, place / "journal")
    daemon = Victim(place, "--durability", "none")
    assert daemon.api().create("m", DEFINITION).json()["uid"] != lost
    daemon.kill()


def test_a_stop_in_good_order_leaves_no_version_out(tmp_path: Path) -> None:
    """Versions rise by one over a restart, in every mode."""
    for mode in ("none", "interval:60000", "group"):
        place = tmp_path / mode.replace(":", "-")
        daemon = Victim(place, "--durability", mode)
        daemon.api().create("m", DEFINITION)
        version = daemon.api().push("m", {"w": [1]}).json()["version"]
        assert daemon.stop() == 0
        daemon = Victim(place, "--durability", mode)
        assert daemon.api().push("m", {"w": [1]}).json()["version"] == version + 1
        assert daemon.stop() == 0
