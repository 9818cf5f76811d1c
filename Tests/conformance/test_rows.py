"""Rows requested many times: a short request must not make the daemon exceed its memory budget."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from support.daemon import Daemon
from support.memory import reserved
from support.wire import SAFETENSORS, Api, wait_until

ROWS, WIDTH = 20_000, 10
TABLE = "/v1/models/m/parameters/e"


@pytest.fixture
def small(start: Callable[..., Daemon]) -> Iterator[Api]:
    """A daemon with 16 MiB and an embedding of 800 kB."""
    daemon = start("--memory", "16M")
    api = Api(daemon.host, daemon.port)
    body = {"optimizer": "sgd", "parameters": {"e": {"shape": [ROWS, WIDTH], "init": "ones"}}}
    api.create("m", body)
    yield api
    api.close()


def test_answers_are_counted(small: Api) -> None:
    """An answer larger than all memory is encoded while it is sent, in any form; its memory is freed afterwards."""
    before = reserved(small)
    twice = ",".join([f"0-{ROWS - 1}"] * 2)
    assert len(small.get(f"{TABLE}?rows={twice}").json()["data"]) == 2 * ROWS * WIDTH
    assert "b64" in small.get(f"{TABLE}?rows={twice}&dtype=F16").json()
    answer = small("POST", f"{TABLE}/lookup", {"rows": list(range(ROWS)) * 2}).expect(200)
    assert answer.json()["shape"] == [2 * ROWS, WIDTH]
    assert len(np.load(io.BytesIO(small.get(f"{TABLE}.npy?rows={twice}").body))) == 2 * ROWS
    assert len(small.get(f"{TABLE}?rows=0-999,0-999").json()["data"]) == 2000 * WIDTH
    assert small.get(f"{TABLE}?rows=5,5", Accept=SAFETENSORS).tensors()["e"].shape == (2, WIDTH)
    wait_until(lambda: reserved(small) <= before)


def test_rows_are_limited(small: Api) -> None:
    """Their number is limited even where they cost little."""
    many = ",".join([f"0-{ROWS - 1}"] * 400)
    problem = small("GET", f"{TABLE}.npy?rows={many}").expect(422).json()
    assert "100000" in problem["detail"]
    rows = [0] * 100_001
    small("POST", f"{TABLE}/lookup", {"rows": rows}, Accept=SAFETENSORS).expect(422)
    answer = small("POST", f"{TABLE}/lookup", {"rows": rows[1:]}, Accept=SAFETENSORS).expect(200)
    assert answer.tensors()["e"].shape == (100_000, WIDTH)
