"""Sends every golden case over HTTP, as JSON and as safetensors, and prints a table of the cases."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import golden
from support.wire import SAFETENSORS, Api, from_json

CASES = golden.cases()
_replayed: Counter[tuple[str, str]] = Counter()
_seconds: list[float] = []

#: Slots whose name in a case is MindSpore's attribute, and in the server the name from MindSpore's checkpoint.
SLOT_NAMES = {"ms": "mean_square", "mg": "mean_grad"}


def test_golden_cases_are_there() -> None:
    """Guards against a run that replays no case."""
    assert len(CASES) >= 325


def with_marks() -> Iterator[Any]:
    """Marks the cases that a sanitizer build need not repeat: those with a rule and a kind of case seen before."""
    seen: set[tuple[str, str]] = set()
    for path in CASES:
        rule, _, kind = path.stem.partition("__")
        new = {("rule", rule), ("kind", kind)} - seen
        seen |= new
        yield pytest.param(path, id=path.stem, marks=[] if new else [pytest.mark.unsanitized])


@pytest.mark.parametrize("path", list(with_marks()))
def test_case(api: Api, name: str, path: Path) -> None:
    """Parameters, rates and weight decay match at each step, then the slots; both wire formats give equal bits."""
    began, case = time.monotonic(), golden.load(path)
    for model in (name, f"{name}-b"):
        api.create(model, golden.definition(case))
    for index, step in enumerate(case["steps"]):
        change_rates(api, (name, f"{name}-b"), case, index)
        check_step(api, name, step, index)
    check_weight_decay(api, name, case)
    check_pulls(api, name)
    check_slots(api, name, case)
    forget(api, name)
    _replayed[kind_of(case)] += 1
    _seconds.append(time.monotonic() - began)


def change_rates(api: Api, models: tuple[str, ...], case: dict[str, Any], index: int) -> None:
    """Sends a PATCH where PyTorch's group cases assign new rates to param_groups between steps."""
    if not golden.is_torch(case) or index == 0 or "groups" not in case:
        return
    before, now = case["steps"][index - 1]["lr"], case["steps"][index]["lr"]
    for group in (group for group in now if now[group] != before[group]):
        for model in models:
            api("PATCH", f"/v1/models/{model}/groups/{group}", {"lr": now[group]}).expect(200)


def check_step(api: Api, model: str, step: dict[str, Any], index: int) -> None:
    """Pushes and pulls by JSON, and by safetensors for the twin; compares both answers with the record."""
    gradients = {name: golden.json_gradient(tensor) for name, tensor in step["grads"].items()}
    answer = api("POST", f"/v1/models/{model}/gradients?pull=1", {"gradients": gradients}).expect(200).json()
    twin = api.push_binary(f"{model}-b", golden.binary_gradients(step["grads"]), "?pull=1", Accept=SAFETENSORS)
    assert answer["step"] == step["global_step_after"] == index + 1
    check_values(answer["receipt"]["lr"], step["lr"], f"step {index}, lr")
    by_binary = twin.expect(200).tensors()
    for name, tensor in step["params_after"].items():
        by_json = from_json(answer["parameters"][name])
        golden.assert_close(by_json, golden.array(tensor), f"step {index}, {name}")
        assert by_json.tobytes() == by_binary[name].tobytes(), f"step {index}, {name}: the wire formats differ"


def check_weight_decay(api: Api, model: str, case: dict[str, Any]) -> None:
    """Requests the weight decay of every step at once; the record holds it times the loss scale."""
    last = len(case["steps"]) - 1
    curve = api.get(f"/v1/models/{model}/weight_decay?from=0&to={last}").json()["weight_decay"]
    for index, step in enumerate(case["steps"]):
        scaled = {group: values[index] * case["loss_scale"] for group, values in curve.items()}
        check_values(scaled, step["weight_decay"], f"step {index}, weight decay")


def check_values(got: dict[str, float | None], recorded: Any, what: str) -> None:
    """Compares numbers by group; AdaFactor's relative step has no rate to compare."""
    for group, wanted in golden.by_group(recorded, list(got)).items():
        if got[group] is not None:
            assert got[group] == pytest.approx(wanted, rel=1e-5, abs=1e-6), f"{what} of {group}"


def check_pulls(api: Api, model: str) -> None:
    """Compares a plain pull in both formats."""
    by_json, by_binary = api.pull(model), api.pull_binary(f"{model}-b")
    assert {name: value.tobytes() for name, value in by_json.items()} == {
        name: value.tobytes() for name, value in by_binary.items()
    }


def check_slots(api: Api, model: str, case: dict[str, Any]) -> None:
    """Compares the slots after the last step, under MindSpore's names."""
    if golden.is_torch(case):
        return
    state = api.get(f"/v1/models/{model}/state.safetensors").tensors()
    for slot, parameters in case.get("state_after", {}).items():
        for name, tensor in parameters.items() if isinstance(parameters, dict) else ():
            key = f"{name}#{SLOT_NAMES.get(slot, slot)}"
            if key in state:
                golden.assert_close(state[key].reshape(tensor["shape"]), golden.array(tensor), key)


def forget(api: Api, name: str) -> None:
    """Deletes the models of the case."""
    for model in (name, f"{name}-b"):
        api("DELETE", f"/v1/models/{model}").expect(204)


def kind_of(case: dict[str, Any]) -> tuple[str, str]:
    """The row and the column of a case in the table."""
    framework = "torch " if golden.is_torch(case) else ""
    kind = "sparse" if golden.is_sparse(case) else case["case"].split("__")[1]
    return framework + case["optimizer"]["type"], kind


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Prints the table of optimizers and kinds of cases at the end of the module."""
    yield
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{format_table()}\n{_replayed.total()} golden cases in {sum(_seconds):.1f} s")


def format_table() -> str:
    """Formats the number of cases of each kind that were within the tolerance."""
    rows, columns = sorted({row for row, _ in _replayed}), sorted({column for _, column in _replayed})
    width = max(map(len, rows), default=0)
    lines = [" " * width + " " + " ".join(short(column) for column in columns)]
    for row in rows:
        counts = (_replayed[row, column] for column in columns)
        cells = (f"{count or '.':>{len(short(column))}}" for count, column in zip(counts, columns, strict=True))
        lines.append(f"{row:<{width}} " + " ".join(cells))
    return "\n".join(lines)


def short(column: str) -> str:
    """A column's title, short enough for a table in a terminal."""
    return "".join(word[:4] for word in column.split("_"))


@pytest.mark.unsanitized
def test_whole_replay_is_quick() -> None:
    """Runs after the cases, in file order. The target is one minute; the margin is for busy machines."""
    assert sum(_seconds) < 600


def test_tolerance_catches_a_wrong_element() -> None:
    """Tests the comparison itself: one element off by two tolerances fails."""
    reference = np.array([1.0, 2.0], dtype=np.float32)
    with pytest.raises(AssertionError):
        golden.assert_close(reference + np.array([0, 4e-5], dtype=np.float32), reference, "w")
