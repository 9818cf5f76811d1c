"""The client against a real daemon."""

from __future__ import annotations

import threading
from pathlib import Path

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
    with pytest.raises(Conflict):
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


def test_push_pull(model: Model) -> None:
    """One round trip."""
    snapshot = model.push_pull({"m": [[1, 1], [1, 1]]})
    assert snapshot.step == 1
    np.testing.assert_array_equal(snapshot["m"], [[0.5, 1.5], [2.5, 3.5]])


def test_unchanged_model_is_not_sent_again(model: Model) -> None:
    """The very same snapshot."""
    first = model.pull()
    assert model.pull() is first
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


def test_import_and_export(model: Model, tmp_path: Path) -> None:
    """Arrays in, a file out that the reference package opens, the file in again."""
    model.import_({"w": [1, 2]})
    model.export(tmp_path / "m.safetensors")
    assert safetensors.numpy.load_file(tmp_path / "m.safetensors")["w"].tolist() == [1, 2]
    model.import_({"w": [0, 0]})
    model.import_(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(model.latest()["w"], [1, 2])


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
        client.model("nobody").info()
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
