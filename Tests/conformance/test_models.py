"""Models: create, get, list, delete, groups and PATCH."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.wire import Api

LENET = {
    "optimizer": {"type": "momentum", "momentum": 0.9},
    "learning_rate": 0.1,
    "weight_decay": 0.0001,
    "parameters": {
        "fc.bias": [0, 0],
        "conv1.weight": {"shape": [2, 1, 3, 3], "init": {"type": "he_uniform", "seed": 1}},
        "conv2.weight": {"shape": [2, 16, 3, 3], "init": "zeros"},
    },
    "groups": [
        {"name": "conv", "params": ["conv*"], "lr": 0.05, "weight_decay": 0.01, "grad_centralization": True},
        {"name": "rest", "params": ["*"], "lr": 0.01},
    ],
}


def test_create_answers_like_get(api: Api, name: str) -> None:
    """The answer is 201 with the facts that a GET returns: a new model is at step 0 and version 1."""
    created = api.create(name, LENET).json()
    assert created["model"] == name
    assert (created["step"], created["version"]) == (0, 1)
    assert len(created["uid"]) == 8 and int(created["uid"], 16) >= 0
    assert api.get(f"/v1/models/{name}").json() == created


def test_same_definition_again_is_200_and_another_is_409(api: Api, name: str) -> None:
    """PUT is idempotent: only a different definition conflicts, and changes nothing."""
    uid = api.create(name, LENET).json()["uid"]
    assert api.create(name, LENET, 200).json()["uid"] == uid
    problem = api.create(name, {**LENET, "learning_rate": 0.2}, 409).json()
    assert "replace=1" in problem["detail"]
    assert api.get(f"/v1/models/{name}").json()["uid"] == uid


def test_replace_starts_over_under_a_new_uid(api: Api, demo: str) -> None:
    """`?replace=1` discards step and values; the new uid identifies another model."""
    before = api.push(demo, {"w": [1, 1]}).json()
    uid = api.get(f"/v1/models/{demo}").json()["uid"]
    body = {"optimizer": "sgd", "learning_rate": 0.25, "parameters": {"w": [1, 2]}}
    created = api("PUT", f"/v1/models/{demo}?replace=1", body)
    assert created.status in (200, 201)
    assert created.json()["uid"] != uid
    assert created.json()["step"] == 0 < before["step"]
    np.testing.assert_array_equal(api.pull(demo)["w"], [1, 2])


def test_create_only_if_absent(api: Api, demo: str, name: str) -> None:
    """`If-None-Match: *` is 412 when the model exists."""
    body = {"optimizer": "sgd", "parameters": {"w": [0, 0]}}
    api("PUT", f"/v1/models/{demo}", body, If_None_Match="*").expect(412)
    api("PUT", f"/v1/models/{name}-x", body, If_None_Match="*").expect(201)


def test_delete_then_404(api: Api, demo: str) -> None:
    """The answer is 204 without a body, then the model is gone and its name is free."""
    assert api("DELETE", f"/v1/models/{demo}").expect(204).body == b""
    api("GET", f"/v1/models/{demo}").expect(404)
    api("DELETE", f"/v1/models/{demo}").expect(404)
    api.create(demo, LENET)


def test_list_by_prefix_and_page(api: Api, name: str) -> None:
    """Every model appears once, in pages that a token continues."""
    names = [f"{name}-{letter}" for letter in "abc"]
    for each in names:
        api.create(each, {"optimizer": "sgd", "parameters": {"w": [0]}})
    whole = api.get(f"/v1/models?prefix={name}-").json()
    assert [model["model"] for model in whole["models"]] == names
    first = api.get(f"/v1/models?prefix={name}-&page_size=2").json()
    rest = api.get(f"/v1/models?prefix={name}-&page_size=2&page_token={first['next_page_token']}").json()
    assert [model["model"] for model in first["models"] + rest["models"]] == names
    assert not rest.get("next_page_token")


@pytest.mark.parametrize("bad", ["a b", "x" * 129, "ü", "a%2Fb", "..", "a:b"])
def test_model_names(api: Api, bad: str) -> None:
    """Letters, digits, `_ . -`, at most 128, and never `.` or `..`: anything else is a 4xx, whatever the path."""
    body = {"optimizer": "sgd", "parameters": {"w": [0]}}
    target = "/v1/models/" + bad.replace(" ", "%20").replace("ü", "%C3%BC")
    assert 400 <= api("PUT", target, body).status < 500


def test_per_parameter_facts(api: Api, name: str) -> None:
    """The model's page shows each parameter's group, whether it decays and is centralized, and why not."""
    facts = api.create(name, LENET).json()["parameters"]
    assert list(facts) == ["conv1.weight", "conv2.weight", "fc.bias"]
    conv, bias = facts["conv1.weight"], facts["fc.bias"]
    assert (conv["group"], conv["shape"], conv["trainable"]) == ("conv", [2, 1, 3, 3], True)
    assert (conv["decays"], conv["centralized"]) == (True, True)
    assert (bias["decays"], bias["centralized"]) == (True, False)
    assert conv["decay_reason"] and bias["centralization_reason"]


@pytest.mark.parametrize(("rule", "centralized"), [("all", [1, 1, 1]), ("conv", [1, 1, 0]), ("mindspore", [0, 1, 0])])
def test_centralization_rules(api: Api, name: str, rule: str, centralized: list[int]) -> None:
    """The rule selects tensors of rank 2, of rank 3 and more, or with a second dimension that is a multiple of 16."""
    shapes = {"conv1": [2, 1, 3, 3], "conv2": [2, 16, 3, 3], "dense": [2, 3], "bias": [2]}
    parameters = {key: {"shape": shape, "init": "zeros"} for key, shape in shapes.items()}
    groups = [{"params": ["*"], "grad_centralization": True}]
    body = {"optimizer": "sgd", "centralization_rule": rule, "parameters": parameters, "groups": groups}
    facts = api.create(name, body).json()["parameters"]
    assert [facts[key]["centralized"] for key in shapes] == [*map(bool, centralized), False]


def test_groups_in_update_order(api: Api, name: str) -> None:
    """Each group has its name, settings and parameters."""
    api.create(name, LENET)
    groups = api.get(f"/v1/models/{name}/groups").json()["groups"]
    assert [group["name"] for group in groups] == ["conv", "rest"]
    assert groups[0]["params"] == ["conv1.weight", "conv2.weight"]
    assert groups[0]["lr"] == 0.05
    assert api.get(f"/v1/models/{name}/groups/rest").json()["params"] == ["fc.bias"]
    api("GET", f"/v1/models/{name}/groups/konv").expect(404)


def test_without_groups_there_is_one_called_default(api: Api, demo: str) -> None:
    """The implicit group has the optimizer's own settings."""
    groups = api.get(f"/v1/models/{demo}/groups").json()["groups"]
    assert [group["name"] for group in groups] == ["default"]
    assert groups[0]["params"] == ["w"]


def test_order_params_orders_every_answer(api: Api, name: str) -> None:
    """Pulls, facts and the parameters of groups follow `order_params`; its unknown keys are ignored with a warning."""
    order = ["fc.bias", "conv2.weight", "conv1.weight"]
    body = {**LENET, "groups": [*LENET["groups"], {"order_params": order, "lr": 5}]}
    created = api.create(name, body).json()
    assert list(created["parameters"]) == order
    assert any("lr" in warning for warning in created["warnings"])
    assert list(api.get(f"/v1/models/{name}/parameters").json()["parameters"]) == order


def test_first_match_wins_and_a_literal_beats_a_glob(api: Api, name: str) -> None:
    """Globs are tried in the order of the groups; a literal name takes precedence even in a later group."""
    groups = [{"name": "a", "params": ["*"]}, {"name": "b", "params": ["fc.bias"]}]
    api.create(name, {**LENET, "groups": groups})
    answer = api.get(f"/v1/models/{name}/groups").json()["groups"]
    assert {group["name"]: group["params"] for group in answer} == {
        "a": ["conv1.weight", "conv2.weight"],
        "b": ["fc.bias"],
    }


def test_default_group_takes_the_rest(api: Api, name: str) -> None:
    """Ungrouped parameters need `default_group: true`; otherwise the refusal lists them."""
    groups = [{"params": ["conv*"]}]
    problem = api.create(name, {**LENET, "groups": groups}, 422).json()
    assert "fc.bias" in problem["detail"] + str(problem.get("errors"))
    api.create(name, {**LENET, "groups": groups, "default_group": True})
    names = [group["name"] for group in api.get(f"/v1/models/{name}/groups").json()["groups"]]
    assert names == ["group0", "default"]


def test_initial_step(api: Api, name: str) -> None:
    """With `"step": n` the first update uses lr(n)."""
    api.create(name, {"optimizer": "sgd", "learning_rate": [9, 9, 0.5], "step": 2, "parameters": {"w": [0]}})
    receipt = api.push(name, {"w": [1]}).json()
    assert (receipt["step"], receipt["lr"]) == (3, {"default": 0.5})


def test_initializers_are_seeded(api: Api, name: str) -> None:
    """A seed gives the same values in every model, another seed gives others; zeros and ones are exact."""
    kinds = ["zeros", "ones", "normal", "uniform", "he_normal", "he_uniform", "xavier_normal", "xavier_uniform"]
    parameters: dict[str, Any] = {kind: {"shape": [8, 5], "init": kind} for kind in kinds}
    parameters["again"] = {"shape": [8, 5], "init": {"type": "normal", "seed": 0}}
    parameters["other"] = {"shape": [8, 5], "init": {"type": "normal", "seed": 7}}
    for model in (name, f"{name}-twin"):
        api.create(model, {"optimizer": "sgd", "parameters": parameters})
    values, twin = api.pull_binary(name), api.pull_binary(f"{name}-twin")
    assert all(values[key].tobytes() == twin[key].tobytes() for key in parameters)
    assert (values["zeros"] == 0).all() and (values["ones"] == 1).all()
    assert values["again"].tobytes() != values["other"].tobytes()
    assert np.abs(values["he_uniform"]).max() <= np.sqrt(6 / 5)
    assert np.abs(values["xavier_uniform"]).max() <= np.sqrt(6 / 13)


def test_parameter_that_is_not_trainable(api: Api, name: str) -> None:
    """Pulls include it, it accepts no gradient, and an import sets it."""
    parameters = {"w": [0], "running_mean": {"shape": [2], "data": [1, 2], "trainable": False}}
    api.create(name, {"optimizer": "sgd", "learning_rate": 1, "parameters": parameters})
    api.push(name, {"w": [1], "running_mean": [1, 1]}, 422)
    api.push(name, {"w": [1]}, complete=True)
    api("PUT", f"/v1/models/{name}/parameters", {"parameters": {"running_mean": [3, 4]}}).expect(200)
    np.testing.assert_array_equal(api.pull(name)["running_mean"], [3, 4])
    np.testing.assert_array_equal(api.pull(name)["w"], [-1])


def test_patch_learning_rate(api: Api, demo: str) -> None:
    """A new rate affects the next update, raises the version and leaves the step unchanged."""
    api.push(demo, {"w": [1, 1]})
    version = api.get(f"/v1/models/{demo}").json()["version"]
    patched = api("PATCH", f"/v1/models/{demo}", {"learning_rate": 0.25}).expect(200).json()
    assert (patched["step"], patched["version"]) == (1, version + 1)
    assert api.push(demo, {"w": [1, 1]}).json()["lr"] == {"default": 0.25}


def test_empty_patch_changes_nothing(api: Api, demo: str) -> None:
    """The answer is 200 with the same version."""
    before = api.get(f"/v1/models/{demo}").json()
    answer = api("PATCH", f"/v1/models/{demo}", b"{}", Content_Type="application/merge-patch+json")
    assert answer.expect(200).json() == before


def test_patch_of_a_group(api: Api, name: str) -> None:
    """One group's rate changes and the other's does not; `null` restores the optimizer's rate."""
    api.create(name, LENET)
    api("PATCH", f"/v1/models/{name}/groups/conv", {"lr": 0.5}).expect(200)
    assert api.get(f"/v1/models/{name}/lr").json()["lr"] == pytest.approx({"conv": 0.5, "rest": 0.01})
    api("PATCH", f"/v1/models/{name}/groups/conv", {"lr": None}).expect(200)
    assert api.get(f"/v1/models/{name}/lr").json()["lr"] == pytest.approx({"conv": 0.1, "rest": 0.01})


def test_append_extends_an_array(api: Api, name: str) -> None:
    """Entry i stays the value of step i; an exhausted schedule continues."""
    api.create(name, {"optimizer": "sgd", "learning_rate": [0.5], "parameters": {"w": [0]}})
    api.push(name, {"w": [1]})
    api.push(name, {"w": [1]}, 409)
    api("PATCH", f"/v1/models/{name}", {"learning_rate": {"append": [0.25]}}).expect(200)
    assert api.push(name, {"w": [1]}).json()["lr"] == {"default": 0.25}


def test_patch_with_if_match(api: Api, demo: str) -> None:
    """A stale tag is 412 and changes nothing; with the current tag the patch is applied."""
    etag = api.get(f"/v1/models/{demo}").headers["etag"]
    api("PATCH", f"/v1/models/{demo}", {"learning_rate": 0.25}, If_Match='"other"').expect(412)
    api("PATCH", f"/v1/models/{demo}", {"learning_rate": 0.25}, If_Match=etag).expect(200)


def test_import_is_all_or_nothing(api: Api, name: str) -> None:
    """The version rises and the step stays; one wrong tensor refuses the whole import."""
    api.create(name, {"optimizer": "sgd", "parameters": {"a": [0, 0], "b": [0]}})
    api("PUT", f"/v1/models/{name}/parameters", {"parameters": {"a": [1, 2], "b": [1, 2]}}).expect(422)
    np.testing.assert_array_equal(api.pull(name)["a"], [0, 0])
    answer = api("PUT", f"/v1/models/{name}/parameters", {"parameters": {"a": [1, 2]}}).expect(200).json()
    assert (answer["step"], answer["version"]) == (0, 2)
    np.testing.assert_array_equal(api.pull(name)["a"], [1, 2])
