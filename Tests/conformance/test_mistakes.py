"""Mistakes that people bring from other libraries: each refusal shows the line to write, and that line works."""

from __future__ import annotations

import json
import pickle
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.wire import SAFETENSORS, Answer, Api

SGD: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.1, "parameters": {"w": [0, 0]}}
EMBEDDED = re.compile(r"`(\{.*?\}|\".*?\":.*?)`[ .,?]")


def without(key: str, **members: Any) -> dict[str, Any]:
    """The definition without some members and with others."""
    return {name: value for name, value in SGD.items() if name != key} | members


def line(answer: Answer) -> Any:
    """The JSON that the detail tells the reader to write; members without braces become an object."""
    detail = answer.expect(422).json()["detail"]
    assert detail.endswith("Nothing was applied.")
    found = EMBEDDED.findall(detail)
    assert found, detail
    text = found[-1] if found[-1].startswith("{") else "{" + found[-1] + "}"
    return json.loads(text)


#: A definition, the words that its refusal must contain, and the place of the line in the definition.
DEFINITIONS: dict[str, tuple[dict[str, Any], list[str], tuple[str, ...]]] = {
    "lr": (without("learning_rate", lr=0.25), ["no `lr`", '`"learning_rate":0.25`'], ()),
    "params": (without("parameters", params={"w": [0, 0]}, parameters={"w": [0, 0]}), ["no `params`"], ()),
    "betas of MindSpore": (
        without("optimizer", optimizer={"type": "adam", "betas": [0.8, 0.99]}),
        ["`beta1` or `beta2`", '`"beta1":0.8,"beta2":0.99`'],
        ("optimizer",),
    ),
    "beta1 of torch": (
        without("optimizer", optimizer={"type": "torch.Adam", "beta1": 0.8, "beta2": 0.99}),
        ['`"betas":[0.8,0.99]`'],
        ("optimizer",),
    ),
    "epsilon": (without("optimizer", optimizer={"type": "adam", "epsilon": 1e-6}), ['`"eps":1e-06`'], ("optimizer",)),
    "AdamW": (without("optimizer", optimizer="AdamW"), ["torch has it", '"framework":"torch"'], ()),
    "AdamW as an object": (without("optimizer", optimizer={"type": "adamw"}), ["torch has it"], ()),
    "torch.optim.AdamW": (without("optimizer", optimizer="torch.optim.AdamW"), ["it is called `AdamW`"], ()),
    "optim.SGD": (without("optimizer", optimizer="optim.SGD"), ["torch has it", '"framework":"torch"'], ()),
    "nn.Adam": (without("optimizer", optimizer="mindspore.nn.Adam"), ["it is called `Adam`"], ()),
    "LARS alone": (without("optimizer", optimizer={"type": "LARS"}), ["LARS wraps another optimizer"], ("optimizer",)),
    "AdaFactor with a rate": (
        without("optimizer", optimizer={"type": "AdaFactor"}),
        ["exactly one of `learning_rate` and `relative_step`"],
        ("optimizer",),
    ),
    "Lamb of torch": (without("optimizer", optimizer="torch.Lamb"), ["mindspore has it"], ()),
    "cosine": (
        without("learning_rate", learning_rate={"schedule": "cosine", "T_max": 100}),
        ["Unknown schedule `cosine`", "`cosine_decay_lr`"],
        ("learning_rate",),
    ),
    "StepLR": (without("learning_rate", learning_rate={"schedule": "StepLR"}), ["piecewise"], ("learning_rate",)),
    "kaiming_uniform": (
        without("parameters", parameters={"w": {"shape": [2, 3], "init": "kaiming_uniform"}}),
        ['`"type":"he_uniform"`'],
        ("parameters", "w", "init"),
    ),
    "glorot": (
        without("parameters", parameters={"w": {"shape": [2, 3], "init": {"type": "glorot_normal"}}}),
        ['`"type":"xavier_normal"`'],
        ("parameters", "w", "init"),
    ),
    "a shape alone": (
        without("parameters", parameters={"w": {"shape": [2, 3]}}),
        ['`{"shape":[2,3],"init":"zeros"}`'],
        ("parameters", "w"),
    ),
    "a typed array": (
        without("parameters", parameters={"w": {"0": 1, "1": -2}}),
        ["JSON.stringify", "Array.from(w)", '`{"w":[1,-2]}`'],
        ("parameters",),
    ),
}


@pytest.mark.parametrize("mistake", DEFINITIONS, ids=str)
def test_definition(api: Api, name: str, mistake: str) -> None:
    """Words of another library are refused with paramd's words, which create the model at that place."""
    definition, fragments, place = DEFINITIONS[mistake]
    answer = api("PUT", f"/v1/models/{name}", definition)
    detail = answer.expect(422).json()["detail"]
    assert all(fragment in detail for fragment in fragments), detail
    assert api("GET", f"/v1/models/{name}").status == 404
    if mistake == "params":
        return
    corrected = {key: value for key, value in definition.items() if key != "lr"}
    put(corrected, place, line(answer))
    api.create(name, corrected)


def put(definition: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    """Writes the suggested members at their place, over an object of the same type."""
    if not place:
        definition.update(value)
        return
    *outer, last = place
    inside = json.loads(json.dumps(definition))
    target = inside
    for key in outer:
        target = target[key]
    kept = {"type": target[last]["type"]} if last == "optimizer" else {}
    target[last] = kept | value
    definition.update(inside)


#: A push, and the words that its refusal must contain.
PUSHES: dict[str, tuple[Any, list[str]]] = {
    "grads": ({"grads": {"w": [1, -2]}}, ["nknown field `grads`", '`{"gradients":{"w":[1,-2]}}`']),
    "at the top level": ({"w": [1, -2]}, ["`w` is a parameter", '`{"gradients":{"w":[1,-2]}}`']),
    "a typed array": ({"gradients": {"w": {"0": 1, "1": -2}}}, ["Array.from(w)", '`{"w":[1,-2]}`']),
}


@pytest.mark.parametrize("mistake", PUSHES, ids=str)
def test_push(api: Api, demo: str, mistake: str) -> None:
    """The line in the refusal is the intended push."""
    body, fragments = PUSHES[mistake]
    answer = api("POST", f"/v1/models/{demo}/gradients", body)
    detail = answer.expect(422).json()["detail"]
    assert all(fragment in detail for fragment in fragments), detail
    meant = line(answer)
    api("POST", f"/v1/models/{demo}/gradients", meant if "gradients" in meant else {"gradients": meant}).expect(200)
    np.testing.assert_array_equal(api.pull(demo)["w"], np.float32([-0.5, 1]))


def test_nothing_as_a_gradient(api: Api, demo: str) -> None:
    """The refusal says where `None` of Python, and the nulls that JSON.stringify makes of NaN, come from."""
    whole = api.push(demo, {"w": None}, 422).json()["detail"]
    assert "p.grad that is None" in whole and "leave `w` out" in whole
    inside = api.push(demo, {"w": [1, None]}, 422).json()
    assert "JSON.stringify writes null for NaN" in inside["detail"]
    assert inside["errors"][0]["pointer"] == "/gradients/w/1"


#: Arguments that some classes need besides their name.
NEEDED: dict[str, dict[str, Any]] = {"Momentum": {"momentum": 0.9}, "LARS": {"optimizer": "sgd"}}


def test_every_listed_optimizer_creates_a_model(api: Api, name: str) -> None:
    """`/v1/server` lists names that work as a string and as `type`."""
    for listed in api.get("/v1/server").json()["optimizers"]:
        forms = [{"type": listed, **NEEDED.get(listed, {})}, *([listed] if listed not in NEEDED else [])]
        rate = {} if listed == "AdaFactor" else {"learning_rate": 0.1}
        for optimizer in forms:
            definition = {"optimizer": optimizer, "parameters": {"w": [[0, 0]]}, **rate}
            answer = api("PUT", f"/v1/models/{name}?replace=1", definition)
            assert answer.status in (200, 201), (listed, answer.body)


def test_framework_beside_its_prefix(api: Api, name: str) -> None:
    """`torch.Adam` may repeat the framework `torch`, but not name another."""
    both = without("optimizer", optimizer={"type": "torch.Adam", "framework": "torch"})
    api.create(name, both)
    other = without("optimizer", optimizer={**both["optimizer"], "framework": "mindspore"})
    refused = api("PUT", f"/v1/models/{name}?replace=1", other)
    assert refused.expect(422).json()["errors"][0]["pointer"] == "/optimizer/framework"
    assert line(refused) == {"framework": "torch"}


@pytest.mark.parametrize("target", ["/v1/models/{name}", "/v1/models"])
def test_put_left_out(api: Api, daemon: Daemon, name: str, target: str) -> None:
    """`curl --json` sends POST: the refusal shows the whole command, with PUT."""
    # The line names `demo` where the request names no model; another test may have left one.
    api("DELETE", "/v1/models/demo")
    answer = api("POST", target.format(name=name), SGD)
    detail = answer.expect(405).json()["detail"]
    assert "PUT creates a model" in detail
    command = shlex.split(detail.split("With curl: ")[1])
    assert command[:4] == ["curl", "-X", "PUT", "--json"]
    assert command[5].startswith(daemon.url)
    assert api("PUT", command[5].removeprefix(daemon.url), json.loads(command[4])).status in (200, 201)


def test_plot_past_the_end(api: Api, name: str) -> None:
    """The suggested remedy is a shorter range, not an appended array."""
    rates = [0.5, 0.25, 0.125]
    api.create(name, without("learning_rate", learning_rate=rates))
    for form in ("", ".csv", ".svg", ".txt"):
        detail = api("GET", f"/v1/models/{name}/lr{form}?from=0&to=3").expect(409).json()["detail"]
        wanted = re.search(r"Ask for (to=\d+)", detail)
        assert wanted and wanted[1] == "to=2", detail
        api.get(f"/v1/models/{name}/lr{form}?from=0&{wanted[1]}")
    preview = api("POST", "/v1/lr_preview", {"learning_rate": rates, "from": 0, "to": 3})
    assert "to=2" in preview.expect(409).json()["detail"]


def files(folder: Path) -> dict[str, tuple[Path, str]]:
    """The same array in common file formats, with the name of each."""
    w = np.float32([3, 4])
    np.savez(folder / "FILE.npz", w=w)
    np.save(folder / "FILE.npy", w)
    (folder / "FILE.pkl").write_bytes(pickle.dumps({"w": w}))
    # HDF5, section II.A: the format signature at the beginning of the superblock.
    (folder / "FILE.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(88))
    return {
        "npz": (folder / "FILE.npz", "zip archive"),
        "npy": (folder / "FILE.npy", "NumPy"),
        "pickle": (folder / "FILE.pkl", "pickle"),
        "hdf5": (folder / "FILE.h5", "HDF5"),
    }


@pytest.mark.parametrize("kind", ["npz", "npy", "pickle", "hdf5"])
@pytest.mark.parametrize("media", ["application/octet-stream", SAFETENSORS, "application/json"])
def test_files_of_other_formats(api: Api, daemon: Daemon, demo: str, tmp_path: Path, kind: str, media: str) -> None:
    """Files that begin like a zip, a NumPy array, a pickle or HDF5 are named; the suggested lines work."""
    path, called = files(tmp_path)[kind]
    for method, target in (("PUT", f"/v1/models/{demo}/parameters"), ("POST", f"/v1/models/{demo}/gradients")):
        detail = api(method, target, path.read_bytes(), Content_Type=media).expect(400).json()["detail"]
        assert called in detail and "Nothing was applied" in detail
        command = shlex.split(detail.split("With curl: ")[1])
        assert command[-1] == daemon.url + target and f"@{path.stem}.safetensors" in command
        assert ("PUT" in command) == (method == "PUT")
    created = api("PUT", f"/v1/models/{demo}-2", path.read_bytes(), Content_Type=media).expect(400).json()["detail"]
    assert "created by JSON" in created and created.endswith(f"/v1/models/{demo}-2/parameters'")
    if found := re.search(r"in Python: (.*?\.safetensors\"\))", created):
        script = found[1].replace('"FILE', f'"{tmp_path}/FILE')
        exec(script, {})
        body = (tmp_path / "FILE.safetensors").read_bytes()
        assert safetensors.numpy.load(body)["w"].tolist() == [3, 4]
        api("PUT", f"/v1/models/{demo}/parameters", body, Content_Type=SAFETENSORS).expect(200)
    else:
        assert kind == "hdf5"


def test_short_names_have_no_neighbours(api: Api) -> None:
    """Names of one or two letters get no suggestion."""
    for model in ("qx", "qy", "qz"):
        api("PUT", f"/v1/models/{model}?replace=1", SGD)
    assert "qx" not in api("GET", "/v1/models/pk").expect(404).json()["detail"]
