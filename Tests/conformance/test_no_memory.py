"""When the system refuses memory that the budget has, requests that need it are 507, and nothing is applied."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Api

# A sanitizer maps its own memory.
pytestmark = pytest.mark.unsanitized

COUNT = 4 << 20
DEFINITION = {
    "optimizer": "adam",
    "learning_rate": 0.1,
    "parameters": {"w": {"shape": [COUNT // 4, 4], "init": "zeros"}},
}
ROWS = {"gradients": {"w": {"indices": [0], "values": [[1, 1, 1, 1]]}}}


@pytest.fixture
def api(start: Callable[..., Daemon], tmp_path: Path) -> tuple[Daemon, Api]:
    """A daemon whose budget is far larger than the memory it gets, with two models and a checkpoint of one."""
    daemon = start("--memory", "4G", "--durability", "none", data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api.create("m", DEFINITION)
    api.create("s", {**DEFINITION, "optimizer": "torch.Adam"})
    assert api("POST", "/v1/models/m/checkpoints").status == 201
    # A model keeps the memory of a checkpoint for its next pushes.
    assert daemon.stop() == 0
    daemon = start("--memory", "4G", "--durability", "none", data_dir=tmp_path)
    return daemon, Api(daemon.host, daemon.port)


def refuse_memory(daemon: Daemon) -> None:
    """Limits the process to a few megabytes more than it has, less than a copy of a model's values."""
    pages = int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[0])
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (pages * resource.getpagesize() + (10 << 20), -1))


VALUES = safetensors.numpy.save({"w": np.ones((COUNT // 4, 4), np.float32)})
REQUESTS = {
    "create": ("PUT", "/v1/models/other", DEFINITION, None),
    "push": ("POST", "/v1/models/m/gradients", VALUES, SAFETENSORS),
    "push of a row": ("POST", "/v1/models/m/gradients", ROWS, None),
    "dry run": ("POST", "/v1/models/m/gradients?dry_run=1", VALUES, SAFETENSORS),
    "import": ("PUT", "/v1/models/m/parameters", VALUES, SAFETENSORS),
    "pull of the state": ("GET", "/v1/models/m/state.safetensors", None, None),
    "restore": ("POST", "/v1/models/m/checkpoints/1/restore", None, None),
    "rollback": ("POST", "/v1/models/m/rollback", {"step": 0}, None),
    "new slots": ("PATCH", "/v1/models/s", {"optimizer": {"amsgrad": True}}, None),
}


def test_refused_memory(api: tuple[Daemon, Api]) -> None:
    """Requests that need a model's worth of memory are refused; pulls continue, and all succeed with memory again."""
    daemon, api = api
    before = {model: api.get(f"/v1/models/{model}").json() for model in "ms"}
    refuse_memory(daemon)
    for what, (method, path, body, media) in REQUESTS.items():
        answer = api(method, path, body, **({"Content_Type": media} if media else {}))
        assert answer.status == 507, (what, answer.status, answer.body[:500])
        problem = answer.json()
        assert problem["type"] == "/problems/memory-refused", what
        assert "ulimit -v" in problem["detail"], (what, problem)
        assert ("othing was applied" in problem["detail"]) == (method != "GET"), (what, problem)
    assert {model: api.get(f"/v1/models/{model}").json() for model in "ms"} == before
    assert api("GET", "/v1/models/other").status == 404
    pulled = safetensors.numpy.load(api.get("/v1/models/m/parameters.safetensors").body)
    assert not pulled["w"].any()
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (-1, -1))
    for what in ("create", "push", "import", "restore", "new slots"):
        method, path, body, media = REQUESTS[what]
        answer = api(method, path, body, **({"Content_Type": media} if media else {}))
        assert answer.status < 300, (what, answer.status, answer.body[:500])
