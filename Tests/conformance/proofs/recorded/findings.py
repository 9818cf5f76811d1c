"""What a rule finds."""

from __future__ import annotations

from dataclasses import dataclass

from .calls import Push


@dataclass(frozen=True)
class Finding:
    """A broken rule."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def name(push: Push) -> str:
    """A push in words."""
    return f"push {push[1]} of client {push[0]}"
