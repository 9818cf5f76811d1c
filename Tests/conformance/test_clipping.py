"""Gradients are clipped as in torch, in the documented order, and receipts have both norms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import golden
from support.daemon import Daemon
from support.wire import Api, from_json

CASES = sorted((golden.FOLDER.parent / "clip").glob("*.json"))
SGD: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"v": [1], "w": [0, 0]}}


def test_cases_are_there() -> None:
    """Guards against a run that replays no case."""
    assert len(CASES) == 7


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(api: Api, name: str, path: Path) -> None:
    """Each step's parameters and norms match torch's."""
    case = golden.load(path)
    bound = case["definition"]["clip"].get("global_norm")
    api.create(name, case["definition"])
    for index, step in enumerate(case["steps"]):
        answer = api.push(name, step["gradients"]).json()
        if bound is not None:
            assert answer["grad_norm"] == pytest.approx(step["grad_norm_before_clip"], rel=1e-6)
            assert answer["clipped_grad_norm"] == pytest.approx(min(step["grad_norm_before_clip"], bound), rel=1e-5)
        pulled = api.pull(name)
        for parameter, tensor in step["parameters"].items():
            golden.assert_close(pulled[parameter], golden.array(tensor), f"step {index}, {parameter}")


def test_a_patch_sets_replaces_and_removes_the_bound(api: Api, name: str) -> None:
    """Each push follows the definition of its time; a model without `clip` has no norm after clipping."""
    page = api.create(name, SGD).json()
    assert "clip" not in page["definition"]
    receipts = []
    for patch in ({}, {"clip": {"global_norm": 6.5, "per": "worker"}}, {"clip": {"value": 2}}, {"clip": None}):
        page = api("PATCH", f"/v1/models/{name}", patch).expect(200).json()
        assert page["definition"].get("clip") == patch.get("clip")
        receipts.append(api.push(name, {"v": [3], "w": [4, 12]}).json())
    assert [receipt["grad_norm"] for receipt in receipts] == [13] * 4
    assert "clipped_grad_norm" not in receipts[0] and "clipped_grad_norm" not in receipts[3]
    assert receipts[1]["clipped_grad_norm"] == pytest.approx(6.5, rel=1e-6)
    assert receipts[2]["clipped_grad_norm"] == pytest.approx(12**0.5, rel=1e-12)
    # The gradient times 1, 1/2, and 1 after the bound of 2 for each value.
    np.testing.assert_allclose(api.pull(name)["w"], [-0.5 * (4 + 2 + 2 + 4), -0.5 * (12 + 6 + 2 + 12)], rtol=1e-6)


def test_stages_show_the_order(api: Api, name: str) -> None:
    """With `clip` gradients are unscaled and clipped first, and decay is added as configured; else as in MindSpore."""
    definition = SGD | {"weight_decay": 0.5, "loss_scale": 4, "parameters": {"w": [2, 4]}}
    push = f"/v1/models/{name}/gradients?dry_run=1&stages=1"
    api.create(name, definition)
    stages = api("POST", push, {"gradients": {"w": [12, 16]}}).expect(200).json()["stages"]
    assert list(stages) == ["flatten_gradients", "decay_weight", "gradients_centralization", "scale_grad"]
    assert [from_json(stage["w"]).tolist() for stage in stages.values()] == [[12, 16], [16, 24], [16, 24], [4, 6]]
    scaled = api.get(f"/v1/models/{name}/weight_decay").json()["scaled_weight_decay"]
    assert scaled == {"default": 2}
    api("PATCH", f"/v1/models/{name}", {"clip": {"value": 3.5}}).expect(200)
    run = api("POST", push, {"gradients": {"w": [12, 16]}}).expect(200).json()
    assert list(run["stages"]) == [
        "flatten_gradients",
        "scale_grad",
        "clip_by_value",
        "decay_weight",
        "gradients_centralization",
    ]
    values = [from_json(stage["w"]).tolist() for stage in run["stages"].values()]
    assert values == [[12, 16], [3, 4], [3, 3.5], [4, 5.5], [4, 5.5]]
    assert (run["grad_norm"], run["clipped_grad_norm"]) == (5, pytest.approx(21.25**0.5))
    assert api.get(f"/v1/models/{name}/weight_decay").json()["scaled_weight_decay"] == {"default": 0.5}


def test_rows_named_twice_count_as_their_sum(api: Api, name: str) -> None:
    """As in torch, whose norm is that of the coalesced gradient."""
    definition = {"optimizer": "lazyadam", "clip": {"global_norm": 100}, "parameters": {"e": [[0, 0]] * 3}}
    api.create(name, definition)
    receipt = api.push(name, {"e": {"indices": [2, 2], "values": [[1, 5], [2, -1]]}}).json()
    assert (receipt["grad_norm"], receipt["clipped_grad_norm"]) == (5, 5)
    api.create(f"{name}-b", definition | {"unique": False})
    receipt = api.push(f"{name}-b", {"e": {"indices": [2, 2], "values": [[1, 5], [2, -1]]}}).json()
    assert receipt["grad_norm"] == pytest.approx(31**0.5)


def test_an_overflow_is_skipped_or_refused(api: Api, name: str) -> None:
    """What arrives infinite is refused or skipped as before; what unscaling makes infinite is skipped."""
    infinite = {"w": np.float32([np.inf, 0])}
    api.create(name, SGD | {"clip": {"value": 1}, "loss_scale": 1e-38})
    assert "NaN or infinity" in api.push_binary(name, infinite).expect(422).json()["detail"]
    skipped = [api.push(name, {"w": [1e10, 0]}).json()]
    api("PATCH", f"/v1/models/{name}", {"on_nonfinite": "skip"}).expect(200)
    skipped.append(api.push_binary(name, infinite).expect(200).json())
    for receipt in skipped:
        assert receipt["overflow"] and not receipt["applied"] and receipt["grad_norm"] is None
        assert "clipped_grad_norm" not in receipt
    assert api.pull(name)["w"].tolist() == [0, 0] and api.get(f"/v1/models/{name}").json()["step"] == 0


WRONG: list[tuple[Any, str, str, str]] = [
    (1, "/clip", "TypeError", "must be an object"),
    (None, "/clip", "TypeError", "null"),
    ({}, "/clip", "TypeError", "needs a bound"),
    ({"global_norm": 1, "value": 1}, "/clip/value", "ValueError", "remove `global_norm` or `value`"),
    ({"global_norm": "1"}, "/clip/global_norm", "TypeError", "a number > 0"),
    ({"global_norm": 0}, "/clip/global_norm", "ValueError", "a number > 0"),
    ({"value": -0.5}, "/clip/value", "ValueError", "a number > 0"),
    ({"value": 1, "per": "round"}, "/clip/per", "ValueError", '"update" or "worker"'),
    ({"max_norm": 1}, "/clip/max_norm", "KeyError", "`global_norm`"),
]


@pytest.mark.parametrize(("clip", "pointer", "exception", "words"), WRONG)
def test_mistakes_are_named(api: Api, name: str, clip: Any, pointer: str, exception: str, words: str) -> None:
    """Each says what to write, and nothing is created."""
    refused = api.create(name, SGD | {"clip": clip}, 422).json()
    error = refused["errors"][0]
    assert error["pointer"] == pointer and refused["exception"] == exception
    assert words in refused["detail"] + error.get("detail", "")
    api("GET", f"/v1/models/{name}").expect(404)


def test_another_library_s_word_is_explained(api: Api, name: str) -> None:
    """The name of the setting elsewhere leads to the one here."""
    refused = api.create(name, SGD | {"max_grad_norm": 1}, 422).json()
    assert "`clip`" in refused["detail"]


def test_the_same_definition_with_its_default_written_out(api: Api, name: str) -> None:
    """`per: update` is the default: a repeated creation is recognized, another bound is another definition."""
    api.create(name, SGD | {"clip": {"global_norm": 1}})
    api.create(name, SGD | {"clip": {"per": "update", "global_norm": 1.0}}, 200)
    api.create(name, SGD | {"clip": {"global_norm": 2}}, 409)
    api.create(name, SGD, 409)


def test_receipts_survive_a_restart(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """A retry after a start gets the same norms, from the journal."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api.create("m", SGD | {"clip": {"global_norm": 6.5}})
    first = api.push("m", {"v": [3], "w": [4, 12]}, worker="a", seq=1).json()
    daemon.stop()
    daemon = start(data_dir=tmp_path)
    again = Api(daemon.host, daemon.port).push("m", {"v": [3], "w": [4, 12]}, worker="a", seq=1).json()
    assert again["replayed"] and again["clipped_grad_norm"] == first["clipped_grad_norm"] == pytest.approx(6.5)
