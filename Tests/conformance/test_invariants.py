"""The code's assumptions about its own state hold, and a release build that finds otherwise continues."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.daemon import REPOSITORY
from support.wire import Api

#: Code that stops a debug build and continues in a release build.
PROGRAM = """
@main struct Program {
    static func main() {
        Invariants.process.watch { print("told", $0.place, $0.belief) }
        for number in 1...3 { invariant(number > 3, "1: \\(number) is small", file: "Here", line: 7) }
        for violation in Invariants.process.violations { print("counted", violation.count, violation.place) }
    }
}
"""


def test_nothing_is_broken(api: Api) -> None:
    """After requests of every kind, the daemon reports no broken invariant."""
    api.create("m", {"optimizer": "sgd", "learning_rate": 1, "parameters": {"w": [1, 2]}})
    for number in range(1, 4):
        api.push("m", {"w": [1, 1]}, worker="w", seq=number)
    api("DELETE", "/v1/models/m").expect(204)
    assert api.get("/v1/server").json()["invariants"] == {"broken": 0, "places": []}


@pytest.mark.heavy
@pytest.mark.unsanitized
@pytest.mark.timeout(600)
def test_release_builds_count_and_go_on(tmp_path: Path) -> None:
    """Builds the same source as release and debug, with an invariant that does not hold."""
    program = tmp_path / "Program.swift"
    program.write_text(PROGRAM)
    sources = sorted((REPOSITORY / "Sources/Threading").glob("*.swift"))
    command = ["swiftc", "-swift-version", "6", "-module-name", "Probe", *sources, program, "-o", tmp_path / "probe"]
    subprocess.run([*command, "-O"], check=True)
    run = subprocess.run([tmp_path / "probe"], capture_output=True, text=True, check=True)
    assert run.stdout == "told Here:7 1: 1 is small\ncounted 3 Here:7\n"
    subprocess.run([*command, "-D", "DEBUG"], check=True)
    run = subprocess.run([tmp_path / "probe"], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "1: 1 is small" in run.stderr


def test_no_other_assertions() -> None:
    """`assert` is silent in a release build, so the code uses `invariant` only."""
    own = re.compile(r"\b(assert|assertionFailure|fatalError)\(")
    found = [
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for path in sorted((REPOSITORY / "Sources").rglob("*.swift"))
        for line in path.read_text().splitlines()
        if own.search(line.split("//")[0]) and path.name != "Invariants.swift"
    ]
    assert not found
