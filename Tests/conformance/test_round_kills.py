"""Rounds on a daemon that is killed in the middle of them."""

from __future__ import annotations

from pathlib import Path

from proofs.rounds import kill_rounds


def test_rounds_and_kills(tmp_path: Path) -> None:
    """Every push of three workers is in exactly one round after six kills, and every round has its step."""
    kill_rounds(tmp_path, rounds=120, kills=6)
