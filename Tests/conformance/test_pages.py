"""A page of another site in a real browser tries every kind of write that needs no permission."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.pages import Site, browser
from support.wire import Api

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium: apt-get install chromium"),
]

PAGE = (Path(__file__).parent / "data/writing-page.html").read_text()
#: Writes for which browsers ask first, and get no permission.
ASKED = {"json", "delete"}


def visit(daemon: Daemon, page_host: str, target_host: str) -> dict[str, str]:
    """The result of each kind of write, as the page saw it."""
    target = f"http://{target_host}:{daemon.port}/v1/models/m/gradients"
    site = Site(PAGE.replace("{target}", target), target)
    try:
        with browser(f"http://{page_host}:{site.port}/page"):
            return site.reports.get(timeout=100)
    finally:
        site.close()


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    """A daemon with a name other than loopback, to which browsers send no `Sec-Fetch-Site`."""
    return start("--allow-host", "param.example", "--allow-host", "friend.example")


@pytest.mark.parametrize(
    ("page", "target"),
    [("evil.example", "param.example"), ("evil.example", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")],
)
def test_pages_of_other_sites_change_nothing(daemon: Daemon, page: str, target: str) -> None:
    """The browser withholds the writes for which it asks first, and the daemon refuses all others."""
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "sgd", "parameters": {"w": [0, 0]}})
    report = visit(daemon, page, target)
    assert api.get("/v1/models/m").json()["version"] == 1, report
    assert api.get("/v1/models/m/checkpoints").json()["checkpoints"] == []
    assert {way for way, outcome in report.items() if outcome != "sent"} == ASKED, report


def test_a_page_of_an_allowed_host_writes(daemon: Daemon) -> None:
    """The same page's writes are accepted if its site is allowed to write."""
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "sgd", "parameters": {"w": [0, 0]}})
    report = visit(daemon, "friend.example", "param.example")
    assert api.get("/v1/models/m").json()["step"] == 7, report
    assert len(api.get("/v1/models/m/checkpoints").json()["checkpoints"]) == 1, report
