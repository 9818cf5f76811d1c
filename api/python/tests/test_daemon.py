"""The client against a real daemon."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from paramd import Client, Conflict, Invalid, Model, NotFound, Rows, ScheduleExhausted
from support.daemon import Daemon


def test_create_is_idempotent(model: Model) -> None:
    """The same definition again is no change; another conflicts, unless told to replace."""
    uid = model.info()["uid"]
    definition = {"w": [0, 0], "m": np.array([[1, 2], [3, 4]])}
    assert model.create(definition, "sgd", learning_rate=0.5)["uid"] == uid
    with pytest.raises(Conflict, match=r"dd replace=True"):
        model.create(definition, "sgd", learning_rate=0.25)
    assert model.create(definition, "sgd", learning_rate=0.25, replace=True)["uid"] != uid


def test_push_and_pull(model: Model) -> None:
    """A step by hand."""
    receipt = model.push({"w": [1, -2]}, based_on=0, loss=0.25)
    assert (receipt.applied, receipt.step, receipt.version) == (True, 1, 2)
    assert (receipt.lr, receipt.staleness, receipt.replayed) == ({"default": 0.5}, 0, False)
    snapshot = model.latest()
    assert (snapshot.step, snapshot.version) == (1, 2)
    np.testing.assert_array_equal(snapshot["w"], [-0.5, 1])
    np.testing.assert_array_equal(snapshot["m"], [[1, 2], [3, 4]])


def test_hyperparameters_of_a_push(model: Model) -> None:
    """For this update alone; values may be a framework's numbers, and the groups of many layers fit."""
    before = model.latest()["w"].copy()
    receipt = model.push({"w": [1, 0]}, hyperparameters={"learning_rate": np.float32(0.25)})
    assert receipt.lr == {"default": 0.25} and receipt.hyperparameters == {"learning_rate": 0.25}
    assert model.latest()["w"][0] == before[0] - np.float32(0.25)
    assert model.push({"w": [1, 0]}).hyperparameters == {} and model.lr() != {"default": 0.25}
    snapshot = model.push_pull({"w": [1, 0]}, hyperparameters={"groups": {"default": {"lr": 0}}})
    assert snapshot["w"][0] == model.latest()["w"][0]
    names = {"groups": {f"{i:0128}": {"lr": 0.5} for i in range(1000)}}
    with pytest.raises(Invalid, match="Unknown group"):
        model.push({"w": [1, 0]}, hyperparameters=names)


def test_push_pull(model: Model) -> None:
    """One round trip."""
    snapshot = model.push_pull({"m": [[1, 1], [1, 1]]})
    assert snapshot.step == 1
    np.testing.assert_array_equal(snapshot["m"], [[0.5, 1.5], [2.5, 3.5]])


def test_unchanged_model_is_not_sent_again(model: Model) -> None:
    """A cached answer is returned in new arrays: changes to the first ones are not visible."""
    for _ in range(3):
        values = model.latest()["w"]
        np.testing.assert_array_equal(values, [0, 0])
        values += 1
    model.push({"w": [1, 0]})
    assert model.latest().version == 2


def test_since_and_wait(daemon: Daemon, model: Model) -> None:
    """None when the time is up; the new version when there is one."""
    assert model.pull(since=1, wait=0.1) is None
    other = Client(daemon.url).model(model.name)
    timer = threading.Timer(0.2, other.push, ({"w": [1, 0]},))
    timer.start()
    snapshot = model.pull(since=1, wait=30)
    timer.join()
    assert snapshot is not None
    assert snapshot.version == 2


def test_selection(model: Model) -> None:
    """By glob and by group."""
    assert list(model.pull(names=["m*"]).parameters) == ["m"]
    assert set(model.pull(group="default").parameters) == {"w", "m"}


def test_values_keep_their_bits(client: Client) -> None:
    """Through JSON in and safetensors out."""
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    model = client.model("bits")
    model.create({"w": values}, "sgd")
    assert model.latest()["w"].tobytes() == values.tobytes()
    model.delete()


def test_learning_rate(client: Client) -> None:
    """Now, at a step, over a range, of a parameter; past the end."""
    model = client.model("rates")
    model.create({"w": [0]}, "sgd", learning_rate=[0.5, 0.25, 0.125])
    assert model.lr() == {"default": 0.5}
    assert model.lr(2) == {"default": 0.125}
    curve = model.lr(range(0, 3, 2))
    assert curve.steps.tolist() == [0, 2]
    assert curve.values["default"].tolist() == [0.5, 0.125]
    assert model.lr_of("w")[0]["learning_rate"] == [0.5, 0.25, 0.125]
    with pytest.raises(ScheduleExhausted):
        model.lr(3)
    model.patch(learning_rate={"append": [0.0625]})
    assert model.lr(3) == {"default": 0.0625}
    model.delete()


def test_weight_decay(client: Client) -> None:
    """As configured and scaled."""
    model = client.model("decay")
    model.create({"w": [0]}, {"type": "momentum", "momentum": 0.9}, learning_rate=0.1, weight_decay=0.5, loss_scale=4)
    assert model.weight_decay() == {"default": 0.5}
    assert model.weight_decay(scaled=True) == {"default": 2}
    model.delete()


def test_average(client: Client) -> None:
    """Pulled like the parameters, with its own cache; Conflict before its first update."""
    model = client.model("averaged")
    model.create({"w": [0]}, "sgd", learning_rate=1, averages={"ema": {"decay": 0.5}})
    with pytest.raises(Conflict):
        model.pull(average="ema")
    for _ in range(3):
        model.push({"w": [-1]})
    for _ in range(2):
        assert model.latest(average="ema")["w"].tolist() == [2.25]
        assert model.latest()["w"].tolist() == [3]
    model.delete()


def test_groups_and_patch(client: Client) -> None:
    """As the framework's parameter groups."""
    model = client.model("groups")
    groups = [{"name": "conv", "params": ["conv*"], "lr": 0.05}, {"name": "rest", "params": ["*"]}]
    model.create({"conv1.weight": [0], "fc.bias": [0]}, "sgd", learning_rate=0.25, groups=groups)
    assert [group["name"] for group in model.groups()] == ["conv", "rest"]
    assert model.lr_of("conv1.weight")[0]["lr"] == 0.05
    model.patch_group("rest", lr=0.125)
    assert model.lr()["rest"] == 0.125
    model.delete()


def test_growth(client: Client) -> None:
    """Parameters and rows are added; parameters move between groups, and are frozen and trained again."""
    model = client.model("growing")
    groups = [{"name": "table", "params": ["e"]}, {"name": "rest", "params": ["w"]}]
    model.create({"e": np.float32([[1, 2]]), "w": [0]}, "sgd", learning_rate=1, groups=groups)
    assert model.add_parameters({"head": np.float32([3, 4])}, group="rest")["parameters"]["head"]["group"] == "rest"
    assert model.add_rows("e", 2, "ones")["version"] == 3
    assert [values.tolist() for values in model.latest().values()] == [[[1, 2], [1, 1], [1, 1]], [0], [3, 4]]
    with pytest.raises(Invalid, match="since version 3"):
        model.push({"e": np.ones((1, 2))})
    assert model.move("table", "head")["parameters"]["head"]["group"] == "table"
    assert not model.freeze("e", "w")["parameters"]["e"]["trainable"]
    with pytest.raises(Invalid, match="not trained"):
        model.push({"w": [1]})
    model.unfreeze("w")
    assert model.push({"w": [1]}).applied
    model.delete()


def test_import_and_export(model: Model, tmp_path: Path) -> None:
    """Arrays in, a file out that the reference package opens, the file in again."""
    model.import_({"w": [1, 2]})
    model.export(tmp_path / "m.safetensors")
    assert safetensors.numpy.load_file(tmp_path / "m.safetensors")["w"].tolist() == [1, 2]
    model.import_({"w": [0, 0]})
    model.import_(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(model.latest()["w"], [1, 2])


def test_state(client: Client) -> None:
    """Slots by name, and scalars."""
    model = client.model("state")
    model.create({"w": [0, 0]}, {"type": "momentum", "momentum": 0.5}, learning_rate=0.5)
    model.push({"w": [1, -2]})
    state = model.state()
    np.testing.assert_array_equal(state["w#moments"], [1, -2])
    assert (state.step, state.version) == (1, 2)
    state["w#moments"][:] = 0  # the caller's own
    assert all(isinstance(value, float) for value in state.scalars.values())
    model.delete()


def test_state_of_another_model(client: Client) -> None:
    """With its values, the other model continues like this one."""
    one, other = client.model("one"), client.model("other")
    for model in (one, other):
        model.create({"w": [0, 0]}, {"type": "AdamW", "framework": "torch"}, learning_rate=0.5, replace=True)
    one.push({"w": [1, -2]})
    other.import_(one.latest())
    assert other.import_state(one.state())["step"] == 1
    for model in (one, other):
        model.push({"w": [3, 1]})
    assert one.latest()["w"].tobytes() == other.latest()["w"].tobytes()
    assert one.state().keys() == other.state().keys()
    one.delete()
    other.delete()


def test_state_of_a_parameter_named_like_a_note(client: Client) -> None:
    """Its numbers are part of the state; `paramd.cursor` in the metadata is not."""
    model = client.model("notes")
    model.create({"paramd.w": [0, 0]}, {"type": "NAdam", "framework": "torch"}, learning_rate=0.5)
    model.push({"paramd.w": [1, -2]})
    state = model.state()
    assert "paramd.w#mu_product" in state.scalars and not any("cursor" in name for name in state.scalars)
    assert model.import_state(state)["step"] == 1
    model.delete()


def test_checkpoints(model: Model) -> None:
    """Saved, listed, restored by what was answered or by its id."""
    saved = model.checkpoint()
    assert [each["id"] for each in model.checkpoints()] == [saved["id"]]
    for which in (saved, saved["id"]):
        model.push({"w": [1, 0]})
        assert model.restore(which)["step"] == 0
        np.testing.assert_array_equal(model.latest()["w"], [0, 0])


def test_workers(model: Model) -> None:
    """Who has pushed."""
    model.push({"w": [1, 0]})
    assert [(each["worker"], each["last_seq"]) for each in model.workers()] == [(model.worker, 1)]
    model.delete_worker(model.worker)
    assert model.workers() == []


def test_snapshot_is_a_mapping(model: Model) -> None:
    """What `load_state_dict` takes, and what a loop over layers expects."""
    snapshot = model.latest()
    assert isinstance(snapshot, Mapping)
    assert list(dict(snapshot)) == list(snapshot) == ["w", "m"]
    assert (len(snapshot), "w" in snapshot, snapshot.get("x")) == (2, True, None)
    assert [array.shape for array in snapshot.values()] == [(2,), (2, 2)]
    assert snapshot != model.latest()
    assert {snapshot: 1}[snapshot] == 1
    assert repr(snapshot) == "Snapshot({'w': [2], 'm': [2, 2]}, step=0, version=1)"


@pytest.mark.parametrize(
    ("dtype", "arrives"),
    [(np.float16, "float16"), ("bfloat16", "float32"), (np.dtype("float32"), "float32"), ("F16", "float16")],
)
def test_types_that_travel(model: Model, dtype: Any, arrives: str) -> None:
    """Half the bytes."""
    snapshot = model.latest(dtype=dtype)
    assert snapshot["m"].dtype == arrives
    np.testing.assert_array_equal(snapshot["m"], [[1, 2], [3, 4]])
    snapshot["m"][0, 0] = 7


def test_min_step(model: Model) -> None:
    """None until that many updates are done."""
    assert model.pull(min_step=1) is None
    assert model.pull(min_step=1, wait=0.1) is None
    model.push({"w": [1, 0]})
    snapshot = model.pull(min_step=1, wait=100)
    assert snapshot is not None
    assert snapshot.step == 1


def test_snapshots_in_place_of_numbers(model: Model) -> None:
    """As `since` and as `based_on`; a receipt too."""
    snapshot = model.latest()
    receipt = model.push({"w": [1, 0]}, based_on=snapshot)
    assert receipt.staleness == 0
    newer = model.pull(since=snapshot, wait=100)
    assert newer is not None
    assert newer.version == receipt.version
    assert model.pull(since=newer) is None
    assert model.pull(since=receipt) is None


def test_import_of_what_fits(model: Model) -> None:
    """The rest is listed, with its reason."""
    answer = model.import_({"w": [1, 2], "m": [1], "x": [1]}, partial=True)
    assert sorted(each["pointer"] for each in answer["skipped"]) == ["/parameters/m", "/parameters/x"]
    np.testing.assert_array_equal(model.latest()["w"], [1, 2])
    np.testing.assert_array_equal(model.latest()["m"], [[1, 2], [3, 4]])


def test_counters(client: Client) -> None:
    """Pulled as they were given, in whole numbers."""
    model = client.model("counters")
    counter = {"shape": [], "dtype": "I64", "data": [7], "trainable": False}
    model.create({"w": [0, 0], "n": counter}, "sgd", replace=True)
    assert (model.latest()["n"].dtype, model.latest()["n"]) == (np.int64, 7)
    model.import_({"n": np.int64(8)})
    assert (model.latest()["n"].dtype, model.latest()["n"]) == (np.int64, 8)
    with pytest.raises(Invalid, match="16777217"):
        model.import_({"n": np.int64(2**24 + 1)})
    model.delete()


def test_rows(client: Client) -> None:
    """An embedding's gradient."""
    model = client.model("rows")
    model.create({"e": {"shape": [4, 2], "init": "ones"}}, "lazy_adam", learning_rate=0.5)
    model.push({"e": Rows([1], [[1, 1]])})
    assert (model.latest()["e"][[0, 2, 3]] == 1).all()
    assert (model.latest()["e"][1] < 1).all()
    model.delete()


def test_errors_say_what_to_change(model: Model, client: Client) -> None:
    """Which tensor, what was expected and what came; nothing applied; the next push is fine."""
    with pytest.raises(Invalid, match=r"/gradients/w.*\[2\].*\[3\]"):
        model.push({"w": [1, 2, 3]})
    with pytest.raises(NotFound):
        client.model("absent").info()
    assert model.push({"w": [1, 0]}).step == 1


def test_list_and_preview(client: Client, model: Model) -> None:
    """Models by prefix; a definition's values without a model."""
    assert [each["model"] for each in client.models(model.name)] == [model.name]
    assert client.lr_preview([0.5, 0.25], range(2)) == [0.5, 0.25]


def test_two_processes_of_one_name_do_not_meet(daemon: Daemon, model: Model) -> None:
    """Each object is a worker of its own, even under a name that was used before."""
    for _ in range(2):
        Client(daemon.url).model(model.name, worker="w0").push({"w": [1, 0]})
    assert model.info()["step"] == 2
