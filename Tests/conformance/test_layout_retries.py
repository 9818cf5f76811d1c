"""A push that is sent again after the model's layout has changed: it gets its receipt and has no effect."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Answer, Api

WHOLE = np.array([[1, -2], [3, 4], [0.5, 7]], np.float32)
IDENTITIES = {
    "number": {"X_Paramd_Worker": "a", "X_Paramd_Seq": "1"},
    "key": {"Idempotency_Key": "k-1"},
}
MODES: dict[str, Any] = {"applied": {"mode": "async"}, "held": {"mode": "sync", "workers": 4}}
GROWTH = {"rows": {"e": {"count": 1, "init": "ones"}}, "add": {"late": [0]}}


def in_json(tensor: Any) -> tuple[bytes, str]:
    """A body with the gradient of `e` in one of the JSON forms."""
    return json.dumps({"gradients": {"e": tensor, "b": [2]}}).encode(), "application/json"


def forms(values: np.ndarray) -> dict[str, tuple[bytes, str]]:
    """The same gradients in every form, and rows of them."""
    text = base64.b64encode(values.tobytes()).decode()
    file = safetensors.numpy.save({"e": values, "b": np.array([2], np.float32)})
    return {
        "lists": in_json(values.tolist()),
        "base64": in_json({"b64": text, "shape": list(values.shape), "dtype": "F32"}),
        "safetensors": (file, SAFETENSORS),
        "rows": in_json({"indices": [2, 0], "values": values[[2, 0]].tolist()}),
    }


def grown(api: Api, model: str) -> None:
    """Adds a row and a parameter."""
    api("POST", f"/v1/models/{model}/parameters", GROWTH).expect(200)


def frozen(api: Api, model: str) -> None:
    """Ends the training of a parameter."""
    api("PATCH", f"/v1/models/{model}", {"parameters": {"e": {"trainable": False}}}).expect(200)


def restored(api: Api, model: str) -> None:
    """Returns to the layout of a checkpoint with fewer rows."""
    number = api.get(f"/v1/models/{model}/checkpoints").json()["checkpoints"][0]["id"]
    api("POST", f"/v1/models/{model}/checkpoints/{number}/restore").expect(200)


CHANGES = {"grown": grown, "frozen": frozen, "restored": restored}


def prepare(api: Api, model: str, mode: str, change: str) -> None:
    """Makes a model whose layout the pushes fit; a restore goes back to one with fewer rows."""
    rows = 2 if change == "restored" else 3
    parameters = {"b": [0], "e": {"shape": [rows, 2], "init": "zeros"}}
    definition = {"optimizer": "lazy_adam", "learning_rate": 0.5, "consistency": MODES[mode], "parameters": parameters}
    api.create(model, definition)
    if change == "restored":
        api("POST", f"/v1/models/{model}/checkpoints").expect(201)
        grown(api, model)


def push(api: Api, model: str, body: tuple[bytes, str], identity: str, query: str = "") -> Answer:
    """Sends a push under a number or a key."""
    content, kind = body
    target = f"/v1/models/{model}/gradients{query}"
    return api("POST", target, content, Content_Type=kind, **IDENTITIES[identity])


def facts(answer: Answer) -> dict[str, Any]:
    """What a receipt says of its push, without what depends on the moment of the answer."""
    return {key: value for key, value in answer.json().items() if key in ("applied", "step", "version", "grad_norm")}


def check_again(again: Answer, first: Answer, *, is_dropped: bool, is_dry: bool) -> None:
    """Checks that a retry gets the answer to its first arrival, or is told that the round of the push was dropped."""
    if is_dropped:
        assert again.expect(409).json()["type"] == "/problems/round-dropped"
        return
    assert again.expect(200 if is_dry else first.status).json()["replayed"] is True
    assert facts(again) == facts(first)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", CHANGES)
def test_the_same_bytes_after_a_change_of_the_layout(tmp_path: Path, change: str, mode: str) -> None:
    """In every form, under a number and under a key, also after a kill; a body that differs in one row is refused."""
    bodies = forms(WHOLE)
    others = [forms(WHOLE + np.array(more, np.float32)) for more in ([[1], [0], [0]], [[0], [0], [1]])]
    pairs = [(form, identity) for form in bodies for identity in IDENTITIES]
    is_dropped = change == "restored" and mode == "held"
    daemon = Daemon(data_dir=tmp_path)
    try:
        api = Api(daemon.host, daemon.port)
        firsts = {}
        for form in bodies:
            prepare(api, form, mode, change)
            for identity in IDENTITIES:
                status = 200 if mode == "applied" else 202
                firsts[form, identity] = push(api, form, bodies[form], identity).expect(status)
            CHANGES[change](api, form)
        digests = {form: api.get(f"/v1/models/{form}/state").json()["digest"] for form in bodies}
        for _ in range(2):
            for form, identity in pairs:
                for query in ("", "?dry_run=1"):
                    again = push(api, form, bodies[form], identity, query)
                    check_again(again, firsts[form, identity], is_dropped=is_dropped, is_dry=bool(query))
                    for other in others:
                        refused = push(api, form, other[form], identity, query).expect(422).json()
                        assert refused["type"] == "/problems/key-reused"
            assert digests == {form: api.get(f"/v1/models/{form}/state").json()["digest"] for form in bodies}
            daemon.process.kill()
            daemon.process.wait(30)
            daemon = Daemon(data_dir=tmp_path)
            api = Api(daemon.host, daemon.port)
    finally:
        daemon.process.kill()
        daemon.process.wait(30)


def test_what_no_longer_fits_is_part_of_the_body(api: Api, name: str) -> None:
    """A retry with one gradient more or less is another push, even if the model has nothing to do with it now."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0], "v": [0]}})
    both = {"w": [1, 2], "v": [3]}
    api.push(name, both, worker="a", seq=1)
    api("PATCH", f"/v1/models/{name}", {"parameters": {"v": {"trainable": False}}}).expect(200)
    for gradients in ({"w": [1, 2]}, {**both, "u": [0]}, {"w": [1, 2], "v": None}, {"w": [1, 2], "v": [[3]]}):
        refused = api.push(name, gradients, 422, worker="a", seq=1).json()
        assert refused["type"] == "/problems/key-reused", gradients
    assert api.push(name, dict(reversed(both.items())), worker="a", seq=1).json()["replayed"] is True
    assert api.pull(name)["w"].tolist() == [-1, -2]


def test_a_complete_push_after_a_parameter_was_added(api: Api, name: str) -> None:
    """`complete` was true of the first arrival; the retry is not judged by the parameters that came later."""
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [0, 0]}})
    api.push(name, {"w": [1, 2]}, worker="a", seq=1, complete=True)
    growth = {"rows": {"w": {"count": 1, "init": "zeros"}}, "add": {"v": [0]}}
    api("POST", f"/v1/models/{name}/parameters", growth).expect(200)
    assert api.push(name, {"w": [1, 2]}, worker="a", seq=1, complete=True).json()["replayed"] is True
    problem = api.push(name, {"w": [1, 2, 3]}, 422, worker="a", seq=2, complete=True).json()
    assert problem["errors"][0]["pointer"] == "/gradients/v"
