"""Follows the page about your own daemon to the letter: builds a separate package and sends requests to it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.daemon import REPOSITORY, Daemon
from support.wire import Api

PAGE = REPOSITORY / "Sources/ParameterServer/ParameterServer.docc/YourOwnDaemon.md"
#: Beside the builds: a later run compiles only what has changed.
FOLDER = REPOSITORY / ".build/own-package"
#: The file for the code below each heading of the page.
FILES = {
    "The package": "Package.swift",
    "An optimizer": "Sources/own-daemon/MyMomentum.swift",
    "A schedule": "Sources/own-daemon/HalvingLR.swift",
    "The daemon": "Sources/own-daemon/OwnDaemon.swift",
}
pytestmark = [pytest.mark.heavy, pytest.mark.unsanitized, pytest.mark.timeout(1200)]


def sections() -> dict[str, str]:
    """The sections of the page by heading."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def write_package() -> Path:
    """Writes the page's package beside a paramd, as the page requires; unchanged files keep their time."""
    package = FOLDER / "own-daemon"
    for heading, name in FILES.items():
        code = re.search(r"```swift\n(.*?)```", sections()[heading], re.DOTALL)[1]
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != code:
            path.write_text(code)
    (FOLDER / "paramd").unlink(missing_ok=True)
    (FOLDER / "paramd").symlink_to(REPOSITORY)
    return package


@pytest.mark.skipif(not shutil.which("swift"), reason="Swift is not installed")
def test_the_page_makes_a_daemon(start: Callable[..., Daemon]) -> None:
    """The page's rule and schedule for two steps, by hand: v = 0.5 v + g, w = w - lr v, lr 1/4 and 1/8."""
    package = write_package()
    # A debug build takes a third of the time, and the numbers are the same.
    build = subprocess.run(
        ["swift", "build"], cwd=package, capture_output=True, text=True, check=False,
        env={**os.environ, "SWIFT_BACKTRACE": "enable=no"},
    )  # fmt: skip
    assert build.returncode == 0, build.stdout[-3000:] + build.stderr[-3000:]
    daemon = start(binary=package / ".build/debug/own-daemon")
    api = Api(daemon.host, daemon.port)
    command = re.search(r"curl -X PUT http://[^/]+(\S+) --json '(.*?)'", sections()["The daemon"], re.DOTALL)
    api("PUT", command[1], json.loads(command[2])).expect(201)
    for expected in ([-0.25, -0.5], [-0.4375, -0.875]):
        api.push("m", {"w": [1, 2]})
        np.testing.assert_array_equal(api.pull("m")["w"], np.array(expected, np.float32))
