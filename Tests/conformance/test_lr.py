"""Learning rate and weight decay: current, at a step, over a range, per parameter, as CSV, SVG and sparklines."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest
from support.wire import Api

COSINE = {"schedule": "cosine_decay_lr", "min_lr": 0.001, "max_lr": 0.1, "decay_steps": 2000}


@pytest.fixture
def model(api: Api, name: str) -> str:
    """Two groups, one with a fixed rate and one with a schedule."""
    parameters = {"conv1.weight": [[1, 2]], "fc.bias": [0, 0]}
    groups = [{"name": "conv", "params": ["conv*"], "lr": 0.05, "weight_decay": 0}, {"name": "rest", "params": ["*"]}]
    body = {"optimizer": {"type": "momentum", "momentum": 0.9}, "learning_rate": COSINE, "weight_decay": 0.0001}
    api.create(name, {**body, "loss_scale": 1024, "parameters": parameters, "groups": groups})
    return name


def test_rate_of_the_next_update(api: Api, model: str) -> None:
    """The answer is the rate of the next update, and a query does not advance the step."""
    for _ in range(2):
        answer = api.get(f"/v1/models/{model}/lr").json()
    assert answer["step"] == 0
    assert answer["lr"] == pytest.approx({"conv": 0.05, "rest": 0.1})


def test_rate_at_a_step(api: Api, model: str) -> None:
    """`?step=` evaluates the definition anywhere."""
    answer = api.get(f"/v1/models/{model}/lr?step=1000").json()
    assert answer["step"] == 1000
    assert answer["lr"]["rest"] == pytest.approx(0.0505, rel=1e-5)


def test_range(api: Api, model: str) -> None:
    """A range includes its end."""
    answer = api.get(f"/v1/models/{model}/lr?from=0&to=2000&every=1000").json()
    assert answer["steps"] == [0, 1000, 2000]
    assert answer["lr"]["conv"] == pytest.approx([0.05] * 3)
    assert answer["lr"]["rest"] == pytest.approx([0.1, 0.0505, 0.001], rel=1e-5)


def test_per_parameter(api: Api, model: str) -> None:
    """`get_lr_parameter`: the current value, and its definition."""
    answer = api.get(f"/v1/models/{model}/lr?param=conv1.weight&param=fc.bias").json()
    conv, bias = answer["parameters"]
    assert conv == {"name": "conv1.weight", "group": "conv", "lr": 0.05, "learning_rate": 0.05}
    assert (bias["group"], bias["learning_rate"]) == ("rest", COSINE)


def test_unknown_parameter(api: Api, model: str) -> None:
    """An unknown parameter is 404 with the nearest names."""
    problem = api("GET", f"/v1/models/{model}/lr?param=conv1.wieght").expect(404).json()
    assert "conv1.weight" in problem["detail"]


def test_array_as_definition_and_past_its_end(api: Api, name: str) -> None:
    """The definition is the whole array; a step past its end is 409, and so is a range that goes beyond it."""
    api.create(name, {"optimizer": "sgd", "learning_rate": [0.5, 0.25, 0.1], "parameters": {"w": [0, 0]}})
    assert api.get(f"/v1/models/{name}/lr?param=w").json()["parameters"][0]["learning_rate"] == [0.5, 0.25, 0.1]
    assert api.get(f"/v1/models/{name}/lr?from=0&to=2").json()["lr"]["default"] == [0.5, 0.25, 0.1]
    for query in ("step=3", "from=0&to=3"):
        problem = api("GET", f"/v1/models/{name}/lr?{query}").expect(409).json()
        assert problem["type"].endswith("/problems/lr-schedule-exhausted")


def test_weight_decay(api: Api, model: str) -> None:
    """The answer has the configured value, and its product with the loss scale, which `get_weight_decay` returns."""
    answer = api.get(f"/v1/models/{model}/weight_decay").json()
    assert (answer["step"], answer["loss_scale"]) == (0, 1024)
    assert answer["weight_decay"] == pytest.approx({"conv": 0, "rest": 0.0001})
    assert answer["scaled_weight_decay"] == pytest.approx({"conv": 0, "rest": 0.1024})


def test_dynamic_weight_decay_over_a_range(api: Api, name: str) -> None:
    """Weight decay supports the same queries as `lr`."""
    decay = {"schedule": "exponential_decay_lr", "learning_rate": 0.5, "decay_rate": 0.5, "decay_steps": 1}
    body = {"optimizer": {"type": "momentum", "momentum": 0.9}, "learning_rate": 0.1, "weight_decay": decay}
    api.create(name, {**body, "parameters": {"w": [0]}})
    answer = api.get(f"/v1/models/{name}/weight_decay?from=0&to=2").json()
    assert answer["weight_decay"]["default"] == pytest.approx([0.5, 0.25, 0.125])


def test_csv(api: Api, model: str) -> None:
    """The table has a column for the step and one for each group."""
    answer = api.get(f"/v1/models/{model}/lr.csv?from=0&to=10&every=5")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.body.decode())))
    assert rows[0] == ["step", "conv", "rest"]
    assert [row[0] for row in rows[1:]] == ["0", "5", "10"]
    assert float(rows[1][1]) == 0.05


def test_svg(api: Api, model: str) -> None:
    """The picture is well-formed and names the groups."""
    answer = api.get(f"/v1/models/{model}/lr.svg?from=0&to=2000")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert ElementTree.fromstring(answer.body).tag.endswith("svg")
    assert b"conv" in answer.body and b"rest" in answer.body


def picture(api: Api, name: str, groups: list[str], rate: object, query: str) -> ElementTree.Element:
    """The plot of a model with these groups."""
    rows = [{"name": group, "params": [f"p{i}"], "lr": rate} for i, group in enumerate(groups)]
    parameters = {f"p{i}": [0] for i in range(len(groups))}
    api.create(name, {"optimizer": "sgd", "learning_rate": 0.1, "parameters": parameters, "groups": rows})
    return ElementTree.fromstring(api.get(f"/v1/models/{name}/lr.svg{query}").body)


def all_of(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """All elements of a kind."""
    return list(root.iter(f"{{http://www.w3.org/2000/svg}}{tag}"))


#: Characters with a meaning in XML and in CSV, and what may join each to one grapheme: a mark, a joiner, a selector.
JOINED = [f"{special}{joined}" for special in '&<>",\n' for joined in ("", "\u0301", "\u200d", "\ufe0f")]


def test_names_in_svg_and_csv(api: Api, name: str) -> None:
    """Special characters are escaped, also where a joining character follows; what XML cannot contain is replaced."""
    groups = [f"{joined}x" for joined in JOINED] + ["\u0001\ufffe"]
    root = picture(api, name, groups, 0.1, "?from=0&to=1")
    shown = ["".join(text.itertext()) for text in all_of(root, "text")]
    assert [text for text in shown if text in groups] == [group for group in groups[:-1] if "\n" not in group]
    (header, *_) = csv.reader(io.StringIO(api.get(f"/v1/models/{name}/lr.csv?from=0&to=1").body.decode(), newline=""))
    assert header == ["step", *groups]


def test_svg_of_many_groups(api: Api, name: str) -> None:
    """Each of 24 groups has its own style of line; every name, however long, stays inside the picture."""
    groups = [f"backbone.stage{i}.convolutions.{'without-' * (i % 9)}bias.{i}" for i in range(24)]
    root = picture(api, name, groups, COSINE, "?from=0&to=2000")
    lines = all_of(root, "polyline")
    assert len({(line.get("class"), line.get("stroke-dasharray")) for line in lines}) == 24
    width, height = (float(number) for number in root.get("viewBox").split()[2:])
    for text in all_of(root, "text"):
        words = text[-1].tail if len(text) else text.text
        assert float(text.get("y")) < height
        if text.get("text-anchor") is None and text.get("class") is None:
            assert float(text.get("x")) + 6 * len(words) < width, words
    assert [title.text for title in all_of(root, "title")]  # a shortened name is given in full
    assert all("…" in "".join(text.itertext()) for text in all_of(root, "text") if len(text))


def test_svg_of_one_step(api: Api, name: str) -> None:
    """The default range of an array of one entry is one step: each group has its own mark."""
    root = picture(api, name, ["a", "b", "c"], [0.5], "")
    marks = [line for line in all_of(root, "line") if line.get("class").startswith("dot")]
    places = {(mark.get("x1"), mark.get("y1")) for mark in marks}
    assert len(places) == 6  # three in the frame and three in the legend


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_svg_ticks_are_steps(api: Api, name: str, count: int) -> None:
    """The axis has no step 0.5."""
    root = picture(api, name, ["a"], [0.5] * count, "")
    ticks = [text.text for text in all_of(root, "text") if text.get("text-anchor") == "middle"]
    assert ticks and all(tick.isdigit() for tick in ticks)
    assert len(set(ticks)) == len(ticks)


def test_sparklines(api: Api, model: str) -> None:
    """Each group is one line of text."""
    answer = api.get(f"/v1/models/{model}/lr.txt?from=0&to=2000&every=40")
    assert answer.headers["content-type"].startswith("text/plain")
    text = answer.body.decode()
    assert "conv" in text and "rest" in text and set(text) & set("▁▂▃▄▅▆▇█")


def test_sparklines_of_names_with_control_characters(api: Api, name: str) -> None:
    """Each group is still one line, and no name controls the terminal."""
    picture(api, name, ["a\nb", "c\x1b[2Jd", "e\x9bf"], 0.1, "?from=0&to=1")
    (_, *lines) = api.get(f"/v1/models/{name}/lr.txt?from=0&to=1").body.decode().removesuffix("\n").split("\n")
    assert [line.partition("  ")[0] for line in lines] == ["a b", "c [2Jd", "e f"]


def test_preview_without_a_model(api: Api) -> None:
    """The preview evaluates a definition at once and returns at most 100,000 points."""
    answer = api("POST", "/v1/lr_preview", {"learning_rate": [0.5, 0.25], "from": 0, "to": 1}).expect(200).json()
    assert answer == {"steps": [0, 1], "lr": [0.5, 0.25]}
    api("POST", "/v1/lr_preview", {"learning_rate": COSINE, "from": 0, "to": 99_999}).expect(200)
    api("POST", "/v1/lr_preview", {"learning_rate": COSINE, "from": 0, "to": 100_000}).expect(422)
    far = {"learning_rate": COSINE, "from": 0, "to": 10**15, "every": 10**14}
    assert len(api("POST", "/v1/lr_preview", far).expect(200).json()["lr"]) == 11


def test_sequence(api: Api) -> None:
    """A warm-up and then a cosine, each counted from its own start."""
    warm_up = {"steps": 2, "schedule": "warm_up_lr", "learning_rate": 0.1, "warmup_steps": 2}
    cosine = {**COSINE, "steps": 10, "decay_steps": 10}
    body = {"learning_rate": {"schedule": "sequence", "of": [warm_up, cosine]}, "from": 0, "to": 3}
    rates = api("POST", "/v1/lr_preview", body).expect(200).json()["lr"]
    assert rates[:3] == pytest.approx([0, 0.05, 0.1]) and rates[3] < 0.1


def test_refused_append_tells_how_to_extend_all_arrays(api: Api, name: str) -> None:
    """The model's array and the groups' have one length; the definition that the refusal suggests is accepted."""
    groups = [{"name": "a", "params": ["a"], "lr": [2, 2]}, {"name": "b", "params": ["b"]}]
    api.create(
        name, {"optimizer": "sgd", "learning_rate": [1, 1], "parameters": {"a": [0], "b": [0]}, "groups": groups}
    )
    patch: dict[str, object] = {"learning_rate": {"append": [1]}}
    problem = api("PATCH", f"/v1/models/{name}", patch).expect(422).json()
    proposed = re.search(r"as (\{.*\})\.", problem["detail"])
    assert proposed
    patch["groups"] = json.loads(proposed[1].replace("NAME", "a"))
    api("PATCH", f"/v1/models/{name}", patch).expect(200)
    assert api.get(f"/v1/models/{name}/lr?step=2").json()["lr"] == {"a": pytest.approx(0.1), "b": 1}


def test_one_entry_is_no_plural(api: Api, name: str) -> None:
    """A refusal says `1 entry`."""
    api.create(name, {"optimizer": "sgd", "learning_rate": [0.1], "parameters": {"w": [0]}})
    api.push(name, {"w": [1]})
    assert "has 1 entry and none for step 1" in api.push(name, {"w": [1]}, 409).json()["detail"]
