"""Network threads only move bytes: whatever the request, none of their jobs is long: the aim is 5 ms of processor time.

The test sends every operation of the contract with its largest input, to models with thousands of names.
"""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from support.daemon import REPOSITORY, Daemon
from support.largest import CASES, Ask, prepare
from support.wire import Api

#: The limit for a job, in milliseconds of processor time: three times the aim, because a virtual machine that shares
#: its processors has measured 10 ms for jobs of a build that took less than 5 ms on another day.
MOST = 15
ROUNDS = 3


def test_every_operation_has_a_case() -> None:
    """An operation that the contract has and this file lacks fails by its name."""
    paths = json.loads((REPOSITORY / "Sources/ParameterAPI/Resources/openapi.json").read_text())["paths"]
    methods = ("get", "put", "post", "patch", "delete")
    operations = {f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in methods}
    assert operations == set(CASES)


@pytest.mark.heavy
@pytest.mark.unsanitized
@pytest.mark.timeout(400)
def test_jobs_are_short() -> None:
    """A pause of a virtual machine counts as the work of the running thread: one good round of three is enough.

    A request with too long a job has it in all of them.
    """
    slow = slow_requests()
    for _ in range(ROUNDS - 1):
        slow = slow & slow_requests() if slow else slow
    assert not slow


def slow_requests() -> set[str]:
    """The requests with a network job that was longer than all before, and too long."""
    slow = set()
    with Daemon("--memory", "2G") as daemon, closing(Api(daemon.host, daemon.port)) as api:
        prepare(api)
        longest = longest_job(api)
        for operation, asks in CASES.items():
            for ask in asks:
                send(api, operation, ask)
                seen = longest_job(api)
                if seen > longest:
                    print(f"{seen:8.2f} ms  {operation} {ask.status} {ask.target[:80]}")
                if seen > max(longest, MOST):
                    slow.add(f"{operation} {ask.status} {ask.target[:80]}")
                longest = seen
    return slow


def longest_job(api: Api) -> float:
    """The longest processor time of one job on a network thread, in milliseconds."""
    return float(api.get("/v1/server").json()["network"]["longest_job_us"]) / 1000


def send(api: Api, operation: str, ask: Ask) -> None:
    """Sends a request, with known values in place of the words in braces."""
    model = "/".join(ask.target.split("/")[:4])
    target, body = ask.target, ask.body
    if "{cursor}" in target:
        target = target.replace("{cursor}", api.get(model).headers["x-paramd-cursor"])
    if "{checkpoint}" in target:
        newest = api.get(f"{model}/checkpoints").json()["checkpoints"][-1]
        target = target.replace("{checkpoint}", str(newest["id"]))
    if body == b"{state}":
        body = api.get(f"{model}/state.safetensors").body
    headers = {key.replace("-", "_"): value for key, value in ask.headers.items()}
    api(operation.split(maxsplit=1)[0], target, body, **headers).expect(ask.status)
