"""Histories of many clients in every mode: the judge names planted mistakes, and finds nothing in the daemon."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from proofs.recorded.calls import History
from proofs.recorded.draft import UnsuitableError
from proofs.recorded.judge import judge
from proofs.recorded.modes import NAMES, has_rounds
from proofs.recorded.planted import MISTAKES, Mistake, with_mistake
from proofs.recorded.recorder import Plan, Recorder

KNOWN = Path(__file__).parent / "data/histories"
COUNT = 50
#: A slice that has every mode twice is enough for each build; the rest are heavy.
QUICK = 2 * len(NAMES)
SEEDS = [pytest.param(seed, marks=[pytest.mark.heavy] if seed >= QUICK else []) for seed in range(COUNT)]


@pytest.fixture(scope="module")
def known() -> dict[str, History]:
    """A recorded history of each mode."""
    return {mode: History.load(KNOWN / f"{mode}.json.gz") for mode in NAMES}


def test_known_histories(known: dict[str, History]) -> None:
    """They have nothing wrong, and what their mode is about has happened in them."""
    assert {mode: judge(history) for mode, history in known.items()} == {mode: [] for mode in NAMES}
    refusals = {mode: {call.slug for call in history.calls} for mode, history in known.items()}
    assert "stale" in refusals["reject"] and "too-far-ahead" in refusals["ssp"] and "round-dropped" in refusals["drop"]
    assert all({"already-in-round", "round-closed", "fenced"} <= refusals[mode] for mode in ("sync", "registered"))
    assert all(history.answered("push", 202) for history in known.values() if has_rounds(history.consistency))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_planted_mistake(known: dict[str, History], mistake: Mistake) -> None:
    """The judge names the mistake in every history that has material for it."""
    named = {}
    for mode in mistake.modes:
        try:
            changed = with_mistake(known[mode], mistake, seed=1)
        except UnsuitableError:
            continue
        named[mode] = {finding.rule for finding in judge(changed)}
    assert named and 2 * len(named) >= len(mistake.modes)
    assert all(rules & mistake.rules for rules in named.values()), named


@pytest.mark.parametrize("seed", SEEDS)
def test_history_of_the_daemon(tmp_path: Path, seed: int) -> None:
    """8 to 16 clients that lose connections and die, and a kill; every other history with continuous snapshots."""
    arguments = ("--snapshot-after", "16K") if seed // len(NAMES) % 2 else ()
    plan = Plan(NAMES[seed % len(NAMES)], seed, random.Random(seed).randint(8, 16), pushes=8, arguments=arguments)
    recorder = Recorder(plan)
    history = recorder.run(tmp_path)
    assert recorder.kills == plan.kills and len(history.calls) > 5 * plan.clients
    assert len(history.answered("pull")) > plan.clients and (recorder.step > 1 or plan.mode == "drop")
    findings = judge(history)
    assert not findings, "\n".join(map(str, findings))
