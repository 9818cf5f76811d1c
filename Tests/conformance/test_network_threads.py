"""Network threads only move bytes: whatever the request, none of their jobs is long: the aim is 5 ms of processor time.

The test sends every operation of the contract with its largest input, to models with thousands of names.
"""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from support.daemon import REPOSITORY, Daemon
from support.jobs import in_every_round, longest_job
from support.largest import CASES, Ask, prepare
from support.wire import Api

#: The limit for a job, in milliseconds of processor time: twice the aim, because a short pause of a virtual machine
#: counts as the work of the running thread.
MOST = 10


def test_every_operation_has_a_case() -> None:
    """An operation that the contract has and this file lacks fails by its name."""
    paths = json.loads((REPOSITORY / "Sources/ParameterAPI/Resources/openapi.json").read_text())["paths"]
    methods = ("get", "put", "post", "patch", "delete")
    operations = {f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in methods}
    assert operations == set(CASES)


@pytest.mark.heavy
@pytest.mark.unsanitized
@pytest.mark.timeout(1500)
def test_jobs_are_short() -> None:
    """One round shows that no request has too long a job."""
    assert in_every_round(requests_not_shown_to_be_short) == set()


@pytest.mark.parametrize(
    ("rounds", "found", "count"),
    [(["", "a"], "", 1), (["ab", "", "a"], "", 2), (["ab", "bc", "ac", "c"], "", 3), (["ab", "bc", "b", "b"], "b", 3)],
)
def test_one_good_round_is_enough(rounds: list[str], found: str, count: int) -> None:
    """Only what every round finds counts; there is one round more than pauses."""
    left = iter(rounds)
    assert in_every_round(lambda: set(next(left)), pauses=[0, 0]) == set(found)
    assert list(left) == rounds[count:]


def requests_not_shown_to_be_short() -> set[str]:
    """The requests from the first on that had too long a job: of those after it, the longest job shows nothing."""
    asks = [(operation, ask) for operation, asks in CASES.items() for ask in asks]
    with Daemon("--memory", "2G") as daemon, closing(Api(daemon.host, daemon.port)) as api:
        prepare(api)
        longest = longest_job(api)
        for number, (operation, ask) in enumerate(asks):
            send(api, operation, ask)
            seen = longest_job(api)
            if seen > longest:
                print(f"{seen:8.2f} ms  {operation} {ask.status} {ask.target[:80]}")
            if seen >= MOST:
                return {f"{operation} {ask.status} {ask.target[:80]}" for operation, ask in asks[number:]}
            longest = seen
    return set()


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
