"""Charts of a training: what pushes reported and did, and what clients report alone. Expected numbers are NumPy's."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import Api

SGD = {"optimizer": "sgd", "learning_rate": [0.5, 0.25, 0.125, 0.125], "parameters": {"w": [6, 8]}}


def history(api: Api, model: str, query: str = "") -> dict[str, dict[str, list[float]]]:
    """The series by name."""
    return dict(api.get(f"/v1/models/{model}/history{query}").json()["series"])


def train(api: Api, model: str, steps: int) -> None:
    """Pushes with a loss and a metric each."""
    for step in range(1, steps + 1):
        api.push(
            model, {"w": [3, 4]}, worker="a", seq=step, based_on=step - 1, loss=1 / step, metrics={"acc": step / 10}
        )


def test_each_push_is_a_point(api: Api, name: str) -> None:
    """Loss, rate, norm, ratio, staleness and metrics, at the step after the push."""
    api.create(name, SGD)
    train(api, name, 3)
    api.push(name, {"w": [3, 4]}, worker="a", seq=4, based_on=1)
    series = history(api, name)
    assert set(series) == {
        *("loss", "lr/default", "grad_norm", "update_ratio", "staleness", "loss_scale", "overflows"),
        *("rate", "rate/a", "metrics/acc"),
    }
    assert series["loss"]["step"] == [1, 2, 3]
    assert series["loss"]["value"] == series["loss"]["min"] == series["loss"]["max"] == [1, 0.5, 1 / 3]
    assert series["metrics/acc"]["value"] == [0.1, 0.2, 0.3]
    assert series["grad_norm"]["value"] == [5, 5, 5, 5]
    assert series["staleness"]["value"] == [0, 0, 0, 2]
    w, ratios = np.array([6.0, 8.0], np.float32), []
    for rate in SGD["learning_rate"]:
        update = np.float32(rate) * np.array([3, 4], np.float32)
        ratios.append(np.linalg.norm(update) / np.linalg.norm(w))
        w -= update
    assert series["update_ratio"]["value"] == pytest.approx(ratios, rel=1e-6)
    assert series["lr/default"]["value"] == [0.5, 0.25, 0.125]
    assert series["lr/default"]["first_step"] == [1, 2, 3] and series["lr/default"]["step"] == [1, 2, 4]
    assert all(abs(at - time.time()) < 60 for at in series["loss"]["time"])


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_skipped_updates_are_visible(start: Callable[..., Daemon], tmp_path: object, mode: str) -> None:
    """Why a training stalls: each overflow is counted and lowers the loss scale, and a restart forgets none."""
    daemon = start(data_dir=str(tmp_path))
    api = Api(daemon.host, daemon.port)
    scaling = {"type": "dynamic", "init_loss_scale": 1024, "scale_factor": 2, "scale_window": 1000}
    rounds = {"mode": mode} | ({"workers": 1} if mode == "sync" else {})
    api.create("m", {**SGD, "learning_rate": 1, "loss_scaling": scaling, "consistency": rounds})
    for seq in range(1, 5):
        values = np.array([1024 if seq == 1 else np.inf, 0], dtype=np.float32)
        api.push_binary("m", {"w": values}, X_Paramd_Worker="a", X_Paramd_Seq=str(seq)).expect(200)
    before = history(api, "m", "?series=loss_scale&series=overflows")
    assert before["loss_scale"]["step"] == [1, 1, 1, 1]
    assert before["loss_scale"]["value"] == [1024, 512, 256, 128]
    assert before["overflows"]["step"] == [1, 1, 1] and before["overflows"]["value"] == [1, 2, 3]
    assert all(abs(at - time.time()) < 60 for at in before["overflows"]["time"])
    daemon.process.kill()
    daemon.process.wait()
    daemon = start(data_dir=str(tmp_path))
    api = Api(daemon.host, daemon.port)
    assert history(api, "m", "?series=loss_scale&series=overflows") == before


def test_a_long_training_keeps_its_peaks(api: Api, name: str) -> None:
    """More pushes than points: adjacent points are merged, and a peak stays visible."""
    api.create(name, {**SGD, "learning_rate": 0.001})
    losses = [float(abs(np.sin(step))) for step in range(1300)]
    losses[777] = 99.5
    for loss in losses:
        api.push(name, {"w": [0, 0]}, loss=loss)
    loss = history(api, name)["loss"]
    share = 4  # 512 points of 1, then of 2, then of 4 values
    parts = [losses[at : at + share] for at in range(0, len(losses), share)]
    assert loss["max"] == [max(part) for part in parts] and loss["min"] == [min(part) for part in parts]
    assert loss["value"] == [part[-1] for part in parts] and loss["count"] == [len(part) for part in parts]
    assert loss["first_step"] == [at + 1 for at in range(0, len(losses), share)] and loss["step"][-1] == 1300
    few = history(api, name, "?series=loss&points=10")["loss"]
    assert len(few["value"]) <= 10 and max(few["max"]) == 99.5 and sum(few["count"]) == 1300
    part = history(api, name, "?series=loss&from=100&to=199")["loss"]
    assert (part["first_step"][0], part["step"][-1]) == (97, 200)


def test_series_are_selected_by_name_and_glob(api: Api, name: str) -> None:
    """As parameters of a pull are; what matches nothing is 404 with the nearest name."""
    groups = [{"name": "conv", "params": ["w"], "lr": 0.1}, {"name": "rest", "params": ["*"]}]
    api.create(name, {**SGD, "parameters": {"w": [0], "b": [0]}, "groups": groups})
    api.push(name, {"w": [1], "b": [1]}, metrics={"val/acc": 1, "val/loss": 2})
    assert set(history(api, name, "?series=lr/*&series=loss")) == {"lr/conv", "lr/rest", "loss"}
    assert set(history(api, name, "?series=metrics/val/*")) == {"metrics/val/acc", "metrics/val/loss"}
    assert history(api, name, "?series=lr/conv")["lr/conv"]["value"] == [0.1]
    refused = api("GET", f"/v1/models/{name}/history?series=los").expect(404).json()
    assert "`loss`" in refused["detail"]
    api("GET", f"/v1/models/{name}/history?series=x*").expect(404)
    for query in ("from=5&to=4", "points=0", "points=513", "step=3"):
        api("GET", f"/v1/models/{name}/history?{query}").expect(422)


def test_csv_has_the_same_points(api: Api, name: str) -> None:
    """One row for each point of a series, by suffix and by Accept."""
    api.create(name, SGD)
    train(api, name, 3)
    api.push(name, {"w": [0, 0]}, metrics={'a "b", c': 1})
    series = history(api, name)
    answer = api.get(f"/v1/models/{name}/history.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert api.get(f"/v1/models/{name}/history", Accept="text/csv").body == answer.body
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    for title, columns in series.items():
        mine = [row for row in rows if row["series"] == title]
        for column in ("first_step", "step", "time", "count", "value", "min", "max"):
            assert [float(row[column]) for row in mine] == columns[column], (title, column)
    assert {row["series"] for row in rows} <= set(series)


def test_metrics_without_a_push(api: Api, name: str) -> None:
    """An accuracy measured between two pushes, now or for an earlier step; never for a later one."""
    api.create(name, SGD)
    train(api, name, 3)
    path = f"/v1/models/{name}/scalars"
    before = api.get(f"/v1/models/{name}").json()["version"]
    answer = api("POST", path, {"scalars": {"val_acc": 0.9, "val_loss": 1e-3}}).expect(200).json()
    assert answer == {"model": name, "step": 3, "recorded": 2}
    api("POST", path, {"step": 1, "scalars": {"val_acc": 0.5}}).expect(200)
    accuracy = history(api, name)["metrics/val_acc"]
    assert accuracy["step"] == [1, 3] and accuracy["value"] == [0.5, 0.9]
    assert api.get(f"/v1/models/{name}").json()["version"] == before
    assert "step 3" in api("POST", path, {"step": 4, "scalars": {"a": 1}}).expect(422).json()["detail"]


def test_a_report_with_a_key_is_recorded_once(api: Api, name: str) -> None:
    """A retry gets the first answer."""
    api.create(name, SGD)
    for replayed in (None, "true"):
        answer = api("POST", f"/v1/models/{name}/scalars", {"scalars": {"a": 1}}, Idempotency_Key=f"{name}-1")
        assert answer.expect(200).headers.get("idempotency-replayed") == replayed
    assert history(api, name)["metrics/a"]["count"] == [1]
    other = api("POST", f"/v1/models/{name}/scalars", {"scalars": {"a": 2}}, Idempotency_Key=f"{name}-1")
    assert other.expect(422).json()["type"] == "/problems/key-reused"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scalars": {}}, "/scalars"),
        ({}, "/scalars"),
        ([], ""),
        ({"scalars": 3}, "/scalars"),
        ({"scalars": {"a": "x"}}, "/scalars/a"),
        ({"scalars": {"": 1}}, "/scalars/"),
        ({"scalars": {"a\u0007": 1}}, "/scalars/a\u0007"),
        ({"scalars": {"x" * 129: 1}}, "/scalars/" + "x" * 129),
        ({"scalars": {"a": 1}, "step": -1}, "/step"),
        ({"scalars": {"a": 1}, "step": "1"}, "/step"),
        ({"scalars": {"a": 1}, "metrics": {}}, "/metrics"),
        ({"scalars": {f"m{i}": i for i in range(65)}}, "/scalars/m0"),
    ],
)
def test_wrong_reports_say_where(api: Api, demo: str, body: object, pointer: str) -> None:
    """They record nothing."""
    refused = api("POST", f"/v1/models/{demo}/scalars", body).expect(422).json()
    assert refused["errors"][0]["pointer"] == pointer
    assert not [name for name in history(api, demo) if name.startswith("metrics/")]


def test_names_of_metrics_are_limited(api: Api, demo: str) -> None:
    """A push with one new name beyond the limit is refused and not applied; known names still work."""
    api.push(demo, {"w": [0, 0]}, metrics={f"m{i}": i for i in range(64)})
    refused = api.push(demo, {"w": [1, 1]}, 422, metrics={"m1": 1, "one too many": 1}).json()
    assert refused["errors"][0]["pointer"] == "/metrics/one too many" and "64" in refused["detail"]
    assert api.get(f"/v1/models/{demo}").json()["step"] == 1
    api.push(demo, {"w": [1, 1]}, metrics={"m1": 5})
    assert history(api, demo, "?series=metrics/m1")["metrics/m1"]["value"] == [1, 5]


def test_metrics_in_safetensors(api: Api, demo: str) -> None:
    """As JSON in the metadata of the file."""
    body = safetensors.numpy.save(
        {"w": np.ones(2, np.float32)}, metadata={"metrics": json.dumps({"acc": 0.75}), "loss": "0.5"}
    )
    kind = "application/vnd.safetensors"
    api("POST", f"/v1/models/{demo}/gradients", body, Content_Type=kind).expect(200)
    assert history(api, demo)["metrics/acc"]["value"] == [0.75] and history(api, demo)["loss"]["value"] == [0.5]
    wrong = safetensors.numpy.save({"w": np.ones(2, np.float32)}, metadata={"metrics": '{"acc":"x"}'})
    api("POST", f"/v1/models/{demo}/gradients", wrong, Content_Type=kind).expect(422)


def test_it_survives_restarts(start: Callable[..., Daemon], tmp_path: object) -> None:
    """It is rebuilt from the journal after a crash and after a clean end; a restore removes later steps."""
    daemon = start(data_dir=str(tmp_path))
    api = Api(daemon.host, daemon.port)
    api.create("m", {**SGD, "learning_rate": 0.01})
    train(api, "m", 7)
    saved = api("POST", "/v1/models/m/checkpoints").expect(201).json()["id"]
    api("POST", "/v1/models/m/scalars", {"scalars": {"val": 3}}).expect(200)
    before = api.get("/v1/models/m/history").body
    daemon.process.kill()
    daemon.process.wait()
    for _ in range(2):
        daemon = start(data_dir=str(tmp_path))
        api = Api(daemon.host, daemon.port)
        assert api.get("/v1/models/m/history").body == before
        daemon.stop()
    daemon = start(data_dir=str(tmp_path))
    api = Api(daemon.host, daemon.port)
    api.push("m", {"w": [1, 1]}, loss=9)
    assert history(api, "m")["loss"]["step"][-1] == 8
    api("POST", f"/v1/models/m/checkpoints/{saved}/restore").expect(200)
    assert history(api, "m")["loss"]["step"] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("consistency", [{"mode": "async"}, {"mode": "sync", "workers": 2}], ids=lambda it: it["mode"])
def test_hyperparameters_of_pushes(
    start: Callable[..., Daemon], tmp_path: object, consistency: dict[str, object]
) -> None:
    """What pushes set has a point for each update that used it, also after a kill, an end, and a return to a step."""
    daemon = start(data_dir=str(tmp_path))
    api = Api(daemon.host, daemon.port)
    optimizer = {"type": "sgd", "framework": "torch", "momentum": 0.5}
    groups = [{"name": "lr", "params": ["v"]}]
    definition = {"optimizer": optimizer, "learning_rate": 0.5, "parameters": {"w": [1], "v": [1]}, "groups": groups}
    api.create("m", {**definition, "default_group": True, "consistency": consistency})
    whole = {"momentum": 0.75, "nesterov": True, "groups": {"lr": {"weight_decay": 0.25, "lr": 0.125}}}
    gradients = {"w": [1], "v": [1]}
    for seq, brought in enumerate(({}, {"momentum": 0.25}, whole, {}), 1):
        fields = {"seq": seq, **({"hyperparameters": brought} if brought else {})}
        if "workers" in consistency:
            api.push("m", gradients, 202, worker="b", **fields)
        api.push("m", gradients, worker="a", **fields)
    for end in ("kill", "stop", "kill"):
        series = history(api, "m", "?series=hyperparameters/*")
        assert {name: (one["step"], one["value"]) for name, one in series.items()} == {
            "hyperparameters/momentum": ([2, 3], [0.25, 0.75]),
            "hyperparameters/nesterov": ([3], [1]),
            "hyperparameters/groups/lr/weight_decay": ([3], [0.25]),
        }
        daemon.process.kill() if end == "kill" else daemon.stop()
        daemon.process.wait()
        daemon = start(data_dir=str(tmp_path))
        api = Api(daemon.host, daemon.port)
    rates = history(api, "m", "?series=lr/lr")["lr/lr"]
    assert rates["value"] == [0.5, 0.125, 0.5]
    api("POST", "/v1/models/m/rollback", {"step": 2}).expect(200)
    series = history(api, "m", "?series=hyperparameters/*")
    assert series["hyperparameters/momentum"]["step"] == [2] and series["hyperparameters/nesterov"]["step"] == []


def test_series_of_hyperparameters_are_limited(api: Api, name: str) -> None:
    """They take no room from metrics."""
    count = 100
    groups = [{"name": f"g{i}", "params": [f"p{i}"]} for i in range(count)]
    parameters = {f"p{i}": [0] for i in range(count)}
    api.create(name, {"optimizer": "sgd", "learning_rate": 0.5, "parameters": parameters, "groups": groups})
    brought = {"groups": {f"g{i}": {"weight_decay": 0.5} for i in range(count)}}
    api.push(name, {"p0": [1]}, hyperparameters=brought, metrics={f"m{i}": i for i in range(64)})
    series = history(api, name)
    assert sum(one.startswith("hyperparameters/groups/") for one in series) == 64
    assert sum(one.startswith("metrics/") for one in series) == 64


def test_many_groups_are_answered_in_pieces(api: Api, name: str) -> None:
    """Thousands of series do not occupy a network thread."""
    count = 3000
    parameters = {f"p{i}": [0.0] for i in range(count)}
    groups = [{"name": f"g{i}", "params": [f"p{i}"], "lr": 0.1} for i in range(count)]
    api.create(name, {**SGD, "learning_rate": 0.1, "parameters": parameters, "groups": groups})
    for _ in range(3):
        api.push(name, {"p1": [1]})
    series = history(api, name)
    assert len(series) == count + 7 and series["lr/g2999"]["value"] == [0.1]
    assert series["lr/g2999"]["count"] == [3]


def test_a_group_that_a_growth_adds(api: Api, name: str) -> None:
    """Its rates begin with the next update, and those of the other groups continue."""
    groups = [{"name": "x", "params": ["*"]}]
    api.create(
        name,
        {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0]}, "groups": groups, "default_group": True},
    )
    api.push(name, {"w": [1]})
    api("POST", f"/v1/models/{name}/parameters", {"add": {"v": [0]}}).expect(200)
    assert history(api, name, "?series=lr/*")["lr/default"]["value"] == []
    api.push(name, {"w": [1], "v": [1]})
    rates = history(api, name, "?series=lr/*")
    assert rates["lr/x"]["step"][-1] == 2 and rates["lr/default"]["value"] == [0.5]
