"""A request costs about as much processor time as an honest request of its length, on whatever thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from support.daemon import Daemon
from support.threads import all_seconds, network_seconds
from support.wire import Answer, Api

pytestmark = pytest.mark.unsanitized

MANY = 5_000
LONG = 2_000


@pytest.fixture(scope="module")
def server() -> Iterator[Daemon]:
    """A daemon with a model of many parameters, and another whose names are long and similar."""
    with Daemon() as daemon:
        api = Api(daemon.host, daemon.port)
        many = {f"layer{i}.weight": {"shape": [2], "init": "zeros"} for i in range(MANY)}
        api.create("many", {"optimizer": "sgd", "parameters": many})
        long = {"a" * 200 + str(i): {"shape": [1], "init": "zeros"} for i in range(LONG)}
        api.create("long", {"optimizer": "sgd", "parameters": long})
        yield daemon


Cost = Callable[..., tuple[Answer, float]]


@pytest.fixture
def cost(server: Daemon) -> Iterator[Cost]:
    """Sends a request; returns the answer, and the processor time that the daemon took meanwhile, in seconds."""
    api = Api(server.host, server.port)
    api.get("/livez").expect(200)

    def measure(method: str, target: str, body: Any = None) -> tuple[Answer, float]:
        before = all_seconds(server.process.pid)
        answer = api(method, target, body)
        return answer, all_seconds(server.process.pid) - before

    yield measure
    api.close()


def push_of(names: Iterator[str], value: Any = (0, 0)) -> dict[str, Any]:
    """A push with the same gradient for each name."""
    return {"gradients": {name: list(value) for name in names}}


@pytest.fixture
def honest(cost: Cost) -> float:
    """The cost of a push of all parameters."""
    answer, seconds = cost("POST", "/v1/models/many/gradients", push_of(f"layer{i}.weight" for i in range(MANY)))
    answer.expect(200)
    return seconds


#: Pushes as large as the honest one, and the sentence in their refusals.
PUSHES = {
    "unknown": (push_of(f"lyer{i}.wieght" for i in range(MANY)), "lists 4999 more"),
    "prefix": (
        push_of(f"module.layer{i}.weight" for i in range(MANY)),
        "ll 5,000 names begin with `module.`, but",
    ),
    "suffix": (push_of(f"layer{i}.weight:0" for i in range(MANY)), "ll 5,000 names end with `:0`, but"),
    "shapes": (push_of((f"layer{i}.weight" for i in range(MANY)), [0, 0, 0]), "lists 4999 more"),
    "unreadable": (push_of((f"layer{i}.weight" for i in range(MANY)), [None]), "more"),
    "fields": ({"gradients": {}, **{f"layer{i}.weight": 0 for i in range(MANY)}}, "lists 4999 more"),
}


@pytest.mark.parametrize("kind", PUSHES)
def test_refused_push(cost: Cost, honest: float, kind: str) -> None:
    """Reporting thousands of mistakes takes no longer than ten pushes without any."""
    body, sentence = PUSHES[kind]
    answer, seconds = cost("POST", "/v1/models/many/gradients", body)
    print(f"{kind}: {seconds:.3f} s, {seconds / honest:.1f} times an honest push")
    assert sentence in answer.expect(422).json()["detail"]
    assert "othing was applied" in answer.json()["detail"]
    assert len(answer.json()["errors"]) <= 4096
    assert seconds < 10 * honest


def test_mistakes_are_counted_beyond_those_that_are_listed(cost: Cost) -> None:
    """The last entry counts the mistakes that are not listed."""
    errors = cost("POST", "/v1/models/many/gradients", PUSHES["shapes"][0])[0].json()["errors"]
    assert errors[0]["pointer"] == "/gradients/layer0.weight" and errors[0]["expected"] == [2]
    assert len(errors) == 4096 and errors[-1]["detail"].startswith("905 more mistakes")


def test_suggestions(cost: Cost, honest: float) -> None:
    """One misspelt name among thousands gets the right suggestion."""
    names = [f"layer{i}.weight" for i in range(MANY - 1)] + ["layer4999.wieght"]
    answer, seconds = cost("POST", "/v1/models/many/gradients", push_of(iter(names)))
    assert "did you mean `layer4999.weight` or" in answer.expect(422).json()["detail"]
    assert seconds < 10 * honest


def test_missing_prefix(cost: Cost, server: Daemon) -> None:
    """A model was created from a wrapped module, and gradients come from the plain one."""
    api = Api(server.host, server.port)
    wrapped = {f"module.{i}.w": [0] for i in range(100)}
    api("PUT", "/v1/models/wrapped", {"optimizer": "sgd", "parameters": wrapped})
    body = push_of((f"{i}.w" for i in range(100)), [1])
    detail = cost("POST", "/v1/models/wrapped/gradients", body)[0].expect(422).json()["detail"]
    assert "ll 100 names lack `module.`" in detail and "add it" in detail


def test_prefix_of_some(cost: Cost) -> None:
    """Correct names do not hide what is wrong with the others; an import reports the same."""
    body = {"parameters": {"layer1.weight": [0, 0], **{f"x.layer{i}.weight": [0, 0] for i in range(5)}}}
    answer = cost("PUT", "/v1/models/many/parameters", body)[0].expect(422).json()
    assert answer["detail"].startswith("5 names begin with `x.`, but")
    body["parameters"]["y"] = [1]
    answer = cost("PUT", "/v1/models/many/parameters", body)[0].expect(422).json()
    assert len(answer["errors"]) == 6


def pull_of(patterns: list[str]) -> str:
    """A pull with patterns for the long names."""
    return "/v1/models/long/parameters?meta_only=1&" + "&".join(f"name={quote(pattern, '*')}" for pattern in patterns)


def test_patterns_of_a_pull(cost: Cost) -> None:
    """A pattern that often almost matches takes no longer than one that matches every name at once."""
    answer, honest = cost("GET", pull_of(["a*"] * 10))
    answer.expect(200)
    almost = ["*" + "a" * 100 + "b" + str(i) for i in range(10)]
    answer, seconds = cost("GET", pull_of(["a*", *almost]))
    print(f"10 patterns: {seconds:.3f} s, {seconds / honest:.1f} times {honest:.3f} s")
    assert "matches no parameter" in answer.expect(404).json()["detail"]
    assert seconds < 10 * honest
    answer, seconds = cost("GET", pull_of(["a*"] * 101))
    assert "at most 100 patterns, not 101" in answer.expect(422).json()["detail"]
    assert seconds < 10 * honest


def test_curve_of_many_groups(cost: Cost, server: Daemon) -> None:
    """Points times groups are bounded, and curves within the bound are computed on another thread."""
    api = Api(server.host, server.port)
    warm_up = {"schedule": "warmup_lr", "learning_rate": 1, "warmup_steps": 10}
    groups = [{"params": [f"p{i}"], "lr": warm_up} for i in range(200)]
    parameters = {f"p{i}": [0] for i in range(200)}
    api("PUT", "/v1/models/grouped", {"optimizer": "sgd", "parameters": parameters, "groups": groups})
    answer, _ = cost("GET", "/v1/models/grouped/lr?from=0&to=29999")
    assert "1000000 values" in answer.expect(422).json()["detail"]
    before = network_seconds(server.process.pid)
    curve = api.get("/v1/models/grouped/lr?from=0&to=999").json()["lr"]
    assert network_seconds(server.process.pid) - before < 0.1
    assert len(curve) == 200 and curve["group7"][5] == pytest.approx(0.5)
    cost("GET", "/v1/models/grouped/lr.csv?from=0&to=5000")[0].expect(422)
    cost("GET", "/v1/models/grouped/lr?from=0&to=5000&param=p1&param=p2")[0].expect(200)


def sequence(parts: int) -> dict[str, Any]:
    """A rate with the given number of parts, of one step each."""
    return {"schedule": "sequence", "of": [{"steps": 1, "lr": i} for i in range(parts)]}


def test_sequences(cost: Cost, name: str) -> None:
    """A thousand parts are accepted, wherever they are written."""
    answer, _ = cost("POST", "/v1/lr_preview", {"learning_rate": sequence(1000)})
    assert answer.expect(200).json()["lr"] == list(range(1000))
    long = sequence(1001)
    answer, _ = cost("POST", "/v1/lr_preview", {"learning_rate": long})
    assert "at most 1000 parts" in answer.expect(422).json()["detail"]
    model = {"optimizer": "sgd", "parameters": {"w": [1]}, "learning_rate": sequence(1000)}
    nested = {"schedule": "sequence", "of": [{"steps": 9, **sequence(999)}, {"lr": 0}]}
    for rate in (long, nested):
        answer = cost("PUT", f"/v1/models/{name}", {**model, "learning_rate": rate})[0].expect(422)
        assert "at most 1000 parts" in answer.json()["detail"]
    cost("PUT", f"/v1/models/{name}", model)[0].expect(201)
    cost("PATCH", f"/v1/models/{name}", {"learning_rate": long})[0].expect(422)
    assert cost("GET", f"/v1/models/{name}/lr?step=999")[0].json()["lr"] == {"default": 999}
    cost("DELETE", f"/v1/models/{name}")[0].expect(204)


def test_patterns_of_groups(cost: Cost, name: str) -> None:
    """A definition's patterns times its parameters are bounded too; literal names do not count."""
    parameters = {f"p{i}": [0] for i in range(1001)}
    names = [f"p{i}*" for i in range(1000)]
    body = {"optimizer": "sgd", "parameters": parameters, "default_group": True, "groups": [{"params": names}]}
    answer, _ = cost("PUT", f"/v1/models/{name}", body)
    assert "1000 patterns and 1001 parameters" in answer.expect(422).json()["detail"]
    body["groups"] = [{"params": [*names[:10], *(f"p{i}" for i in range(1001))]}]
    cost("PUT", f"/v1/models/{name}", body)[0].expect(201)
    cost("DELETE", f"/v1/models/{name}")[0].expect(204)


def test_every_limit_is_told(cost: Cost) -> None:
    """A client that is refused can look up the bounds."""
    limits = cost("GET", "/v1/server")[0].expect(200).json()["limits"]
    rows = ("curve-values", "sequence-parts", "group-matches", "pull-matches", "mistakes", "suggestions")
    assert all(row in json.dumps(limits) for row in rows)
