"""PyTorch's recorded cases of parameters whose gradients come late, with models that get these parameters only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import golden
from support.daemon import REPOSITORY
from support.wire import Api, from_json

CASES = sorted((REPOSITORY / "Tests/OptimizersTests/Golden/partial").glob("counts__*__late.json"))


def test_cases_are_there() -> None:
    """Guards against a run that replays no case."""
    assert len(CASES) >= 10


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_late_parameters_can_be_added_late(api: Api, name: str, path: Path) -> None:
    """Each step matches the record: torch has no state of a parameter before its first gradient."""
    case = golden.load(path)
    parameters: dict[str, Any] = case["definition"]["parameters"]
    present = {key: parameters[key] for key in case["steps"][0]["gradients"]}
    api.create(name, {**case["definition"], "parameters": present})
    growths = 0
    for index, step in enumerate(case["steps"]):
        if "patch" in step:
            api("PATCH", f"/v1/models/{name}", step["patch"]).expect(200)
        if late := {key: parameters[key] for key in step["gradients"] if key not in present}:
            api("POST", f"/v1/models/{name}/parameters", {"add": late}).expect(200)
            present |= late
            growths += 1
        gradients = {key: golden.array(tensor).tolist() for key, tensor in step["gradients"].items()}
        answer = api("POST", f"/v1/models/{name}/gradients?pull=1", {"gradients": gradients}).expect(200).json()
        assert set(answer["parameters"]) == set(present) and answer["step"] == index + 1
        for key in present:
            golden.assert_close(
                from_json(answer["parameters"][key]), golden.array(step["parameters"][key]), f"{index}, {key}"
            )
    assert growths == 3
