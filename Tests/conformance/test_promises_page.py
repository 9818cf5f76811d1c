"""The page of promises names only tests that exist."""

from __future__ import annotations

import re

import pytest
from support.daemon import REPOSITORY

PAGE = REPOSITORY / "Sources/ParameterServing/ParameterServing.docc/Promises.md"
SWIFT = {path.stem: path for path in (REPOSITORY / "Tests").glob("*Tests/*.swift")}
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| **P")]


@pytest.mark.parametrize("row", ROWS, ids=[re.search(r"P\d+", row)[0] for row in ROWS])
def test_every_promise_has_tests(row: str) -> None:
    """Each test is a file of this folder, a function in one, or a Swift file with tests."""
    named = re.findall(r"`([^` ]+)`", row.split("|")[2])
    assert named, "no test is named"
    for name in named:
        file, _, function = name.partition("::")
        if file.endswith(".py"):
            text = (REPOSITORY / "Tests/conformance" / file).read_text()
            assert not function or f"\ndef {function}(" in text, name
        else:
            assert "@Test" in SWIFT[file].read_text(), name
