"""Failing calls to the file system, one in each run: nothing acknowledged is lost, nothing is applied twice."""

from __future__ import annotations

import pytest
from proofs.syscalls import STRACE, Fault, prove, survives

pytestmark = [pytest.mark.unsanitized, pytest.mark.skipif(STRACE is None, reason="strace is not installed")]


@pytest.mark.parametrize(
    "fault",
    [("fdatasync", 9, "error=EIO"), ("pwritev", 12, "error=ENOSPC"), ("pwritev", 20, "signal=KILL")],
    ids=lambda fault: "-".join(map(str, fault)),
)
def test_one_call_fails(fault: Fault) -> None:
    """A sync fails, a write has no room, and the daemon dies in a write."""
    assert survives(fault, seed=1) > 0


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_calls_fail() -> None:
    """Tries a sample of all calls and faults; `deploy/prove syscalls --all` tries each."""
    assert prove(seed=1, count=12) == []
