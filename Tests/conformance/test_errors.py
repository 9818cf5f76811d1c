"""Every recorded refusal of MindSpore, repeated over HTTP as data/errors.json says, including `exception`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.wire import Answer, Api

TABLE = json.loads(Path(__file__).with_name("data").joinpath("errors.json").read_text())
ROWS = TABLE["rows"]
DRIVEN = [row for row in ROWS if "body" in row]


def test_every_row_is_marked() -> None:
    """Each row is marked `same`, or has the reason for its difference."""
    assert len(ROWS) >= 286
    for row in ROWS:
        assert row["mark"] in TABLE["marks"], row["name"]
        assert ("reason" in row) == (row["mark"] != "same"), row["name"]
        assert ("body" in row) == (row["mark"] != "not expressible in HTTP"), row["name"]


@pytest.mark.parametrize("row", DRIVEN, ids=lambda row: row["name"])
def test_refusal(api: Api, name: str, row: dict[str, Any]) -> None:
    """The last request of a row is refused with MindSpore's class, or accepted where MindSpore accepts it."""
    answer = drive(api, name, row)
    expect = row["expect"]
    if "status" in expect:
        answer.expect(expect["status"])
    elif expect["exception"] is None:
        assert answer.status < 300, answer.body
    else:
        assert answer.status in (409, 422), answer.body
        assert answer.json()["exception"] == expect["exception"], answer.body
    check_model(api, name, expect)


def drive(api: Api, model: str, row: dict[str, Any]) -> Answer:
    """Sends the requests of a row until one is refused."""
    body = row["text"].encode() if "text" in row else row["body"]
    answer = api("PUT", f"/v1/models/{model}", body)
    for push in row.get("pushes", []):
        if answer.status < 300:
            answer = api("POST", f"/v1/models/{model}/gradients", push)
    if answer.status < 300 and "param" in row:
        answer = api("GET", f"/v1/models/{model}/lr?param={row['param']}")
    elif answer.status < 300 and row.get("stage") == "get_lr":
        answer = api("GET", f"/v1/models/{model}/lr")
    return answer


def check_model(api: Api, model: str, expect: dict[str, Any]) -> None:
    """Checks the model afterwards against the row."""
    if "parameter_order" in expect:
        assert list(api.pull(model)) == expect["parameter_order"]
    if "first_lr" in expect:
        rates = api.get(f"/v1/models/{model}/lr?step=0").json()["lr"].values()
        assert next(iter(rates)) == pytest.approx(expect["first_lr"])
    if "step" in expect:
        assert api.get(f"/v1/models/{model}").json()["step"] == expect["step"]
    for parameter, values in expect.get("parameters", {}).items():
        np.testing.assert_allclose(api.pull(model)[parameter], values, rtol=1e-5, atol=1e-6)
