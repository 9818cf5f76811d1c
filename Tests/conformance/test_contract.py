"""The contract is valid, the daemon serves it, and it is true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from support import contract
from support.contract import CONTRACT, OPERATIONS
from support.daemon import REPOSITORY, Daemon
from support.wire import Api

HERE = Path(__file__).parent
IDS = [f"{method} {path}" for method, path in OPERATIONS]
SGD = {"optimizer": "sgd", "learning_rate": 0.1, "parameters": {"w": [0, 0]}}
TORCH = {"optimizer": {"type": "adam", "framework": "torch"}, "parameters": {"w": [0]}, "groups": [{"params": ["w"]}]}


def test_contract_is_valid() -> None:
    """The contract is valid OpenAPI 3.1."""
    validate(CONTRACT)


def test_json_form_is_up_to_date() -> None:
    """`api/contract.py` generates it from the YAML."""
    command = [sys.executable, str(REPOSITORY / "api/contract.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0


def test_daemon_serves_it(api: Api) -> None:
    """The daemon serves the identical document."""
    assert api.get("/openapi.json").json() == json.loads(json.dumps(CONTRACT))


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=IDS)
def test_every_operation_is_served(api: Api, demo: str, method: str, path: str) -> None:
    """No operation is 404 for its path, or 405."""
    # A stream of events would never end: one that continues from another life is refused.
    place = {"Last_Event_ID": "00000000.1"} if path.endswith("/events") else {}
    answer = api(method.upper(), contract.named(path, demo), **place)
    assert answer.status != 405
    if answer.status == 404:
        assert "The path " not in answer.json()["detail"]


def test_every_route_is_in_the_contract() -> None:
    """The sources have no route that is missing in the contract."""
    documented = {(method, contract.anonymous(path)) for method, path in OPERATIONS}
    routed = contract.routes()
    assert len(routed) > 40
    assert sorted(routed - documented) == [], "served, but not in the contract"
    assert sorted(documented - routed) == [], "in the contract, but not in the route table"


@pytest.mark.parametrize("path", CONTRACT["paths"])
def test_methods_of_every_path(api: Api, demo: str, path: str) -> None:
    """The running daemon allows exactly the methods in the contract."""
    allowed = set(api("OPTIONS", contract.named(path, demo)).expect(204).headers["allow"].split(", "))
    documented = {method.upper() for method in CONTRACT["paths"][path] if method in contract.METHODS}
    assert allowed - {"HEAD", "OPTIONS"} == documented


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=IDS)
def test_query_arguments(api: Api, demo: str, method: str, path: str) -> None:
    """An unknown argument is refused with the list of valid ones, which is the contract's list."""
    answer = api(method.upper(), contract.named(path, demo) + "?no-such-argument=1")
    if answer.status < 300:
        assert not contract.query_arguments(method, path), "arguments that are ignored"
        return
    detail = answer.expect(422).json()["detail"]
    listed = re.search(r"request takes (.*?)\. Nothing|request takes (.*?)\.$", detail)
    assert listed, detail
    names = next(part for part in listed.groups() if part)
    taken = {*names.split(", ")} if names != "none" else set()
    # One endpoint serves a tensor in every form; a binary file of numbers takes no text encoding.
    assert taken - ({"encoding"} if path.endswith(".npy") else set()) == contract.query_arguments(method, path)


def test_operations_have_names_and_summaries() -> None:
    """Generated clients and readers need them."""
    operations = [CONTRACT["paths"][path][method] for method, path in OPERATIONS]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["tags"] for operation in operations)


def test_patch_of_a_group_knows_all_hyperparameters(api: Api, name: str) -> None:
    """The hyperparameters in a refusal, for every optimizer of torch, are those of the contract."""
    known: set[str] = set()
    for optimizer in api.get("/v1/server").json()["optimizers"]:
        if not optimizer.startswith("torch."):
            continue
        definition = {**TORCH, "optimizer": {"type": optimizer}, "learning_rate": 0.1}
        api("PUT", f"/v1/models/{name}?replace=1", definition)
        refused = api("PATCH", f"/v1/models/{name}/groups/group0", {"no_such": 1}).expect(422).json()
        known |= set(refused["errors"][0]["expected"].split(", "))
    own = {"name", "params", "type", "framework", "optimizer"}
    common = {"lr", "weight_decay", "grad_centralization"}
    assert known - own - common == set(CONTRACT["components"]["schemas"]["GroupPatch"]["properties"]) - own - common


WHOLE = ["1", "1.0", "1e0", "10e-1", "0.1e1"]


@pytest.mark.parametrize("one", WHOLE)
def test_a_whole_number_is_one_however_it_is_written(api: Api, name: str, one: str) -> None:
    """In JSON Schema 2020-12 an integer is any number without a fractional part. Julia, Lua and Ruby write 1.0."""
    parameters = '{"w":{"shape":[ONE],"data":[0]},"e":{"shape":[2,2],"init":{"type":"he_normal","seed":ONE}}}'
    create = '{"optimizer":"lazy_adam","learning_rate":ONE,"step":ONE,"parameters":' + parameters + "}"
    numbers = '"worker":"a","seq":ONE,"epoch":0,"based_on":ONE,"num_examples":ONE'
    requests = [
        ("PUT", "", create),
        ("POST", "/gradients", '{"gradients":{"w":[1]},' + numbers + "}"),
        ("POST", "/gradients", '{"gradients":{"e":{"indices":[ONE],"values":[[1,1]],"shape":[2,2]}}}'),
        ("POST", "/parameters/e/lookup", '{"rows":[ONE,0]}'),
        ("POST", "/rollback", '{"step":ONE}'),
    ]
    for method, target, text in requests:
        answer = api(method, f"/v1/models/{name}{target}", text.replace("ONE", one).encode())
        assert answer.status in (200, 201), (text, answer.body)
    preview = '{"learning_rate":[1,0.5,0.25],"from":ONE,"to":2,"every":ONE}'.replace("ONE", one).encode()
    assert api("POST", "/v1/lr_preview", preview).expect(200).json()["steps"] == [1, 2]


@pytest.mark.parametrize("fraction", ["1.5", "0.5e0", "1e-1", "true", '"1"'])
def test_a_fraction_is_not_whole(api: Api, demo: str, fraction: str) -> None:
    """A text or a boolean is not a whole number either."""
    for target, text in (
        ("/gradients", '{"gradients":{"w":[1,1]},"worker":"a","seq":ONE}'),
        ("/gradients", '{"gradients":{"w":{"shape":[ONE],"data":[1,1]}}}'),
        ("/rollback", '{"step":ONE}'),
    ):
        api("POST", f"/v1/models/{demo}{target}", text.replace("ONE", fraction).encode()).expect(422)


WAITS = ["30s", "500ms", "2.5", "0", "0.001s", "1e1", "0x1", "inf", "nan", "-1", "+1", ".5", "1.", "5 s"]
NAMES = ["a", ".a", "..a", "...", "-", "_", "a.", "A-9_.", "x" * 128, "x" * 129, "a%20b", "%C3%A9", ".x" * 64]


@pytest.mark.parametrize("text", WAITS)
def test_wait_is_what_its_pattern_says(api: Api, demo: str, text: str) -> None:
    """The pattern's forms are accepted and others are 422; the step is already reached, so that nothing waits."""
    answer = api("GET", f"/v1/models/{demo}/parameters?min_step=0&wait={text.replace(' ', '%20').replace('+', '%2B')}")
    assert answer.status == (
        200 if contract.is_valid(CONTRACT["components"]["parameters"]["wait"]["schema"], text) else 422
    )


@pytest.mark.parametrize("model", NAMES)
def test_model_names_are_what_their_pattern_says(api: Api, model: str) -> None:
    """A name that matches the contract's pattern creates a model; any other is 422."""
    answer = api("PUT", f"/v1/models/{model}?replace=1", SGD)
    valid = contract.is_valid(CONTRACT["components"]["schemas"]["ModelName"], urllib.parse.unquote(model))
    assert answer.status in ((200, 201) if valid else (422,)), answer.body


@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_schemathesis_finds_nothing(daemon: Daemon, api: Api) -> None:
    """Sends valid and invalid requests of every operation; schemathesis.toml lists the exceptions."""
    body: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.1, "parameters": {"w": [0, 0]}}
    api.create("contract", body)
    tool = str(Path(sys.executable).with_name("schemathesis"))
    target = [str(REPOSITORY / "api/openapi.yaml"), "--url", daemon.url]
    ended = subprocess.run(
        [tool, "--config-file", "schemathesis.toml", "run", *target, "--no-color"],
        cwd=HERE,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-8000:]
