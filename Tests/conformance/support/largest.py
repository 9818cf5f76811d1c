"""The largest requests of every operation of the contract, and the models for them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import safetensors.numpy

from support.wire import SAFETENSORS, Api

NAMES, GROUPS, WORKERS, MODELS, CHECKPOINTS = 10_000, 5_000, 1_000, 1_000, 100
VALUES = 4_000_000
LONG = "layer" * 12
MANY, GROUPED, WIDE, RATES = (f"/v1/models/{name}" for name in ("many", "grouped", "wide", "rates"))
SAVED = "/v1/models/saved"
#: The maximum number of tags, types or preferences that fit into a head.
TAGS = ",".join(f'"{i:07}.1"' for i in range(1200))
TYPES = ",".join(f"a/b{i};q=0.5" for i in range(1000)) + ",*/*"


class Ask(NamedTuple):
    """A request, and the expected answer."""

    target: str
    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012


def name(index: int) -> str:
    """One of the many parameters."""
    return f"{LONG}{index}.weight"


def each(value: Any, count: int = NAMES) -> dict[str, Any]:
    """Repeats a value for each of the many parameters."""
    return {name(i): value for i in range(count)}


def file_of(tensors: dict[str, np.ndarray]) -> bytes:
    """Builds a body in safetensors."""
    return safetensors.numpy.save(tensors)


def globs(count: int) -> str:
    """Patterns that almost match many names."""
    patterns = ["*" + LONG[:50] + f"*{i}*t" for i in range(count)]
    return "&".join(f"name={quote(pattern, '*')}" for pattern in patterns)


def unknown(argument: str, count: int = 60) -> str:
    """Unknown names that resemble thousands of existing ones."""
    return "&".join(f"{argument}={LONG}{i}.weihgt" for i in range(count))


FILE = {"Content-Type": SAFETENSORS}
IF_NONE = {"If-None-Match": TAGS}
IF_MATCH = {"If-Match": TAGS}
ACCEPT = {"Accept": TYPES}
HEADS = (IF_NONE, ACCEPT, {"Prefer": TYPES}, {"Prefer": 'a="' + "\\a" * 7000 + '"'})
DEFINITION = {"optimizer": "adam", "parameters": each({"shape": [2], "init": "zeros"})}
WRONG = {"optimizer": "adam", "parameters": each({"shape": [2], "init": "zero"}), "groups": [{"lr": -1}] * 1000}
GRADIENTS = {"gradients": each([1, 1])}
STRANGE = {f"{LONG}{i}.wieght": [1, 1] for i in range(NAMES)}
#: Values that come before their type.
EARLY = {"b64": b64encode(np.ones(VALUES, np.float32)).decode(), "dtype": "F32", "shape": [VALUES // 40, 40]}
KEY = {"Idempotency-Key": "a"}
#: Tensors of one byte, so that tens of thousands of them arrive at once.
TINY = file_of({f"n{i}": np.ones(1, np.int8) for i in range(100_000)})
#: The maximum number of tensors, and the maximum text, of a body.
PARTS = {"parameters": {name(0): [1, 1], **{f"n{i}": [1] for i in range(60_000)}}}
TEXTS = {"learning_rate": ["a" * 24] * 2_000_000}
CURVE = "from=0&to=199"
SERIES = {"learning_rate": [0.5] * 1_000_000}
PREVIEW = {"learning_rate": [0.5] * 100_000}
ROWS = {"rows": list(range(100_000))}


def lr(kind: str, form: str = "") -> list[Ask]:
    """The largest requests for rates."""
    asks = [Ask(f"{GROUPED}/{kind}{form}"), Ask(f"{GROUPED}/{kind}{form}?{CURVE}"), Ask(f"{MANY}/{kind}{form}")]
    asks += [Ask(f"{RATES}/{kind}{form}?from=0&to=99999"), Ask(f"{RATES}/{kind}{form}")]
    if kind == "lr" and form in ("", ".json"):
        asks += [Ask(f"{GROUPED}/lr{form}?" + "&".join(f"param={name(i)}" for i in range(80)))]
        asks += [Ask(f"{RATES}/lr{form}?param=w"), Ask(f"{MANY}/lr{form}?{unknown('param')}", 404)]
        asks += [Ask(f"{SAVED}/lr{form}", headers=ACCEPT)]
    return asks


def pulls(place: str, form: str = "") -> list[Ask]:
    """The largest pulls."""
    asks = [Ask(f"{MANY}{place}/parameters{form}?{globs(20)}"), Ask(f"{MANY}{place}/parameters{form}")]
    asks += [Ask(f"{MANY}{place}/parameters{form}?dtype=BF16"), Ask(f"{WIDE}{place}/parameters{form}?dtype=F16")]
    asks += [Ask(f"{MANY}{place}/parameters{form}?{unknown('name')}", 404)]
    asks += [Ask(f"{GROUPED}{place}/parameters{form}?{unknown('group')}", 404)]
    return [
        *asks,
        *(Ask(f"{SAVED}{place}/parameters{form}", headers=head) for head in HEADS),
        Ask(f"{WIDE}{place}/parameters{form}"),
    ]


def imports(form: str = "") -> list[Ask]:
    """The largest imports."""
    file = FILE if form == ".safetensors" else {}
    whole = {"parameters": each([1, 1])}
    strange = {"parameters": {name(0): [1, 1], **STRANGE}}
    tensors = {name: np.ones(2, np.float32) for name in each(0)}
    asks = [(whole, 200, ""), (strange, 422, ""), (strange, 200, "?partial=1"), ({"w": whole, **STRANGE}, 422, "")]
    if file:
        asks = [(file_of(tensors), 200, ""), (file_of({n: tensors[name(0)] for n in STRANGE}), 422, "")]
    else:
        asks += [(PARTS, 200, "?partial=1")]
    return [Ask(f"{MANY}/parameters{form}{query}", status, body, file) for body, status, query in asks]


#: The largest requests of every operation, keyed as in the contract.
CASES: dict[str, list[Ask]] = {
    "GET /": [Ask("/"), Ask("/", headers={"Accept": "text/html," + TYPES}), Ask("/v1/" + "a" * 8000, 404)],
    "GET /livez": [Ask("/livez"), Ask("/livez?" + "&".join("a" * 250)), Ask("/livez" + "/a" * 4000, 404)],
    "GET /healthz": [Ask("/healthz"), Ask("/healtz", 404)],
    "GET /readyz": [Ask("/readyz")],
    "GET /version": [Ask("/version")],
    "GET /openapi.json": [Ask("/openapi.json")],
    "GET /problems/{slug}": [Ask("/problems/not-found"), Ask("/problems/" + "a" * 8000, 404)],
    "GET /v1/server": [Ask("/v1/server")],
    "GET /v1/models": [Ask("/v1/models?page_size=1000"), Ask("/v1/models?prefix=many&page_token=a")],
    "GET /v1/models/{model}": [
        *(Ask(model) for model in (MANY, GROUPED, RATES)),
        Ask(MANY, headers=IF_NONE),
        Ask("/v1/models/spare", 404),
        Ask("/v1/models/" + "a" * 120, 404),
    ],
    "PUT /v1/models/{model}": [
        Ask("/v1/models/new", 201, DEFINITION),
        Ask(MANY, 200, DEFINITION),
        Ask("/v1/models/other", 422, WRONG),
        Ask(GROUPED, 409, DEFINITION),
        Ask(GROUPED + "?join=1", 409, DEFINITION),
        Ask("/v1/models/other", 422, {"optimizer": "adam", "parameters": {"w": [0]}, **STRANGE}),
        Ask("/v1/models/other", 412, DEFINITION, IF_MATCH),
    ],
    "PATCH /v1/models/{model}": [
        Ask(MANY, 200, {"learning_rate": 0.5}),
        Ask(MANY, 422, STRANGE),
        Ask(RATES, 200, SERIES),
        Ask(RATES, 422, TEXTS),
        Ask(MANY, 412, {"learning_rate": 0.5}, IF_MATCH),
    ],
    "DELETE /v1/models/{model}": [
        Ask("/v1/models/m0", 204),
        Ask("/v1/models/spare", 404),
        Ask(MANY, 412, headers=IF_MATCH),
    ],
    "GET /v1/models/{model}/groups": [*(Ask(f"{model}/groups") for model in (MANY, GROUPED, RATES))],
    "GET /v1/models/{model}/groups/{group}": [
        Ask(f"{MANY}/groups/default"),
        Ask(f"{RATES}/groups/default"),
        Ask(f"{GROUPED}/groups/group4999"),
        Ask(f"{GROUPED}/groups/{'gruop' * 8}", 404),
    ],
    "PATCH /v1/models/{model}/groups/{group}": [
        Ask(f"{GROUPED}/groups/group4999", 200, {"lr": 0.5}),
        Ask(f"{GROUPED}/groups/gruop4999", 404, {"lr": 0.5}),
        Ask(f"{GROUPED}/groups/group4999", 422, STRANGE),
    ],
    "POST /v1/models/{model}/workers/{worker}/heartbeat": [
        Ask(f"{MANY}/workers/w0/heartbeat", 200, {}),
        Ask(f"{MANY}/workers/w0/heartbeat", 422, STRANGE),
    ],
    "POST /v1/models/{model}/barriers/{barrier}": [
        Ask(f"{MANY}/barriers/b", 200, {"worker": "w0", "count": 1}),
        Ask(f"{MANY}/barriers/b", 422, STRANGE),
    ],
    "GET /v1/models/{model}/barriers/{barrier}": [Ask(f"{MANY}/barriers/b")],
    "GET /v1/models/{model}/round": [Ask(f"{MANY}/round")],
    "POST /v1/models/{model}/step": [Ask(f"{MANY}/step", 409)],
    "POST /v1/models/{model}/gradients": [
        Ask(f"{MANY}/gradients", 200, GRADIENTS),
        Ask(f"{MANY}/gradients?pull=1&dtype=BF16&{globs(20)}", 200, GRADIENTS),
        Ask(f"{MANY}/gradients?pull=1&{unknown('name')}", 404, GRADIENTS),
        Ask(f"{MANY}/gradients", 422, {"gradients": STRANGE}),
        Ask(f"{MANY}/gradients", 422, {"gradients": dict(list(STRANGE.items())[:700])}),
        Ask(f"{MANY}/gradients", 422, {"gradients": {name(0): [1, 1]}, "complete": True}),
        Ask(f"{MANY}/gradients", 422, {**GRADIENTS, **STRANGE}),
        Ask(f"{MANY}/gradients?dry_run=1&stages=1", 200, GRADIENTS),
        Ask(f"{GROUPED}/gradients", 200, {"gradients": {name(0): [1]}}),
        Ask(f"{GROUPED}/gradients?dry_run=1", 200, {"gradients": {name(0): [1]}}),
        Ask(f"{WIDE}/gradients", 200, file_of({"w": np.ones((VALUES // 40, 40), np.float32)}), {**FILE, **KEY}),
        Ask(f"{WIDE}/gradients", 200, {"gradients": {"w": EARLY}}),
        Ask(f"{WIDE}/gradients", 200, {"gradients": {"w": {"indices": [0], "values": [[1] * 40]}}}),
        Ask(f"{MANY}/gradients", 412, GRADIENTS, IF_MATCH),
        Ask(f"{MANY}/gradients", 200, GRADIENTS, ACCEPT),
    ],
    **{f"GET /v1/models/{{model}}/parameters{form}": pulls("", form) for form in ("", ".json", ".safetensors")},
    **{f"PUT /v1/models/{{model}}/parameters{form}": imports(form) for form in ("", ".json", ".safetensors")},
    "GET /v1/models/{model}/parameters/{parameter}": [
        Ask(f"{MANY}/parameters/{name(0)}"),
        Ask(f"{WIDE}/parameters/w?dtype=BF16"),
        Ask(f"{WIDE}/parameters/w?rows=0-99999"),
        Ask(f"{WIDE}/parameters/w?rows=" + ",".join(["0-24"] * 1500)),
        Ask(f"{MANY}/parameters/{LONG}.wieght", 404),
        Ask(f"{WIDE}/parameters/w", headers={"Accept": SAFETENSORS}),
    ],
    "GET /v1/models/{model}/parameters/{parameter}.npy": [
        Ask(f"{WIDE}/parameters/w.npy"),
        Ask(f"{WIDE}/parameters/w.npy?rows=0-99999&dtype=F16"),
    ],
    "POST /v1/models/{model}/parameters/{parameter}/lookup": [
        Ask(f"{WIDE}/parameters/w/lookup", 200, ROWS),
        Ask(f"{WIDE}/parameters/w/lookup", 200, {"rows": [0] * 8000}),
        Ask(f"{WIDE}/parameters/w/lookup", 422, {"rows": [0] * 99_999 + [VALUES]}),
        Ask(f"{MANY}/parameters/{LONG}.wieght/lookup", 404, {"rows": [0]}),
    ],
    **{
        f"GET /v1/models/{{model}}/versions/{{version}}/parameters{form}": pulls("/versions/{cursor}", form)
        for form in ("", ".json", ".safetensors")
    },
    **{
        f"GET /v1/models/{{model}}/state{form}": [Ask(f"{model}/state{form}") for model in (MANY, GROUPED, WIDE)]
        for form in ("", ".json", ".safetensors")
    },
    **{
        f"PUT /v1/models/{{model}}/state{form}": [
            Ask(f"{MANY}/state{form}", 200, b"{state}", FILE),
            Ask(f"{MANY}/state{form}", 422, file_of({f"{n}#moment1": np.ones(2, np.float32) for n in STRANGE}), FILE),
            Ask(f"{MANY}/state{form}", 422, TINY, FILE),
        ]
        for form in ("", ".safetensors")
    },
    "GET /v1/models/{model}/workers": [Ask(f"{MANY}/workers")],
    "GET /v1/models/{model}/workers/{worker}": [Ask(f"{MANY}/workers/w0"), Ask(f"{MANY}/workers/{'x' * 128}", 404)],
    "PUT /v1/models/{model}/workers/{worker}": [Ask(f"{MANY}/workers/w0")],
    "DELETE /v1/models/{model}/workers/{worker}": [Ask(f"{MANY}/workers/w1", 204)],
    "GET /v1/models/{model}/pushes/{worker}/{seq}": [
        Ask(f"{GROUPED}/pushes/w0/1"),
        Ask(f"{MANY}/pushes/w9/1000000"),
    ],
    "GET /v1/models/{model}/checkpoints": [Ask(SAVED + "/checkpoints")],
    "POST /v1/models/{model}/checkpoints": [Ask(f"{model}/checkpoints", 201) for model in (MANY, GROUPED, WIDE)],
    "GET /v1/models/{model}/checkpoints/{checkpoint}": [Ask(f"{MANY}/checkpoints/{{checkpoint}}")],
    "GET /v1/models/{model}/checkpoints/{checkpoint}.safetensors": [
        Ask(f"{MANY}/checkpoints/{{checkpoint}}.safetensors"),
        Ask(f"{WIDE}/checkpoints/{{checkpoint}}.safetensors"),
        Ask(f"{WIDE}/checkpoints/{{checkpoint}}.safetensors", 206, headers={"Range": "bytes=0-9999999"}),
    ],
    "DELETE /v1/models/{model}/checkpoints/{checkpoint}": [Ask(SAVED + "/checkpoints/{checkpoint}", 204)],
    "POST /v1/models/{model}/checkpoints/{checkpoint}/restore": [
        Ask(f"{MANY}/checkpoints/{{checkpoint}}/restore"),
        Ask(f"{GROUPED}/checkpoints/{{checkpoint}}/restore"),
    ],
    "POST /v1/models/{model}/rollback": [
        Ask(f"{MANY}/rollback", 200, {"step": 0}),
        Ask(f"{MANY}/rollback", 422, STRANGE),
    ],
    **{
        f"GET /v1/models/{{model}}/{kind}{form}": lr(kind, form)
        for kind in ("lr", "weight_decay")
        for form in ("", ".json", ".csv", ".svg", ".txt")
    },
    **{
        f"GET /v1/models/{{model}}/history{form}": [
            Ask(f"{GROUPED}/history{form}"),
            Ask(f"{GROUPED}/history{form}?series=lr/*&points=1"),
            Ask(f"{MANY}/history{form}"),
            Ask(f"{GROUPED}/history{form}?{unknown('series', 30)}", 404),
        ]
        for form in ("", ".json", ".csv")
    },
    "POST /v1/models/{model}/scalars": [
        Ask(f"{MANY}/scalars", 200, {"scalars": {f"figure {i}": i for i in range(64)}}),
        Ask(f"{MANY}/scalars", 422, {"scalars": dict.fromkeys(STRANGE, 1)}),
        Ask(f"{MANY}/scalars", 422, STRANGE),
    ],
    # A stream that is answered does not end; support/events.py reads those.
    "GET /v1/models/{model}/events": [
        Ask(f"{GROUPED}/events?types=" + "a," * 3000, 422),
        Ask(f"{GROUPED}/events?last_event_id=00000000.1", 409),
    ],
    "GET /v1/events": [Ask("/v1/events?last_event_id=00000000.1", 410)],
    **{
        f"POST /v1/lr_preview{form}": [
            Ask(f"/v1/lr_preview{form}", 200, PREVIEW),
            Ask(f"/v1/lr_preview{form}", 422, {**PREVIEW, **STRANGE}),
            Ask(f"/v1/lr_preview{form}", 422, {"learning_rate": [0.5] * 99_999 + ["x"]}),
        ]
        for form in ("", ".json", ".csv", ".svg", ".txt")
    },
    # Last, because the other cases know the model as it is before.
    "POST /v1/models/{model}/parameters": [
        Ask(f"{MANY}/parameters", 422, {"add": WRONG["parameters"]}),
        Ask(f"{MANY}/parameters", 422, {"rows": {key: {"count": 1, "init": "ones"} for key in STRANGE}}),
        Ask(f"{MANY}/parameters", 422, STRANGE),
        Ask(f"{MANY}/parameters", 412, {"add": {"x": [1]}}, IF_MATCH),
        Ask(f"{MANY}/parameters", 200, {"rows": {name(0): {"count": 1, "init": "ones"}}}),
        Ask(f"{MANY}/parameters", 200, {"add": STRANGE}),
    ],
}


def prepare(api: Api) -> None:
    """Creates the models."""
    groups = [{"name": f"group{i}", "params": [name(i)], "lr": i + 1} for i in range(GROUPS)]
    parameters = each({"shape": [1], "init": "zeros"}, GROUPS)
    api.create("many", DEFINITION)
    api.create("grouped", {"optimizer": "sgd", "parameters": parameters, "groups": groups})
    api.create("wide", {"optimizer": "adam", "parameters": {"w": {"shape": [VALUES // 40, 40], "init": "zeros"}}})
    api.create("rates", {"optimizer": "sgd", "parameters": {"w": [0]}, **SERIES})
    api.create("saved", {"optimizer": "sgd", "parameters": {"w": [0]}})
    for i in range(MODELS):
        api.create(f"m{i}", {"optimizer": "sgd", "parameters": {"w": [0]}})
    for i in range(WORKERS):
        api("PUT", f"{MANY}/workers/w{i}").expect(200)
    for _ in range(CHECKPOINTS):
        api("POST", SAVED + "/checkpoints").expect(201)
    api.push("grouped", {name(0): [1]}, worker="w0", seq=1)
