"""The contract is valid, is what the daemon serves, and is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate
from support.daemon import REPOSITORY, Daemon
from support.wire import Api

HERE = Path(__file__).parent
CONTRACT = yaml.safe_load((REPOSITORY / "api/openapi.yaml").read_text())
OPERATIONS = [
    (method, path)
    for path, item in CONTRACT["paths"].items()
    for method in item
    if method in ("get", "put", "post", "patch", "delete")
]


def test_contract_is_valid() -> None:
    """OpenAPI 3.1."""
    validate(CONTRACT)


def test_json_form_is_up_to_date() -> None:
    """`api/contract.py` makes it from the YAML."""
    command = [sys.executable, str(REPOSITORY / "api/contract.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0


def test_daemon_serves_it(api: Api) -> None:
    """The very same document."""
    assert api.get("/openapi.json").json() == json.loads(json.dumps(CONTRACT))


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{m} {p}" for m, p in OPERATIONS])
def test_every_operation_is_served(api: Api, demo: str, method: str, path: str) -> None:
    """None answers that there is nothing at this path, or 405."""
    named = {"model": demo, "group": "default", "parameter": "w", "slug": "not-found", "worker": "w1", "seq": "1"}
    named |= {"version": "00000000-1", "checkpoint": "1"}
    answer = api(method.upper(), path.format(**named))
    assert answer.status != 405
    if answer.status == 404:
        assert "There is nothing at" not in answer.json()["detail"]


def test_operations_have_names_and_summaries() -> None:
    """For generated clients and for readers."""
    operations = [CONTRACT["paths"][path][method] for method, path in OPERATIONS]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["tags"] for operation in operations)


@pytest.mark.timeout(400)
def test_schemathesis_finds_nothing(daemon: Daemon, api: Api) -> None:
    """Valid and invalid requests of every operation; the exceptions are listed in schemathesis.toml."""
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
