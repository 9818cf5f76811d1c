"""The lines of the README, pasted from top to bottom into a shell: every request succeeds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from support.daemon import Daemon

REPOSITORY = Path(__file__).parents[2]

#: Language and content of each fenced block.
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", (REPOSITORY / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def script(language: str, text: str) -> str:
    """A block as a shell script that prints the status of each request; empty for other blocks."""
    if language == "python":
        return f"{sys.executable} - <<'END'\n{text.replace('wait=30', 'wait=0.1')}END\n"
    if not text.startswith("curl "):
        return ""
    # An event stream does not end, so it is cut off: its status has arrived by then.
    return re.sub(r"^curl( -N)?", lambda found: f"ask{' --max-time 3' if found[1] else ''}", text, flags=re.MULTILINE)


def test_every_line_works_when_pasted(start: Callable[..., Daemon]) -> None:
    """Each request is answered with 2xx, in the order of the page and against one daemon."""
    daemon = start()
    lines = "".join(script(*block) for block in BLOCKS).replace("8470", str(daemon.port))
    asked = len(re.findall(r"^ask", lines, re.MULTILINE))
    assert asked > 15 and "from paramd import Client" in lines
    ask = "ask() { curl -sS -w '\\n<%{http_code}> %{url_effective}\\n' \"$@\"; }\n"
    ended = subprocess.run(
        ["bash", "-c", f"{ask}{lines}wait\n"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "api/python")},
    )
    statuses = re.findall(r"^<(\d+)> .*$", ended.stdout, re.MULTILINE)
    assert "Traceback" not in ended.stderr, ended.stderr
    # A line may ask for two addresses.
    assert len(statuses) >= asked and {status[0] for status in statuses} == {"2"}, ended.stdout + ended.stderr
