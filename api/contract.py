#!/usr/bin/env python3
"""Writes the JSON form of openapi.yaml, which the daemon embeds and serves at /openapi.json.

api/contract.py           writes it
api/contract.py --check   fails if it is out of date
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

SOURCE = Path(__file__).with_name("openapi.yaml")
TARGET = SOURCE.parents[1] / "Sources/ParameterAPI/Resources/openapi.json"


def as_json() -> str:
    """The contract in one line, aliases of the YAML resolved."""
    return json.dumps(yaml.safe_load(SOURCE.read_text()), separators=(",", ":"), ensure_ascii=False) + "\n"


def main() -> int:
    """Writes or checks; the exit code."""
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.exists() and TARGET.read_text() == as_json() else 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(as_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
