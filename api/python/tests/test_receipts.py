"""How a receipt prints: the result of the push comes first."""

from __future__ import annotations

import numpy as np
import pytest
from paramd import Client, Model, Receipt
from support.daemon import Daemon


def test_a_receipt_prints_the_result_of_the_push(model: Model) -> None:
    """State, step and version; a repeated push says so."""
    receipt = model.push({"w": [1, 1]}, based_on=0)
    assert repr(receipt) == "Receipt(applied, step=1, version=2)"
    assert repr(Receipt({**receipt.fields, "replayed": True})) == "Receipt(applied, step=1, version=2, replayed)"


def test_a_held_push_prints_its_round(daemon: Daemon, model: Model) -> None:
    """How many pushes the round has, how many it needs, and when it closes."""
    first, second = (Client(daemon.url).model(f"{model.name}.held", worker=worker) for worker in "ab")
    consistency = {"mode": "sync", "workers": 2, "round_timeout": "3600s"}
    first.create({"w": [0, 0]}, "sgd", learning_rate=1, consistency=consistency)
    held = first.push({"w": [1, 1]}, based_on=0)
    assert repr(held) == f"Receipt(held 1 of 2, step=0, version=1, closes_in={held.round['closes_in']!r})"
    assert repr(second.push({"w": [1, 1]}, based_on=0)) == "Receipt(applied in a round of 2, step=1, version=2)"
    first.patch(consistency={"mode": "manual"})
    assert repr(first.push({"w": [1, 1]}, based_on=1)) == "Receipt(held 1, step=1, version=3)"


def test_a_skipped_push_prints_the_loss_scale(client: Client, model: Model) -> None:
    """The next gradient needs the new scale."""
    scaled = client.model(f"{model.name}.scaled")
    scaling = {"type": "dynamic", "init_loss_scale": 1024, "scale_factor": 2, "scale_window": 100}
    scaled.create({"w": [0, 0]}, "sgd", learning_rate=1, loss_scaling=scaling)
    skipped = scaled.push({"w": np.float32([np.inf, 0])}, based_on=0)
    assert repr(skipped) == "Receipt(skipped, step=0, version=2, loss_scale=512)"


@pytest.mark.parametrize("fields", [{}, {"step": 3}, {"round": {"state": "dropped", "received": 1}}])
def test_an_incomplete_answer_prints(fields: dict[str, object]) -> None:
    """A receipt of another release never fails to print."""
    assert repr(Receipt(fields)).startswith("Receipt(not applied")
