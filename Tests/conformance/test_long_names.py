"""Names of a million characters are refused before any lookup, by an answer of a readable length."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from support.wire import Answer, Api

SGD: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.1, "parameters": {"w": [0, 0]}}
LONG = 1_000_000

#: The places of a name or a word in a definition, with NAME for it.
DEFINITIONS: dict[str, dict[str, Any]] = {
    "optimizer": {"optimizer": "NAME"},
    "optimizer with a prefix": {"optimizer": "torch.NAME"},
    "type": {"optimizer": {"type": "NAME"}},
    "framework": {"optimizer": {"type": "sgd", "framework": "NAME"}},
    "hyperparameter": {"optimizer": {"type": "sgd", "NAME": 1}},
    "optimizer inside": {"optimizer": {"type": "lars", "optimizer": "NAME"}},
    "member": {"NAME": 1},
    "schedule": {"learning_rate": {"schedule": "NAME"}},
    "argument of a schedule": {"learning_rate": {"schedule": "warmup_lr", "NAME": 1}},
    "learning rate": {"learning_rate": "NAME"},
    "initializer": {"parameters": {"w": {"shape": [2], "init": "NAME"}}},
    "type of an initializer": {"parameters": {"w": {"shape": [2], "init": {"type": "NAME"}}}},
    "parameter": {"parameters": {"NAME": [1]}},
    "field of a parameter": {"parameters": {"w": {"shape": [2], "NAME": 1}}},
    "dtype": {"parameters": {"w": {"data": [1, 2], "dtype": "NAME"}}},
    "group": {"groups": [{"name": "NAME", "params": ["w"]}]},
    "member of a group": {"groups": [{"params": ["w"], "NAME": 1}]},
    "parameter of a group": {"groups": [{"params": ["NAME"]}]},
    "glob": {"groups": [{"params": ["NAME*"]}]},
    "order": {"groups": [{"params": ["w"]}, {"order_params": ["NAME"]}]},
    "past_end": {"past_end": "NAME"},
    "target": {"target": "NAME"},
    "loss scaling": {"loss_scaling": {"type": "NAME"}},
    "consistency": {"consistency": {"mode": "NAME"}},
}

#: The places in other bodies: method, path under the model, body.
BODIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "patched group": ("PATCH", "", {"groups": {"NAME": {"lr": 1}}}),
    "patched group by name": ("PATCH", "", {"groups": [{"name": "NAME", "lr": 1}]}),
    "patched schedule": ("PATCH", "", {"learning_rate": {"schedule": "NAME"}}),
    "gradient": ("POST", "/gradients", {"gradients": {"NAME": [1, 1]}}),
    "member of a push": ("POST", "/gradients", {"gradients": {"w": [1, 1]}, "NAME": 1}),
    "worker": ("POST", "/gradients", {"gradients": {"w": [1, 1]}, "worker": "NAME", "seq": 1}),
    "cursor": ("POST", "/gradients", {"gradients": {"w": [1, 1]}, "based_on": "NAME"}),
    "import": ("PUT", "/parameters", {"parameters": {"NAME": [1, 1]}}),
    "checkpoint": ("POST", "/checkpoints", {"name": "NAME"}),
}


def refused(api: Api, method: str, path: str, body: dict[str, Any], name: str) -> Answer:
    """Checks that a body with this name is refused quickly and with a short answer."""
    text = json.dumps(body, ensure_ascii=False).replace("NAME", name).encode()
    start = time.monotonic()
    answer = api(method, path, text, Content_Type="application/json")
    assert answer.status in (400, 404, 409, 422), answer
    # Reading takes some 20 ms; lookups took 3 to 8 seconds.
    assert time.monotonic() - start < 2
    assert len(answer.body) < 8192, answer.body[:200]
    return answer


@pytest.mark.parametrize("letter", ["x", "\u00e9", "_"], ids=ascii)
@pytest.mark.parametrize("place", DEFINITIONS)
def test_in_a_definition(api: Api, name: str, place: str, letter: str) -> None:
    """The daemon continues and has created nothing."""
    for length in (LONG, 3000):
        refused(api, "PUT", f"/v1/models/{name}", {**SGD, **DEFINITIONS[place]}, letter * length)
    api("GET", f"/v1/models/{name}").expect(404)


@pytest.mark.parametrize("place", BODIES)
def test_in_another_body(api: Api, demo: str, place: str) -> None:
    """The model is unchanged."""
    method, path, body = BODIES[place]
    before = api.get(f"/v1/models/{demo}").body
    for length in (LONG, 3000):
        refused(api, method, f"/v1/models/{demo}{path}", body, "x" * length)
    assert api.get(f"/v1/models/{demo}").body == before


@pytest.mark.parametrize(
    "path", ["/lr?param=NAME", "/lr?group=NAME", "/parameters?name=NAME", "/parameters/NAME", "/NAME", "?NAME=1"]
)
def test_in_a_target(api: Api, demo: str, path: str) -> None:
    """A target has its own limit; a name below it gets a short answer too."""
    answer = api("GET", f"/v1/models/{demo}{path}".replace("NAME", "x" * 4000))
    assert answer.status in (400, 404, 422), answer
    assert len(answer.body) < 2048, answer.body[:200]


def test_the_longest_name_is_told_whole(api: Api, name: str) -> None:
    """A parameter may have a name of 256 characters, and the answer shows it whole."""
    longest = "n" * 256
    api.create(name, {**SGD, "parameters": {longest: [1]}})
    detail = api("GET", f"/v1/models/{name}/parameters/{longest[1:]}m").expect(404).json()["detail"]
    assert f"`{longest}`" in detail
