"""A short run of the torture: attacks from every side, kills, and honest workers that lose nothing."""

from __future__ import annotations

import pytest
from proofs import torture


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_a_slice_of_the_torture() -> None:
    """Runs `deploy/torture --minutes 0.3`."""
    outcome = torture.run(minutes=0.3, seed=1)
    assert outcome.faults == [], str(outcome)
    counts = dict(outcome.rows)
    assert int(counts["kills"]) > 0 and int(counts["pushes acknowledged"]) > 100 and int(counts["pulls"]) > 10
    assert all(int(counts[name.__name__.replace("_", " ")]) > 0 for name in torture.attacks.ATTACKS), counts
