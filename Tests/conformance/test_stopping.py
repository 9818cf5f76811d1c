"""SIGTERM works whatever is running: unfinished requests are interrupted and told so, and logged changes are kept."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.daemon import BINARY, Daemon
from support.wire import Answer, Api, until_waiting

OWN = BINARY.with_name("own-daemon")
pytestmark = [
    pytest.mark.skipif(not OWN.exists(), reason="own-daemon is not built beside the daemon under test"),
    pytest.mark.unsanitized,
]


def push(daemon: Daemon, model: str) -> Answer:
    """One numbered push on its own connection."""
    api = Api(daemon.host, daemon.port)
    body = {"gradients": {"w": [1, 2]}, "worker": "w", "seq": 1}
    return api("POST", f"/v1/models/{model}/gradients", body)


@pytest.mark.parametrize("count", [1, 3])
def test_updates_that_do_not_end(
    start: Callable[..., Daemon], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The daemon abandons updates that occupy every thread; the next start applies the pushes once."""
    gate = tmp_path / "gate"
    monkeypatch.setenv("PATIENT", str(gate))
    daemon = start("--durability", "none", binary=OWN, data_dir=tmp_path / "data")
    api = Api(daemon.host, daemon.port)
    definition = {"optimizer": "patient", "learning_rate": 0.5, "parameters": {"w": [0, 0]}}
    names = [f"m{number}" for number in range(count)]
    for name in names:
        api.create(name, definition)
    gate.touch()
    with ThreadPoolExecutor(count) as pool:
        pushes = [pool.submit(push, daemon, name) for name in names]
        while not gate.with_name("gate-reached").exists():
            time.sleep(0.01)
        until_waiting(api, count)
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
        print(f"stopped within {time.monotonic() - began:.2f} s")
        answers = [answer.result() for answer in pushes]
    for answer in answers:
        problem = answer.expect(503).json()
        assert "may or may not have been applied" in problem["detail"] and "same seq" in problem["detail"]
        assert "othing was applied" not in problem["detail"]
    gate.unlink()
    again = start(binary=OWN, data_dir=tmp_path / "data")
    api = Api(again.host, again.port)
    for name in names:
        page = api.get(f"/v1/models/{name}").json()
        assert page["step"] in (0, 1)
        receipt = push(again, name).expect(200).json()
        assert receipt["step"] == 1 and receipt.get("replayed", False) == (page["step"] == 1)
        assert api.pull(name)["w"].tolist() == [-0.5, -1.0]
    assert api.get("/v1/models/m0").json()["step"] == 1
